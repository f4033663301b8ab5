"""What a gallery of examples in the report is: a few of the best, a few of the worst, each small whatever the data are.

They come from the validation rows, predicted by models that did not train on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.train.protocol import Prediction, Target

EACH = 6
"""Examples of each kind, at the most."""
LONGEST = 200
"""Characters of a text that are shown."""
MOST_COUNTED = 20
"""Classes or tags that are counted: the most frequent ones."""
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Word:
    """A word of a tagged sentence; `note` is its tag, or what it is and was taken for."""

    text: str
    note: str = ""
    right: bool = True


@dataclass(frozen=True)
class Shown:
    """One example: a picture (a `data:` address) or tagged words, and lines of what there is to tell, by name."""

    lines: tuple[tuple[str, str], ...]
    picture: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Counted:
    """A small table: a heading for each column, and the cells of each row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Gallery:
    """The best and the worst examples. `note` tells how they were judged."""

    best: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    best_title: str
    worst_title: str
    note: str = ""
    counts: Counted | None = None


@dataclass(frozen=True)
class Seen:
    """What is looked at: examples, their answers and predictions row by row, the names of classes or tags."""

    x: Examples
    y: Target
    p: Prediction
    labels: tuple[str, ...]
    prepared: Prepared

    def one(self, row: int, role: str) -> Any:
        """Return what stands in a column at a row, which is all that is read."""
        return self.x.batch([row], role)[0]


def ranked(scores: NDArray[np.float64], weight: NDArray[Any], perfect: float) -> tuple[Rows, Rows]:
    """Return the rows of the highest and of the lowest scores; of equal ones those that weigh more come first.

    The best score above 0, the worst below `perfect`; NaN counts for neither, and no row is in both.
    """
    best = np.lexsort((-weight, -scores))
    best = best[scores[best] > 0][:EACH]
    worst = np.lexsort((-weight, scores))
    worst = worst[(scores[worst] < perfect) & ~np.isin(worst, best)][:EACH]
    return best, worst


def each(show: Callable[[int], Shown], rows: Iterable[Any]) -> tuple[Shown, ...]:
    """Describe some rows."""
    return tuple(show(int(row)) for row in rows)


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, less control characters, cut at a word where it is too long."""
    # No more is looked at than could be shown: a text may have a million characters.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * longest]).split())
    if len(line) <= longest and len(text) <= 10 * longest:
        return line
    head = line[:longest]
    return (head.rsplit(" ", 1)[0] if " " in head[longest // 2 :] else head) + "…"


def around(text: str, start: int, longest: int = LONGEST) -> str:
    """Return the part of a text around a character, with dots where something was left out."""
    begin = max(0, start - longest // 2)
    if begin:
        begin = text.find(" ", begin, start) + 1 or begin
    return ("…" if begin else "") + cut(text[begin:], longest)
