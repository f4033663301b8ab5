"""Experience by data set: what a model's configurations reached there, in units that compare with this run's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.scale import FINITE, Prior, Scale, baseline_value, warp_of, width_of
from automl_gpt.tools.tune.space import Vector, legal, matrix, squared_distances

MOST_EXPERIENCE = 200
"""At most this many trials on other data are looked at, those on the nearest."""
_NEAR, _FLOOR = 0.2, 1e-3
"""Configurations this far apart count for each other; and what any counts for."""
_APART, _FARTHER = 0.15, 0.5
"""Standard deviation between the shares that a model reaches on two data sets: at distance 0, and per unit."""


@dataclass(frozen=True)
class PastSet:
    """A model's trials on one other data set: configurations, their scores in `units` of their spread, warped, and as
    `shares` of the way from the baseline to a perfect score where that is the run's metric; the data set's `distance`.
    """

    configurations: tuple[Hyperparameters, ...]
    units: Vector
    shares: Vector | None
    distance: float

    def __len__(self) -> int:
        """Return how many trials there are."""
        return len(self.configurations)


def past_sets(state: RunState, card: ModelCard) -> list[PastSet]:
    """Return a model's experience by data set, nearest first, as far as it is legal for the card; computed once.

    Data that are not near count too, each by its distance: how configurations compare is much the same everywhere.
    """
    key = f"past {card.name}"
    if key not in state.memo:
        state.memo[key] = _past_sets((*(state.experience or ()), *state.far_experience), card, state.need_metric().name)
    return state.memo[key]


def _past_sets(experience: Sequence[SimilarTrial], card: ModelCard, metric: str) -> list[PastSet]:
    groups: dict[tuple[str, str], list[SimilarTrial]] = {}
    known = [t for t in experience if t.model == card.name and t.metric in METRICS and abs(t.value) < FINITE]
    usable = [t for t in sorted(known, key=lambda t: t.distance) if legal(card, t.hyperparameters)]
    for trial in usable[:MOST_EXPERIENCE]:
        groups.setdefault((trial.fingerprint or trial.data, trial.metric), []).append(trial)
    return [_past_set(trials, metric) for trials in groups.values()]


def _past_set(trials: Sequence[SimilarTrial], own: str) -> PastSet:
    metric, base = METRICS[trials[0].metric], trials[0].baseline
    values = [t.value for t in trials]
    centre = float(np.median(values))
    known = base is not None and abs(base) < FINITE and base != metric.best
    reach = abs(centre - base) if known and base is not None else 0.0
    reach = reach or max(0.02 * abs(centre), 1e-9)
    scale = Scale(centre, width_of(values, centre, reach), metric.sign, reach)
    units = np.array([scale.to_unit(v) for v in values])
    shares: Vector | None = None
    if known and base is not None and metric.name == own:
        shares = np.clip((np.array(values) - base) / (metric.best - base), -1.0, 1.0)
    return PastSet(tuple(t.hyperparameters for t in trials), warp_of(units).to(units), shares, trials[0].distance)


def past_shares(
    state: RunState, card: ModelCard, past: Sequence[PastSet], configuration: Hyperparameters, guess: Prior
) -> Prior:
    """Return a guess that is moved towards what near configurations reached on near data, as a share of the way from
    the baseline to a perfect score; each data set counts by its distance, and their disagreement widens it."""
    metric, base = state.need_metric(), baseline_value(state)
    told = [p for p in past if p.shares is not None]
    if base is None or base == metric.best or not told:
        return guess
    reach = metric.best - base
    found = [_share(card, p, configuration) for p in told]
    shares = np.array([(guess.value - base) / reach, *found])
    spread = np.array([guess.half / abs(reach) / 1.28, *(_APART + _FARTHER * p.distance for p in told)])
    weight = 1 / np.maximum(spread, 1e-3) ** 2
    mean = float(weight @ shares / weight.sum())
    variance = 1 / weight.sum() + float(weight @ (shares - mean) ** 2 / weight.sum())
    return Prior(base + mean * reach, max(1.28 * math.sqrt(variance) * abs(reach), 1e-9))


def _share(card: ModelCard, past: PastSet, configuration: Hyperparameters) -> float:
    """Return the mean share on one data set, of near configurations above all."""
    apart = squared_distances(card, matrix(card, [configuration]), matrix(card, past.configurations))[0]
    weight = np.exp(-0.5 * apart / _NEAR**2) + _FLOOR
    assert past.shares is not None
    return float(weight @ past.shares / weight.sum())
