from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_gpt.tools.evaluate.bootstrap import difference, interval, weighted_score
from automl_gpt.tools.evaluate.metrics import METRICS, fitting, score

CASES = [(task, name) for task in ("binary", "multiclass", "regression") for name in fitting(task)]  # type: ignore[arg-type]


def problem(task: str, rows: int = 300) -> tuple[Any, Any]:
    rng = np.random.default_rng(4)
    if task == "regression":
        y = rng.lognormal(1, 0.5, rows)
        return y, y + rng.normal(0, 0.7, rows)
    classes = 2 if task == "binary" else 3
    y = rng.integers(0, classes, rows).astype(np.int32)
    p = np.round(rng.random((rows, classes)) + 0.4 * np.eye(classes)[y], 1) + 0.05
    return y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_weight_of_two_counts_a_row_twice_for_every_metric(task: str, name: str) -> None:
    y, prediction = problem(task)
    times = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    statistic = weighted_score(METRICS[name], y, prediction)
    assert statistic(times.astype(np.float64)) == pytest.approx(
        score(METRICS[name], y[rows], prediction[rows]), abs=1e-9
    )
    assert statistic(np.ones(len(y))) == pytest.approx(score(METRICS[name], y, prediction), abs=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "f1", "log_loss"])
def test_the_interval_holds_the_score_and_narrows_with_rows(name: str) -> None:
    small, large = problem("binary", 200), problem("binary", 5000)
    low, high = interval(METRICS[name], *small)
    assert low < score(METRICS[name], *small) < high
    narrow = interval(METRICS[name], *large)
    assert narrow[1] - narrow[0] < 0.4 * (high - low)
    assert (low, high) == interval(METRICS[name], *small)


def test_the_interval_of_accuracy_is_that_of_a_binomial_share() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(1000, dtype=np.int32)
    right = rng.random(1000) < 0.8
    low, high = interval(METRICS["accuracy"], y, np.stack([right, ~right], axis=1).astype(float))
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 1000), rel=0.2)


def test_a_score_without_error_on_few_rows_is_not_certain() -> None:
    y = np.array([0, 1] * 6)
    low, high = interval(METRICS["accuracy"], y, np.eye(2)[y])
    assert high == 1.0 and low == pytest.approx(0.735, abs=0.001)  # exact, of 12 rows
    assert interval(METRICS["roc_auc"], y, np.eye(2)[y])[0] == pytest.approx(0.735, abs=0.001)


def test_of_very_many_rows_a_part_is_resampled_and_the_interval_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    y, prediction = problem("regression", 20_000)
    whole = interval(METRICS["rmse"], y, prediction)
    monkeypatch.setattr("automl_gpt.tools.evaluate.bootstrap.MOST_ROWS", 2_000)
    part = interval(METRICS["rmse"], y, prediction)
    assert part[1] - part[0] == pytest.approx(whole[1] - whole[0], rel=0.35)


def test_a_test_split_of_one_class_has_no_auc_and_no_interval() -> None:
    y, prediction = np.zeros(30, dtype=np.int32), np.tile([0.7, 0.3], (30, 1))
    assert np.isnan(interval(METRICS["roc_auc"], y, prediction)).all()


def test_a_difference_is_positive_where_the_first_is_better_whatever_the_direction() -> None:
    y, prediction = problem("binary", 2000)
    worse = np.full_like(prediction, 0.5)
    for name in ("log_loss", "roc_auc", "accuracy"):
        gain, error = difference(METRICS[name], y, prediction, worse)
        assert gain > 3 * error > 0
        assert difference(METRICS[name], y, worse, prediction)[0] == pytest.approx(-gain)
    assert difference(METRICS["log_loss"], y, prediction, prediction) == (0, 0)
