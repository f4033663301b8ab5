"""What scores to expect: Gaussian processes over configurations, averaged over many kernels, taught by other data sets.

Experience conditions each kernel once; then a run's trials condition the rest (Rasmussen and Williams 2006, chapter 2
and section 5.4). The amplitude is integrated out under a prior that is worth a few trials, so that predictions are
Student's. Leave-one-out errors of the run's own trials (section 5.4.2) say how wide an 80% interval is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_gpt.tools.tune.forecasts.kernels import Columns, Kernels, Points, points, sample
from automl_gpt.tools.tune.space import Vector

PRIOR_TRIALS = 4.0
"""How many trials the prior of the amplitude counts for."""
NOMINAL_ERRORS = 12
"""How many nominal errors are mixed with the leave-one-out errors."""
TAIL = 0.075
"""What each side of an interval may miss of them: a little less than 10%, as the search moves on to new places."""
LEAST = 0.5
"""No side is shorter than this many standard deviations."""
_DRAWS, _FEWEST, _CELLS = 200, 24, 80_000
"""How many kernels: fewer for many trials, so that all covariances hold about this many numbers."""
_TAUGHT = 24
"""How many kernels are kept of those that experience speaks for."""


@dataclass(frozen=True)
class Trials:
    """Scores `y` (n,) of configurations, in units of their data set's spread; `noise` (n,) adds to the variance of
    each. Those that are not `actual` (n,) are guesses that stand for knowledge, and calibrate nothing."""

    at: Points
    y: Vector
    noise: Vector
    actual: Any


@dataclass(frozen=True)
class Taught:
    """A sample of kernels, conditioned on trials on other data sets: the `inverse` (s, n, n) of their covariances,
    `pull` (s, n), which is that times their scores, and the mean `energy` (s,) of a score, in units of the kernel."""

    kernels: Kernels
    seen: Points
    inverse: Vector
    pull: Vector
    energy: Vector


@dataclass(frozen=True)
class Belief:
    """A predicted score in units of the spread: middle, and how far an 80% interval reaches below and above it."""

    mean: float
    below: float
    above: float


def untaught(layout: Columns, trials: int) -> Taught:
    """Return a sample of kernels that no experience has taught, of a size that suits the number of a run's trials."""
    size = int(min(_DRAWS, max(_FEWEST, _CELLS // max(trials, 1) ** 2)))
    nothing = np.zeros((size, 0, 0)), np.zeros((size, 0)), np.ones(size)
    return Taught(sample(layout.length, size), points(layout, []), *nothing)


def taught(seen: Points, y: Vector, noise: Vector) -> Taught:
    """Return the kernels that explain trials on other data sets best, each data set by itself, conditioned on them."""
    kernels = sample(seen.columns.length, _DRAWS)
    worth = np.zeros(len(kernels))
    for data in np.unique(seen.data):
        mine = seen.data == data
        worth += _evidence(kernels, seen.take(mine), y[mine], noise[mine])
    best = kernels.take(np.argsort(-worth, kind="stable")[:_TAUGHT])
    inverse: Any = np.linalg.inv(best.covariance(seen, seen) + _diagonal(best, noise))
    pull = inverse @ y
    return Taught(best, seen, inverse, pull, (PRIOR_TRIALS + pull @ y) / (PRIOR_TRIALS + len(y)))


def _evidence(kernels: Kernels, at: Points, y: Vector, noise: Vector) -> Vector:
    k = kernels.covariance(at, at) + _diagonal(kernels, noise)
    right = np.broadcast_to(y[:, None], (len(k), len(y), 1))
    energy = PRIOR_TRIALS + np.linalg.solve(k, right)[..., 0] @ y
    return -0.5 * ((PRIOR_TRIALS + len(y)) * np.log(energy) + np.linalg.slogdet(k)[1])


def _diagonal(kernels: Kernels, noise: Vector) -> Vector:
    return (kernels.noise[:, None] + noise)[:, :, None] * np.eye(len(noise))


@dataclass(frozen=True)
class _Mixture:
    """Normal predictions of each kernel, (s, n) each, with the kernels' weights (s,)."""

    weight: Vector
    mean: Vector
    variance: Vector

    def moments(self) -> tuple[Vector, Vector]:
        """Return the mixture's means and standard deviations."""
        mean = self.weight @ self.mean
        return mean, np.sqrt(np.maximum(self.weight @ (self.variance + self.mean**2) - mean**2, 1e-12))


def believe(teacher: Taught, own: Trials, new: Points) -> list[Belief]:
    """Predict configurations from a run's trials, of which there is at least one."""
    ahead, left_out = _posterior(teacher, own, new)
    (mean, std), (loo, loo_std) = ahead.moments(), left_out.moments()
    below, above = _calibrated(((own.y - loo) / loo_std)[own.actual])
    return [Belief(float(m), below * float(s), above * float(s)) for m, s in zip(mean, std, strict=True)]


def _posterior(teacher: Taught, own: Trials, new: Points) -> tuple[_Mixture, _Mixture]:
    """Return the predictions of new configurations, and those of each of the run's trials from all others."""
    kernels, n = teacher.kernels, len(own.y)
    to_seen, at_seen = kernels.covariance(own.at, teacher.seen), kernels.covariance(new, teacher.seen)
    back = to_seen.transpose(0, 2, 1)
    k = kernels.covariance(own.at, own.at) - to_seen @ teacher.inverse @ back + _diagonal(kernels, own.noise)
    rest = own.y - (to_seen @ teacher.pull[..., None])[..., 0]
    inverse: Any = np.linalg.inv(k)
    pull: Vector = (inverse @ rest[..., None])[..., 0]
    energy = PRIOR_TRIALS * teacher.energy + (pull * rest).sum(axis=1)
    gained = (PRIOR_TRIALS + n) * np.log(energy) - PRIOR_TRIALS * np.log(teacher.energy) + np.linalg.slogdet(k)[1]
    weight = np.exp(-0.5 * (gained - gained.min()))
    weight, amplitude = weight / weight.sum(), (energy / (PRIOR_TRIALS + n))[:, None]
    carried = at_seen @ teacher.inverse
    cross = kernels.covariance(new, own.at) - carried @ back
    mean = (at_seen @ teacher.pull[..., None] + cross @ pull[..., None])[..., 0]
    known = (carried * at_seen).sum(axis=2) + ((cross @ inverse) * cross).sum(axis=2)
    noise = kernels.noise[:, None]
    variance = amplitude * np.maximum(kernels.variance()[:, None] + noise - known, 0.5 * noise)
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    return _Mixture(weight, mean, variance), _Mixture(weight, own.y - pull / diagonal, amplitude / diagonal)


def _calibrated(errors: Vector) -> tuple[float, float]:
    """Return how many standard deviations below and above would have left 10% of the errors out on each side.

    The nominal errors are Student's, wider while trials are few; most surprises are bad ones, so sides differ.
    """
    from scipy.special import stdtrit

    at = (np.arange(NOMINAL_ERRORS) + 0.5) / NOMINAL_ERRORS
    nominal = (1 + 1.0 / (1 + len(errors))) * stdtrit(3.0 + len(errors), at)
    below, above = np.quantile(np.concatenate([errors, nominal]), (TAIL, 1 - TAIL))
    return max(-float(below), LEAST), max(float(above), LEAST)
