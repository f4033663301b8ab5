"""Configurations that fit the time: where a fit would take too much of it, larger steps make it shorter."""

from __future__ import annotations

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.cost import card_seconds, expected_seconds

SHARE = 0.25
"""Share of the time left that one trial may be expected to take before it is made shorter."""
SHARE_OF_NETWORKS, SHARE_OF_WEIGHTS = 0.35, 0.5
"""The same for networks, which gain more by a longer fit than by many; given weights most, as their default is good."""


def in_time(
    state: RunState, card: ModelCard, configuration: Hyperparameters, seconds_left: float | None
) -> tuple[Hyperparameters, str]:
    """Return the configuration, with the hyperparameter changed that the card says shortens a fit, and a note of it.

    Boosting needs rounds in inverse proportion to its learning rate (Friedman, 2001), so a rate raised by the factor
    that is missing ends in time, where the same fit cut short would be far from done. A network passes fewer times over
    the rows.
    """
    if card.resources.slower_with is not None:
        return _fewer(state, card, configuration, seconds_left)
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


def _fewer(
    state: RunState, card: ModelCard, configuration: Hyperparameters, seconds_left: float | None
) -> tuple[Hyperparameters, str]:
    name = card.resources.slower_with
    if seconds_left is None or name is None or name not in configuration:
        return configuration, ""
    space, value = card.search_space[name], configuration[name]
    if space.type != "int" or not isinstance(value, int):
        return configuration, ""
    share = SHARE_OF_WEIGHTS if card.source else SHARE_OF_NETWORKS
    factor = share * seconds_left / max(expected_seconds(state, card, configuration), 1e-9)
    fewer = max(space.low, min(value, int(value * factor)))
    if fewer == value:
        return configuration, ""
    return {**configuration, name: fewer}, f"; {name} cut to {fewer} to fit the time"
