"""What all models of retrieval share: passages beside the model, and rankings from scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.protocol import FitData

FILE = "passages.jsonl"
RANKED = 100
"""So many passages are ranked for a question."""


def passages_of(data: FitData) -> list[str]:
    """Return the passages to search; ToolError where there are none, or no training questions."""
    if data.passages is None or not len(data.passages):
        raise ToolError("there are no passages to search: name their file under `passages` in the Data Card")
    if not len(data.y):
        raise ToolError("there are no training rows: nothing can be fitted")
    return data.passages.column("text")


def write_passages(folder: Path, passages: Iterable[str]) -> None:
    """Write the passages, one JSON object a line: a model's folder says what its numbers mean."""
    with (folder / FILE).open("w", encoding="utf-8") as file:
        for text in passages:
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def read_passages(folder: Path) -> list[str]:
    """Read passages that `write_passages` wrote."""
    with (folder / FILE).open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def ranked(scores: NDArray[np.float32], least: float = -np.inf) -> Iterator[dict[str, Any]]:
    """Yield for scores of shape (questions, passages) the best passages above `least`, the earlier first of equals."""
    count = min(RANKED, scores.shape[1])
    for row in scores:
        # All that reach the score of the last place, so that equals there are told apart by their number, too.
        bar = np.partition(row, len(row) - count)[len(row) - count]
        found = np.flatnonzero((row >= bar) & (row > least))
        best = found[np.argsort(-row[found], kind="stable")][:count]
        yield {"ranked": best.tolist(), "scores": row[best].astype(float).tolist()}
