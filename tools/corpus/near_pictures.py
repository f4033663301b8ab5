"""Copies and near-copies among pictures: saved again, scaled, brightened a little, but not merely alike.

Candidates share a quarter of a difference hash of their thumbnails (Krawetz, "Kind of Like That", 2013): whether a cell
is brighter than the one to its left. Many small or plain pictures agree in theirs, so a pair is believed only if its
thumbnails are also far closer than those of the data set usually are.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.check_pictures import grey, open_picture, stored_pictures
from automl_gpt.tools.corpus.copies import Copies, Index
from automl_gpt.tools.corpus.examples import Examples

SIDE = 16
PLAIN = 3.0
"""Grey levels: a thumbnail that varies by less shows nothing to tell copies by, so that only exact ones count."""
SHADE = 64.0
"""Grey levels by which the means of near-copies may differ."""
_LOOSEST, _STRICTEST = 0.02, 0.002
"""1 - correlation of two thumbnails below which photographs, and mere silhouettes, are copies."""
_CLOSER = 8.0
_PEAK = 4.5
_NEIGHBOURS = 16
_BATCH = 500
Pairs = tuple[Index, Index]


def near_pictures(examples: Examples) -> Copies:
    """Find pictures of the role image that are the same, byte for byte, or nearly so."""
    hashes = np.zeros(len(examples), np.uint64)
    thumbnails = np.zeros((len(examples), SIDE * SIDE), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata and sizes: what is stored was looked through before
        for row, stored in enumerate(_stored(examples)):
            hashes[row], thumbnails[row] = _looked_at(stored)
    exact: Any = np.unique(hashes, return_inverse=True)[1]
    return Copies(hashes, exact, _joined(exact, _pairs(thumbnails)))


def _stored(examples: Examples) -> Iterator[bytes]:
    rows = stored_pictures(examples)
    for start in range(0, len(rows), _BATCH):
        for one in rows[start : start + _BATCH]["image"]:
            yield one["bytes"] if one["bytes"] is not None else _read(one["path"])


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 - for files of a kilobyte, Path.read_bytes costs as much again
        return stream.read()


def _looked_at(stored: bytes) -> tuple[int, NDArray[np.uint8]]:
    """Return the hash of the bytes, and the grey thumbnail."""
    import xxhash
    from PIL import Image

    with open_picture(stored) as picture:
        picture.draft(None, (4 * SIDE, 4 * SIDE))
        thumbnail = grey(picture).resize((SIDE, SIDE), Image.Resampling.BOX)
    return xxhash.xxh64_intdigest(stored), np.asarray(thumbnail).reshape(-1)


def _marks(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a difference hash of 64 bits of each thumbnail, a byte for each two of its lines."""
    lines = thumbnails.reshape(-1, SIDE // 2, 2, SIDE).sum(axis=2, dtype=np.int16)
    return np.packbits(lines[:, :, 1::2] > lines[:, :, ::2], axis=2).reshape(-1, 8).view(np.uint64)[:, 0]


def _pairs(thumbnails: NDArray[np.uint8]) -> list[Pairs]:
    """Return pairs of near-copies among rows whose hashes share two adjacent bytes."""
    marks, (shapes, spread) = _marks(thumbnails), _shapes(thumbnails)
    coarse = shapes.reshape(-1, 4, SIDE // 4, 4, SIDE // 4).mean(axis=(2, 4)).reshape(-1, 16)
    means = thumbnails.mean(axis=1, dtype=np.float32)
    limit = _limit(shapes)
    found: list[Pairs] = []
    for first in range(7):
        band = (marks >> np.uint64(8 * first)) & np.uint64(0xFFFF)
        order = np.lexsort((coarse[:, 5], marks, band))
        for step in range(1, min(_NEIGHBOURS + 1, len(order))):
            one, other = order[:-step], order[step:]
            alike = (band[one] == band[other]) & (np.minimum(spread[one], spread[other]) > PLAIN)
            alike &= np.abs(means[one] - means[other]) < SHADE
            one, other = one[alike], other[alike]
            near = _apart(coarse, one, other) <= limit  # averages of cells are never farther apart than the cells
            found.append(_believed(one[near], other[near], shapes, limit))
    return found


def _shapes(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return thumbnails less their mean, divided by their standard deviation, and that."""
    shapes = thumbnails.astype(np.float32)
    shapes -= shapes.mean(axis=1, keepdims=True)
    spread = shapes.std(axis=1)
    shapes /= np.maximum(spread, 1e-6)[:, None]
    return shapes, spread


def _limit(shapes: NDArray[np.float32]) -> float:
    """Return the 1 - correlation of near-copies: an eighth of that to the closest picture, where this is small.

    The closest of 2,000 others is sought for 500 pictures; the smallest twentieth of these distances counts.
    """
    if len(shapes) < 2:
        return _STRICTEST
    among = np.unique(np.linspace(0, len(shapes) - 1, min(len(shapes), 2000)).astype(np.intp))
    asked = among[:: max(1, len(among) // 500)]
    correlation = shapes[asked] @ shapes[among].T / shapes.shape[1]
    correlation[asked[:, None] == among[None, :]] = -1.0
    usual = float(np.quantile(1 - correlation.max(axis=1), 0.05))
    return min(max(usual / _CLOSER, _STRICTEST), _LOOSEST)


def _apart(shapes: NDArray[np.float32], one: Index, other: Index) -> NDArray[np.float32]:
    """Return 1 - correlation of each pair."""
    return np.square(shapes[one] - shapes[other]).mean(axis=1) / 2


def _believed(one: Index, other: Index, shapes: NDArray[np.float32], limit: float) -> Pairs:
    """Return the pairs whose thumbnails agree on the whole, and in each cell."""
    peak = np.abs(shapes[one] - shapes[other]).max(axis=1, initial=0.0)
    kept = (_apart(shapes, one, other) <= limit) & (peak <= _PEAK * np.sqrt(2 * limit))
    return one[kept], other[kept]


def _joined(exact: Index, pairs: list[Pairs]) -> Index:
    """Return a code for each row that copies, and rows linked by pairs, share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one = exact[np.concatenate([pair[0] for pair in pairs])] if pairs else exact[:0]
    other = exact[np.concatenate([pair[1] for pair in pairs])] if pairs else exact[:0]
    count = int(exact.max()) + 1 if len(exact) else 0
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    codes: Any = connected_components(links, directed=False)[1]
    return np.asarray(codes, dtype=np.intp)[exact]
