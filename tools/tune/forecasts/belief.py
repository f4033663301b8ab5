"""What score a configuration is expected to reach: from the run's trials and experience; before any, the landmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.experience.distance import FARTHEST
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.tune.allowed import whole_cards
from automl_gpt.tools.tune.extrapolate import comes_to
from automl_gpt.tools.tune.forecasts.calibration import width_factor
from automl_gpt.tools.tune.forecasts.kernels import Columns, columns, points
from automl_gpt.tools.tune.forecasts.levels import CREDIT, expected_level
from automl_gpt.tools.tune.forecasts.mixture import Belief, Taught, Trials, believe, taught, untaught
from automl_gpt.tools.tune.forecasts.past import PastSet, past_sets, past_shares
from automl_gpt.tools.tune.scale import (
    FINITE,
    Prior,
    Scale,
    Warp,
    legal_range,
    prior,
    scale_of,
    scored,
    trivial_value,
    warp_of,
)
from automl_gpt.tools.tune.space import Vector, encode, matrix, repeats

MOST_TRIALS = 50
"""At most this many trials of the run are looked at: half of the same model, then the latest."""
_CUT_SHORT = 0.3
"""Variance that a trial adds which was not trained to its end."""
_DEFAULT, _DEFAULT_NOISE = 2.0, 1.0
"""An untried default of a card is taken to lie this many spreads above the run's median, give or take."""
_FEW = 3
"""Trials of its model from which on an untried default says something about other configurations."""


@dataclass(frozen=True)
class Expected:
    """An expected score with its 80% interval, in the metric's unit; `ground` says what it rests on."""

    value: float
    low: float
    high: float
    ground: str


def expected_scores(state: RunState, card: ModelCard, configurations: Sequence[Hyperparameters]) -> list[Expected]:
    """Predict the best validation score of configurations of one model."""
    if card.name == TRIVIAL:
        return [_trivial(state)] * len(configurations)
    card = whole_cards(state).get(card.name, card)
    past, own = past_sets(state, card), _own(state, card)
    if not own:
        return [_before_any(state, card, past, c) for c in configurations]
    scale = scale_of(state)
    units = np.array([scale.to_unit(comes_to(t) or 0.0) for t in own])
    warp, layout = warp_of(units), columns(list({**whole_cards(state), card.name: card}.values()))
    trials = _trials(layout, card, own, warp.to(units))
    teacher = _teacher(state, layout, card, past) or untaught(layout, len(own))
    levels = _levels(state, card, own, scale, warp)
    trials = replace(trials, y=trials.y - levels[: len(trials.y)])  # one more where its own default is among them
    beliefs = believe(teacher, trials, points(layout, [(card.name, c) for c in configurations]))
    beliefs = [replace(b, mean=b.mean + float(levels[-1])) for b in beliefs]
    ground = _ground(own, past, card.name)
    stretch = width_factor(state)
    return [_bounded(b, stretch, warp, scale, state.need_metric(), ground) for b in beliefs]


def _trivial(state: RunState) -> Expected:
    """Return the trivial model's score, nearly exact where the profile tells it."""
    metric, profile = state.need_metric(), state.need_profile()
    value = trivial_value(profile, metric, state.data_card.positive_class)
    if value is None:
        return _told(state, prior(state), "the data's statistics")
    rows = max(profile.rows_valid, 2)
    half = max(abs(value), 0.05) * 1.28 / math.sqrt(rows)
    half *= 0.5 if metric.task == "classification" else 1.0
    half = max(half, 1e-3 * max(abs(value), 0.1)) * (4 if metric.name in ("mae", "median_absolute_error") else 1)
    low, high = legal_range(metric)
    return Expected(value, max(low, value - half), min(high, value + half), "the classes' or the target's statistics")


def _before_any(state: RunState, card: ModelCard, past: Sequence[PastSet], configuration: Hyperparameters) -> Expected:
    """Predict the first score: the landmark's guess, moved towards what the configuration reached on near data."""
    landmark, guess = state.need_profile().meta.landmark, expected_level(state, card) or prior(state)
    ground = "nothing trained yet" if landmark is None else "nothing trained yet: a simple model's score on the data"
    near = [p for p in past if p.distance < FARTHEST]
    if not near:
        return _told(state, guess, ground)
    return _told(state, past_shares(state, card, near, configuration, guess), f"{ground}; {_others(near)}")


