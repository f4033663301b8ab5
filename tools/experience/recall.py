"""What of all experience concerns the data at hand: the nearest data sets first, then their trials by an index.

Own runs and imports stand in the store, the shipped pack beside it. Data under the metric at hand come first; where few
of them are near, data under other metrics tell too which configurations are good, from farther away. What room is left
goes to data that are not near: how a model's configurations compare on them still helps a forecast, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.distance import FARTHEST, combined, distances, likeness, rough_distances, words
from automl_gpt.tools.experience.pack import SOURCE, shipped
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.past import PastSet, PastTrial, Ranked
from automl_gpt.tools.journal.store import Journal

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_SETS, MOST_TRIALS = 10, 320
"""Data sets, and trials of all of them together, that a run learns from."""
_LOOKED_AT = 64
"""Data sets that are compared exactly, after all were by their signatures."""
_BEST, _OTHERS = 150, 50
"""Trials of one data set that are read: its best, and where there are more some of the worst."""
_ABOUT_LENGTH = 300
CLASSIFICATION = ("binary", "multiclass")
ENOUGH_SETS = 3
"""Where at least so many data sets are near under the metric at hand, other metrics are not looked at."""
OTHER_METRIC = 0.25
"""How much farther away data are that were scored by another metric."""


@dataclass(frozen=True)
class Question:
    """The data at hand. `card` is the name and description of their card, `about` may say more."""

    fingerprint: str
    task: str
    metric: str
    meta: MetaFeatures
    card: str
    about: str


@dataclass(frozen=True)
class _Near:
    one: PastSet
    distance: float
    alike: float
    shipped: bool


def recall(
    journal: Journal, question: Question, with_shipped: bool = True, limit: int = MOST_TRIALS
) -> list[SimilarTrial]:
    """Return at most `limit` finished trials on the nearest data, nearest first; of each data set its best ones first.

    Data of another kind of task (two classes and many are one kind) and the data at hand themselves never appear. Those
    at a distance of 1 or more are not like these: they come last, and only as far as there is room.
    """
    with journal.database.reading() as connection:
        near = _look(connection, question, with_shipped, other_metrics=False)
        if sum(n.distance < FARTHEST for n in near) < ENOUGH_SETS:
            near += _look(connection, question, with_shipped, other_metrics=True)
        near = _once(sorted(near, key=lambda n: (n.distance, n.shipped, n.one.fingerprint)))[:MOST_SETS]
        chosen = _chosen(connection, [n for n in near if n.distance < FARTHEST], limit)
        chosen += _chosen(connection, [n for n in near if n.distance >= FARTHEST], limit - len(chosen))
        known = _packed_trials(near) | past.trials_by_id(connection, [i for n, i in chosen if not n.shipped])
    return [_similar(n, known[i]) for n, i in chosen]


def _chosen(connection: Connection, near: Sequence[_Near], limit: int) -> list[tuple[_Near, str]]:
    """Choose at most `limit` trials, of each data set as many."""
    if not near or limit <= 0:
        return []
    quota = max(1, limit // len(near))
    return [(n, one.id) for n in near for one in spread(_ranked(connection, n), quota)][:limit]


def _look(connection: Connection, question: Question, with_shipped: bool, other_metrics: bool) -> list[_Near]:
    near = _nearest(question, _stored(connection, question, other_metrics), shipped=False)
    return near + _nearest(question, _packed(question, other_metrics), shipped=True) if with_shipped else near


def _stored(connection: Connection, question: Question, other_metrics: bool) -> list[PastSet]:
    """Return the data sets of the store that look nearest by their signatures."""
    kind = _tasks(question), question.metric, question.meta.modality
    keys, marks = past.signatures(connection, *kind, other_metrics=other_metrics)
    if not keys:
        return []
    rough = rough_distances(question.meta, question.about, marks)
    some = np.argpartition(rough, min(_LOOKED_AT, len(rough) - 1))[:_LOOKED_AT]
    return past.sets_of(connection, [keys[i] for i in some])


def _packed(question: Question, other_metrics: bool) -> list[PastSet]:
    tasks, modality = _tasks(question), question.meta.modality
    known = [one for one in shipped().sets if one.task in tasks and one.meta.modality == modality]
    return [one for one in known if (one.metric != question.metric) == other_metrics]


def _tasks(question: Question) -> tuple[str, ...]:
    return CLASSIFICATION if question.task in CLASSIFICATION else (question.task,)


def _nearest(question: Question, sets: Sequence[PastSet], shipped: bool) -> list[_Near]:
    if not sets:
        return []
    texts = [words(question.card), words(question.about)]
    alike = np.array([max(likeness(text, words(one.about)) for text in texts) for one in sets])
    far = combined(distances(question.meta, [one.meta for one in sets]), alike)
    other = np.array([one.metric != question.metric for one in sets])
    far = far + OTHER_METRIC * other
    wanted = np.isfinite(far) & ((far < FARTHEST) | ~other)
    return [
        _Near(one, float(distance), float(a), shipped)
        for one, distance, a, well in zip(sets, far, alike, wanted, strict=True)
        if well and one.fingerprint != question.fingerprint and one.metric in METRICS
    ]


def _once(near: list[_Near]) -> list[_Near]:
    """Leave out shipped data sets that the store knows too."""
    seen: set[str] = set()
    return [n for n in near if not (n.one.fingerprint in seen or seen.add(n.one.fingerprint))]


def _ranked(connection: Connection, near: _Near) -> list[Ranked]:
    key = near.one.fingerprint, near.one.metric
    if not near.shipped:
        return past.ranked(connection, key, _BEST, _OTHERS)
    found = sorted(shipped().trials[key], key=lambda t: (-t.score, t.id))
    return [Ranked(t.id, t.model, t.value) for t in found]


def _packed_trials(near: Sequence[_Near]) -> dict[str, PastTrial]:
    packed = [shipped().trials[n.one.fingerprint, n.one.metric] for n in near if n.shipped]
    return {trial.id: trial for trials in packed for trial in trials}


def spread(trials: Sequence[Ranked], count: int) -> list[Ranked]:
    """Choose at most `count` of a data set's trials, which come best first: each model's best in turn, then the rest.

    After its two best ones, a model's worst and middle ones take turns, so that what fails is known too.
    """
    by_model: dict[str, list[Ranked]] = {}
    for trial in trials:
        if math.isfinite(trial.value):
            by_model.setdefault(trial.model, []).append(trial)
    queues = [_instructive(found) for found in by_model.values()]
    turns = [queue[i] for i in range(max(map(len, queues), default=0)) for queue in queues if i < len(queue)]
    return turns[:count]


def _instructive(ranked: list[Ranked]) -> list[Ranked]:
    order, ends = ranked[:2], [(2, len(ranked))]
    while ends:
        low, high = ends.pop(0)
        if low < high:
            at = high - 1 if (low, high) == (2, len(ranked)) else (low + high) // 2
            order.append(ranked[at])
            ends += [(low, at), (at + 1, high)]
    return order


def _similar(near: _Near, trial: PastTrial) -> SimilarTrial:
    one, metric = near.one, METRICS[near.one.metric]
    best = trial.value if one.best is None or metric.better(trial.value, one.best) else one.best
    return SimilarTrial(
        run=trial.source, data=one.name, fingerprint=one.fingerprint, model=trial.model,
        hyperparameters=trial.hyperparameters, metric=trial.metric, value=trial.value, baseline=one.baseline, best=best,
        seconds=trial.seconds, megabytes=trial.megabytes, rows=one.meta.rows, columns=one.meta.columns,
        distance=near.distance, alike=near.alike, about=one.about[:_ABOUT_LENGTH], curve=trial.curve,
        source=SOURCE if near.shipped else "imported" if trial.imported else "own",
    )  # fmt: skip
