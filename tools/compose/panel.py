"""Scores of many predictions of the same rows at once: what greedy ensemble selection asks for, step by step.

Scikit-learn scores one prediction at a time and checks its input each time, which is too slow for some thousand
candidate mixtures. These figures agree with `automl_gpt.tools.evaluate.metrics.score`, which reports them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.evaluate.bootstrap import from_confusion, weighted_score
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Target

Stack = NDArray[np.float32]
"""Predictions of shape (candidates, classes, rows); one "class" for regression. Rows of probabilities sum to 1."""
Weight = NDArray[np.float64] | None
SECONDARY = 0.1
"""Share of the log loss (or absolute error) in the objective where the metric itself is a step function."""


@dataclass(frozen=True)
class Panel:
    """Rows to be scored: their targets, weights, and the blocks (folds) over which a score is averaged."""

    metric: Metric
    y: Target
    weight: Weight
    blocks: tuple[NDArray[np.intp], ...]
    positive: int = 1

    def gains(self, stack: Stack) -> NDArray[np.float64]:
        """Return how good each prediction is, more is better: the metric, steadied by a loss where it is not smooth.

        NaN counts as minus infinity. Accuracy and its kin change in jumps of one row, so mixtures chosen on them alone
        follow the luck of single rows; the loss breaks ties and holds against that.
        """
        gain = self.metric.sign * self.values(stack, self.metric)
        if not self.metric.smooth:
            loss = self.values(stack, METRICS["log_loss" if self.metric.task == "classification" else "mae"])
            gain = gain - SECONDARY * loss
        return np.where(np.isnan(gain), -np.inf, gain)

    def values(self, stack: Stack, metric: Metric) -> NDArray[np.float64]:
        """Return a metric of each prediction in its own unit, the mean over the blocks in which it has a value."""
        table = np.stack([self._block(stack, metric, rows) for rows in self.blocks])
        known = ~np.isnan(table)
        return np.where(
            known.any(axis=0), np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.nan
        )

    def part(self, rows: NDArray[np.intp]) -> Panel:
        """Return the panel of some of the rows; blocks that lose all of theirs vanish."""
        place = np.full(len(self.y), -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        blocks = (place[b] for b in self.blocks)
        kept = tuple(b[b >= 0] for b in blocks)
        weight = None if self.weight is None else self.weight[rows]
        return Panel(self.metric, self.y[rows], weight, tuple(b for b in kept if len(b)), self.positive)

    def _block(self, stack: Stack, metric: Metric, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        if len(rows) < stack.shape[2]:
            stack = stack[:, :, rows]
        y, w = self.y[rows], None if self.weight is None else self.weight[rows]
        if (metric.name in _RANKED and w is not None) or metric.name in _SINGLE:
            return _one_by_one(metric, y, stack, w, self.positive)
        return _BATCHED[metric.name](stack, y, w, self.positive)


def _one_by_one(metric: Metric, y: Target, stack: Stack, w: Weight, positive: int) -> NDArray[np.float64]:
    ones = np.ones(len(y)) if w is None else w
    return np.array([weighted_score(metric, y, p.T if len(p) > 1 else p[0], positive)(ones) for p in stack])


def _mean(loss: NDArray[Any], w: Weight) -> NDArray[np.float64]:
    return loss.mean(axis=-1, dtype=np.float64) if w is None else loss @ w / w.sum()


def _picked(stack: Stack, y: Target) -> Stack:
    if stack.shape[1] == 2:
        return np.where(y == 1, stack[:, 1], stack[:, 0])
    return stack[:, y, np.arange(len(y))]


def _log_loss(stack: Stack, y: Target, w: Weight, _: int) -> NDArray[np.float64]:
    return _mean(-np.log(np.maximum(_picked(stack, y), np.float32(1e-15))), w)


def _brier(stack: Stack, y: Target, w: Weight, positive: int) -> NDArray[np.float64]:
    if stack.shape[1] == 2:
        return _mean((stack[:, positive] - (y == positive)) ** 2, w)
    return _mean((stack**2).sum(axis=1) - 2 * _picked(stack, y) + 1, w)


def _labels(stack: Stack) -> NDArray[np.intp]:
    best, label = stack[:, 0].copy(), np.zeros(stack[:, 0].shape, dtype=np.intp)
    for code in range(1, stack.shape[1]):
        higher = stack[:, code] > best
        label[higher] = code
        np.maximum(best, stack[:, code], out=best)
    return label


def _from_labels(name: str) -> Callable[[Stack, Target, Weight, int], NDArray[np.float64]]:
    def compute(stack: Stack, y: Target, w: Weight, positive: int) -> NDArray[np.float64]:
        count, classes = len(stack), stack.shape[1]
        cell = _labels(stack) + classes * y.astype(np.intp) + classes**2 * np.arange(count)[:, None]
        weights = None if w is None else np.tile(w, count)
        table = np.bincount(cell.reshape(-1), weights=weights, minlength=count * classes**2)
        return from_confusion(name, table.reshape(count, classes, classes).astype(np.float64), positive)

    return compute


def _sorted_flags(score: Stack, flag: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sort each row of scores and return the flag of each place; within equal scores the flagged ones come last.

    A float32 that is not negative sorts as its bits do; shifted by one they leave room for the flag, and sorting keys
    is several times faster than sorting positions.
    """
    bits = np.ascontiguousarray(np.maximum(score, 0), dtype=np.float32).view(np.uint32)
    keys = (bits << np.uint32(1)) | flag.astype(np.uint32)
    keys.sort(axis=1)
    return (keys & np.uint32(1)).astype(bool)


