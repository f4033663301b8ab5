"""What a training will come to, from its metadata alone: settings of any name, and words, for trainers never seen.

A Gaussian process over records of others (Rasmussen and Williams 2006): alike are those whose words and pairs of words
are (cosine of TF-IDF), and whose numbers are (on their logarithms). Values enter as normal scores, so that only their
order counts and a few absurd ones do no harm. How much words and numbers weigh is chosen by leaving whole groups out,
such as all trainings of some families of models, in closed form (section 5.4.2, by blocks); these same errors make the
interval (conformal; Dunn, Wasserman and Ramdas 2022 for groups). A record that resembles none is given the median and
the spread of all.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1500
"""At most this many records are learnt from, evenly spread over those given."""
RARE, COMMON, SPREAD_OVER = 2, 0.8, 5
"""A word counts that this many records have, but no more than this share; a number that so many records have."""
FOLDS = 4
"""In so many parts are groups left out: more at once than one, as what comes may be strange in more than one way."""
WEIGHTS = ((1.0, 0.3), (0.5, 0.3), (0.25, 0.3), (0.0, 0.3))
"""Variances that words and numbers are given in turn, in units of the noise."""
TAIL = 0.08
"""What each side of an interval may miss of the errors: a little less than 10%, as whoever is new is stranger still."""
_LENGTH, _APART, _SMALLEST = 0.7, 4.0, 1e-6
_NOMINAL = 10
"""How many nominal errors are mixed with those of the records left out."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_NUMBER = re.compile(r"(\w+)['\"]?\s*[:=]\s*\(?(-?\d+\.?\d*(?:e[-+]?\d+)?)", re.IGNORECASE)
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Metadata:
    """What is known of a training before it starts: its words, and its numbers by name."""

    text: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


def metadata(settings: Mapping[str, Any], texts: Sequence[str] = ()) -> Metadata:
    """Return the metadata of a training with arbitrary settings; numbers named within a text (`lr=0.1`) count too."""
    words, numbers = list(texts), dict[str, float]()
    for name, value in settings.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = float(value)
        elif value is not None:
            words.append(f"{name} {value}")
            for within, digits in _NUMBER.findall(str(value)):
                numbers.setdefault(within, float(digits))
    return Metadata(" ".join(words), {n: v for n, v in numbers.items() if math.isfinite(v)})


@dataclass(frozen=True)
class Outcome:
    """A predicted value with its 80% interval."""

    value: float
    low: float
    high: float


class OutcomeModel:
    """Predicts what trainings come to, learnt from finished ones."""

    def __init__(self, records: Sequence[Metadata], values: Sequence[float], groups: Sequence[str]) -> None:
        """Fit: one finite value and one group for each record; ValueError where no value is finite."""
        kept = [i for i, v in enumerate(values) if math.isfinite(v)]
        if not kept:
            raise ValueError("no finished training has a finite value")
        kept = [kept[int(i)] for i in np.unique(np.linspace(0, len(kept) - 1, MOST).round())]
        known = [records[i] for i in kept]
        self._scores = _NormalScores(np.array([values[i] for i in kept]))
        self._words, self._names = _vocabulary(known), common_numbers(known)
        raw = logarithms(known, self._names)
        self._centre, self._width = _middle(raw)
        self._text, self._numbers = self._vectors(known), (raw - self._centre) / self._width
        members = _members([groups[i] for i in kept])
        alike = self._alike(self._text, self._numbers)
        fits = [_fit(w, alike, self._scores.scores, members) for w in WEIGHTS]
        self._fit = min(fits, key=lambda f: f.missed)

    def predict(self, record: Metadata) -> Outcome:
        """Predict the value of a training."""
        fit = self._fit
        numbers = (logarithms([record], self._names) - self._centre) / self._width
        cross = _covariance(fit.weights, self._alike(self._vectors([record]), numbers))[0]
        mean = float(cross @ fit.pull)
        variance = 1 + sum(fit.weights) + 1 - float(cross @ fit.inverse @ cross)
        std = math.sqrt(max(variance, 1.0))
        value, low, high = self._scores.back(np.array([mean, mean - fit.below * std, mean + fit.above * std]))
        return Outcome(value, min(low, value), max(high, value))

    def _vectors(self, records: Sequence[Metadata]) -> Vector:
        """Return TF-IDF vectors of unit length, (n, words)."""
        found = np.zeros((len(records), len(self._words)))
        place = {word: i for i, word in enumerate(self._words)}
        for i, record in enumerate(records):
            for word in _split(record.text) & place.keys():
                found[i, place[word]] = self._words[word]
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def _alike(self, text: Vector, numbers: Vector) -> tuple[Vector, Vector]:
        """Return how alike records are to those learnt from, by words and by numbers, 0 to 1, (n, m) each."""
        apart = np.zeros((len(text), len(self._text)))
        for mine, theirs in zip(numbers.T, self._numbers.T, strict=True):
            difference = mine[:, None] - theirs[None, :]
            unknown = np.isnan(mine)[:, None] != np.isnan(theirs)[None, :]
            apart += np.where(unknown, 1.0, np.minimum(np.nan_to_num(difference) ** 2, _APART))
        return text @ self._text.T, np.exp(-0.5 * apart / max(numbers.shape[1], 1) / _LENGTH**2)


@dataclass(frozen=True)
class _Fit:
    """A process with its errors: `missed` is the mean absolute one of groups left out, `below` and `above` how many
    standard deviations an interval reaches."""

    weights: tuple[float, float]
    inverse: Vector
    pull: Vector
    missed: float
    below: float
    above: float


def _fit(
    weights: tuple[float, float], alike: tuple[Vector, Vector], y: Vector, members: list[NDArray[np.int_]]
) -> _Fit:
    inverse: Any = np.linalg.inv(_covariance(weights, alike) + np.eye(len(y)))
    pull: Vector = inverse @ y
    errors, spread = np.zeros(len(y)), np.zeros(len(y))
    for mine in members:
        rest: Any = np.linalg.inv(inverse[np.ix_(mine, mine)])
        errors[mine], spread[mine] = rest @ pull[mine], np.sqrt(np.maximum(np.diag(rest), 1.0))
    missed = float(np.abs(errors).mean())
    below, above = _conformal(errors / spread)
    return _Fit(weights, inverse, pull, missed, below, above)


def _conformal(errors: Vector) -> tuple[float, float]:
    """Return how far the errors reach below and above, but for a few, mixed with a few nominal ones."""
    from scipy.special import stdtrit

    nominal = (1 + 1.0 / len(errors)) * stdtrit(3.0, (np.arange(_NOMINAL) + 0.5) / _NOMINAL)
    low, high = np.quantile(np.concatenate([errors, nominal]), (TAIL, 1 - TAIL))
    return max(-float(low), 0.1), max(float(high), 0.1)


def _covariance(weights: tuple[float, float], alike: tuple[Vector, Vector]) -> Vector:
    return 1 + weights[0] * alike[0] + weights[1] * alike[1]


class _NormalScores:
    """A monotone map of values to normal scores of their ranks, and back; beyond the ends by their usual spread."""

    def __init__(self, values: Vector) -> None:
        from scipy.special import ndtri

        self._values, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        self._at: Vector = ndtri((np.cumsum(counts) - counts / 2) / len(values))
        self.scores = self._at[place]
        spread = float(np.std(values))
        self._slope = spread if spread > 0 else max(abs(float(values[0])), 1.0)

    def back(self, scores: Vector) -> list[float]:
        """Map scores back."""
        beyond = np.minimum(scores - self._at[0], 0) + np.maximum(scores - self._at[-1], 0)
        return (np.interp(scores, self._at, self._values) + self._slope * beyond).tolist()


def _split(text: str) -> set[str]:
    """Return the words of a text and their pairs."""
    words = _WORD.findall(text.lower())
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}


