"""Which past trials a prompt shows: the useful ones, and no two alike."""

from __future__ import annotations

import pytest

from automl_gpt.agent.decisions import Situation
from automl_gpt.agent.prompts.examples import (
    batch,
    choose_examples,
    choose_trials,
    closeness,
    diverse,
    rank_trials,
    way,
    words,
)
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Gap
from tests.agent.conftest import model_card
from tests.agent.long_run import LLM, at

MODELS = ("boosted", "forest")


def past(data: str, about: str = "", model: str = "boosted", **changes: object) -> e.SimilarTrial:
    values: dict[str, object] = {
        "run": f"{data}-1", "data": data, "model": model, "hyperparameters": model_card(model).default(),
        "metric": "roc_auc", "value": 0.9, "baseline": 0.5, "best": 0.9, "seconds": 1.0, "rows": 100, "columns": 2,
        "distance": 0.5, "about": about,
    }  # fmt: skip
    return e.SimilarTrial.model_validate({**values, **changes})


def with_experience(state: RunState, *trials: e.SimilarTrial) -> RunState:
    state.apply(e.ExperienceFound(trials=trials))
    return state


def asked(state: RunState, decision: str = "assign_model", **changes: object) -> Situation:
    return Situation(decision, state, MODELS, **changes)  # type: ignore[arg-type]


def add(state: RunState, number: int, value: float | None, model: str = "boosted", **changes: object) -> None:
    """One more trial; without a score it failed."""
    by, error = str(changes.pop("by", "builtin")), float(changes.pop("error", 0.0))  # type: ignore[arg-type]
    values: Hyperparameters = model_card(model).complete(changes)  # type: ignore[arg-type]
    state.apply(e.TrialProposed(trial=number, model=model, hyperparameters=values, reason="", by=by, seed=1))
    state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=1.0))
    status = "failed" if value is None else "finished"
    state.apply(e.TrialFinished(trial=number, status=status, value=value, complete=value is not None, seconds=1.0))
    if value is not None:
        gap = Gap(predicted=value - error, low=0, high=1, actual=value, error=error, covered=True, interval_score=1.0)
        state.apply(e.LogsCompared(trial=number, gap=gap))


def propose(state: RunState, number: int, model: str = "boosted", by: str = "builtin", **changes: object) -> None:
    values: Hyperparameters = model_card(model).complete(changes)  # type: ignore[arg-type]
    state.apply(e.TrialProposed(trial=number, model=model, hyperparameters=values, reason="", by=by, seed=1))


def names(trials: list[e.SimilarTrial]) -> list[str]:
    return [t.data for t in trials]


# ------------------------------------------------------------------------------------------------ trials of other runs


def test_without_experience_nothing_is_chosen(state: RunState) -> None:
    assert choose_examples(state, asked(state), 5) == []
    state.experience = None
    assert choose_examples(state, asked(state), 5) == []


def test_data_described_in_the_same_words_come_first(state: RunState) -> None:
    near = past("irises", "flowers of two sorts, width of petals")
    with_experience(state, past("prices", "prices of houses by district"), near, past("rain", "daily rain"))
    assert names(choose_examples(state, asked(state), 1)) == ["irises"]


def test_without_any_text_the_nearest_data_come_first(state: RunState) -> None:
    with_experience(state, past("far", distance=0.9), past("near", distance=0.1), past("middle", distance=0.5))
    assert names(choose_examples(state, asked(state), 3)) == ["near", "middle", "far"]


def test_a_trial_that_went_more_of_the_way_is_worth_more(state: RunState) -> None:
    with_experience(state, past("poor", value=0.55), past("good", value=0.9))
    assert names(choose_examples(state, asked(state), 1)) == ["good"]


@pytest.mark.parametrize(
    ("value", "baseline", "best", "share"),
    [(0.7, 0.5, 0.9, 0.5), (0.2, 0.5, 0.1, 0.75), (0.4, 0.5, 0.9, 0.0), (0.7, None, 0.9, 0.5), (0.7, 0.9, 0.9, 0.5)],
)
def test_the_way_is_a_share_in_either_direction(value: float, baseline: float, best: float, share: float) -> None:
    assert way(past("x", value=value, baseline=baseline, best=best)) == pytest.approx(share)


def test_trials_that_tell_the_same_are_not_shown_twice(state: RunState) -> None:
    twin = [
        past("a", distance=0.1),
        past("a", distance=0.1, hyperparameters={"rate": 0.101, "depth": 6, "kind": "plain"}),
    ]
    other = past("b", model="forest", distance=0.3)
    with_experience(state, *twin, other)
    assert names(choose_examples(state, asked(state), 2)) == ["a", "b"]


def test_a_proposal_sees_trials_of_the_assigned_models_first(state: RunState) -> None:
    state.assigned = ("forest",)
    with_experience(state, past("near", distance=0.1), past("far", model="forest", distance=0.4))
    assert names(choose_examples(state, asked(state, "propose_hyperparameters"), 1)) == ["far"]
    assert names(choose_examples(state, asked(state), 1)) == ["near"]


