"""With which configuration a model begins: the one that did best on average over near data, where several tried it.

An average of ranks over data sets says more than the best trial of one of them, in which luck had a part (Brazdil and
Soares, 2000).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.state import TRIVIAL
from automl_gpt.tools.tune.space import legal

LEAST_SETS, LEAST_TRIALS = 3, 3
"""A configuration is proven where at least so many near data sets tried it; a model, where so many trials did."""
REACH = 0.5
"""Distance at which a data set counts for 1/e of one at distance 0."""
DOUBT = 0.5
"""For so many data sets at distance 0 every configuration is taken to be an average one."""
Configuration = tuple[str, tuple[tuple[str, object], ...]]
"""A model and its hyperparameters, as a key."""


@dataclass(frozen=True)
class Proven:
    """A configuration tried on `sets` near data sets; `worth` is the mean rank it reached there, 0 worst, 1 best."""

    hyperparameters: Hyperparameters
    worth: float
    sets: int


def proven(experience: Sequence[SimilarTrial], card: ModelCard) -> Proven | None:
    """Return the model's configuration that ranked best on near data; None where none was tried on enough of them."""
    found: dict[Configuration, list[tuple[float, float]]] = {}
    for trials in _by_data(experience):
        places = ranks(trials)
        weight = _weight(trials)
        for trial, place in zip(trials, places, strict=True):
            if trial.model == card.name:
                found.setdefault(_key(trial), []).append((weight, place))
    judged = [
        Proven(dict(key[1]), _worth(places), len(places))  # type: ignore[arg-type]
        for key, places in sorted(found.items(), key=lambda pair: str(pair[0]))
        if len(places) >= LEAST_SETS and legal(card, dict(key[1]))  # type: ignore[arg-type]
    ]
    return max(judged, key=lambda p: p.worth, default=None)


def promise(experience: Sequence[SimilarTrial], cards: Mapping[str, ModelCard]) -> dict[str, float]:
    """Return for each model that near data tried what it promises, 0 to 1: its proven configuration's worth.

    Of a model without one it is the mean rank of its best trials on near data, where there are enough trials.
    """
    best: dict[str, list[tuple[float, float]]] = {}
    count: Counter[str] = Counter(trial.model for trial in experience)
    for trials in _by_data(experience):
        weight, top = _weight(trials), dict[str, float]()
        for trial, place in zip(trials, ranks(trials), strict=True):
            top[trial.model] = max(place, top.get(trial.model, 0.0))
        for model, place in top.items():
            best.setdefault(model, []).append((weight, place))
    found: dict[str, float] = {}
    for model, places in best.items():
        own = proven(experience, cards[model]) if model in cards else None
        if own is not None or count[model] >= LEAST_TRIALS:
            found[model] = own.worth if own is not None else _worth(places)
    return found


def _by_data(experience: Sequence[SimilarTrial]) -> list[list[SimilarTrial]]:
    sets: dict[str, list[SimilarTrial]] = {}
    for trial in experience:
        if trial.model != TRIVIAL and math.isfinite(trial.value):
            sets.setdefault(trial.fingerprint or trial.data, []).append(trial)
    return [trials for trials in sets.values() if len(trials) > 1]


def ranks(trials: Sequence[SimilarTrial]) -> list[float]:
    """Return how the trials of one data set rank: 1 best, 0 worst, equal ones between."""
    from scipy.stats import rankdata

    sign = METRICS[trials[0].metric].sign if trials[0].metric in METRICS else 1
    placed = rankdata([sign * trial.value for trial in trials])
    return [float(place - 1) / max(len(trials) - 1, 1) for place in placed]


def _weight(trials: Sequence[SimilarTrial]) -> float:
    return math.exp(-((trials[0].distance / REACH) ** 2))


def _worth(places: Sequence[tuple[float, float]]) -> float:
    total = sum(weight for weight, _ in places) + DOUBT
    return (sum(weight * place for weight, place in places) + DOUBT * 0.5) / total


def _key(trial: SimilarTrial) -> Configuration:
    return trial.model, tuple(sorted(trial.hyperparameters.items()))
