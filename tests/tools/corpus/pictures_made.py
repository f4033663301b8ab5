"""Small pictures made on the spot, each unlike the others, and the folders and files that data sets come in."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Image.Image:
    """Soft coloured blots, as rich in detail as a photograph's thumbnail."""
    blots = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC).convert(mode)


def packed(made: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    made.save(stream, form, **options)
    return stream.getvalue()


def saved(path: Path, seed: int, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, **how).save(path)
    return path


def class_folders(folder: Path, classes: Sequence[str] = ("cat", "dog"), each: int = 6, seed: int = 0) -> Path:
    """FOLDER/CLASS/0.jpg and so on."""
    for code, label in enumerate(classes):
        for number in range(each):
            saved(folder / label / f"{number}.jpg", seed + 1000 * code + number)
    return folder


def idx_file(path: Path, values: np.ndarray[Any, Any]) -> Path:
    """Unsigned bytes in the format of MNIST, packed where the name ends so."""
    data = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def idx_pair(
    folder: Path, part: str = "train", rows: int = 12, seed: int = 0, ending: str = ".gz"
) -> np.ndarray[Any, Any]:
    """Grey pictures of 8 x 10 pixels with labels 0, 1, 2, 0, …; returns the pictures."""
    values = np.random.default_rng(seed).integers(0, 256, (rows, 10, 8), dtype=np.uint8)
    idx_file(folder / f"{part}-images-idx3-ubyte{ending}", values)
    idx_file(folder / f"{part}-labels-idx1-ubyte{ending}", np.arange(rows) % 3)
    return values


def coco(
    path: Path, boxes: Sequence[Sequence[tuple[float, float, float, float]]], seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """A COCO file with a picture of 40 x 30 pixels for each list of boxes; `changes` replaces lists in it.

    The boxes are of categories 7 (cell) and 3 (dot) in turn. Returns what was written.
    """
    images = [
        {"id": 100 + i, "file_name": f"{path.stem}_{i}.jpg", "width": 40, "height": 30} for i in range(len(boxes))
    ]
    annotations = [
        {"image_id": 100 + i, "category_id": (7, 3)[n % 2], "bbox": list(box), "iscrowd": 0}
        for i, own in enumerate(boxes)
        for n, box in enumerate(own)
    ]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number
    for i, image in enumerate(images):
        saved(path.parent / image["file_name"], seed + i)
    whole = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 7, "name": "cell"}, {"id": 3, "name": "dot"}],
    }
    whole.update(changes)
    path.write_text(json.dumps(whole), encoding="utf-8")
    return whole


def told(findings: Sequence[Any]) -> str:
    """All findings as one text, a line each."""
    return "\n".join(f"{finding.level}: {finding.text}" for finding in findings)
