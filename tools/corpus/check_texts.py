"""Rows that can't be used are counted, named and left out; texts beyond all measure are cut."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.columns import Plan
from automl_gpt.tools.corpus.raw import RawPart, RowNames
from automl_gpt.tools.corpus.rows import Source
from automl_gpt.tools.data.read import release_memory
from automl_gpt.tools.data.report import Finding

LONGEST = 1_000_000
"""Characters of a text that are kept: no model reads more, and a defect of the source should not stop the rest."""
_NAMED = 3
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Rows of one part: an Arrow table of the plan's columns, and what each row is called."""

    table: Any
    names: RowNames

    def where(self, mask: Mask) -> Rows:
        """Return some of the rows."""
        import pyarrow as pa

        if mask.all():
            return self
        names = RowNames(self.names.source, self.names.numbers[mask], self.names.unit)
        return Rows(self.table.filter(pa.array(mask)), names)


def load_rows(source: Source, plan: Plan, texts: Collection[str], findings: list[Finding]) -> Rows:
    """Read the columns of a plan; those of `texts` become text and are cut where they are too long."""
    table = source.load(plan.columns, texts)
    release_memory()
    findings += [Finding(level="note", text=note) for note in source.notes]
    numbers = np.arange(1, table.num_rows + 1) if source.numbers is None else source.numbers
    rows = Rows(table, RowNames(source.name, numbers, source.unit))
    for name in dict.fromkeys(texts):
        rows = _cut(rows, name, findings)
    return rows


def _cut(rows: Rows, name: str, findings: list[Finding]) -> Rows:
    import pyarrow as pa
    from pyarrow.compute import SliceOptions, call_function

    column = rows.table[name]
    long = mask(call_function("greater", [call_function("utf8_length", [column]), pa.scalar(LONGEST)]))
    if not long.any():
        return rows
    text = f"{_counted(long, 'text')} of more than {LONGEST:,} characters cut to that: {called(rows.names, long)}"
    findings.append(Finding(level="note", column=name, text=text))
    column = call_function("utf8_slice_codeunits", [column], SliceOptions(0, LONGEST))
    table = rows.table.set_column(rows.table.column_names.index(name), name, column)
    return replace(rows, table=table)


def mask(values: Any) -> Mask:
    """Return truth values of Arrow as an array; a missing one is false."""
    return np.asarray(values.fill_null(False).to_numpy(), dtype=bool)


def blank(column: Any) -> Mask:
    """Say which texts are missing, empty, or nothing but white space."""
    import pyarrow as pa
    from pyarrow.compute import call_function

    empty = call_function("equal", [call_function("binary_length", [column]), pa.scalar(0)])
    space = call_function("utf8_is_space", [column])
    return mask(column.is_null()) | mask(empty) | mask(space)


def usable(rows: Rows, why: dict[str, Mask], findings: list[Finding]) -> Mask:
    """Say which rows stay, and warn, for each reason, of those that can't: how many, and the first few by name."""
    bad = np.zeros(len(rows.names), dtype=bool)
    for reason, these in why.items():
        fresh = these & ~bad
        if fresh.any():
            text = f"{_counted(fresh, 'row')} left out: {reason}: {called(rows.names, fresh)}"
            findings.append(Finding(level="warning", text=text))
        bad |= these
    return ~bad


def called(names: RowNames, these: Mask) -> str:
    """Name the first few of some rows."""
    chosen = np.flatnonzero(these)
    numbers = ", ".join(str(names.numbers[i]) for i in chosen[:_NAMED])
    unit = names.unit if len(chosen) == 1 else f"{names.unit}s"
    return f"{names.source} {unit} {numbers}" + (", …" if len(chosen) > _NAMED else "")


def _counted(these: Mask, noun: str) -> str:
    count = int(these.sum())
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def raw_part(rows: Rows, plan: Plan, answers: Any) -> RawPart:
    """Make the raw part of checked rows; no text is copied."""
    from datasets import Dataset

    table = rows.table.select(list(plan.roles.values())).rename_columns(list(plan.roles)).replace_schema_metadata()
    # A given fingerprint keeps `datasets` from pickling the whole table only to hash it.
    dataset: Any = Dataset(table, fingerprint=f"{rows.names.source}-{table.num_rows}-{table.nbytes}")
    others = {name: rows.table[column].to_pandas() for name, column in plan.others.items()}
    return RawPart(dataset, answers, rows.names, **others)
