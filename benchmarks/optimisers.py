"""Optimisers by one protocol, ask and tell: the product's suggestions over a run's state, Optuna's samplers, chance.

All search the same Model Card. Of categories whose choices are numbers in order, Optuna is given the place in it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from automl_gpt.cards.schema import CategoricalRange, DataCard, Hyperparameters, ModelCard, Range
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.search.suggest import suggest
from automl_gpt.tools.tune.space import random_point


class Optimiser(Protocol):
    """What searches; values are such that more is better."""

    def ask(self) -> Hyperparameters:
        """Return the configuration to try next."""
        ...

    def tell(self, configuration: Hyperparameters, value: float) -> None:
        """Take in a value; NaN for a failure."""
        ...


class Product:
    """The product: a run of one Model Card whose trials are told as events, asked through `suggest`."""

    def __init__(
        self, card: ModelCard, profile: Profile, metric: str, seed: int, past: Sequence[e.SimilarTrial] = ()
    ) -> None:
        request = e.Request(seed=seed, budget=e.Budget(trials=1000))
        start = e.RunStarted(data_card=DataCard(source="x.csv", target="y"), model_cards=(card,), request=request)
        self.state, self.card = RunState(f"benchmark{seed}", start, request), card
        self.state.apply(e.DataProfiled(profile=profile, metric=metric))
        self.state.apply(e.ExperienceFound(trials=tuple(past)))

    def ask(self) -> Hyperparameters:
        """Return what is suggested; RuntimeError where nothing untried is left."""
        found = suggest(self.state, [self.card.name], 1, self.state.request.seed)
        if not found:
            raise RuntimeError("nothing untried is left")
        return found[0].hyperparameters

    def tell(self, configuration: Hyperparameters, value: float) -> None:
        """Add a finished trial; where the metric is an error, the value is minus it."""
        number = len(self.state.trials) + 1
        proposed = e.TrialProposed(
            trial=number, model=self.card.name, hyperparameters=configuration, reason="", by="benchmark", seed=number
        )
        self.state.apply(proposed)
        failed, own = math.isnan(value), self.state.need_metric().sign * value
        ended = e.TrialFinished(
            trial=number,
            status="failed" if failed else "finished",
            value=None if failed else own,
            complete=not failed,
            seconds=1.0,
        )
        self.state.apply(ended)


class Optuna:
    """A study of Optuna; `default` is tried before anything that it asks for."""

    def __init__(self, card: ModelCard, sampler: Any, default: Hyperparameters | None = None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.card, self.default = card, default
        self.distributions = {name: _distribution(space) for name, space in card.search_space.items()}
        self.study = optuna.create_study(direction="maximize", sampler=sampler)

    def ask(self) -> Hyperparameters:
        """Return what the study asks for."""
        if self.default is not None:
            first, self.default = self.default, None
            return first
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = self.study.ask(self.distributions)
        self.asked = asked
        spaces = self.card.search_space
        return {n: spaces[n].choices[v] if _ordered(spaces[n]) else v for n, v in asked.params.items()}

    def tell(self, configuration: Hyperparameters, value: float) -> None:
        """Add a trial, or end the one that was asked for."""
        import optuna

        states, spaces = optuna.trial.TrialState, self.card.search_space
        failed = math.isnan(value)
        asked, self.asked = getattr(self, "asked", None), None
        if asked is not None:
            self.study.tell(asked, None if failed else value, state=states.FAIL if failed else None)
            return
        params = {n: spaces[n].choices.index(v) if _ordered(spaces[n]) else v for n, v in configuration.items()}
        state = states.FAIL if failed else states.COMPLETE
        given = {"params": params, "distributions": self.distributions, "value": None if failed else value}
        self.study.add_trial(optuna.trial.create_trial(state=state, **given))


class Chance:
    """Draws evenly, repeating nothing."""

    def __init__(self, card: ModelCard, seed: int) -> None:
        self.card, self.rng, self.seen = card, np.random.default_rng(seed), set[str]()

    def ask(self) -> Hyperparameters:
        """Return a random configuration."""
        for _ in range(100):
            drawn = random_point(self.card, self.rng)
            if repr(drawn) not in self.seen:
                break
        return drawn

    def tell(self, configuration: Hyperparameters, value: float) -> None:
        """Note that a configuration was tried."""
        self.seen.add(repr(configuration))


def tpe(card: ModelCard, seed: int, default: Hyperparameters | None = None) -> Optuna:
    """Return Optuna's TPE with its own settings."""
    from optuna.samplers import TPESampler

    return Optuna(card, TPESampler(seed=seed), default)


def gaussian_process(card: ModelCard, seed: int) -> Optuna:
    """Return Optuna's Gaussian process with its own settings."""
    from optuna.samplers import GPSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Optuna(card, GPSampler(seed=seed))


def search(
    optimiser: Optimiser,
    score: Callable[[Hyperparameters], float],
    trials: int,
    starts: Sequence[Hyperparameters] = (),
) -> list[float]:
    """Try the starts, then what the optimiser asks for; return the values in order."""
    values: list[float] = []
    for number in range(trials):
        configuration = starts[number] if number < len(starts) else optimiser.ask()
        values.append(score(configuration))
        optimiser.tell(configuration, values[-1])
    return values


def _ordered(space: Range) -> bool:
    """Say whether a category's choices are at least three numbers in order."""
    if not isinstance(space, CategoricalRange) or len(space.choices) < 3:
        return False
    numbers = all(isinstance(c, int | float) and not isinstance(c, bool) for c in space.choices)
    return numbers and list(space.choices) == sorted(space.choices)


def _distribution(space: Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(space, CategoricalRange):
        ordered = _ordered(space)
        return IntDistribution(0, len(space.choices) - 1) if ordered else CategoricalDistribution(space.choices)
    kind = IntDistribution if space.type == "int" else FloatDistribution
    return kind(space.low, space.high, log=space.log)
