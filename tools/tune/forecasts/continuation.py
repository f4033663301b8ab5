"""How a running learning curve goes on: finished curves that looked like it, weighted by a forest.

Extremely randomised trees (Geurts et al. 2006) are grown on the first rows and the configurations of finished curves,
cut where the running one stands, towards what came then. A new curve's leaves give weights on the finished ones
(Meinshausen 2006), and with them forecasts: where those curves came to, what they gained from here on, what they gained
beyond a power law; and the power law itself. These are mixed by their errors on curves left out, and the same errors,
scaled by those of the neighbours, give the interval (normalised conformal prediction, Papadopoulos et al. 2002). A
curve that began unlike all of them has no neighbours: its interval is as much wider as it lies farther off than curves
left out do. Curves of other data sets help where the own ones are few.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.tune.forecasts.prefix import LEVELS, Curve, Vector, features, power_law_gain

TREES, MANY = 32, 500
"""Trees of a forest: three times as many over so many curves."""
MOST = 400
"""At most this many finished curves are looked at: those of the data set first, then the latest."""
FEWEST = 3
"""With fewer finished curves nothing is learnt from them."""
FEWEST_OWN = 8
"""With fewer curves of the data set, errors are judged on the other sets' too."""
FOLDS, FOLD_TREES = 5, 12
AHEAD = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
"""Where the forecast stands, as shares of what is left up to the horizon."""
TAIL = 0.1
_PRIOR = np.array([0.35, 0.35, 0.2, 0.1])
"""Weights of the four forecasts while nothing tells them apart: level, gain, gain beyond the law, power law."""
_HOLD = 5.0
"""How many curves' errors the prior of the weights counts for."""
_NOMINAL = 1.28
_FAMILIAR = 0.95
"""The share of the curves left out whose beginnings are no stranger than what is called usual."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Continuation:
    """What is expected of a curve, more is better: at `steps`, its mean and 80% interval; the last step is the horizon.

    `best` is the best value of the whole curve by then, with its 80% interval; `draws` are equally likely bests.
    """

    steps: Vector
    mean: Vector
    low: Vector
    high: Vector
    best: tuple[float, float, float]
    draws: Vector

    def chance(self, value: float) -> float:
        """Return the probability that the best value exceeds another."""
        return float((np.sum(self.draws > value) + 0.5) / (len(self.draws) + 1))


@dataclass(frozen=True)
class _Cases:
    """Finished curves, cut: features (n, d), last values, best so far, what came (n, ahead + best), power law gains."""

    x: NDArray[np.float32]
    last: Vector
    best: Vector
    came: Matrix
    law: Vector
    data: NDArray[Any]


class Forest:
    """Finished curves, cut at one share of their horizons: fitted once, asked about any number of running ones."""

    def __init__(self, finished: Sequence[Curve], share: float, data: str = "", most: int = MOST) -> None:
        """Fit; `share` (0 to 1) is how far the running curves are, `data` names their data set, `most` bounds how many
        finished ones are looked at. ValueError when fewer than three are given."""
        if len(finished) < FEWEST:
            raise ValueError(f"{len(finished)} finished curves are too few to learn from")
        self.share = share
        finished = sorted(finished, key=lambda c: c.data == data)[-most:]
        self._width = next((len(c.point) for c in reversed(finished)), 0)
        self._scale = Scale.of(finished)
        self._cases = _cases(finished, share, self._width, self._scale)
        self._trees, self._leaves = _grow(self._cases, TREES if len(finished) < MANY else 3 * TREES)
        self._judged, weights, apart = _left_out(self._cases, data)
        self._usual = float(np.quantile(apart[self._judged], _FAMILIAR))
        self._robust, self._mix, parts = self._chosen(weights)
        self._errors = self._cases.came - np.einsum("nfa,f->na", parts, self._mix)
        self._ratios = (self._errors / self._local(weights))[self._judged]

    def _chosen(self, weights: Matrix) -> tuple[float, Vector, NDArray[np.float64]]:
        """Return how much medians count beside means, the weights of the four forecasts, and these on left-out cases.

        Half and half, unless another is better by 1% on many curves: few can't tell."""
        cases, truth = self._cases, self._cases.came[self._judged, -2]
        found: list[tuple[float, float, Vector, NDArray[np.float64]]] = []
        ways = ((0.5, 1.0), (0.0, 1.01), (1.0, 1.01))
        for robust, margin in ways if len(truth) >= MANY else ways[:1]:
            parts = _parts(cases, weights, cases.last, cases.best, cases.law, robust)
            mix, error = _mixed(parts[self._judged, :, -2], truth)
            found.append((margin * error, robust, mix, parts))
        return min(found, key=lambda one: one[0])[1:]

    def _local(self, weights: Matrix) -> Matrix:
        """Return the errors to be expected: those of the neighbours, and a little of everybody's."""
        size = np.abs(self._errors)
        usual = np.maximum(size[self._judged].mean(axis=0), 1e-9)
        return 0.7 * weights @ size + 0.3 * usual

    def predict(self, curve: Curve) -> Continuation:
        """Predict one running curve."""
        prefix = self._scale.curve(curve)
        x, last, best = features(prefix, self._width), float(prefix.values[-1]), float(prefix.values.max())
        weights = _shares(_places(self._trees, x[None].astype(np.float32)), self._leaves)
        law = np.array([power_law_gain(prefix)])
        parts = _parts(self._cases, weights, np.array([last]), np.array([best]), law, self._robust)
        middle = (parts[0].T @ self._mix)[None]
        ratios = np.sort(self._ratios, axis=0)
        draws = middle + ratios * self._local(weights) + self._strange(x) * _normal_scores(len(ratios))[:, None]
        draws[:, -1] = np.maximum(draws[:, -1], best)
        return _continuation(curve, middle[0], draws, best, self._scale)

    def _strange(self, x: Vector) -> float:
        """Return by how much a curve's beginning lies farther from all that is known than is usual."""
        return max(0.0, float(_nearest(x[None], self._cases.x)[0]) - self._usual)


