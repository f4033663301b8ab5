"""Limits in the middle of a run: what was tried before them stays known, and nothing outside them is proposed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import CategoricalRange, Limits
from automl_gpt.tools.evaluate import importance
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import check_limit, check_limits, delivery_limits, limited, with_limit
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.allowed import best_deliverable, deliverable
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.forecasts.forecast import forecast, verdict
from automl_gpt.tools.tune.forecasts.stopping import make_stop_rule
from automl_gpt.tools.tune.search.observed import FAILED, observed
from automl_gpt.tools.tune.search.portfolio import learnt
from automl_gpt.tools.tune.search.suggest import suggest
from automl_gpt.tools.tune.space import decode, encode, legal, repeats, value_at
from tests.tools.tune import simulated as sim

RATE = e.Limit(parameter="rate", model="boosting", high=0.02)
PLAIN = e.Limit(parameter="mode", choices=("plain",))


def change(state: RunState, *limits: e.Limit, **fields: object) -> RunState:
    request = state.request.model_copy(update={"limits": limits, **fields})
    state.apply(e.RequestChanged(request=request))
    return state


def busy() -> RunState:
    """A run of boosting with trials all over its space, the best of them outside of the limits above."""
    state = sim.started()
    sim.add(state, "baseline", {}, 0.5)
    for rate, depth, mode in [(0.05, 5, "plain"), (0.5, 9, "plain"), (0.01, 10, "plain"), (0.005, 3, "plain"),
                              (0.06, 6, "drop"), (0.9, 2, "drop"), (0.003, 7, "plain")]:  # fmt: skip
        values = {
            "rate": rate,
            "depth": depth,
            "mode": mode,
            "rounds": 100,
            **({"drop": 0.4} if mode == "drop" else {}),
        }
        full = sim.BOOSTING.complete(values)
        sim.add(state, "boosting", full, sim.objective("boosting", full))
    return state


def test_the_cards_of_a_run_are_narrowed_by_its_request_and_made_once() -> None:
    state = sim.started()
    assert state.model_cards["boosting"] == sim.BOOSTING
    change(state, RATE)
    rate = state.model_cards["boosting"].search_space["rate"]
    assert rate.contains(0.02)
    assert not rate.contains(0.03)
    assert state.model_cards is state.model_cards
    assert state.started.model_cards[1] == sim.BOOSTING
    change(state)
    assert state.model_cards["boosting"] == sim.BOOSTING


@pytest.mark.parametrize(
    "limits", [(RATE,), (PLAIN,), (RATE, PLAIN), (e.Limit(parameter="rate", low=0.01, high=0.01),)]
)
def test_whatever_is_suggested_after_a_limit_keeps_it(limits: tuple[e.Limit, ...]) -> None:
    state = change(busy(), *limits)
    card = state.model_cards["boosting"]
    for _ in range(12):
        [found] = suggest(state, ["boosting"], 1, 0)
        assert legal(card, found.hyperparameters), found
        assert legal(sim.BOOSTING, found.hyperparameters)
        sim.add(state, "boosting", found.hyperparameters, sim.objective("boosting", found.hyperparameters))


def test_a_limit_that_is_lifted_leaves_no_trace_in_what_is_suggested() -> None:
    state = busy()
    change(state, RATE, PLAIN)
    suggest(state, ["boosting"], 2, 0)
    change(state)
    assert suggest(state, ["boosting"], 6, 0) == suggest(busy(), ["boosting"], 6, 0)


def test_a_limit_changes_no_forecast_of_what_it_allows() -> None:
    state, h = busy(), sim.BOOSTING.complete({"rate": 0.015, "depth": 5})
    before = forecast(state, state.model_cards["boosting"], h)
    change(state, RATE, PLAIN)
    assert forecast(state, state.model_cards["boosting"], h) == before


def test_a_model_whose_only_proposal_was_withdrawn_by_a_limit_begins_with_its_new_default() -> None:
    state = sim.started()
    sim.add(state, "baseline", {}, 0.5)
    first = sim.BOOSTING.default()
    state.apply(e.TrialProposed(trial=2, model="boosting", hyperparameters=first, reason="", by="opening", seed=2))
    state.apply(e.TrialWithdrawn(trial=2))
    change(state, e.Limit(parameter="rate", high=0.005))
    [found] = suggest(state, ["boosting"], 1, 0)
    assert found.hyperparameters == {**first, "rate": 0.005}
    assert "the default of boosting" in found.reason


def test_a_proposal_that_the_person_took_back_is_not_proposed_again() -> None:
    state = sim.started(seconds=None)
    sim.add(state, "baseline", {}, 0.5)
    first = sim.BOOSTING.default()
    state.apply(e.TrialProposed(trial=2, model="boosting", hyperparameters=first, reason="", by="opening", seed=2))
    state.apply(e.TrialWithdrawn(trial=2))
    assert [s.hyperparameters for s in suggest(state, ["boosting"], 1, 0)] != [first]


def test_values_outside_of_a_narrowed_range_have_places_of_their_own() -> None:
    card = change(sim.started(), e.Limit(parameter="rate", low=0.01, high=0.01), PLAIN).model_cards["boosting"]
    inside, above, below = ({"rate": r, "depth": 5, "mode": "plain", "rounds": 100} for r in (0.01, 0.5, 0.001))
    at = encode(card, inside)
    assert np.isfinite(at).all()
    assert not repeats(card, at, np.stack([encode(card, above), encode(card, below)]))
    assert repeats(card, at, encode(card, inside)[None, :])
    other = encode(card, {"rate": 0.01, "depth": 5, "mode": "drop", "drop": 0.4, "rounds": 100})
    assert not repeats(card, at, other[None, :])


def test_a_neighbour_of_a_best_outside_of_the_range_is_inside() -> None:
    card = change(sim.started(), RATE, PLAIN, e.Limit(parameter="depth", low=4, high=5)).model_cards["boosting"]
    centre = {"rate": 0.9, "depth": 12, "mode": "drop", "drop": 0.4, "rounds": 100}
    for at in Space(card).near(encode(card, centre)[None, :], 200, np.random.default_rng(0)):
        assert legal(card, decode(card, at))
    assert legal(card, decode(card, encode(card, centre)))


def test_rounding_never_leaves_a_very_narrow_range() -> None:
    card = sim.started().model_cards["boosting"]
    low, high = 0.0123456789, 0.0123456999
    narrow = change(sim.started(), e.Limit(parameter="rate", low=low, high=high)).model_cards["boosting"]
    for at in np.linspace(0, 1, 50):
        assert narrow.search_space["rate"].contains(value_at(narrow.search_space["rate"], float(at)))
    assert legal(card, {**narrow.default()})


def test_experience_outside_of_the_range_is_no_portfolio() -> None:
    state = busy()
    past = e.SimilarTrial(
        run="x", data="d", model="boosting", hyperparameters=sim.BOOSTING.complete({"rate": 0.9}), metric="roc_auc",
        value=0.9, baseline=0.5, best=0.9, seconds=1, rows=10, columns=3, distance=0.1,
    )  # fmt: skip
    inside = past.model_copy(update={"hyperparameters": sim.BOOSTING.complete({"rate": 0.01}), "data": "other"})
    state.apply(e.ExperienceFound(trials=(past, inside)))
    change(state, RATE)
    card = state.model_cards["boosting"]
    assert learnt(state, card) == [inside.hyperparameters]
    assert len(suggest(state, ["boosting"], 4, 0)) == 4


def test_the_report_measures_trials_by_the_whole_card() -> None:
    state = sim.play(busy(), ["boosting"], 3)
    before = importance.hyperparameters(state)
    assert before["boosting"]
    assert importance.hyperparameters(change(state, RATE, PLAIN)) == before


# ------------------------------------------------------------------------------------------------------ size and speed


def sized(state: RunState, number: int, megabytes: float, seconds: float = 0.0) -> None:
    end = state.trials[number].end
    assert end is not None
    changes = {"disk_megabytes": megabytes, "predict_seconds": seconds}
    state.trials[number].end = end.model_copy(update=changes)


def test_the_stricter_limit_counts() -> None:
    card = sim.started().data_card.model_copy(update={"limits": Limits(megabytes=5, seconds_per_1000=1)})
    assert delivery_limits(card, e.Request()) == Limits(megabytes=5, seconds_per_1000=1)
    assert delivery_limits(card, e.Request(megabytes=2, seconds_per_1000=9)) == Limits(megabytes=2, seconds_per_1000=1)
    assert delivery_limits(sim.started().data_card, e.Request(megabytes=2)) == Limits(megabytes=2)


def heavy() -> RunState:
    """A run whose best trials are trees of 30 MB; boosting is worse and small."""
    state = sim.started()
    sim.add(state, "baseline", {}, 0.5)
    for leaf in (1, 2, 4):
        sized(state, sim.add(state, "trees", sim.TREES.complete({"leaf": leaf}), 0.9 - leaf / 1000), 30.0)
    for depth in (4, 8):
        sized(state, sim.add(state, "boosting", sim.BOOSTING.complete({"depth": depth}), 0.7 + depth / 1000), 0.5)
    return state


def test_what_is_too_large_is_neither_the_best_nor_what_others_are_measured_against() -> None:
    state = heavy()
    assert make_stop_rule(state).trial == 2
    change(state, megabytes=1.0)
    best = best_deliverable(state)
    assert best is not None
    assert best.model == "boosting"
    assert not deliverable(state, state.trials[2])
    assert make_stop_rule(state).trial == best.number


def test_a_model_that_is_always_too_large_is_not_searched_any_further() -> None:
    state = heavy()
    assert "trees" in {s.model for s in suggest(state, ["trees", "boosting"], 8, 0)}
    change(state, megabytes=1.0)
    found = suggest(state, ["trees", "boosting"], 8, 0)
    assert [s.model for s in found].count("trees") <= 2
    trees = [t for t in state.ordered() if t.model == "trees"]
    seen, _ = observed(state, state.model_cards["trees"], trees)
    assert seen.values.max() == FAILED


def test_small_models_are_not_skipped_for_being_behind_a_large_one() -> None:
    state = heavy()
    for depth in (2, 3, 5, 6, 7):
        sized(state, sim.add(state, "boosting", sim.BOOSTING.complete({"depth": depth}), 0.7 + depth / 1000), 0.5)
    said = forecast(state, sim.BOOSTING, sim.BOOSTING.complete({"depth": 9}))
    assert not verdict(state, said)[0]
    change(state, megabytes=1.0)
    assert verdict(state, said)[0]


def test_speed_is_a_limit_of_the_same_kind() -> None:
    state = change(heavy(), seconds_per_1000=0.5)
    sized(state, 2, 30.0, seconds=1e-3)
    sized(state, 3, 30.0, seconds=1e-4)
    assert not deliverable(state, state.trials[2])
    assert deliverable(state, state.trials[3])


# ------------------------------------------------------------------------------------------------------- what is legal


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (e.Limit(parameter="rate", model="forest", high=1), "there is no model 'forest'"),
        (e.Limit(parameter="leaf", model="boosting", high=1), "boosting has no hyperparameter 'leaf'"),
        (e.Limit(parameter="rat", high=1), "no model has a hyperparameter 'rat', did you mean 'rate'"),
        (e.Limit(parameter="rate"), "needs a lowest value, a highest value, or choices"),
        (e.Limit(parameter="rate", high=1e-9), r"boosting: rate can't be at most 1e-09; legal: 0\.001 to 1"),
        (e.Limit(parameter="rate", model="boosting", low=9), r"can't be at least 9; legal: 0\.001 to 1 \(log scale\)$"),
    ],
)  # fmt: skip
def test_a_limit_that_nobody_can_keep_is_one_line(limit: e.Limit, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_limit(limit, (sim.TRIVIAL_CARD, sim.BOOSTING, sim.TREES))


def test_limits_that_exclude_each_other_are_told() -> None:
    both = (e.Limit(parameter="rate", high=0.01), e.Limit(parameter="rate", model="boosting", low=0.1))
    with pytest.raises(UserError, match=r"rate can't be at least 0\.1; legal: 0\.001 to 0\.01"):
        check_limits(e.Request(limits=both), (sim.BOOSTING,))
    for costs in ({"megabytes": 0.0}, {"megabytes": math.inf}, {"seconds_per_1000": -1.0}):
        with pytest.raises(UserError, match="is no limit: give a number above 0"):
            check_limits(e.Request(**costs), (sim.BOOSTING,))


def test_models_that_nobody_wants_need_not_keep_a_limit() -> None:
    other = sim.BOOSTING.model_copy(
        update={
            "name": "net",
            "search_space": {
                "rate": sim.BOOSTING.search_space["rate"].model_copy(
                    update={"low": 1e-4, "high": 1e-3, "default": 1e-3}
                )
            },
        }
    )
    limit = e.Limit(parameter="rate", low=0.1)
    with pytest.raises(UserError, match=r"net: rate can't be at least 0\.1.*or name the models that you mean"):
        check_limits(e.Request(limits=(limit,)), (sim.BOOSTING, other))
    check_limits(e.Request(limits=(limit,), models=("boosting",)), (sim.BOOSTING, other))
    cards = limited((sim.BOOSTING, other), (limit,))
    assert cards["net"] == other
    assert not cards["boosting"].search_space["rate"].contains(0.05)


def test_a_later_limit_replaces_the_ends_that_it_names() -> None:
    first = with_limit((), e.Limit(parameter="rate", low=0.01, high=0.5))
    assert with_limit(first, e.Limit(parameter="rate", high=0.1)) == (e.Limit(parameter="rate", low=0.01, high=0.1),)
    assert with_limit(first, e.Limit(parameter="rate", high=0.005)) == (e.Limit(parameter="rate", high=0.005),)
    assert len(with_limit(first, e.Limit(parameter="rate", model="boosting", high=0.1))) == 2
    assert with_limit(first, e.Limit(parameter="rate")) == ()
    assert with_limit(first, e.Limit(parameter="rate", model="boosting")) == first


def test_a_choice_is_held_together_with_its_type() -> None:
    card = change(sim.started(), PLAIN).model_cards["boosting"]
    mode = card.search_space["mode"]
    assert isinstance(mode, CategoricalRange)
    assert mode.choices == ("plain",)
    assert "drop" not in card.search_space
