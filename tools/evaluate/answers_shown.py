"""The best and the worst answers of a model, for the report: spans, texts, passages, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.data.prepared import open_passages
from automl_gpt.tools.evaluate.answer_metrics import sums
from automl_gpt.tools.evaluate.gallery import (
    MOST_COUNTED,
    Counted,
    Gallery,
    Rows,
    Seen,
    Shown,
    Word,
    around,
    cut,
    each,
    ranked,
)
from automl_gpt.tools.evaluate.words import figure
from automl_gpt.tools.train.protocol import Target, TaskKind

WORDS = 40
"""Words of a tagged sentence that are shown."""
LONGEST_WORD = 40
_JUDGED: dict[TaskKind, tuple[str, float]] = {
    "token-classification": ("token_accuracy", 1.0),
    "question-answering": ("qa_f1", 1.0),
    "text-generation": ("chrf", 100.0),
    "retrieval": ("mrr", 1.0),
}
"""The metric that judges one example of a task, and that of a perfect one."""
_TITLES: dict[TaskKind, tuple[str, str]] = {
    "token-classification": ("Sentences tagged best", "Sentences tagged worst"),
    "question-answering": ("Best answers", "Worst answers"),
    "text-generation": ("Best texts", "Worst texts"),
    "retrieval": ("Right passages found first", "Right passages found last"),
}


def answered(seen: Seen, task: TaskKind) -> Gallery:
    """Choose and describe examples by the metric that judges one answer of the task."""
    metric, perfect = _JUDGED[task]
    summed = sums(metric, seen.y, seen.p, seen.labels)
    scores = np.array([summed.score(row) for row in summed.rows], dtype=np.float64)
    best, worst = ranked(scores, _weight(seen, task), perfect)
    describe = _DESCRIBED[task](seen)
    good, bad = (each(lambda row: describe(row, float(scores[row])), rows) for rows in (best, worst))
    counts = _by_tag(seen) if task == "token-classification" else None
    return Gallery(good, bad, *_TITLES[task], counts=counts)


def _weight(seen: Seen, task: TaskKind) -> NDArray[Any]:
    """Return what makes an example worth seeing: certainty, entities, the length of the answer."""
    if task == "question-answering":
        return np.array([record["score"] for record in seen.p])
    if task == "token-classification":
        usual = _counts(seen.y, len(seen.labels)).argmax()
        return np.array([sum(code != usual for code in record["tags"]) for record in seen.y])
    if task == "text-generation":
        return np.array([len(record["texts"][0]) for record in seen.y])
    return np.array([record["scores"][0] if record["scores"] else 0.0 for record in seen.p])


Describe = Callable[[int, float], Shown]
"""Describes a row, whose score is given."""


def _asked(seen: Seen) -> Describe:
    def describe(row: int, score: float) -> Shown:
        context, true, said = seen.one(row, "context"), seen.y[row], seen.p[row]
        start = true["starts"][0] if true["starts"] else said["start"]
        expected = cut(" / ".join(dict.fromkeys(true["answers"]))) or "no answer"
        got = f"{cut(said['text']) or 'no answer'} (score {figure(said['score'])})"
        told = {"question": cut(seen.one(row, "question")), "context": around(context, max(0, start))}
        return _shown(**told, expected=expected, predicted=got, F1=figure(score))

    return describe


def _written(seen: Seen) -> Describe:
    def describe(row: int, score: float) -> Shown:
        expected, got = cut(seen.y[row]["texts"][0]), cut(seen.p[row]["text"]) or "nothing"
        return _shown(source=cut(seen.one(row, "text")), expected=expected, got=got, chrF=figure(score))

    return describe


def _searched(seen: Seen) -> Describe:
    passages: Any = open_passages(seen.prepared.folder)

    def passage(number: int) -> str:
        return cut(passages.batch([number], "text")[0])

    def describe(row: int, _: float) -> Shown:
        found, right = seen.p[row]["ranked"], seen.y[row]["passages"]
        rank = next((place for place, number in enumerate(found, 1) if number in right), None)
        told = {"question": cut(seen.one(row, "question"))}
        told["rank of the right passage"] = f"not among the first {len(found)}" if rank is None else str(rank)
        told |= {"first passage": passage(found[0])} if found else {}
        told |= {} if rank == 1 else {"right passage": passage(right[0])}
        return _shown(**told)

    return describe


def _shown(**told: str) -> Shown:
    return Shown(tuple(told.items()))


# --------------------------------------------------------------------------------------------------------------- tags


def _tagged(seen: Seen) -> Describe:
    usual = int(_counts(seen.y, len(seen.labels)).argmax())

    def word(text: str, true: int, said: int) -> Word:
        if true != said:
            return Word(cut(text, LONGEST_WORD), f"{seen.labels[true]}, predicted {seen.labels[said]}", right=False)
        return Word(cut(text, LONGEST_WORD), "" if true == usual else seen.labels[true])

    def describe(row: int, _: float) -> Shown:
        tags = seen.y[row]["tags"], seen.p[row]["tags"]
        words = [word(*one) for one in zip(seen.one(row, "tokens"), *tags, strict=True)]
        wrong = sum(not one.right for one in words)
        return Shown((("tags", f"{wrong} of {len(words)} wrong"),), words=_part(words))

    return describe


def _part(words: list[Word]) -> tuple[Word, ...]:
    """Return the words from shortly before the first one that has a note."""
    first = next((place for place, word in enumerate(words) if word.note), 0)
    begin = max(0, min(first - 3, len(words) - WORDS))
    end = begin + WORDS
    return (*([Word("…")] if begin else []), *words[begin:end], *([Word("…")] if end < len(words) else []))


def _counts(records: Target, labels: int) -> Rows:
    return np.bincount([code for record in records for code in record["tags"]] or [0], minlength=labels)


def _by_tag(seen: Seen) -> Counted:
    labels = len(seen.labels)
    true, said = (_counts(answers, labels) for answers in (seen.y, seen.p))
    pairs = zip(seen.y, seen.p, strict=True)
    hits = [a for t, s in pairs for a, b in zip(t["tags"], s["tags"], strict=True) if a == b]
    right = np.bincount(np.array(hits, dtype=np.intp), minlength=labels)
    shown = [int(code) for code in np.argsort(-true, kind="stable")[:MOST_COUNTED] if true[code] or said[code]]
    rows = tuple((seen.labels[c], str(true[c]), str(said[c]), str(right[c])) for c in shown)
    return Counted("Tags, in words", ("tag", "true", "predicted", "right"), rows)


_DESCRIBED: dict[TaskKind, Callable[[Seen], Describe]] = {
    "token-classification": _tagged,
    "question-answering": _asked,
    "text-generation": _written,
    "retrieval": _searched,
}
