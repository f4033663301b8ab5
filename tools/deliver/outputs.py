"""From a model's predictions to the columns that a person reads, a value for each row; None where none was possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.protocol import Prediction, TaskKind

Column = list[Any]


def columns_of(
    task: TaskKind, prediction: Prediction, labels: Sequence[Any], passages: Examples | None
) -> dict[str, Column]:
    """Return the columns of answers (records, as `automl_gpt.tools.corpus.examples` describes them).

    All have `prediction`: a text (question answering, generation, the best passage), a list of tags, or a list of
    boxes, best first, each with label, score and its x, y, width and height in pixels. Answers to questions have their
    `score`, passages the numbers of all that were `ranked`.
    """
    if task == "token-classification":
        return {"prediction": [[labels[code] for code in record["tags"]] for record in prediction]}
    if task == "detection":
        return {"prediction": [_boxes(record, labels) for record in prediction]}
    if task == "retrieval":
        return {"prediction": _best(prediction, passages), "ranked": [record["ranked"] for record in prediction]}
    told = {"prediction": [record["text"] for record in prediction]}
    return told | {"score": [record["score"] for record in prediction]} if task == "question-answering" else told


def _boxes(record: dict[str, Any], labels: Sequence[Any]) -> Column:
    """Return boxes as a list of records that need no key to their labels."""
    return [
        {"label": str(labels[code]), "score": score, "box": list(box)}
        for box, code, score in zip(record["boxes"], record["labels"], record["scores"], strict=True)
    ]


def _best(prediction: Prediction, passages: Examples | None) -> Column:
    first = [record["ranked"][0] if record["ranked"] else None for record in prediction]
    known = sorted({number for number in first if number is not None})
    texts = dict(zip(known, passages.batch(known, "text"), strict=True)) if passages is not None and known else {}
    return [texts.get(number) for number in first]


def spread(columns: dict[str, Column], usable: NDArray[np.intp], count: int) -> dict[str, Column]:
    """Return columns of `count` rows that have a value at the usable ones."""
    spread_out: dict[str, Column] = {}
    for name, values in columns.items():
        whole: Column = [None] * count
        for place, value in zip(usable, values, strict=True):
            whole[place] = value
        spread_out[name] = whole
    return spread_out


def numbers_of(prediction: Prediction, said: NDArray[np.intp] | None, labels: Sequence[Any]) -> dict[str, Column]:
    """Return the columns of probabilities, of which `said` are the codes that are said, or of values."""
    if said is None:
        return {"prediction": prediction.tolist()}
    told: dict[str, Column] = {"prediction": [labels[code] for code in said]}
    return told | {f"probability_{label}": prediction[:, code].tolist() for code, label in enumerate(labels)}
