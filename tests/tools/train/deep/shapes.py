"""Small pictures with rectangles, ellipses and triangles on a noisy ground, and the boxes around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import FitData, Target

LABELS = ("rectangle", "ellipse", "triangle")
MAP = Metric("map", "maximize", "answer", "detection", 1.0)


def shapes(count: int, seed: int, side: int = 128) -> tuple[Examples, Target]:
    """Draw pictures of one to three shapes; side x side pixels."""
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature

    draw = np.random.default_rng(seed)
    made = [_picture(draw, side) for _ in range(count)]
    dataset = Dataset.from_dict(
        {"image": [picture for picture, _ in made]}, features=Features({"image": ImageFeature()})
    )
    return Examples(dataset), records(record for _, record in made)


def detection_data(train: int, valid: int, side: int = 128, seed: int = 0) -> FitData:
    """Make the data of a fit, scored by mAP."""
    (x, y), (x_valid, y_valid) = shapes(train, seed, side), shapes(valid, seed + 1, side)
    return FitData(
        x=x,
        y=y,
        weight=None,
        x_valid=x_valid,
        y_valid=y_valid,
        weight_valid=None,
        features=(),
        task="detection",
        classes=0,
        metric=MAP,
        score=lambda y, prediction, _: mean_average_precision(y, prediction, len(LABELS))["map"],
        labels=LABELS,
    )


def _picture(draw: np.random.Generator, side: int) -> tuple[Any, dict[str, Any]]:
    picture = Image.fromarray(draw.integers(0, 60, (side, side, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    boxes: list[list[int]] = []
    codes: list[int] = []
    for _ in range(draw.integers(1, 4)):
        width, height = (int(v) for v in draw.integers(side // 7, side // 3, 2))
        x, y, code = int(draw.integers(side - width)), int(draw.integers(side - height)), int(draw.integers(3))
        _shape(pen, code, (x, y, x + width, y + height), tuple(int(v) for v in draw.integers(100, 255, 3)))
        boxes.append([x, y, width, height])
        codes.append(code)
    return picture, {"boxes": boxes, "labels": codes, "width": side, "height": side}


def _shape(pen: Any, code: int, box: tuple[int, int, int, int], colour: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    if code == 0:
        pen.rectangle(box, fill=colour)
    elif code == 1:
        pen.ellipse(box, fill=colour)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill=colour)
