"""Suggestions: the order of defaults, portfolio and search; no repeats; the same answer after a resume."""

from __future__ import annotations

import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.base import Context
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.search.portfolio import portfolio
from automl_gpt.tools.tune.search.suggest import SuggestArguments, suggest, suggest_hyperparameters
from automl_gpt.tools.tune.space import ENUMERABLE, encode, matrix, points, repeats
from tests.tools.tune.simulated import BOOSTING, NEIGHBOURS, TREES, TRIVIAL_CARD, add, play, started

ALL = ("baseline", "boosting", "trees")


def test_the_trivial_baseline_and_the_defaults_come_first_in_the_order_of_the_assignment():
    found = suggest(started(), ALL, 3, 0)
    assert [s.model for s in found] == ["baseline", "boosting", "trees"]
    assert found[1].hyperparameters == BOOSTING.default()


def test_cheap_defaults_come_first_when_time_is_short():
    state = started(seconds=2.0, cards=(TRIVIAL_CARD, TREES, BOOSTING, NEIGHBOURS))
    found = suggest(state, ("trees", "boosting", "neighbours"), 3, 0)
    assert found[-1].model == "trees"


def test_no_suggestion_repeats_a_trial_or_another_suggestion():
    state = play(started(), ALL, 30)
    for name, card in state.model_cards.items():
        rows = matrix(card, [t.hyperparameters for t in state.ordered() if t.model == name])
        for i in range(1, len(rows)):
            assert not repeats(card, rows[i], rows[:i]), (name, i)


def test_several_suggestions_of_one_call_differ():
    found = suggest(play(started(), ALL, 12), ALL, 8, 3)
    keys = [(s.model, tuple(sorted(s.hyperparameters.items()))) for s in found]
    assert len(set(keys)) == 8


def test_the_same_state_answers_the_same_twice_and_is_left_as_it_was():
    state = play(started(), ALL, 15)
    before = {n: t.status for n, t in state.trials.items()}
    assert suggest(state, ALL, 4, 1) == suggest(state, ALL, 4, 1)
    assert {n: t.status for n, t in state.trials.items()} == before


def test_a_trial_that_is_still_open_keeps_the_search_away_from_its_place_until_it_ends():
    state = play(started(), ALL, 12)
    number = add(state, "boosting", {**BOOSTING.default(), "rate": 0.2}, None)
    at = encode(BOOSTING, state.trials[number].hyperparameters)[None, :]
    assert not any(
        repeats(BOOSTING, encode(BOOSTING, s.hyperparameters), at) for s in suggest(state, ("boosting",), 6, 0)
    )
    state.apply(e.TrialFinished(trial=number, status="finished", value=0.7, folds=(0.7,), complete=True, seconds=1.0))
    assert len(suggest(state, ALL, 2, 0)) == 2


def test_the_search_beats_chance_on_a_smooth_objective():
    best = [play(started(seed=s), ("baseline", "boosting"), 30, seed=s).best().value for s in range(3)]
    assert min(best) > 0.86


def test_a_hopeless_model_gets_no_more_trials_and_the_second_best_gets_its_share():
    state = play(started(cards=(TRIVIAL_CARD, BOOSTING, TREES, NEIGHBOURS)), (*ALL, "neighbours"), 40)
    models = [t.model for t in state.ordered()]
    assert models.count("neighbours") <= 4
    late = models[20:]
    assert late.count("trees") >= 4


def test_an_exhausted_space_gives_fewer_suggestions_and_never_fails():
    tiny = ModelCard.model_validate(
        {
            "name": "tiny", "tasks": ["classification"], "trainer": "x", "resources": {"seconds": 1},
            "search_space": {"k": {"type": "int", "low": 1, "high": 5, "default": 2}},
        }
    )  # fmt: skip
    state = started(cards=(TRIVIAL_CARD, tiny))
    for _ in range(9):
        for s in suggest(state, ("baseline", "tiny"), 1, 0):
            add(state, s.model, s.hyperparameters, 0.6)
    assert len(state.trials) == 6
    assert suggest(state, ("baseline", "tiny"), 4, 0) == []


def test_a_failed_or_skipped_trial_is_not_suggested_again():
    state = play(started(), ALL, 8)
    bad = {**BOOSTING.default(), "rate": 0.3}
    add(state, "boosting", bad, None, status="failed")
    found = suggest(state, ("boosting",), 16, 0)
    at = encode(BOOSTING, bad)[None, :]
    assert not any(repeats(BOOSTING, encode(BOOSTING, s.hyperparameters), at) for s in found)


def test_what_makes_no_difference_on_the_data_is_never_varied():
    state = play(started(task="regression", metric="rmse"), ALL, 25)
    assert {t.hyperparameters["class_weight"] for t in state.ordered() if t.model == "trees"} == {"none"}


def test_conditional_hyperparameters_appear_only_when_they_count():
    state = play(started(), ALL, 40)
    for trial in state.ordered():
        assert state.model_cards[trial.model].complete(trial.hyperparameters) == trial.hyperparameters


def test_experience_of_near_data_comes_before_the_shipped_portfolio():
    state = started()
    good = {**BOOSTING.default(), "rate": 0.07}
    past = e.SimilarTrial(
        run="r", data="d", model="boosting", hyperparameters=good, metric="roc_auc", value=0.9, baseline=0.5, best=0.9,
        seconds=1, rows=100, columns=5, distance=0.1,
    )  # fmt: skip
    state.apply(e.ExperienceFound(trials=(past,)))
    assert [c for c, _ in portfolio(state, BOOSTING)][:2] == [BOOSTING.default(), good]
    far = state.experience[0].model_copy(update={"distance": 0.9})
    state.apply(e.ExperienceFound(trials=(far,)))
    assert all(c != good for c, _ in portfolio(state, BOOSTING))


def test_experience_of_another_version_of_the_card_is_ignored():
    state = play(started(), ALL, 5)
    odd = e.SimilarTrial(
        run="r", data="d", model="boosting", hyperparameters={"gone": 1}, metric="roc_auc", value=0.9, baseline=0.5,
        best=0.9, seconds=1, rows=100, columns=5, distance=0.1,
    )  # fmt: skip
    state.apply(e.ExperienceFound(trials=(odd,)))
    assert len(suggest(state, ALL, 6, 0)) == 6


def test_small_spaces_are_listed_and_large_ones_are_not():
    assert len(points(TRIVIAL_CARD) or []) == 1
    assert points(BOOSTING) is None
    assert len(points(NEIGHBOURS) or []) < ENUMERABLE


def test_the_tool_names_the_candidates_when_a_model_is_unknown(tmp_path):
    context = Context(tmp_path, cache={"state": started()})
    with pytest.raises(ToolError, match="baseline, boosting, trees"):
        suggest_hyperparameters.function(SuggestArguments(models=["nope"]), context)
    with pytest.raises(ToolError, match="count"):
        suggest_hyperparameters.call({"count": 17}, context)
    with pytest.raises(ToolError, match="--run"):
        suggest_hyperparameters.call({}, Context(tmp_path))
