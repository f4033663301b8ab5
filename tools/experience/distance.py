"""How far two data sets are from each other: by meta-features, in fixed units, and by the words of their cards.

A signature is what of a data set the store keeps to be compared by: its coordinates, and a MinHash of its card's words
(Broder, 1997), so that thousands of sets are compared as one array.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.data.report import MetaFeatures

FARTHEST = 1.0
"""Data sets at least this far apart say nothing about each other."""
TEXT_SHARE = 0.5
"""The most of a distance that cards with the same words take away from it."""
FEW_WORDS = 2
"""Likeness is halved where cards share only so many words."""
_HASHES, _COORDINATES = 32, 11
SIGNATURE_BYTES = 4 * _COORDINATES + 2 * _HASHES
_WORD = re.compile(r"[^\W_]{3,}")
_COMMON = frozenset(
    {
        *("and", "are", "can", "columns", "data", "dataset", "each", "for", "from", "has", "have", "how", "input"),
        *("inputs", "into", "its", "not", "one", "other", "per", "predict", "row", "rows", "set", "target", "that"),
        *("the", "their", "this", "value", "values", "was", "were", "whether", "which", "with"),
    }
)


def coordinates(meta: MetaFeatures) -> NDArray[np.float64]:
    """Return meta-features in units in which a difference of 1 is a large one; NaN where one is unknown.

    The units are fixed, and not those of the data sets at hand: a distance means the same in every store. How even the
    classes are is told as a share of what as many even ones have.
    """
    width, classes = max(meta.numeric + meta.categorical, 1), max(meta.classes, 2)
    mark, linear, near = (math.nan if m is None else m for m in (meta.landmark, meta.linear, meta.neighbour))
    values = (
        math.log10(max(meta.rows, 1)) / 0.7,
        math.log10(max(meta.columns, 1)) / 0.5,
        meta.categorical / width / 0.5,
        math.log2(max(meta.classes, 1)) / 1.0,
        meta.class_entropy / math.log2(classes) / 0.3,
        meta.minority_share * classes / 0.4,
        math.sqrt(min(max(meta.missing, 0.0), 1.0)) / 0.4,
        math.asinh(meta.target_skew) / 1.5,
        mark / 0.25,
        (linear - mark) / 0.2,
        (near - mark) / 0.2,
    )
    return np.array([min(max(v, -1e6), 1e6) if math.isfinite(v) else math.nan for v in values])


def distances(meta: MetaFeatures, others: Sequence[MetaFeatures]) -> NDArray[np.float64]:
    """Return the distance by meta-features to each of other data sets, of the same kind of task and modality."""
    return numeric_distances(meta, np.array([coordinates(o) for o in others]).reshape(len(others), _COORDINATES))


def numeric_distances(meta: MetaFeatures, others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the root mean square difference of coordinates, over those known of both; `others` has one row for each.

    Infinite where nothing is known of both.
    """
    difference = others.astype(np.float64) - coordinates(meta)
    known = np.isfinite(difference)
    square = np.where(known, difference, 0.0) ** 2
    count = known.sum(axis=1)
    return np.where(count > 0, np.sqrt(square.sum(axis=1) / np.maximum(count, 1)), np.inf)


def words(text: str) -> frozenset[str]:
    """Return the words of a card that can tell one from another, without case."""
    return frozenset(_WORD.findall(text.casefold())) - _COMMON


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Return how alike two cards' words are, 0 to 1: Jaccard, shrunk where they share few."""
    shared = len(one & other)
    return shared / len(one | other) * shared / (shared + FEW_WORDS) if shared else 0.0


def combined(numeric: NDArray[np.float64], alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance by numbers and words together: cards about the same bring data nearer, by half at most."""
    return numeric * (1 - TEXT_SHARE * alike)


def signature(meta: MetaFeatures, text: str) -> bytes:
    """Return what a data set is compared by in the store, `SIGNATURE_BYTES` long: coordinates, then the words."""
    return coordinates(meta).astype("<f4").tobytes() + _minhash(words(text)).astype("<u2").tobytes()


def rough_distances(meta: MetaFeatures, text: str, signatures: Sequence[bytes]) -> NDArray[np.float64]:
    """Return the distances to data sets of which only signatures are known; how alike words are is estimated."""
    table = np.frombuffer(b"".join(signatures), dtype=np.uint8).reshape(len(signatures), SIGNATURE_BYTES)
    numbers = np.ascontiguousarray(table[:, : 4 * _COORDINATES]).view("<f4")
    hashes = np.ascontiguousarray(table[:, 4 * _COORDINATES :]).view("<u2")
    alike = (hashes == _minhash(words(text))).mean(axis=1)
    return combined(numeric_distances(meta, numbers), alike)


@cache
def _permutations() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    drawn = np.random.default_rng(20_240_501).integers(1, 2**31 - 1, size=(2, _HASHES), dtype=np.uint64)
    return drawn[0] | np.uint64(1), drawn[1]


def _minhash(found: frozenset[str]) -> NDArray[np.uint16]:
    if not found:
        return np.zeros(_HASHES, dtype=np.uint16)
    digests = (hashlib.blake2b(word.encode(), digest_size=4).digest() for word in found)
    codes = np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)[:, None]
    factor, shift = _permutations()
    least = ((codes * factor + shift) % np.uint64(2**31 - 1)).min(axis=0)
    return (least % np.uint64(2**16 - 1) + np.uint64(1)).astype(np.uint16)
