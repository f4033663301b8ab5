"""Open questions, answered by passages that have to be found: which passages there are, and which ones are right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.answers import holding
from automl_gpt.tools.corpus.check_texts import LONGEST, Rows, load_rows, raw_part, usable
from automl_gpt.tools.corpus.columns import Plan, is_text, plan
from automl_gpt.tools.corpus.questions import spans_of, texts_of
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.corpus.rows import need_file, open_rows
from automl_gpt.tools.corpus.sources import Parts, place
from automl_gpt.tools.corpus.texts import empty_texts, examples
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.sniff import open_bytes

_PASSAGE = ("text", "passage", "context", "contents")


def read_retrieval(card: DataCard, parts: Parts, base: Path | None) -> RawExamples:
    """Read questions and passages: those of the file that the card names, else the contexts of the questions.

    A question's own context is its right passage; where there is none, the passages that hold one of its answers are.
    Questions without any are left out, because they can't be scored. UserError where no question has one.
    """
    chosen = _plan(card, parts)
    findings: list[Finding] = []
    rows = {name: load_rows(s, chosen, texts_of(s, chosen), findings) for name, s in parts.items()}
    passages = open_passages(card.passages, base, findings) if card.passages else _contexts(list(rows.values()), chosen)
    places: dict[str, list[int]] = {}
    for number, passage in enumerate(passages):
        places.setdefault(passage, []).append(number)
    read = {name: _asked(these, chosen, passages, places, findings) for name, these in rows.items()}
    if not len(read["train"]):
        raise UserError(
            f"{parts['train'].name}: no question has a passage that holds its answer: nothing can be learnt"
        )
    return examples(card, parts, chosen, read, findings, passages=passages)


def _plan(card: DataCard, parts: Parts) -> Plan:
    columns = parts["train"].columns
    own = "context" if "context" in columns and "answers" not in columns else "answers"
    chosen = plan(card, parts, ("question",), ("context",), target=own)
    if "context" not in chosen.roles and card.passages is None:
        raise UserError(
            "card: passages: name the file of the passages to search (the questions have no column context)"
        )
    return chosen


def _contexts(rows: list[Rows], chosen: Plan) -> list[str]:
    """Return the different contexts in the order in which they occur."""
    columns = [these.table[chosen.roles["context"]].unique().to_pylist() for these in rows]
    return list(dict.fromkeys(text for column in columns for text in column if text and text.strip()))


def _asked(
    rows: Rows, chosen: Plan, passages: list[str], places: dict[str, list[int]], findings: list[Finding]
) -> RawPart:
    alone = replace(chosen, roles={"question": chosen.roles["question"]})
    right = _own(rows, chosen, places)
    without = [i for i, numbers in enumerate(right) if not numbers]
    if without and chosen.target != chosen.roles.get("context"):
        given = spans_of(rows, chosen.target)
        found = holding([[text for text, _ in given[i] or ()] for i in without], passages)
        for i, numbers in zip(without, found, strict=True):
            right[i] = numbers
    lacking = np.array([not numbers for numbers in right], dtype=bool)
    why = {**empty_texts(rows, alone), "no passage holds an answer, so they can't be scored": lacking}
    keep = usable(rows, why, findings)
    records = [{"passages": numbers} for numbers, kept in zip(right, keep, strict=True) if kept]
    return raw_part(rows.where(keep), alone, records)


def _own(rows: Rows, chosen: Plan, places: dict[str, list[int]]) -> list[list[int]]:
    """Return the numbers of each row's own context among the passages."""
    if "context" not in chosen.roles:
        return [[] for _ in range(rows.table.num_rows)]
    column: list[Any] = rows.table[chosen.roles["context"]].to_pylist()
    return [places.get(context, []) for context in column]


def open_passages(path: str, base: Path | None, findings: list[Finding]) -> list[str]:
    """Read passages: one a line of a .txt file, else the column text, passage or context, or the only one of text."""
    file = place(path, base)
    need_file(file)
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    texts = _lines(file) if suffixes[-1:] == [".txt"] else _column(file)
    kept = [text[:LONGEST] for text in texts if text and text.strip()]
    if not kept:
        raise UserError(f"card: passages: {file} holds none")
    if len(kept) < len(texts):
        findings.append(Finding(level="warning", text=f"{len(texts) - len(kept)} empty passages left out: {file.name}"))
    return kept


def _lines(file: Path) -> list[str | None]:
    try:
        with open_bytes(file) as lines:
            return [line.decode("utf-8-sig").strip() for line in lines]
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise UserError(f"card: passages: {file}: can't be read as UTF-8 text: {error}") from error


def _column(file: Path) -> list[str | None]:
    source = open_rows(file)
    texts = [name for name in source.columns if is_text(source.head.schema.field(name).type)]
    name = next((name for name in _PASSAGE if name in source.columns), texts[0] if len(texts) == 1 else None)
    if name is None:
        raise UserError(f"card: passages: {file} needs a column called text; it has: {', '.join(source.columns)}")
    column: Any = source.load([name], [name])[name]
    # A file of questions repeats a context for each of them.
    return (column.unique() if name == "context" else column).to_pylist()
