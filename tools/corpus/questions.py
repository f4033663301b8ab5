"""Questions with the context that answers them: extractive question answering (SQuAD 1.1 and 2.0)."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.answers import Span, located, spans
from automl_gpt.tools.corpus.check_texts import Rows, called, load_rows, raw_part, usable
from automl_gpt.tools.corpus.columns import Plan, plan
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.corpus.rows import Source
from automl_gpt.tools.corpus.sources import Parts
from automl_gpt.tools.corpus.texts import empty_texts, examples, is_nested
from automl_gpt.tools.data.report import Finding

Record = dict[str, list[Any]]


def read_questions(card: DataCard, parts: Parts) -> RawExamples:
    """Read questions, contexts and answers.

    A question that has no answer in the source is one that can't be answered. One whose answers aren't in the context
    is left out.
    """
    chosen = plan(card, parts, ("question", "context"), target="answers")
    findings: list[Finding] = []
    read: dict[str, RawPart] = {}
    for name, source in parts.items():
        read[name] = _answered(load_rows(source, chosen, texts_of(source, chosen), findings), chosen, findings)
    return examples(card, parts, chosen, read, findings)


def texts_of(source: Source, chosen: Plan) -> list[str]:
    """Return the columns to be read as text: those of the roles, and the answers unless they are lists or records."""
    nested = is_nested(source.head.schema.field(chosen.target).type)
    return [*chosen.roles.values(), *([] if nested else [chosen.target])]


def spans_of(rows: Rows, target: str) -> list[list[Span] | None]:
    """Return the answers of each row as the source gives them."""
    return [spans(value) for value in rows.table[target].to_pylist()]


def _answered(rows: Rows, chosen: Plan, findings: list[Finding]) -> RawPart:
    given = spans_of(rows, chosen.target)
    contexts = rows.table[chosen.roles["context"]]
    records = [located(answers or (), str(context)) for answers, context in zip(given, contexts, strict=True)]
    asked = np.array([len(answers or ()) for answers in given], dtype=int)
    found = np.array([len(record["answers"]) for record in records], dtype=int)
    why = {
        **empty_texts(rows, chosen),
        "the answer is missing": np.array([answers is None for answers in given], dtype=bool),
        "the answer is not in the context": (asked > 0) & (found == 0),
    }
    keep = usable(rows, why, findings)
    lost = np.array([_lost(a, r) for a, r in zip(given, records, strict=True)], dtype=bool) & keep
    if lost.any():
        text = f"{int(lost.sum()):,} rows have further answers that are not in the context: {called(rows.names, lost)}"
        findings.append(Finding(level="warning", text=text))
    return raw_part(rows.where(keep), chosen, [record for record, kept in zip(records, keep, strict=True) if kept])


def _lost(answers: list[Span] | None, record: Record) -> bool:
    """Say whether answers are lacking among those found (the same text may be given more than once)."""
    found = {text.lower() for text in record["answers"]}
    return any(text.strip().lower() not in found for text, _ in answers or ())
