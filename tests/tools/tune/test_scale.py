from __future__ import annotations

import math
from typing import Any

import pytest

from automl_gpt.tools.data.report import MetaFeatures, Profile
from automl_gpt.tools.evaluate.metrics import METRICS, fitting
from automl_gpt.tools.train.protocol import ANSWER_TASKS
from automl_gpt.tools.tune.scale import legal_range, trivial_value


def profile(task: Any, **facts: Any) -> Profile:
    return Profile(
        name="x", fingerprint="f", modality="text", task=task, target="y", rows=100, rows_train=80, rows_test=20,
        folds=1, rows_valid=16, split="", columns=(), features=5,
        meta=MetaFeatures(rows=80, columns=5, numeric=0, categorical=0, classes=0), **facts,
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for task in ANSWER_TASKS for name in fitting(task)])
def test_metrics_of_answers_lie_between_nothing_and_the_best(name: str) -> None:
    assert legal_range(METRICS[name]) == (0.0, 100.0 if name == "chrf" else 1.0)


@pytest.mark.parametrize("name", ["mcc", "pearson", "spearman"])
def test_correlations_begin_at_minus_one_and_a_constant_is_worth_nothing(name: str) -> None:
    assert legal_range(METRICS[name]) == (-1.0, 1.0)
    assert trivial_value(profile("regression", target_std=2.0), METRICS["pearson"]) == 0


@pytest.mark.parametrize(
    ("task", "name", "facts", "value"),
    [
        ("token-classification", "token_accuracy", {"labels": ("O", "B-X"), "class_counts": (75, 25)}, 0.75),
        ("token-classification", "f1_entities", {"labels": ("O", "B-X"), "class_counts": (75, 25)}, 0.0),
        ("detection", "map", {"labels": ("cell",), "class_counts": (40,)}, 0.0),
        ("retrieval", "recall_at_20", {"passages": 400}, 0.05),
        ("retrieval", "recall_at_100", {"passages": 40}, 1.0),
        ("question-answering", "qa_f1", {}, None),
        ("text-generation", "chrf", {}, None),
    ],
)
def test_what_one_answer_for_all_rows_is_worth(
    task: str, name: str, facts: dict[str, Any], value: float | None
) -> None:
    assert trivial_value(profile(task, **facts), METRICS[name]) == value


def test_a_random_order_of_passages_has_the_mean_reciprocal_rank_of_chance() -> None:
    exact = sum(1 / rank for rank in range(1, 201)) / 200
    told = trivial_value(profile("retrieval", passages=200), METRICS["mrr"])
    assert told is not None
    assert math.isclose(told, exact, rel_tol=0.01)
