"""Shingles of texts, five characters each, their MinHash signatures in bands, and the Jaccard index of pairs.

Broder, "On the resemblance and containment of documents", 1997; bands as in Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", section 3.4. With 6 bands of 5 values, two texts with a Jaccard index of .9 share a band with
a probability of .995; with one of .5, with .17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
BANDS, VALUES = 6, 5
_END = 10
"""The line feed ends a text: normalised ones hold none."""
_FACTOR = np.uint32(0x01000193)
_GENERATOR = np.random.default_rng(1997)
_MASKS = _GENERATOR.integers(1 << 32, size=BANDS * VALUES, dtype=np.uint32)
_FACTORS = _GENERATOR.integers(1 << 32, size=BANDS * VALUES, dtype=np.uint32) | np.uint32(1)


def shingles(texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Return a hash of every five characters in a row, text after text, and where each text's begin.

    Texts must be of five characters and more, and without line feeds.
    """
    joined = "\n".join(texts).encode("utf-32-le", errors="replace")
    letters = np.frombuffer(joined, dtype="<u4")
    count = len(letters) - SHINGLE + 1
    hashes = np.zeros(count, dtype=np.uint32)
    inside = np.ones(count, dtype=bool)
    for at in range(SHINGLE):
        window = letters[at : at + count]
        hashes *= _FACTOR
        hashes ^= window
        inside &= window != _END
    sizes = np.array([len(text) - SHINGLE + 1 for text in texts], dtype=np.intp)
    return _mixed(hashes[inside]), np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)


def _mixed(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Spread hashes over all 32 bits (the last step of MurmurHash3)."""
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes


def band_keys(texts: list[str]) -> NDArray[np.uint32]:
    """Return for each band and text a key, in shape (bands, texts), that texts with the same least hashes share."""
    hashes, starts = shingles(texts)
    work = np.empty_like(hashes)
    keys = np.zeros((BANDS, len(texts)), dtype=np.uint32)
    for at in range(BANDS * VALUES):
        np.bitwise_xor(hashes, _MASKS[at], out=work)
        np.multiply(work, _FACTORS[at], out=work)
        band = keys[at // VALUES]
        band *= _FACTOR
        band ^= np.minimum.reduceat(work, starts)
        _mixed(band)
    return keys


def jaccard(texts: list[str], pairs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the Jaccard index of the sets of shingles of pairs of texts, given by their positions."""
    from scipy.sparse import csr_array

    if not len(pairs):
        return np.zeros(0)
    hashes, starts = shingles(texts)
    columns = (hashes >> np.uint32(1)).astype(np.int32)
    ends = np.append(starts, len(columns)).astype(np.int32)
    ones = np.ones(len(columns), dtype=np.float32)
    sets: Any = csr_array((ones, columns, ends), shape=(len(texts), 1 << 31))
    sets.sum_duplicates()
    sets.data[:] = 1
    sizes = np.diff(sets.indptr)
    shared = sets[pairs[:, 0]].multiply(sets[pairs[:, 1]]).sum(axis=1)
    return np.asarray(shared, dtype=np.float64) / (sizes[pairs[:, 0]] + sizes[pairs[:, 1]] - shared)
