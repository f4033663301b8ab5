"""The tables of the journal: the events, which are the truth, and what is derived from them to be searched quickly.

`events` holds every event as JSON. `runs`, `trials` and `datasets` are written in the same transaction as the events
that they derive from, and can be rebuilt from them. `leases` says who drives a run, `meta` holds the schema's version.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table
    from sqlalchemy.sql import ColumnElement

SCHEMA_VERSION = 3


class Tables(NamedTuple):
    """All tables of the journal, as SQLAlchemy Core knows them. Times are epoch seconds."""

    metadata: MetaData
    meta: Table
    events: Table
    runs: Table
    trials: Table
    datasets: Table
    leases: Table


@cache
def tables() -> Tables:
    """Describe the tables of the current version."""
    from sqlalchemy import MetaData

    metadata = MetaData()
    return Tables(
        metadata, _meta(metadata), _events(metadata), _runs(metadata), _trials(metadata), _datasets(metadata),
        _leases(metadata),
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
    """`scored` is the time at which a trial finished with a score: only those can become experience."""
    from sqlalchemy import Boolean, Column, Double, Index, Integer, Table, Text

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
        Index("trials_as_experience", "task", "metric", "scored"),
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
