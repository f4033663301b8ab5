"""Whether a forecast is worth the training, and which of the skipped trials are trained all the same."""

from __future__ import annotations

import math
from typing import Protocol

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.tune.allowed import best_deliverable
from automl_gpt.tools.tune.scale import scored

ENOUGH = 8
"""Nothing is skipped before this many trials of real models have a score."""
STRETCH = 2.0
"""A trial may be expected to take this many times the time left: its folds are cut short then."""
AUDIT_EVERY = 10
"""One in this many skipped trials is trained all the same."""
_OPTIMISM = 1.5
_SANE_COVERAGE = 0.6


class Scored(Protocol):
    """What a verdict needs of a forecast."""

    @property
    def model(self) -> str:
        """Name of the Model Card."""
        ...

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The configuration."""
        ...

    @property
    def value(self) -> float:
        """Expected score."""
        ...

    @property
    def low(self) -> float:
        """Lower end of the 80% interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of the 80% interval."""
        ...

    @property
    def seconds(self) -> float:
        """Expected seconds."""
        ...


def verdict(state: RunState, forecast: Scored, seconds_left: float | None = None) -> tuple[bool, str]:
    """Say whether a configuration is worth training, and why.

    Not worth it is one that would take more than twice the time left (a fit cut short is worse, yet often good), or
    whose score would stay behind the best so far by a margin even at half an interval beyond its optimistic end. A
    model's first trial is always worth it if it fits the time; nothing is skipped before eight trials, or while the
    intervals of this run cover too little to be believed.
    """
    if forecast.model == TRIVIAL:
        return True, "the trivial baseline is always trained"
    started = [t for t in scored(state) if t.complete]
    if started and seconds_left is not None and forecast.seconds > STRETCH * seconds_left:
        return False, f"expected to take {forecast.seconds:.3g} s, and {max(seconds_left, 0):.3g} s are left"
    tried = any(t.model == forecast.model and t.value is not None for t in state.trials.values())
    card = state.model_cards.get(forecast.model)
    if not tried or (card is not None and forecast.hyperparameters == card.default()):
        return True, "the first trial of its model"
    if len(scored(state)) < ENOUGH:
        return True, "too few trials to judge by"
    return _against_best(state, forecast)


def _against_best(state: RunState, forecast: Scored) -> tuple[bool, str]:
    metric, best = state.need_metric(), best_deliverable(state)
    coverage = _coverage(state)
    if best is None or best.value is None or not math.isfinite(best.value):
        return True, "nothing to compare it with yet"
    if coverage is not None and coverage < _SANE_COVERAGE:
        return True, f"intervals covered only {coverage:.0%} of the scores so far, so none is skipped"
    half = abs((forecast.high if metric.sign > 0 else forecast.low) - forecast.value)
    optimistic = forecast.value + metric.sign * _OPTIMISM * half
    margin = 0.25 * half
    if metric.sign * (best.value - optimistic) > margin:
        return False, (
            f"expected {forecast.value:.4g}, at best {optimistic:.4g}: behind the best so far, {best.value:.4g}"
        )
    return True, f"expected {forecast.value:.4g}, possibly {optimistic:.4g}; best so far {best.value:.4g}"


def _coverage(state: RunState) -> float | None:
    hits = [t.gap.covered for t in state.ordered() if t.gap is not None and t.model != TRIVIAL]
    return sum(hits) / len(hits) if len(hits) >= 5 else None


def is_audit(skipped_so_far: int, seed: int) -> bool:
    """Say whether the next hopeless trial is trained all the same: exactly one of every ten, its place set by the seed.

    `skipped_so_far` counts every trial that was judged hopeless, those included that were trained as an audit.
    """
    return skipped_so_far % AUDIT_EVERY == seed % AUDIT_EVERY
