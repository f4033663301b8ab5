"""A Gaussian process with one length per hyperparameter: the surrogate of the search.

Kernel: Matern 5/2 over weighted squared differences (Rasmussen and Williams 2006, section 4.2.1), plus a constant whose
variance stands for the unknown level, plus noise. Lengths grow with the root of the number of hyperparameters, which
keeps the prior's complexity in high dimensions that of low ones (Hvarfner et al. 2024, "Vanilla Bayesian Optimization
Performs Great in High Dimensions"). The amplitude is integrated out under an inverse gamma prior. Few observations
leave lengths and noise open: several are drawn from their posterior (Snoek et al. 2012), by elliptical slice sampling
(Murray, Adams, MacKay 2010). Of many, the likeliest do.
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
DRAWS, STRIDE = 8, 6
"""How many lengths and noises are drawn, and after how many steps of the chain each."""
MOST_DRAWN = 30
"""From more observations none are drawn: it takes time, and they differ little."""
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


def fits(seen: Features, y: Vector, extra: Vector) -> list[Fit]:
    """Fit to values `y` (about of unit spread); `extra` are variances that single observations add to the noise.

    Of at most `MOST_DRAWN` observations come `DRAWS` fits that count alike, of more one. Lengths and noise come from at
    most `MOST_WEIGHED` observations, evenly spaced; all of them are predicted from. The same observations give the same
    fits.
    """
    posterior = _Posterior.of(seen, y, extra)
    likeliest = posterior.likeliest()
    drawn = posterior.draws(likeliest) if len(y) <= MOST_DRAWN else [likeliest]
    return [at_lengths(seen, y, extra, np.exp(at[:-1]), math.exp(at[-1])) for at in drawn]


@dataclass(frozen=True)
class _Posterior:
    """What observations say of the logarithms of lengths and noise, which are normal beforehand: `centre`, `spread`."""

    squares: Vector
    y: Vector
    extra: Vector
    centre: Vector
    spread: Vector

    @classmethod
    def of(cls, seen: Features, y: Vector, extra: Vector) -> _Posterior:
        groups = int(seen.group.max()) + 1 if len(seen.group) else 0
        if len(y) > MOST_WEIGHED:
            some = np.linspace(0, len(y) - 1, MOST_WEIGHED).astype(int)
            seen, y, extra = Features(seen.at[some], seen.group), y[some], extra[some]
        spread = np.append(np.full(groups, _LENGTH_SPREAD), _NOISE_SPREAD)
        return cls(_squares(seen, groups), y, extra, _prior_centre(groups), spread)

    def likeliest(self) -> Vector:
        """Return the mode."""
        from scipy.optimize import minimize

        def objective(at: Vector) -> tuple[float, Vector]:
            value, slope = _evidence(self.squares, self.y, self.extra, at)
            away = (at - self.centre) / self.spread
            return 0.5 * float(away @ away) - value, away / self.spread - slope

        bounds = [(c - 4 * s, c + 4 * s) for c, s in zip(self.centre, self.spread, strict=True)]
        told = {"jac": True, "method": "L-BFGS-B", "bounds": bounds, "options": {"maxiter": _STEPS}}
        found: Any = minimize(objective, self.centre, **told)
        return found.x

    def draws(self, start: Vector) -> list[Vector]:
        """Return `DRAWS` members of a chain that begins at `start`."""
        rng, found, away = np.random.default_rng(len(self.y)), list[Vector](), start - self.centre
        value = self._evidence(away)
        for number in range(1, DRAWS * STRIDE + 1):
            other = rng.normal(size=len(away)) * self.spread
            least, angle = value + math.log1p(-rng.random()), rng.uniform(0, 2 * math.pi)
            low, high = angle - 2 * math.pi, angle
            moved = away * math.cos(angle) + other * math.sin(angle)
            while (value := self._evidence(moved)) < least and high - low > 1e-6:
                low, high = (angle, high) if angle < 0 else (low, angle)
                angle = rng.uniform(low, high)
                moved = away * math.cos(angle) + other * math.sin(angle)
            away = moved
            if number % STRIDE == 0:
                found.append(self.centre + away)
        return found

    def _evidence(self, away: Vector) -> float:
        at = self.centre + away
        kernel = _matern(np.tensordot(np.exp(-2 * at[:-1]), self.squares, axes=1))[0]
        root, weights = _solved(kernel, self.y, self.extra, math.exp(at[-1]))
        return _log_evidence(root, float(self.y @ weights), len(self.y))


def at_lengths(seen: Features, y: Vector, extra: Vector, lengths: Vector, noise: float) -> Fit:
    """Condition on observations with given lengths and noise."""
    root, weights = _solved(_matern(_apart(seen.at, seen.at, lengths[seen.group]))[0], y, extra, noise)
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
    root, weights = _solved(kernel, y, extra, noise)
    inverse, fitted = _solve(root, np.eye(len(y))), float(y @ weights)
    pull = (_PRIOR_TRIALS + len(y)) / (_PRIOR_TRIALS + fitted) * np.outer(weights, weights) - inverse
    lengths = 0.5 * inverse_squares * np.tensordot(squares, pull * slope, axes=2)
    return _log_evidence(root, fitted, len(y)), np.append(lengths, 0.5 * noise * float(np.trace(pull)))


def _solved(kernel: Vector, y: Vector, extra: Vector, noise: float) -> tuple[Vector, Vector]:
    """Return the Cholesky root of a kernel with level and noise, and the weights of the observations."""
    k = _LEVEL + kernel
    k[np.diag_indices_from(k)] += noise + _LEAST_NOISE + extra
    root: Any = np.linalg.cholesky(k)
    return root, _solve(root, y)


def _log_evidence(root: Vector, fitted: float, count: int) -> float:
    weighed = -0.5 * (_PRIOR_TRIALS + count) * math.log(_PRIOR_TRIALS + fitted)
    return weighed - float(np.log(np.diag(root)).sum())


def _solve(root: Vector, right: Vector) -> Vector:
    from scipy.linalg import cho_solve

    found: Any = cho_solve((root, True), right, check_finite=False)
    return found
