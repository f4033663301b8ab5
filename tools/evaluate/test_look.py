"""The one look at the test split: the delivered model's score with an interval, on rows that no decision ever saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from automl_gpt.tools.compose.decision import decide
from automl_gpt.tools.data.prepared import Part, open_test
from automl_gpt.tools.deliver.bundle import Bundle
from automl_gpt.tools.evaluate.bootstrap import interval
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, TaskKind

USUAL: dict[TaskKind, tuple[str, ...]] = {
    "binary": ("accuracy", "log_loss", "roc_auc"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss", "roc_auc"),
    "regression": ("rmse", "mae", "r2"),
}
"""Metrics that readers expect beside the run's own."""


@dataclass(frozen=True)
class Look:
    """A score on the test split, its 95% bootstrap interval, the rows that it rests on, and other usual metrics."""

    value: float
    low: float
    high: float
    rows: int
    others: dict[str, float] = field(default_factory=dict[str, float])


def look(bundle: Bundle, prepared_folder: Path, metric: Metric, threads: int = 1, seed: int = 0) -> Look:
    """Score the delivered model on the test split, which this opens. Counting and storing the look is the caller's.

    Values are NaN where a metric has none on these rows, as the ROC AUC of one class.
    """
    part = open_test(prepared_folder)
    prediction = bundle.predict_matrix(part.x, threads)
    positive = 1 if bundle.manifest.positive is None else bundle.manifest.positive
    said = decide(prediction, bundle.manifest.decision_weights)
    own = _fitting(metric, prediction, said)
    value = score(metric, part.y, own, part.weight, positive)
    low, high = interval(metric, part.y, own, part.weight, positive=positive, seed=seed)
    others = _others(part, prediction, said, bundle.manifest.task, positive)
    others.pop(metric.name, None)
    return Look(value, min(low, value), max(high, value), len(part.y), others)


def _fitting(metric: Metric, prediction: Prediction, said: Prediction) -> Prediction:
    """Decision weights count where labels are judged, never where probabilities are."""
    return said if metric.kind == "label" else prediction


def _others(part: Part, prediction: Prediction, said: Prediction, task: TaskKind, positive: int) -> dict[str, float]:
    usual = {name: METRICS[name] for name in USUAL[task]}
    values = {
        name: score(metric, part.y, _fitting(metric, prediction, said), part.weight, positive)
        for name, metric in usual.items()
    }
    return {name: value for name, value in values.items() if abs(value) < float("inf")}
