"""Training logs, predicted and actual, of one type; metrics that know their direction; the gap between two logs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.schema import Task

Origin = Literal["predicted", "actual"]
Status = Literal["running", "finished", "stopped", "pruned", "failed", "out_of_memory", "out_of_time", "skipped"]
"""How a trial ended. `finished` ran to its end or its early stopping; `pruned` was ended because it could not win any
more; `stopped` by the person; `skipped` was never trained because its forecast was hopeless."""


@dataclass(frozen=True)
class Metric:
    """A figure of merit: its name, its direction, what it is computed from, and the task that it fits.

    `kind` says what a prediction must be: "label" (classes), "probability" (one column per class), "score" (ranking of
    the positive class), "value" (regression) or "answer" (records: boxes, spans, texts, tags, ranked passages). `best`
    is the value of a perfect model.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    kind: Literal["label", "probability", "score", "value", "answer"]
    task: Task
    best: float
    binary_only: bool = False
    smooth: bool = True

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is."""
        return 1 if self.direction == "maximize" else -1

    def better(self, a: float, b: float) -> bool:
        """Say whether a is strictly better than b; NaN is never better, and everything is better than NaN."""
        return not math.isnan(a) and (math.isnan(b) or self.sign * a > self.sign * b)


class Interval(BaseModel):
    """An 80% interval around a predicted value."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float


class Row(BaseModel):
    """One row of a training log.

    `step` counts what the trainer counts (rounds, trees, epochs, iterations, rows), from 1. `metrics` holds `train` and
    `valid`, the run's metric on each split, and may hold `train_loss`, `valid_loss`, `per_second` (examples trained per
    second) and `megabytes` (memory of the process). `seconds` is the time since the trial began. In a
    predicted row `intervals` holds an 80% interval for each predicted metric.
    """

    model_config = ConfigDict(frozen=True)
    step: int = Field(ge=0)
    metrics: Mapping[str, float]
    seconds: float = 0.0
    fold: int = 0
    intervals: Mapping[str, Interval] = Field(default_factory=dict)


class TrainingLog(BaseModel):
    """The rows of one trial, written down beforehand (predicted) or as they came (actual)."""

    model_config = ConfigDict(frozen=True)
    origin: Origin
    metric: str
    direction: Literal["maximize", "minimize"]
    rows: tuple[Row, ...] = ()

    def curve(self, name: str = "valid", fold: int | None = None) -> tuple[list[int], list[float]]:
        """Return steps and values of one metric, of one fold or (None) averaged over the folds that logged a step."""
        values: dict[int, list[float]] = {}
        for row in self.rows:
            if name in row.metrics and (fold is None or row.fold == fold):
                values.setdefault(row.step, []).append(row.metrics[name])
        steps = sorted(values)
        return steps, [sum(values[s]) / len(values[s]) for s in steps]

    def best(self, name: str = "valid", fold: int | None = None) -> float | None:
        """Return the best value of a metric over the steps; None where there is no row with it."""
        values = [v for v in self.curve(name, fold)[1] if not math.isnan(v)]
        if not values:
            return None
        return max(values) if self.direction == "maximize" else min(values)


class Gap(BaseModel):
    """Actual against predicted: what one trial's forecast was worth.

    `error` is actual minus predicted of the best validation score (at the last step, `at_step`, of a
    trial that was ended amid its first fold),
    `covered` says whether the actual score lay within the 80% interval, `interval_score` is that of Gneiting and
    Raftery (2007, eq. 43) at alpha = 0.2, and `curve_mae` the mean absolute difference of the validation curves at the
    predicted steps that were reached. Seconds are compared as the ratio of actual to predicted.
    """

    model_config = ConfigDict(frozen=True)
    predicted: float
    low: float
    high: float
    actual: float
    error: float
    covered: bool
    interval_score: float
    curve_mae: float | None = None
    seconds_ratio: float | None = None
    at_step: int | None = None
