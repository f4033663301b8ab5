"""Copies and near-copies of texts: MinHash of shingles finds candidates (Broder 1997), their Jaccard index decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.copies import Copies, Index
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.shingles import BANDS, band_keys, jaccard
from automl_gpt.tools.train.protocol import TaskKind

ALIKE = 0.9
"""Texts are near-copies from this Jaccard index of their shingles."""
LEAST_WORDS = 5
"""Shorter texts are near-copies only where they are copies: a word makes all the difference in them."""
MOST_BYTES = 200_000_000
"""Of more text only copies are looked for: near-copies would take over a minute."""
MOST_PAIRS = 2_000_000
LEAST_CONTEXTS = 20
"""Of fewer contexts each stands on both sides of a division: whole ones would divide too unevenly."""
_ROWS, _PAIRS, _CHARACTERS = 10_000, 20_000, 200_000


def near_texts(examples: Examples, kind: TaskKind) -> Copies:
    """Find rows whose texts are the same but for case and white space, or nearly so, in each of their columns.

    Questions of one context, and of near-copies of it, belong together.
    """
    found = {role: _Column(examples, role) for role in examples.roles}
    hashes = np.zeros(len(examples), dtype=np.uint64)
    for column in found.values():
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + column.hashes
    near = {role: column.near() for role, column in found.items()}
    notes = {column.note for column in found.values()} - {""}
    together = near["context"] if kind == "question-answering" and "context" in near else None
    if together is not None and int(together.max(initial=-1)) + 1 < LEAST_CONTEXTS:
        notes.add(f"there are fewer than {LEAST_CONTEXTS} contexts: training and test share them")
        together = None
    exact = _joined([column.exact for column in found.values()])
    return Copies(hashes, exact, _joined(list(near.values())), together, "; ".join(sorted(notes)))


def _joined(codes: list[Index]) -> Index:
    """Return a code that rows share which share all of some codes."""
    joined = codes[0]
    for code in codes[1:]:
        joined = _renumbered(joined.astype(np.int64) * (int(code.max(initial=0)) + 1) + code)
    return joined


def _renumbered(codes: NDArray[Any]) -> Index:
    inverse: Any = np.unique(codes, return_inverse=True)[1]
    return inverse.astype(np.intp)


class _Column:
    """One column of texts: a hash of each as it stands, a code of each as it reads, which texts read as which."""

    def __init__(self, examples: Examples, role: str) -> None:
        self.role = role
        self.texts: Any = examples.dataset.select_columns([role])
        self.note = ""
        self.hashes = np.empty(len(self.texts), dtype=np.uint64)
        self._long = np.empty(len(self.texts), dtype=bool)
        read = np.empty(len(self.texts), dtype=np.uint64)
        self._bytes = self._hash(read)
        self.exact = _renumbered(read)

    def _hash(self, read: NDArray[np.uint64]) -> int:
        from xxhash import xxh64_intdigest

        size = 0
        for start in range(0, len(self.texts), _ROWS):
            texts = self._raw(slice(start, start + _ROWS))
            normal = [_normal(text) for text in texts]
            rows = slice(start, start + len(texts))
            self.hashes[rows] = [xxh64_intdigest(text.encode()) for text in texts]
            read[rows] = [xxh64_intdigest(text.encode()) for text in normal]
            self._long[rows] = [text.count(" ") >= LEAST_WORDS - 1 for text in normal]
            size += sum(map(len, normal))
        return size

    def _raw(self, rows: Any) -> list[str]:
        values: list[Any] = self.texts[rows][self.role]
        return [value if isinstance(value, str) else " ".join(value) for value in values]

    def near(self) -> Index:
        """Return a code that near-copies share."""
        if self._bytes > MOST_BYTES:
            self.note = (
                f"{self.role}: only copies were looked for, no near-copies: {self._bytes:,} characters are too many"
            )
            return self.exact
        rows = np.sort(np.unique(self.exact, return_index=True)[1])
        rows = rows[self._long[rows]]
        pairs = rows[_candidates(self._keys(rows))]
        if len(pairs) > MOST_PAIRS:
            self.note = f"{self.role}: not all near-copies were found: too many rows resemble each other"
            pairs = pairs[:MOST_PAIRS]
        return self._united(pairs[self._alike(pairs)])

    def _keys(self, rows: Index) -> NDArray[np.uint32]:
        keys = np.empty((BANDS, len(rows)), dtype=np.uint32)
        at = 0
        for texts in self._portions(rows):
            keys[:, at : at + len(texts)] = band_keys(texts)
            at += len(texts)
        return keys

    def _portions(self, rows: Index) -> Iterator[list[str]]:
        """Read texts in portions whose arrays fit into a processor's cache."""
        portion: list[str] = []
        size = 0
        for start in range(0, len(self.texts), _ROWS):
            texts = self._raw(slice(start, start + _ROWS))
            here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + _ROWS)] - start
            for at in here.tolist():
                portion.append(_normal(texts[at]))
                size += len(portion[-1])
                if size >= _CHARACTERS:
                    yield portion
                    portion, size = [], 0
        if portion:
            yield portion

    def _alike(self, pairs: Index) -> NDArray[np.bool_]:
        alike = np.zeros(len(pairs), dtype=bool)
        for start in range(0, len(pairs), _PAIRS):
            rows, places = np.unique(pairs[start : start + _PAIRS], return_inverse=True)
            texts = [_normal(text) for text in self._raw(rows)]
            alike[start : start + _PAIRS] = jaccard(texts, places.reshape(-1, 2)) >= ALIKE
        return alike

    def _united(self, pairs: Index) -> Index:
        """Return a code for copies, near-copies, and whatever those are near-copies of."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not len(pairs):
            return self.exact
        codes, size = self.exact[pairs], int(self.exact.max()) + 1
        graph = coo_array((np.ones(len(codes), dtype=np.int8), (codes[:, 0], codes[:, 1])), shape=(size, size))
        component: Any = connected_components(graph, directed=False)[1]
        return component[self.exact].astype(np.intp)


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _candidates(keys: NDArray[np.uint32]) -> Index:
    """Return pairs of positions that share a band: each with the one before it, and with the first one of all."""
    size = keys.shape[1]
    found: list[NDArray[np.int64]] = []
    for band in keys:
        order = np.argsort(band, kind="stable")
        values = band[order]
        again = np.flatnonzero(values[1:] == values[:-1]) + 1
        first = np.searchsorted(values, values[again])
        for other in (order[again - 1], order[first]):
            found.append(other.astype(np.int64) * size + order[again])
    pairs = np.unique(np.concatenate(found))
    return np.column_stack([pairs // max(size, 1), pairs % max(size, 1)]).astype(np.intp)
