"""Which steps are logged, which one is the best, when a fit is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.boosting import out_of_patience, rounds
from automl_gpt.tools.train.progress import SAMPLE, Progress, checkpoints
from tests.tools.train.problems import bundled, mixed, table


def go_on(*_: Any) -> bool:
    return True


def test_checkpoints_rise_from_one_to_the_limit_in_growing_but_bounded_strides() -> None:
    steps = list(checkpoints(2000))
    strides = np.diff(steps)
    assert steps[0] == 1 and steps[-1] == 2000
    assert (strides >= 1).all() and strides.max() <= 50 and len(steps) < 90
    assert list(checkpoints(1)) == [1]


def test_a_large_table_logs_more_often_than_a_small_one() -> None:
    small = bundled("iris")
    large = replace(small, x=np.broadcast_to(np.float32(0), (4_000_000, 20)))
    assert np.diff(list(rounds(small, 0.05))).max() > 20
    assert np.diff(list(rounds(large, 0.05))).max() <= 3


def test_a_diverged_step_is_logged_as_nan_and_never_the_best() -> None:
    data = mixed(0)
    rows: list[tuple[int, float, float]] = []
    progress = Progress(data, lambda *row: not rows.append(row))
    train, valid = data.y[progress.sample], data.y_valid
    progress.log(1, train, valid + 5.0)
    progress.log(2, train, np.full_like(valid, np.nan))
    progress.log(3, train, np.full_like(valid, np.inf))
    assert progress.best_step == 1
    assert [bool(np.isnan(valid)) for _, _, valid in rows] == [False, True, True]
    progress.log(4, train, valid + 1.0)
    assert progress.need_best() == 4


def test_a_fit_that_only_diverged_is_told() -> None:
    data = mixed(0)
    progress = Progress(data, go_on)
    progress.log(1, np.full(len(progress.sample), np.nan), np.full(len(data.y_valid), np.nan))
    with pytest.raises(ToolError, match="diverged"):
        progress.need_best()


def test_a_metric_that_jumps_is_judged_by_the_loss() -> None:
    data = mixed(2, metric="accuracy")
    progress = Progress(data, go_on)
    sure, unsure = (np.where(np.eye(2)[data.y_valid] == 1, p, 1 - p) for p in (0.9, 0.6))
    train = np.full((len(progress.sample), 2), 0.5)
    progress.log(1, train, unsure)
    progress.log(2, train, sure)
    assert progress.best_step == 2, "the accuracy of both is 1, the second one's log loss is lower"


def test_without_validation_rows_the_last_finite_step_is_the_best() -> None:
    data = mixed(0)
    data = replace(data, x_valid=data.x_valid[:0], y_valid=data.y_valid[:0])
    progress = Progress(data, go_on)
    for step in (1, 2, 3):
        value = np.nan if step == 3 else 1.0
        progress.log(step, np.full(len(progress.sample), value), np.empty(0))
    assert progress.best_step == 2


def test_only_a_sample_of_many_training_rows_is_scored() -> None:
    x = np.zeros((3 * SAMPLE, 1))
    progress = Progress(table(x, x[:, 0], x[:5], x[:5, 0]), go_on)
    assert len(np.unique(progress.sample)) == SAMPLE


def test_small_steps_earn_patience() -> None:
    data = mixed(0)
    progress = Progress(data, go_on)
    for step, off in ((1, 1.0), (60, 2.0)):
        progress.log(step, data.y[progress.sample], data.y_valid + off)
    assert out_of_patience(progress, 0.3) and not out_of_patience(progress, 0.02)
