"""A tiny task on texts that any network learns: one word decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.worker import scorer

SCRATCH = {
    "max_length": 24,
    "class_weight": "none",
    "vocabulary": 200,
    "hidden_size": 64,
    "layers": 1,
    "learning_rate": 0.002,
    "epochs": 3,
    "batch_size": 16,
    "weight_decay": 0.01,
    "warmup": 0.1,
}
GIVEN = {
    "max_length": 24,
    "class_weight": "none",
    "training": "full",
    "learning_rate": 0.002,
    "epochs": 2,
    "batch_size": 16,
    "weight_decay": 0.01,
    "warmup": 0.1,
}


def texts(rows: int, classes: int, seed: int) -> tuple[Examples, Any]:
    """Return texts of random words with one that tells the class (for values: how often it stands there)."""
    from datasets import Dataset

    draw = np.random.default_rng(seed)
    filler, marks = [f"w{i}" for i in range(30)], ["red", "green", "blue"]
    y = draw.integers(0, max(2, classes), rows)
    lines = [
        " ".join([*draw.choice(filler, 5), *([marks[k]] if classes else ["much"] * int(k)), *draw.choice(filler, 2)])
        for k in y
    ]
    answers = y.astype(np.int32) if classes else 10.0 * y + 5.0
    return Examples(Dataset.from_dict({"text": lines})), answers


def word_problem(classes: int = 2, rows: int = 160, metric: str | None = None, **more: Any) -> FitData:
    """Return the task: `classes` of them, or values (0)."""
    (x, y), (x_valid, y_valid) = texts(rows, classes, 1), texts(60, classes, 2)
    chosen = METRICS[metric or ("accuracy" if classes else "rmse")]
    data = FitData(
        x=x,
        y=y,
        weight=None,
        x_valid=x_valid,
        y_valid=y_valid,
        weight_valid=None,
        features=(),
        task={0: "regression", 2: "binary"}.get(classes, "multiclass"),  # type: ignore[arg-type]
        classes=classes,
        metric=chosen,
        score=scorer(chosen, 1 if classes == 2 else None),
        seed=3,
        labels=("red", "green", "blue")[:classes],
    )
    return replace(data, **more)


class Log:
    """Takes the rows of a fit; `stop` is the number of rows after which it says no, `fail` after which it raises."""

    def __init__(self, stop: int = 10**9, fail: int = 10**9) -> None:
        self.rows: list[tuple[int, float]] = []
        self.more: list[dict[str, float]] = []
        self.seconds: list[float | None] = []
        self.stop, self.fail = stop, fail

    def __call__(self, step: int, train: float, valid: float, more: Any = None, seconds: float | None = None) -> bool:
        self.rows.append((step, valid))
        self.more.append(dict(more or {}))
        self.seconds.append(seconds)
        if len(self.rows) >= self.fail:
            raise KeyboardInterrupt
        return len(self.rows) < self.stop
