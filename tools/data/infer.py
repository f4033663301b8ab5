"""What the columns are, where the card does not say; each inference comes with its reason in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import ColumnType, DataCard
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.values import (
    FALSE_WORDS,
    TRUE_WORDS,
    as_numbers,
    as_times,
    as_truth,
    kind_of,
    levels,
    sampled,
    time_format,
)

SAMPLE = 20_000
"""Rows that a column's type is judged by."""
MOSTLY = 0.95
"""Share of values that must read as numbers or as times for text to be taken as such."""
_DATE_LIKE = re.compile(r"\d{1,4}[-/. ]\w{1,9}[-/., ]\s?\d{1,4}|[A-Za-z]{3,9} \d{1,2}, \d{4}|\d{4}-\d{2}")


@dataclass(frozen=True)
class Column:
    """What a column is taken for. `form` is how its points in time are written."""

    name: str
    type: ColumnType
    form: str = ""
    declared: bool = False
    why: str = ""


def infer_columns(frame: Any, names: list[str], card: DataCard, findings: list[Finding]) -> dict[str, Column]:
    """Return what each named column is; the card's own word counts where it gives one.

    Raises UserError where a declared type does not fit what stands in the column.
    """
    columns: dict[str, Column] = {}
    for name in names:
        known = (card.inputs or {}).get(name)
        if known is not None and known.type is not None:
            columns[name] = _declared(frame[name], name, known.type)
        else:
            columns[name] = infer_column(frame[name], name, findings)
    return columns


def infer_column(series: Any, name: str, findings: list[Finding]) -> Column:
    """Judge one column by a sample of its values."""
    kind = kind_of(series)
    if kind == "number":
        return Column(name, "number", why="numbers")
    if kind == "boolean":
        return Column(name, "boolean", why="true and false")
    if kind == "datetime":
        return Column(name, "datetime", why="points in time")
    present = sampled(series.dropna(), SAMPLE)
    if not len(present):
        return Column(name, "category", why="no values")
    return _judge_text(series, present, name, findings)


def _judge_text(series: Any, present: Any, name: str, findings: list[Finding]) -> Column:
    _, words = levels(present)
    lower = {word.lower() for word in words}
    if len(lower) == 2 and lower & TRUE_WORDS and lower & FALSE_WORDS and _same_pair(lower):
        return Column(name, "boolean", why="two words for true and false")
    share = 1.0 - as_numbers(present)[1] / len(present)
    if share >= MOSTLY:
        bad = as_numbers(series)[1]
        if bad:
            text = f"mixed types: {bad} values among numbers are no numbers and were taken as missing"
            findings.append(Finding(level="warning", column=name, text=text))
        return Column(name, "number", why="text that reads as numbers")
    if _looks_like_dates(words):
        form, share = time_format(sampled(present, 2_000))
        if share >= MOSTLY:
            return Column(name, "datetime", form, why=f"{share:.0%} of the values read as points in time ({form})")
    if _is_prose(words, len(present)):
        return Column(name, "text", why="free text: several words each, many different")
    if 0.05 < share < MOSTLY:
        text = f"mixed types: {share:.0%} of the values are numbers, the rest is text; it is taken as categories"
        findings.append(Finding(level="warning", column=name, text=text))
    return Column(name, "category", why=f"text with {len(words)} different values")


def _same_pair(lower: set[str]) -> bool:
    pairs = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"1", "0"}, {"on", "off"})
    return lower in pairs


def _looks_like_dates(words: list[str]) -> bool:
    some = words[:50]
    return sum(bool(_DATE_LIKE.match(word)) for word in some) >= MOSTLY * len(some)


def _is_prose(words: list[str], rows: int) -> bool:
    lengths = [word.count(" ") + 1 for word in words[:2_000]]
    return float(np.mean(lengths)) > 3 and len(words) >= max(20, 0.2 * rows)


def _declared(series: Any, name: str, kind: ColumnType) -> Column:
    present = sampled(series.dropna(), SAMPLE)
    if not len(present):
        return Column(name, kind, declared=True, why="as the card says")
    form, share = "", 1.0
    if kind == "number":
        share = 1.0 - as_numbers(present)[1] / len(present)
    elif kind == "boolean":
        share = 1.0 - as_truth(present)[1] / len(present)
    elif kind == "datetime":
        form, share = _declared_times(present)
    if share < 0.5:
        raise UserError(f"card: inputs.{name}: type {kind} does not fit: only {share:.0%} of the values read as one")
    return Column(name, kind, form, declared=True, why="as the card says")


def _declared_times(present: Any) -> tuple[str, float]:
    if kind_of(present) == "number":
        eight_digits = present.between(18_000_101, 22_001_231).all()
        form = "%Y%m%d" if eight_digits else "seconds"
        return form, 1.0 - as_times(present, form)[1] / len(present)
    return time_format(sampled(present, 2_000))
