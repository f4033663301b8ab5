"""Which model with which hyperparameters to train next. The search is a Gaussian process's, one per Model Card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.cost import log_seconds, seconds_left
from automl_gpt.tools.tune.current import current_state
from automl_gpt.tools.tune.hurry import in_time
from automl_gpt.tools.tune.search.choice import by_cost, choose, standings
from automl_gpt.tools.tune.search.observed import observed
from automl_gpt.tools.tune.search.portfolio import portfolio
from automl_gpt.tools.tune.search.sampler import Sampler
from automl_gpt.tools.tune.search.transfer import Transfer, past_sets
from automl_gpt.tools.tune.space import Vector, decode, encode, matrix, points, random_point, repeats, without_inert

DEPTH = (4, 3, 3, 2)
"""How many configurations the best model, the second, and so on begin with: the default, then the portfolio. A model
that was begun otherwise, by a person or a language model, is given the default and goes on with the search."""
SCEPTICAL = 3
"""One draw of the search in this many leaves out what near data say."""
PATIENCE = 0.5
"""Gain is weighed against seconds to this power within a model; where trials are limited too, they hardly matter."""


class Suggestion(BaseModel):
    """A configuration worth training next, complete, and why."""

    model_config = ConfigDict(frozen=True)
    model: str
    hyperparameters: Hyperparameters
    reason: str


class Suggestions(BaseModel):
    """Configurations in the order in which they should be trained."""

    model_config = ConfigDict(frozen=True)
    suggestions: tuple[Suggestion, ...]
    note: str = ""


def suggest(state: RunState, models: Sequence[str], count: int, seed: int) -> list[Suggestion]:
    """Return up to `count` configurations to train next, none of which repeats a trial of this run or another one.

    First the defaults of the models, then a portfolio, then what the optimiser proposes for the model that promises
    most per second. Fewer come back where the search spaces are exhausted. Same state and seed: same answer.
    """
    search = _Search(state, models, seed)
    found = [search.next() for _ in range(count)]
    return [s for s in found if s is not None]


class _Search:
    """One call of `suggest`: the state, and what the call itself has suggested so far."""

    def __init__(self, state: RunState, models: Sequence[str], seed: int) -> None:
        self.state, self.seed = state, seed
        self.cards = [_searched(state, state.model_cards[m]) for m in dict.fromkeys(models) if m in state.model_cards]
        self.card = {c.name: c for c in self.cards}
        self.number = max(state.trials, default=0) + 1
        self.recent = [t.model for t in state.ordered() if t.model != TRIVIAL and not t.withdrawn]
        self.tried = {c.name: self._tried(c) for c in self.cards}
        self.begun = {t.model for t in state.ordered() if not t.withdrawn}
        self.spent: set[str] = set()
        self.portfolios: dict[str, list[tuple[Hyperparameters, str]]] = {}
        self.near: dict[str, Transfer | None] = {}
        self.samplers: dict[tuple[str, bool], Sampler | None] = {}
        self.made: dict[str, list[Vector]] = {}
        self.standings = standings(state, [c for c in self.cards if c.name != TRIVIAL])

    def next(self) -> Suggestion | None:
        """Return the next configuration; None where nothing untried is left."""
        found = self._default() or self._portfolio() or self._search()
        if found is not None:
            card = self.card[found.model]
            at = encode(card, found.hyperparameters)
            self.tried[card.name] = np.concatenate([self.tried[card.name], at[None, :]])
            self.made.setdefault(card.name, []).append(at)
            for (name, _), sampler in self.samplers.items():
                if name == card.name and sampler is not None:
                    sampler.believe(at)
            self.recent.append(card.name)
            self.begun.add(card.name)
            self.number += 1
        return found

    def _tried(self, card: ModelCard) -> Any:
        return matrix(card, [t.hyperparameters for t in self.state.ordered() if t.model == card.name])

    def _default(self) -> Suggestion | None:
        untried = [c for c in self.cards if c.name not in self.begun | self.spent]
        fresh = [c for c in untried if self._new(c, self._quick_default(c)[0])]
        trivial = [c for c in fresh if c.name == TRIVIAL]
        card = next(iter(trivial or by_cost(self.state, fresh)), None)
        if card is None:
            return None
        values, note = self._quick_default(card)
        return Suggestion(model=card.name, hyperparameters=values, reason=f"the default of {card.name}{note}")

    def _quick_default(self, card: ModelCard) -> tuple[Hyperparameters, str]:
        return in_time(self.state, card, card.default(), seconds_left(self.state))

    def _portfolio(self) -> Suggestion | None:
        """Take the portfolio of the most promising models, a configuration of each in turn."""
        hopeless = {s.model for s in self.standings if s.hopeless}
        ranked = sorted(self.standings, key=lambda s: -s.best)
        for place, standing in enumerate(ranked):
            card = self.card[standing.model]
            depth = 1 if standing.model in hopeless else DEPTH[min(place, len(DEPTH) - 1)]
            for configuration, why in self._entries(card, depth):
                values, note = in_time(self.state, card, configuration, seconds_left(self.state))
                if self._new(card, values) and (values == configuration or not self._quickened(card, configuration)):
                    return Suggestion(model=card.name, hyperparameters=values, reason=why + note)
        return None

    def _entries(self, card: ModelCard, depth: int) -> list[tuple[Hyperparameters, str]]:
        """Return what the model begins with, each configuration with its reason; later on, its default alone."""
        if len(self.tried[card.name]) >= depth:
            return [(card.default(), f"the default of {card.name}")]
        if card.name not in self.portfolios:
            self.portfolios[card.name] = portfolio(self.state, card)
        return self.portfolios[card.name][:depth]

    def _quickened(self, card: ModelCard, configuration: Hyperparameters) -> bool:
        """Say whether the configuration was tried but for what makes a fit quicker."""
        quick = {card.resources.faster_with, card.resources.slower_with}
        rest = [i for i, name in enumerate(card.search_space) if name not in quick]
        at, tried = encode(card, configuration)[rest], self.tried[card.name][:, rest]
        return repeats(card, at, tried)

    def _search(self) -> Suggestion | None:
        while True:
            alive = [s for s in self.standings if s.model not in self.spent]
            known = {s.model for s in self.standings}
            chosen = choose(self.state, alive, self.recent)
            rest = [c.name for c in self.cards if c.name not in known | self.spent and c.name != TRIVIAL]
            name = chosen.model if chosen else next(iter(rest), None)
            if name is None:
                return None
            found = self._draw(self.card[name])
            if found is not None:
                return found
            self.spent.add(name)

    def _draw(self, card: ModelCard) -> Suggestion | None:
        """Draw a configuration that repeats none; None where the space is exhausted."""
        rng = np.random.default_rng([self.seed & 0xFFFFFFFF, self.number])
        sampler = self._sampler(card)
        if sampler is not None:
            at = sampler.propose(self.tried[card.name], rng, self._log_cost(card))
            found = None if at is None else self._in_time(card, decode(card, at))
            if found is not None and self._new(card, found[0]):
                return self._suggestion(
                    card, found[0], f"promises the most by a Gaussian process of the trials{found[1]}"
                )
        return self._leftover(card, rng)

    def _in_time(self, card: ModelCard, asked: Hyperparameters) -> tuple[Hyperparameters, str]:
        """Shorten what would take too much of the time, where the card says that fewer passes do."""
        if card.resources.slower_with is None:
            return asked, ""
        return in_time(self.state, card, asked, seconds_left(self.state))

    def _sampler(self, card: ModelCard) -> Sampler | None:
        """Return a sampler of the model that knows what this call suggested; None before the first score.

        One draw in `SCEPTICAL` leaves out what near data say: where that misleads, the search finds out.
        """
        near = self._near(card) if self.number % SCEPTICAL else None
        key = card.name, near is not None
        if key not in self.samplers:
            seen, waiting = observed(self.state, card, [t for t in self.state.ordered() if t.model == card.name])
            made = np.array(self.made.get(card.name, [])).reshape(-1, len(card.search_space))
            pending = np.concatenate([waiting, made])
            self.samplers[key] = Sampler(Space(card), seen, pending, near) if len(seen) else None
        return self.samplers[key]

    def _near(self, card: ModelCard) -> Transfer | None:
        if card.name not in self.near:
            self.near[card.name] = past_sets(Space(card), self.state.experience or ())
        return self.near[card.name]

    def _log_cost(self, card: ModelCard) -> Callable[[Vector], Vector] | None:
        """Return what the logarithm of the gain loses by longer trials; None where time is not limited.

        Without a time limit seconds don't count at all: they differ from run to run, and decisions must not.
        """
        budget = self.state.request.budget
        if budget.seconds is None:
            return None
        patience = PATIENCE if budget.trials is None else 0.2 * PATIENCE
        seconds = log_seconds(self.state, card)
        return lambda at: patience * seconds(at)

    def _leftover(self, card: ModelCard, rng: np.random.Generator) -> Suggestion | None:
        """Look for any untried configuration: at random, and through the whole space where it is small."""
        for candidates in ((random_point(card, rng) for _ in range(30)), points(card) or ()):
            for configuration in candidates:
                if self._new(card, configuration):
                    return self._suggestion(card, configuration, "untried so far")
        return None

    def _new(self, card: ModelCard, configuration: Hyperparameters) -> bool:
        return not repeats(card, encode(card, configuration), self.tried[card.name])

    def _suggestion(self, card: ModelCard, configuration: Hyperparameters, why: str) -> Suggestion:
        return Suggestion(model=card.name, hyperparameters=configuration, reason=why)


def _searched(state: RunState, card: ModelCard) -> ModelCard:
    """Return the card without what makes no difference on these data, or only harm under this metric."""
    metric, inert = state.need_metric(), set[str]()
    if metric.task == "regression" or metric.kind == "probability":
        inert.add("class_weight")
    if state.need_profile().meta.categorical == 0:
        inert |= {"cat_smooth", "max_cat_to_onehot"}
    return without_inert(card, inert)


class SuggestArguments(BaseModel):
    """What to suggest configurations for."""

    model_config = ConfigDict(extra="forbid")
    models: list[str] = Field(
        default_factory=list, description="names of candidate Model Cards; none: those that were assigned"
    )
    count: int = Field(default=4, ge=1, le=16, description="how many configurations")


@tool("suggest_hyperparameters", SuggestArguments)
def suggest_hyperparameters(arguments: SuggestArguments, context: Context) -> Suggestions:
    """Ask the optimiser, which knows all trials of the run, for the configurations to train next: none of them repeats
    an earlier trial, and several models get their share.
    """
    state = current_state(context)
    if state.profile is None:
        raise ToolError("the data are not profiled yet: profile them first")
    models = arguments.models or list(state.assigned) or list(state.model_cards)
    unknown = [m for m in models if m not in state.model_cards]
    if unknown:
        raise ToolError(f"no candidate model {unknown[0]!r}; candidates: {', '.join(state.model_cards)}")
    found = suggest(state, models, arguments.count, state.request.seed)
    note = "" if len(found) == arguments.count else "nothing else untried is left in these search spaces"
    return Suggestions(suggestions=tuple(found), note=note)
