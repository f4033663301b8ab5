"""What readers hand over: the parts of a data set of texts or pictures, by role, with raw answers and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from automl_gpt.cards.schema import Task
from automl_gpt.tools.data.report import Finding


@dataclass(frozen=True)
class RowNames(Sequence[str]):
    """What a person would call rows: file, unit and number. A million of them cost no more than their numbers."""

    source: str
    numbers: NDArray[Any]
    unit: str = "row"

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def __getitem__(self, at: Any) -> Any:
        """Return one name, or those of a slice."""
        if isinstance(at, slice):
            return RowNames(self.source, self.numbers[at], self.unit)
        return f"{self.source} {self.unit} {self.numbers[at]}"


@dataclass
class RawPart:
    """Usable rows of one part.

    `dataset` is a `datasets.Dataset` with the columns of `examples` alone. `answers` holds one raw answer a row: of
    classification and regression the value as it stands in the source, of other tasks a record as `examples` describes
    it (labels and tags as codes of `RawExamples.labels`). `names` says where each row comes from, as a person would
    call it: a file, or the row's number. `group`, `weight` and `time` are values of such columns, where the card names
    them. Values stand in a list or, where there are many, in a pandas column.
    """

    dataset: Any
    answers: Any
    names: Sequence[str] | None = None
    group: Any = None
    weight: Any = None
    time: Any = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.answers)


@dataclass
class RawExamples:
    """All parts of a data set. What can't be used is left out already, counted and named in `findings`.

    `task` is the card's, or what the source is made for (None where only the answers can tell: classification or
    regression). `labels` are the classes where the source lists them: categories of boxes, tags, folders. `columns` are
    the source's own names by role. `passages` are what retrieval searches: their texts in order.
    """

    train: RawPart
    valid: RawPart | None
    test: RawPart | None
    target: str
    task: Task | None
    labels: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict[str, str])
    passages: list[str] | None = None
    findings: list[Finding] = field(default_factory=list[Finding])

    def parts(self) -> list[tuple[int, RawPart]]:
        """Return the parts that there are, numbered: 0 train, 1 valid, 2 test."""
        return [(n, p) for n, p in ((0, self.train), (1, self.valid), (2, self.test)) if p is not None]


def only(values: list[Any] | None, rows: NDArray[Any]) -> list[Any] | None:
    """Return some rows of an optional list."""
    return None if values is None else [values[int(i)] for i in rows]
