"""Which past trials a prompt shows: those that tell most about the decision at hand, and that tell different things.

Of other runs: Jaccard and BM25 over the text of the Data Cards, closeness of the data by meta-features, and how much of
the way from baseline to best a trial made. Of this run: by decision. Both are thinned by maximal marginal relevance
(Carbonell and Goldstein, 1998).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from automl_gpt.agent.decisions import Situation
from automl_gpt.cards.schema import ModelCard, Scalar
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.space import encode, legal, squared_distances

T = TypeVar("T")
RELEVANCE = 0.7
"""Weight of relevance against likeness to what is chosen already."""
POOL = 80
"""So many of the most relevant ones are compared with each other."""
FAILED = ("failed", "out_of_memory", "out_of_time")
NEWEST = 4
"""Trials that count as the newest batch."""
WEIGHTS = (0.2, 0.2, 0.3, 0.3)
"""Of Jaccard, BM25, closeness of the data, and the way from baseline to best."""
OTHER_MODEL = 0.5
"""What a trial of a model counts that the decision is not about."""
_WORD = re.compile(r"[^\W_]+")


# ------------------------------------------------------------------------------------------------ trials of other runs


def choose_examples(state: RunState, situation: Situation, count: int) -> list[SimilarTrial]:
    """Return at most `count` trials of other runs, the most useful for the decision first; none where none is near."""
    trials = state.experience or ()
    if not trials or count <= 0:
        return []
    near = dict(zip(_abouts(trials), _textual(card_text(state), _abouts(trials)), strict=True))
    concerned = _concerned(situation)
    worth = [_experienced(t, near[t.about]) * (1.0 if t.model in concerned else OTHER_MODEL) for t in trials]
    return diverse(trials, worth, lambda a, b: _alike(state, a, b), count)


def card_text(state: RunState) -> str:
    """Return what the words of this run's Data Card are: name, description, target and columns."""
    card, profile = state.data_card, state.need_profile()
    columns = [f"{c.name} {c.meaning}" for c in profile.columns if c.role == "input"]
    return " ".join([profile.name, card.description, profile.target, *columns])


def words(text: str) -> list[str]:
    """Return the words of a text, without case, in order."""
    return _WORD.findall(text.casefold())


def _abouts(trials: Sequence[SimilarTrial]) -> list[str]:
    return list(dict.fromkeys(t.about for t in trials))


def _textual(text: str, abouts: Sequence[str]) -> list[tuple[float, float]]:
    """Return Jaccard and BM25 of a text with others, both 0 to 1; BM25 as a share of the highest one."""
    own, others = set(words(text)), [words(about) for about in abouts]
    jaccard = [len(own & set(o)) / len(own | set(o)) if own and o else 0.0 for o in others]
    return list(zip(jaccard, _bm25(sorted(own), others), strict=True))


def _bm25(query: list[str], corpus: list[list[str]]) -> list[float]:
    if not query or not any(corpus):
        return [0.0] * len(corpus)
    import bm25s

    index: Any = bm25s.BM25()
    index.index(corpus, show_progress=False)
    known: Mapping[str, int] = index.vocab_dict
    asked = [word for word in query if word in known]
    scores = np.nan_to_num(index.get_scores(asked)) if asked else np.zeros(len(corpus))
    return (scores / scores.max()).tolist() if scores.max() > 0 else [0.0] * len(corpus)


def way(trial: SimilarTrial) -> float:
    """Return how much of the way from its run's baseline to its best a trial made, 0 to 1; a half where unknown."""
    if trial.baseline is None or trial.best is None or trial.best == trial.baseline:
        return 0.5
    share = (trial.value - trial.baseline) / (trial.best - trial.baseline)
    return min(1.0, max(0.0, share)) if math.isfinite(share) else 0.5


def _experienced(trial: SimilarTrial, text: tuple[float, float]) -> float:
    parts = (*text, max(0.0, 1.0 - trial.distance), way(trial))
    return sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True))


def _concerned(situation: Situation) -> set[str]:
    """Return the models that a decision is about."""
    if situation.decision == "predict_log":
        return {t.model for t in situation.trials}
    return set(situation.state.assigned if situation.decision == "propose_hyperparameters" else situation.eligible)


def _alike(state: RunState, a: SimilarTrial, b: SimilarTrial) -> float:
    """Return how much the same two trials tell, 0 to 1: same data, same model, near hyperparameters."""
    data = 0.3 if a.data == b.data else 0.0
    if a.model != b.model:
        return data
    return data + 0.3 + 0.4 * closeness(state.model_cards.get(a.model), a.hyperparameters, b.hyperparameters)


