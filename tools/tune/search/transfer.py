"""What other data sets teach about a model's configurations: which work everywhere, which complement each other.

Each near data set gets a small Gaussian process over its scores (shares of the way from baseline to best), so that sets
on which different configurations were tried can be compared. Sets count by how near they are, and by how well they
agree with the order of what was seen here (after RGPE: Feurer, Letham, Bakshy 2018). The portfolio is chosen greedily,
as TabRepo's is (Salinas and Erickson 2024): each next configuration is the one that most raises the mean over the sets
of the best so far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.gaussian_process import Features, Fit, Vector, at_lengths
from automl_gpt.tools.tune.scale import normalised
from automl_gpt.tools.tune.space import legal, matrix

NEAR = 0.6
"""Data farther away than this teach no configuration."""
MOST = 1000
"""At most this many past trials are looked at, the nearest."""
MOST_CANDIDATES = 300
"""At most this many past configurations stand for election, those with the best scores."""
_LENGTH = 0.35
"""Length for one hyperparameter on the unit interval; times the root of their number."""
_NOISE = 0.05
MOST_AGREEMENT = 12
"""How many observations agreement counts for at the most."""
_FADING = 0.3
"""Distance at which a data set counts a fraction 1/e less."""
_WORST = -0.5
"""Shares are cut here: how bad a bad configuration is teaches nothing more."""


@dataclass(frozen=True)
class PastSet:
    """A near data set: its distance, the coordinates of what was tried on it, and its shares of baseline to best."""

    name: str
    distance: float
    at: Vector
    shares: Vector


@dataclass(frozen=True)
class Transfer:
    """Near data sets on which configurations of one model were tried."""

    space: Space
    sets: tuple[PastSet, ...]

    @cached_property
    def _fits(self) -> list[tuple[Fit, float]]:
        width = max(len(self.space.free), 1)
        lengths = np.full(width, _LENGTH * math.sqrt(width))
        found: list[tuple[Fit, float]] = []
        for past in self.sets:
            centre, seen = float(np.median(past.shares)), self.space.features(past.at)
            found.append((at_lengths(seen, past.shares - centre, np.zeros(len(past.at)), lengths, _NOISE), centre))
        return found

    def predict(self, at: Vector) -> Vector:
        """Return the expected shares of configurations on each set, shape (sets, configurations)."""
        new: Features = self.space.features(at)
        return np.array([fit.mean(new) + centre for fit, centre in self._fits]).reshape(len(self.sets), len(at))

    def weights(self, at: Vector, values: Vector) -> Vector:
        """Return what each set counts, in sum 1: by its distance, and by its agreement with values seen here."""
        near = np.array([math.exp(-s.distance / _FADING) for s in self.sets])
        if len(values) >= 2:
            said = self.predict(at)
            i, j = np.triu_indices(len(values), 1)
            truth = np.sign(values[i] - values[j])
            pairs = truth != 0
            right = (np.sign(said[:, i] - said[:, j]) == truth)[:, pairs].sum(axis=1)
            share = (right + 1) / (pairs.sum() + 2)
            near = near * np.exp(min(len(values), MOST_AGREEMENT) * (share - share.max()))
        return near / near.sum()

    def configurations(self) -> Vector:
        """Return the past configurations that stand for election, best shares first."""
        at = np.concatenate([s.at for s in self.sets])
        worth = np.concatenate([s.shares - s.distance for s in self.sets])
        _, first = np.unique(np.nan_to_num(at, nan=-9.0), axis=0, return_index=True)
        return at[first[np.argsort(-worth[first], kind="stable")][:MOST_CANDIDATES]]


def past_sets(space: Space, past: Sequence[SimilarTrial]) -> Transfer | None:
    """Return what past trials teach of a model; None where no legal one on near data has a comparable score."""
    found: dict[str, list[tuple[SimilarTrial, float]]] = {}
    mine = [p for p in past if p.model == space.card.name and p.distance <= NEAR]
    for trial in sorted(mine, key=lambda p: p.distance)[:MOST]:
        share = normalised(trial.value, trial.baseline, trial.best)
        if share is not None and legal(space.card, trial.hyperparameters):
            found.setdefault(trial.data, []).append((trial, max(share, _WORST)))
    sets = tuple(
        PastSet(
            name,
            ts[0][0].distance,
            matrix(space.card, [t.hyperparameters for t, _ in ts]),
            np.array([s for _, s in ts]),
        )
        for name, ts in found.items()
    )
    return Transfer(space, sets) if sets else None


def complementary(transfer: Transfer, weights: Vector, tried: Vector, count: int) -> Vector:
    """Choose up to `count` past configurations greedily: each raises the weighted mean of the best share the most.

    `tried` are the coordinates of what the run knows already. Fewer come back where none raises it any more.
    """
    candidates = transfer.configurations()
    said = transfer.predict(candidates)
    best = transfer.predict(tried).max(axis=1) if len(tried) else np.full(len(weights), _WORST)
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        gains = weights @ np.maximum(said - best[:, None], 0.0)
        gains[chosen] = 0.0
        top = int(gains.argmax())
        if gains[top] <= 1e-9:
            break
        chosen.append(top)
        best = np.maximum(best, said[:, top])
    return candidates[chosen]
