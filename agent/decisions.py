"""The five tool calls with which a controller decides, and what a controller is.

`train` is no decision: the loop carries it out once a proposal is predicted and approved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, Trial

Decision = Literal["assign_model", "propose_hyperparameters", "predict_log", "revise", "finish"]


class Arguments(BaseModel):
    """The arguments of a decision: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


MOST_STEPS = 10_000_000
Score = Annotated[float, Field(ge=-1e100, le=1e100)]
"""A score that can be squared and summed: a prediction beyond would break the arithmetic that judges it."""


class Checkpoint(Arguments):
    """One expected row of the validation curve."""

    step: int = Field(ge=1, le=MOST_STEPS, description="boosting round, epoch or other step, from 1")
    valid: Score = Field(description="validation score at that step")
    low: Score = Field(description="lower end of the 80% interval")
    high: Score = Field(description="upper end of the 80% interval")


class Prediction(Arguments):
    """The expected training log of one proposed trial."""

    trial: int
    checkpoints: list[Checkpoint] = Field(default_factory=list[Checkpoint], max_length=12)
    value: Score = Field(description="expected best validation score")
    low: Score = Field(description="lower end of its 80% interval")
    high: Score = Field(description="upper end of its 80% interval")
    seconds: float = Field(gt=0, le=1e8, description="expected seconds of training")
    megabytes: float = Field(gt=0, le=1e8, description="expected peak memory")
    train: bool = Field(default=True, description="false where the trial is not worth training")
    reason: str = Field(default="", max_length=600)


class PredictLog(Arguments):
    """Write down the training log that each proposed trial will show."""

    predictions: list[Prediction] = Field(min_length=1)


class Revise(Arguments):
    """Say how the run goes on, now that predicted and actual logs are compared."""

    action: Literal["continue", "change_models", "resume_trial", "finish"]
    models: list[str] = Field(default_factory=list[str], description="with change_models: the new candidates")
    trial: int | None = Field(default=None, description="with resume_trial: a paused trial that goes on")
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
    inspecting calls made for this decision, each with its result, `problem` why the last answer was refused, `ends`
    when the decision has to be made, by the monotonic clock.
    """

    decision: Decision
    state: RunState
    eligible: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    count: int = 1
    seconds_left: float | None = None
    looked: list[tuple[ToolCall, BaseModel]] = field(default_factory=list[tuple[ToolCall, BaseModel]])
    problem: str | None = None
    ends: float = math.inf


@dataclass(frozen=True)
class Waiting:
    """A controller waits for somebody. `wait(seconds)` waits at most that long, and says whether it is over."""

    wait: Callable[[float], bool]


Step = e.Event | Waiting
"""What comes while a decision is made: events to record at once, and pauses in which the run can go on."""
Thinking = Generator[Step, None, list[ToolCall]]
"""A decision that takes its time; it returns the calls."""


class NoDecision(Exception):
    """A controller can't decide now, and has said why in an event; asking it again does not help."""


class Controller(Protocol):
    """Who decides. `name` stands in the journal beside every decision.

    With a `hybrid` controller the optimiser proposes a part of every batch, and stands in while the controller thinks.
    """

    name: str
    hybrid: bool

    def ready(self) -> bool:
        """Say whether it would decide now; a language model that fails does not for a while."""
        ...

    def decide(self, situation: Situation) -> list[ToolCall] | Thinking:
        """Answer with one call of the decision's own tool, or first with calls of inspecting tools.

        Raises ToolError for an answer that is no call, NoDecision where it can't decide.
        """
        ...

    def judged(self, valid: bool) -> tuple[e.Event, ...]:
        """Hear whether the decision counted, or was refused twice; return what is to be told about it."""
        ...
