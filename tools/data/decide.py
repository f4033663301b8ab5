"""Whether one column alone decides the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.data.infer import Column
from automl_gpt.tools.data.target import TargetColumn
from automl_gpt.tools.data.values import as_numbers, kind_of

SAMPLE = 50_000
"""Rows that a suspicion is raised by; it is confirmed on all."""
ENOUGH = 50
"""Below so many training rows even a flawless column is only warned of."""
ENOUGH_FOR_THRESHOLDS = 500
"""A number that separates the classes by thresholds is common in small data; from so many rows on it is a leak."""
NEARLY = 0.99


@dataclass(frozen=True)
class Verdict:
    """A column that decides the target (`leak`) or nearly does."""

    leak: bool
    text: str


def decides(series: Any, column: Column, target: TargetColumn, train: NDArray[np.intp]) -> Verdict | None:
    """Judge one column (of all rows) on the training rows; None where it is an honest predictor."""
    if column.type in ("text", "datetime"):
        return None
    rows = train if len(train) <= SAMPLE else train[np.linspace(0, len(train) - 1, SAMPLE).astype(np.intp)]
    suspicion = _judge(series.iloc[rows], column, target, rows)
    if suspicion is None or not suspicion.leak or len(rows) == len(train):
        return suspicion
    return _judge(series.iloc[train], column, target, train)


def _judge(series: Any, column: Column, target: TargetColumn, rows: NDArray[np.intp]) -> Verdict | None:
    y = target.y[rows]
    numeric = column.type == "number"
    if target.task == "regression":
        return _correlated(as_numbers(series)[0], y) if numeric else _levels_of_values(_codes(series), y)
    codes = _codes(series)
    codes = np.where(codes < 0, codes.max(initial=-1) + 1, codes)
    count = int(codes.max(initial=0)) + 1
    if count <= max(2, len(rows) // 10):
        return _by_level(codes, y, len(target.labels))
    if numeric or kind_of(series) == "number":
        return _by_threshold(as_numbers(series)[0], y)
    return None


def _codes(series: Any) -> NDArray[np.intp]:
    import pandas as pd

    return pd.factorize(series)[0]


def _by_level(codes: NDArray[np.intp], y: NDArray[np.int32], classes: int) -> Verdict | None:
    """Let each level vote for the class that it mostly has in one half of the rows, and count it on the other."""
    levels_, rows = int(codes.max(initial=0)) + 1, len(y)
    table = np.bincount(codes * classes + y, minlength=levels_ * classes).reshape(levels_, classes)
    majority = table.sum(axis=0).max() / rows
    if 1 - table.max(axis=1).sum() / rows > 1 - NEARLY:
        return None
    half = np.random.default_rng(0).permutation(rows) % 2 == 0
    hits = _hits(codes, y, half, (levels_, classes)) + _hits(codes, y, ~half, (levels_, classes))
    pure = bool((np.count_nonzero(table, axis=1) <= 1).all())
    share = hits / rows
    if 1 - share > 0.2 * (1 - majority) or share < (0.95 if pure else NEARLY):
        return None
    rare = np.sort(table.sum(axis=0)[table.sum(axis=0) > 0])[0]
    if pure and rows >= ENOUGH and rare >= 10:
        return Verdict(True, f"each of its {levels_} values stands for one class, in all {rows} rows")
    return Verdict(False, f"{share:.1%} of the rows by its values alone")


def _hits(codes: NDArray[np.intp], y: NDArray[np.int32], half: NDArray[np.bool_], shape: tuple[int, int]) -> int:
    levels_, classes = shape
    table = np.bincount(codes[half] * classes + y[half], minlength=levels_ * classes).reshape(shape)
    table[:, table.sum(axis=0).argmax()] += table.sum(axis=1) == 0
    return int((table.argmax(axis=1)[codes[~half]] == y[~half]).sum())


def _by_threshold(values: NDArray[Any], y: NDArray[np.int32]) -> Verdict | None:
    """Let a few thresholds on a number decide."""
    from sklearn.tree import DecisionTreeClassifier

    x = np.nan_to_num(values.astype(np.float64), nan=-1e300).reshape(-1, 1)
    x = np.clip(x, -3e38, 3e38)
    counts = np.bincount(y)
    classes = int((counts > 0).sum())
    leaves = min(32, 2 * classes)
    half = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    hits = 0
    for fit in (half, ~half):
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(x[fit], y[fit])
        hits += int((tree.predict(x[~fit]) == y[~fit]).sum())
    share, majority = hits / len(y), counts.max() / len(y)
    if share < NEARLY or 1 - share > 0.2 * (1 - majority):
        return None
    if hits == len(y) and len(y) >= ENOUGH_FOR_THRESHOLDS and np.sort(counts[counts > 0])[0] >= 50:
        return Verdict(
            True, f"{classes - 1} threshold{'s' if classes > 2 else ''} on it give the class, in all {len(y)} rows"
        )
    return Verdict(False, f"{share:.1%} of the rows by thresholds on it")


def _correlated(values: NDArray[Any], y: NDArray[np.float64]) -> Verdict | None:
    """A copy of the target in another unit, or one rank for rank, is a leak."""
    from scipy.stats import rankdata

    present = ~np.isnan(values)
    if present.sum() < max(ENOUGH, 0.5 * len(y)):
        return None
    x, z = values[present].astype(np.float64), y[present]
    straight = _correlation(x, z)
    ranks = _correlation(rankdata(x), rankdata(z)) if abs(straight) > 0.5 or len(np.unique(z)) > 20 else 0.0
    strongest = max(abs(straight), abs(ranks))
    if present.all() and len(np.unique(z)) > 2 and (abs(straight) >= 1 - 5e-7 or abs(ranks) >= 1 - 1e-9):
        return Verdict(True, "it follows the target exactly")
    return Verdict(False, f"correlation {strongest:.3f}") if strongest >= NEARLY else None


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _levels_of_values(codes: NDArray[np.intp], y: NDArray[np.float64]) -> Verdict | None:
    """Categories that each stand for one value of the target."""
    codes = np.where(codes < 0, codes.max(initial=-1) + 1, codes)
    count = int(codes.max(initial=0)) + 1
    if count > len(y) // 5 or len(np.unique(y)) <= 2:
        return None
    sizes = np.maximum(np.bincount(codes, minlength=count), 1)
    means = np.bincount(codes, weights=y, minlength=count) / sizes
    left = float(np.square(y - means[codes]).sum())
    total = float(np.square(y - y.mean()).sum())
    if len(y) >= ENOUGH and left <= 1e-12 * total:
        return Verdict(True, f"each of its {count} values stands for one value of the target")
    explained = 1 - left / total
    return Verdict(False, f"{explained:.1%} of the variance by its values alone") if explained >= NEARLY else None
