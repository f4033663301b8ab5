"""How far a score may be luck: the bootstrap over rows (Efron, 1979), fast enough to be asked for at every turn.

What a metric needs of a prediction (its order, its losses, its labels) is computed once; each resample is then only a
weight per row. `weighted_score` agrees with `automl_gpt.tools.evaluate.metrics.score`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.evaluate.answer_metrics import BOXES, answer_score, sums
from automl_gpt.tools.evaluate.metrics import score
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, Target

Weights = NDArray[np.float64]
Statistic = Callable[[Weights], float]
"""A metric of fixed rows and a fixed prediction as a function of the weight of each row."""
CELLS = 15_000_000
"""Resamples x rows that one interval may cost: well under half a second."""
MOST_ROWS = 100_000
"""Of more rows a random part is resampled, and the interval is scaled to all of them."""
MOST_BOXES, LEAST_COUNT = 250_000, 20
"""Resamples x boxes that one interval of an average precision may cost: some two seconds; of fewer resamples than the
least an interval would be a guess, so there is none."""


def weighted_score(
    metric: Metric, y: Target, prediction: Any, positive: int = 1, labels: Sequence[str] = ()
) -> Statistic:
    """Prepare a metric for many weightings of its rows. `prediction` and `labels` are as in `metrics.score`.

    The weights of rows with boxes are how often each counts: their library knows no others.
    """
    if metric.kind == "answer":
        return _answers(metric, y, prediction, labels)
    if metric.kind == "label":
        return _from_labels(metric.name, y, prediction, positive)
    if metric.name in _OWN:
        return _OWN[metric.name](y, prediction, positive)
    if metric.name in ("pearson", "spearman"):
        return lambda w: score(metric, y, prediction, w)
    loss = _losses(metric.name, y, prediction, positive)
    root = metric.name in ("rmse", "rmsle")
    return lambda w: float(np.sqrt(w @ loss / w.sum()) if root else w @ loss / w.sum())


def interval(
    metric: Metric,
    y: Target,
    prediction: Prediction,
    weight: Weights | None = None,
    *,
    positive: int = 1,
    labels: Sequence[str] = (),
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95% percentile interval of a score over up to 300 resamples of the rows; exact for one without error.

    NaN where the score has no value, and of more boxes than can be matched again and again.
    """
    rng = np.random.default_rng(seed)
    rows = len(y)
    if rows > MOST_ROWS:
        part = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        y, prediction = y[part], prediction[part]
        weight = None if weight is None else weight[part]
    statistic = weighted_score(metric, y, prediction, positive, labels)
    count = _count(metric, y, prediction)
    weight = None if metric.name in BOXES else weight
    values = np.array([statistic(w) for w in resamples(len(y), count, weight, rng)])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    if low == high == metric.best and metric.direction == "maximize":
        return float(low - _unseen(rows)), float(high)
    centre, shrink = float(values.mean()), float(np.sqrt(len(y) / rows))
    return float(centre + (low - centre) * shrink), float(centre + (high - centre) * shrink)


def _unseen(rows: int) -> float:
    """Return the largest share of errors of which as many rows without one are no surprise (Clopper and Pearson, 1934).

    No resample of rows without an error has one, so the bootstrap can't tell.
    """
    return 1 - 0.025 ** (1 / rows)


