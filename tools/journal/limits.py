"""Limits that a person set: on hyperparameters, which narrow the Model Cards, and on what the model may cost."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import suggestion
from automl_gpt.cards.narrow import between, narrowed
from automl_gpt.cards.schema import DataCard, Limits, ModelCard
from automl_gpt.tools.journal.events import Limit, Request


def limited(cards: Iterable[ModelCard], limits: Sequence[Limit]) -> dict[str, ModelCard]:
    """Return the cards by name, their search spaces narrowed; a card that can't obey a limit stays as it was.

    `check_limits` refuses such a limit, unless the card is none of those that the person wants.
    """
    return {card.name: _narrowed(card, limits) for card in cards}


def _narrowed(card: ModelCard, limits: Sequence[Limit]) -> ModelCard:
    for limit in limits:
        if concerns(limit, card):
            with contextlib.suppress(UserError):
                card = narrowed(card, limit.parameter, limit.low, limit.high, limit.choices)
    return card


def concerns(limit: Limit, card: ModelCard) -> bool:
    """Say whether a limit narrows a card; one that names no model narrows every card with such a hyperparameter."""
    return limit.parameter in card.search_space and limit.model in (None, card.name)


def check_limit(limit: Limit, cards: Sequence[ModelCard]) -> None:
    """Raise UserError, which names what is legal, where a limit fits no card, or leaves one without values."""
    if limit.model is not None and limit.model not in {card.name for card in cards}:
        names = [card.name for card in cards]
        raise UserError(f"there is no model {limit.model!r}, {suggestion(limit.model, names, 'there are')}")
    owners = [card for card in cards if limit.model in (None, card.name)]
    names = list(dict.fromkeys(name for card in owners for name in card.search_space))
    if limit.parameter not in names:
        who = f"{limit.model} has no" if limit.model else "no model has a"
        mend = suggestion(limit.parameter, names, "there are")
        raise UserError(f"{who} hyperparameter {limit.parameter!r}, {mend}")
    if lifts(limit):
        raise UserError(f"a limit on {limit.parameter} needs a lowest value, a highest value, or choices")
    for card in owners:
        _check(card, (limit,))


def _check(card: ModelCard, limits: Sequence[Limit]) -> None:
    """Raise UserError where a card can't keep the limits together; one for all models may be meant for another one."""
    for limit in limits:
        if not concerns(limit, card):
            continue
        try:
            card = narrowed(card, limit.parameter, limit.low, limit.high, limit.choices)
        except UserError as error:
            if limit.model is not None:
                raise
            raise UserError(f"{error}; or name the models that you mean") from error


def check_limits(request: Request, cards: Sequence[ModelCard]) -> None:
    """Raise UserError where the limits of a request can't all be kept by the models that it wants."""
    wanted = [card for card in cards if not request.models or card.name in request.models]
    for limit in request.limits:
        check_limit(limit, wanted if limit.model in (None, *request.models) else cards)
    for card in wanted:
        _check(card, request.limits)
    for name in ("megabytes", "seconds_per_1000"):
        value = getattr(request, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"{name.replace('_', ' ')}: {value:g} is no limit: give a number above 0")


def lifts(limit: Limit) -> bool:
    """Say whether a limit limits nothing: it takes earlier ones on the same hyperparameter back."""
    return limit.low is None and limit.high is None and not limit.choices


def with_limit(limits: Sequence[Limit], new: Limit) -> tuple[Limit, ...]:
    """Return the limits with a new one, which replaces the ends that it names of an earlier one on the same thing.

    An earlier end that the new one contradicts is given up: what was said last counts.
    """
    if lifts(new):
        return tuple(old for old in limits if old.parameter != new.parameter or new.model not in (None, old.model))
    same = [old for old in limits if (old.parameter, old.model) == (new.parameter, new.model)]
    rest = tuple(old for old in limits if old not in same)
    for old in same:
        if not new.choices and not old.choices:
            low = old.low if new.low is None else new.low
            high = old.high if new.high is None else new.high
            if low is None or high is None or low <= high:
                new = new.model_copy(update={"low": low, "high": high})
    return (*rest, new)


def limit_words(limit: Limit) -> str:
    """Return a limit in words."""
    who = f"{limit.model} " if limit.model else ""
    if lifts(limit):
        return f"{who}{limit.parameter} without a limit"
    what = " or ".join(map(str, limit.choices)) if limit.choices else between(limit.low, limit.high)
    return f"{who}{limit.parameter} {what}"


def delivery_limits(card: DataCard, request: Request) -> Limits:
    """Return what the delivered model may cost: of the Data Card's and the person's limits the stricter ones."""

    def stricter(a: float | None, b: float | None) -> float | None:
        return min((value for value in (a, b) if value is not None), default=None)

    return Limits(
        seconds_per_1000=stricter(card.limits.seconds_per_1000, request.seconds_per_1000),
        megabytes=stricter(card.limits.megabytes, request.megabytes),
    )
