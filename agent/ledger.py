"""The ledger of a run: its seconds, tokens and money, over all its sessions, derived from its events alone.

Before a call the most that it may use is estimated and has to fit into what is left; after it the server's figures
count. A call that was asked and never answered counts with its estimate, since it may have been spent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from automl_gpt.agent.clock import Clock
from automl_gpt.agent.llm.exchange import Query
from automl_gpt.agent.prompts.fitting import tokens
from automl_gpt.cards.errors import PriceUnknown
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.prices import price_card, price_file
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

THRESHOLDS = (1.0, 0.8, 0.5)
"""Shares of a budget at which the person is warned, highest first."""
LEAST_ANSWER = 200
"""Tokens below which an answer is not cut down: no decision fits into less."""
TOKENS_PER_MESSAGE = 4
RECENT = 10
"""Earlier calls of a model that tell how many tokens it really makes of a text."""
MARGIN = 1.1
"""What a request may exceed the densest of them by."""
LEAST_RATIO, MOST_RATIO = 0.5, 4.0
"""Within which bounds they correct the estimate: no token is shorter than a byte."""
_PIECES = re.compile(r"\s(?=\d)|\n+|\d{1,3}|[^\W\d]+|[^\w\s]{1,3}")
"""What tokenizers cut a text into at the least."""


@lru_cache(maxsize=64)
def text_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many: by its length, and tables by the numbers in them."""
    return max(tokens(text), sum(1 for _ in _PIECES.finditer(text)))


def request_tokens(messages: Iterable[e.Message], tools: Iterable[dict[str, Any]] = ()) -> int:
    """Estimate the tokens of messages and of the schemas of tools, before any correction by a model's own figures."""
    texts = [part for message in messages for part in _parts(message)]
    texts += [json.dumps(schema, ensure_ascii=False) for schema in tools]
    return sum(TOKENS_PER_MESSAGE + text_tokens(text) for text in texts)


def _parts(message: e.Message) -> list[str]:
    calls = [f"{c.name} {c.id} {c.raw or json.dumps(c.arguments, ensure_ascii=False)}" for c in message.calls]
    return [message.text, *calls]


