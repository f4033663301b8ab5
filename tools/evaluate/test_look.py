"""The one look at the test split: the delivered model's score with an interval, on rows that no decision ever saw."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.compose.decision import decide
from automl_gpt.tools.data.prepared import Part, open_test
from automl_gpt.tools.deliver.bundle import Bundle
from automl_gpt.tools.evaluate.answer_metrics import bert_score
from automl_gpt.tools.evaluate.bootstrap import interval
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, TaskKind

USUAL: dict[TaskKind, tuple[str, ...]] = {
    "binary": ("accuracy", "log_loss", "roc_auc"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss", "roc_auc"),
    "regression": ("rmse", "mae", "r2"),
    "token-classification": ("f1_entities", "token_accuracy"),
    "detection": ("map", "map50", "map75"),
    "question-answering": ("qa_f1", "qa_exact_match"),
    "text-generation": ("chrf", "rouge_l", "exact_match"),
    "retrieval": ("mrr", "recall_at_1", "recall_at_5", "recall_at_20", "recall_at_100"),
}
"""Metrics that readers expect beside the run's own."""
USUAL_OF_EXAMPLES: dict[TaskKind, tuple[str, ...]] = {
    "binary": ("accuracy", "f1_macro", "mcc", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "f1_macro", "mcc", "log_loss"),
    "regression": ("rmse", "mae", "r2", "pearson", "spearman"),
}
"""The same where texts and pictures are expected to be judged otherwise."""
ENCODER = "AUTOML_GPT_ENCODER"
"""The environment variable that names the folder of an encoder, with which generated texts get their BERTScore."""


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
    judge = _Judge(bundle, part, prediction)
    value = judge.score(metric)
    own = judge.fitting(metric)
    low, high = interval(metric, part.y, own, part.weight, positive=judge.positive, labels=bundle.labels, seed=seed)
    return Look(value, min(low, value), max(high, value), len(part.y), judge.others(metric))


class _Judge:
    """Scores one prediction of the test split by several metrics."""

    def __init__(self, bundle: Bundle, part: Part, prediction: Prediction) -> None:
        self.bundle, self.part, self.prediction = bundle, part, prediction
        self.said = decide(prediction, bundle.manifest.decision_weights)
        self.positive = 1 if bundle.manifest.positive is None else bundle.manifest.positive

    def fitting(self, metric: Metric) -> Prediction:
        """Return what is judged: decision weights count where labels are, never where probabilities are."""
        return self.said if metric.kind == "label" else self.prediction

    def score(self, metric: Metric) -> float:
        """Compute one metric."""
        part = self.part
        return score(metric, part.y, self.fitting(metric), part.weight, self.positive, self.bundle.labels)

    def others(self, own: Metric) -> dict[str, float]:
        """Compute what is usual beside the run's own metric; those without a value are left out."""
        task, examples = self.bundle.manifest.task, self.bundle.manifest.modality != "tabular"
        names = USUAL_OF_EXAMPLES.get(task, USUAL[task]) if examples else USUAL[task]
        values = {name: self.score(METRICS[name]) for name in names if name != own.name}
        encoder = os.environ.get(ENCODER, "").strip()
        if task == "text-generation" and encoder:
            with suppress(UserError):  # a look that is complete but for it must not be lost
                values["bert_score"] = bert_score(self.part.y, self.prediction, Path(encoder))
        return {name: value for name, value in values.items() if abs(value) < float("inf")}
