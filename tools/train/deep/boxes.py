"""Boxes of pictures: between pixels and shares of the picture's sides, and along with pictures that are augmented.

In records a box is [x, y, width, height] in pixels of the stored picture; networks see [centre x, centre y, width,
height] as shares of the sides, which resizing does not change.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Boxes of one picture: shape (boxes, 4)."""
Codes = NDArray[np.int64]
Square = NDArray[np.uint8]
"""A picture of shape (side, side, 3)."""
Augmentation = Literal["none", "flip", "flip_crop"]

LEAST_CROP = 0.6
"""The shortest side of a crop, as a share of the picture's side."""
LEAST_LEFT = 0.4
"""A box of which a crop leaves less than this share of its area is dropped."""


def shares(boxes: list[Any], width: float, height: float) -> Boxes:
    """Return boxes of a record as shares of the sides, cut at the picture's edge."""
    pixels = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    corners = np.concatenate([pixels[:, :2], pixels[:, :2] + pixels[:, 2:]], axis=1) / (width, height, width, height)
    return _centred(np.clip(corners, 0.0, 1.0))


def pixels(boxes: NDArray[Any], width: float, height: float) -> list[list[float]]:
    """Return boxes in shares of the sides as a record has them, cut at its edge, to a hundredth of a pixel."""
    corners = np.clip(_corners(boxes), 0.0, 1.0) * (width, height, width, height)
    corners[:, 2:] -= corners[:, :2]
    return np.round(corners, 2).tolist()


def augmented(picture: Square, boxes: Boxes, codes: Codes, way: Augmentation, draw: Any) -> tuple[Square, Boxes, Codes]:
    """Mirror every other picture, and with "flip_crop" cut every other one, too; `draw()` gives numbers in 0..1."""
    if way == "none":
        return picture, boxes, codes
    if draw() < 0.5:
        picture, boxes = picture[:, ::-1], mirrored(boxes)
    if way == "flip_crop" and draw() < 0.5:
        return cropped(picture, boxes, codes, *(draw() for _ in range(4)))
    return picture, boxes, codes


def mirrored(boxes: Boxes) -> Boxes:
    """Return boxes as they lie in the picture's mirror image."""
    return np.column_stack([1.0 - boxes[:, 0], boxes[:, 1:]]).astype(np.float32)


def cropped(
    picture: Square, boxes: Boxes, codes: Codes, wide: float, high: float, left: float, upper: float
) -> tuple[Square, Boxes, Codes]:
    """Cut a part out of a picture and resize it to the full side.

    The four numbers in 0..1 place the part: its sides between `LEAST_CROP` and 1, its corner between 0 and what the
    sides leave. Boxes follow; those of which little is left are dropped.
    """
    from PIL import Image

    side = len(picture)
    size = np.array([LEAST_CROP + (1 - LEAST_CROP) * wide, LEAST_CROP + (1 - LEAST_CROP) * high])
    corner = np.array([left, upper]) * (1 - size)
    window: Any = (side * np.concatenate([corner, corner + size])).tolist()
    part = Image.fromarray(np.ascontiguousarray(picture)).resize((side, side), Image.Resampling.BILINEAR, box=window)
    corners = (_corners(boxes) - np.tile(corner, 2)) / np.tile(size, 2)
    inside = np.clip(corners, 0.0, 1.0)
    kept = _area(inside) >= LEAST_LEFT * np.maximum(_area(corners), 1e-9)
    return np.asarray(part), _centred(inside[kept]), codes[kept]


def _corners(boxes: NDArray[Any]) -> NDArray[np.float64]:
    centre, half = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _centred(corners: NDArray[np.float64]) -> Boxes:
    low, high = corners[:, :2], corners[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1).astype(np.float32)


def _area(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
