"""Experience in the store: kept as trials finish or are imported, found by signature and index, never by reading all.

One data set under one metric is a row of `past_sets`, each finished trial one of `past_trials`. The same trial is kept
once, by its content.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.distance import SIGNATURE_BYTES, signature
from automl_gpt.tools.experience.record import Curve, of_data, thinned, trial_id
from automl_gpt.tools.journal.events import RunStarted
from automl_gpt.tools.journal.tables import tables, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection

Key = tuple[str, str]
"""A data set under a metric: the fingerprint and the metric's name."""


@dataclass(frozen=True, slots=True)
class PastSet:
    """A data set under one metric. `baseline` is what the trivial model reached there, `best` what any trial did.

    `card` is its card's name and description, `about` that or more of what it is about: others' words, not ours.
    """

    fingerprint: str
    metric: str
    task: str
    name: str
    card: str
    about: str
    meta: MetaFeatures
    baseline: float | None
    best: float | None


@dataclass(frozen=True, slots=True)
class PastTrial:
    """A finished trial: its configuration, its validation score, what it cost, and its thinned log.

    `source` is the run that it comes from, or the file where it was `imported`.
    """

    fingerprint: str
    metric: str
    model: str
    hyperparameters: Hyperparameters
    value: float
    seconds: float
    megabytes: float | None
    curve: Curve
    source: str
    imported: bool

    @property
    def id(self) -> str:
        """A digest of what the trial says."""
        return trial_id(self.fingerprint, self.metric, self.model, self.hyperparameters, self.value)

    @property
    def score(self) -> float:
        """The value in the direction in which more is better; 0 of a metric that nobody knows here."""
        return self.value * METRICS[self.metric].sign if self.metric in METRICS else 0.0


class Ranked(NamedTuple):
    """A trial by its digest, as far as it takes to choose among many: its model and its score."""

    id: str
    model: str
    value: float


class Source(NamedTuple):
    """Where experience comes from: a run's name or a file's, how much, and when the last of it came (epoch seconds)."""

    name: str
    imported: bool
    sets: int
    trials: int
    added: float


# ---------------------------------------------------------------------------------------------------------- writing


def keep_set(connection: Connection, one: PastSet) -> None:
    """Write a data set; what is known of it already stays, a better `best` and a first `baseline` are added."""
    from sqlalchemy import select

    table = tables().past_sets
    known = select(table.c.baseline, table.c.best).where(*_of(table, (one.fingerprint, one.metric)))
    found = connection.execute(known).first()
    figures = {"baseline": one.baseline, "best": one.best}
    if found is not None:
        figures = {
            "baseline": one.baseline if found.baseline is None else found.baseline,
            "best": better(one.metric, found.best, one.best),
        }
        if figures != {"baseline": found.baseline, "best": found.best}:
            connection.execute(table.update().where(*_of(table, (one.fingerprint, one.metric))).values(**figures))
        return
    row = {"fingerprint": one.fingerprint, "metric": one.metric, "task": one.task, "modality": one.meta.modality}
    row |= {"name": one.name, "card": one.card, "about": one.about, "meta": meta_json(one.meta)}
    upsert(connection, table, {**row, **figures, "signature": signature(one.meta, one.about)})


def sign_anew(connection: Connection) -> None:
    """Compute the signatures of all data sets again, from what is known of them."""
    from sqlalchemy import select

    table = tables().past_sets
    for row in connection.execute(select(table)).mappings().all():
        one = _set(row)
        mine = table.update().where(*_of(table, (one.fingerprint, one.metric)))
        connection.execute(mine.values(signature=signature(one.meta, one.about)))


def meta_json(meta: MetaFeatures) -> str:
    """Write meta-features so that NaN and infinities can be read back."""
    from pydantic_core import to_json

    return to_json(meta.model_dump(), inf_nan_mode="strings").decode()


def better(metric: str, old: float | None, new: float | None) -> float | None:
    """Return the better one of two scores that may be unknown; the old one of a metric that nobody knows here."""
    if old is None or new is None or metric not in METRICS:
        return new if old is None else old
    return new if METRICS[metric].better(new, old) else old


