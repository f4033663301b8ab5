"""Pictures of a batch changed at random in ways that keep their meaning: moved, mirrored, tinted, partly hidden."""

from __future__ import annotations

from typing import Literal

import numpy as np

from automl_gpt.tools.train.deep.pictures import Squares

Way = Literal["none", "crop", "flip_crop", "rand"]
MOVED = 0.08
"""The furthest that a picture is moved, as a share of its side."""
TINTED = 0.2
"""The most by which brightness, contrast and each colour change, as a share of the full range."""
HIDDEN = (0.15, 0.35)
"""The sides of a hidden rectangle as shares of the picture's side; every other picture has one."""


def augmented(pictures: Squares, way: Way, draw: np.random.Generator) -> Squares:
    """Return a batch of pictures, changed; what chance decides comes from `draw` alone.

    crop moves each picture by some pixels (its edge is repeated), flip_crop also mirrors every other one left to right,
    rand also changes colours and hides a rectangle (Zhong et al., 2020, "Random Erasing").
    """
    if way == "none":
        return pictures
    changed = _moved(pictures, draw)
    if way in ("flip_crop", "rand"):
        mirrored = draw.random(len(changed)) < 0.5
        changed[mirrored] = changed[mirrored][:, :, ::-1]
    return _hidden(_tinted(changed, draw), draw) if way == "rand" else changed


def _moved(pictures: Squares, draw: np.random.Generator) -> Squares:
    side = pictures.shape[1]
    most = max(1, round(MOVED * side))
    padded = np.pad(pictures, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    moved = np.empty_like(pictures)
    for row, (down, right) in enumerate(draw.integers(0, 2 * most + 1, (len(pictures), 2)).tolist()):
        moved[row] = padded[row, down : down + side, right : right + side]
    return moved


def _tinted(pictures: Squares, draw: np.random.Generator) -> Squares:
    count, channels = len(pictures), pictures.shape[3]
    contrast = 1 + draw.uniform(-TINTED, TINTED, (count, 1, 1, 1)).astype(np.float32)
    bright = (
        draw.uniform(-TINTED, TINTED, (count, 1, 1, 1)) + draw.uniform(-TINTED, TINTED, (count, 1, 1, channels)) / 2
    )
    tinted = (pictures - np.float32(127.5)) * contrast + np.float32(127.5) + (127.5 * bright).astype(np.float32)
    return np.clip(tinted, 0, 255).astype(np.uint8)


def _hidden(pictures: Squares, draw: np.random.Generator) -> Squares:
    side = pictures.shape[1]
    for row in np.flatnonzero(draw.random(len(pictures)) < 0.5):
        high, wide = (int(max(1, round(share * side))) for share in draw.uniform(*HIDDEN, 2))
        top, left = int(draw.integers(0, side - high + 1)), int(draw.integers(0, side - wide + 1))
        pictures[row, top : top + high, left : left + wide] = draw.integers(0, 256, pictures.shape[3])
    return pictures
