"""A search space narrowed to what a person allows: never wider, never empty, its default and its conditions legal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import model_cards
from automl_gpt.cards.narrow import narrowed
from automl_gpt.cards.schema import CategoricalRange, FloatRange, IntRange, ModelCard
from automl_gpt.tools.tune.space import legal, random_point


@pytest.fixture
def card() -> ModelCard:
    def when(parameter: str, *values: object) -> dict[str, object]:
        return {"parameter": parameter, "values": values}

    return ModelCard.model_validate(
        {
            "name": "boosted", "tasks": ["classification"], "trainer": "boosted", "resources": {"seconds": 1},
            "search_space": {
                "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True, "default": 0.1},
                "depth": {"type": "int", "low": 1, "high": 12, "default": 6},
                "kind": {"type": "categorical", "choices": ["plain", "drop", "fancy"], "default": "plain"},
                "batch": {"type": "categorical", "choices": [32, 64, 128], "default": 64},
                "share": {"type": "float", "low": 0, "high": 1, "default": 0.5, "when": when("kind", "drop", "fancy")},
                "shape": {"type": "categorical", "choices": ["a", "b"], "default": "a", "when": when("kind", "drop")},
                "width": {"type": "int", "low": 1, "high": 9, "default": 3, "when": when("shape", "b")},
            },
        }
    )  # fmt: skip


def space(card: ModelCard, name: str) -> FloatRange | IntRange:
    found = card.search_space[name]
    assert not isinstance(found, CategoricalRange)
    return found


def test_a_range_is_cut_and_its_default_moves_to_the_nearest_end(card: ModelCard) -> None:
    rate = space(narrowed(card, "rate", high=0.05), "rate")
    assert (rate.low, rate.high, rate.default, rate.log) == (0.001, 0.05, 0.05, True)
    rate = space(narrowed(card, "rate", low=0.2), "rate")
    assert (rate.low, rate.high, rate.default) == (0.2, 1.0, 0.2)
    assert space(card, "rate").high == 1.0


def test_an_end_outside_of_the_card_never_widens_it(card: ModelCard) -> None:
    depth = space(narrowed(card, "depth", low=-5, high=1000), "depth")
    assert (depth.low, depth.high, depth.default) == (1, 12, 6)
    assert narrowed(card, "rate", high=float("inf")) == card


def test_ends_of_whole_numbers_are_whole_numbers_inside(card: ModelCard) -> None:
    depth = space(narrowed(card, "depth", low=2.1, high=4.9), "depth")
    assert (depth.low, depth.high, depth.default) == (3, 4, 4)
    assert all(isinstance(value, int) for value in (depth.low, depth.high, depth.default))


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ({"high": 0.0001}, r"boosted: rate can't be at most 0\.0001; legal: 0\.001 to 1 \(log scale\)"),
        ({"low": 2.0}, r"rate can't be at least 2; legal"),
        ({"low": 0.5, "high": 0.2}, r"rate can't be 0\.5 to 0\.2; legal"),
        ({"low": float("inf")}, r"rate can't be at least inf"),
        ({"high": float("nan")}, r"NaN is no limit"),
        ({"choices": (0.1, 0.2)}, r"rate can't be limited to 0\.1 or 0\.2: give one value, or two ends; legal"),
        ({"choices": ("quick",)}, r"rate can't be limited to quick"),
    ],
)  # fmt: skip
def test_a_limit_that_leaves_nothing_names_the_legal_range(card: ModelCard, ends: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        narrowed(card, "rate", **ends)  # type: ignore[arg-type]


def test_a_range_of_whole_numbers_without_one_inside_is_refused(card: ModelCard) -> None:
    with pytest.raises(UserError, match=r"depth can't be 2\.2 to 2\.8; legal: 1 to 12"):
        narrowed(card, "depth", low=2.2, high=2.8)
    with pytest.raises(UserError, match="at least inf"):
        narrowed(card, "depth", low=float("inf"))


def test_an_unknown_hyperparameter_is_told_with_the_nearest_one(card: ModelCard) -> None:
    with pytest.raises(UserError, match="boosted has no 'depht', did you mean 'depth'"):
        narrowed(card, "depht", high=3)


def test_choices_are_kept_where_they_are_wanted_and_the_default_is_one_of_them(card: ModelCard) -> None:
    kind = narrowed(card, "kind", choices=("fancy", "drop")).search_space["kind"]
    assert isinstance(kind, CategoricalRange)
    assert (kind.choices, kind.default) == (("drop", "fancy"), "drop")
    with pytest.raises(UserError, match="kind can't be odd; legal: one of plain, drop, fancy"):
        narrowed(card, "kind", choices=("plain", "odd"))


def test_choices_that_are_numbers_obey_ends_and_words_do_not(card: ModelCard) -> None:
    batch = narrowed(card, "batch", low=100).search_space["batch"]
    assert isinstance(batch, CategoricalRange)
    assert (batch.choices, batch.default) == ((128,), 128)
    with pytest.raises(UserError, match="batch can't be at most 8; legal: one of 32, 64, 128"):
        narrowed(card, "batch", high=8)
    with pytest.raises(UserError, match="kind can't be at most 8; legal: one of"):
        narrowed(card, "kind", high=8)


def test_one_value_of_a_range_is_held(card: ModelCard) -> None:
    depth = space(narrowed(card, "depth", choices=(4,)), "depth")
    assert (depth.low, depth.high, depth.default) == (4, 4, 4)


def test_what_can_never_be_active_any_more_is_left_out_with_all_that_hangs_on_it(card: ModelCard) -> None:
    plain = narrowed(card, "kind", choices=("plain",))
    assert list(plain.search_space) == ["rate", "depth", "kind", "batch"]
    fancy = narrowed(card, "kind", choices=("plain", "fancy"))
    assert list(fancy.search_space) == ["rate", "depth", "kind", "batch", "share"]
    when = fancy.search_space["share"].when
    assert when is not None
    assert when.values == ("fancy",)
    assert "width" not in narrowed(card, "shape", choices=("a",)).search_space


def test_a_narrowed_card_is_a_valid_card_whose_points_are_all_legal_on_the_whole_one(card: ModelCard) -> None:
    rng = np.random.default_rng(0)
    for name, other in itertools.permutations(card.search_space, 2):
        cut = card
        for limited in (name, other):
            if limited not in cut.search_space:
                continue
            own = cut.search_space[limited]
            if isinstance(own, CategoricalRange):
                cut = narrowed(cut, limited, choices=own.choices[:1])
            else:
                low, high = sorted(rng.uniform(own.low, own.high + 1, 2))
                if isinstance(own, IntRange) and int(low) == int(high):
                    continue
                cut = narrowed(cut, limited, low=min(low, own.high), high=high)
        again = ModelCard.model_validate_json(cut.model_dump_json())
        assert again == cut
        assert legal(card, cut.default())
        for _ in range(10):
            point = random_point(cut, rng)
            assert legal(cut, point)
            assert legal(card, point)


def test_every_number_of_every_shipped_card_can_be_narrowed_to_its_default() -> None:
    for card in model_cards().values():
        for name, own in card.search_space.items():
            if not isinstance(own, CategoricalRange):
                held = space(narrowed(card, name, own.default, own.default), name)
                assert (held.low, held.high, held.default) == (own.default,) * 3