@dataclass(frozen=True)
class Scale:
    """A monotone map of values to units of their usual spread: nearly straight among them, logarithmic far outside."""

    centre: float
    width: float

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> Scale:
        """Return the scale of some curves."""
        values = np.concatenate([c.values for c in curves])
        low, centre, high = np.quantile(values, (0.1, 0.5, 0.9))
        width = 3 * float(high / 2 - low / 2)
        return cls(float(centre), width if width > 0 else max(1e-3 * abs(float(centre)), 1e-9))

    def unit(self, values: Vector) -> Vector:
        """Map values."""
        return np.arcsinh(np.clip((values - self.centre) / self.width, -1e30, 1e30))

    def value(self, units: Vector) -> Vector:
        """Map back."""
        return self.centre + self.width * np.sinh(np.clip(units, -80.0, 80.0))

    def curve(self, curve: Curve) -> Curve:
        """Map a curve."""
        return Curve(curve.steps, self.unit(curve.values), curve.horizon, curve.point, curve.data)


def _cases(finished: Sequence[Curve], share: float, width: int, scale: Scale) -> _Cases:
    curves = [scale.curve(c) for c in finished]
    prefixes = [c.until(share) for c in curves]
    shares = share + (1 - share) * AHEAD
    came = [np.append(c.at(shares), c.values.max()) for c in curves]
    return _Cases(
        x=np.array([features(p, width) for p in prefixes], dtype=np.float32),
        last=np.array([p.values[-1] for p in prefixes]),
        best=np.array([p.values.max() for p in prefixes]),
        came=np.array(came),
        law=np.array([power_law_gain(p) for p in prefixes]),
        data=np.array([c.data for c in curves]),
    )


def _grow(cases: _Cases, trees: int, rows: NDArray[np.intp] | None = None) -> tuple[list[Any], NDArray[np.intp]]:
    """Return trees grown on some of the cases, and the leaves in which all cases lie, shape (n, trees).

    Single trees, as scikit-learn's forest takes several times as long about so few rows.
    """
    from sklearn.tree import ExtraTreeRegressor

    rows = np.arange(len(cases.x)) if rows is None else rows
    targets = np.column_stack([cases.came[:, -2], cases.came[:, -2] - cases.last, cases.came[:, -1] - cases.best])[rows]
    targets = np.ascontiguousarray(targets / np.maximum(targets.std(axis=0), 1e-9))
    x, leaf = np.ascontiguousarray(cases.x[rows]), _leaf(len(rows))
    grown = [
        ExtraTreeRegressor(min_samples_leaf=leaf, max_features=1.0, random_state=i).fit(x, targets, check_input=False)
        for i in range(trees)
    ]
    return grown, _places(grown, cases.x)


