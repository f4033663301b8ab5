"""Paused trials: the best are kept, and one goes on when it would not be ended any more."""

from __future__ import annotations

import pytest

from automl_gpt.agent.builtin import BuiltinController
from automl_gpt.agent.decisions import Situation
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Row
from automl_gpt.tools.tune.forecasts.paused import MOST, paused, worth_resuming
from automl_gpt.tools.tune.forecasts.stopping import make_stop_rule
from tests.tools.tune.simulated import BOOSTING, TREES, add, started


def pause(state: RunState, values: list[float]) -> int:
    """Train a trial of boosting up to half of what was predicted, and end it early."""
    number = add(state, "boosting", {**BOOSTING.default(), "depth": 1 + len(state.trials)}, None)
    rows = tuple(Row(step=2 * s, metrics={"valid": v}) for s, v in enumerate(values, 1))
    state.apply(e.RowsLogged(trial=number, rows=rows))
    best = max(values)
    state.apply(
        e.TrialFinished(
            trial=number, status="pruned", value=best, folds=(best,), complete=True, seconds=5.0, paused=True
        )
    )
    return number


def rising(top: float) -> list[float]:
    return [top - 0.1 / s for s in range(1, 21)]


def run_with_a_winner() -> RunState:
    state = started()
    add(state, "trees", TREES.default(), 0.7)
    add(state, "boosting", BOOSTING.default(), 0.7, steps=90)
    add(state, "trees", {**TREES.default(), "leaf": 3}, 0.89)
    return state


def test_a_trial_that_still_would_be_ended_stays_paused() -> None:
    state = run_with_a_winner()
    number = pause(state, rising(0.6))
    assert [t.number for t in paused(state)] == [number]
    assert make_stop_rule(state, state.trials[number]).after_row(0, *state.trials[number].log.curve("valid"))
    assert worth_resuming(state, None) is None


def test_a_trial_goes_on_when_the_winner_can_not_be_delivered_any_more() -> None:
    state = run_with_a_winner()
    winner = state.trials[3]
    assert winner.end is not None
    winner.end = winner.end.model_copy(update={"disk_megabytes": 500.0})
    pause(state, rising(0.6))
    better = pause(state, rising(0.75))
    assert worth_resuming(state, None) is None
    state.apply(e.RequestChanged(request=state.request.model_copy(update={"megabytes": 100.0})))
    found = worth_resuming(state, None)
    assert found is not None and found.number == better
    assert worth_resuming(state, 0.1) is None  # no time to get to its end

    situation = Situation("revise", state, ("boosting", "trees"))
    [call] = BuiltinController().decide(situation)
    assert call.arguments["action"] == "resume_trial" and call.arguments["trial"] == better
    [revised] = validate(call, situation, "builtin", int)
    assert isinstance(revised, e.Revised) and revised.trial == better
    state.apply(revised)
    trial = state.trials[better]
    assert trial.status == "predicted" and trial in state.waiting() and trial not in paused(state)
    assert make_stop_rule(state, trial).horizon is None  # it is not ended early twice


def test_the_best_few_are_kept_and_none_twice() -> None:
    state = run_with_a_winner()
    numbers = [pause(state, rising(0.5 + 0.02 * i)) for i in range(MOST + 2)]
    assert [t.number for t in paused(state)] == numbers[::-1][:MOST]
    situation = Situation("revise", state, ("boosting", "trees"))
    call = BuiltinController().decide(situation)[0]
    wrong = type(call)("revise", {"action": "resume_trial", "trial": 1, "reason": "why not"})
    with pytest.raises(ToolError, match="trial 1 is not paused; paused: "):
        validate(wrong, situation, "openai:any", int)
