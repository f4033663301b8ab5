"""Plugs a language model in for a run: the model, what it costs, what it may use."""

from __future__ import annotations

import os
from dataclasses import replace

from automl_gpt.agent.clock import Clock
from automl_gpt.agent.ledger import Ledger
from automl_gpt.agent.llm.breaker import Breaker
from automl_gpt.agent.llm.exchange import Abilities
from automl_gpt.agent.llm.line import Line, Listener, no_listener
from automl_gpt.agent.llm.plug import open_model
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.prices import price_card
from automl_gpt.tools.journal.live import LiveRun


def connect(name: str, live: LiveRun, clock: Clock, listener: Listener | None = None) -> Line:
    """Return the line to a model; UserError where it can't be plugged in. Takes a second or two: much is imported."""
    model = open_model(name)
    card = price_card(name, model.endpoint, live.journal.folder / "cards")
    if card is not None:
        model.abilities = told_by(card, model.abilities)
    ledger = Ledger(live.state, clock, card)
    return Line(model, live.state, ledger, clock, Breaker(), listener or no_listener)


def endpoint_of(name: str) -> str | None:
    """Return the server that a model will be asked at, as far as the environment says; None: the provider's own."""
    return (os.environ.get("OPENAI_BASE_URL") or None) if name.partition(":")[0] == "openai" else None


def told_by(card: LanguageModelCard, abilities: Abilities) -> Abilities:
    """Return the abilities as a card tells them; what it leaves out stays."""
    told = {"context": card.context, "output": card.output, "tools": card.tools}
    return replace(abilities, known=True, **{name: value for name, value in told.items() if value is not None})
