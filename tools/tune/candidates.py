"""Configurations as arrays of coordinates: legal ones among which a sampler chooses, and their features for a kernel.

Coordinates are those of `space`: numbers from 0 to 1, categories by position, NaN where inactive. A category whose
choices are numbers in ascending order counts as ordinal: it has neighbours, and a distance.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import CategoricalRange, IntRange, ModelCard, Range
from automl_gpt.tools.tune.gaussian_process import Features
from automl_gpt.tools.tune.space import Vector, coordinate, matrix, points

_CHANGED = 1.5
"""How many hyperparameters a distant neighbour changes on average beyond one."""


@dataclass(frozen=True)
class Space:
    """A Model Card's search space, by arrays."""

    card: ModelCard

    @cached_property
    def ranges(self) -> tuple[Range, ...]:
        """The ranges in the card's order."""
        return tuple(self.card.search_space.values())

    @cached_property
    def levels(self) -> NDArray[np.intp]:
        """How many choices each category has; 0 for numbers."""
        return np.array([len(r.choices) if isinstance(r, CategoricalRange) else 0 for r in self.ranges], dtype=np.intp)

    @cached_property
    def ordered(self) -> NDArray[np.bool_]:
        """Which hyperparameters have an order: numbers and ordinal categories."""
        return np.array([_ordinal(r) for r in self.ranges], dtype=bool)

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """Which hyperparameters can vary at all."""
        varying = [_varies(r) for r in self.ranges]
        return np.flatnonzero(varying)

    @cached_property
    def listed(self) -> Vector | None:
        """All configurations of a finite small space; None where there are too many."""
        every = points(self.card)
        return None if every is None else matrix(self.card, every)

    def features(self, at: Vector) -> Features:
        """Return features: ordered ones from 0 to 1, others one-hot with distance 1 between two; inactive: the middle.

        What is inactive need not differ from what is active: the hyperparameter on which that depends does already.
        """
        columns: list[Vector] = []
        group: list[int] = []
        for place, i in enumerate(self.free):
            x = at[:, i]
            if self.ordered[i]:
                scaled = x / (self.levels[i] - 1) if self.levels[i] else x
                columns.append(np.where(np.isnan(scaled), 0.5, scaled))
                group.append(place)
            else:
                for level in range(self.levels[i]):
                    columns.append((x == level) * math.sqrt(0.5))
                    group.append(place)
        stacked = np.stack(columns, axis=1) if columns else np.zeros((len(at), 0))
        return Features(stacked, np.array(group, dtype=np.intp))

    def legal(self, at: Vector) -> Vector:
        """Return the nearest legal coordinates: inside, on the grid of integers and categories, NaN where inactive."""
        found = at.copy()
        for i, space in enumerate(self.ranges):
            column = np.where(np.isnan(found[:, i]), coordinate(space, space.default), found[:, i])
            if isinstance(space, CategoricalRange):
                column = np.clip(np.round(column), 0, self.levels[i] - 1)
            else:
                column = (
                    _on_grid(space, np.clip(column, 0.0, 1.0))
                    if isinstance(space, IntRange)
                    else np.clip(column, 0.0, 1.0)
                )
            found[:, i] = column
        return self._inactive(found)

    def _inactive(self, at: Vector) -> Vector:
        names = list(self.card.search_space)
        for i, space in enumerate(self.ranges):
            if space.when is None:
                continue
            parent = names.index(space.when.parameter)
            holds = [coordinate(self.ranges[parent], v) for v in space.when.values]
            at[~np.isclose(at[:, parent, None], np.array(holds)[None, :]).any(axis=1), i] = math.nan
        return at

    def even(self, count: int, rng: np.random.Generator) -> Vector:
        """Draw points evenly from the unit cube, each category as often as another."""
        categories = self.levels > 0
        low, width = np.where(categories, -0.5, 0.0), np.where(categories, self.levels, 1.0)
        return self.legal(low + rng.random((count, len(self.ranges))) * width)

    def near(self, centres: Vector, count: int, rng: np.random.Generator) -> Vector:
        """Draw `count` neighbours of each centre: mostly one or two hyperparameters change, by steps of mixed sizes."""
        if not len(self.free) or not len(centres):
            return centres
        at = np.repeat(centres, count, axis=0)
        rows, n = len(at), len(self.free)
        moves = rng.random((rows, n)) < min(_CHANGED / n, 1.0)
        moves[np.arange(rows), rng.integers(n, size=rows)] = True
        steps = rng.normal(size=(rows, n)) * np.exp(rng.uniform(math.log(0.01), math.log(0.4), size=(rows, 1)))
        for place, i in enumerate(self.free):
            at[:, i] = np.where(moves[:, place], self._moved(i, at[:, i], steps[:, place], rng), at[:, i])
        return self.legal(at)

    def _moved(self, i: int, x: Vector, step: Vector, rng: np.random.Generator) -> Vector:
        """Return the coordinates after a step, reflected at the ends; ordinals and integers move by one at least."""
        space = self.ranges[i]
        if not self.ordered[i]:
            return rng.integers(self.levels[i], size=len(x)).astype(float)
        top = float(self.levels[i] - 1) if self.levels[i] else 1.0
        step = step * top
        if self.levels[i]:
            step = np.where(np.abs(step) < 0.5, np.sign(step), step)
        elif isinstance(space, IntRange):
            least = 1.0 / (space.high - space.low) if not space.log else 0.0
            step = np.where(np.abs(step) < least, np.sign(step) * least, step)
        moved = np.where(np.isnan(x), 0.5 * top, x) + step
        moved = np.where(moved < 0, -moved, moved)
        return np.clip(np.where(moved > top, 2 * top - moved, moved), 0, top)


def _varies(space: Range) -> bool:
    return len(space.choices) > 1 if isinstance(space, CategoricalRange) else space.high > space.low


def _ordinal(space: Range) -> bool:
    if not isinstance(space, CategoricalRange):
        return True
    choices = space.choices
    if len(choices) < 3 or any(isinstance(c, bool | str) for c in choices):
        return False
    return all(float(a) < float(b) for a, b in itertools.pairwise(choices))


def _on_grid(space: IntRange, at: Vector) -> Vector:
    low, high = float(space.low), float(space.high)
    if high <= low:
        return np.zeros_like(at)
    if not space.log:
        return np.round(at * (high - low)) / (high - low)
    value = np.round(low * (high / low) ** at)
    return np.log(value / low) / math.log(high / low)
