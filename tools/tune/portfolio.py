"""A few configurations of each model that complement its default: hand-picked, or the best on similar data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.scale import normalised
from automl_gpt.tools.tune.space import Vector, encode, legal, repeats

FILE = Path(__file__).with_name("portfolio.yaml")
FROM_EXPERIENCE = 2
"""How many configurations per model come from similar data."""
NEAR = 0.6
"""Data farther away than this teach no configuration."""


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
    """Return the best configurations of near data, at most one for each data set, best and nearest first."""
    best: dict[str, tuple[float, Hyperparameters]] = {}
    for past in state.experience or ():
        share = normalised(past.value, past.baseline, past.best)
        if past.model != card.name or past.distance > NEAR or share is None or not legal(card, past.hyperparameters):
            continue
        worth = share - past.distance
        if past.data not in best or worth > best[past.data][0]:
            best[past.data] = worth, past.hyperparameters
    ranked = sorted(best.values(), key=lambda pair: -pair[0])
    return [configuration for _, configuration in ranked[:FROM_EXPERIENCE]]


def portfolio(state: RunState, card: ModelCard, tried: Vector) -> list[tuple[Hyperparameters, str]]:
    """Return what of the portfolio is untried, each with its reason; configurations learnt come before shipped ones."""
    named = [(c, "worked best on similar data") for c in learnt(state, card)]
    named += [(c, f"complements {card.name}'s default") for c in shipped(card, state.need_metric().name)]
    return [(c, why) for c, why in named if not repeats(card, encode(card, c), tried)]
