"""Bayesian optimisation of one model's configurations: a Gaussian process and expected improvement (Jones et al. 1998).

Of few observations several processes are fitted, which differ in what they take to matter, and the improvement is their
mean. Scores are warped before, half by rank and half by a scale that flattens the bad end, so that absurd ones do no
harm and the good end keeps its distances. What near data sets taught enters as the process's prior mean. Candidates are
even draws, neighbours of the best, and what was good elsewhere; the neighbours of the best candidates are looked at
again. Same observations and seed: same proposal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.gaussian_process import Vector, at_lengths, fits
from automl_gpt.tools.tune.search.observed import Observed
from automl_gpt.tools.tune.search.transfer import Transfer
from automl_gpt.tools.tune.space import repeats

MOST_FITTED = 150
"""The process sees at most this many observations."""
EVEN, NEAR_EACH, CENTRES = 2048, 40, 5
"""Candidates: even draws, neighbours of each centre, and how many centres."""
CLIMBS, CLIMBERS, STEPS = 2, 5, 20
"""How often, from how many of the best candidates, and with how many neighbours each the search goes on."""
COSTED = 64
"""Of how many of the best candidates the cost is weighed."""
TRUST, TRUSTED = 0.6, 3.0
"""How strongly what near data sets say is believed at first, in units of the warped scores, and for how many
observations that counts."""
HALVED = 15
"""After so many observations what near data say counts half: by then the search knows better."""
LEAST_WIDTH = 0.05
"""Least spread of what near data sets say of the observations, as a share of baseline to best."""


def warped(values: Vector) -> Vector:
    """Return values of zero mean and about unit spread: the mean of their normal scores and a robust scale.

    The scale is logarithmic beyond one spread below the median.
    """
    from scipy.special import ndtri

    scores: Vector = ndtri((_ranks(values) - 0.5) / len(values))
    bounded = np.clip(values, -1e150, 1e150)
    middle = float(np.median(bounded))
    spread = max(1.48 * float(np.median(np.abs(bounded - middle))), (float(bounded.max()) - middle) / 3)
    if spread <= 0:
        return scores
    robust = (bounded - middle) / spread
    robust = np.where(robust < -1, -1 - np.log(np.maximum(-robust, 1.0)), robust)
    deviation = float(robust.std())
    return 0.5 * scores + 0.5 * (robust - robust.mean()) / deviation if deviation > 0 else scores


def _ranks(values: Vector) -> Vector:
    """Return ranks from 1, equal values at their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - 0.5 * (count - 1))[place]


class Sampler:
    """What proposes configurations of one model; those that are pending count as if they had met expectations."""

    def __init__(self, space: Space, observed: Observed, pending: Vector, transfer: Transfer | None = None) -> None:
        self.space, self.transfer = space, transfer
        seen = observed.some(MOST_FITTED)
        self.y, self.at, self.uncertain = warped(seen.values), seen.at, seen.uncertain
        self.best = seen.at[np.argsort(-seen.values, kind="stable")[:CENTRES]]
        self.prior = _Prior.of(transfer, seen.at, self.y) if transfer is not None else None
        features, prior = space.features(seen.at), self._prior_mean(seen.at)
        self.fits = fits(features, self.y - prior, seen.uncertain)
        self.tops = [float((one.mean(features) + prior).max()) for one in self.fits]
        for at in pending:
            self.believe(at)

    def propose(
        self, tried: Vector, rng: np.random.Generator, log_cost: Callable[[Vector], Vector] | None = None
    ) -> Vector | None:
        """Return the coordinates of the next configuration; None where all candidates repeat one of `tried`.

        `log_cost` gives for coordinates what the logarithm of the expected improvement loses.
        """
        at = self._candidates(rng)
        worth = self._log_improvement(at)
        for _ in range(CLIMBS):
            centres = at[np.argsort(-worth, kind="stable")[:CLIMBERS]]
            more = self.space.near(centres, STEPS, rng)
            at, worth = np.concatenate([at, more]), np.concatenate([worth, self._log_improvement(more)])
        order = np.argsort(-worth, kind="stable")
        if log_cost is not None:
            first = order[:COSTED]
            order = np.concatenate(
                [first[np.argsort(log_cost(at[first]) - worth[first], kind="stable")], order[COSTED:]]
            )
        return next((at[i] for i in order if not repeats(self.space.card, at[i], tried)), None)

    def _candidates(self, rng: np.random.Generator) -> Vector:
        listed = self.space.listed
        parts = [
            listed if listed is not None else self.space.even(EVEN, rng),
            self.space.near(self.best, NEAR_EACH, rng),
        ]
        if self.transfer is not None:
            parts.append(self.transfer.configurations())
        return np.concatenate(parts)

    def _log_improvement(self, at: Vector) -> Vector:
        features, prior = self.space.features(at), self._prior_mean(at)
        found: list[Vector] = []
        for one, top in zip(self.fits, self.tops, strict=True):
            mean, std = one.predict(features)
            found.append(log_expected_improvement(mean + prior, std, top))
        return np.logaddexp.reduce(found, axis=0) - math.log(len(found))

    def _prior_mean(self, at: Vector) -> Vector:
        return self.prior.at(at) if self.prior is not None else np.zeros(len(at))

    def _mean(self, at: Vector) -> Vector:
        features = self.space.features(at)
        return np.mean([one.mean(features) for one in self.fits], axis=0) + self._prior_mean(at)

    def believe(self, at: Vector) -> None:
        """Go on as if a configuration had scored what is expected of it (Ginsbourger et al. 2010, kriging believer)."""
        self.y = np.append(self.y, self._mean(at[None, :]))
        self.at, self.uncertain = np.concatenate([self.at, at[None, :]]), np.append(self.uncertain, 0.0)
        features, residual = self.space.features(self.at), self.y - self._prior_mean(self.at)
        self.fits = [at_lengths(features, residual, self.uncertain, one.lengths, one.noise) for one in self.fits]


@dataclass(frozen=True)
class _Prior:
    """The prior mean: what near data sets say, on the scale of the warped scores, as far as it fits what was seen."""

    transfer: Transfer
    weights: Vector
    centre: float
    width: float
    slope: float

    @classmethod
    def of(cls, transfer: Transfer, at: Vector, y: Vector) -> _Prior:
        weights = transfer.weights(at, y)
        said = weights @ transfer.predict(at)
        centre, width = float(said.mean()), max(float(said.std()), LEAST_WIDTH)
        z = (said - centre) / width
        slope = (float(z @ y) + TRUST * TRUSTED) / (float(z @ z) + TRUSTED)
        fading = 1 + (len(y) / HALVED) ** 2
        return cls(transfer, weights, centre, width, min(max(slope, 0.0), 1.0) / fading)

    def at(self, at: Vector) -> Vector:
        """Return the prior mean at coordinates."""
        said = self.weights @ self.transfer.predict(at)
        return self.slope * np.clip((said - self.centre) / self.width, -3.0, 2.0)


def log_expected_improvement(mean: Vector, std: Vector, best: float) -> Vector:
    """Return the logarithm of the expected improvement over `best`, exact enough far below it (Ament et al. 2023)."""
    from scipy.special import log_ndtr, ndtr

    z = (mean - best) / std
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    near = np.log(np.maximum(density + z * ndtr(z), 1e-290))
    far = log_ndtr(z) - np.log(np.maximum(-z, 1.0))
    return np.log(std) + np.where(z > -6, near, far)
