"""The five tool calls with which a controller decides, and the one validator that every controller's calls pass.

A call that is not valid raises ToolError with what would be right; a valid one becomes events, which the loop appends
to the journal before it acts on them. `train` is no decision: the loop carries it out once a proposal is predicted and
approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.base import parse_arguments
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Interval, Row, TrainingLog

Decision = Literal["assign_model", "propose_hyperparameters", "predict_log", "revise", "finish"]


class Arguments(BaseModel):
    """The arguments of a decision: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AssignModel(Arguments):
    """Name the candidate models of the run, the most promising first."""

    models: list[str] = Field(min_length=1, description="names of eligible Model Cards, most promising first")
    reason: str = Field(min_length=1, max_length=1000, description="why these, in one or two sentences")


class Configuration(Arguments):
    """One configuration to train."""

    model: str = Field(description="name of an assigned Model Card")
    hyperparameters: Hyperparameters = Field(description="values within the card's search space; others get defaults")
    reason: str = Field(default="", max_length=600, description="why this configuration")


class ProposeHyperparameters(Arguments):
    """Propose configurations to train next."""

    configurations: list[Configuration] = Field(min_length=1, max_length=16)


class Checkpoint(Arguments):
    """One expected row of the validation curve."""

    step: int = Field(ge=1)
    valid: float
    low: float = Field(description="lower end of the 80% interval")
    high: float = Field(description="upper end of the 80% interval")


class Prediction(Arguments):
    """The expected training log of one proposed trial."""

    trial: int
    checkpoints: list[Checkpoint] = Field(default_factory=list[Checkpoint], max_length=12)
    value: float | None = Field(description="expected best validation score")
    low: float | None = Field(description="lower end of its 80% interval")
    high: float | None = Field(description="upper end of its 80% interval")
    seconds: float = Field(gt=0, description="expected seconds of training")
    megabytes: float = Field(gt=0, description="expected peak memory")
    train: bool = Field(default=True, description="false where the trial is not worth training")
    reason: str = Field(default="", max_length=600)


class PredictLog(Arguments):
    """Write down the training log that each proposed trial will show."""

    predictions: list[Prediction] = Field(min_length=1)


class Revise(Arguments):
    """Say how the run goes on, now that predicted and actual logs are compared."""

    action: Literal["continue", "change_models", "finish"]
    models: list[str] = Field(default_factory=list[str], description="with change_models: the new candidates")
    reason: str = Field(min_length=1, max_length=1000)


class Finish(Arguments):
    """Say what is delivered: an ensemble where it helps on validation, or the best single model."""

    ensemble: bool = Field(default=True, description="whether an ensemble may be delivered")
    reason: str = Field(default="", max_length=1000)


DECISIONS: dict[Decision, type[Arguments]] = {
    "assign_model": AssignModel,
    "propose_hyperparameters": ProposeHyperparameters,
    "predict_log": PredictLog,
    "revise": Revise,
    "finish": Finish,
}
"""Every decision and its argument model."""


@dataclass(frozen=True)
class ToolCall:
    """What a controller answers: the name of a decision or of an inspecting tool, and its arguments."""

    name: str
    arguments: dict[str, Any]


@dataclass
class Situation:
    """What a controller decides from: the decision, the state of the run, and what it looked up for it so far.

    `trials` are the trials that a prediction is asked for, `count` the number of configurations wanted, `seconds_left`
    the time that training may still take (None: no limit), `eligible` the models that may be assigned, `looked` the
    inspecting calls made for this decision, each with its result, `problem` why the last answer was refused.
    """

    decision: Decision
    state: RunState
    eligible: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    count: int = 1
    seconds_left: float | None = None
    looked: list[tuple[ToolCall, BaseModel]] = field(default_factory=list[tuple[ToolCall, BaseModel]])
    problem: str | None = None


class Controller(Protocol):
    """Who decides. `name` stands in the journal beside every decision."""

    name: str

    def decide(self, situation: Situation) -> list[ToolCall]:
        """Answer with one call of the decision's own tool, or first with calls of inspecting tools."""
        ...


def validate(call: ToolCall, situation: Situation, by: str, seeds: Callable[[int], int]) -> list[e.Event]:
    """Turn a decision into events, or raise ToolError with what would be right."""
    if call.name != situation.decision:
        raise ToolError(f"now the decision is {situation.decision}; {call.name} is not asked for")
    arguments: Any = parse_arguments(call.name, DECISIONS[situation.decision], call.arguments)
    return _VALIDATORS[situation.decision](arguments, situation, by, seeds)


