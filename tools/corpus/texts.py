"""Texts, or pairs of them, to be classified, to be given a value, or to be answered by another text."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_texts import Mask, Rows, blank, load_rows, raw_part, usable
from automl_gpt.tools.corpus.columns import Plan, is_text, plan
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.corpus.sources import Parts
from automl_gpt.tools.data.report import Finding


def read_labelled(card: DataCard, parts: Parts) -> RawExamples:
    """Read texts with one class or value each."""
    chosen = plan(card, parts, ("text",), ("pair",))
    findings: list[Finding] = []
    read = {
        name: _labelled(load_rows(s, chosen, _texts(chosen), findings), chosen, findings) for name, s in parts.items()
    }
    return examples(card, parts, chosen, read, findings)


def read_generated(card: DataCard, parts: Parts) -> RawExamples:
    """Read texts that are each answered by a text, or by one of several."""
    chosen = plan(card, parts, ("text",))
    findings: list[Finding] = []
    read: dict[str, RawPart] = {}
    for name, source in parts.items():
        texts = _texts(chosen)
        if not is_nested(source.head.schema.field(chosen.target).type):
            texts.append(chosen.target)
        read[name] = _generated(load_rows(source, chosen, texts, findings), chosen, findings)
    return examples(card, parts, chosen, read, findings)


def examples(
    card: DataCard, parts: Parts, chosen: Plan, read: dict[str, RawPart], findings: list[Finding], **more: Any
) -> RawExamples:
    """Put parts together, and say which columns were read as what."""
    found = [*_read_as(card, parts, chosen), *dict.fromkeys(findings)]
    if not len(read["train"]):
        raise UserError(f"{parts['train'].name}: no row can be used: {found[-1].text if found else 'all are empty'}")
    given = {name: read[name] if name in read and len(read[name]) else None for name in ("valid", "test")}
    return RawExamples(
        read["train"], given["valid"], given["test"], chosen.target, card.task,
        columns=chosen.roles, findings=found, **more,
    )  # fmt: skip


def _read_as(card: DataCard, parts: Parts, chosen: Plan) -> list[Finding]:
    unused = [c for c in parts["train"].columns if c not in chosen.columns and c not in card.drop]
    if not unused:
        return []
    used = " and ".join(f"{column!r} as {role}" for role, column in chosen.roles.items())
    shown = ", ".join(map(repr, unused[:5])) + (", …" if len(unused) > 5 else "")
    return [Finding(level="note", text=f"read {used}; left out: {shown} (`inputs` of the card would change it)")]


def _texts(chosen: Plan) -> list[str]:
    return list(chosen.roles.values())


def empty_texts(rows: Rows, chosen: Plan) -> dict[str, Mask]:
    """Say which rows lack a text, by the reason to give."""
    return {f"{role} is empty": blank(rows.table[column]) for role, column in chosen.roles.items()}


def _labelled(rows: Rows, chosen: Plan, findings: list[Finding]) -> RawPart:
    column = rows.table[chosen.target]
    if is_nested(column.type):
        raise UserError(
            f"target {chosen.target!r} holds {column.type} in {rows.names.source}: one value a row is needed"
        )
    column = _plain(column)
    lacking = blank(column) if is_text(column.type) else np.asarray(column.is_null().to_numpy(), dtype=bool)
    keep = usable(rows, {**empty_texts(rows, chosen), "the answer is missing": lacking}, findings)
    answers = column.filter(keep).to_pandas()
    return raw_part(rows.where(keep), chosen, answers)


def _plain(column: Any) -> Any:
    """Bring types that pandas would not read as numbers or text to those that it does."""
    import pyarrow as pa
    from pyarrow.compute import call_function

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
        return column.cast(pa.float64(), safe=False)
    return call_function("utf8_trim_whitespace", [column]) if is_text(column.type) else column


def _generated(rows: Rows, chosen: Plan, findings: list[Finding]) -> RawPart:
    answers = [_references(value) for value in rows.table[chosen.target].to_pylist()]
    lacking = np.array([not texts for texts in answers], dtype=bool)
    keep = usable(rows, {**empty_texts(rows, chosen), "the answer is missing": lacking}, findings)
    records = [{"texts": texts} for texts, kept in zip(answers, keep, strict=True) if kept]
    return raw_part(rows.where(keep), chosen, records)


def _references(value: Any) -> list[str]:
    values: list[Any] = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one is not None and str(one).strip()]


def is_nested(kind: Any) -> bool:
    """Say whether an Arrow type is one of lists or records."""
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))
