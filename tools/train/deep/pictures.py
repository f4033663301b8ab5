"""Pictures as squares of one size in eight bits, decoded when first asked for and kept: in memory, or on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.check_pictures import grey, rgb
from automl_gpt.tools.corpus.examples import Examples

Squares = NDArray[np.uint8]
"""Pictures of shape (rows, side, side, channels)."""
KEPT_BYTES = 2**29
"""At most so many bytes of pictures are kept in memory."""
MEMORY_SHARE = 0.25
"""Of the memory that a process may hold, the share that kept pictures may take."""
LOOKED_AT = 64
"""Pictures that tell whether a set is grey."""
PIXELS_AT_ONCE = 2**20
"""Pixels of the pictures that are decoded or predicted together."""


def channels_of(examples: Examples) -> int:
    """Return 1 where the pictures are grey, as far as a few of them tell, also those stored as RGB; else 3."""
    rows = np.unique(np.linspace(0, len(examples) - 1, min(LOOKED_AT, len(examples))).astype(int)).tolist()
    return 1 if all(_is_grey(examples.batch([row], "image")[0]) for row in rows) else 3


def square(picture: Any, side: int, channels: int) -> Squares:
    """Return a PIL picture of any mode, stretched to shape (side, side, channels)."""
    from PIL import Image

    plain = grey(picture) if channels == 1 else rgb(picture)
    resized = plain if plain.size == (side, side) else plain.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8).reshape(side, side, channels)


def _is_grey(picture: Any) -> bool:
    if picture.mode in ("1", "L", "LA", "I", "F") or picture.mode.startswith("I;16"):
        return True
    colours = np.asarray(rgb(picture))
    return bool((colours[..., :1] == colours).all())


class Pictures:
    """Squares of the pictures of examples, by row.

    Those that fit neither into `memory` (bytes the process may hold) nor onto the disk of `folder` are decoded anew
    each time; without a folder the disk is not used.
    """

    def __init__(
        self, examples: Examples, side: int, channels: int, memory: float | None = None, folder: Path | None = None
    ) -> None:
        self.examples, self.side, self.channels = examples, side, channels
        self._known = np.zeros(len(examples), dtype=bool)
        self._kept = self._room(memory, folder)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.examples)

    def read(self, rows: Sequence[int]) -> Squares:
        """Return the pictures of some rows; the array is the caller's own."""
        if self._kept is None:
            return self._decoded(rows)
        new = [row for row in rows if not self._known[row]]
        if new:
            self._kept.write(new, self._decoded(new))
            self._known[new] = True
        return self._kept.read(rows)

    def batches(self) -> Iterator[tuple[slice, Squares]]:
        """Yield all pictures in order with their rows, as many at once as suit their size."""
        count = max(1, PIXELS_AT_ONCE // self.side**2)
        for start in range(0, len(self), count):
            stop = min(start + count, len(self))
            yield slice(start, stop), self.read(range(start, stop))

    def _decoded(self, rows: Sequence[int]) -> Squares:
        pictures = np.empty((len(rows), self.side, self.side, self.channels), dtype=np.uint8)
        for place, row in enumerate(rows):
            # One by one: large pictures would fill the memory before they are made small.
            pictures[place] = square(self.examples.batch([row], "image")[0], self.side, self.channels)
        return pictures

    def _room(self, memory: float | None, folder: Path | None) -> _Memory | _Disk | None:
        shape = (len(self), self.side, self.side, self.channels)
        size = int(np.prod(shape))
        if size <= (KEPT_BYTES if memory is None else min(KEPT_BYTES, MEMORY_SHARE * memory)):
            return _Memory(shape)
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        return _Disk(shape, folder) if shutil.disk_usage(folder).free > 2 * size else None


class _Memory:
    """Squares in an array."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._array = np.zeros(shape, dtype=np.uint8)

    def write(self, rows: Sequence[int], pictures: Squares) -> None:
        self._array[list(rows)] = pictures

    def read(self, rows: Sequence[int]) -> Squares:
        return self._array[list(rows)]


class _Disk:
    """Squares in a nameless file, read rather than mapped: mapped pages would count as the process's memory."""

    def __init__(self, shape: tuple[int, ...], folder: Path) -> None:
        self._shape, self._size = shape[1:], int(np.prod(shape[1:]))
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed, and gone, with this object

    def write(self, rows: Sequence[int], pictures: Squares) -> None:
        for row, picture in zip(rows, pictures, strict=True):
            os.pwrite(self._file.fileno(), picture.tobytes(), row * self._size)

    def read(self, rows: Sequence[int]) -> Squares:
        stored = b"".join(os.pread(self._file.fileno(), self._size, row * self._size) for row in rows)
        return np.frombuffer(bytearray(stored), dtype=np.uint8).reshape(len(rows), *self._shape)
