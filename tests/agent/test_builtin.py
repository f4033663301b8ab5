"""When the built-in controller ends a run because nothing is left to gain."""

from __future__ import annotations

import pytest

from automl_gpt.agent.builtin import FAIR_SHARE, MOST_QUIET, PATIENCE, QUIET_SHARE, BuiltinController
from automl_gpt.agent.decisions import Situation
from automl_gpt.tools.journal import events as e
from tests.tools.tune.simulated import TREES, add, started


def revised(budget: float | None, trials: int, seconds_each: float) -> tuple[str, str]:
    """What is decided after a good first trial and so many worse ones, each of so many seconds."""
    state = started()
    state.apply(e.RequestChanged(request=e.Request(budget=e.Budget(seconds=budget))))
    for number in range(trials + 1):
        add(state, "trees", TREES.default(), 0.5 if number else 0.8)
        last = state.trials[max(state.trials)]
        assert last.end is not None
        last.end = last.end.model_copy(update={"at_seconds": seconds_each * number})
    state.spent = seconds_each * trials
    [call] = BuiltinController().decide(Situation("revise", state, ("trees",)))
    return str(call.arguments["action"]), str(call.arguments["reason"])


@pytest.mark.parametrize(
    ("budget", "trials", "seconds_each", "action"),
    [
        (None, PATIENCE, 0.1, "finish"),
        (None, PATIENCE - 1, 100.0, "continue"),
        (300.0, PATIENCE, QUIET_SHARE * 300.0 / PATIENCE, "finish"),
        (300.0, 2 * PATIENCE, 0.4 * QUIET_SHARE * 300.0 / PATIENCE, "continue"),
        (1e6, PATIENCE, MOST_QUIET / PATIENCE, "finish"),
        (60.0, FAIR_SHARE, 7.0, "continue"),
    ],
)
def test_many_trials_and_much_of_the_time_have_to_pass_without_progress(budget, trials, seconds_each, action):
    decided, reason = revised(budget, trials, seconds_each)
    assert decided == action
    assert action == "continue" or reason == f"no progress in the last {trials} trials"