def test_a_trial_of_an_unknown_model_or_another_version_of_a_card_is_no_problem(state: RunState) -> None:
    strange = past("a", model="boosted", hyperparameters={"rate": "fast", "gone": 1})
    with_experience(state, strange, past("a", model="unknown", hyperparameters={"x": 1}), past("a"))
    assert len(choose_examples(state, asked(state), 5)) == 3


def test_words_are_found_in_any_script() -> None:
    assert words("Hours-per_Week, 価格 Größe") == ["hours", "per", "week", "価格", "grösse"]


# -------------------------------------------------------------------------------------------------- trials of this run


def numbers(state: RunState, situation: Situation, count: int) -> list[int]:
    return [t.number for t in choose_trials(state, situation, count)]


def test_the_table_is_in_the_order_of_numbers_and_holds_baseline_and_best(state: RunState) -> None:
    add(state, 1, 0.5, "baseline")
    for number, value in enumerate((0.7, 0.95, 0.6, 0.72, 0.71), start=2):
        add(state, number, value, rate=0.001 * 3**number)
    shown = numbers(state, asked(state, "propose_hyperparameters"), 3)
    assert shown == sorted(shown)
    assert {1, 3} <= set(shown)


def test_a_proposal_sees_the_best_of_each_model_and_a_failure_rather_than_the_latest(state: RunState) -> None:
    add(state, 1, 0.8, "forest", depth=2)
    add(state, 2, None, "forest", depth=12, kind="fancy")
    add(state, 3, 0.9, rate=0.1)
    for number in range(4, 12):
        add(state, number, 0.6 + 0.001 * number, rate=0.5, depth=number)
    shown = numbers(state, asked(state, "propose_hyperparameters"), 3)
    assert {1, 2, 3} == set(shown)


def test_a_prediction_sees_the_nearest_configurations_of_the_same_model(state: RunState) -> None:
    for number, rate in enumerate((0.001, 0.01, 0.1, 0.9), start=1):
        add(state, number, 0.6 + 0.01 * number, rate=rate)
    add(state, 5, 0.5, "forest", rate=0.009)
    propose(state, 6, rate=0.009)
    situation = asked(state, "predict_log", trials=(state.trials[6],))
    first = [t.number for t in rank_trials(state, situation, 2)]
    assert set(first) == {2, 4}, "the nearest one, and the best one"


def test_a_revision_sees_the_newest_batch_and_what_was_predicted_worst(state: RunState) -> None:
    add(state, 1, 0.9, rate=0.1)
    add(state, 2, 0.5, "forest", rate=0.9, error=0.4)
    for number in range(3, 9):
        add(state, number, 0.7, rate=0.001 * 2**number, depth=number)
    shown = numbers(state, asked(state, "revise"), 6)
    assert {1, 2, 5, 6, 7, 8} == set(shown)


def test_near_duplicates_do_not_crowd_out_other_models(state: RunState) -> None:
    for number in range(1, 9):
        add(state, number, 0.9 - 0.0001 * number, rate=0.1 + 0.001 * number)
    add(state, 9, 0.6, "forest")
    assert 9 in numbers(state, asked(state, "propose_hyperparameters"), 2)


def test_what_the_question_names_and_what_was_taken_back_is_not_repeated(state: RunState) -> None:
    add(state, 1, 0.9)
    propose(state, 2, rate=0.2)
    propose(state, 3, rate=0.3, by=LLM)
    state.apply(e.TrialWithdrawn(trial=3))
    propose(state, 4, rate=0.4, by=LLM)
    situation = asked(state, "propose_hyperparameters")
    assert [t.number for t in batch(situation)] == [2]
    assert numbers(state, situation, 9) == [1, 4]
    assert numbers(state, asked(state, "predict_log", trials=(state.trials[2], state.trials[4])), 9) == [1]


def test_fewer_trials_are_a_part_of_more() -> None:
    situation = at(24, "propose_hyperparameters")
    ranked = [t.number for t in rank_trials(situation.state, situation, 12)]
    for count in range(13):
        assert [t.number for t in rank_trials(situation.state, situation, count)] == ranked[:count]


# ------------------------------------------------------------------------------------------------------------ the parts


def test_maximal_marginal_relevance_prefers_what_differs() -> None:
    items = [0.0, 0.01, 1.0]
    chosen = diverse(items, [1.0, 0.99, 0.9], lambda a, b: 1 - abs(a - b), 2)
    assert chosen == [0.0, 1.0]
    assert diverse(items, [1.0, 0.99, 0.9], lambda a, b: 0.0, 3) == items


def test_closeness_is_one_for_the_same_and_falls_with_distance() -> None:
    card = model_card("boosted")
    same, near, far = card.default(), card.complete({"rate": 0.12}), card.complete({"rate": 0.001, "depth": 1})
    assert closeness(card, same, same) == 1.0
    assert 1.0 > closeness(card, same, near) > closeness(card, same, far) >= 0.0
    assert closeness(None, {"a": 1, "b": 2}, {"a": 1, "b": 3}) == 0.5
