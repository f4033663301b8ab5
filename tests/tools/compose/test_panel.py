from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_gpt.tools.compose.panel import Panel
from automl_gpt.tools.evaluate.metrics import METRICS, fitting, score


def problem(task: Any, rows: int = 400) -> tuple[Any, Any]:
    """Targets and four predictions, of shape (4, rows, classes) or (4, rows), with many equal scores."""
    rng = np.random.default_rng(1)
    if task == "regression":
        y = rng.lognormal(1, 0.5, rows)
        return y, y + rng.normal(0, np.array([[0.1], [0.5], [1], [2]]), (4, rows))
    classes = 2 if task == "binary" else 4
    y = rng.choice(classes, rows, p=[0.8, 0.2] if classes == 2 else [0.4, 0.3, 0.2, 0.1]).astype(np.int32)
    p = rng.random((4, rows, classes)) + np.eye(classes)[y] * np.array([0.1, 0.3, 0.6, 1.0])[:, None, None]
    p = np.round(p / p.sum(axis=2, keepdims=True), 2) + 1e-3
    return y, p / p.sum(axis=2, keepdims=True)


CASES = [(task, name) for task in ("binary", "multiclass", "regression") for name in fitting(task)]  # type: ignore[arg-type]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "name"), CASES)
def test_scores_of_many_predictions_are_those_that_scikit_learn_computes(task: str, name: str, weighted: bool) -> None:
    y, predictions = problem(task)
    if name == "median_absolute_error" and weighted:
        pytest.skip("weighted medians have several definitions")
    weight = np.random.default_rng(2).integers(1, 4, len(y)).astype(np.float64) if weighted else None
    stack = predictions.transpose(0, 2, 1) if task != "regression" else predictions[:, None]
    panel = Panel(METRICS[name], y, weight, (np.arange(len(y)),))
    values = panel.values(np.ascontiguousarray(stack, dtype=np.float32), METRICS[name])
    expected = [score(METRICS[name], y, p.astype(np.float32).astype(np.float64), weight) for p in predictions]
    # Among equal scores the panel orders cautiously for average precision, the one metric where orders matter.
    tolerance = 0.06 if name == "average_precision" and not weighted else 2e-5
    assert values == pytest.approx(expected, abs=tolerance)


def test_a_score_is_the_mean_over_folds_and_folds_without_a_value_are_left_out() -> None:
    y, predictions = problem("binary", 60)
    y[40:] = 0
    stack = np.ascontiguousarray(predictions.transpose(0, 2, 1), dtype=np.float32)
    blocks = (np.arange(20), np.arange(20, 40), np.arange(40, 60))
    metric = METRICS["roc_auc"]
    values = Panel(metric, y, None, blocks).values(stack, metric)
    expected = np.mean([score(metric, y[b], predictions[0][b]) for b in blocks[:2]])
    assert values[0] == pytest.approx(expected, abs=1e-6)


def test_a_part_of_a_panel_keeps_targets_weights_and_folds_together() -> None:
    y = np.arange(10, dtype=np.float64)
    panel = Panel(METRICS["rmse"], y, y + 1, (np.arange(5), np.arange(5, 10)))
    part = panel.part(np.array([0, 2, 7]))
    assert part.y.tolist() == [0, 2, 7]
    assert part.weight is not None
    assert part.weight.tolist() == [1, 3, 8]
    assert [b.tolist() for b in part.blocks] == [[0, 1], [2]]


def test_between_equally_accurate_predictions_the_better_probabilities_gain_more() -> None:
    y = np.array([0, 0, 1, 1], dtype=np.int32)
    sure = np.array([[0.9, 0.8, 0.1, 0.2], [0.1, 0.2, 0.9, 0.8]])
    unsure = np.array([[0.6, 0.6, 0.4, 0.4], [0.4, 0.4, 0.6, 0.6]])
    gains = Panel(METRICS["accuracy"], y, None, (np.arange(4),)).gains(np.stack([unsure, sure]).astype(np.float32))
    assert gains[1] > gains[0]
