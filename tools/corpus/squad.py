"""The file format of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): articles of paragraphs of questions, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError

Row = dict[str, Any]


def is_squad(whole: Row) -> bool:
    """Say whether a JSON object holds a list `data`, as files of SQuAD do."""
    return isinstance(whole.get("data"), list)


def squad_rows(whole: Row, path: Path) -> Iterator[Row]:
    """Return a row for each question: its question, context, answers (texts and starts; none: unanswerable).

    UserError names the place in the file where something is missing. Entries without paragraphs are rows as they are.
    """
    for at, article in enumerate(whole["data"]):
        where = f"{path}: data[{at}]"
        if isinstance(article, dict) and "question" in article:
            yield article
            continue
        for number, paragraph in enumerate(_get(article, "paragraphs", list, where)):
            yield from _questions(paragraph, f"{where}.paragraphs[{number}]")


def _questions(paragraph: Any, where: str) -> Iterator[Row]:
    context = _get(paragraph, "context", str, where)
    for at, asked in enumerate(_get(paragraph, "qas", list, where)):
        here = f"{where}.qas[{at}]"
        question = _get(asked, "question", str, here)
        answers: list[Any] = [] if asked.get("is_impossible") else _get(asked, "answers", list, here)
        texts = [_get(answer, "text", str, f"{here}.answers") for answer in answers]
        starts = [_get(answer, "answer_start", int, f"{here}.answers") for answer in answers]
        yield {"question": question, "context": context, "answers": {"text": texts, "answer_start": starts}}


def _get(record: Any, name: str, kind: type[Any], where: str) -> Any:
    if not isinstance(record, dict):
        raise UserError(f"{where}: no JSON object where SQuAD has one")
    if name not in record:
        raise UserError(f"{where}: lacks {name!r}, which files of SQuAD have")
    value: Any = record[name]
    if not isinstance(value, kind):
        what = {list: "a list", str: "text", int: "a whole number"}[kind]
        raise UserError(f"{where}: {name!r} must be {what}")
    return value