def _auc(score: Stack, positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC curve of each row of scores: the mean of the best and the worst order of equal scores."""
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return np.full(len(score), np.nan)
    place = np.arange(1, len(positive) + 1, dtype=np.float64)
    last = _sorted_flags(score, positive) @ place
    first = ~_sorted_flags(score, ~positive) @ place
    return ((last + first) / 2 - ones * (ones + 1) / 2) / (ones * zeros)


def _roc_auc(stack: Stack, y: Target, _w: Weight, positive: int) -> NDArray[np.float64]:
    codes = [positive] if stack.shape[1] == 2 else [c for c in range(stack.shape[1]) if 0 < (y == c).sum() < len(y)]
    if not codes:
        return np.full(len(stack), np.nan)
    return np.mean([_auc(stack[:, code], y == code) for code in codes], axis=0)


def _average_precision(stack: Stack, y: Target, _w: Weight, positive: int) -> NDArray[np.float64]:
    """Average precision of each candidate; among equal scores the negatives come first (the cautious order)."""
    ones = int((y == positive).sum())
    if not ones:
        return np.full(len(stack), np.nan)
    hit = ~_sorted_flags(stack[:, positive], y != positive)[:, ::-1]
    precision = hit.cumsum(axis=1) / np.arange(1, len(y) + 1)
    return (precision * hit).sum(axis=1) / ones


def _r2(stack: Stack, y: Target, w: Weight, _: int) -> NDArray[np.float64]:
    spread = float(np.average((y - np.average(y, weights=w)) ** 2, weights=w))
    return 1 - _mean((stack[:, 0] - y) ** 2, w) / spread if spread > 0 else np.full(len(stack), np.nan)


def _rmsle(stack: Stack, y: Target, w: Weight, _: int) -> NDArray[np.float64]:
    if (y <= -1).any():
        return np.full(len(stack), np.nan)
    return np.sqrt(_mean((np.log1p(np.maximum(stack[:, 0], 0)) - np.log1p(y)) ** 2, w))


def _mape(stack: Stack, y: Target, w: Weight, _: int) -> NDArray[np.float64]:
    return _mean(np.abs(stack[:, 0] - y) / np.maximum(np.abs(y), np.finfo(np.float64).eps), w)


def _pearson(stack: Stack, y: Target, w: Weight, _: int) -> NDArray[np.float64]:
    target, said = y - np.average(y, weights=w), stack[:, 0].astype(np.float64)
    said = said - _mean(said, w)[:, None]
    spread = float(np.average(target**2, weights=w)) * _mean(said**2, w)
    if not (target != 0).any():
        return np.full(len(stack), np.nan)
    return np.divide(_mean(said * target, w), np.sqrt(spread), out=np.zeros(len(stack)), where=spread > 0)


_RANKED = ("roc_auc", "average_precision")
_SINGLE = ("median_absolute_error", "spearman")
"""Metrics that are computed for one candidate after the other."""
_BATCHED: dict[str, Callable[[Stack, Target, Weight, int], NDArray[np.float64]]] = {
    **{name: _from_labels(name) for name in ("accuracy", "balanced_accuracy", "f1", "f1_macro", "mcc")},
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "rmse": lambda p, y, w, _: np.sqrt(_mean((p[:, 0] - y) ** 2, w)),
    "mae": lambda p, y, w, _: _mean(np.abs(p[:, 0] - y), w),
    "mape": _mape,
    "rmsle": _rmsle,
    "r2": _r2,
    "pearson": _pearson,
}
