"""Answers to questions: as sources write them, where they stand in a context, and which passages hold them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Span = tuple[str, int | None]
"""An answer and where the source says that it starts."""
_WORD = re.compile(r"\w+|[^\w\s]")


def spans(value: Any) -> list[Span] | None:
    """Return the answers of one row: none where it has no answer, None where it doesn't say.

    Read as `{"text": [...], "answer_start": [...]}`, a list of such records of one answer each, a list of texts, or a
    text.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return _paired(value)
    values: list[Any] = value if isinstance(value, list) else [value]
    found: list[Span] = []
    for one in values:
        found += _paired(one) if isinstance(one, dict) else [(str(one), None)] if one is not None else []
    given = [(text, start) for text, start in found if text.strip()]
    return given or (None if found else [])


def _paired(record: dict[str, Any]) -> list[Span]:
    texts, starts = record.get("text"), record.get("answer_start")
    texts = texts if isinstance(texts, list) else [texts]
    starts = starts if isinstance(starts, list) and len(starts) == len(texts) else [starts] * len(texts)
    return [(str(t), s if isinstance(s, int) else None) for t, s in zip(texts, starts, strict=True) if t is not None]


def located(spans: Iterable[Span], context: str) -> dict[str, list[Any]]:
    """Return the answers that stand in a context, with the start of each: where the source says, else the nearest one.

    Letters may differ in case; the context's are taken.
    """
    found = {place: None for text, start in spans if (place := _place(text.strip(), start, context))}
    return {"answers": [text for text, _ in found], "starts": [start for _, start in found]}


def _place(text: str, start: int | None, context: str) -> tuple[str, int] | None:
    if start is not None and context.startswith(text, start) and start >= 0:
        return text, start
    places = _occurrences(text, context)
    if not places and len(context.lower()) == len(context):
        places = _occurrences(text.lower(), context.lower())
    if not places:
        return None
    at = min(places, key=lambda place: (abs(place - (start or 0)), place))
    return context[at : at + len(text)], at


def _occurrences(text: str, context: str) -> list[int]:
    """Return where a text stands in another; as whole words, where it does so at all."""
    found = [match.start() for match in re.finditer(re.escape(text), context)]
    whole = [at for at in found if _apart(context, at) and _apart(context, at + len(text))]
    return whole or found


def _apart(context: str, at: int) -> bool:
    return at == 0 or at == len(context) or not (context[at - 1].isalnum() and context[at].isalnum())


def words(text: str) -> list[str]:
    """Return words and signs, decomposed and in lower case, as evaluations of retrieval compare them."""
    return _WORD.findall(unicodedata.normalize("NFD", text).casefold())


def holding(answers: Sequence[Sequence[str]], passages: Sequence[str]) -> list[list[int]]:
    """Return for each question the numbers of the passages that hold one of its answers, as whole words.

    So positives are found where a data set names none (Karpukhin et al. 2020, section 3). Every passage is read once:
    an answer is looked for where its longest word stands.
    """
    anchors: dict[str, list[tuple[int, list[str], int]]] = defaultdict(list)
    for question, texts in enumerate(answers):
        for wanted in {tuple(words(text)) for text in texts} - {()}:
            at = max(range(len(wanted)), key=lambda i: (len(wanted[i]), -i))
            anchors[wanted[at]].append((at, list(wanted), question))
    found: list[list[int]] = [[] for _ in answers]
    for number, passage in enumerate(passages):
        for question in _answered(words(passage), anchors):
            found[question].append(number)
    return found


def _answered(text: list[str], anchors: dict[str, list[tuple[int, list[str], int]]]) -> list[int]:
    answered: set[int] = set()
    for place, word in enumerate(text):
        for at, wanted, question in anchors.get(word, ()):
            start = place - at
            if question not in answered and start >= 0 and text[start : start + len(wanted)] == wanted:
                answered.add(question)
    return sorted(answered)
