"""The column to predict: its task, its labels, the positive class; and the weights of the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import QuotingError, UserError
from automl_gpt.cards.schema import DataCard, Scalar
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.values import as_numbers, kind_of, level_text, levels
from automl_gpt.tools.train.protocol import Target, TaskKind

FEW = 20
"""At most so many whole numbers can be classes: counted from 0 or 1, or very few, or in a column called so."""
VERY_FEW = 4
_CLASS_NAME = re.compile(
    r"(^|[^a-z])(class|label|categor\w*|species|type|kind|diagnosis|outcome|group)([^a-z]|$)", re.I
)
_POSITIVE = ("1", "true", "yes", "positive", "pos", "y", "t", ">50k", "malignant")


@dataclass(frozen=True)
class TargetColumn:
    """The encoded target: class codes (int32) or values (float64), with what they mean."""

    task: TaskKind
    y: Target
    labels: tuple[Scalar, ...] = ()
    positive: int | None = None
    inferred: tuple[str, ...] = ()

    @property
    def strata(self) -> NDArray[np.int32] | None:
        """What a split is stratified by; None for regression."""
        return None if self.task == "regression" else self.y

    def counts(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return how many of the rows each class has."""
        return np.bincount(self.y[rows], minlength=len(self.labels))


def read_target(series: Any, card: DataCard, findings: list[Finding]) -> TargetColumn:
    """Encode a target without missing values.

    Raises UserError where it has one class only, where it does not fit the card's task or label space, or where the
    positive class is none of its labels.
    """
    name = str(series.name)
    classes, why = _is_classification(series, name, card)
    if not classes:
        return TargetColumn("regression", _values(series, name), inferred=why)
    codes, labels = _codes(series, name)
    labels, codes = _checked(labels, codes, name, card, findings)
    counts = np.bincount(codes, minlength=len(labels))
    task: TaskKind = "binary" if len(labels) == 2 else "multiclass"
    positive, more = _positive(labels, counts, card) if task == "binary" else (None, ())
    if task == "multiclass" and card.positive_class is not None:
        raise UserError(f"card: positive_class: needs two classes; target {name!r} has {len(labels)}")
    return TargetColumn(task, codes.astype(np.int32), labels, positive, (*why, *more))


def _is_classification(series: Any, name: str, card: DataCard) -> tuple[bool, tuple[str, ...]]:
    if card.task is not None:
        return card.task == "classification", ()
    if card.label_space is not None:
        return True, ("task: classification, because the card has a label space",)
    kind = kind_of(series)
    if kind == "datetime":
        raise UserError(f"target {name!r} holds points in time, which can't be predicted: name another column")
    if kind in ("text", "boolean"):
        numeric = kind == "text" and as_numbers(series)[1] == 0 and series.nunique() > FEW
        return (
            (False, ("task: regression, because the target reads as numbers",)) if numeric else (True, _because(kind))
        )
    return _few_numbers(series, name)


def _because(kind: str) -> tuple[str, ...]:
    return (f"task: classification, because the target holds {'text' if kind == 'text' else 'true and false'}",)


def _few_numbers(series: Any, name: str) -> tuple[bool, tuple[str, ...]]:
    unique = np.sort(series.unique())
    if len(unique) <= 2:
        return True, ("task: classification, because the target has only two different values",)
    whole = bool((unique == np.floor(unique)).all())
    from_start = whole and unique[0] in (0, 1) and unique[-1] - unique[0] == len(unique) - 1
    like_classes = from_start or len(unique) <= VERY_FEW or _CLASS_NAME.search(name)
    if whole and len(unique) <= FEW and len(series) >= 3 * len(unique) and like_classes:
        what = f"{len(unique)} different whole numbers" + (" counted from the start" if from_start else "")
        return True, (f"task: classification, because the target has {what} (`task: regression` would change it)",)
    return False, (f"task: regression, because the target is a number with {len(unique)} different values",)


