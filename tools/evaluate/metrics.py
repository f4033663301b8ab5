"""The metrics that a run can optimise, each with its direction; those of numbers are computed by scikit-learn.

Predictions are probabilities of shape (rows, classes) or values of shape (rows,), targets class codes or values; those
of the other tasks are records, which `automl_gpt.tools.evaluate.answer_metrics` compares.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Modality
from automl_gpt.tools.evaluate.answer_metrics import RANKS, answer_score
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, Target, TaskKind, task_of

_C, _R, _Q, _G = "classification", "regression", "question-answering", "text-generation"
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
        Metric("pearson", "maximize", "value", _R, 1.0),
        Metric("spearman", "maximize", "value", _R, 1.0),
        Metric("f1_entities", "maximize", "answer", "token-classification", 1.0, smooth=False),
        Metric("token_accuracy", "maximize", "answer", "token-classification", 1.0, smooth=False),
        Metric("map", "maximize", "answer", "detection", 1.0),
        Metric("map50", "maximize", "answer", "detection", 1.0),
        Metric("map75", "maximize", "answer", "detection", 1.0),
        Metric("qa_f1", "maximize", "answer", _Q, 1.0, smooth=False),
        Metric("qa_exact_match", "maximize", "answer", _Q, 1.0, smooth=False),
        Metric("chrf", "maximize", "answer", _G, 100.0),
        Metric("rouge_l", "maximize", "answer", _G, 1.0),
        Metric("exact_match", "maximize", "answer", _G, 1.0, smooth=False),
        Metric("mrr", "maximize", "answer", "retrieval", 1.0),
        *(Metric(f"recall_at_{most}", "maximize", "answer", "retrieval", 1.0, smooth=False) for most in RANKS),
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
    "chrf++": "chrf",
    "rougel": "rouge_l",
    "entity_f1": "f1_entities",
    "mean_average_precision": "map",
}
ALIASES_OF: dict[TaskKind, dict[str, str]] = {
    "token-classification": {"f1": "f1_entities", "accuracy": "token_accuracy"},
    "question-answering": {"f1": "qa_f1", "exact_match": "qa_exact_match", "em": "qa_exact_match"},
    "text-generation": {"em": "exact_match", "accuracy": "exact_match"},
    "detection": {"average_precision": "map", "ap50": "map50", "ap75": "map75"},
}
"""What people call a metric of one task and another one of another."""
_DEFAULTS: dict[TaskKind, str] = {
    "binary": "roc_auc",
    "multiclass": "log_loss",
    "regression": "rmse",
    "token-classification": "f1_entities",
    "detection": "map",
    "question-answering": "qa_f1",
    "text-generation": "chrf",
    "retrieval": "mrr",
}


def default_metric(task: TaskKind, modality: Modality = "tabular") -> Metric:
    """Return the metric for a card that names none.

    Of classes of texts and pictures it is the accuracy, of tables ranking (two classes) or probabilities (more).
    """
    if modality != "tabular" and task_of(task) == "classification":
        return METRICS["accuracy"]
    return METRICS[_DEFAULTS[task]]


def fitting(task: TaskKind) -> list[str]:
    """Return the names of the metrics that fit a task."""
    kind = task_of(task)
    return [m.name for m in METRICS.values() if m.task == kind and not (m.binary_only and task == "multiclass")]


def metric_for(name: str | None, task: TaskKind, modality: Modality = "tabular") -> Metric:
    """Return the metric of a name or alias; UserError, with those that fit, where it is unknown or does not fit."""
    if name is None:
        return default_metric(task, modality)
    key = name.strip().lower().replace("@", "_at_").replace("-", "_").replace(" ", "_")
    key = ALIASES.get(key, key)
    key = ALIASES_OF.get(task, {}).get(key, key)
    if key not in fitting(task):
        what = "does not fit a" if key in METRICS else "is no known metric; for a"
        raise UserError(f"metric {name!r} {what} {task} task, choose from: {', '.join(fitting(task))}")
    return METRICS[key]


def score(
    metric: Metric,
    y: Target,
    prediction: Prediction,
    weight: NDArray[np.float64] | None = None,
    positive: int = 1,
    labels: Sequence[str] = (),
) -> float:
    """Compute a metric, in its own unit and direction.

    `positive` is the code of the positive class of a binary task, `labels` are the names of tags and of the classes of
    boxes. NaN where the metric has no value, as the ROC AUC of rows of one class; a prediction that is not finite
    scores NaN too, so that a diverged model can never be best.
    """
    if len(y) == 0:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if metric.kind == "answer":
            return answer_score(metric.name, y, prediction, weight, labels)
        if not np.isfinite(prediction).all():
            return float("nan")
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


def _correlation(y: NDArray[Any], p: NDArray[Any], w: Any) -> float:
    """Pearson's correlation; 0 for a constant prediction, which tells nothing, NaN for a constant target."""
    a, b = y - np.average(y, weights=w), p - np.average(p, weights=w)
    spread, said = np.average(a * a, weights=w), np.average(b * b, weights=w)
    if not spread > 0:
        return float("nan")
    constant = np.ptp(p) == 0 or not said > 0
    return 0.0 if constant else float(np.clip(np.average(a * b, weights=w) / np.sqrt(spread * said), -1, 1))


def ranks(values: NDArray[Any], weight: Any = None) -> NDArray[np.float64]:
    """Return the rank of each value, a row counting as often as its weight says; equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    mass = count if weight is None else np.bincount(place, weights=weight)
    return (np.cumsum(mass) - mass / 2)[place]


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
    "pearson": lambda y, p, w, _: _correlation(y, p, w),
    "spearman": lambda y, p, w, _: _correlation(ranks(y, w), ranks(p, w), w),
}