def closeness(card: ModelCard | None, a: Mapping[str, Scalar], b: Mapping[str, Scalar]) -> float:
    """Return how near two configurations of a model are, 0 to 1; where the card does not know them, the share of
    values that are the same.
    """
    if card is not None and legal(card, a) and legal(card, b):
        squared = squared_distances(card, encode(card, a)[None, :], encode(card, b)[None, :])
        return 1.0 - min(1.0, math.sqrt(float(squared[0, 0])))
    names = a.keys() | b.keys()
    return sum(a.get(n) == b.get(n) for n in names) / len(names) if names else 1.0


# -------------------------------------------------------------------------------------------------- trials of this run


def choose_trials(state: RunState, situation: Situation, count: int) -> list[Trial]:
    """Return at most `count` trials of this run, in the order of their numbers; the most useful for the decision."""
    return sorted(rank_trials(state, situation, count), key=lambda t: t.number)


def rank_trials(state: RunState, situation: Situation, count: int) -> list[Trial]:
    """Return at most `count` trials of this run, the most useful for the decision first."""
    trials = past_trials(situation)
    standing = _standing(state)
    worth = [_worth(t, situation, standing) for t in trials]
    return diverse(trials, worth, lambda a, b: _same(state, a, b), count)


def past_trials(situation: Situation) -> list[Trial]:
    """Return the trials that can be shown: neither taken back, nor named by the question itself."""
    asked = {t.number for t in (*situation.trials, *batch(situation))}
    return [t for t in situation.state.ordered() if not t.withdrawn and t.number not in asked]


def batch(situation: Situation) -> list[Trial]:
    """Return what the optimiser already proposes in the batch that a proposal is asked for."""
    if situation.decision != "propose_hyperparameters":
        return []
    open_trials = [t for t in situation.state.ordered() if t.status in ("proposed", "predicted")]
    return [t for t in open_trials if t.proposal.by == "builtin"]


@dataclass(frozen=True)
class _Standing:
    """How the trials of a run stand: by number, how good each is by its rank (1 the best, to 0) and by how much its
    prediction failed (1 the most); the best of each model; those that ended last.
    """

    good: dict[int, float]
    surprise: dict[int, float]
    leaders: set[int]
    newest: set[int]


def _standing(state: RunState) -> _Standing:
    done = sorted(state.done(), key=lambda t: -t.metric.sign * (t.value or 0.0))
    gaps = {t.number: abs(t.gap.error) for t in done if t.gap and math.isfinite(t.gap.error)}
    largest = max(gaps.values(), default=0.0) or 1.0
    leaders = {t.model: t.number for t in reversed(done)}
    ended = [t.number for t in state.ordered() if t.end is not None]
    return _Standing(
        good={t.number: 1.0 - i / max(len(done) - 1, 1) for i, t in enumerate(done)},
        surprise={number: error / largest for number, error in gaps.items()},
        leaders=set(leaders.values()),
        newest={*ended[-NEWEST:], *(t.number for t in state.running())},
    )


def _worth(trial: Trial, situation: Situation, standing: _Standing) -> float:
    """Return how much a trial tells for a decision; the best one and the trivial baseline are always worth showing."""
    n, good = trial.number, standing.good.get(trial.number, 0.0)
    if trial.model == TRIVIAL:
        return 1.2
    always = 1.0 if good == 1.0 else 0.0
    if situation.decision == "predict_log":
        return always + 0.3 * good + 0.9 * _nearest(trial, situation)
    if situation.decision == "revise":
        return always + 0.4 * good + 0.8 * (n in standing.newest) + 0.4 * standing.surprise.get(n, 0.0)
    return always + 0.7 * good + 0.4 * (n in standing.leaders) + 0.5 * (trial.status in (*FAILED, "running"))


def _nearest(trial: Trial, situation: Situation) -> float:
    card = situation.state.model_cards.get(trial.model)
    own = [t for t in situation.trials if t.model == trial.model]
    return max((closeness(card, trial.hyperparameters, t.hyperparameters) for t in own), default=0.0)


def _same(state: RunState, a: Trial, b: Trial) -> float:
    if a.model != b.model:
        return 0.0
    return 0.3 + 0.7 * closeness(state.model_cards.get(a.model), a.hyperparameters, b.hyperparameters)


# --------------------------------------------------------------------------------------------------------- both of them


def diverse(items: Sequence[T], worth: Sequence[float], alike: Callable[[T, T], float], count: int) -> list[T]:
    """Choose by maximal marginal relevance: each time what is worth most, less its likeness to what is chosen.

    Of equal ones the earlier is taken. What comes first is the same for every `count`.
    """
    pool = sorted(range(len(items)), key=lambda i: (-worth[i], i))[:POOL]
    likeness = dict.fromkeys(pool, 0.0)
    chosen: list[int] = []
    while likeness and len(chosen) < count:
        best = max(likeness, key=lambda i: (RELEVANCE * worth[i] - (1 - RELEVANCE) * likeness[i], -i))
        del likeness[best]
        chosen.append(best)
        for i in likeness:
            likeness[i] = max(likeness[i], alike(items[i], items[best]))
    return [items[i] for i in chosen]
