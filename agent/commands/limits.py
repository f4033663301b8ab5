"""The command that narrows what may be tried and delivered: hyperparameters, the model's size and speed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.screen.budgets import limits_words
from automl_gpt.agent.screen.panels import facts
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import CategoricalRange, ModelCard, Scalar
from automl_gpt.tools.journal.events import Limit, Request
from automl_gpt.tools.journal.limits import with_limit

HOW = "/limit learning_rate 0.01..0.1, /limit max_depth <= 6, /limit lightgbm max_depth 3, /limit size 1MB, /limit none"
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
BETWEEN = re.compile(rf"({NUMBER})\s*(?:\.\.\.?|to|\u2026|\u2013)\s*({NUMBER})")
END = re.compile(rf"(<=|>=|<|>|\u2264|\u2265)\s*({NUMBER})")
SIZE = re.compile(rf"(?:<=)?\s*({NUMBER})\s*(kB|MB|GB)?", re.IGNORECASE)
SPEED = re.compile(rf"(?:<=)?\s*({NUMBER})\s*(ms|s)?", re.IGNORECASE)
MEGABYTES = {"kb": 1e-3, "mb": 1.0, "gb": 1e3}
NONE = ("none", "no limit", "off")
COSTS = {"size": "megabytes", "speed": "seconds_per_1000"}


def limit(chat: Conversation, rest: str) -> None:
    """Set a limit, lift it, or show those that are in force."""
    if rest.strip():
        request = chat.session.request
        chat.change(
            **limit_of(rest, request, chat.state.started.model_cards if chat.state else chat.session.candidates())
        )
    said = limits_words(chat.session.request)
    chat.screen.print(facts([("" if i else "limits", words) for i, words in enumerate(said)] or [("limits", "none")]))
    if not rest.strip():
        chat.say(HOW, "dim")


def limit_of(text: str, now: Request, cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return the fields of a request that a limit in words changes; UserError, with examples, for other words."""
    wanted = text.strip()
    if wanted.casefold() in NONE:
        return {"limits": (), "megabytes": None, "seconds_per_1000": None}
    match = re.fullmatch(r"([\w.-]*\w)\s*(.*)", wanted, re.DOTALL)
    if match is None:
        raise UserError(f"{wanted[:60]!r} is no limit; write {HOW}")
    name, rest = match.group(1), match.group(2).strip()
    if name.casefold() in COSTS:
        return {COSTS[name.casefold()]: _cost(name.casefold(), rest)}
    model = name if name in {card.name for card in cards} else None
    if model is not None:
        match = re.fullmatch(r"(\w+)\s*(.*)", rest, re.DOTALL)
        name, rest = (match.group(1), match.group(2).strip()) if match else ("", "")
    if not name or not rest:
        raise UserError(f"{wanted[:60]!r} is no limit; write {HOW}")
    return {"limits": with_limit(now.limits, _limit(name, model, rest, cards))}


def _cost(name: str, rest: str) -> float | None:
    if rest.casefold() in NONE:
        return None
    match = (SIZE if name == "size" else SPEED).fullmatch(rest)
    if match is None:
        raise UserError(f"{rest[:60]!r} is no {name}; write /limit size 1MB, /limit speed 0.5s (for 1,000 predictions)")
    unit = (match.group(2) or "").casefold()
    return float(match.group(1)) * (MEGABYTES.get(unit, 1.0) if name == "size" else 1e-3 if unit == "ms" else 1.0)


def _limit(name: str, model: str | None, rest: str, cards: Sequence[ModelCard]) -> Limit:
    if rest.casefold() in NONE:
        return Limit(parameter=name, model=model)
    between, end = BETWEEN.fullmatch(rest), END.fullmatch(rest)
    if between is not None:
        low, high = float(between.group(1)), float(between.group(2))
        if low > high:
            raise UserError(f"{low:g} is above {high:g}: swap them")
        return Limit(parameter=name, model=model, low=low, high=high)
    if end is not None:
        sign, value = end.group(1), float(end.group(2))
        if sign in "<>":
            raise UserError(f"write {sign}= and the last value that is allowed: /limit {name} {sign}= {value:g}")
        low, high = (None, value) if sign in ("<=", "\u2264") else (value, None)
        return Limit(parameter=name, model=model, low=low, high=high)
    return Limit(parameter=name, model=model, choices=_choices(name, model, rest.removeprefix("="), cards))


def _choices(name: str, model: str | None, text: str, cards: Sequence[ModelCard]) -> tuple[Scalar, ...]:
    """Return the values that a text lists, each of the type that a card has for it."""
    spaces = [card.search_space[name] for card in cards if name in card.search_space and model in (None, card.name)]
    known = {str(c).casefold(): c for space in spaces if isinstance(space, CategoricalRange) for c in space.choices}
    return tuple(known.get(word.casefold(), _number(word)) for word in re.split(r"[\s,]+|\bor\b", text) if word)


def _number(word: str) -> Scalar:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return word
