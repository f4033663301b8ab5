"""The trivial baseline: class shares, or the constant that the metric likes best. All others have to beat it.

Where answers are records, it is the most frequent one: see `automl_gpt.tools.train.simple.constant`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.progress import SAMPLE, Progress
from automl_gpt.tools.train.protocol import ANSWER_TASKS, Emit, FitData, Inputs, Model, Prediction
from automl_gpt.tools.train.simple import constant

FILE = "constant.json"


class BaselineModel:
    """One prediction for all rows: probabilities of shape (classes,), or a value of shape ()."""

    best_step = 1

    def __init__(self, constant: NDArray[np.float64]) -> None:
        self.constant = constant

    def predict(self, x: Inputs) -> Prediction:
        """Predict the same for every row."""
        return np.broadcast_to(self.constant, (len(x), *self.constant.shape)).copy()

    def save(self, folder: Path) -> None:
        """Write the constant as JSON."""
        (folder / FILE).write_text(json.dumps(self.constant.tolist()), encoding="utf-8")


class BaselineTrainer:
    """Counts: weighted class shares, the weighted mean, or the weighted median where the metric is an absolute one."""

    name = "baseline"
    step_name = "iteration"
    package = "numpy"
    reads: frozenset[str] = frozenset()

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> Model:
        """Fit the constant and log one row; ToolError where there are no rows."""
        if len(data.y) == 0:
            raise ToolError("there are no training rows: nothing can be fitted")
        if data.task in ANSWER_TASKS:
            answer, some = constant.constant_answer(data), slice(SAMPLE)
            emit(
                1, data.score_train(answer.predict(data.x[some]), some), data.score_valid(answer.predict(data.x_valid))
            )
            return answer
        model = BaselineModel(_shares(data) if data.classes else _constant(data))
        progress = Progress(data, emit)
        progress.log(1, model.predict(data.x[progress.sample]), model.predict(data.x_valid))
        return model

    def load(self, folder: Path) -> Model:
        """Read a constant that was saved."""
        if (folder / constant.FILE).exists():
            return constant.read_constant(folder)
        return BaselineModel(np.array(json.loads((folder / FILE).read_text(encoding="utf-8")), dtype=np.float64))


def _shares(data: FitData) -> NDArray[np.float64]:
    counts = np.bincount(data.y, weights=data.weight, minlength=data.classes).astype(np.float64)
    # One row's worth, spread over all classes, so that a class without rows here is unlikely rather than impossible.
    counts = counts / max(counts.sum(), np.finfo(np.float64).tiny) * len(data.y) + 1.0 / data.classes
    return counts / counts.sum()


def _constant(data: FitData) -> NDArray[np.float64]:
    y = data.y.astype(np.float64)
    weight = np.ones(len(y)) if data.weight is None or not data.weight.sum() > 0 else data.weight
    if data.metric.name in ("mae", "median_absolute_error"):
        return np.array(_median(y, weight))
    if data.metric.name == "mape":
        return np.array(_median(y, weight / np.maximum(np.abs(y), np.finfo(np.float64).tiny)))
    if data.metric.name == "rmsle" and (y > -1).all():
        return np.array(np.expm1(np.average(np.log1p(y), weights=weight)))
    return np.array(np.average(y, weights=weight))


def _median(y: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(y, kind="stable")
    reached = np.cumsum(weight[order] / weight.max())
    return float(y[order][np.searchsorted(reached, reached[-1] / 2)])