def _assign(arguments: AssignModel, situation: Situation, by: str, _: Any) -> list[e.Event]:
    _check_models(arguments.models, situation.eligible, "eligible")
    return [e.ModelsAssigned(models=tuple(arguments.models), reason=arguments.reason, by=by)]


def _check_models(models: list[str], allowed: tuple[str, ...], what: str) -> None:
    for name in models:
        if name not in allowed:
            raise ToolError(f"{name!r} is no {what} model; {what} are: {', '.join(allowed)}")
    if len(set(models)) < len(models):
        raise ToolError("a model is named twice")


def _propose(
    arguments: ProposeHyperparameters, situation: Situation, by: str, seeds: Callable[[int], int]
) -> list[e.Event]:
    state = situation.state
    known = {_key(t.model, t.hyperparameters): t.number for t in state.ordered() if not t.withdrawn}
    number = max(state.trials, default=0)
    events: list[e.Event] = []
    for wanted in arguments.configurations:
        if wanted.model not in state.assigned and wanted.model != TRIVIAL:
            raise ToolError(f"{wanted.model!r} is not assigned; assigned are: {', '.join(state.assigned)}")
        full = state.model_cards[wanted.model].complete(wanted.hyperparameters)
        key = _key(wanted.model, full)
        if key in known:
            raise ToolError(
                f"{wanted.model} with these hyperparameters is trial {known[key]} already; change something"
            )
        number += 1
        known[key] = number
        events.append(
            e.TrialProposed(
                trial=number,
                model=wanted.model,
                hyperparameters=full,
                reason=wanted.reason,
                by=by,
                seed=seeds(number),
            )
        )
    return events


def _key(model: str, hyperparameters: Mapping[str, object]) -> tuple[object, ...]:
    return (model, *sorted((name, str(value)) for name, value in hyperparameters.items()))


def _predict(arguments: PredictLog, situation: Situation, by: str, _: Any) -> list[e.Event]:
    asked = {t.number: t for t in situation.trials}
    given = [p.trial for p in arguments.predictions]
    if sorted(given) != sorted(asked):
        raise ToolError(f"one prediction for each of the trials {sorted(asked)} is asked for, not {sorted(given)}")
    return [_predicted(p, situation.state, by) for p in arguments.predictions]


def _predicted(p: Prediction, state: RunState, by: str) -> e.TrialPredicted:
    metric = state.need_metric()
    steps = [c.step for c in p.checkpoints]
    if steps != sorted(set(steps)):
        raise ToolError(f"trial {p.trial}: the checkpoints' steps must rise")
    for low, value, high in [(c.low, c.valid, c.high) for c in p.checkpoints] + [(p.low, p.value, p.high)]:
        if value is not None and (low is None or high is None or not low <= value <= high):
            raise ToolError(f"trial {p.trial}: the interval {low} to {high} does not hold the value {value}")
    rows = tuple(
        Row(step=c.step, metrics={"valid": c.valid}, intervals={"valid": Interval(low=c.low, high=c.high)})
        for c in p.checkpoints
    )
    return e.TrialPredicted(
        trial=p.trial,
        log=TrainingLog(origin="predicted", metric=metric.name, direction=metric.direction, rows=rows),
        value=p.value,
        low=p.low,
        high=p.high,
        seconds=p.seconds,
        megabytes=p.megabytes,
        train=p.train,
        reason=p.reason,
        by=by,
    )


def _revise(arguments: Revise, situation: Situation, by: str, _: Any) -> list[e.Event]:
    if arguments.action == "change_models":
        if not arguments.models:
            raise ToolError("change_models needs models")
        _check_models(arguments.models, situation.eligible, "eligible")
    return [e.Revised(action=arguments.action, models=tuple(arguments.models), reason=arguments.reason, by=by)]


def _finish(arguments: Finish, _situation: Situation, by: str, _: Any) -> list[e.Event]:
    return [e.FinishDecided(ensemble=arguments.ensemble, reason=arguments.reason, by=by)]


_VALIDATORS: dict[Decision, Callable[[Any, Situation, str, Callable[[int], int]], list[e.Event]]] = {
    "assign_model": _assign,
    "propose_hyperparameters": _propose,
    "predict_log": _predict,
    "revise": _revise,
    "finish": _finish,
}
