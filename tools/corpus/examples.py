"""Examples: rows of texts or pictures in a memory-mapped Arrow file, by the role of each column.

Columns by task (a role is always called the same, whatever the source calls it):

    classification, regression      text, pair (optional)        or        image
    token-classification            tokens (list of words)
    detection                       image
    question-answering              question, context
    text-generation                 text
    retrieval                       question

The correct answers of classification and regression are codes and values; those of the other tasks are records, as are
the answers of a model. Both stand in object arrays of dicts:

    task                   target                                         prediction
    token-classification   {"tags": [code, ...]}                          {"tags": [code, ...]}
    detection              {"boxes": [[x, y, w, h], ...],                 {"boxes": ..., "labels": ...,
                            "labels": [code, ...],                         "scores": [0..1, ...]}   best first
                            "width": pixels, "height": pixels}
    question-answering     {"answers": [text, ...], "starts": [int, ...]} {"text": str, "start": int, "score": float}
                           none where there is no answer                  "" and -1 where there is no answer
    text-generation        {"texts": [text, ...]}                         {"text": str}
    retrieval              {"passages": [number, ...]}                    {"ranked": [number, ...],
                                                                           "scores": [float, ...]}

Boxes are in pixels of the picture as it is stored, x and y of the upper left corner first (as in COCO). A passage's
number is its place among the passages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.protocol import Prediction, Target


class Examples:
    """Rows of a `datasets.Dataset` whose columns are called by their roles; a selection of them copies nothing."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.dataset)

    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int]) -> Examples:
        """Return some of the rows."""
        if isinstance(rows, slice):
            return Examples(self.dataset.select(range(*rows.indices(len(self))), keep_in_memory=True))
        return Examples(self.dataset.select(np.asarray(rows, dtype=np.int64), keep_in_memory=True))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the columns."""
        return tuple(self.dataset.column_names)

    def column(self, role: str) -> list[Any]:
        """Return a whole column: text as str, tokens as lists of str, images as PIL pictures (all at once)."""
        return list(self.dataset[role][:])

    def batch(self, rows: Sequence[int], role: str) -> list[Any]:
        """Return a column of a few rows, which is all that is read."""
        return self.dataset[list(rows)][role]


def records(values: Iterable[dict[str, Any]]) -> NDArray[Any]:
    """Return records as an object array of shape (rows,)."""
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def dump_records(array: Target | Prediction) -> list[str]:
    """Return each record as a line of JSON."""
    return [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in array]


def parse_records(lines: Iterable[str]) -> NDArray[Any]:
    """Return records from lines of JSON."""
    return records(json.loads(line) for line in lines)
