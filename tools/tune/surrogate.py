"""A small Gaussian process over configurations of several models, with intervals that its own past errors widen.

Scores are a constant, plus an effect of the model, plus a smooth effect of its hyperparameters, plus noise; so few
trials of one model borrow from the others (partial pooling). The kernel's weights are chosen by marginal likelihood
over a small grid, the amplitude under a prior worth a few trials (Rasmussen and Williams 2006, section 5.4.1), and the
interval's width is calibrated on leave-one-out errors (section 5.4.2), mixed with a few nominal ones.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.tune.space import Vector

PRIOR_TRIALS = 4.0
"""How many trials the prior of the amplitude counts for."""
NOMINAL_ERRORS = 12
"""How many nominal errors are mixed with the leave-one-out errors."""
TAIL = 0.09
"""What each side of an interval may miss of them: a little less than 10%, as the search moves on to new places."""
LEAST = 0.5
"""No side is shorter than this many standard deviations."""
_GRID = tuple(itertools.product((0.25, 0.6, 0.9), (0.15, 0.45), (0.02, 0.15)))


@dataclass(frozen=True)
class Observations:
    """What a surrogate learns from: `same[i, j]` says whether two are of one model, `apart` are their mean squared
    distances (0 between models), `y` the scores in units of their spread, `noise` what each adds to the variance,
    `own` which ones are trials of this run."""

    same: NDArray[np.bool_]
    apart: Vector
    y: Vector
    noise: Vector
    own: NDArray[np.bool_]


@dataclass(frozen=True)
class Belief:
    """A predicted score in units of the spread: middle, and how far an 80% interval reaches below and above it."""

    mean: float
    below: float
    above: float


@dataclass(frozen=True)
class _Fit:
    share: float
    length: float
    noise: float
    kernel: Vector
    weights: Vector
    amplitude: float
    evidence: float


def covariance(same: NDArray[np.bool_], apart: Vector, share: float, length: float, constant: float) -> Vector:
    """Return the kernel of unit amplitude; `share` is what hyperparameters explain, the rest is the model's own."""
    return constant + same * ((1 - share) + share * np.exp(-0.5 * apart / length**2))


def believe(seen: Observations, same: NDArray[np.bool_], apart: Vector, constant: float) -> list[Belief]:
    """Predict configurations, one for each row of `same` and `apart` (rows: new ones, columns: those seen)."""
    fit = max((_fit(seen, *point, constant) for point in _GRID), key=lambda f: f.evidence)
    inverse: Any = np.linalg.inv(fit.kernel)
    below, above = _calibrated(seen, fit, inverse)
    cross = covariance(same, apart, fit.share, fit.length, constant)
    mean = cross @ fit.weights
    variance = constant + 1 + fit.noise - ((cross @ inverse) * cross).sum(axis=1)
    std = fit.amplitude * np.sqrt(np.maximum(variance, 0.5 * fit.noise))
    return [Belief(float(m), below * float(s), above * float(s)) for m, s in zip(mean, std, strict=True)]


def _fit(seen: Observations, share: float, length: float, noise: float, constant: float) -> _Fit:
    n = len(seen.y)
    k = covariance(seen.same, seen.apart, share, length, constant) + np.diag(noise + seen.noise)
    root = np.linalg.cholesky(k)
    weights: Any = np.linalg.solve(k, seen.y)
    energy = PRIOR_TRIALS + float(seen.y @ weights)
    evidence = -0.5 * (PRIOR_TRIALS + n) * math.log(energy) - float(np.log(np.diag(root)).sum())
    return _Fit(share, length, noise, k, weights, math.sqrt(energy / (PRIOR_TRIALS + n)), evidence)


def _calibrated(seen: Observations, fit: _Fit, inverse: Vector) -> tuple[float, float]:
    """Return how many standard deviations below and above would have left 10% of the errors out on each side.

    The nominal errors are Student's, wider while trials are few; most surprises are bad ones, so sides differ.
    """
    from scipy.special import stdtrit

    errors = (fit.weights / np.sqrt(np.diag(inverse)))[seen.own] / fit.amplitude
    at = (np.arange(NOMINAL_ERRORS) + 0.5) / NOMINAL_ERRORS
    nominal = (1 + 1.0 / (1 + len(errors))) * stdtrit(3.0 + len(errors), at)
    below, above = np.quantile(np.concatenate([errors, nominal]), (TAIL, 1 - TAIL))
    return max(-float(below), LEAST), max(float(above), LEAST)


def smooth(seen: Observations, features: Vector, same: NDArray[np.bool_], at: Vector) -> float:
    """Return a ridge-like guess for one new point: shared level, level of its model, linear in its coordinates."""
    linear = np.nan_to_num(features - 0.5)
    here = np.nan_to_num(at - 0.5)
    near = np.exp(-0.5 * seen.apart / 0.3**2)
    k = 1 + seen.same * (0.5 + 0.4 * near + 4 * linear @ linear.T) + 0.05 * np.eye(len(seen.y)) + np.diag(seen.noise)
    apart = np.mean((linear - here) ** 2, axis=1) if linear.shape[1] else np.zeros(len(linear))
    cross = 1 + same * (0.5 + 0.4 * np.exp(-0.5 * apart / 0.3**2) + 4 * linear @ here)
    return float(cross @ np.linalg.solve(k, seen.y))