def _told(state: RunState, guess: Prior, ground: str) -> Expected:
    low, high = legal_range(state.need_metric())
    value = min(max(guess.value, low), high)
    return Expected(value, max(low, value - guess.half), min(high, value + guess.half), ground)


def _own(state: RunState, card: ModelCard) -> list[Trial]:
    trials = [t for t in scored(state) if t.model in whole_cards(state)]
    if len(trials) <= MOST_TRIALS:
        return trials
    same = [t for t in trials if t.model == card.name][-MOST_TRIALS // 2 :]
    chosen = {t.number for t in same}
    rest = [t for t in trials if t.number not in chosen][-(MOST_TRIALS - len(same)) :]
    return sorted(same + rest, key=lambda t: t.number)


def _trials(layout: Columns, card: ModelCard, own: Sequence[Trial], y: Vector) -> Trials:
    """Return the run's trials, and the untried default of a model that was tried elsewhere."""
    given = [(t.model, t.hyperparameters) for t in own]
    noise = [0.0 if t.whole else _CUT_SHORT for t in own]
    tried = matrix(card, [h for m, h in given if m == card.name])
    if len(tried) >= _FEW and not repeats(card, encode(card, card.default()), tried):
        given, noise, y = [*given, (card.name, card.default())], [*noise, _DEFAULT_NOISE], np.append(y, _DEFAULT)
    return Trials(points(layout, given), y, np.array(noise), np.arange(len(given)) < len(own))


def _levels(state: RunState, card: ModelCard, own: Sequence[Trial], scale: Scale, warp: Warp) -> Vector:
    """Return how far the landmarks expect each trial's model, and last the card's own, above the trials' average."""
    models, cards = [*(t.model for t in own), card.name], {**whole_cards(state), card.name: card}
    said = {model: expected_level(state, cards[model]) for model in models}
    units = {model: scale.to_unit(one.value) for model, one in said.items() if one is not None}
    if len(units) < len(said):
        return np.zeros(len(models))
    levels = warp.to(np.array([units[model] for model in models]))
    return CREDIT * (levels - levels[:-1].mean())


def _teacher(state: RunState, layout: Columns, card: ModelCard, past: Sequence[PastSet]) -> Taught | None:
    """Return what the model's trials on near data teach, computed once; None where there are too few."""
    if sum(len(p) for p in past) < _FEW:
        return None
    key = f"taught {card.name}"
    if key not in state.memo:
        given = [(card.name, h) for p in past for h in p.configurations]
        data = [i for i, p in enumerate(past, 1) for _ in p.configurations]
        noise = np.concatenate([np.full(len(p), min(p.distance, FARTHEST) ** 2) for p in past])
        state.memo[key] = taught(points(layout, given, data), np.concatenate([p.units for p in past]), noise)
    return state.memo[key]


def _bounded(belief: Belief, stretch: float, warp: Warp, scale: Scale, metric: Metric, ground: str) -> Expected:
    """Map a belief, its interval stretched, back to the metric's unit: within its legal range, never narrower than
    rounding."""
    ends = belief.mean - stretch * belief.below, belief.mean + stretch * belief.above
    wanted = warp.back(np.array([belief.mean, *ends]))
    value, *ends = scale.from_units(wanted).tolist()
    floor = max(1e-4 * scale.reach, 1e-12)
    low, high = legal_range(metric)

    def cut(x: float) -> float:
        return min(max(x, low, -FINITE), high, FINITE)

    return Expected(cut(value), cut(min(*ends, value - floor)), cut(max(*ends, value + floor)), ground)


def _ground(own: Sequence[Trial], past: Sequence[PastSet], model: str) -> str:
    text = f"{len(own)} finished trials, {sum(t.model == model for t in own)} of them {model}"
    return text + (f"; {_others(past)}" if past else "")


def _others(past: Sequence[PastSet]) -> str:
    similar = all(p.distance < FARTHEST for p in past)
    return f"{sum(len(p) for p in past)} trials on {'similar' if similar else 'other'} data"
