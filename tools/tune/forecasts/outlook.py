"""What a run will have reached when its budget is spent: the best score so far, and what the trials to come may add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.allowed import deliverable
from automl_gpt.tools.tune.scale import legal_range, scale_of, scored

LEAST_TRIALS = 3
"""Nothing is said before this many trials have a score."""
_USUAL_EXCESS, _WEIGHT = 0.7, 1
"""How far good trials usually lie above the middle, in units of the run's spread, and the trials that counts for."""
_RECENT = 8
_QUANTILES = (0.1, 0.5, 0.9)
_GRID = (np.arange(24) + 0.5) / 24
_REACH, _STEPS = 12.0, 400
"""How far gains are looked for, in units of the tail, and how finely."""


@dataclass(frozen=True)
class Outlook:
    """The best validation score expected at the end of a run, with an 80% interval, and the trials still to come."""

    value: float
    low: float
    high: float
    trials: int


def outlook(state: RunState, seconds_left: float | None) -> Outlook | None:
    """Return what the run is expected to end with; None before three scores, or without a limit of time or trials."""
    trials = [t for t in scored(state) if t.whole and deliverable(state, t)]
    left = _trials_left(state, seconds_left)
    if len(trials) < LEAST_TRIALS or left is None:
        return None
    scale = scale_of(state)
    ends = best_of_more([scale.to_unit(t.value or 0.0) for t in trials], left)
    bottom, top = legal_range(state.need_metric())
    low, value, high = (min(max(scale.from_unit(unit), bottom), top) for unit in ends)
    return Outlook(value, min(low, high), max(low, high), left)


def best_of_more(units: Sequence[float], trials: int) -> tuple[float, float, float]:
    """Return the 10%, 50% and 90% quantiles of the best score after so many more trials; more is better.

    Scores are taken to have an exponential upper tail. Of n trials in no order the next is a new best with a chance
    that is Beta(1, n) distributed, whatever the distribution of scores; a search finds them more often or more rarely,
    as its second half showed.
    """
    from scipy.special import gammaincinv

    middle = median(units)
    above = [unit - middle for unit in units if unit > middle]
    known = len(above) + _WEIGHT
    total = sum(above) + _WEIGHT * _USUAL_EXCESS
    tail = total / gammaincinv(known, _GRID)  # the tail's scale is as uncertain as so many draws leave it
    chance = np.minimum(1.0, _luck(units) * (1 - (1 - _GRID) ** (1 / len(units))))
    gains = np.linspace(0.0, _REACH * total / known, _STEPS)
    over = chance[:, None, None] * np.exp(-gains[None, None, :] / tail[None, :, None])
    below = ((1 - over) ** trials).mean(axis=(0, 1))
    low, half, high = (max(units) + float(gains[min(int(np.searchsorted(below, q)), _STEPS - 1)]) for q in _QUANTILES)
    return low, half, high


def _trials_left(state: RunState, seconds_left: float | None) -> int | None:
    limit, ended = state.request.budget.trials, state.done()
    by_number = None if limit is None else max(0, limit - len(ended))
    times = [(t.started.at_seconds, t.started.at_seconds + t.end.seconds) for t in ended if t.started and t.end]
    recent = times[-_RECENT:]
    if seconds_left is None or not recent:
        return by_number
    took = max(end for _, end in recent) - min(began for began, _ in recent)
    by_time = int(seconds_left * len(recent) / max(took, 0.1))
    return by_time if by_number is None else min(by_number, by_time)


def _luck(units: Sequence[float]) -> float:
    """Return how much more often the later half of the trials brought a new best than trials in no order do."""
    half = len(units) // 2
    found = sum(unit > max(units[:place]) for place, unit in enumerate(units) if place >= max(half, 1))
    expected = sum(1 / (place + 1) for place in range(max(half, 1), len(units)))
    return (found + 1) / (expected + 1)
