"""Wishes that code can enforce, understood by fixed rules: limits on hyperparameters, on size and on speed.

"smaller learning rates", "max_depth at most 6", "only models under 1 MB", in four languages. What is not recognised is
no limit: it stays in the person's words, which every paragraph carries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl_gpt.agent.words import limit_words as words
from automl_gpt.agent.words.limit_reader import (
    BOUND,
    NUMBER,
    UPPER,
    LimitReader,
    amount_of,
    any_of,
    clause_of,
    denied,
    parted,
    without,
)
from automl_gpt.agent.words.spoken import fold_accents
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.events import Limit, Request
from automl_gpt.tools.journal.limits import limit_words, with_limit
from automl_gpt.tools.journal.state import RunState

LONGEST = 2000
"""Longer messages hold more than a wish, and are left to a language model."""
_SECONDS = rf"(?:{UPPER})\s*(?P<num>{NUMBER})\s*(?P<unit>{'|'.join(words.SPEED_UNITS)})(?!\w)"
_THOUSAND = r"(?P<rows>1[ ,.']?000|(?:a )?thousand|tausend|mille|mil)"
SPEED = re.compile(rf"{_SECONDS}\s+{parted(words.EVERY)}\s+{_THOUSAND}?\s*(?P<what>\w+)?")
THOUSAND = re.compile(rf"{_THOUSAND}\s+(?P<what>\w+)(?:\s+\w+){{0,2}}?\s+{_SECONDS}")
SIZE = re.compile(rf"{BOUND}\s*(?P<num>{NUMBER})\s*(?P<unit>{'|'.join(words.MEGABYTES)})(?!\w)")


@dataclass(frozen=True)
class Wishes:
    """What code shall enforce from now on; empty (and false) where nothing was recognised."""

    limits: tuple[Limit, ...] = ()
    megabytes: float | None = None
    seconds_per_1000: float | None = None

    def __bool__(self) -> bool:
        """Say whether anything was recognised."""
        return bool(self.limits) or self.megabytes is not None or self.seconds_per_1000 is not None

    def words(self) -> str:
        """Return the wishes in words, as they are echoed to the person."""
        said = [limit_words(limit) for limit in self.limits]
        said += [f"models of at most {self.megabytes:g} MB"] if self.megabytes is not None else []
        seconds = self.seconds_per_1000
        said += [f"1,000 predictions in at most {seconds:g} s"] if seconds is not None else []
        return "; ".join(said)

    def fields(self, request: Request) -> dict[str, Any]:
        """Return what `Session.change` takes, so that a request with its earlier limits obeys these as well."""
        limits = request.limits
        for limit in self.limits:
            limits = with_limit(limits, limit)
        found: dict[str, Any] = {"limits": limits} if self.limits else {}
        costs = {"megabytes": self.megabytes, "seconds_per_1000": self.seconds_per_1000}
        return found | {name: value for name, value in costs.items() if value is not None}


NO_WISHES = Wishes()


def limits_of(text: str, state: RunState | None, cards: Sequence[ModelCard]) -> Wishes:
    """Return the limits that a message asks for; a question asks for none."""
    return NO_WISHES if text.rstrip().endswith("?") else take_limits(fold_accents(text), state, cards)[0]


def take_limits(spoken: str, state: RunState | None, cards: Sequence[ModelCard]) -> tuple[Wishes, str]:
    """Return the limits that folded words ask for, and the words without them."""
    if len(spoken) > LONGEST:
        return NO_WISHES, spoken
    models = [card.name for card in cards]
    seconds, spoken = _speed(spoken, models)
    megabytes, spoken = _size(spoken, models)
    reader = LimitReader(spoken, state, cards)
    return Wishes(tuple(reader.limits()), megabytes, seconds), reader.text


def _speed(text: str, models: Sequence[str]) -> tuple[float | None, str]:
    """Return the seconds that 1,000 predictions may take, and the rest of the text."""
    match = SPEED.search(text) or THOUSAND.search(text)
    if match is None or not (match["rows"] or match["what"]):
        return None, text
    seconds = amount_of(match["num"]) * _unit(match["unit"], words.SPEED_UNITS) * (1 if match["rows"] else 1000)
    return _usable(seconds), without(text, match, models)


def _size(text: str, models: Sequence[str]) -> tuple[float | None, str]:
    """Return the megabytes that a model may have, and the rest of the text."""
    match = SIZE.search(text)
    if match is None or re.search(any_of(words.MEMORY), clause_of(text, match)):
        return None, text
    if bool(match["at_most"] or match["below"]) == denied(text, match, 3):
        return None, text
    megabytes = amount_of(match["num"]) * _unit(match["unit"], words.MEGABYTES)
    return _usable(megabytes), without(text, match, models)


def _usable(amount: float) -> float | None:
    return amount if 0 < amount < math.inf else None


def _unit(text: str, units: dict[str, float]) -> float:
    return next(size for pattern, size in units.items() if re.fullmatch(pattern, text))
