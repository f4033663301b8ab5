"""The unit in which a run's scores are compared: from its baseline upwards, robust against single absurd values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.tune.extrapolate import comes_to

FINITE = 1e300
_UNBOUNDED_BELOW = {"r2"}
_CORRELATIONS = {"mcc", "pearson", "spearman"}
_SQUARE_ROOTS = {"rmse", "mae", "median_absolute_error", "mape", "rmsle"}


def legal_range(metric: Metric) -> tuple[float, float]:
    """Return the lowest and the highest value that a metric can take."""
    if metric.direction == "minimize":
        return 0.0, math.inf
    lowest = -math.inf if metric.name in _UNBOUNDED_BELOW else -1.0 if metric.name in _CORRELATIONS else 0.0
    return lowest, metric.best


def scored(state: RunState) -> list[Trial]:
    """Return the trials with a finite score, the trivial baseline left out."""
    return [t for t in state.done() if t.model != TRIVIAL and t.value is not None and abs(t.value) < FINITE]


def trivial_value(profile: Profile, metric: Metric, positive: object = None) -> float | None:
    """Return the score of the trivial model (majority or mean) as the profile tells it; None where it can't."""
    if metric.kind == "answer":
        return _trivial_answer(profile, metric)
    if metric.task == "regression":
        std = profile.target_std
        if metric.name in ("r2", "pearson", "spearman"):
            return 0.0
        factor = {"rmse": 1.0, "mae": 0.8, "median_absolute_error": 0.67}.get(metric.name)
        return None if std is None or factor is None else factor * std
    counts = np.array([c for c in profile.class_counts if c > 0], dtype=float)
    if len(counts) < 2:
        return None
    share = counts / counts.sum()
    chosen = _positive_share(profile, positive, share)
    top, classes = float(share.max()), len(share)
    return {
        "accuracy": top,
        "balanced_accuracy": 1 / classes,
        "f1": 2 * chosen / (1 + chosen) if chosen > 0.5 else 0.0,
        "f1_macro": 2 * top / (1 + top) / classes,
        "mcc": 0.0,
        "roc_auc": 0.5,
        "average_precision": chosen,
        "log_loss": float(-(share * np.log(share)).sum()),
        "brier": float(share[0] * share[-1]) if classes == 2 else float(1 - (share**2).sum()),
    }.get(metric.name)


def _trivial_answer(profile: Profile, metric: Metric) -> float | None:
    """Return what the most frequent tag everywhere, no boxes, or an order without a reason are worth."""
    if metric.name == "token_accuracy":
        return max(profile.class_counts) / sum(profile.class_counts) if any(profile.class_counts) else None
    if metric.task == "retrieval" and profile.passages:
        if metric.name == "mrr":
            return (math.log(profile.passages) + 0.577) / profile.passages
        return min(1.0, int(metric.name.rpartition("_")[2]) / profile.passages)
    return 0.0 if metric.task in ("detection", "token-classification") else None


def _positive_share(profile: Profile, positive: object, share: np.ndarray) -> float:
    if positive is not None and str(positive) in profile.labels and len(share) == len(profile.labels):
        return float(share[profile.labels.index(str(positive))])
    return float(share[-1])


def baseline_value(state: RunState) -> float | None:
    """Return the trivial model's score: as measured, else as the profile tells it."""
    for trial in state.trials.values():
        if trial.model == TRIVIAL and trial.value is not None and abs(trial.value) < FINITE:
            return trial.value
    return trivial_value(state.need_profile(), state.need_metric(), state.data_card.positive_class)


_UNKNOWN_SHARE = 0.35
"""How much of the way from the trivial score to the best one a model for examples makes where nothing tells of it."""


@dataclass(frozen=True)
class Prior:
    """What a score may be before any trial: the middle and half the width of an 80% interval, in the metric's unit."""

    value: float
    half: float


