"""Covariances of scores over configurations of several models on several data sets: many kernels instead of one.

A score is the level of its data set, plus the level of its model, plus a smooth function of its hyperparameters, plus
noise. How much each hyperparameter matters is unknown after ten trials, so that no single kernel is chosen: a sample is
drawn from a prior, and each member counts as much as the scores speak for it (Bayesian model averaging; Hoeting et al.
1999). What is not a data set's own is shared between them up to a correlation (Bonilla et al. 2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import FloatRange, Hyperparameters, IntRange, ModelCard
from automl_gpt.tools.tune.space import Vector, matrix

LEVEL = 1.0
"""Prior variance of a data set's level, in units of the amplitude."""
RATES = ("learning_rate", "learning_rate_init", "lr", "eta", "rate", "step_size")
"""What usually matters most (Bengio 2012; van Rijn and Hutter 2018): their prior length is shorter."""
_LENGTH, _RATE_LENGTH, _SPREAD = 0.2, -0.6, 0.8
_NOISE = (0.01, 0.5)
_MODEL_LEVEL = (1.0, 3.0)
_SHARED = (0.8, 0.95)


@dataclass(frozen=True)
class Columns:
    """The hyperparameters of several models side by side: `first` column of each model, `category` (p,) says which
    differ by 0 or 1 alone, `owner` (p,) is the number of the model, `length` (p,) the logarithm of the length that is
    expected."""

    cards: tuple[ModelCard, ...]
    first: Mapping[str, int]
    category: NDArray[np.bool_]
    owner: NDArray[np.int_]
    length: Vector

    @property
    def models(self) -> list[str]:
        """Names of the models in the order of their numbers."""
        return list(self.first)


def columns(cards: Sequence[ModelCard]) -> Columns:
    """Lay out the hyperparameters of models."""
    pairs = [(i, name, space) for i, card in enumerate(cards) for name, space in card.search_space.items()]
    sizes = np.cumsum([0, *(len(c.search_space) for c in cards)])
    return Columns(
        cards=tuple(cards),
        first={card.name: int(at) for card, at in zip(cards, sizes, strict=False)},
        category=np.array([not isinstance(s, FloatRange | IntRange) for _, _, s in pairs], dtype=bool),
        owner=np.array([i for i, _, _ in pairs], dtype=int),
        length=np.array([_LENGTH + (_RATE_LENGTH if name in RATES else 0.0) for _, name, _ in pairs], dtype=float),
    )


@dataclass(frozen=True)
class Points:
    """Configurations: unit coordinates `at` (n, p), NaN where a hyperparameter is inactive or another model's; numbers
    of `model` and `data` set (n,), of which 0 is the one at hand."""

    columns: Columns
    at: Vector
    model: NDArray[np.int_]
    data: NDArray[np.int_]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.model)

    def take(self, index: NDArray[np.int_] | NDArray[np.bool_]) -> Points:
        """Return some of them."""
        return Points(self.columns, self.at[index], self.model[index], self.data[index])


def points(layout: Columns, given: Sequence[tuple[str, Hyperparameters]], data: Sequence[int] | None = None) -> Points:
    """Return configurations, each with the name of its model; `data` are the numbers of their data sets, 0 if none."""
    names = np.array([layout.models.index(name) for name, _ in given], dtype=int)
    at = np.full((len(given), len(layout.owner)), math.nan)
    for i in sorted(set(names.tolist())):
        card, mine = layout.cards[i], np.flatnonzero(names == i)
        start = layout.first[card.name]
        at[mine, start : start + len(card.search_space)] = matrix(card, [given[j][1] for j in mine.tolist()])
    return Points(layout, at, names, np.zeros(len(given), dtype=int) if data is None else np.array(data, dtype=int))


@dataclass(frozen=True)
class Kernels:
    """A sample of kernels of unit amplitude, (s,) each: `inverse` (s, p) are inverse squared lengths, `level` the
    variance of a model's own level, `noise` that of a score, `shared` the correlation between data sets."""

    inverse: Vector
    level: Vector
    noise: Vector
    shared: Vector

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.noise)

    def take(self, index: NDArray[np.int_]) -> Kernels:
        """Return some of them."""
        return Kernels(self.inverse[index], self.level[index], self.noise[index], self.shared[index])

    def variance(self) -> Vector:
        """Return the variance of a score without its noise, (s,)."""
        return LEVEL + self.level + 1.0

    def covariance(self, a: Points, b: Points) -> Vector:
        """Return covariances without noise, shape (s, len(a), len(b))."""
        used = np.isin(a.columns.owner, a.model) & np.isin(a.columns.owner, b.model)
        apart = _squared_differences(a.at[:, used], b.at[:, used], a.columns.category[used])
        near = np.exp(-0.5 * np.tensordot(self.inverse[:, used], apart, 1))
        same_data = a.data[:, None] == b.data[None, :]
        same_model = a.model[:, None] == b.model[None, :]
        shared = np.where(same_data, 1.0, self.shared[:, None, None])
        return LEVEL * same_data + same_model * shared * (self.level[:, None, None] + near)


def _squared_differences(a: Vector, b: Vector, category: NDArray[np.bool_]) -> Vector:
    """Return squared differences by column, shape (p, len(a), len(b)); categories, and active from inactive, differ by
    1, columns inactive in both by 0."""
    left, right = a.T[:, :, None], b.T[:, None, :]
    difference = np.abs(left - right)
    difference = np.where(category[:, None, None], difference > 0, difference)
    apart = np.isnan(left) != np.isnan(right)
    return np.where(apart, 1.0, np.nan_to_num(difference) ** 2)


def sample(lengths: Vector, size: int) -> Kernels:
    """Draw kernels from the prior around logarithms of lengths, always the same ones."""
    rng = np.random.default_rng(0)
    logs = lengths + _SPREAD * rng.standard_normal((size, len(lengths)))
    noise = np.exp(rng.uniform(math.log(_NOISE[0]), math.log(_NOISE[1]), size))
    return Kernels(np.exp(-2 * logs), rng.uniform(*_MODEL_LEVEL, size), noise, rng.choice(_SHARED, size))
