"""Which found boxes are right: picture by picture, and class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.examples import records
from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision
from automl_gpt.tools.evaluate.pictures_drawn import LEAST_SCORE
from automl_gpt.tools.train.protocol import Prediction, Target

OVERLAP = 0.5
"""A found box is right where it shares at least so much (intersection over union) with a true one of its class."""
THRESHOLDS = np.arange(0.05, 0.951, 0.05)


@dataclass(frozen=True)
class Matched:
    """Counts of each picture, integer arrays of shape (pictures,): boxes found at `least` or above, right, true."""

    least: float
    found: NDArray[np.intp]
    right: NDArray[np.intp]
    true: NDArray[np.intp]

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each picture; NaN where there is no box, neither true nor found."""
        boxes = self.found + self.true
        return np.where(boxes > 0, 2 * self.right / np.maximum(boxes, 1), np.nan)


def match(y: Target, p: Prediction) -> Matched:
    """Match found boxes with true ones, at the least score that gives the best F1 over all pictures."""
    scores = [np.asarray(said["scores"], dtype=np.float64) for said in p]
    right = [right_boxes(true, said) for true, said in zip(y, p, strict=True)]
    true = np.array([len(record["boxes"]) for record in y], dtype=np.intp)
    least = _least(np.concatenate([*scores, np.empty(0)]), np.concatenate([*right, np.empty(0, dtype=bool)]), true)
    kept = [values >= least for values in scores]
    hits = [int((flags & keep).sum()) for flags, keep in zip(right, kept, strict=True)]
    return Matched(least, np.array([keep.sum() for keep in kept], dtype=np.intp), np.array(hits, dtype=np.intp), true)


def _least(scores: NDArray[np.float64], right: NDArray[np.bool_], true: NDArray[np.intp]) -> float:
    boxes = max(1, int(true.sum()))
    f1 = [2 * right[scores >= t].sum() / (np.count_nonzero(scores >= t) + boxes) for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(f1))]) if max(f1) > 0 else LEAST_SCORE


def right_boxes(true: dict[str, Any], said: dict[str, Any]) -> NDArray[np.bool_]:
    """Say of each found box whether it is right.

    From the best score down, each takes the free true box of its class that it shares most with (Everingham et al.,
    "PASCAL VOC", 2010); so what counts as right at one least score does not depend on boxes below it.
    """
    flags = np.zeros(len(said["boxes"]), dtype=bool)
    if not true["boxes"] or not len(flags):
        return flags
    shared = overlaps(said["boxes"], true["boxes"])
    shared[np.asarray(said["labels"])[:, None] != np.asarray(true["labels"])[None]] = 0.0
    for place in np.flatnonzero(shared.max(axis=1) >= OVERLAP):
        own = int(shared[place].argmax())
        if shared[place, own] >= OVERLAP:
            flags[place] = True
            shared[:, own] = 0.0
    return flags


def overlaps(first: Sequence[Any], second: Sequence[Any]) -> NDArray[np.float64]:
    """Return intersection over union of each pair of boxes [x, y, width, height]: shape (first, second)."""
    a, b = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (first, second))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    union = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None] - both
    return both / np.maximum(union, 1e-12)


def average_precision(y: Target, p: Prediction, code: int, classes: int) -> float:
    """Return the average precision of one class at an overlap of 0.5, from 0 to 1; NaN where it has no true box."""
    return mean_average_precision(_only(y, code), _only(p, code), classes)["map50"]


def _only(boxes: Target | Prediction, code: int) -> Target:
    """Return records with the boxes of one class alone."""
    return records({**record, **_kept(record, code)} for record in boxes)


def _kept(record: dict[str, Any], code: int) -> dict[str, list[Any]]:
    places = [place for place, label in enumerate(record["labels"]) if label == code]
    return {name: [record[name][i] for i in places] for name in ("boxes", "labels", "scores") if name in record}
