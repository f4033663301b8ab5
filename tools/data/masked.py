"""A profile as a model may see it: no cell that few rows hold, and no name so long that it hides the rest."""

from __future__ import annotations

from automl_gpt.tools.data.report import ColumnProfile, Finding, Profile
from automl_gpt.tools.data.statistics import MAX_LEVELS, MIN_ROWS

HIDDEN = "(not shown)"
"""Stands for a label that too few rows have, or that is one of too many."""
COLUMNS, LINES = 60, 20
"""Most columns, and most findings or inferences, that a model is shown."""
NAME, TEXT = 60, 240
"""Characters of a name or label, and of a sentence."""


def without_rare_cells(profile: Profile) -> Profile:
    """Return the profile without the labels of classes in fewer than 5 training rows; without any where over 50 are.

    Nothing else in a profile quotes cells: levels of columns keep to the same rule, and findings give counts.
    """
    labels = profile.labels
    rare = [count < MIN_ROWS for count in profile.class_counts] if len(labels) <= MAX_LEVELS else [True] * len(labels)
    if not any(rare):
        return profile
    hidden = {label for label, few in zip(labels, rare, strict=True) if few}
    shown = tuple(HIDDEN if label in hidden else label for label in labels)
    inferred = tuple(_without_label(line, hidden) for line in profile.inferred)
    return profile.model_copy(update={"labels": shown, "inferred": inferred})


def _without_label(line: str, hidden: set[str]) -> str:
    what, _, rest = line.partition(": ")
    label, _, why = rest.rpartition(", ")
    return f"{what}: {HIDDEN}, {why}" if what == "positive_class" and label in hidden else line


def profile_for_model(profile: Profile) -> Profile:
    """Return what a model may see of a profile: no rare cells, long text cut, the first 60 columns."""
    masked = without_rare_cells(profile)
    findings = [_finding(finding) for finding in masked.findings[:LINES]]
    if len(masked.columns) > COLUMNS:
        findings.append(Finding(level="note", text=f"{COLUMNS} of {len(masked.columns)} columns are listed here"))
    changes = {
        "name": _cut(masked.name, NAME),
        "target": _cut(masked.target, NAME),
        "labels": tuple(_cut(label, NAME) for label in masked.labels[:MAX_LEVELS]),
        "class_counts": masked.class_counts[:MAX_LEVELS],
        "columns": tuple(_column(column) for column in masked.columns[:COLUMNS]),
        "inferred": tuple(_cut(line, TEXT) for line in masked.inferred[:LINES]),
        "findings": tuple(findings),
    }
    return masked.model_copy(update=changes)


def _column(column: ColumnProfile) -> ColumnProfile:
    levels: dict[str, int] = {}
    for level, rows in column.levels.items():
        shown = _cut(level, NAME)
        levels[shown] = levels.get(shown, 0) + rows
    changes = {
        "name": _cut(column.name, NAME),
        "levels": levels,
        "meaning": _cut(column.meaning, TEXT),
        "why_dropped": _cut(column.why_dropped, TEXT),
    }
    return column.model_copy(update=changes)


def _finding(finding: Finding) -> Finding:
    column = None if finding.column is None else _cut(finding.column, NAME)
    return Finding(level=finding.level, column=column, text=_cut(finding.text, TEXT))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
