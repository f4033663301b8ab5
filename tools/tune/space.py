"""A Model Card's search space as a unit cube: scale, distance, random points, and all points where few.

Each hyperparameter is one coordinate: numbers from 0 (low) to 1 (high), on their logarithm where the card says so;
categories by their position; NaN where a hyperparameter is inactive.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import CategoricalRange, FloatRange, Hyperparameters, IntRange, ModelCard, Range, Scalar

Vector = NDArray[np.float64]
NEAR = 0.01
"""Two configurations whose numbers all lie within this share of their ranges count as one."""
ENUMERABLE = 3000
"""A space with more points than this is never listed."""


def coordinate(space: Range, value: Scalar) -> float:
    """Return where a value lies in its range, 0 to 1; the position of a category.

    Values of earlier trials may lie outside, where a limit came later: below 0, above 1, and -1 for a category.
    """
    if isinstance(space, FloatRange | IntRange):
        low, high, at = float(space.low), float(space.high), float(value)
        if space.log:
            low, high, at = math.log(low), math.log(high), math.log(max(at, 1e-300))
        return (at - low) / (high - low) if high > low else float((at > low) - (at < low))
    return next((float(i) for i, c in enumerate(space.choices) if _same(c, value)), -1.0)


def value_at(space: Range, at: float) -> Scalar:
    """Return the legal value at a coordinate."""
    if not isinstance(space, FloatRange | IntRange):
        return space.choices[int(min(max(at, 0), len(space.choices) - 1))]
    low, high, at = float(space.low), float(space.high), min(max(at, 0.0), 1.0)
    value = low * (high / low) ** at if space.log else low + at * (high - low)
    value = min(max(value, low), high)
    if isinstance(space, IntRange):
        return round(value)
    return min(max(float(f"{value:.6g}"), low), high) if low < value < high else value


def encode(card: ModelCard, configuration: Mapping[str, Scalar]) -> Vector:
    """Return the coordinates of a configuration, one for each hyperparameter of the card."""
    given = configuration
    at = [coordinate(s, given[n]) if n in given else math.nan for n, s in card.search_space.items()]
    return np.array(at, dtype=float)


def matrix(card: ModelCard, configurations: Sequence[Mapping[str, Scalar]]) -> Vector:
    """Return the coordinates of several configurations, shape (configurations, hyperparameters)."""
    rows = [encode(card, c) for c in configurations]
    return np.array(rows, dtype=float).reshape(len(rows), len(card.search_space))


def squared_distances(card: ModelCard, a: Vector, b: Vector) -> Vector:
    """Return mean squared distances, shape (len(a), len(b)); categories differ by 1, active from inactive by 1."""
    if not card.search_space:
        return np.zeros((len(a), len(b)))
    difference = a[:, None, :] - b[None, :, :]
    category = np.array([not isinstance(s, FloatRange | IntRange) for s in card.search_space.values()])
    difference = np.where(category & (difference != 0) & ~np.isnan(difference), 1.0, difference)
    apart = np.isnan(a)[:, None, :] != np.isnan(b)[None, :, :]
    return np.where(apart, 1.0, np.nan_to_num(difference) ** 2).mean(axis=2)


def repeats(card: ModelCard, at: Vector, earlier: Vector) -> bool:
    """Say whether a configuration coincides with an earlier one: same categories, numbers within 1% of their range."""
    if not len(earlier):
        return False
    same = (np.isnan(earlier) & np.isnan(at)) | (np.abs(earlier - at) <= NEAR)
    return bool(same.all(axis=1).any())


def decode(card: ModelCard, at: Vector) -> Hyperparameters:
    """Return the configuration at coordinates, active hyperparameters only; NaN stands for the default."""
    full: Hyperparameters = {}
    for (name, space), x in zip(card.search_space.items(), at, strict=True):
        if card.active(name, full):
            full[name] = space.default if math.isnan(x) else value_at(space, float(x))
    return full


def random_point(card: ModelCard, rng: np.random.Generator) -> Hyperparameters:
    """Draw a configuration uniformly from the unit cube."""
    draw = [rng.uniform(0, 1 if _numeric(s) else _levels(s)) for s in card.search_space.values()]
    return decode(card, np.array(draw, dtype=float))


def points(card: ModelCard) -> list[Hyperparameters] | None:
    """Return all configurations of a finite space, the default first; None where there are too many."""
    total = 1
    for space in card.search_space.values():
        total *= _levels(space)
        if total > ENUMERABLE:
            return None
    unique = {_key(card.default()): card.default()}
    for values in itertools.product(*(_values(s) for s in card.search_space.values())):
        full: Hyperparameters = {}
        for name, value in zip(card.search_space, values, strict=True):
            if card.active(name, full):
                full[name] = value
        unique.setdefault(_key(full), full)
    return list(unique.values())


def without_inert(card: ModelCard, inert: Collection[str]) -> ModelCard:
    """Return the card with each hyperparameter that makes no difference held at its default."""
    held = {
        name: CategoricalRange(type="categorical", choices=(space.default,), default=space.default, when=space.when)
        for name, space in card.search_space.items()
        if name in inert
    }
    return card.model_copy(update={"search_space": {**card.search_space, **held}}) if held else card


def legal(card: ModelCard, configuration: Mapping[str, Scalar]) -> bool:
    """Say whether a configuration, perhaps of another version of the card, is one of this card's."""
    names = [n for n in card.search_space if card.active(n, configuration)]
    if set(names) != set(configuration):
        return False
    return all(card.search_space[n].contains(configuration[n]) for n in names)


def _values(space: Range) -> Sequence[Scalar]:
    if isinstance(space, IntRange):
        return range(space.low, space.high + 1)
    return (space.low,) if isinstance(space, FloatRange) else space.choices


def _levels(space: Range) -> int:
    if isinstance(space, FloatRange):
        return ENUMERABLE + 1 if space.high > space.low else 1
    return space.high - space.low + 1 if isinstance(space, IntRange) else len(space.choices)


def _numeric(space: Range) -> bool:
    return isinstance(space, FloatRange | IntRange)


def _same(a: Scalar, b: Scalar) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _key(configuration: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    return tuple((n, repr(v)) for n, v in sorted(configuration.items()))
