"""Where a model errs, from its out-of-fold predictions: calibration, confusion, residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.protocol import Prediction, Target

BINS = 10
MOST_CLASSES = 12
"""A confusion matrix of more classes is not readable; the most frequent confusions are listed instead."""


@dataclass(frozen=True)
class Calibration:
    """Bins of equally many rows: mean probability given, share that came true, number of rows.

    `error` is the expected calibration error (Naeini et al., AAAI 2015), the mean distance of the two over rows.
    """

    said: NDArray[np.float64]
    seen: NDArray[np.float64]
    counts: NDArray[np.intp]
    error: float


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix: rows, and their share of the true class (0 to 1)."""

    count: int
    share: float


@dataclass(frozen=True)
class Confused:
    """So many rows of one class were taken for another."""

    true: str
    said: str
    count: int
    share: float


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix with a row per true class, or (many classes) the most frequent confusions."""

    labels: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...] = ()
    most: tuple[Confused, ...] = ()


def calibration(y: Target, prediction: Prediction, positive: int = 1) -> Calibration:
    """Compare probabilities with outcomes: of the positive class, or of the likeliest where there are more than two."""
    if prediction.shape[1] == 2:
        given, true = prediction[:, positive], y == positive
    else:
        given, true = prediction.max(axis=1), prediction.argmax(axis=1) == y
    order = np.argsort(given, kind="stable")
    bins = [part for part in np.array_split(order, min(BINS, max(1, len(y) // 5))) if len(part)]
    said = np.array([given[part].mean() for part in bins])
    seen = np.array([true[part].mean() for part in bins])
    counts = np.array([len(part) for part in bins])
    return Calibration(said, seen, counts, float(np.average(np.abs(said - seen), weights=counts)))


def confusion(y: Target, said: NDArray[np.intp], labels: tuple[str, ...]) -> Confusion:
    """Count which class was taken for which."""
    classes = len(labels)
    table = np.bincount(y.astype(np.intp) * classes + said, minlength=classes**2).reshape(classes, classes)
    rows = np.maximum(table.sum(axis=1, keepdims=True), 1)
    if classes <= MOST_CLASSES:
        cells = tuple(tuple(Cell(int(n), float(n / t)) for n in line) for line, (t,) in zip(table, rows, strict=True))
        return Confusion(labels, cells)
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    most: list[Confused] = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:15]:
        true, other = divmod(int(place), classes)
        if wrong[true, other]:
            share = float(wrong[true, other] / rows[true, 0])
            most.append(Confused(labels[true], labels[other], int(wrong[true, other]), share))
    return Confusion(labels, most=tuple(most))