def prior(state: RunState) -> Prior:
    """Return the guess from the data's landmark alone: a simple model's score bounds a good one's from below.

    The error of a good model is taken as the simple one's to the power 1.6, a rule of thumb with a wide interval.
    """
    metric, base = state.need_metric(), baseline_value(state)
    if base is None:
        spread = abs(state.need_profile().target_std or 1.0)
        guess = spread if metric.direction == "minimize" else 0.5 * metric.best
        return Prior(guess, guess)
    landmark, examples = state.need_profile().meta.landmark, state.need_profile().modality != "tabular"
    known = landmark is not None and math.isfinite(landmark)
    if examples and not known:
        return Prior(base + _UNKNOWN_SHARE * (metric.best - base), _UNKNOWN_SHARE * abs(metric.best - base))
    rest = 1 - min(max(landmark or 0.0, 0.0), 0.98) if known else 0.5
    middle, near, far = 1 - rest**1.6, 1 - rest - 0.12, 1 - rest**3
    if examples:  # the landmark saw few of the rows, and looked at words or at eight pixels a side
        middle, near, far = 1 - (0.9 * rest) ** 2.4, 0.9 - rest, 1 - (0.8 * rest) ** 4
    if metric.kind == "score":  # accuracy hardly moves on rare classes that are ranked well all the same
        middle, near, far = 1 - 0.5 * rest**1.2, 0.7 - rest**1.2 * 0.7, 1 - 0.15 * rest
    if metric.name in _SQUARE_ROOTS:
        middle, near, far = (1 - math.sqrt(1 - x) for x in (middle, near, far))
    reach = metric.best - base
    half = max(0.5 * (far - near), 0.12) if known else 0.48
    return Prior(base + middle * reach, max(half * abs(reach), 1e-9))


def as_metric(metric: Metric, rest: float) -> float:
    """Return the share of the way from the trivial score to a perfect one where the rest of it, as errors count, is
    `rest`: accuracy's ranks are good long before its labels are, and a root makes of a small rest a large one."""
    share = 1 - 0.5 * rest**1.2 if metric.kind == "score" else 1 - rest
    return 1 - math.sqrt(max(1 - share, 0.0)) if metric.name in _SQUARE_ROOTS else share


@dataclass(frozen=True)
class Scale:
    """A monotone map of scores to units of their usual spread, in which more is better; flat far from the centre."""

    centre: float
    width: float
    sign: int
    reach: float
    """Distance, in the metric's unit, from the baseline to the centre: what a model is worth here."""

    def to_unit(self, value: float) -> float:
        """Map a score."""
        return math.asinh(self.sign * (min(max(value, -FINITE), FINITE) - self.centre) / self.width)

    def from_unit(self, unit: float) -> float:
        """Map back."""
        return self.centre + self.sign * self.width * math.sinh(min(max(unit, -500.0), 500.0))

    def from_units(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map several back."""
        return self.centre + self.sign * self.width * np.sinh(np.clip(units, -500.0, 500.0))


def scale_of(state: RunState) -> Scale:
    """Return the scale of a run's scores so far; before any trial that of the prior."""
    values = [comes_to(t) or 0.0 for t in scored(state)]
    guess, metric, base = prior(state), state.need_metric(), baseline_value(state)
    if not values:
        return Scale(guess.value, guess.half / 1.28, metric.sign, guess.half)
    centre = float(np.median(values))
    reach = abs(centre - base) if base is not None else 0.0
    if not 0 < reach < FINITE:
        reach = max(guess.half * 0.2, abs(centre) * 0.02, 1e-9)
    return Scale(centre, width_of(values, centre, reach), metric.sign, reach)


_RANKS = 0.3
"""Weight of ranks beside scores: few bad scores lie far behind many good ones that differ by little."""


@dataclass(frozen=True)
class Warp:
    """A monotone map of a data set's units towards normal scores of their ranks (Salinas et al. 2020), and back.

    Both are known at the same places, `units` and `warped`, rising; beyond them units go on as they are.
    """

    units: NDArray[np.float64]
    warped: NDArray[np.float64]

    def to(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map units."""
        return _through(units, self.units, self.warped)

    def back(self, warped: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map back."""
        return _through(warped, self.warped, self.units)


def _through(x: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(x, a, b) + np.minimum(x - a[0], 0) + np.maximum(x - a[-1], 0)


def warp_of(units: NDArray[np.float64]) -> Warp:
    """Return the warp that scores show, at least one, in units of their spread."""
    from scipy.special import ndtri

    places, counts = np.unique(units, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return Warp(places, (1 - _RANKS) * places + _RANKS * ndtri((ranks - 0.5) / len(units)))


def width_of(values: Sequence[float], centre: float, reach: float) -> float:
    """Return a robust spread, drawn towards an eighth of the reach as if three more trials had shown that."""
    spread = 1.48 * float(np.median(np.abs(np.array(values) - centre)))
    spread, n = min(spread, 1e6 * reach), len(values)
    return math.sqrt((n * spread**2 + 3 * (0.12 * reach) ** 2) / (n + 3))


def normalised(value: float, baseline: float | None, best: float | None) -> float | None:
    """Return where a score lies between its run's baseline (0) and best (1), cut at -2 and 1.5; None if unknowable."""
    if baseline is None or best is None or not math.isfinite(value) or not math.isfinite(best - baseline):
        return None
    reach = best - baseline
    return None if abs(reach) <= 1e-12 * max(1.0, abs(best)) else min(max((value - baseline) / reach, -2.0), 1.5)
