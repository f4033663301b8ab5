"""IDX files, as MNIST is handed out: one file of pictures, one of their labels, both usually gzipped.

Format: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (two zero bytes, the type of the values,
the number of dimensions, each dimension as a big-endian 32-bit integer, then the values).
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_pictures import MAX_PIXELS, MIN_SIDE
from automl_gpt.tools.corpus.picture_parts import as_pictures, no_columns
from automl_gpt.tools.corpus.raw import RawExamples, RawPart, RowNames
from automl_gpt.tools.data.report import Finding

_IMAGES = re.compile(r"images([-.])idx[34]")
_PREFIXES = {"train": ("train",), "valid": ("valid", "val"), "test": ("t10k", "test")}
_BYTES = 8
_CHUNK = 500_000_000
"""Bytes of pictures in a piece of the column: what an Arrow array of bytes may hold is a little above 2e9."""
_MAX_BYTES = 8_000_000_000


def image_files(path: Path) -> list[Path]:
    """Return the IDX files of pictures that a path names: itself, or those in the folder; none where it is no such."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if _IMAGES.search(file.name))
    return [path] if _IMAGES.search(path.name) else []


def read_idx(card: DataCard, paths: dict[str, Path]) -> RawExamples:
    """Read the parts of a data set from files of pictures, or from folders that hold those of several parts.

    The card's label space may give names to labels that are codes, in their order.
    """
    no_columns(card, "IDX files")
    findings: list[Finding] = []
    parts = {part: _read_part(file, card, findings) for part, file in _files(paths).items()}
    return RawExamples(
        parts["train"],
        parts.get("valid"),
        parts.get("test"),
        target=card.target or "label",
        task=card.task or "classification",
        columns={"image": "image"},
        findings=findings,
    )


def _files(paths: dict[str, Path]) -> dict[str, Path]:
    if len(paths) > 1:
        return {part: _file_of(part, path) for part, path in paths.items()}
    files = image_files(paths["train"])
    found = {part: file for part in _PREFIXES for file in files if file.name.lower().startswith(_PREFIXES[part])}
    return found if "train" in found else {"train": _file_of("train", paths["train"])}


def _file_of(part: str, path: Path) -> Path:
    files = image_files(path)
    named = [file for file in files if file.name.lower().startswith(_PREFIXES[part])]
    if len(files) != 1 and len(named) != 1:
        raise UserError(f"{path}: holds {len(files)} IDX files of pictures; name the one for {part}")
    return named[0] if len(named) == 1 else files[0]


def _read_part(file: Path, card: DataCard, findings: list[Finding]) -> RawPart:
    pictures = _read(file, dimensions=(3, 4))
    beside = file.with_name(_IMAGES.sub(r"labels\1idx1", file.name))
    labels = _read(_either(beside), dimensions=(1,))
    if len(pictures) != len(labels):
        raise UserError(f"{file}: holds {len(pictures)} pictures, and {beside.name} {len(labels)} labels")
    _check_shape(file, pictures)
    names = RowNames(file.name, np.arange(1, len(labels) + 1), "picture")
    return RawPart(as_pictures(_encoded(pictures)), _named(labels.tolist(), card, findings), names)


def _either(file: Path) -> Path:
    """Return the file, packed or unpacked."""
    other = file.with_suffix("") if file.suffix == ".gz" else file.with_name(f"{file.name}.gz")
    if not file.exists() and not other.exists():
        raise UserError(f"{file}: no such file; the labels stand there, beside the pictures")
    return file if file.exists() else other


def _check_shape(file: Path, pictures: NDArray[np.uint8]) -> None:
    height, width = pictures.shape[1:3]
    if min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
        raise UserError(f"{file}: its pictures are {width} x {height} pixels; a side needs {MIN_SIDE} at least")
    if pictures.ndim == 4 and pictures.shape[3] not in (1, 3):
        raise UserError(f"{file}: its pictures have {pictures.shape[3]} channels; 1 (grey) or 3 (RGB) can be read")


def _named(labels: list[int], card: DataCard, findings: list[Finding]) -> list[Any]:
    """Return the labels' names where the card's label space lists them in the order of their codes."""
    space = card.label_space
    if space is None or not all(isinstance(name, str) and not name.isdigit() for name in space):
        return list(labels)
    if labels and max(labels) >= len(space):
        raise UserError(f"card: label_space: names {len(space)} labels, and the IDX file holds label {max(labels)}")
    text = f"labels 0 to {len(space) - 1} are taken as the label space's names in their order"
    if all(finding.text != text for finding in findings):
        findings.append(Finding(level="note", text=text))
    return [space[code] for code in labels]


def _read(file: Path, dimensions: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read unsigned bytes of so many dimensions. Raises UserError where the file is no such, or cut off."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _BYTES or head[3] not in dimensions:
                raise UserError(f"{file}: is no IDX file of bytes with {' or '.join(map(str, dimensions))} dimensions")
            shape = struct.unpack(f">{head[3]}I", stream.read(4 * head[3]))
            size = math.prod(shape)
            if size > _MAX_BYTES:
                raise UserError(f"{file}: says it holds {size} bytes; at most {_MAX_BYTES} are read")
            values = stream.read(size)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{file}: can't be read: {error}") from error
    if len(values) < size:
        raise UserError(f"{file}: is cut off: {len(values)} of {size} bytes; download it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _encoded(pictures: NDArray[np.uint8]) -> Any:
    """Return pictures of shape (rows, height, width[, channels]) as an Arrow column of {bytes, path}.

    Each becomes a binary PGM or PPM: a short header before its pixels, which costs nothing to write and to read.
    """
    import pyarrow as pa

    colour = pictures.ndim == 4 and pictures.shape[3] == 3
    height, width = pictures.shape[1:3]
    header = np.frombuffer(f"P{6 if colour else 5} {width} {height} 255\n".encode(), np.uint8)
    chunks: list[Any] = []
    together = max(1, _CHUNK // math.prod(pictures.shape[1:]))
    for start in range(0, len(pictures), together):
        some = pictures[start : start + together]
        flat = some.reshape(len(some), -1)
        rows = np.concatenate([np.broadcast_to(header, (len(flat), len(header))), flat], axis=1)
        chunks.append(_binary(rows))
    return pa.chunked_array(chunks)


def _binary(rows: NDArray[np.uint8]) -> Any:
    import pyarrow as pa

    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    data = pa.BinaryArray.from_buffers(
        pa.binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    )
    return pa.StructArray.from_arrays([data, pa.nulls(len(rows), pa.string())], ["bytes", "path"])