def _usd(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 else f"{value:.2g}"


@dataclass(frozen=True)
class Usage:
    """What a run's calls to language models used. `cost_usd` is None where a call has no known price.

    `known_usd` is the sum of the known ones, `cached` the tokens of `tokens_in` that servers had at hand, `calls` also
    counts those that failed, `seconds` is the time of the answered ones.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    cost_usd: float | None = 0.0
    known_usd: float = 0.0
    calls: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens in and out together: what a budget of tokens counts."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class _Entry:
    tokens_in: int
    tokens_out: int
    cached: int
    cost_usd: float | None
    seconds: float


class Ledger:
    """Estimates, reserves and counts what language models use. `price` is that of the present model where it is asked.

    Earlier calls of the same model that were made before its price was known are counted at it.
    """

    def __init__(self, state: RunState, clock: Clock, price: LanguageModelCard | None) -> None:
        self._state, self._clock, self._price = state, clock, price
        self._guesses: dict[int, int] = {}

    # -------------------------------------------------------------------------------------------------- before a call

    def estimate(self, query: Query) -> tuple[int, float | None]:
        """Return the tokens that a request is expected to have, and the most USD that it may cost with its answer."""
        tokens_in = math.ceil(request_tokens(query.messages, query.tools) * self._ratio())
        return tokens_in, self.cost(tokens_in, 0, query.tokens_out)

    def reserve(self, query: Query) -> str | None:
        """Return None where a request and its longest answer fit into what is left; else one line that says why not."""
        tokens_in, cost = self.estimate(query)
        budget, used = self._state.request.budget, self.usage()
        if budget.tokens is not None and used.tokens + tokens_in + query.tokens_out > budget.tokens:
            left, most = max(0, budget.tokens - used.tokens), tokens_in + query.tokens_out
            return f"{left:,} of {budget.tokens:,} tokens are left, a call may need {most:,}"
        if budget.cost_usd is None:
            return None
        if cost is None:
            return f"the price of {self._model} is unknown, and the budget is {budget.cost_usd:g} USD"
        if used.known_usd + cost > budget.cost_usd:
            left = max(0.0, budget.cost_usd - used.known_usd)
            return f"{_usd(left)} of {budget.cost_usd:g} USD are left, a call may cost {_usd(cost)}"
        return None

    def fitting(self, query: Query) -> Query | None:
        """Return the request with the longest answer that still fits, not below 200 tokens; None where none fits."""
        least = min(LEAST_ANSWER, query.tokens_out)
        tokens_out = max(least, min(query.tokens_out, self._longest_answer(query)))
        shorter = replace(query, tokens_out=tokens_out)
        return shorter if self.reserve(shorter) is None else None

    def needs_price(self) -> bool:
        """Say whether money is limited while the price of the language model that decides is unknown."""
        return self._state.request.budget.cost_usd is not None and self._price is None and ":" in self._model

    def cost(self, tokens_in: int, cached: int, tokens_out: int) -> float | None:
        """Return the USD of a call of the present model; None where its price is unknown."""
        return None if self._price is None else self._price.cost(tokens_in, cached, tokens_out)

    def _longest_answer(self, query: Query) -> int:
        """Return the tokens that are left for the answer to a request; below 0 where not even the request fits."""
        tokens_in, budget, used = self.estimate(query)[0], self._state.request.budget, self.usage()
        room = float(query.tokens_out)
        if budget.tokens is not None:
            room = min(room, budget.tokens - used.tokens - tokens_in)
        if budget.cost_usd is not None and self._price is not None and self._price.output_usd > 0:
            left = budget.cost_usd - used.known_usd - self._price.cost(tokens_in, 0, 0)
            room = min(room, left * 1e6 / self._price.output_usd - 1e-6)
        return math.floor(room)

    @property
    def _model(self) -> str:
        return self._state.request.controller

    def _ratio(self) -> float:
        """Return by how much the model's own counts exceeded the estimates at most in its latest calls; 1 before."""
        answers = (self._state.answered[n] for n in sorted(self._state.answered, reverse=True))
        counted = (a for a in answers if a.counted and a.tokens_in > 0 and self._asked_model(a.call) == self._model)
        ratios = [a.tokens_in / self._guess(self._state.asked[a.call]) for a in islice(counted, RECENT)]
        return min(MOST_RATIO, max(LEAST_RATIO, MARGIN * max(ratios))) if ratios else 1.0

    def _asked_model(self, call: int) -> str:
        asked = self._state.asked.get(call)
        return asked.model if asked else ""

    def _guess(self, asked: e.LLMAsked) -> int:
        if asked.call not in self._guesses:
            self._guesses[asked.call] = max(1, request_tokens(asked.messages, asked.tools))
        return self._guesses[asked.call]

    # ------------------------------------------------------------------------------------------------- after the calls

    def usage(self) -> Usage:
        """Return what the run's calls have used so far, in all its sessions; zeros where no model was asked."""
        numbers = sorted(self._state.asked.keys() | self._state.answered.keys())
        entries = [self._entry(number) for number in numbers]
        known = math.fsum(entry.cost_usd or 0.0 for entry in entries)
        return Usage(
            tokens_in=sum(entry.tokens_in for entry in entries),
            tokens_out=sum(entry.tokens_out for entry in entries),
            cached=sum(entry.cached for entry in entries),
            cost_usd=None if any(entry.cost_usd is None for entry in entries) else known,
            known_usd=known,
            calls=len(entries),
            seconds=math.fsum(entry.seconds for entry in entries),
        )

    def _entry(self, number: int) -> _Entry:
        found = self._state.answered.get(number) or self._state.asked[number]
        tokens_in, tokens_out = max(0, found.tokens_in), max(0, found.tokens_out)
        answered = isinstance(found, e.LLMAnswered)
        cached = min(max(0, found.tokens_cached), tokens_in) if answered else 0
        cost = found.cost_usd
        if not tokens_in + tokens_out:
            cost = cost or 0.0
        elif cost is None and self._price is not None and self._asked_model(number) == self._price.name:
            cost = self._price.cost(tokens_in, cached, tokens_out)
        return _Entry(tokens_in, tokens_out, cached, cost, max(0.0, found.seconds) if answered else 0.0)

    def warnings(self) -> list[e.BudgetWarned]:
        """Return the warnings that are due: of each budget the highest of 50, 80, 100% that is newly passed."""
        budget, used = self._state.request.budget, self.usage()
        due = (
            self._warning("seconds", self._clock.elapsed(), self._clock.total),
            self._warning("tokens", used.tokens, budget.tokens),
            self._warning("cost_usd", used.known_usd, budget.cost_usd),
        )
        return [warning for warning in due if warning is not None]

    def _warning(
        self, what: Literal["seconds", "tokens", "cost_usd"], used: float, limit: float | None
    ) -> e.BudgetWarned | None:
        passed = None if limit is None else next((share for share in THRESHOLDS if used >= share * limit), None)
        if limit is None or passed is None:
            return None
        told = any(kind == what and share >= passed for kind, share in self._state.budget_warned)
        return None if told else e.BudgetWarned(what=what, share=passed, used=used, limit=limit)


def check_money(request: e.Request, model: str, endpoint: str | None, folder: Path) -> None:
    """Raise PriceUnknown, with the card to write, where money is limited and the model's price is unknown.

    `model` is PROVIDER:MODEL or `builtin`, `endpoint` the server that is asked (None: the provider's own), `folder`
    that of the person's own cards.
    """
    limit = request.budget.cost_usd
    if limit is None or ":" not in model or price_card(model, endpoint, folder) is not None:
        return
    where = f" at {endpoint}" if endpoint else ""
    raise PriceUnknown(
        f"the budget is {limit:g} USD and the price of {model}{where} is unknown: write {price_file(folder, model)} "
        f"with `name: {model}`, `input_usd:` and `output_usd:` (USD per million tokens)",
        model,
    )
