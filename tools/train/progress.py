"""The rows of one fit: when to log one, which step is the best so far, and when going on is pointless."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction

LOSS_SHARE = 0.1
"""Weight of the loss beside a metric that moves in jumps of one row."""
SAMPLE = 2000
"""At most this many training rows are scored for a row of the log, so that logging stays cheap."""


def checkpoints(limit: int, ratio: float = 1.15, longest: float = 50.0) -> Iterator[int]:
    """Yield the steps at which a row is logged: geometric, never further apart than `longest`; the last is `limit`."""
    step = 1
    while step < limit:
        yield step
        step = max(step + 1, int(min(step * ratio, step + longest)))
    yield limit


class Progress:
    """Hands out rows, remembers the best step, and answers whether to go on.

    Steps are judged by the run's metric where it is smooth, else by the loss (log loss, absolute or squared error): the
    step with the highest accuracy of a small validation split is mostly luck. `by_labels` lets the metric rule and the
    loss steady it, for models whose probabilities are best long before their labels are.
    """

    def __init__(self, data: FitData, emit: Emit, *, by_labels: bool = False) -> None:
        self.data, self.emit, self._by_labels = data, emit, by_labels
        rows = len(data.y)
        chosen = np.random.default_rng(data.seed).choice(rows, min(rows, SAMPLE), replace=False)
        self.sample: NDArray[np.intp] = np.sort(chosen).astype(np.intp)
        """Positions of the training rows that are scored."""
        self.best_step = 0
        self.steps: list[int] = []
        self.values: list[float] = []
        """What each logged step was judged by; more is better."""
        self._by_metric = data.metric.smooth and self._has_value()

    def log(self, step: int, train: Prediction, valid: Prediction) -> bool:
        """Log a step with the predictions for `sample` and for the validation rows; False ends the fit."""
        score = self.data.score_valid(valid)
        if self._by_labels:
            value = worth(self.data, valid, score)
        else:
            value = self.data.metric.sign * score if self._by_metric else -self._loss(valid)
        best = max((v for v in self.values if not np.isnan(v)), default=-np.inf)
        if value > best or (not len(valid) and bool(np.isfinite(train).all())):
            self.best_step = step
        self.steps.append(step)
        self.values.append(value)
        return self.emit(step, self.data.score_train(train, self.sample), score)

    def need_best(self) -> int:
        """Return the best step; ToolError where no step had a finite prediction."""
        if self.best_step == 0:
            raise ToolError("the fit diverged: no step gave finite predictions; a lower learning rate may help")
        return self.best_step

    def settled(self, least: int, tolerance: float = 0.002) -> bool:
        """Say whether doubling the steps brought next to nothing: a share of the value below `tolerance`."""
        step, value = self.steps[-1], self.values[-1]
        half = [v for s, v in zip(self.steps, self.values, strict=True) if s <= step / 2]
        return step >= least and bool(half) and value - half[-1] < tolerance * abs(value)

    def _has_value(self) -> bool:
        """Say whether the metric has a value for these rows: the ROC AUC has none where they are of one class."""
        data = self.data
        shape = (len(data.y_valid), data.classes) if data.classes else (len(data.y_valid),)
        return not np.isnan(data.score_valid(np.full(shape, 1.0 / max(1, data.classes))))

    def _loss(self, prediction: Prediction) -> float:
        return loss_of(self.data, prediction)


def worth(data: FitData, prediction: Prediction, score: float) -> float:
    """Return what a step is worth, more is better: the metric, steadied by the loss where it moves in jumps of a row.

    NaN where it has no value. The answers of tasks that have no loss are worth their metric.
    """
    metric = data.metric
    if metric.kind == "answer" or (metric.smooth and not np.isnan(score)):
        return metric.sign * score
    loss = loss_of(data, prediction)
    return -loss if np.isnan(score) else metric.sign * score - LOSS_SHARE * loss


def loss_of(data: FitData, prediction: Prediction) -> float:
    """Return the loss on the validation rows: log loss, absolute or squared error; NaN where it has no value."""
    y, weight = data.y_valid, data.weight_valid
    if not len(y) or not np.isfinite(prediction).all():
        return float("nan")
    if data.classes:
        losses = -np.log(np.clip(prediction[np.arange(len(y)), y], 1e-15, 1.0))
    elif data.metric.name == "median_absolute_error":
        losses = np.abs(prediction - y)
    else:
        losses = (prediction - y) ** 2
    return float(np.average(losses, weights=weight))