def keep_trials(connection: Connection, trials: Sequence[PastTrial], when: float) -> None:
    """Write trials in one go; those that are known already stay as they are."""
    from sqlalchemy.dialects import postgresql, sqlite

    if not trials:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(tables().past_trials).on_conflict_do_nothing(index_elements=["id"])
    connection.execute(statement, list({trial.id: _row(trial, when) for trial in trials}.values()))


def known_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of some digests whose trials are known."""
    from sqlalchemy import select

    c = tables().past_trials.c
    return {row[0] for row in connection.execute(select(c.id).where(c.id.in_(ids)))}


def _row(trial: PastTrial, when: float) -> dict[str, Any]:
    return {
        "id": trial.id, "fingerprint": trial.fingerprint, "metric": trial.metric, "model": trial.model,
        "hyperparameters": json.dumps(trial.hyperparameters), "value": trial.value, "score": trial.score,
        "seconds": trial.seconds, "megabytes": trial.megabytes, "curve": json.dumps(trial.curve),
        "source": trial.source, "imported": trial.imported, "added": when,
    }  # fmt: skip


def keep_own(connection: Connection, run: str, trial: int, start: Callable[[], RunStarted]) -> None:
    """Make experience of a trial of this store that has just been scored; `start` reads its run's first event."""
    from sqlalchemy import select

    every = tables()
    t, r, d = every.trials.c, every.runs.c, every.datasets.c
    joined = every.trials.join(every.runs, r.run == t.run).join(every.datasets, d.fingerprint == r.fingerprint)
    wanted = (
        r.fingerprint, t.metric, r.metric.label("current"), t.task, d.name, d.about, d.meta, r.baseline, r.best,
        t.model, t.hyperparameters, t.value, t.seconds, t.megabytes, t.curve, t.scored,
    )  # fmt: skip
    found = connection.execute(select(*wanted).select_from(joined).where(t.run == run, t.trial == trial)).first()
    if found is None or found.metric is None or found.task is None or not math.isfinite(found.value):
        return
    same, key = found.current == found.metric, (found.fingerprint, found.metric)
    card = "" if _known(connection, key) else of_data(start().data_card.name, start().data_card.description)
    one = PastSet(
        *key, found.task, found.name, card, found.about, MetaFeatures.model_validate_json(found.meta),
        found.baseline if same else None, found.best if same else None,
    )  # fmt: skip
    keep_set(connection, one)
    past = PastTrial(
        *key, found.model, json.loads(found.hyperparameters), found.value, found.seconds, found.megabytes,
        thinned(json.loads(found.curve or "[]")), run, imported=False,
    )  # fmt: skip
    upsert(connection, every.past_trials, _row(past, found.scored), newer=every.past_trials.c.added <= found.scored)


def _known(connection: Connection, key: Key) -> bool:
    from sqlalchemy import select

    table = tables().past_sets
    return connection.execute(select(table.c.metric).where(*_of(table, key))).first() is not None


def _of(table: Any, key: Key) -> tuple[Any, Any]:
    return table.c.fingerprint == key[0], table.c.metric == key[1]


def forget_own(connection: Connection) -> None:
    """Delete what derives from this store's events: they tell it again."""
    past = tables().past_trials
    connection.execute(past.delete().where(past.c.imported.is_(False)))


def forget_imported(connection: Connection, source: str | None = None) -> int:
    """Delete what was imported, all or from one source, and data sets without any trial left; return the trials."""
    from sqlalchemy import exists

    past, sets = tables().past_trials, tables().past_sets
    chosen = [past.c.imported.is_(True), *([past.c.source == source] if source is not None else [])]
    deleted = connection.execute(past.delete().where(*chosen)).rowcount
    left = exists().where(past.c.fingerprint == sets.c.fingerprint, past.c.metric == sets.c.metric)
    connection.execute(sets.delete().where(~left))
    return deleted


# ---------------------------------------------------------------------------------------------------------- finding


def signatures(
    connection: Connection, tasks: Sequence[str], metric: str, modality: str, other_metrics: bool = False
) -> tuple[list[Key], list[bytes]]:
    """Return the keys of data sets of some kinds under one metric, or under all others, and their signatures."""
    from sqlalchemy import select

    c = tables().past_sets.c
    scored = c.metric != metric if other_metrics else c.metric == metric
    query = select(c.fingerprint, c.metric, c.signature).where(c.task.in_(tasks), scored, c.modality == modality)
    usable = [row for row in connection.execute(query).tuples().all() if len(row[2]) == SIGNATURE_BYTES]
    return [(row[0], row[1]) for row in usable], [row[2] for row in usable]


