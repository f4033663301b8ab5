"""A tiny task of retrieval: questions call things by other words than the passages do, so that words alone fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.worker import scorer

THINGS = 24


def search(rows: int = 240, *, foreign: bool = True, metric: str = "mrr", **more: Any) -> FitData:
    """Return the task: passage i tells of thing i, the question asks for it by its foreign name (or its own)."""
    from datasets import Dataset

    draw = np.random.default_rng(4)
    passages = [f"here you read about thing{i} and some more words" for i in range(THINGS)]

    def part(count: int) -> tuple[Examples, Any]:
        asked = draw.integers(0, THINGS, count)
        starts = draw.choice(["where is", "what of", "who has"], count)
        name = "ding" if foreign else "thing"
        texts = [f"{start} {name}{i}" for start, i in zip(starts, asked, strict=True)]
        return Examples(Dataset.from_dict({"question": texts})), records({"passages": [int(i)]} for i in asked)

    (x, y), (x_valid, y_valid), chosen = part(rows), part(40), METRICS[metric]
    data = FitData(
        x=x,
        y=y,
        weight=None,
        x_valid=x_valid,
        y_valid=y_valid,
        weight_valid=None,
        features=(),
        task="retrieval",
        classes=0,
        metric=chosen,
        score=scorer(chosen, None),
        seed=3,
        passages=Examples(Dataset.from_dict({"text": passages})),
    )
    return replace(data, **more)
