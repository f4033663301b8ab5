"""The table of a run's trials, as a controller reads it."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.current import current_state


class ShowTrialsArguments(BaseModel):
    """Which trials to show."""

    model_config = ConfigDict(extra="forbid")
    order: Literal["best", "last"] = Field(default="best", description="the best ones first, or the latest ones first")
    count: int = Field(default=10, ge=1, le=50, description="how many trials")


class TrialLine(BaseModel):
    """One trial: scores are validation scores in the metric's unit; `predicted` with its 80% interval came before."""

    model_config = ConfigDict(frozen=True)
    trial: int
    model: str
    hyperparameters: Hyperparameters
    status: str
    value: float | None
    predicted: float | None
    low: float | None
    high: float | None
    seconds: float | None
    reason: str = ""


class TrialTable(BaseModel):
    """Some of a run's trials."""

    model_config = ConfigDict(frozen=True)
    metric: str
    direction: str
    trials: tuple[TrialLine, ...]
    total: int


@tool("show_trials", ShowTrialsArguments)
def show_trials(arguments: ShowTrialsArguments, context: Context) -> TrialTable:
    """Show the run's trials with hyperparameters, forecast, actual score and seconds: the best or the latest ones."""
    state = current_state(context)
    chosen = _best(state) if arguments.order == "best" else state.ordered()[::-1]
    metric = state.metric
    return TrialTable(
        metric=metric.name if metric else "",
        direction=metric.direction if metric else "",
        trials=tuple(_line(t) for t in chosen[: arguments.count]),
        total=len(state.trials),
    )


def _best(state: RunState) -> list[Trial]:
    def key(trial: Trial) -> float:
        value = trial.value
        return math.inf if value is None or value != value else -trial.metric.sign * value  # noqa: PLR0124 - NaN

    return sorted(state.ordered(), key=key)


def _line(trial: Trial) -> TrialLine:
    said, end = trial.prediction, trial.end
    return TrialLine(
        trial=trial.number,
        model=trial.model,
        hyperparameters=trial.hyperparameters,
        status=trial.status,
        value=trial.value,
        predicted=said.value if said else None,
        low=said.low if said else None,
        high=said.high if said else None,
        seconds=end.seconds if end else None,
        reason=end.reason if end else "",
    )
