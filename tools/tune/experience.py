"""Experience: finished trials of other runs on data like these. Nothing near means an empty answer, and is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.tune.current import current_state

FARTHEST = 1.0
"""Data sets at least this far apart say nothing about each other."""
_PER_DATA = 4
"""No data set gives more than one in this many of the trials asked for, as long as others have some."""


class PastTrial(Protocol):
    """What retrieval needs to know of a finished trial of another run; all scores are validation scores."""

    @property
    def run(self) -> str: ...  # noqa: D102
    @property
    def data(self) -> str: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def hyperparameters(self) -> Hyperparameters: ...  # noqa: D102
    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def columns(self) -> int: ...  # noqa: D102
    @property
    def meta(self) -> MetaFeatures: ...  # noqa: D102
    @property
    def baseline(self) -> float | None: ...  # noqa: D102
    @property
    def best(self) -> float | None: ...  # noqa: D102
    @property
    def about(self) -> str: ...  # noqa: D102


def kind_of(meta: MetaFeatures) -> int:
    """Return the kind of task: 0 regression, 1 two classes, 2 more."""
    return 0 if meta.classes == 0 else 1 if meta.classes <= 2 else 2


def coordinates(meta: MetaFeatures) -> NDArray[np.float64]:
    """Return meta-features in units in which a difference of 1 is a large one; NaN where one is unknown.

    The units are fixed, and not those of the data sets at hand: a distance means the same in every store.
    """
    width = max(meta.numeric + meta.categorical, 1)
    landmark = math.nan if meta.landmark is None else meta.landmark / 0.25
    values = (
        math.log10(max(meta.rows, 1)) / 0.7,
        math.log10(max(meta.columns, 1)) / 0.5,
        meta.categorical / width / 0.5,
        math.log2(max(meta.classes, 1)) / 1.0,
        meta.class_entropy / 0.3,
        meta.minority_share / 0.2,
        math.sqrt(min(max(meta.missing, 0.0), 1.0)) / 0.4,
        math.asinh(meta.target_skew) / 1.5,
        landmark,
    )
    return np.array([v if math.isfinite(v) else math.nan for v in values])


def distances(meta: MetaFeatures, others: Sequence[MetaFeatures]) -> NDArray[np.float64]:
    """Return the distance to each of other data sets: root mean square over meta-features; infinite for others."""
    if not others:
        return np.zeros(0)
    difference = np.array([coordinates(o) for o in others]) - coordinates(meta)
    known = ~np.isnan(difference)
    square = np.where(known, difference, 0.0) ** 2
    mean = square.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    same = np.array([kind_of(o) == kind_of(meta) and o.modality == meta.modality for o in others])
    return np.where(same, np.sqrt(mean), np.inf)


def similar(meta: MetaFeatures, past: Sequence[PastTrial], limit: int, metric: str | None = None) -> list[SimilarTrial]:
    """Return at most `limit` finished trials on the nearest data, nearest first, of each data set its best ones first.

    Trials that were judged by another metric than `metric` count as 0.3 farther. Data of another kind of task, or
    farther than 1, never appear; so the answer may be empty.
    """
    sets: dict[tuple[str, str], list[PastTrial]] = {}
    for trial in past:
        if math.isfinite(trial.value):
            sets.setdefault((trial.fingerprint, trial.metric), []).append(trial)
    keys = list(sets)
    far = distances(meta, [sets[k][0].meta for k in keys])
    far = far + np.array([0.3 if metric and k[1] != metric else 0.0 for k in keys]) if keys else far
    order = [i for i in sorted(range(len(keys)), key=lambda i: (far[i], keys[i])) if far[i] < FARTHEST]
    most = max(1, limit // min(_PER_DATA, max(len(order), 1)))
    chosen: list[SimilarTrial] = []
    rest: list[SimilarTrial] = []
    for i in order:
        ranked = [_similar(t, float(far[i])) for t in _best_first(sets[keys[i]])]
        chosen += ranked[:most]
        rest += ranked[most:]
    return sorted((chosen + rest)[:limit], key=lambda t: t.distance)


def _best_first(trials: list[PastTrial]) -> list[PastTrial]:
    """Order by how much of the way from baseline to best a trial made; the configuration breaks ties."""

    def share(trial: PastTrial) -> float:
        if trial.baseline is None or trial.best is None or trial.best == trial.baseline:
            return 0.0
        return (trial.value - trial.baseline) / (trial.best - trial.baseline)

    return sorted(trials, key=lambda t: (-share(t), t.model, sorted(map(str, t.hyperparameters.items()))))


def _similar(trial: PastTrial, distance: float) -> SimilarTrial:
    names = (
        "run",
        "data",
        "model",
        "hyperparameters",
        "metric",
        "value",
        "baseline",
        "best",
        "seconds",
        "rows",
        "columns",
        "about",
    )
    return SimilarTrial(**{n: getattr(trial, n) for n in names}, distance=distance)


class SimilarArguments(BaseModel):
    """How much experience to show."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(default=10, ge=1, le=50, description="at most this many trials, nearest data first")


class Similar(BaseModel):
    """Finished trials on similar data; distance 0 is the same data, 1 the farthest that still counts."""

    model_config = ConfigDict(frozen=True)
    trials: tuple[SimilarTrial, ...]
    note: str = ""


@tool("similar_runs", SimilarArguments)
def similar_runs(arguments: SimilarArguments, context: Context) -> Similar:
    """Show finished trials of other runs on similar data: which models and hyperparameters worked there, how well
    between that run's baseline (0) and best (1), and how far those data are from these.
    """
    state = current_state(context)
    nearest = sorted(state.experience or (), key=lambda t: t.distance)[: arguments.limit]
    found = [t.model_copy(update={"about": ""}) for t in nearest]  # long, and others' words: used to choose, not shown
    note = "" if found else "no finished run on similar data: nothing near is known"
    return Similar(trials=tuple(found), note=note)
