"""Commands about what a run may cost: its budget of time, trials, tokens and money, and a language model's price."""

from __future__ import annotations

import math
import re
from typing import Any

from automl_gpt.agent.clock import seconds_of
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.llm.connect import endpoint_of
from automl_gpt.agent.screen.panels import budget_words
from automl_gpt.agent.words.understand import seconds_in
from automl_gpt.cards.errors import PriceUnknown, UserError
from automl_gpt.cards.prices import save_price
from automl_gpt.tools.journal.events import Budget

LONGEST = 366 * 86400.0
AMOUNTS = (
    ("trials", re.compile(r"(-?\d{1,18})\s*(?:trials?|t)\b")),
    ("tokens", re.compile(r"(-?\d{1,3}(?:,\d{3})+|-?\d{1,18})\s*tokens?\b")),
    ("cost_usd", re.compile(r"\$\s*(\d{1,9}(?:\.\d+)?)")),
    ("cost_usd", re.compile(r"(-?\d{1,9}(?:\.\d+)?)\s*(?:usd\b|dollars?\b|\$)")),
)
"""How amounts other than times are written, each with the budget's field that it sets."""


def budget(chat: Conversation, rest: str) -> None:
    """Set the budget, or show it and what is left of it."""
    if rest.strip():
        change(chat, budget=budget_of(rest, chat.session.request.budget))
    left = chat.session.seconds_left()
    more = f", {left:.0f} s left" if left is not None and chat.state is not None else ""
    chat.say(f"budget {budget_words(chat.session.request.budget)}{more}")


def budget_of(text: str, now: Budget) -> Budget:
    """Return a budget of words such as `10m`, `30 trials`, `10m 20000 tokens 0.50 USD`; what they leave out stays.

    `none` is no limit at all. UserError for anything else, and for a budget in which nothing can be trained.
    """
    rest, fields = text.strip().casefold(), dict[str, float | int | None]()
    if rest in ("none", "no limit", "unlimited"):
        return Budget(seconds=None)
    for name, pattern in AMOUNTS:
        match = pattern.search(rest)
        if match and name not in fields:
            fields[name] = _amount(name, match.group(1))
            rest = (rest[: match.start()] + rest[match.end() :]).strip(" ,;")
            rest = re.sub(r"\b(and|or)$|^(and|or)\b", "", rest).strip(" ,;")
    if rest:
        fields["seconds"] = seconds_in(rest) or seconds_of(rest)
        if fields["seconds"] > LONGEST:
            raise UserError("a budget of more than a year: write /budget none for no limit")
    return now.model_copy(update=fields)


def _amount(name: str, text: str) -> float | int:
    amount = float(text) if name == "cost_usd" else int(text.replace(",", ""))
    if amount < 0 or (name != "cost_usd" and amount < 1):
        wanted = {"trials": "trials trains nothing", "tokens": "tokens asks nothing", "cost_usd": "USD is none"}[name]
        raise UserError(f"a budget of {text} {wanted}: give at least {0 if name == 'cost_usd' else 1}")
    return amount


def change(chat: Conversation, **fields: Any) -> None:
    """Change the request; where money is limited and the price of the model unknown, ask the person for it first."""
    try:
        chat.change(**fields)
    except PriceUnknown as unknown:
        if not chat.person.present:
            raise
        _ask_price(chat, unknown)
        chat.change(**fields)


def _ask_price(chat: Conversation, unknown: PriceUnknown) -> None:
    """Keep the price that the person tells as a card; raises the error where they tell none."""
    where = endpoint_of(unknown.model)
    at = f" at {where}" if where else ""
    question = f"{unknown.model}{at} costs, in USD per million tokens in and out (such as 0.25 2):"
    with chat.screen.aside():
        prices = _prices(chat.person.ask(question))
    if prices is None:
        raise unknown
    file = save_price(chat.cards_folder(), unknown.model, *prices, where)
    chat.say(f"the price is kept in {file}", "dim")


def _prices(answer: str | None) -> tuple[float, float] | None:
    """Return the two prices of an answer; None where it has not two numbers."""
    try:
        found = [float(word) for word in re.sub(r"[$/]|usd", " ", (answer or "").casefold()).split()]
    except ValueError:
        return None
    sound = len(found) == 2 and all(math.isfinite(price) and price >= 0 for price in found)
    return (found[0], found[1]) if sound else None
