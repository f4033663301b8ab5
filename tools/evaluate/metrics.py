"""The metrics that a run can optimise, each computed by scikit-learn, each with its direction.

Predictions are probabilities of shape (rows, classes) or values of shape (rows,); targets are class codes or values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, Target, TaskKind

_C, _R = "classification", "regression"
METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("accuracy", "maximize", "label", _C, 1.0, smooth=False),
        Metric("balanced_accuracy", "maximize", "label", _C, 1.0, smooth=False),
        Metric("f1", "maximize", "label", _C, 1.0, binary_only=True, smooth=False),
        Metric("f1_macro", "maximize", "label", _C, 1.0, smooth=False),
        Metric("mcc", "maximize", "label", _C, 1.0, smooth=False),
        Metric("roc_auc", "maximize", "score", _C, 1.0),
        Metric("average_precision", "maximize", "score", _C, 1.0, binary_only=True),
        Metric("log_loss", "minimize", "probability", _C, 0.0),
        Metric("brier", "minimize", "probability", _C, 0.0),
        Metric("rmse", "minimize", "value", _R, 0.0),
        Metric("mae", "minimize", "value", _R, 0.0),
        Metric("median_absolute_error", "minimize", "value", _R, 0.0, smooth=False),
        Metric("mape", "minimize", "value", _R, 0.0),
        Metric("rmsle", "minimize", "value", _R, 0.0),
        Metric("r2", "maximize", "value", _R, 1.0),
    )
}
ALIASES = {
    "auc": "roc_auc",
    "acc": "accuracy",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "f1_score": "f1",
    "macro_f1": "f1_macro",
    "matthews": "mcc",
    "ap": "average_precision",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "r_squared": "r2",
}


def default_metric(task: TaskKind) -> Metric:
    """Return the metric for a card that names none: ranking for two classes, probabilities for more, else RMSE."""
    return METRICS[{"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]]


def fitting(task: TaskKind) -> list[str]:
    """Return the names of the metrics that fit a task."""
    kind = "regression" if task == "regression" else "classification"
    return [m.name for m in METRICS.values() if m.task == kind and not (m.binary_only and task == "multiclass")]


def metric_for(name: str | None, task: TaskKind) -> Metric:
    """Return the metric of a name or alias; UserError, with those that fit, where it is unknown or does not fit."""
    if name is None:
        return default_metric(task)
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    key = ALIASES.get(key, key)
    if key not in fitting(task):
        what = "does not fit a" if key in METRICS else "is no known metric; for a"
        raise UserError(f"metric {name!r} {what} {task} task, choose from: {', '.join(fitting(task))}")
    return METRICS[key]


def score(
    metric: Metric, y: Target, prediction: Prediction, weight: NDArray[np.float64] | None = None, positive: int = 1
) -> float:
    """Compute a metric, in its own unit and direction.

    `positive` is the code of the positive class of a binary task. NaN where the metric has no value, as the ROC AUC of
    rows of one class; a prediction that is not finite scores NaN too, so that a diverged model can never be best.
    """
    if len(y) == 0 or not np.isfinite(prediction).all():
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(_SCORES[metric.name](y, prediction, weight, positive))


def _labels(prediction: Prediction) -> NDArray[np.intp]:
    return prediction.argmax(axis=1)


def _normalised(prediction: Prediction) -> Prediction:
    clipped = np.clip(prediction, 1e-15, 1.0)
    return clipped / clipped.sum(axis=1, keepdims=True)


def _log_loss(y: Target, p: Prediction, w: Any, _positive: int) -> float:
    picked = _normalised(p)[np.arange(len(y)), y]
    return float(np.average(-np.log(picked), weights=w))


def _brier(y: Target, p: Prediction, w: Any, positive: int) -> float:
    """Mean squared error of the positive class's probability; over all classes for more than two (Brier, 1950)."""
    if p.shape[1] == 2:
        return float(np.average((p[:, positive] - (y == positive)) ** 2, weights=w))
    return float(np.average(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1), weights=w))


def _roc_auc(y: Target, p: Prediction, w: Any, positive: int) -> float:
    """Area under the ROC curve; for more than two classes the mean of one against the rest, over classes present."""
    from sklearn.metrics import roc_auc_score

    codes = [positive] if p.shape[1] == 2 else [c for c in range(p.shape[1]) if 0 < np.count_nonzero(y == c) < len(y)]
    if not codes or len(np.unique(y)) < 2:
        return float("nan")
    return float(np.mean([roc_auc_score(y == c, p[:, c], sample_weight=w) for c in codes]))


def _from_labels(name: str, **options: Any) -> Callable[[Target, Prediction, Any, int], float]:
    def compute(y: Target, p: Prediction, w: Any, positive: int) -> float:
        import sklearn.metrics as m

        more = {"pos_label": positive} if options.get("average") == "binary" else {}
        return float(getattr(m, name)(y, _labels(p), sample_weight=w, **options, **more))

    return compute


def _from_values(name: str) -> Callable[[Target, Prediction, Any, int], float]:
    def compute(y: Target, p: Prediction, w: Any, _positive: int) -> float:
        import sklearn.metrics as m

        return float(getattr(m, name)(y, p, sample_weight=w))

    return compute


def _rmsle(y: Target, p: Prediction, w: Any, _positive: int) -> float:
    """Root mean squared error of log(1 + value); NaN where a target is -1 or less; predictions are cut at 0."""
    if (y <= -1).any():
        return float("nan")
    return float(np.sqrt(np.average((np.log1p(np.maximum(p, 0)) - np.log1p(y)) ** 2, weights=w)))


def _average_precision(y: Target, p: Prediction, w: Any, positive: int) -> float:
    from sklearn.metrics import average_precision_score

    if not (y == positive).any():
        return float("nan")
    return float(average_precision_score(y == positive, p[:, positive], sample_weight=w))


_SCORES: dict[str, Callable[[Target, Prediction, Any, int], float]] = {
    "accuracy": lambda y, p, w, _: float(np.average(_labels(p) == y, weights=w)),
    "balanced_accuracy": _from_labels("balanced_accuracy_score"),
    "f1": _from_labels("f1_score", average="binary", zero_division=0),
    "f1_macro": _from_labels("f1_score", average="macro", zero_division=0),
    "mcc": _from_labels("matthews_corrcoef"),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "rmse": lambda y, p, w, _: float(np.sqrt(np.average((y - p) ** 2, weights=w))),
    "mae": lambda y, p, w, _: float(np.average(np.abs(y - p), weights=w)),
    "median_absolute_error": _from_values("median_absolute_error"),
    "mape": _from_values("mean_absolute_percentage_error"),
    "rmsle": _rmsle,
    "r2": _from_values("r2_score"),
}
