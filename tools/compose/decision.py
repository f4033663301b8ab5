"""Decision weights: which class to say, given its probability, where the metric does not reward the likeliest one.

F1, balanced accuracy or Matthews' coefficient are not maximised by the class with the highest probability. One factor
per class on the probabilities, tuned on out-of-fold predictions, generalises the threshold of a binary classifier; it
changes the labels that are said and leaves the probabilities as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.evaluate.bootstrap import difference, from_confusion
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Prediction, Target

TUNED = ("balanced_accuracy", "f1", "f1_macro", "mcc")
"""Accuracy is not among them: the likeliest class is its best answer."""
FACTORS = np.geomspace(1 / 8, 8, 25)
MOST_CLASSES = 30
MOST_ROWS = 20_000
LEAST_ROWS = 50
Weight = NDArray[np.float64] | None


def decide(prediction: Prediction, weights: tuple[float, ...]) -> Prediction:
    """Return probabilities times decision weights, rows summing to 1; unchanged where there are no weights."""
    if not weights:
        return prediction
    scaled = prediction * np.asarray(weights)
    return scaled / np.maximum(scaled.sum(axis=1, keepdims=True), 1e-300)


def decision_weights(
    metric: Metric, y: Target, prediction: Prediction, weight: Weight = None, *, positive: int = 1, seed: int = 0
) -> tuple[float, ...]:
    """Return one factor per class, the first being 1; empty where the likeliest class is as good within noise.

    Tuned on one half of the rows and measured on the other, both ways; taken where the gain exceeds its standard error.
    """
    classes = prediction.shape[1] if prediction.ndim == 2 else 0
    if metric.name not in TUNED or not 2 <= classes <= MOST_CLASSES or len(y) < LEAST_ROWS:
        return ()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[:MOST_ROWS]
    rows = rows[np.argsort(y[rows], kind="stable")]
    halves = rows[0::2], rows[1::2]
    gains: list[float] = []
    errors: list[float] = []
    for tune, check in (halves, halves[::-1]):
        found = _search(metric, y[tune], prediction[tune], _rows(weight, tune), positive)
        scaled = decide(prediction[check], found)
        gain, error = difference(metric, y[check], scaled, prediction[check], _rows(weight, check), positive=positive)
        gains.append(gain)
        errors.append(error)
    if not sum(gains) / 2 > float(np.hypot(errors[0], errors[1])) / 2:
        return ()
    return _search(metric, y[rows], prediction[rows], _rows(weight, rows), positive)


def _rows(weight: Weight, rows: NDArray[np.intp]) -> Weight:
    return None if weight is None else weight[rows]


def _search(metric: Metric, y: Target, p: Prediction, w: Weight, positive: int) -> tuple[float, ...]:
    """Search one factor after the other, from the better of no factors and those that undo the classes' shares."""
    classes = p.shape[1]
    shares = np.bincount(y, weights=w, minlength=classes) / (len(y) if w is None else w.sum())
    starts = [np.ones(classes), 1 / np.sqrt(np.maximum(shares, 1e-6)), 1 / np.maximum(shares, 1e-6)]
    factors = max(starts, key=lambda f: _value(metric, y, p * f, w, positive))
    best = _value(metric, y, p * factors, w, positive)
    for _ in range(1 if classes == 2 else 2):
        for code in range(1 if classes == 2 else 0, classes):
            for step in FACTORS:
                trial = factors.copy()
                trial[code] *= step
                value = _value(metric, y, p * trial, w, positive)
                if value > best:
                    best, factors = value, trial
    return tuple(float(f) for f in factors / factors[0])


def _value(metric: Metric, y: Target, p: Prediction, w: Weight, positive: int) -> float:
    classes = p.shape[1]
    cell = y.astype(np.intp) * classes + p.argmax(axis=1)
    table = np.bincount(cell, weights=w, minlength=classes**2).reshape(1, classes, classes)
    return float(from_confusion(metric.name, table.astype(np.float64), positive)[0])