def _vocabulary(records: Sequence[Metadata]) -> dict[str, float]:
    """Return the words that tell records apart, each with its inverse document frequency."""
    n, counts = len(records), Counter(word for r in records for word in _split(r.text))
    usable = {w: c for w, c in sorted(counts.items()) if RARE <= c <= COMMON * n}
    return {w: math.log((1 + n) / (1 + c)) for w, c in usable.items()}


def common_numbers(records: Sequence[Metadata]) -> list[str]:
    """Return the names of the numbers that enough records have."""
    counts = Counter(name for r in records for name in r.numbers)
    return sorted(n for n, c in counts.items() if c >= min(SPREAD_OVER, len(records)))


def logarithms(records: Sequence[Metadata], names: Sequence[str]) -> Vector:
    """Return the records' numbers as signed logarithms, (n, names); NaN where a record has no such number."""
    raw = np.array([[r.numbers.get(n, math.nan) for n in names] for r in records], dtype=float)
    raw = raw.reshape(len(records), len(names))
    return np.sign(raw) * np.log10(1 + np.abs(raw) / _SMALLEST)


def _middle(raw: Vector) -> tuple[Vector, Vector]:
    """Return the median and the standard deviation of each column, a little added; every column has some number."""
    if not raw.size:
        return np.zeros(raw.shape[1]), np.ones(raw.shape[1])
    return np.nanmedian(raw, axis=0), np.nanstd(raw, axis=0) + 0.3


def _members(groups: Sequence[str]) -> list[NDArray[np.int_]]:
    """Return the places of the records of each fold: whole groups, the largest dealt out first; records where there is
    only one group."""
    labels, sizes = np.array(groups), Counter(groups)
    if len(sizes) == 1:
        return [np.array([i]) for i in range(len(groups))]
    folds: list[list[str]] = [[] for _ in range(min(FOLDS, len(sizes)))]
    for name in sorted(sizes, key=lambda g: (-sizes[g], g)):
        min(folds, key=lambda f: sum(sizes[g] for g in f)).append(name)
    return [np.flatnonzero(np.isin(labels, fold)) for fold in folds]
