"""The tables of the journal: the events, which are the truth, and what is derived from them to be searched quickly.

`events` holds every event as JSON. `runs`, `trials` and `datasets` are written in the same transaction as the events
that they derive from, and can be rebuilt from them. `past_sets` and `past_trials` hold experience: what derives from
the events, and what was imported, of which no event tells. `leases` says who drives a run, `meta` holds the version of
the schema.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table
    from sqlalchemy.sql import ColumnElement

SCHEMA_VERSION = 5


class Tables(NamedTuple):
    """All tables of the journal, as SQLAlchemy Core knows them. Times are epoch seconds."""

    metadata: MetaData
    meta: Table
    events: Table
    runs: Table
    trials: Table
    datasets: Table
    leases: Table
    past_sets: Table
    past_trials: Table


@cache
def tables() -> Tables:
    """Describe the tables of the current version."""
    from sqlalchemy import MetaData

    metadata = MetaData()
    return Tables(
        metadata, _meta(metadata), _events(metadata), _runs(metadata), _trials(metadata), _datasets(metadata),
        _leases(metadata), _past_sets(metadata), _past_trials(metadata),
    )  # fmt: skip


def _meta(metadata: MetaData) -> Table:
    from sqlalchemy import Column, Table, Text

    return Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))


def _events(metadata: MetaData) -> Table:
    from sqlalchemy import Column, Double, Integer, Table, Text

    return Table(
        "events",
        metadata,
        Column("run", Text, primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("time", Double, nullable=False),
        Column("kind", Text, nullable=False),
        Column("body", Text, nullable=False),
    )


def _runs(metadata: MetaData) -> Table:
    """`events` is the number of the last event; `best` and `baseline` are validation scores of single trials.

    `tokens_in`, `tokens_out` and `cost_usd` are what language models used; no cost means that it is unknown.
    """
    from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text

    return Table(
        "runs",
        metadata,
        Column("run", Text, primary_key=True),
        Column("events", Integer, nullable=False),
        Column("started", Double, nullable=False),
        Column("ended", Double),
        Column("name", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("controller", Text, nullable=False),
        Column("fingerprint", Text),
        Column("task", Text),
        Column("metric", Text),
        Column("direction", Text),
        Column("model", Text),
        Column("hyperparameters", Text, nullable=False),
        Column("baseline", Double),
        Column("best", Double),
        Column("valid", Double),
        Column("test", Double),
        Column("trials", Integer, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("forecast_mae", Double),
        Column("forecast_coverage", Double),
        Column("forecast_rank_correlation", Double),
        Column("artifact", Text),
        Column("tokens_in", BigInteger, nullable=False, server_default="0"),
        Column("tokens_out", BigInteger, nullable=False, server_default="0"),
        Column("cost_usd", Double),
        Index("runs_by_start", "started"),
    )


def _trials(metadata: MetaData) -> Table:
    """`scored` is the time at which a trial finished with a score: only those can become experience.

    `curve` is the thinned log of its first fold: JSON, a list of [step, validation score].
    """
    from sqlalchemy import Boolean, Column, Double, Integer, Table, Text

    return Table(
        "trials",
        metadata,
        Column("run", Text, primary_key=True),
        Column("trial", Integer, primary_key=True, autoincrement=False),
        Column("model", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("task", Text),
        Column("metric", Text),
        Column("hyperparameters", Text, nullable=False),
        Column("predicted", Double),
        Column("low", Double),
        Column("high", Double),
        Column("error", Double),
        Column("covered", Boolean),
        Column("value", Double),
        Column("seconds", Double),
        Column("scored", Double),
        Column("megabytes", Double),
        Column("complete", Boolean),
        Column("curve", Text),
    )


def _datasets(metadata: MetaData) -> Table:
    """`profiled` is the time of the newest profile, whose name, text about the data and meta-features stand here."""
    from sqlalchemy import Column, Double, Integer, Table, Text

    return Table(
        "datasets",
        metadata,
        Column("fingerprint", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("task", Text, nullable=False),
        Column("meta", Text, nullable=False),
        Column("profiled", Double, nullable=False),
        Column("looks", Integer, nullable=False, server_default="0"),
        Column("about", Text, nullable=False, server_default=""),
    )


def _leases(metadata: MetaData) -> Table:
    """`created` is the start of the process, so that a reused pid isn't taken for it; `space` its namespace of pids."""
    from sqlalchemy import Column, Double, Integer, Table, Text

    return Table(
        "leases",
        metadata,
        Column("run", Text, primary_key=True),
        Column("token", Text, nullable=False),
        Column("host", Text, nullable=False),
        Column("space", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("created", Double, nullable=False),
        Column("renewed", Double, nullable=False),
    )


def _past_sets(metadata: MetaData) -> Table:
    """One data set under one metric. `card` is the name and the description of its Data Card, `about` may say more.

    `signature` is what it is compared by (`experience.distance`), `baseline` what the trivial model reached, `best`
    what any trial did.
    """
    from sqlalchemy import Column, Double, Index, LargeBinary, Table, Text

    return Table(
        "past_sets",
        metadata,
        Column("fingerprint", Text, primary_key=True),
        Column("metric", Text, primary_key=True),
        Column("task", Text, nullable=False),
        Column("modality", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("card", Text, nullable=False),
        Column("about", Text, nullable=False),
        Column("meta", Text, nullable=False),
        Column("signature", LargeBinary, nullable=False),
        Column("baseline", Double),
        Column("best", Double),
        Index("past_sets_by_task", "task", "metric", "modality"),
    )


def _past_trials(metadata: MetaData) -> Table:
    """One finished trial. `id` is a digest of its content, `score` its value in the direction in which more is better.

    `source` is the run that it comes from, or the import where `imported` holds; `added` the time at which it came.
    """
    from sqlalchemy import Boolean, Column, Double, Index, Table, Text

    return Table(
        "past_trials",
        metadata,
        Column("id", Text, primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("metric", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("hyperparameters", Text, nullable=False),
        Column("value", Double, nullable=False),
        Column("score", Double, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("megabytes", Double),
        Column("curve", Text),
        Column("source", Text, nullable=False),
        Column("imported", Boolean, nullable=False),
        Column("added", Double, nullable=False),
        Index("past_trials_by_score", "fingerprint", "metric", "score"),
        Index("past_trials_by_source", "imported", "source"),
    )


def upsert(
    connection: Connection, table: Table, values: dict[str, Any], *, newer: ColumnElement[bool] | None = None
) -> None:
    """Insert a row, or update the one with the same key; only where `newer` (on the old row) holds, if it is given."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(values)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in values if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed, where=newer))
