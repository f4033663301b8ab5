"""Which model to try next: expected improvement per second, with a share for those that are not in front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.allowed import deliverable
from automl_gpt.tools.tune.cost import expected_seconds, seconds_left
from automl_gpt.tools.tune.forecasts.verdict import STRETCH
from automl_gpt.tools.tune.scale import baseline_value, scale_of, scored

DIVERSITY = 5
"""At least one in this many trials is for a model that is not in front: an ensemble follows at the end."""
_FAR = 6.0
"""A model this many spreads behind the best after two trials gets no more."""
_TRIALS_OF_WEIGHTS = 3
"""Given weights get at least so many trials before they are given up: a short fit of them is behind at first."""
_PATIENCE_FOR_EXAMPLES = 0.4
"""How much seconds count for texts and pictures, whose quick models reach their limit in a few trials."""
_HURRY = 0.5
"""Defaults are tried cheap ones first when together they would take more than this share of the time left."""


@dataclass(frozen=True)
class Standing:
    """What a model showed so far with what can be delivered, in units of the run's spread, in which more is better.

    `hopeless`: far behind, or every one of its trials was ended because it could not win.
    """

    model: str
    trials: int
    best: float
    spread: float
    seconds: float
    hopeless: bool


def by_cost(state: RunState, cards: Sequence[ModelCard]) -> list[ModelCard]:
    """Return cards in the order in which defaults are tried: as assigned, or cheap ones first when time is short."""
    left = seconds_left(state)
    costs = {c.name: expected_seconds(state, c, c.default()) for c in cards}
    workers = max(state.request.workers or 1, 1)
    if left is None or not cards or sum(costs.values()) / workers <= _HURRY * left:
        return list(cards)
    first = cards[:1] if costs[cards[0].name] < _HURRY * left else []
    rest = sorted((c for c in cards if c not in first), key=lambda c: costs[c.name])
    return [*first, *rest]


def standings(state: RunState, cards: Sequence[ModelCard]) -> list[Standing]:
    """Return what each model showed; models without an ended trial are left out."""
    scale, base = scale_of(state), baseline_value(state)
    units = {t.number: scale.to_unit(t.value or 0.0) for t in scored(state) if deliverable(state, t)}
    top = max(units.values(), default=0.0)
    floor = scale.to_unit(base) if base is not None else -math.inf
    found: list[Standing] = []
    for card in cards:
        mine = [t for t in state.ordered() if t.model == card.name and t.end is not None]
        if not mine:
            continue
        scores = sorted((units[t.number] for t in mine if t.number in units), reverse=True)
        best = scores[0] if scores else -math.inf
        upper = scores[: max(2, len(scores) // 2)]
        spread = math.sqrt((sum((s - best) ** 2 for s in upper) + 0.5) / (len(upper) + 1))
        behind = best <= floor or top - best > _FAR or (top - best > 3 * max(spread, 0.7) and len(mine) >= 5)
        cost = expected_seconds(state, card, _best_configuration(mine, card))
        lost, enough = all(t.status == "pruned" for t in mine), _TRIALS_OF_WEIGHTS if card.source else 2
        found.append(Standing(card.name, len(mine), best, spread, cost, lost or (len(mine) >= enough and behind)))
    return found


def choose(state: RunState, found: Sequence[Standing], recent: Sequence[str]) -> Standing | None:
    """Return the model to try next; None where no model is worth it.

    `recent` are the models of the latest proposals, the newest last; a model that is not in front is taken when none
    was among the last four. Else the expected improvement over the best (normal, around the model's best so far) per
    second decides; where trials are limited too, seconds hardly matter.
    """
    left = seconds_left(state)
    alive = [s for s in found if not s.hopeless] or list(found)
    alive = [s for s in alive if left is None or s.seconds <= STRETCH * left] or alive
    if not alive:
        return None
    top = max(s.best for s in alive)
    leader = max(alive, key=lambda s: s.best)
    budget = state.request.budget
    # Without a time limit seconds don't count at all: they differ from run to run, and decisions must not.
    patience = 0.0 if budget.seconds is None else 1.0 if budget.trials is None else 0.2
    if state.need_profile().modality != "tabular":
        patience = min(patience, _PATIENCE_FOR_EXAMPLES)
    others = [s for s in alive if s.model != leader.model]
    worth = {s.model: _gain(s, top) / max(s.seconds, 0.3) ** patience for s in alive}
    window = list(recent)[-(DIVERSITY - 1) :]
    if others and len(window) == DIVERSITY - 1 and all(m == leader.model for m in window):
        return max(others, key=lambda s: worth[s.model])
    return max(alive, key=lambda s: worth[s.model])


def _gain(standing: Standing, top: float) -> float:
    """Return the expected improvement over the best, for scores near the model's best that vary less as trials grow."""
    if standing.best == -math.inf:
        return 0.0
    spread = standing.spread * 1.5 / math.sqrt(1 + standing.trials / 4)
    z = (standing.best - 0.3 * spread - top) / spread
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return spread * (density + z * 0.5 * math.erfc(-z / math.sqrt(2)))


def _best_configuration(trials: Sequence[Trial], card: ModelCard) -> dict[str, bool | int | float | str]:
    usable = [t for t in trials if t.value is not None and math.isfinite(t.value)]
    if not usable:
        return card.default()
    sign = usable[0].metric.sign
    return max(usable, key=lambda t: sign * (t.value or 0.0)).hyperparameters
