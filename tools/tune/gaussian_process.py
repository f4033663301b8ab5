"""A Gaussian process with one length per hyperparameter, fitted by maximum a posteriori: the surrogate of the search.

Kernel: Matern 5/2 over weighted squared differences (Rasmussen and Williams 2006, section 4.2.1), plus a constant whose
variance stands for the unknown level, plus noise. Lengths grow with the root of the number of hyperparameters, which
keeps the prior's complexity in high dimensions that of low ones (Hvarfner et al. 2024, "Vanilla Bayesian Optimization
Performs Great in High Dimensions"). The amplitude is integrated out under an inverse gamma prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
_ROOT5 = math.sqrt(5.0)
_LEVEL = 1.0
"""Prior variance of the level that all configurations share, in units of the amplitude."""
_LENGTH = 0.6
"""Prior median of a length for one hyperparameter on the unit interval; times the root of their number."""
_LENGTH_SPREAD = 0.9
_NOISE = 0.02
"""Prior median of the noise's variance, in units of the amplitude."""
_NOISE_SPREAD = 1.5
_LEAST_NOISE = 1e-5
MOST_WEIGHED = 80
_STEPS = 25
"""Most steps of the fit: the prior's median is a good start, and the last digits of a length do not matter."""
_PRIOR_TRIALS = 4.0
"""How many observations the prior of the amplitude, 1, counts for."""


@dataclass(frozen=True)
class Features:
    """Configurations as points, shape (configurations, columns); `group` says which hyperparameter a column is of."""

    at: Vector
    group: NDArray[np.intp]


@dataclass(frozen=True)
class Fit:
    """A fitted process: what it has seen, and what predicts from it."""

    seen: Features
    lengths: Vector
    noise: float
    root: Vector
    weights: Vector
    amplitude: float

    def mean(self, new: Features) -> Vector:
        """Return the expected values at new points, in the unit of `y`."""
        return (_LEVEL + _matern(_apart(new.at, self.seen.at, self.lengths[new.group]))[0]) @ self.weights

    def predict(self, new: Features) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of the noiseless values at new points, in the unit of `y`."""
        from scipy.linalg import solve_triangular

        cross = _LEVEL + _matern(_apart(new.at, self.seen.at, self.lengths[new.group]))[0]
        solved: Vector = solve_triangular(self.root, cross.T, lower=True, check_finite=False)
        variance = np.maximum(_LEVEL + 1 - (solved**2).sum(axis=0), 1e-10)
        return cross @ self.weights, self.amplitude * np.sqrt(variance)


def fit(seen: Features, y: Vector, extra: Vector) -> Fit:
    """Fit to values `y` (about of unit spread); `extra` are variances that single observations add to the noise.

    Lengths and noise come from at most `MOST_WEIGHED` observations, evenly spaced; all of them are predicted from.
    """
    lengths, noise = _likeliest(seen, y, extra)
    return at_lengths(seen, y, extra, lengths, noise)


def _likeliest(seen: Features, y: Vector, extra: Vector) -> tuple[Vector, float]:
    from scipy.optimize import minimize

    groups = int(seen.group.max()) + 1 if len(seen.group) else 0
    if len(y) > MOST_WEIGHED:
        some = np.linspace(0, len(y) - 1, MOST_WEIGHED).astype(int)
        seen, y, extra = Features(seen.at[some], seen.group), y[some], extra[some]
    squares = _squares(seen, groups)
    centre = _prior_centre(groups)
    spread = np.append(np.full(groups, _LENGTH_SPREAD), _NOISE_SPREAD)

    def objective(at: Vector) -> tuple[float, Vector]:
        value, slope = _evidence(squares, y, extra, at)
        away = (at - centre) / spread
        return 0.5 * float(away @ away) - value, away / spread - slope

    bounds = [(c - 4 * s, c + 4 * s) for c, s in zip(centre, spread, strict=True)]
    found: Any = minimize(objective, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    return np.exp(found.x[:-1]), float(np.exp(found.x[-1]))


def at_lengths(seen: Features, y: Vector, extra: Vector, lengths: Vector, noise: float) -> Fit:
    """Condition on observations with given lengths and noise."""
    k = _LEVEL + _matern(_apart(seen.at, seen.at, lengths[seen.group]))[0]
    k[np.diag_indices_from(k)] += noise + _LEAST_NOISE + extra
    root: Any = np.linalg.cholesky(k)
    weights = _solve(root, y)
    energy = _PRIOR_TRIALS + float(y @ weights)
    return Fit(seen, lengths, noise, root, weights, math.sqrt(energy / (_PRIOR_TRIALS + len(y))))


def _prior_centre(groups: int) -> Vector:
    length = math.log(_LENGTH * math.sqrt(max(groups, 1)))
    return np.append(np.full(groups, length), math.log(_NOISE))


def _squares(seen: Features, groups: int) -> Vector:
    """Return squared differences by hyperparameter, shape (hyperparameters, configurations, configurations)."""
    n = len(seen.at)
    squares = np.zeros((groups, n, n))
    for column, group in enumerate(seen.group):
        squares[group] += (seen.at[:, None, column] - seen.at[None, :, column]) ** 2
    return squares


def _apart(a: Vector, b: Vector, lengths: Vector) -> Vector:
    """Return squared distances in units of the lengths, shape (len(a), len(b))."""
    if not a.shape[1]:
        return np.zeros((len(a), len(b)))
    a, b = a / lengths, b / lengths
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T, 0.0)


def _matern(apart: Vector) -> tuple[Vector, Vector]:
    """Return Matern 5/2 at squared distances, and minus its derivative by them, times two."""
    r = _ROOT5 * np.sqrt(apart)
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, (5.0 / 3.0) * (1 + r) * decay


def _evidence(squares: Vector, y: Vector, extra: Vector, at: Vector) -> tuple[float, Vector]:
    """Return the log marginal likelihood, amplitude integrated out, and its gradient by log lengths and log noise."""
    inverse_squares, noise = np.exp(-2 * at[:-1]), math.exp(at[-1])
    kernel, slope = _matern(np.tensordot(inverse_squares, squares, axes=1))
    k = _LEVEL + kernel
    k[np.diag_indices_from(k)] += noise + _LEAST_NOISE + extra
    root: Any = np.linalg.cholesky(k)
    inverse = _solve(root, np.eye(len(y)))
    weights = inverse @ y
    count = _PRIOR_TRIALS + len(y)
    energy = _PRIOR_TRIALS + float(y @ weights)
    value = -0.5 * count * math.log(energy) - float(np.log(np.diag(root)).sum())
    pull = (count / energy) * np.outer(weights, weights) - inverse
    lengths = 0.5 * inverse_squares * np.tensordot(squares, pull * slope, axes=2)
    return value, np.append(lengths, 0.5 * noise * float(np.trace(pull)))


def _solve(root: Vector, right: Vector) -> Vector:
    from scipy.linalg import cho_solve

    found: Any = cho_solve((root, True), right, check_finite=False)
    return found
