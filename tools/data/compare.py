"""Checks between parts of a data set: the same rows on both sides, drift, shared groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.data.check import Inspection
from automl_gpt.tools.data.infer import Column
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.values import as_numbers, levels

Index = NDArray[np.intp]
_CHUNK = 500_000
_SAMPLE = 5_000
DRIFT = 0.15
"""Distance between two distributions (Kolmogorov-Smirnov, total variation) from which a column is said to drift."""


def unseen_test_rows(frame: Any, names: list[str], train: Index, test: Index, inspection: Inspection) -> Index:
    """Return the test rows without those that stand in the training rows too (inputs and target alike).

    They are not scored: a model may have learnt them by heart. To take them out of training instead would leave holes
    just where the test looks. Where most of the test rows are concerned, all stay, with a warning.
    """
    test_keys = row_keys(frame, names, test)
    train_keys = row_keys(frame, names, train)
    double = np.isin(test_keys, train_keys)
    if not double.any():
        return test
    share = float(double.mean())
    if share > 0.5 or len(test) - int(double.sum()) < 10:
        inspection.warn(f"{share:.0%} of the test rows stand in the training rows too: the test score flatters")
        return test
    text = f"{int(double.sum())} test rows are not scored: they stand in the training rows too ({share:.1%} of them)"
    inspection.findings.append(Finding(level="leak", text=text))
    return test[~double]


def row_keys(frame: Any, names: list[str], rows: Index) -> NDArray[np.uint64]:
    """Return a hash of each of the rows over the named columns."""
    from pandas.core.util.hashing import hash_pandas_object

    keys = [
        hash_pandas_object(frame[names].iloc[rows[start : start + _CHUNK]], index=False).to_numpy()
        for start in range(0, len(rows), _CHUNK)
    ]
    return np.concatenate(keys) if keys else np.empty(0, dtype=np.uint64)


def twins(frame: Any, names: list[str]) -> tuple[Index | None, bool]:
    """Return a code for each row that identical rows share, and whether a division by it parts no identical rows.

    There is no code where no two rows are alike, nor where most are: such data repeat by nature.
    """
    _, codes, counts = np.unique(row_keys(frame, names, np.arange(len(frame))), return_inverse=True, return_counts=True)
    repeated = len(frame) - int((counts == 1).sum())
    return (codes if 0 < repeated <= 0.5 * len(frame) else None), repeated <= 0.5 * len(frame)


def check_drift(frame: Any, columns: list[Column], train: Index, test: Index, inspection: Inspection) -> None:
    """Warn where a column of a given test file is distributed otherwise than in the training file."""
    if min(len(train), len(test)) < 50:
        return
    drifting: list[str] = []
    for column in columns:
        a, b = frame[column.name].iloc[_some(train)], frame[column.name].iloc[_some(test)]
        distance = _distance(a, b, column)
        if distance > DRIFT + 1.5 * np.sqrt(1 / len(a) + 1 / len(b)):
            drifting.append(f"{column.name} ({distance:.2f})")
    if drifting:
        shown = ", ".join(drifting[:5]) + (f" and {len(drifting) - 5} more" if len(drifting) > 5 else "")
        inspection.warn(f"drift: the test file differs from the training file in {shown}")


def _some(rows: Index) -> Index:
    return rows if len(rows) <= _SAMPLE else rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp)]


def _distance(a: Any, b: Any, column: Column) -> float:
    """Return a distance from 0 (alike) to 1 (apart); 0 for what can't be compared in this way."""
    missing = abs(float(a.isna().mean()) - float(b.isna().mean()))
    if column.type == "number":
        return max(missing, _smirnov(as_numbers(a)[0], as_numbers(b)[0]))
    if column.type in ("category", "boolean"):
        return max(missing, _total_variation(a, b))
    return missing


def _smirnov(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    if not len(a) or not len(b):
        return 0.0
    both = np.concatenate([a, b])
    gaps = np.searchsorted(a, both, side="right") / len(a) - np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(gaps).max())


def _total_variation(a: Any, b: Any) -> float:
    shares: list[dict[str, float]] = []
    for side in (a, b):
        codes, words = levels(side)
        counts = np.bincount(codes[codes >= 0], minlength=len(words))
        shares.append(dict(zip(words, counts / max(1, counts.sum()), strict=True)))
    names = set(shares[0]) | set(shares[1])
    if len(names) > 100:
        return 0.0
    return sum(abs(shares[0].get(name, 0.0) - shares[1].get(name, 0.0)) for name in names) / 2


def check_groups(group: Index | None, train: Index, test: Index, inspection: Inspection) -> None:
    """Warn where one group stands on both sides of the split."""
    if group is None:
        return
    both = np.intersect1d(group[train], group[test])
    if len(both):
        share = float(np.isin(group[test], both).mean())
        text = f"{len(both)} groups stand in training and test alike ({share:.0%} of the test rows): the score flatters"
        inspection.warn(text)
