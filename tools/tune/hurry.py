"""Configurations that fit the time: where a fit would take too much of it, larger steps make it shorter."""

from __future__ import annotations

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.cost import card_seconds

SHARE = 0.25
"""Share of the time left that one trial may be expected to take before it is made shorter."""


def in_time(
    state: RunState, card: ModelCard, configuration: Hyperparameters, seconds_left: float | None
) -> tuple[Hyperparameters, str]:
    """Return the configuration, with the hyperparameter raised that the card says shortens a fit, and a note of it.

    Boosting needs rounds in inverse proportion to its learning rate (Friedman, 2001), so a rate raised by the factor
    that is missing ends in time, where the same fit cut short would be far from done.
    """
    name = card.resources.faster_with
    if seconds_left is None or name is None or name not in configuration:
        return configuration, ""
    space, value = card.search_space[name], configuration[name]
    if space.type != "float" or not isinstance(value, float):
        return configuration, ""
    factor = card_seconds(state, card) / max(SHARE * seconds_left, 1e-9)
    raised = min(space.high, float(f"{value * factor:.2g}"))
    if raised <= value:
        return configuration, ""
    return {**configuration, name: raised}, f"; {name} raised to {raised:g} to fit the time"
