"""Forecast of a trial before it trains: the whole log with intervals, the score, seconds and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Interval, Metric, Row, TrainingLog
from automl_gpt.tools.tune.cost import expected_megabytes, expected_seconds, expected_steps, step_size
from automl_gpt.tools.tune.current import current_state
from automl_gpt.tools.tune.forecasts.belief import Expected, expected_scores
from automl_gpt.tools.tune.forecasts.curves import extrapolate
from automl_gpt.tools.tune.forecasts.shape import CHECKPOINTS, EXAMPLES, TABLES, Shape, usual_lead, usual_shape
from automl_gpt.tools.tune.forecasts.verdict import is_audit, verdict
from automl_gpt.tools.tune.scale import baseline_value, legal_range, scored

__all__ = [
    "Forecast",
    "ForecastArguments",
    "extrapolate",
    "forecast",
    "forecast_log",
    "is_audit",
    "verdict",
]


class Forecast(BaseModel):
    """What a trial is expected to bring.

    `value` with `low` and `high` (80%) is the best validation score, the mean over folds, in the metric's unit;
    `seconds` are those of the whole trial, `megabytes` the peak of its process. The last row of `log` predicts `value`.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    hyperparameters: Hyperparameters
    log: TrainingLog
    value: float
    low: float
    high: float
    seconds: float
    megabytes: float
    reason: str


def forecast(
    state: RunState, card: ModelCard, hyperparameters: Hyperparameters, steps_hint: int | None = None
) -> Forecast:
    """Predict the log of a configuration that has not been trained; `steps_hint` is its largest number of steps."""
    score = expected_scores(state, card, [hyperparameters])[0]
    seconds = expected_seconds(state, card, hyperparameters)
    steps = 1 if card.name == TRIVIAL else expected_steps(state, card, hyperparameters, steps_hint)
    return Forecast(
        model=card.name,
        hyperparameters=hyperparameters,
        log=_log(state, card, score, steps, seconds, step_size(card, hyperparameters)),
        value=score.value,
        low=score.low,
        high=score.high,
        seconds=seconds,
        megabytes=expected_megabytes(state, card),
        reason=f"from {score.ground}",
    )


def _log(state: RunState, card: ModelCard, score: Expected, steps: int, seconds: float, size: float) -> TrainingLog:
    metric, base = state.need_metric(), baseline_value(state)
    trials = [t for t in scored(state) if t.whole and t.model == card.name]
    start = score.value if base is None or metric.better(base, score.value) else base
    shape, lead = _shape(state, card, trials, start, steps, size), usual_lead(trials)
    at = sorted({max(1, round(c * steps)): i for i, c in enumerate(CHECKPOINTS)}.items())
    rows: list[Row] = []
    for step, i in at:
        metrics: dict[str, float] = {}
        intervals: dict[str, Interval] = {}
        if i == len(CHECKPOINTS) - 1:
            said = score.value, score.low, score.high
        else:
            said = _midway(score, start, float(shape.mean[i]), float(shape.spread[i]))
        metrics["valid"], intervals["valid"] = _within(metric, *said)
        _add_train(metrics, intervals, lead, metric)
        rows.append(Row(step=step, metrics=metrics, intervals=intervals, seconds=seconds * step / steps))
    return TrainingLog(origin="predicted", metric=metric.name, direction=metric.direction, rows=tuple(rows))


def _shape(state: RunState, card: ModelCard, trials: Sequence[Trial], base: float, steps: int, size: float) -> Shape:
    """Return how the curve goes from the baseline to its best."""
    law = TABLES if state.need_profile().modality == "tabular" else EXAMPLES
    if card.resources.faster_with is None:
        return usual_shape(law, trials, base, steps)
    return usual_shape(law, trials, base, steps, size, lambda h: step_size(card, h))


def _midway(score: Expected, start: float, share: float, spread: float) -> tuple[float, float, float]:
    """Return the value, and the ends of its interval, after a share of the way from the start to the score."""
    value, below, above = start + share * (score.value - start), score.value - score.low, score.high - score.value
    wide = 1.28 * spread * abs(score.value - start)
    return value, value - math.hypot(share * below, wide), value + math.hypot(share * above, wide)


def _add_train(
    metrics: dict[str, float], intervals: dict[str, Interval], lead: tuple[float, float] | None, metric: Metric
) -> None:
    """Add the training score where finished trials of the model show by how much it leads."""
    if lead is None:
        return
    valid, middle, wide = intervals["valid"], lead[0], 1.28 * lead[1]
    value, ends = metrics["valid"] + middle, (valid.low + middle - wide, valid.high + middle + wide)
    metrics["train"], intervals["train"] = _within(metric, value, *ends)


def _within(metric: Metric, value: float, low: float, high: float) -> tuple[float, Interval]:
    bottom, top = legal_range(metric)

    def cut(x: float) -> float:
        return min(max(x, bottom), top)

    return cut(value), Interval(low=cut(min(low, value)), high=cut(max(high, value)))


class ForecastArguments(BaseModel):
    """What to forecast."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field(description="name of a candidate Model Card")
    hyperparameters: Hyperparameters = Field(
        default_factory=dict, description="values that differ from the card's defaults"
    )


@tool("forecast_log", ForecastArguments)
def forecast_log(arguments: ForecastArguments, context: Context) -> Forecast:
    """Predict, from finished trials and experience, the training log of a configuration: a few checkpoints with 80%
    intervals, the best validation score, seconds and memory. Nothing is trained.
    """
    state = current_state(context)
    card = state.model_cards.get(arguments.model)
    if card is None:
        raise ToolError(f"no candidate model {arguments.model!r}; candidates: {', '.join(state.model_cards)}")
    if state.profile is None:
        raise ToolError("the data are not profiled yet: profile them first")
    return forecast(state, card, card.complete(arguments.hyperparameters))
