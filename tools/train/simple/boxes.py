"""Where boxes usually are: the positions that each class takes most often, whatever the picture shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.check_pictures import picture_sizes
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction, Target
from automl_gpt.tools.train.settings import whole

FILE = "boxes.json"
MOST_BOXES = 20_000
"""So many boxes of a class are clustered at the most."""
HIT = 0.5
"""A typical box and a true one that overlap by this much are the same (intersection over union)."""
SAMPLE = 500
"""Training pictures that are scored."""
Typical = tuple[int, float, tuple[float, float, float, float]]
"""A class's code, the share of the pictures that have about this box, the box in shares of the picture's sides."""


class MeanBoxesModel:
    """The same boxes for every picture, in shares of its sides, the most frequent ones first."""

    best_step = 1

    def __init__(self, typical: list[Typical]) -> None:
        self.typical = typical

    def predict(self, x: Examples) -> Prediction:
        """Return the boxes for each picture, in its pixels."""
        return self.for_sizes(picture_sizes(x))

    def for_sizes(self, sizes: NDArray[Any]) -> Prediction:
        """Return the boxes for pictures of such widths and heights."""
        boxes = np.array([box for _, _, box in self.typical])
        codes, scores = [code for code, _, _ in self.typical], [score for _, score, _ in self.typical]
        return records(
            {"boxes": np.round(boxes * (w, h, w, h), 2).tolist(), "labels": codes, "scores": scores} for w, h in sizes
        )

    def save(self, folder: Path) -> None:
        """Write the boxes."""
        (folder / FILE).write_text(json.dumps(self.typical), encoding="utf-8")


class MeanBoxesTrainer:
    """Clusters each class's boxes by place and size (k-means), and scores a cluster by how many pictures have it."""

    name = "mean_boxes"
    step_name = "iteration"
    package = "sklearn"
    reads = frozenset({"boxes_per_class"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> MeanBoxesModel:
        """Cluster the boxes; ToolError where no training picture holds one."""
        most = whole(hyperparameters, "boxes_per_class")
        boxes, codes, rows = _all_boxes(data.y)
        if not len(boxes):
            raise ToolError("no training picture holds a box: there is nothing to learn")
        found: list[Typical] = []
        for code in np.unique(codes):
            own = codes == code
            found += _clustered(int(code), boxes[own], rows[own], len(data.y), most, data.seed)
        model = MeanBoxesModel(sorted(found, key=lambda one: -one[1]))
        some = slice(0, SAMPLE)
        sizes = np.array([(r["width"], r["height"]) for r in data.y[some]])
        train = data.score_train(model.for_sizes(sizes), some)
        emit(1, train, data.score_valid(model.predict(data.x_valid)))
        return model

    def load(self, folder: Path) -> MeanBoxesModel:
        """Read boxes that were saved."""
        stored: list[Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return MeanBoxesModel([(code, score, tuple(box)) for code, score, box in stored])


def _all_boxes(y: Target) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Return all boxes in shares of the pictures' sides, with their classes and the rows that hold them."""
    boxes = [np.asarray(r["boxes"]).reshape(-1, 4) / (r["width"], r["height"], r["width"], r["height"]) for r in y]
    codes = [code for r in y for code in r["labels"]]
    rows = np.repeat(np.arange(len(y)), [len(b) for b in boxes])
    return np.concatenate([*boxes, np.empty((0, 4))]), np.asarray(codes, dtype=np.intp), rows


def _clustered(
    code: int, boxes: NDArray[np.float64], rows: NDArray[np.intp], pictures: int, most: int, seed: int
) -> list[Typical]:
    from sklearn.cluster import KMeans

    if len(boxes) > MOST_BOXES:
        kept = np.sort(np.random.default_rng(seed).choice(len(boxes), MOST_BOXES, replace=False))
        pictures, boxes, rows = round(pictures * MOST_BOXES / len(boxes)), boxes[kept], rows[kept]
    count = min(most, len(np.unique(boxes, axis=0)))
    make: Any = KMeans
    clusters = make(count, n_init=2, random_state=seed).fit_predict(boxes)
    centres = [np.median(boxes[clusters == cluster], axis=0) for cluster in range(count)]
    found = [(code, min(1.0, hits / max(1, pictures)), box) for hits, box in _found_by(centres, boxes, rows)]
    return [(code, round(share, 5), _rounded(box)) for code, share, box in found if share > 0]


def _found_by(
    centres: list[NDArray[np.float64]], boxes: NDArray[np.float64], rows: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the boxes of clusters with how many pictures have about this box, each true box counted once.

    So of two clusters at one place only the larger counts, unless pictures have two boxes there.
    """
    hits = [_overlap(boxes, centre) >= HIT for centre in centres]
    free = np.ones(len(boxes), dtype=bool)
    for cluster in sorted(range(len(centres)), key=lambda c: -int(hits[c].sum())):
        candidates = np.flatnonzero(hits[cluster] & free)
        pictures, first = np.unique(rows[candidates], return_index=True)
        free[candidates[first]] = False
        yield len(pictures), centres[cluster]


def _rounded(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x, y, w, h = (round(float(side), 5) for side in box)
    return x, y, w, h


def _overlap(boxes: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of each box with one."""
    low, high = np.maximum(boxes[:, :2], one[:2]), np.minimum(boxes[:, :2] + boxes[:, 2:], one[:2] + one[2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=1)
    return common / np.maximum(np.prod(boxes[:, 2:], axis=1) + np.prod(one[2:]) - common, 1e-12)
