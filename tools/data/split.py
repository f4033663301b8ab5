"""How rows are divided: keyed to the fingerprint of the data, so that no run learns from another run's test rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Split

Index = NDArray[np.intp]
FOLDS = 5
SMALL_ROWS = 50_000
SMALL_CELLS = 5_000_000
"""Up to so many training rows and cells, folds judge a trial; above, one validation split does."""
MAX_VALID = 20_000
FIT_SECONDS = 1.2
"""About what a boosted model takes for 10,000 rows, 20 columns and two classes with one thread."""
TRIALS_WANTED = 8
"""So many trials should fit the time; where five folds are too dear for it, there are three, or one split."""


@dataclass(frozen=True)
class Rows:
    """What a division may look at, one entry for each row: which part it was given in (0 train, 1 valid, 2 test), its
    class (None: regression), its group and its place in time where the card names such columns, and a code that rows
    share which are identical: a random division keeps them on one side (None: it need not)."""

    part: NDArray[np.int8]
    strata: NDArray[np.int32] | None
    group: Index | None
    time: NDArray[np.int64] | None
    twin: Index | None = None

    def first(self, own: Index) -> Index:
        """Return of each set of identical rows the first one, in the order of the rows."""
        return own if self.twin is None else own[np.sort(np.unique(self.twin[own], return_index=True)[1])]

    def with_twins(self, chosen: Index, own: Index) -> Index:
        """Return the chosen rows and all that are identical to them."""
        return np.sort(chosen) if self.twin is None else own[np.isin(self.twin[own], self.twin[chosen])]


@dataclass(frozen=True)
class Folds:
    """Training rows in the order of their folds (-1, on which none validates, comes first), and the number of folds."""

    rows: Index
    fold: NDArray[np.int8]
    count: int
    words: str


def split_kind(card: DataCard, given_test: bool) -> str:
    """Return how the card wants rows divided; where it is silent: as given, by time, by group, at random."""
    if card.split is not None:
        return card.split.kind
    if given_test:
        return "given"
    return "time" if card.time else "group" if card.group else "random"


def cut_test(rows: Rows, card: DataCard, fingerprint: str) -> tuple[Index, Index, str]:
    """Return the rows for training (and validation), those of the test split, and the division in words."""
    given = np.flatnonzero(rows.part == 2)
    rest = np.flatnonzero(rows.part != 2)
    if len(given):
        return rest, given, "test: the given file"
    share = (card.split or Split(kind="random")).test
    own = np.flatnonzero(rows.part == 0)
    chosen, words = _choose(own, rows, split_kind(card, given_test=False), share, _generator(fingerprint, "test"))
    return np.setdiff1d(rest, chosen, assume_unique=True), chosen, f"test: {words}"


def fold_count(rows: int, columns: int, classes: int, core_seconds: float | None) -> int:
    """Return how many folds judge a trial: five, fewer where the time is short, one where the data are large."""
    if rows > SMALL_ROWS or rows * columns > SMALL_CELLS:
        return 1
    if core_seconds is None:
        return FOLDS
    fit = FIT_SECONDS * (rows / 1e4) ** 0.9 * (columns / 20) ** 0.8 * max(classes, 2) / 2
    return next((count for count in (FOLDS, 3) if count * fit * TRIALS_WANTED <= core_seconds), 1)


def cut_folds(
    train: Index, rows: Rows, card: DataCard, fingerprint: str, columns: int, core_seconds: float | None = None
) -> Folds:
    """Divide training rows into folds, or cut one validation split where the data are large, given or timed."""
    fold = np.full(len(train), -1, dtype=np.int8)
    given = rows.part[train] == 1
    if given.any():
        fold[given] = 0
        return _ordered(train, fold, 1, "validation: the given file")
    kind = split_kind(card, given_test=False) if not (card.split and card.split.kind == "given") else "random"
    if kind == "random" and card.group:
        kind = "group"
    wanted = card.split.folds if card.split else None
    classes = 0 if rows.strata is None else int(rows.strata.max()) + 1
    count = wanted or fold_count(len(train), columns, classes, core_seconds)
    if kind == "time":
        count = 1
    if wanted is None:
        count = max(1, min(count, len(train) // 2))
    if count == 1:
        share = min((card.split or Split(kind="random")).valid, MAX_VALID / len(train))
        chosen, words = _choose(train, rows, kind, share, _generator(fingerprint, "valid"))
        fold[np.isin(train, chosen)] = 0
        return _ordered(train, fold, 1, f"validation: {words}")
    return _many_folds(train, rows, kind, count, fingerprint)


def _many_folds(train: Index, rows: Rows, kind: str, count: int, fingerprint: str) -> Folds:
    generator = _generator(fingerprint, "folds")
    if kind == "group" and rows.group is not None:
        fold, count = _group_folds(rows.group[train], count, generator)
        return _ordered(train, fold, count, f"validation: {count} folds by group")
    if count > len(train) // 2:
        raise UserError(f"card: split.folds: {count} folds are too many for {len(train)} training rows")
    single = rows.first(train)
    order = single[_stratified_order(single, rows.strata, generator)]
    fold = _fold_of(train, order, np.arange(len(order)) % count, rows)
    how = "stratified " if rows.strata is not None else ""
    return _ordered(train, fold, count, f"validation: {count} {how}folds")


def _fold_of(train: Index, order: Index, fold: Index, rows: Rows) -> NDArray[np.int8]:
    """Give every training row the fold of the row that it is identical to."""
    key = rows.twin if rows.twin is not None else np.arange(len(rows.part))
    by_key = np.zeros(int(key.max()) + 1, dtype=np.int8)
    by_key[key[order]] = fold
    return by_key[key[train]]


def _ordered(train: Index, fold: NDArray[np.int8], count: int, words: str) -> Folds:
    order = np.argsort(fold, kind="stable")
    return Folds(train[order], fold[order], count, words)


def _generator(fingerprint: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng([int(fingerprint[:15], 16), *purpose.encode()])


def _choose(own: Index, rows: Rows, kind: str, share: float, generator: np.random.Generator) -> tuple[Index, str]:
    """Choose a share of rows in the way that the kind of split asks for."""
    if kind == "time" and rows.time is not None:
        order = own[np.argsort(rows.time[own], kind="stable")]
        return np.sort(order[len(order) - _count(len(own), share) :]), f"the last {share:.0%} in time"
    if kind == "group" and rows.group is not None:
        return _whole_groups(own, rows.group[own], share, generator), f"{share:.0%} by group"
    single = rows.first(own)
    order = single[_stratified_order(single, rows.strata, generator)]
    # Every n-th row of an order that is sorted by class takes the same share of each class.
    ticks = np.floor(np.arange(len(order) + 1) * share + generator.random())
    picked = np.flatnonzero(np.diff(ticks))
    if not len(picked):
        picked = np.array([len(order) // 2])
    chosen = _keep_one_of_each(rows.with_twins(order[picked], own), own, rows.strata)
    return chosen, f"{share:.0%} at random" + (", stratified" if rows.strata is not None else "")


def _count(rows: int, share: float) -> int:
    return min(rows - 1, max(1, round(rows * share)))


def _stratified_order(own: Index, strata: NDArray[np.int32] | None, generator: np.random.Generator) -> Index:
    order = generator.permutation(len(own))
    return order if strata is None else order[np.argsort(strata[own][order], kind="stable")]


def _keep_one_of_each(chosen: Index, own: Index, strata: NDArray[np.int32] | None) -> Index:
    """Give back one row of each class that would be wanting in training."""
    if strata is None:
        return chosen
    size = int(strata.max()) + 1
    total, taken = np.bincount(strata[own], minlength=size), np.bincount(strata[chosen], minlength=size)
    for code in np.flatnonzero((taken == total) & (total > 0)):
        chosen = np.delete(chosen, np.flatnonzero(strata[chosen] == code)[0])
    return chosen


def _whole_groups(own: Index, group: Index, share: float, generator: np.random.Generator) -> Index:
    names, codes, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if len(names) < 3:
        raise UserError(f"card: group: a split by group needs at least 3 groups; there are {len(names)}")
    order = generator.permutation(len(names))
    covered = np.cumsum(sizes[order])
    count = int(np.searchsorted(covered, share * len(own))) + 1
    chosen = order[: min(count, len(names) - 2)]
    return own[np.isin(codes, chosen)]


def _group_folds(group: Index, count: int, generator: np.random.Generator) -> tuple[NDArray[np.int8], int]:
    """Give each group, the largest first, to the fold that is smallest so far."""
    names, codes, sizes = np.unique(group, return_inverse=True, return_counts=True)
    count = min(count, len(names))
    if count < 2:
        raise UserError("card: group: the training rows are of one group only; a split by group needs more")
    shuffled = generator.permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of, filled = np.zeros(len(names), dtype=np.int8), np.zeros(count, dtype=np.int64)
    for name in order:
        smallest = int(filled.argmin())
        fold_of[name], filled[smallest] = smallest, filled[smallest] + sizes[name]
    return fold_of[codes], count
