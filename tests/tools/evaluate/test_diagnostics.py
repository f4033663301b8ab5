from __future__ import annotations

import numpy as np
import pytest

from automl_gpt.tools.data.prepared import Part
from automl_gpt.tools.evaluate import importance
from automl_gpt.tools.evaluate.diagnostics import calibration, confusion
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.protocol import Feature


def test_probabilities_that_come_true_as_often_as_they_say_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(np.int32)
    honest = calibration(y, np.stack([1 - p, p], axis=1))
    assert honest.said == pytest.approx(honest.seen, abs=0.04)
    assert honest.counts.sum() == 20_000
    boastful = np.clip(1.6 * (p - 0.5) + 0.5, 0, 1)
    assert calibration(y, np.stack([1 - boastful, boastful], axis=1)).error > 5 * honest.error


def test_of_more_than_two_classes_the_likeliest_one_is_judged() -> None:
    y = np.array([0, 1, 2, 2] * 10, dtype=np.int32)
    prediction = np.tile([0.2, 0.2, 0.6], (40, 1))
    bins = calibration(y, prediction)
    assert bins.said == pytest.approx(0.6)
    assert np.average(bins.seen, weights=bins.counts) == pytest.approx(0.5)


def test_a_confusion_matrix_counts_rows_of_the_true_class() -> None:
    found = confusion(np.array([0, 0, 0, 1], dtype=np.int32), np.array([0, 0, 1, 1]), ("no", "yes"))
    assert [[cell.count for cell in line] for line in found.cells] == [[2, 1], [0, 1]]
    assert found.cells[0][1].share == pytest.approx(1 / 3)


def test_of_many_classes_the_most_frequent_confusions_are_listed() -> None:
    labels = tuple(f"c{i}" for i in range(40))
    y = np.repeat(np.arange(40), 10).astype(np.int32)
    said = y.copy().astype(np.intp)
    said[70:75] = 3
    found = confusion(y, said, labels)
    assert found.cells == ()
    assert [(c.true, c.said, c.count) for c in found.most] == [("c7", "c3", 5)]


def test_the_feature_that_decides_comes_first_and_an_unused_one_counts_nothing() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3)).astype(np.float32)
    y = (x[:, 1] > 0).astype(np.int32)

    def predict(matrix: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-4 * matrix[:, 1] - 0.3 * matrix[:, 0]))
        return np.stack([1 - p, p], axis=1)

    names = (Feature("a little"), Feature("all"), Feature("nothing"))
    for metric in ("roc_auc", "accuracy"):
        found = importance.features(predict, Part(x, y, None), names, METRICS[metric])
        assert found.features[0].name == "all"
        assert found.features[0].share == 1
        assert {f.name: f.value for f in found.features}["nothing"] == 0
        assert found.left == 0
        assert found.metric == ("log_loss" if metric == "accuracy" else "roc_auc")


def test_features_that_time_does_not_reach_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "SECONDS", -1.0)
    x, y = np.zeros((20, 2), np.float32), np.zeros(20)
    found = importance.features(lambda m: m[:, 0], Part(x, y, None), (Feature("a"), Feature("b")), METRICS["rmse"])
    assert found.features == ()
    assert found.left == 2
