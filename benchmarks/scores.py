"""The same score for every method, computed from its file of predictions; ranks and their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Case

METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
MORE_IS_BETTER = {"roc_auc"}
RESAMPLES = 10_000


def score(case: Case, predictions: Path) -> float:
    """Score a file with the column `prediction`, or one `probability_CLASS` per class, in the order of the test file.

    ROC AUC of two classes (the last in order is the positive one), log loss of more, RMSE of values. ValueError for a
    file that lacks rows or columns or holds what is no finite number.
    """
    import pandas as pd
    from sklearn.metrics import log_loss, roc_auc_score

    truth = pd.read_csv(case.test, dtype=str, keep_default_na=False)[case.target]
    table = pd.read_csv(predictions)
    if len(table) != len(truth):
        raise ValueError(f"{len(table)} predictions for {len(truth)} rows")
    if case.task == "regression":
        values = _finite(table["prediction"].to_numpy(float))
        return float(np.sqrt(np.mean((values - truth.to_numpy(float)) ** 2)))
    classes = sorted(pd.read_csv(case.train, dtype=str, keep_default_na=False)[case.target].unique())
    probabilities = _finite(np.column_stack([_column(table, name) for name in classes]))
    codes = truth.map({name: code for code, name in enumerate(classes)}).to_numpy(int)
    if case.task == "binary":
        return float(roc_auc_score(codes == 1, probabilities[:, 1]))
    clipped = np.clip(probabilities, 1e-15, None)
    return float(log_loss(codes, clipped / clipped.sum(axis=1, keepdims=True), labels=range(len(classes))))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise ValueError("a prediction is not finite")
    return values


def _column(table: Any, name: str) -> NDArray[np.float64]:
    """Return the probabilities of a class, whose label may have been read as a number or a truth value."""
    for column in table.columns:
        label = column.removeprefix("probability_")
        if label != column and _same(label, name):
            return table[column].to_numpy(float)
    raise ValueError(f"no column probability_{name}")


def _same(a: str, b: str) -> bool:
    try:
        return float(a) == float(b)
    except ValueError:
        return a.strip().lower() == b.strip().lower()


def ranks(scores: Mapping[str, Sequence[float]], more_is_better: Sequence[bool]) -> dict[str, NDArray[np.float64]]:
    """Rank the methods on each set: 1 is best, equal ones share the mean rank, NaN (failed) comes last."""
    from scipy.stats import rankdata

    table = np.array([scores[method] for method in scores], float)
    keys = np.where(np.asarray(more_is_better), -table, table)
    ranked = rankdata(np.where(np.isnan(keys), np.inf, keys), axis=0)
    return dict(zip(scores, ranked, strict=True))


def better_mean_rank(ours: NDArray[np.float64], theirs: NDArray[np.float64], seed: int = 0) -> float:
    """Probability, over resampled sets, that our mean rank is the better one; the pairs stay together (Efron, 1979)."""
    difference = theirs - ours
    drawn = np.random.default_rng(seed).integers(len(difference), size=(RESAMPLES, len(difference)))
    means = difference[drawn].mean(axis=1)
    return float(np.mean(means > 0) + 0.5 * np.mean(means == 0))


def wins(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Share of the sets on which ours ranks higher; a tie counts half."""
    return float(np.mean(ours < theirs) + 0.5 * np.mean(ours == theirs))
