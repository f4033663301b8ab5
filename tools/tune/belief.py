"""What score a configuration is expected to reach: trials of this run, then experience, then the landmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.tune.allowed import whole_cards
from automl_gpt.tools.tune.scale import (
    FINITE,
    Scale,
    baseline_value,
    legal_range,
    normalised,
    prior,
    scale_of,
    scored,
    trivial_value,
)
from automl_gpt.tools.tune.space import Vector, legal, matrix, squared_distances
from automl_gpt.tools.tune.surrogate import Belief, Observations, believe

MOST_TRIALS = 70
"""At most this many trials of the run are looked at: half of the same model, then the latest."""
MOST_EXPERIENCE = 20
_CUT_SHORT = 0.3
"""Variance that a trial adds which was not trained to its end."""


@dataclass(frozen=True)
class Expected:
    """An expected score with its 80% interval, in the metric's unit; `ground` says what it rests on."""

    value: float
    low: float
    high: float
    ground: str


@dataclass(frozen=True)
class _Seen:
    model: str
    hyperparameters: Hyperparameters
    unit: float
    noise: float
    own: bool


def expected_scores(state: RunState, card: ModelCard, configurations: Sequence[Hyperparameters]) -> list[Expected]:
    """Predict the best validation score of configurations of one model."""
    if card.name == TRIVIAL:
        return [_trivial(state)] * len(configurations)
    card, scale = whole_cards(state).get(card.name, card), scale_of(state)
    seen = _own(state, card, scale) + _experience(state, card, scale)
    if not seen:
        return [_from_prior(state)] * len(configurations)
    beliefs = _believe(state, card, configurations, seen, _constant(state, scale))
    ground = _ground(seen, card.name)
    return [_bounded(b, scale, state.need_metric(), ground) for b in beliefs]


def _trivial(state: RunState) -> Expected:
    """Return the trivial model's score, nearly exact where the profile tells it."""
    metric, profile = state.need_metric(), state.need_profile()
    value = trivial_value(profile, metric, state.data_card.positive_class)
    if value is None:
        return _from_prior(state)
    rows = max(profile.rows_valid, 2)
    half = max(abs(value), 0.05) * 1.28 / math.sqrt(rows)
    half *= 0.5 if metric.task == "classification" else 1.0
    half = max(half, 1e-3 * max(abs(value), 0.1)) * (4 if metric.name in ("mae", "median_absolute_error") else 1)
    low, high = legal_range(metric)
    return Expected(value, max(low, value - half), min(high, value + half), "the classes' or the target's statistics")


def _from_prior(state: RunState) -> Expected:
    guess, (low, high) = prior(state), legal_range(state.need_metric())
    value = min(max(guess.value, low), high)
    landmark = state.need_profile().meta.landmark
    ground = "nothing trained yet" if landmark is None else "nothing trained yet: a simple model's score on the data"
    return Expected(value, max(low, value - guess.half), min(high, value + guess.half), ground)


def _own(state: RunState, card: ModelCard, scale: Scale) -> list[_Seen]:
    cards = whole_cards(state)
    trials = [t for t in scored(state) if t.model in cards]
    if len(trials) > MOST_TRIALS:
        same = [t for t in trials if t.model == card.name][-MOST_TRIALS // 2 :]
        chosen = {t.number for t in same}
        rest = [t for t in trials if t.number not in chosen][-(MOST_TRIALS - len(same)) :]
        trials = sorted(same + rest, key=lambda t: t.number)
    return [_seen(t, scale) for t in trials]


def _seen(trial: Trial, scale: Scale) -> _Seen:
    unit = scale.to_unit(trial.value or 0.0)
    return _Seen(trial.model, trial.hyperparameters, unit, 0.0 if trial.complete else _CUT_SHORT, own=True)


def _experience(state: RunState, card: ModelCard, scale: Scale) -> list[_Seen]:
    """Return the nearest trials of other runs, mapped to this run's scores; those of one run count as one together."""
    base, best, cards = baseline_value(state), _best(state), whole_cards(state)
    found: list[_Seen] = []
    past = sorted(state.experience or (), key=lambda p: (p.model != card.name, p.distance))
    for trial in past[: 4 * MOST_EXPERIENCE]:
        other = cards.get(trial.model)
        share = normalised(trial.value, trial.baseline, trial.best)
        if base is None or share is None or other is None or not legal(other, trial.hyperparameters):
            continue
        unit = scale.to_unit(base + share * (best - base))
        found.append(_Seen(trial.model, trial.hyperparameters, unit, (1 + 2 * trial.distance) ** 2, own=False))
        if len(found) == MOST_EXPERIENCE:
            break
    together = math.sqrt(len(found))
    return [_Seen(s.model, s.hyperparameters, s.unit, s.noise * together, own=False) for s in found]


def _best(state: RunState) -> float:
    metric, values = state.need_metric(), [t.value or 0.0 for t in scored(state)]
    if values:
        return max(values) if metric.direction == "maximize" else min(values)
    return prior(state).value


def _constant(state: RunState, scale: Scale) -> float:
    """Return the prior variance of the level that all models share, in units of the surrogate's amplitude."""
    own = len(scored(state))
    return 1.0 if not own else min(9.0, max(1.0, (prior(state).half / scale.width) ** 2 / 4))


def _believe(
    state: RunState, card: ModelCard, configurations: Sequence[Hyperparameters], seen: Sequence[_Seen], constant: float
) -> list[Belief]:
    names = np.array([s.model for s in seen])
    apart = np.zeros((len(seen), len(seen)))
    new = np.zeros((len(configurations), len(seen)))
    at, cards = matrix(card, configurations), whole_cards(state)
    for name in dict.fromkeys(s.model for s in seen):
        mine = np.flatnonzero(names == name)
        points: Vector = matrix(cards[name], [s.hyperparameters for s in seen if s.model == name])
        apart[np.ix_(mine, mine)] = squared_distances(cards[name], points, points)
        if name == card.name:
            new[:, mine] = squared_distances(card, at, points)
    observed = Observations(
        same=names[:, None] == names[None, :],
        apart=apart,
        y=np.array([s.unit for s in seen]),
        noise=np.array([s.noise for s in seen]),
        own=np.array([s.own for s in seen]),
    )
    same = np.repeat((names == card.name)[None, :], len(configurations), axis=0)
    return believe(observed, same, new, constant)


def _bounded(belief: Belief, scale: Scale, metric: Metric, ground: str) -> Expected:
    """Map a belief back to the metric's unit, within its legal range, never narrower than rounding."""
    value = scale.from_unit(belief.mean)
    ends = scale.from_unit(belief.mean - belief.below), scale.from_unit(belief.mean + belief.above)
    floor = max(1e-4 * scale.reach, 1e-12)
    low, high = legal_range(metric)

    def cut(x: float) -> float:
        return min(max(x, low, -FINITE), high, FINITE)

    return Expected(cut(value), cut(min(*ends, value - floor)), cut(max(*ends, value + floor)), ground)


def _ground(seen: Sequence[_Seen], model: str) -> str:
    own = sum(s.own for s in seen)
    same = sum(s.own and s.model == model for s in seen)
    text = f"{own} finished trials, {same} of them {model}" if own else "no finished trial of this run"
    past = len(seen) - own
    return text + (f"; {past} trials on similar data" if past else "")
