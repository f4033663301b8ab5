"""Mean average precision of detected boxes (Lin et al., "Microsoft COCO", 2014), by faster-coco-eval."""

from __future__ import annotations

import math
from typing import Any

from automl_gpt.tools.train.protocol import Prediction, Target

MOST_BOXES = 100
"""Boxes of a picture that count, best first, as COCO has it."""


def mean_average_precision(y: Target, p: Prediction, classes: int) -> dict[str, float]:
    """Return `map` (the mean over overlaps of .5, .55, ... .95), `map50` and `map75`, of records of `examples`.

    Each is the mean over the classes that occur in `y`, from 0 to 1; NaN where `y` holds no box at all.
    """
    if not any(record["boxes"] for record in y):
        return dict.fromkeys(("map", "map50", "map75"), math.nan)
    from faster_coco_eval.core.coco import COCO
    from faster_coco_eval.core.faster_eval_api import COCOeval_faster

    truth: Any = COCO(_truth(y, classes))
    found: Any = truth.loadRes(_found(p))
    judge: Any = COCOeval_faster(truth, found, "bbox", print_function=_silent)
    judge.params.maxDets = [1, 10, MOST_BOXES]
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return {name: float(judge.stats[place]) for place, name in enumerate(("map", "map50", "map75"))}


def _silent(*_: Any) -> None:
    """Print nothing: the screen is somebody else's."""


def _truth(y: Target, classes: int) -> dict[str, Any]:
    """Return the correct boxes as a COCO data set; ids begin with 1, because 0 means "no match" to COCO's code."""
    boxes = [(n, box, label) for n, r in enumerate(y, 1) for box, label in zip(r["boxes"], r["labels"], strict=True)]
    return {
        "images": [{"id": n, "width": r["width"], "height": r["height"]} for n, r in enumerate(y, 1)],
        "categories": [{"id": code + 1, "name": str(code)} for code in range(classes)],
        "annotations": [
            {
                "id": i,
                "image_id": n,
                "category_id": int(label) + 1,
                "bbox": [float(side) for side in box],
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
            }
            for i, (n, box, label) in enumerate(boxes, 1)
        ],
    }


def _found(p: Prediction) -> list[dict[str, Any]]:
    return [
        {"image_id": n, "category_id": int(label) + 1, "bbox": [float(side) for side in box], "score": float(score)}
        for n, r in enumerate(p, 1)
        for box, label, score in zip(r["boxes"], r["labels"], r["scores"], strict=True)
    ]
