"""What a fit aims at, and the way back to the target's own unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.tools.train.goal import read_goal, take_aim
from automl_gpt.tools.train.registry import trainer
from tests.tools.train.problems import bundled, card, fitted, mixed, only


@pytest.mark.parametrize(
    ("metric", "loss"), [("rmse", "squared"), ("r2", "squared"), ("mae", "absolute"), ("mape", "absolute")]
)
def test_the_loss_serves_the_metric(metric: str, loss: str) -> None:
    assert take_aim(mixed(0, metric=metric), {}).goal.loss == loss


@pytest.mark.parametrize("metric", ["rmse", "rmsle"])
def test_a_target_is_learnt_in_its_own_scale_and_comes_back(metric: str) -> None:
    data = mixed(0, metric=metric)
    aim = take_aim(data, {})
    assert abs(aim.y.mean()) < 1e-9 and aim.y.std() == pytest.approx(1.0)
    assert np.allclose(aim.goal.prediction(aim.y), data.y)


def test_rmsle_of_targets_below_minus_one_is_not_learnt_as_a_logarithm() -> None:
    data = mixed(0, metric="rmsle")
    assert not take_aim(replace(data, y=data.y - 1000), {}).goal.log


def test_classes_that_are_absent_get_a_small_share() -> None:
    data = mixed(3)
    aim = take_aim(only(data, data.y != 0), {})
    assert aim.goal.present == (1, 2) and set(aim.y) == {0, 1}
    row = aim.goal.prediction(np.array([0.25]))[0]
    assert row.sum() == pytest.approx(1.0) and 0 < row[0] < 0.01 and row[1] == pytest.approx(3 * row[2])


def test_a_goal_survives_its_file(tmp_path: Path) -> None:
    goal = take_aim(mixed(3), {}).goal
    goal.save(tmp_path, 17)
    assert read_goal(tmp_path) == goal.model_copy(update={"best_step": 17})


@pytest.mark.parametrize(
    "name", ["linear", "k_nearest_neighbours", "lightgbm", "xgboost", "random_forest", "extra_trees"]
)
def test_a_doubled_weight_is_about_a_doubled_row(name: str) -> None:
    data = bundled("breast_cancer", "log_loss")
    heavy = np.where(np.arange(len(data.y)) % 3 == 0, 2, 1)
    calm = card(name).default() | ({"features": "plain"} if name == "linear" else {})
    weighted, doubled = (
        fitted(trainer(name), d, calm, rows=25)[0].predict(data.x_valid)[:, 1]
        for d in (replace(data, weight=heavy.astype(float)), only(data, np.repeat(np.arange(len(data.y)), heavy)))
    )
    assert np.abs(weighted - doubled).mean() < 0.05


@pytest.mark.parametrize(("metric", "best"), [("mae", 2.0), ("rmse", 21.2), ("mape", 1.0)])
def test_the_baseline_is_the_constant_that_the_metric_likes_best(metric: str, best: float) -> None:
    data = mixed(0, metric=metric)
    y = np.array([1.0, 1.0, 2.0, 2.0, 100.0])
    model, _ = fitted(trainer("baseline"), replace(data, x=data.x[:5], y=y))
    assert np.allclose(model.predict(data.x_valid), best)
