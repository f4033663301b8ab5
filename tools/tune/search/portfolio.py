"""A few configurations of each model that complement its default: hand-picked, or the best on similar data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.search.transfer import complementary, past_sets
from automl_gpt.tools.tune.space import decode, matrix, repeats

FILE = Path(__file__).with_name("portfolio.yaml")
FROM_EXPERIENCE = 4
"""How many configurations per model come from similar data."""


@cache
def _shipped() -> dict[str, list[dict[str, Any]]]:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(FILE.read_text(encoding="utf-8")) or {}


def shipped(card: ModelCard, metric: str) -> list[Hyperparameters]:
    """Return the hand-picked configurations that suit the metric and are legal for the card, completed."""
    found: list[Hyperparameters] = []
    for given in _shipped().get(card.name, _shipped().get(card.trainer, []) if card.source else []):
        if metric not in given.get("metrics", (metric,)):
            continue
        try:
            found.append(card.complete(given["set"]))
        except ToolError:  # a person's own card of the same name may have another search space
            continue
    return found


def learnt(state: RunState, card: ModelCard) -> list[Hyperparameters]:
    """Return configurations of near data that complement each other, in the order in which they should be tried."""
    space = Space(card)
    transfer = past_sets(space, state.experience or ())
    if transfer is None:
        return []
    none = np.zeros((0, len(card.search_space)))
    chosen = complementary(transfer, transfer.weights(none, np.zeros(0)), none, FROM_EXPERIENCE)
    return [decode(card, at) for at in chosen]


def portfolio(state: RunState, card: ModelCard) -> list[tuple[Hyperparameters, str]]:
    """Return the model's portfolio with reasons: the default, then what near data taught, then the shipped ones.

    None repeats an earlier one of the list.
    """
    named = [(card.default(), f"the default of {card.name}")]
    named += [(c, "complements the default on similar data") for c in learnt(state, card)]
    named += [(c, f"complements {card.name}'s default") for c in shipped(card, state.need_metric().name)]
    at = matrix(card, [c for c, _ in named])
    return [entry for i, entry in enumerate(named) if not repeats(card, at[i], at[:i])]
