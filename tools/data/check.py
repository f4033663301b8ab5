"""Deterministic checks of the input columns, which fail closed: what gives the answer away is left out, and told.

They look at training rows only. A strong predictor is not a leak: a column is left out where it decides the target
without a single exception, and warned of where it nearly does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.decide import decides
from automl_gpt.tools.data.infer import Column
from automl_gpt.tools.data.load import need_column
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.target import TargetColumn
from automl_gpt.tools.data.values import kind_of

Index = NDArray[np.intp]
_ID_WORDS = ("id", "uid", "uuid", "guid", "identifier", "rowid", "rownum", "row", "index", "unnamed")
_TIME_NAME = re.compile(r"year|date|time|month|week|day|hour|jahr", re.I)
FEW_ROWS = 30
"""Below so many rows any column may look like an identifier."""


@dataclass
class Inspection:
    """What the checks found: columns left out, each with its reason, and findings."""

    dropped: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def leave_out(self, name: str, reason: str, level: Literal["note", "leak"]) -> None:
        """Leave a column out, and say why."""
        self.dropped[name] = reason
        self.findings.append(Finding(level=level, column=name, text=f"left out: {reason}"))

    def warn(self, text: str, column: str | None = None) -> None:
        """Tell something that is left to the person."""
        self.findings.append(Finding(level="warning", column=column, text=text))


def apply_card(card: DataCard, names: list[str], inspection: Inspection) -> list[str]:
    """Return the columns that the card lets be inputs; UserError where it names one that is not there."""
    for column in card.drop:
        need_column(names, column, "card: drop")
    for column in card.inputs or {}:
        need_column(names, column, "card: inputs")
    for what, column in (("weight", card.weight), ("group", card.group), ("time", card.time)):
        if column is not None:
            need_column(names, column, f"card: {what}")
    roles = {card.target or "target", card.weight, card.group}
    kept: list[str] = []
    for name in names:
        known = (card.inputs or {}).get(name)
        if name in roles:
            continue
        if name in card.drop:
            inspection.dropped[name] = card.drop[name] or "the card drops it"
        elif known is not None and known.known == "afterwards":
            inspection.leave_out(name, "the card says that it is known only afterwards", "leak")
        elif card.inputs is not None and known is None and name != card.time:
            inspection.leave_out(name, "not among the card's inputs", "note")
        else:
            kept.append(name)
    return kept


def check_columns(
    frame: Any, columns: dict[str, Column], target: TargetColumn, train: Index, table: Index, inspection: Inspection
) -> None:
    """Leave out empty and constant columns, identifiers, and columns that decide the target.

    `train` are the training rows; `table` are all rows of the file that they stem from, in its order, where a running
    number has no gaps yet.
    """
    useless: dict[str, list[str]] = {}
    for name, column in columns.items():
        reason = _says_nothing(frame[name].iloc[train])
        if reason:
            inspection.dropped[name] = reason
            useless.setdefault(reason, []).append(name)
            continue
        own = frame[name] if len(table) == len(frame) else frame[name].iloc[table]
        reason = identifier(own, column)
        if reason:
            inspection.leave_out(name, reason, "leak")
    for reason, names in useless.items():
        _tell_useless(names, reason, inspection)
    rest = [name for name in columns if name not in inspection.dropped]
    for name in list(rest):
        verdict = decides(frame[name], columns[name], target, train)
        if verdict is not None and verdict.leak and len(rest) > 1:
            rest.remove(name)
            inspection.leave_out(name, f"it decides the target by itself: {verdict.text}", "leak")
        elif verdict is not None:
            inspection.warn(f"nearly decides the target by itself ({verdict.text}): is it known beforehand?", name)


def _says_nothing(series: Any) -> str:
    if series.isna().all():
        return "no value in any training row"
    if series.isna().any() or series.iloc[:1000].nunique() > 1 or series.nunique() > 1:
        return ""
    return "the same value in every training row"


def _tell_useless(names: list[str], reason: str, inspection: Inspection) -> None:
    """Tell of each column by itself, or of many of them at once."""
    if len(names) <= 3:
        for name in names:
            inspection.findings.append(Finding(level="note", column=name, text=f"left out: {reason}"))
        return
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    inspection.findings.append(Finding(level="note", text=f"{len(names)} columns left out: {reason}: {shown}"))


def identifier(series: Any, column: Column) -> str:
    """Return why a column identifies rows instead of describing them; empty where it does not."""
    rows, kind = len(series), kind_of(series)
    if rows < FEW_ROWS or column.type == "text" or column.declared or kind in ("boolean", "datetime"):
        return ""
    whole = kind == "number" and _is_whole(series)
    if (kind == "number" and not whole) or series.iloc[:2000].duplicated().mean() > 0.5:
        return ""
    return _identifies(series, column, series.nunique() / rows, whole)


def _identifies(series: Any, column: Column, distinct: float, whole: bool) -> str:
    if whole and distinct == 1.0 and _runs_on(series):
        return "an identifier: a running number, different in every row"
    if column.type == "category" and distinct >= 0.99:
        return "an identifier: text that is different in every row"
    if _names_an_id(str(series.name)) and distinct > 0.5:
        return "an identifier, by its name and its many different values"
    return ""


def _is_whole(series: Any) -> bool:
    head = series.iloc[:1000].to_numpy(dtype=np.float64, na_value=np.nan)
    if (head != np.floor(head)).any():  # NaN differs from itself
        return False
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return not np.isnan(values).any() and bool((values == np.floor(values)).all())


def _runs_on(series: Any) -> bool:
    """Whole numbers without gaps in any order, or nearly without and rising; years and the like count time instead."""
    if _TIME_NAME.search(str(series.name)):
        return False
    values = series.to_numpy(dtype=np.float64)
    span = values.max() - values.min() + 1
    rising = bool((np.diff(values) > 0).all() or (np.diff(values) < 0).all())
    return span == len(values) or (rising and span <= 1.5 * len(values))


def _names_an_id(name: str) -> bool:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^A-Za-z]+", spaced.lower()) if word]
    return bool(words) and (words[-1] in _ID_WORDS or words[0] in _ID_WORDS)
