"""What the person's limits leave of a run's trials, and the Model Cards as they were before any limit narrowed them."""

from __future__ import annotations

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.limits import delivery_limits
from automl_gpt.tools.journal.state import RunState, Trial


def whole_cards(state: RunState) -> dict[str, ModelCard]:
    """Return the Model Cards with their whole search spaces: what trials taught holds whatever is allowed from now on.

    Distances between configurations are measured in these, so that a limit changes no forecast.
    """
    return {card.name: card for card in state.started.model_cards}


def deliverable(state: RunState, trial: Trial) -> bool:
    """Say whether a trial's model is, as far as is known, as small and as quick as the card and the person ask for."""
    limits, end = delivery_limits(state.data_card, state.request), trial.end
    if end is None:
        return True
    large = limits.megabytes is not None and (end.disk_megabytes or 0.0) > limits.megabytes
    slow = limits.seconds_per_1000 is not None and 1000 * (end.predict_seconds or 0.0) > limits.seconds_per_1000
    return not (large or slow)


def best_deliverable(state: RunState) -> Trial | None:
    """Return the best complete trial that can be delivered; None before the first."""
    best: Trial | None = None
    for trial in state.done():
        better = best is None or state.need_metric().better(trial.value or 0.0, best.value or 0.0)
        if trial.complete and better and deliverable(state, trial):
            best = trial
    return best


def best_of(state: RunState, model: str) -> Trial | None:
    """Return a model's best trial with a score, complete or not; None before the first."""
    mine = [t for t in state.done() if t.model == model]
    return max(mine, key=lambda t: t.metric.sign * (t.value or 0.0), default=None)
