"""One answer for all rows: what a model of records has to beat."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.protocol import FitData, Prediction, TaskKind

FILE = "answer.json"
RANKED = 100
"""Passages that are ranked."""
BEGINNING = re.compile(r"\S+(?:\s+\S+){0,4}")
"""Words of the context that answer a question where the usual answer is not in it."""


class ConstantAnswer:
    """The most frequent tag, text, answer or passages of the training rows; no boxes."""

    best_step = 1

    def __init__(self, task: TaskKind, answer: Any) -> None:
        self.task: TaskKind = task
        self.answer = answer

    def predict(self, x: Examples) -> Prediction:
        """Predict the same for every row, as far as the row allows."""
        if self.task == "token-classification":
            return records({"tags": [self.answer] * len(words)} for words in x.column("tokens"))
        if self.task == "question-answering":
            return records(_span(self.answer, context) for context in x.column("context"))
        return records(dict(self.answer) for _ in range(len(x)))

    def save(self, folder: Path) -> None:
        """Write the task and its answer as JSON."""
        text = json.dumps({"task": self.task, "answer": self.answer}, ensure_ascii=False)
        (folder / FILE).write_text(text, encoding="utf-8")


def constant_answer(data: FitData) -> ConstantAnswer:
    """Count the answers of the training rows, each with its row's weight; ToolError where there are none to give."""
    return ConstantAnswer(data.task, _answer(data))


def read_constant(folder: Path) -> ConstantAnswer:
    """Read an answer that was saved."""
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return ConstantAnswer(told["task"], told["answer"])


def _answer(data: FitData) -> Any:
    if data.task == "token-classification":
        return _most(_counted(data, lambda record: record["tags"]), "tagged words")
    if data.task == "question-answering":
        return _most(_counted(data, lambda record: record["answers"][:1] or [""]), "answers")
    if data.task == "text-generation":
        return {"text": _most(_counted(data, lambda record: record["texts"][:1]), "texts")}
    if data.task == "retrieval":
        return _ranking(data)
    return {"boxes": [], "labels": [], "scores": []}


def _counted(data: FitData, parts: Callable[[dict[str, Any]], Iterable[Any]]) -> Counter[Any]:
    counts: Counter[Any] = Counter()
    for i, record in enumerate(data.y):
        weight = 1.0 if data.weight is None else float(data.weight[i])
        for part in parts(record):
            counts[part] += weight  # pyright: ignore[reportArgumentType] - a Counter of weights
    return counts


def _most(counts: Counter[Any], what: str) -> Any:
    """Return what is most frequent; of equally frequent ones that which sorts first."""
    if not counts:
        raise ToolError(f"there are no {what} in the training rows: nothing can be fitted")
    return min(counts, key=lambda part: (-counts[part], part))


def _ranking(data: FitData) -> dict[str, Any]:
    counts = _counted(data, lambda record: record["passages"])
    most = sorted(range(len(data.passages)), key=lambda number: (-counts[number], number))[:RANKED]
    total = max(1.0, sum(counts.values()))
    return {"ranked": most, "scores": [float(counts[number]) / total for number in most]}


def _span(answer: str, context: str) -> dict[str, Any]:
    if not answer:
        return {"text": "", "start": -1, "score": 1.0}
    start = context.find(answer)
    if start >= 0:
        return {"text": answer, "start": start, "score": 1.0}
    first = BEGINNING.search(context)
    return (
        {"text": first[0], "start": first.start(), "score": 0.0} if first else {"text": "", "start": -1, "score": 0.0}
    )
