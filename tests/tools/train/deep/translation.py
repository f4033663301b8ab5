"""A tiny task of text generation that any network learns: one word of the prompt decides what the answer is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.worker import scorer

ANSWERS = {"red": "rot", "green": "ein Grün", "blue": "<pad> blau"}
SCRATCH = {
    "max_length": 32,
    "max_target_length": 24,
    "vocabulary": 320,
    "hidden_size": 64,
    "layers": 1,
    "learning_rate": 0.003,
    "epochs": 12,
    "batch_size": 16,
    "weight_decay": 0.01,
    "warmup": 0.1,
}
GIVEN = {name: value for name, value in SCRATCH.items() if name not in ("vocabulary", "hidden_size", "layers")} | {
    "training": "full",
    "epochs": 1,
    "learning_rate": 0.001,
}


def _pairs(rows: int, seed: int) -> tuple[Examples, Any]:
    from datasets import Dataset

    draw = np.random.default_rng(seed)
    marks = draw.choice(list(ANSWERS), rows)
    filler = [" ".join(draw.choice(["of", "the"], int(draw.integers(0, 4)))) for _ in range(rows)]
    texts = [f"{words} {mark}".strip() for words, mark in zip(filler, marks, strict=True)]
    return Examples(Dataset.from_dict({"text": texts})), records({"texts": [ANSWERS[mark]]} for mark in marks)


def translation(rows: int = 160, **more: Any) -> FitData:
    """Return the task; some answers hold what looks like special tokens."""
    (x, y), (x_valid, y_valid), metric = _pairs(rows, 1), _pairs(40, 2), METRICS["chrf"]
    data = FitData(
        x=x,
        y=y,
        weight=None,
        x_valid=x_valid,
        y_valid=y_valid,
        weight_valid=None,
        features=(),
        task="text-generation",
        classes=0,
        metric=metric,
        score=scorer(metric, None),
        seed=3,
    )
    return replace(data, **more)