def _values(series: Any, name: str) -> NDArray[np.float64]:
    if kind_of(series) == "datetime":
        raise UserError(f"target {name!r} holds points in time, which can't be predicted: name another column")
    values, bad = as_numbers(series)
    if bad:
        raise UserError(f"task regression does not fit target {name!r}: {bad} of its values are no numbers")
    if len(values) and values.min() == values.max():
        raise UserError(f"target {name!r} has the same value in every row: there is nothing to predict")
    return values.astype(np.float64)


def _codes(series: Any, name: str) -> tuple[NDArray[np.intp], list[Scalar]]:
    """Return codes and labels in the source's own type, sorted."""
    import pandas as pd

    codes, unique = pd.factorize(series)
    labels: list[Any] = [_label(value) for value in unique]
    if len(labels) > max(50, len(series) // 2):
        raise UserError(
            f"target {name!r} has {len(labels)} different values in {len(series)} rows, too many for classes: "
            "name another column, or `task: regression`"
        )
    order = sorted(range(len(labels)), key=lambda i: (isinstance(labels[i], str), labels[i]))
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return rank[codes], [labels[i] for i in order]


def _label(value: Any) -> Scalar:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)


def _checked(
    labels: list[Scalar], codes: NDArray[np.intp], name: str, card: DataCard, findings: list[Finding]
) -> tuple[tuple[Scalar, ...], NDArray[np.intp]]:
    if len(labels) < 2:
        raise UserError(f"target {name!r} has one class only: there is nothing to predict")
    if card.label_space is not None:
        legal = {level_text(label) for label in card.label_space}
        foreign = [level_text(label) for label in labels if level_text(label) not in legal]
        if foreign:
            shown = ", ".join(map(repr, foreign[:5])) + (", …" if len(foreign) > 5 else "")
            text = f"card: label_space lacks values that target {name!r} has"
            raise QuotingError(f"{text}: {shown}", text)
        absent = sorted(legal - {level_text(label) for label in labels})
        if absent:
            text = f"labels of the label space that never occur, so can't be learnt: {', '.join(absent[:5])}"
            findings.append(Finding(level="warning", column=name, text=text))
    single = int((np.bincount(codes) == 1).sum())
    if single:
        text = f"{single} of {len(labels)} classes have one row only: it is kept for training, so they are never tested"
        findings.append(Finding(level="warning", column=name, text=text))
    return tuple(labels), codes


def _positive(labels: tuple[Scalar, ...], counts: NDArray[np.intp], card: DataCard) -> tuple[int, tuple[str, ...]]:
    words = [level_text(label) for label in labels]
    if card.positive_class is not None:
        word = level_text(card.positive_class)
        if word not in words:
            text = f"card: positive_class: {word!r} is none of the labels"
            raise QuotingError(f"{text}: {', '.join(words)}", text)
        return words.index(word), ()
    lower = [word.lower() for word in words]
    for word in _POSITIVE:
        if word in lower:
            code = lower.index(word)
            return code, (f"positive_class: {words[code]}, by its name",)
    code = 0 if counts[0] < counts[1] else 1
    return code, (f"positive_class: {words[code]}, the rarer class",)


def read_weight(series: Any) -> NDArray[np.float64]:
    """Return the weights of rows; UserError where they are no numbers, missing, negative, or all zero."""
    name = str(series.name)
    values, bad = as_numbers(series)
    if bad or np.isnan(values).any():
        raise UserError(f"card: weight: column {name!r} has {bad or int(np.isnan(values).sum())} rows without a number")
    if (values < 0).any():
        raise UserError(
            f"card: weight: column {name!r} has {int((values < 0).sum())} negative weights; they must be 0 or more"
        )
    if not values.any():
        raise UserError(f"card: weight: column {name!r} is 0 in every row")
    return values.astype(np.float64)


def group_codes(series: Any) -> NDArray[np.intp]:
    """Return a code for each row's group; rows without one form a group of their own."""
    codes, names = levels(series)
    return np.where(codes < 0, len(names), codes)