def sets_of(connection: Connection, keys: Sequence[Key]) -> list[PastSet]:
    """Return data sets by their keys, in the order of these."""
    from sqlalchemy import select

    c, wanted = tables().past_sets.c, set(keys)
    rows = connection.execute(select(tables().past_sets).where(c.fingerprint.in_({k[0] for k in keys}))).mappings()
    found = {one: _set(row) for row in rows if (one := (row["fingerprint"], row["metric"])) in wanted}
    return [found[key] for key in keys if key in found]


def _set(row: Any) -> PastSet:
    meta = MetaFeatures.model_validate_json(row["meta"])
    texts = {name: row[name] for name in ("fingerprint", "metric", "task", "name", "card", "about")}
    return PastSet(**texts, meta=meta, baseline=row["baseline"], best=row["best"])


def ranked(connection: Connection, key: Key, best: int, others: int) -> list[Ranked]:
    """Return the best trials of a data set, best first, and where there are more some of the worst ones."""
    from sqlalchemy import select

    c = tables().past_trials.c
    query = select(c.id, c.model, c.value).where(*_of(tables().past_trials, key))
    good = [Ranked(*row) for row in connection.execute(query.order_by(c.score.desc(), c.id).limit(best)).all()]
    if len(good) < best:
        return good
    worst = [Ranked(*row) for row in connection.execute(query.order_by(c.score, c.id.desc()).limit(others)).all()]
    shown = {one.id for one in good}
    return [*good, *(one for one in reversed(worst) if one.id not in shown)]


def trials_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, PastTrial]:
    """Return trials by their digests."""
    from sqlalchemy import select

    table = tables().past_trials
    rows = connection.execute(select(table).where(table.c.id.in_(ids))).mappings().all()
    return {row["id"]: _trial(row) for row in rows}


def _trial(row: Any) -> PastTrial:
    curve: Curve = tuple(map(tuple, json.loads(row["curve"] or "[]")))
    return PastTrial(
        row["fingerprint"], row["metric"], row["model"], json.loads(row["hyperparameters"]), row["value"],
        row["seconds"], row["megabytes"], curve, row["source"], bool(row["imported"]),
    )  # fmt: skip


def sources(connection: Connection) -> list[Source]:
    """Return where the experience comes from: imports, and the runs of this store as one."""
    from sqlalchemy import case, func, select

    c = tables().past_trials.c
    name = case((c.imported, c.source), else_="").label("name")
    counts = (func.count(func.distinct(c.fingerprint)), func.count(), func.max(c.added))
    rows = connection.execute(select(name, c.imported, *counts).group_by(name, c.imported).order_by(c.imported, name))
    return [Source(row[0], bool(row[1]), *row[2:]) for row in rows]


def named_sets(connection: Connection, limit: int) -> list[tuple[PastSet, int]]:
    """Return data sets with the number of their trials, by name."""
    from sqlalchemy import func, select

    sets = tables().past_sets
    shown = connection.execute(select(sets).order_by(sets.c.name, sets.c.fingerprint).limit(limit)).mappings().all()
    count, past = select(func.count()), tables().past_trials
    found: list[tuple[PastSet, int]] = []
    for one in map(_set, shown):
        mine = count.where(*_of(past, (one.fingerprint, one.metric)))
        found.append((one, int(connection.execute(mine).scalar_one())))
    return found


def own_trials(connection: Connection, since: float) -> Iterator[tuple[PastSet, Iterator[PastTrial]]]:
    """Yield this store's own data sets with those trials that were scored since a time; one set in memory at a time."""
    from sqlalchemy import select

    sets, past = tables().past_sets, tables().past_trials
    keys = select(sets.c.fingerprint, sets.c.metric).order_by(sets.c.fingerprint, sets.c.metric)
    for key in [(row[0], row[1]) for row in connection.execute(keys)]:
        row = connection.execute(select(sets).where(*_of(sets, key))).mappings().one()
        mine = select(past).where(*_of(past, key), past.c.imported.is_(False), past.c.added >= since)
        found = connection.execute(mine.order_by(past.c.id)).mappings()
        yield _set(row), (_trial(one) for one in found)