def _count(metric: Metric, y: Target, prediction: Prediction) -> int:
    """Return how many resamples are affordable."""
    if metric.name in BOXES:
        boxes = sum(len(record["boxes"]) for part in (y, prediction) for record in part)
        count = min(MOST_BOXES // max(boxes, 1), 50)
        return count if count >= LEAST_COUNT else 0
    # A score of an order costs three times as much as a mean of losses, and one order per class for several classes.
    columns = 1 if metric.kind != "score" else 3 * (prediction.shape[1] if prediction.shape[1] > 2 else 1)
    columns = 3 if metric.name == "spearman" else columns
    return int(np.clip(CELLS / max(len(y) * columns, 1), 40, 300))


def difference(
    metric: Metric, y: Target, one: Prediction, other: Prediction, weight: Weights | None = None, *, positive: int = 1
) -> tuple[float, float]:
    """Return by how much `one` is better than `other` (more is better), and the standard error of that.

    Paired: each of 100 resamples scores both predictions on the same rows.
    """
    first, second = (weighted_score(metric, y, p, positive) for p in (one, other))
    whole = np.ones(len(y)) if weight is None else weight
    rng = np.random.default_rng(0)
    gaps = np.array([first(w) - second(w) for w in resamples(len(y), 100, weight, rng)])
    gaps = gaps[~np.isnan(gaps)]
    error = float(gaps.std(ddof=1)) if len(gaps) > 1 else float("nan")
    return metric.sign * (first(whole) - second(whole)), error


def resamples(rows: int, count: int, weight: Weights | None, rng: np.random.Generator) -> Iterator[Weights]:
    """Yield resamples of rows, drawn with replacement, as one weight per row."""
    for _ in range(count):
        times = np.bincount(rng.integers(rows, size=rows, dtype=np.int32), minlength=rows)
        yield times.astype(np.float64) if weight is None else times * weight


def from_confusion(name: str, table: NDArray[np.float64], positive: int) -> NDArray[np.float64]:
    """Compute a metric of labels from confusion matrices of shape (any, true class, predicted class)."""
    true, said, hit = table.sum(axis=2), table.sum(axis=1), np.diagonal(table, axis1=1, axis2=2)
    total = true.sum(axis=1)
    if name == "accuracy":
        return _over(hit.sum(axis=1), total)
    if name == "balanced_accuracy":
        return _over(np.where(true > 0, _over(hit, true), 0).sum(axis=1), (true > 0).sum(axis=1))
    if name == "mcc":
        both = hit.sum(axis=1) * total - (true * said).sum(axis=1)
        spread = (total**2 - (said**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
        return np.where(spread > 0, _over(both, np.sqrt(np.maximum(spread, 0))), 0.0)
    f1 = np.where(true + said > 0, _over(2 * hit, true + said), 0.0)
    if name == "f1":
        return f1[:, positive]
    return _over(f1.sum(axis=1), (true + said > 0).sum(axis=1))


def _answers(metric: Metric, y: Target, p: Any, labels: Sequence[str]) -> Statistic:
    if metric.name not in BOXES:
        summed = sums(metric.name, y, p, labels)
        return lambda w: summed.score(w @ summed.rows)

    def compute(w: Weights) -> float:
        rows = np.repeat(np.arange(len(y)), w.astype(np.intp))
        return answer_score(metric.name, y[rows], p[rows], None, labels)

    return compute


def _over(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)


def _losses(name: str, y: Target, p: Any, positive: int) -> NDArray[np.float64]:
    if name == "log_loss":
        clipped = np.clip(p, 1e-15, 1.0)
        return -np.log(clipped[np.arange(len(y)), y] / clipped.sum(axis=1))
    if name == "brier":
        binary = p.shape[1] == 2
        return (p[:, positive] - (y == positive)) ** 2 if binary else ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
    if name == "rmsle":
        bad = (y <= -1).any()
        return np.full(len(y), np.nan) if bad else (np.log1p(np.maximum(p, 0)) - np.log1p(y)) ** 2
    error = np.abs(np.asarray(y - p, dtype=np.float64))
    if name == "mape":
        return error / np.maximum(np.abs(y), np.finfo(np.float64).eps)
    return error**2 if name == "rmse" else error


def _from_labels(name: str, y: Target, p: Any, positive: int) -> Statistic:
    classes = p.shape[1]
    cell = y.astype(np.intp) * classes + p.argmax(axis=1)

    def compute(w: Weights) -> float:
        table = np.bincount(cell, weights=w, minlength=classes**2).astype(np.float64)
        return float(from_confusion(name, table.reshape(1, classes, classes), positive)[0])

    return compute


def _groups(score: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the falling order of scores, and where each run of equal scores begins."""
    order = np.argsort(-np.asarray(score), kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(np.asarray(score)[order]) != 0])


def _auc(flag: NDArray[np.bool_], score: Any) -> Statistic:
    order, starts = _groups(score)
    ones = flag[order]

    def compute(w: Weights) -> float:
        w = w[order]
        hit = np.add.reduceat(w * ones, starts)
        miss = np.add.reduceat(w, starts) - hit
        below = miss.sum() - miss.cumsum() + miss / 2
        pairs = hit.sum() * miss.sum()
        return float(hit @ below / pairs) if pairs > 0 else float("nan")

    return compute


def _roc_auc(y: Target, p: Any, positive: int) -> Statistic:
    if p.shape[1] == 2:
        return _auc(y == positive, p[:, positive])
    each = [_auc(y == code, p[:, code]) for code in range(p.shape[1]) if 0 < np.count_nonzero(y == code) < len(y)]

    def compute(w: Weights) -> float:
        values = [v for v in (one(w) for one in each) if not np.isnan(v)]
        return float(np.mean(values)) if values else float("nan")

    return compute


def _average_precision(flag: NDArray[np.bool_], score: Any) -> Statistic:
    order, starts = _groups(score)
    ones = flag[order]

    def compute(w: Weights) -> float:
        w = w[order]
        hit, seen = np.add.reduceat(w * ones, starts), np.add.reduceat(w, starts).cumsum()
        total = hit.sum()
        precision = np.divide(hit.cumsum(), seen, out=np.zeros(len(hit)), where=seen > 0)
        return float(hit @ precision / total) if total > 0 else float("nan")

    return compute


def _weighted_median(error: NDArray[np.float64]) -> Statistic:
    order = np.argsort(error)
    rising = error[order]

    def compute(w: Weights) -> float:
        share = w[order].cumsum()
        half = share[-1] / 2
        lower = rising[np.searchsorted(share, half, side="left")]
        upper = rising[min(int(np.searchsorted(share, half, side="right")), len(rising) - 1)]
        return float((lower + upper) / 2)

    return compute


def _r2(y: Target, p: Any) -> Statistic:
    def compute(w: Weights) -> float:
        spread = float(w @ (y - w @ y / w.sum()) ** 2)
        return 1 - float(w @ (y - p) ** 2) / spread if spread > 0 else float("nan")

    return compute


_OWN: dict[str, Callable[[Target, Any, int], Statistic]] = {
    "roc_auc": _roc_auc,
    "average_precision": lambda y, p, positive: _average_precision(y == positive, p[:, positive]),
    "median_absolute_error": lambda y, p, _: _weighted_median(np.abs(y - p)),
    "r2": lambda y, p, _: _r2(y, p),
}
"""Metrics that are no mean of losses."""
