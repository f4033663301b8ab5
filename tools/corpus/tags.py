"""Sentences as lists of words, each with a tag: lists in rows, or files of CoNLL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import QuotingError, UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_texts import Mask, Rows, load_rows, raw_part, usable
from automl_gpt.tools.corpus.columns import Plan, plan
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.corpus.rows import Source
from automl_gpt.tools.corpus.sources import Parts
from automl_gpt.tools.corpus.texts import examples
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.values import level_text

OUTSIDE = "O"
"""The tag of words that are part of nothing; it gets the code 0."""


def read_tagged(card: DataCard, parts: Parts) -> RawExamples:
    """Read words with their tags. Labels are sorted, `O` first; sentences with more or fewer tags than words are left
    out. UserError where a column holds no lists, or tags and the card's label space don't fit."""
    if parts["train"].columns == ["tokens", "tags"]:
        card = card.model_copy(update={"target": "tags"})  # CoNLL: its last column has no name of its own
    chosen = plan(card, parts, ("tokens",), target="tags")
    findings: list[Finding] = []
    rows = {name: _checked(source, chosen, findings) for name, source in parts.items()}
    names = _names(card, parts["train"], chosen)
    labels = _labels(rows.values(), chosen, names)
    _fits_card(card, labels, chosen.target, findings)
    read = {name: _part(these, chosen, names, labels) for name, these in rows.items()}
    return examples(card, parts, chosen, read, findings, labels=labels)


def _checked(source: Source, chosen: Plan, findings: list[Finding]) -> Rows:
    from pyarrow.compute import call_function

    rows = _need_lists(load_rows(source, chosen, (), findings), chosen)
    tokens, tags = (rows.table[name] for name in (chosen.roles["tokens"], chosen.target))
    words, tagged = (_integers(call_function("list_value_length", [column])) for column in (tokens, tags))
    why = {
        "no words": words == 0,
        "the tags are missing": tagged == 0,
        "another number of tags than of words": words != tagged,
        "a word or tag is missing": _gaps(tokens) | _gaps(tags),
    }
    return rows.where(usable(rows, why, findings))


def _need_lists(rows: Rows, chosen: Plan) -> Rows:
    import pyarrow as pa

    for name in (chosen.roles["tokens"], chosen.target):
        kind = rows.table.schema.field(name).type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            raise UserError(
                f"{rows.names.source}: column {name!r} holds {kind}, not lists: JSONL or Parquet with lists of words "
                "and of tags, or a file of CoNLL, is needed"
            )
    at = rows.table.column_names.index(chosen.roles["tokens"])
    words = rows.table.column(at).cast(pa.list_(pa.large_string()))
    return Rows(rows.table.set_column(at, chosen.roles["tokens"], words), rows.names)


def _integers(column: Any) -> NDArray[np.int64]:
    return np.asarray(column.fill_null(0).to_numpy(), dtype=np.int64)


def _gaps(column: Any) -> Mask:
    """Say which lists hold a missing value."""
    from pyarrow.compute import call_function

    rows = np.asarray(call_function("list_parent_indices", [column]).to_numpy(), dtype=np.int64)
    missing = np.asarray(call_function("list_flatten", [column]).is_null().to_numpy(), dtype=bool)
    return np.bincount(rows[missing], minlength=len(column)).astype(bool)


def _names(card: DataCard, source: Source, chosen: Plan) -> tuple[str, ...] | None:
    """Return the names of tags that are whole numbers: those of the source, or the card's label space in its order."""
    import pyarrow as pa

    if not pa.types.is_integer(source.head.schema.field(chosen.target).type.value_type):
        return None
    if chosen.target in source.tags:
        return source.tags[chosen.target]
    space = card.label_space
    return None if space is None or not all(isinstance(label, str) for label in space) else tuple(map(str, space))


def _labels(rows: Iterable[Rows], chosen: Plan, names: tuple[str, ...] | None) -> tuple[str, ...]:
    from pyarrow.compute import call_function

    found: set[Any] = set()
    for these in rows:
        flat = call_function("list_flatten", [these.table[chosen.target]])
        found.update(call_function("unique", [flat]).to_pylist())
    foreign = sorted(code for code in found if names is not None and not 0 <= code < len(names))
    if foreign:
        raise UserError(
            f"target {chosen.target!r} has the tag {foreign[0]}, and names are known of 0 to {len(names or ()) - 1}"
        )
    words = {names[value] if names else level_text(value) for value in found}
    return tuple(
        sorted(
            words, key=lambda word: (word != OUTSIDE, not word.isdecimal(), int(word) if word.isdecimal() else 0, word)
        )
    )


def _fits_card(card: DataCard, labels: tuple[str, ...], target: str, findings: list[Finding]) -> None:
    if card.label_space is None:
        return
    legal = {level_text(label) for label in card.label_space}
    foreign = [label for label in labels if label not in legal]
    if foreign:
        text = f"card: label_space lacks values that target {target!r} has"
        raise QuotingError(f"{text}: {', '.join(map(repr, foreign[:5]))}" + (", …" if len(foreign) > 5 else ""), text)
    absent = sorted(legal - set(labels))
    if absent:
        text = f"labels of the label space that never occur, so can't be learnt: {', '.join(absent[:5])}"
        findings.append(Finding(level="warning", column=target, text=text))


def _part(rows: Rows, chosen: Plan, names: tuple[str, ...] | None, labels: tuple[str, ...]) -> RawPart:
    code = {label: at for at, label in enumerate(labels)}
    records: list[dict[str, list[int]]] = []
    for batch in rows.table.select([chosen.target]).to_batches(max_chunksize=10_000):
        for tags in batch.column(0).to_pylist():
            records.append({"tags": [code[names[tag] if names else level_text(tag)] for tag in tags]})
    return raw_part(rows, chosen, records)
