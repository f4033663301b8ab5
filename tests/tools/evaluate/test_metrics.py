from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from scipy import stats

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.evaluate.metrics import METRICS, default_metric, fitting, metric_for, score
from automl_gpt.tools.train.protocol import ANSWER_TASKS, TaskKind, task_of

KINDS: tuple[Any, ...] = get_args(TaskKind)


@pytest.mark.parametrize("task", KINDS)
@pytest.mark.parametrize("modality", ["tabular", "text", "image"])
def test_every_kind_of_task_has_a_default_metric_that_fits_it(task: Any, modality: Any) -> None:
    metric = metric_for(None, task, modality)
    assert metric.name in fitting(task)
    assert metric.task == task_of(task)
    assert (metric.kind == "answer") == (task in ANSWER_TASKS)


def test_texts_and_pictures_are_judged_by_the_accuracy_unless_something_else_is_asked_for() -> None:
    assert default_metric("binary", "text").name == default_metric("multiclass", "image").name == "accuracy"
    assert default_metric("binary").name == "roc_auc"
    assert metric_for("f1", "binary", "text").name == "f1"


@pytest.mark.parametrize(
    ("said", "task", "meant"),
    [
        ("F1", "question-answering", "qa_f1"),
        ("exact match", "question-answering", "qa_exact_match"),
        ("EM", "text-generation", "exact_match"),
        ("f1", "token-classification", "f1_entities"),
        ("f1", "binary", "f1"),
        ("recall@20", "retrieval", "recall_at_20"),
        ("chrF++", "text-generation", "chrf"),
        ("ROUGE-L", "text-generation", "rouge_l"),
        ("mAP50", "detection", "map50"),
        ("Spearman", "regression", "spearman"),
    ],
)
def test_a_metric_is_found_by_what_people_call_it_for_that_task(said: str, task: Any, meant: str) -> None:
    assert metric_for(said, task).name == meant


def test_a_metric_of_another_task_is_refused_with_those_that_fit() -> None:
    with pytest.raises(UserError, match=r"does not fit a detection task, choose from: map, map50, map75$"):
        metric_for("chrf", "detection")


def test_correlations_equal_those_of_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=200).round(1)
    p = y + rng.normal(size=200).round(1)
    assert score(METRICS["pearson"], y, p) == pytest.approx(stats.pearsonr(y, p).statistic)
    assert score(METRICS["spearman"], y, p) == pytest.approx(stats.spearmanr(y, p).statistic)


def test_a_constant_prediction_correlates_with_nothing_and_a_constant_target_has_no_correlation() -> None:
    y = np.arange(5.0)
    for name in ("pearson", "spearman"):
        assert score(METRICS[name], y, np.full(5, 0.1)) == 0
        assert np.isnan(score(METRICS[name], np.full(5, 0.1), y))
