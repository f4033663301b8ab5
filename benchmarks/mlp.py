"""A multi-layer perceptron in NumPy: mini-batch SGD with momentum, one accuracy per epoch; it may diverge.

Rectified or tanh units, softmax cross-entropy, weights by He (2015), weight decay added to the gradient. Made for logs
of training, not for good models: fast on one core, and nothing guards its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """One configuration."""

    learning_rate: float
    momentum: float
    batch_size: int
    width: int
    depth: int
    weight_decay: float
    activation: str


class Network:
    """Weights, their velocities, and the two passes."""

    def __init__(self, columns: int, classes: int, settings: Settings, rng: np.random.Generator) -> None:
        sizes = [columns, *[settings.width] * settings.depth, classes]
        self._relu, self._set = settings.activation == "relu", settings
        gain = 2.0 if self._relu else 1.0
        self._weights = [rng.normal(0, np.sqrt(gain / a), (a, b)).astype(np.float32) for a, b in pairwise(sizes)]
        self._biases = [np.zeros(b, np.float32) for b in sizes[1:]]
        self._speeds = [np.zeros_like(p) for p in (*self._weights, *self._biases)]

    def _layers(self, x: Matrix) -> list[Matrix]:
        layers = [x]
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            z = layers[-1] @ weight + bias
            last = i == len(self._weights) - 1
            layers.append(z if last else np.maximum(z, 0) if self._relu else np.tanh(z))
        return layers

    def classify(self, x: Matrix) -> NDArray[np.intp]:
        """Return the most probable class of each row; the first one where numbers overflowed."""
        return self._layers(x)[-1].argmax(axis=1)

    def step(self, x: Matrix, y: NDArray[np.intp]) -> None:
        """Descend once along the gradient of a batch."""
        layers = self._layers(x)
        share = np.exp(layers[-1] - layers[-1].max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[np.arange(len(y)), y] -= 1
        back = (share / len(y)).astype(np.float32)
        weights: list[Matrix] = []
        biases: list[Matrix] = []
        for i in reversed(range(len(self._weights))):
            weights.insert(0, layers[i].T @ back + np.float32(self._set.weight_decay) * self._weights[i])
            biases.insert(0, back.sum(axis=0))
            if i:
                back = (back @ self._weights[i].T) * ((layers[i] > 0) if self._relu else 1 - layers[i] ** 2)
        rate, momentum = np.float32(self._set.learning_rate), np.float32(self._set.momentum)
        for at, speed, slope in zip((*self._weights, *self._biases), self._speeds, (*weights, *biases), strict=True):
            speed *= momentum
            speed -= rate * slope
            at += speed


def accuracies(
    train: tuple[Matrix, NDArray[np.intp]],
    valid: tuple[Matrix, NDArray[np.intp]],
    settings: Settings,
    epochs: int,
    seed: int,
) -> list[float]:
    """Train, and return the validation accuracy after each epoch."""
    rng = np.random.default_rng(seed)
    x, y = train
    network = Network(x.shape[1], int(y.max()) + 1, settings, rng)
    found: list[float] = []
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            order = rng.permutation(len(y))
            for at in range(0, len(y), settings.batch_size):
                rows = order[at : at + settings.batch_size]
                network.step(x[rows], y[rows])
            found.append(float((network.classify(valid[0]) == valid[1]).mean()))
    return found
