"""When the built-in controller ends a run because nothing is left to gain."""

from __future__ import annotations

import pytest

from automl_gpt.agent.builtin import FAIR_SHARE, PATIENCE, BuiltinController
from automl_gpt.agent.decisions import Situation
from automl_gpt.tools.journal import events as e
from tests.tools.tune.simulated import TREES, add, started


def revised(budget: e.Budget, best: float, worse: int, models: int = 1) -> tuple[str, str]:
    """What is decided after a good first trial and so many worse ones."""
    state = started()
    state.apply(e.RequestChanged(request=e.Request(budget=budget)))
    state.apply(e.ModelsAssigned(models=("trees", *map(str, range(1, models))), reason="they fit", by="builtin"))
    for number in range(worse + 1):
        add(state, "trees", TREES.default(), 0.5 if number else best)
    [call] = BuiltinController().decide(Situation("revise", state, ("trees",)))
    return str(call.arguments["action"]), str(call.arguments["reason"])


@pytest.mark.parametrize(
    ("budget", "best", "worse", "models", "action", "reason"),
    [
        (e.Budget(seconds=300.0), 0.8, PATIENCE, 1, "finish", f"no progress in the last {PATIENCE} trials"),
        (e.Budget(seconds=300.0), 0.8, PATIENCE - 1, 1, "continue", "did not beat trial 1"),
        (e.Budget(seconds=300.0), 0.8, PATIENCE, PATIENCE // FAIR_SHARE + 2, "continue", "did not beat trial 1"),
        (e.Budget(seconds=None, trials=1000), 0.8, 2 * PATIENCE, 1, "continue", "did not beat trial 1"),
        (e.Budget(seconds=300.0), 1.0, FAIR_SHARE, 1, "finish", "reached roc_auc 1, the best there is"),
        (e.Budget(seconds=300.0), 1.0, FAIR_SHARE - 2, 1, "continue", "did not beat trial 1"),
    ],
)
def test_it_ends_where_all_had_their_share_and_nothing_was_gained(budget, best, worse, models, action, reason):
    decided, why = revised(budget, best, worse, models)
    assert decided == action and reason in why
