"""The baseline of pictures: a linear model on gradients, colours and a thumbnail, as was usual before networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.deep.pictures import Pictures, Squares, channels_of
from automl_gpt.tools.train.linear import LinearModel, LinearTrainer
from automl_gpt.tools.train.protocol import Emit, Feature, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import real, whole, word

FILE = "pixels.json"
ORIENTATIONS = 9
CELL = 4
"""Pixels on each side of the cells that a histogram of gradients is made of."""
LEVELS = 4
"""Levels of each colour in the histogram of colours; of grey the cube of them, so that both histograms are as long."""
THUMBNAIL = 8
"""Pixels on each side of the thumbnail."""
CLIPPED = 0.2
"""The most that one gradient may count within its block (Lowe, 2004)."""


class PixelsModel:
    """A linear model, and the size and channels of the pictures that its columns are computed from."""

    def __init__(self, linear: LinearModel, side: int, channels: int) -> None:
        self.linear, self.side, self.channels = linear, side, channels
        self.best_step = linear.best_step

    def predict(self, x: Examples) -> Prediction:
        """Predict pictures; a batch of them is in memory at a time."""
        if not len(x):
            return self.linear.goal.nothing()
        parts = Pictures(x, self.side, self.channels, memory=0.0).batches()
        return np.concatenate([self.linear.predict(described(squares)) for _, squares in parts])

    def save(self, folder: Path) -> None:
        """Write the linear model, size and channels."""
        self.linear.save(folder)
        (folder / FILE).write_text(json.dumps({"side": self.side, "channels": self.channels}), encoding="utf-8")


class PixelsTrainer:
    """Logistic or ridge regression on histograms of gradients (Dalal and Triggs, 2005), of colours, and a thumbnail."""

    name = "pixels_linear"
    step_name = "iteration"
    package = "sklearn"
    reads = frozenset({"image_size", "penalty", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> PixelsModel:
        """Fit the model; ToolError where the rows hold one class or the fit diverges."""
        side, channels = whole(hyperparameters, "image_size"), channels_of(data.x)
        x, x_valid = (_matrix(Pictures(part, side, channels, memory=0.0)) for part in (data.x, data.x_valid))
        table = replace(data, x=x, x_valid=x_valid, features=tuple(Feature(f"x{i}") for i in range(x.shape[1])))
        settings: Hyperparameters = {
            "penalty": real(hyperparameters, "penalty"),
            "features": "plain",
            "scaling": "standard",
            "class_weight": word(hyperparameters, "class_weight"),
        }
        return PixelsModel(LinearTrainer().fit(table, settings, emit), side, channels)

    def load(self, folder: Path) -> PixelsModel:
        """Read a model that was saved."""
        return PixelsModel(LinearTrainer().load(folder), **json.loads((folder / FILE).read_text(encoding="utf-8")))


def described(squares: Squares) -> Matrix:
    """Return the columns of a linear model for pictures of shape (rows, side, side, channels)."""
    grey = squares.mean(axis=3, dtype=np.float32) / 255
    parts = (gradients(grey), colours(squares), _thumbnails(squares))
    return np.concatenate(parts, axis=1, dtype=np.float32)


def gradients(grey: NDArray[np.float32]) -> Matrix:
    """Return histograms of oriented gradients of pictures (rows, side, side): cells of 4 pixels, blocks of 2 x 2 cells.

    Each gradient is shared between the two nearest of 9 orientations from 0 to 180 degrees. Blocks overlap; each is
    brought to length 1, clipped at 0.2, and brought to length 1 again ("L2-Hys").
    """
    down, right = (np.gradient(grey, axis=axis) for axis in (1, 2))
    size = np.hypot(down, right)
    place = (np.arctan2(down, right) % np.pi) * (ORIENTATIONS / np.pi)
    cells = grey.shape[1] // CELL
    histogram = np.empty((len(grey), cells, cells, ORIENTATIONS), dtype=np.float32)
    for number in range(ORIENTATIONS):
        away = np.abs(place - number)
        share = size * np.maximum(0.0, 1.0 - np.minimum(away, ORIENTATIONS - away))
        kept = share[:, : cells * CELL, : cells * CELL].reshape(len(grey), cells, CELL, cells, CELL)
        histogram[..., number] = kept.sum(axis=(2, 4))
    last = cells - 1
    corners = [histogram[:, i : i + last, j : j + last] for i in (0, 1) for j in (0, 1)]
    blocks = _unit(np.minimum(_unit(np.concatenate(corners, axis=3)), CLIPPED))
    return blocks.reshape(len(grey), -1)


def colours(squares: Squares) -> Matrix:
    """Return the shares of 64 colours (or greys) in pictures, as square roots: rare ones count, too."""
    channels = squares.shape[3]
    bins = LEVELS**3
    if channels == 1:
        codes = squares[..., 0].astype(np.intp) * bins // 256
    else:
        levels = squares.astype(np.intp) * LEVELS // 256
        codes = (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]
    rows = np.arange(len(squares))[:, None]
    counts = np.bincount((codes.reshape(len(squares), -1) + rows * bins).ravel(), minlength=len(squares) * bins)
    return np.sqrt(counts.reshape(-1, bins) / max(1, codes[0].size)).astype(np.float32)


def _thumbnails(squares: Squares) -> Matrix:
    rows, side, _, channels = squares.shape
    step = side // THUMBNAIL
    cut = squares[:, : step * THUMBNAIL, : step * THUMBNAIL].reshape(rows, THUMBNAIL, step, THUMBNAIL, step, channels)
    return cut.mean(axis=(2, 4), dtype=np.float32).reshape(rows, -1) / 255


def _unit(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    return blocks / np.sqrt(np.square(blocks).sum(axis=-1, keepdims=True) + 1e-4)


def _matrix(pictures: Pictures) -> Matrix:
    parts = [described(squares) for _, squares in pictures.batches()]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)
