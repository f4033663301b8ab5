"""A tiny task on pictures that any model learns: the direction of stripes, or how bright the picture is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.worker import scorer

LABELS = ("across", "upright", "chequered")


def examples(pictures: list[Any]) -> Examples:
    """Return PIL pictures as examples."""
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature

    return Examples(Dataset.from_dict({"image": pictures}, features=Features({"image": ImageFeature()})))


def pictures(rows: int, classes: int, seed: int, colour: bool = True) -> tuple[Examples, Any]:
    """Return noisy pictures of 20 x 16 pixels, and their classes (for values: their brightness, in tens)."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, max(2, classes), rows)
    bright = draw.uniform(60, 180, rows)
    stripe = (
        (np.arange(16) // 2 % 2 * 60)[:, None] + np.zeros((1, 20)),
        (np.arange(20) // 2 % 2 * 60)[None] + np.zeros((16, 1)),
    )
    patterns = (*stripe, np.abs(stripe[0] - stripe[1]))
    made: list[Any] = []
    for code, light in zip(y, bright, strict=True):
        grey = patterns[code if classes else 0] + light - 30 + draw.normal(0, 8, (16, 20))
        if colour:
            values = grey[..., None] + draw.uniform(-25, 25, 3)
            made.append(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))
        else:
            made.append(Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)))
    return examples(made), y.astype(np.int32) if classes else bright * 10


def picture_problem(classes: int = 3, rows: int = 96, metric: str = "", colour: bool = True, **more: Any) -> FitData:
    """Return the task: `classes` of them, or values (0)."""
    (x, y), (x_valid, y_valid) = (pictures(count, classes, seed, colour) for count, seed in ((rows, 1), (40, 2)))
    chosen = METRICS[metric or ("accuracy" if classes else "rmse")]
    kind: Any = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    data = FitData(
        x=x,
        y=y,
        weight=None,
        x_valid=x_valid,
        y_valid=y_valid,
        weight_valid=None,
        features=(),
        task=kind,
        classes=classes,
        metric=chosen,
        score=scorer(chosen, 1 if classes == 2 else None),
        seed=3,
        labels=LABELS[:classes],
    )
    return replace(data, **more)
