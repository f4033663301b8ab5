"""Candidates of the search: legal whatever the space holds, and measured as their hyperparameters are meant."""

from __future__ import annotations

import numpy as np

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.space import decode, encode, legal, matrix
from tests.tools.tune.simulated import BOOSTING, TREES, TRIVIAL_CARD

GRID = ModelCard.model_validate(
    {
        "name": "grid", "tasks": ["classification"], "trainer": "x", "resources": {"seconds": 1},
        "search_space": {
            "batch": {"type": "categorical", "choices": [8, 16, 64], "default": 16},
            "mode": {"type": "categorical", "choices": ["a", "b", "c"], "default": "a"},
            "held": {"type": "int", "low": 3, "high": 3, "default": 3},
        },
    }
)  # fmt: skip


def test_every_candidate_is_legal_and_stays_what_it_is_when_decoded():
    rng = np.random.default_rng(0)
    for card in (BOOSTING, TREES, GRID, TRIVIAL_CARD):
        space = Space(card)
        centre = encode(card, card.default())[None, :]
        for at in (*space.even(100, rng), *space.near(centre, 100, rng)):
            found = decode(card, at)
            assert legal(card, found), (card.name, found)
            assert np.allclose(encode(card, found), at, atol=1e-5, equal_nan=True)


def test_neighbours_change_something_and_mostly_little():
    rng = np.random.default_rng(1)
    space, centre = Space(BOOSTING), encode(BOOSTING, BOOSTING.default())
    near = np.nan_to_num(space.near(centre[None, :], 200, rng), nan=0.5)
    moved = np.abs(near - np.nan_to_num(centre, nan=0.5)) > 1e-9
    assert moved.any(axis=1).mean() > 0.9
    assert moved.sum(axis=1).mean() < 3


def test_a_category_of_numbers_in_order_has_a_distance_and_one_of_words_has_none():
    space = Space(GRID)
    rows = [{"batch": b, "mode": m, "held": 3} for b, m in ((8, "a"), (16, "a"), (64, "a"), (8, "b"), (8, "c"))]
    at = space.features(matrix(GRID, rows)).at
    squares = ((at[0] - at) ** 2).sum(axis=1)
    assert np.allclose(squares, [0, 0.25, 1, 1, 1])


def test_a_small_space_is_listed_whole():
    listed = Space(GRID).listed
    assert listed is not None
    assert len(listed) == 9
    assert Space(BOOSTING).listed is None