def _places(trees: Sequence[Any], x: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the leaves in which rows lie, shape (rows, trees)."""
    return np.column_stack([tree.tree_.apply(x) for tree in trees])


def _leaf(cases: int) -> int:
    return 2 if cases < 100 else 3 if cases < 500 else 5


def _shares(at: NDArray[np.intp], leaves: NDArray[np.intp]) -> Matrix:
    """Return weights of sum 1, shape (rows of `at`, rows of `leaves`): how often two share a leaf."""
    weights = np.zeros((len(at), len(leaves)))
    for tree in range(leaves.shape[1]):
        together = at[:, tree, None] == leaves[None, :, tree]
        weights += together / np.maximum(together.sum(axis=1, keepdims=True), 1)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)


def _left_out(cases: _Cases, data: str) -> tuple[NDArray[np.intp], Matrix, Vector]:
    """Return the cases that errors are taken of, the weights of all cases on each, from forests grown without it, and
    how far its beginning was from the nearest of those.

    Those are the data set's own cases, a fifth of them at a time; with fewer than eight, all, a data set at a time.
    """
    n, own = len(cases.data), np.flatnonzero(cases.data == data)
    sets = np.unique(cases.data, return_inverse=True)[1]
    alone = len(own) < FEWEST_OWN and sets.max() > 0
    judged = np.arange(n) if alone else own if len(own) >= FEWEST_OWN else np.arange(n)
    fold = sets if alone else np.full(n, -1)
    if not alone:
        fold[judged] = np.arange(len(judged)) % FOLDS
    fold = np.where(fold >= 0, fold % FOLDS, fold)
    weights, apart = np.zeros((n, n)), np.zeros(n)
    for out in range(FOLDS):
        held, kept = np.flatnonzero(fold == out), np.flatnonzero(fold != out)
        if len(held) and len(kept):
            _, leaves = _grow(cases, FOLD_TREES, kept)
            weights[np.ix_(held, kept)] = _shares(leaves[held], leaves[kept])
            apart[held] = _nearest(cases.x[held], cases.x[kept])
    return judged, weights, apart


def _nearest(x: NDArray[np.floating], others: NDArray[np.floating]) -> Vector:
    """Return for each curve how far the nearest other one's beginning is: root mean square over levels and moves."""
    apart = x[:, None, :LEVELS].astype(np.float64) - others[None, :, :LEVELS]
    return np.sqrt((apart**2).mean(axis=2).min(axis=1))


def _normal_scores(count: int) -> Vector:
    """Return scores that rise, of which eight tenths lie between -1 and 1."""
    from scipy.special import ndtri

    return ndtri((np.arange(count) + 0.5) / count) / _NOMINAL


def _parts(
    cases: _Cases, weights: Matrix, last: Vector, best: Vector, law: Vector, robust: float
) -> NDArray[np.float64]:
    """Return the four forecasts, shape (curves, 4, ahead + 1); the last column is the best's.

    What the neighbours came to, what they gained, how much more than their power laws they gained; and the power law.
    """
    here, there = _standing(last, best), _standing(cases.last, cases.best)
    path, paths = _lawful(last, best, law), _lawful(cases.last, cases.best, cases.law)
    parts = np.stack(
        [
            centre(weights, cases.came, robust),
            here + centre(weights, cases.came - there, robust),
            path + centre(weights, cases.came - paths, robust),
            path,
        ],
        axis=1,
    )
    parts[:, :, -1] = np.maximum(parts[:, :, -1], best[:, None])
    return parts


def _standing(last: Vector, best: Vector) -> Matrix:
    return np.column_stack([np.repeat(last[:, None], len(AHEAD), axis=1), best])


def _lawful(last: Vector, best: Vector, law: Vector) -> Matrix:
    return np.column_stack([last[:, None] + law[:, None] * AHEAD, np.maximum(best, last + law)])


def centre(weights: Matrix, values: Matrix, robust: float) -> Matrix:
    """Return weighted means (`robust` 0), medians (1) or between, shape (rows of `weights`, columns of `values`)."""
    if robust == 0:
        return weights @ values
    medians = np.zeros((len(weights), values.shape[1]))
    for column, v in enumerate(values.T):
        order = np.argsort(v, kind="stable")
        heavy = np.cumsum(weights[:, order], axis=1)
        half = heavy[:, -1:] / 2
        low = np.minimum((heavy < half * (1 - 1e-9)).sum(axis=1), len(v) - 1)
        high = np.minimum((heavy <= half * (1 + 1e-9)).sum(axis=1), len(v) - 1)
        medians[:, column] = (v[order][low] + v[order][high]) / 2
    return robust * medians + (1 - robust) * (weights @ values)


def _mixed(parts: Matrix, truth: Vector) -> tuple[Vector, float]:
    """Return weights of the four, of sum 1, with the least mean error on curves left out, held near the prior; and
    that error."""
    tenths = itertools.product(range(11), repeat=3)
    grid = [np.array([a, b, c, 10 - a - b - c]) / 10 for a, b, c in tenths if a + b + c <= 10]
    errors = np.array([np.abs(parts @ w - truth).mean() for w in grid])
    away = np.array([((w - _PRIOR) ** 2).sum() for w in grid])
    chosen = int(np.argmin(errors + _HOLD * float(errors.mean()) * away / len(truth)))
    return grid[chosen], float(errors[chosen])


def _continuation(curve: Curve, middle: Vector, draws: Matrix, best: float, scale: Scale) -> Continuation:
    """Map a forecast in units back, with the quantiles that so few errors allow."""
    n = len(draws)
    tail = max(TAIL - 0.5 / n, 0.0)
    low, high = np.quantile(draws, (tail, 1 - tail), axis=0)
    wide = 1 + 2.0 / n
    low, high = middle - wide * np.maximum(middle - low, 0.0), middle + wide * np.maximum(high - middle, 0.0)
    at = float(curve.steps[-1]) + AHEAD * max(curve.horizon - float(curve.steps[-1]), 0.0)
    mean, down, up = scale.value(middle), scale.value(low), scale.value(high)
    floor = float(scale.value(np.array([best]))[0])
    top = (max(float(mean[-1]), floor), max(float(down[-1]), floor), max(float(up[-1]), floor))
    return Continuation(at, mean[:-1], down[:-1], up[:-1], top, scale.value(draws[:, -1]))
