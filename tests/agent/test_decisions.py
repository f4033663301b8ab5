"""The one validator: what passes becomes events, what does not is told in words that a model can act on."""

import pytest

from automl_gpt.agent.decisions import Situation, ToolCall
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

ELIGIBLE = ("boosted", "forest")


def check(name: str, arguments: dict[str, object], state: RunState, **more: object) -> list[e.Event]:
    situation = Situation(name, state, ELIGIBLE, **more)  # type: ignore[arg-type]
    return validate(ToolCall(name, arguments), situation, "test", lambda trial: trial)


def proposal(number: int, **hyperparameters: object) -> e.TrialProposed:
    full = {"rate": 0.1, "depth": 6, "kind": "plain", **hyperparameters}
    return e.TrialProposed(trial=number, model="boosted", hyperparameters=full, reason="", by="test", seed=1)


def propose(state: RunState, model: str = "boosted", **hyperparameters: object) -> list[e.Event]:
    wanted = [{"model": model, "hyperparameters": hyperparameters}]
    return check("propose_hyperparameters", {"configurations": wanted}, state)


def test_an_assignment_names_eligible_models_only(state: RunState) -> None:
    [event] = check("assign_model", {"models": ["forest"], "reason": "small data"}, state)
    assert isinstance(event, e.ModelsAssigned)
    assert event.models == ("forest",)
    with pytest.raises(ToolError, match="'gpt' is no eligible model; eligible are: boosted, forest"):
        check("assign_model", {"models": ["gpt"], "reason": "x"}, state)
    with pytest.raises(ToolError, match="twice"):
        check("assign_model", {"models": ["forest", "forest"], "reason": "x"}, state)


def test_a_proposal_is_completed_with_defaults_and_numbered(state: RunState) -> None:
    [event] = propose(state, rate=0.5)
    assert isinstance(event, e.TrialProposed)
    assert (event.trial, event.hyperparameters) == (1, {"rate": 0.5, "depth": 6, "kind": "plain"})


def test_a_value_out_of_range_is_refused_with_the_legal_range_and_never_clamped(state: RunState) -> None:
    with pytest.raises(ToolError, match=r"rate = 2.0 is not legal; legal: 0.001 to 1 \(log scale\)"):
        propose(state, rate=2.0)
    with pytest.raises(ToolError, match=r"depth = 3.5 is not legal"):
        propose(state, depth=3.5)
    with pytest.raises(ToolError, match="kind = 'odd' is not legal; legal: one of plain, fancy"):
        propose(state, kind="odd")


def test_an_inactive_hyperparameter_and_an_unknown_one_are_refused(state: RunState) -> None:
    with pytest.raises(ToolError, match="extra counts only when kind is fancy"):
        propose(state, extra=0.1)
    with pytest.raises(ToolError, match="boosted has no hyperparameter 'speed'"):
        propose(state, speed=1)


def test_a_configuration_that_was_proposed_before_is_refused(state: RunState) -> None:
    state.apply(proposal(1))
    with pytest.raises(ToolError, match="is trial 1"):
        propose(state)


def test_a_model_that_is_not_assigned_can_not_be_proposed(state: RunState) -> None:
    with pytest.raises(ToolError, match="assigned are: boosted, forest"):
        propose(state, model="linear")


def prediction(**changes: object) -> dict[str, object]:
    row = {"step": 10, "valid": 0.8, "low": 0.7, "high": 0.9}
    whole = {"trial": 1, "checkpoints": [row], "value": 0.8, "low": 0.7, "high": 0.9, "seconds": 1.0, "megabytes": 9.0}
    return {"predictions": [{**whole, **changes}]}


def test_a_prediction_becomes_a_log_with_intervals(state: RunState) -> None:
    state.apply(proposal(1))
    [event] = check("predict_log", prediction(), state, trials=(state.trials[1],))
    assert isinstance(event, e.TrialPredicted)
    assert event.log.origin == "predicted"
    assert event.log.rows[0].intervals["valid"].high == 0.9


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"low": 0.85}, "does not hold the value"),
        ({"seconds": 0}, "seconds"),
        ({"trial": 7}, "one prediction for each of the trials"),
        ({"oracle": 1}, "oracle"),
    ],
)
def test_a_prediction_that_makes_no_sense_is_refused(state: RunState, changes: dict[str, object], problem: str) -> None:
    state.apply(proposal(1))
    with pytest.raises(ToolError, match=problem):
        check("predict_log", prediction(**changes), state, trials=(state.trials[1],))


def test_another_decision_than_the_one_asked_for_is_refused(state: RunState) -> None:
    situation = Situation("revise", state, ELIGIBLE)
    with pytest.raises(ToolError, match="now the decision is revise"):
        validate(ToolCall("finish", {}), situation, "test", lambda trial: trial)


def test_changing_models_needs_eligible_ones(state: RunState) -> None:
    with pytest.raises(ToolError, match="needs models"):
        check("revise", {"action": "change_models", "reason": "x"}, state)
    [event] = check("revise", {"action": "change_models", "models": ["forest"], "reason": "x"}, state)
    state.apply(event)
    assert state.assigned == ("forest",)
