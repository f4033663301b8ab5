"""What a fit aims at: the loss that serves the metric, the target in the unit that a library learns, the way back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.protocol import FitData, Prediction, Target

Loss = Literal["log_loss", "squared", "absolute"]
ABSOLUTE = ("mae", "median_absolute_error", "mape")
"""Metrics whose best constant is a median, so that the absolute error serves them."""
FILE = "goal.json"


class Goal(BaseModel):
    """How raw outputs of a library become a prediction; saved beside the model.

    `present` are the class codes that the training rows hold, in the order of the library's own codes. A regression
    target is learnt as (t - center) / scale, with t = log(1 + y) where `log` is set.
    """

    model_config = ConfigDict(frozen=True)
    loss: Loss
    rows: int
    classes: int = 0
    present: tuple[int, ...] = ()
    log: bool = False
    center: float = 0.0
    scale: float = 1.0
    best_step: int = 0

    @property
    def share(self) -> float:
        """The probability of a class that no row shows (Laplace's rule of succession)."""
        return 1.0 / (self.rows + self.classes)

    @property
    def width(self) -> int:
        """Number of raw outputs per row: the classes present, or 1."""
        return max(1, len(self.present))

    def nothing(self) -> Prediction:
        """Return the prediction for no rows at all."""
        return np.empty((0, self.classes) if self.classes else 0)

    def of_logits(self, raw: NDArray[np.floating]) -> Prediction:
        """Turn the outputs of a linear last layer, shape (rows, outputs), into a prediction; one output for two classes
        is the logit of the second."""
        from scipy.special import expit, softmax

        raw = raw.astype(np.float64)
        if not self.classes:
            return self.prediction(raw[:, 0])
        return self.prediction(expit(raw[:, 0]) if raw.shape[1] == 1 else softmax(raw, axis=1))

    def prediction(self, raw: NDArray[np.floating]) -> Prediction:
        """Turn raw outputs into probabilities (rows, classes), or into values (rows,) in the target's own unit.

        For two classes `raw` may be the second one's probability alone, shape (rows,).
        """
        return self._probabilities(raw) if self.classes else self._values(raw)

    def _values(self, raw: NDArray[np.floating]) -> Prediction:
        values = raw.astype(np.float64).reshape(-1) * self.scale + self.center
        return np.expm1(values) if self.log else values

    def _probabilities(self, raw: NDArray[np.floating]) -> Prediction:
        p = raw.astype(np.float64)
        if p.ndim == 1:
            p = np.column_stack([1.0 - p, p])
        p = p / p.sum(axis=1, keepdims=True)
        absent = self.classes - len(self.present)
        if not absent:
            return p
        # A class without a training row is rare, not impossible.
        full = np.full((len(p), self.classes), self.share)
        full[:, list(self.present)] = p * (1.0 - absent * self.share)
        return full

    def smoothed(self, raw: NDArray[np.floating]) -> NDArray[np.floating]:
        """Mix the class shares that models of counts give with one row's worth of doubt, so that none of them is 0."""
        return raw * (1.0 - self.width * self.share) + self.share if self.classes else raw

    def save(self, folder: Path, best_step: int) -> None:
        """Write the goal, and the step whose model it belongs to, into a model's folder."""
        text = self.model_copy(update={"best_step": best_step}).model_dump_json()
        (folder / FILE).write_text(text, encoding="utf-8")


def read_goal(folder: Path) -> Goal:
    """Read the goal of a saved model."""
    return Goal.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Aim:
    """A goal with the training rows' target as the library shall learn it, and their weights (mean 1, or None).

    `y` holds int32 codes from 0 to `goal.width` - 1 for classification, float64 with mean 0 for regression.
    """

    goal: Goal
    y: Target
    weight: NDArray[np.float64] | None


def take_aim(data: FitData, hyperparameters: Hyperparameters) -> Aim:
    """Choose loss, target and weights for the training rows.

    `class_weight: balanced` gives every class the same total weight; it counts for classification only. Raises
    ToolError where nothing can be learnt: no rows, no weight, or a single class.
    """
    if len(data.y) == 0:
        raise ToolError("there are no training rows: nothing can be fitted")
    if data.weight is not None and not data.weight.sum() > 0:
        raise ToolError("the training rows' weights are all 0: nothing can be fitted")
    if data.classes:
        return _classes(data.balanced() if hyperparameters.get("class_weight") == "balanced" else data)
    return _values(data)


def _classes(data: FitData) -> Aim:
    present, y = np.unique(data.y, return_inverse=True)
    if len(present) < 2:
        raise ToolError(f"all {len(data.y)} training rows have one class: only the trivial baseline can be fitted")
    goal = Goal(loss="log_loss", rows=len(y), classes=data.classes, present=tuple(int(c) for c in present))
    return Aim(goal, y.astype(np.int32), _mean_one(data.weight))


def _values(data: FitData) -> Aim:
    y = data.y.astype(np.float64)
    weight = _mean_one(data.weight)
    if data.metric.name == "mape":
        # The absolute percentage error is the absolute error with weights 1 / |y|; tiny targets are kept from ruling.
        size = np.abs(y)
        share = 1.0 / np.maximum(size, 0.01 * np.median(size) + np.finfo(np.float64).tiny)
        weight = _mean_one(share if weight is None else weight * share)
    log = data.metric.name == "rmsle" and bool((y > -1).all())
    t = np.log1p(y) if log else y
    center = float(np.average(t, weights=weight))
    scale = float(np.sqrt(np.average((t - center) ** 2, weights=weight)))
    # A constant target is predicted exactly: scale 0 takes away whatever a library makes of zeros.
    scale = scale if scale > 1e-12 * abs(center) else 0.0
    loss: Loss = "absolute" if data.metric.name in ABSOLUTE else "squared"
    learnt = (t - center) / scale if scale else np.zeros_like(t)
    return Aim(Goal(loss=loss, rows=len(y), log=log, center=center, scale=scale), learnt, weight)


def _mean_one(weight: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    # Survey weights count thousands of people per row; minimum weights and penalties of libraries are meant for 1.
    return None if weight is None else weight / weight.mean()
