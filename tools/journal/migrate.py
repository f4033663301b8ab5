"""Makes the tables of a new journal, and brings those of an older version up to date, in place and in one transaction.

A step from one version to the next changes tables only. What stands in the derived ones is then replayed from the
events, so that a new column is filled for old runs as it will be for new ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.journal.derive import rebuild
from automl_gpt.tools.journal.past import sign_anew
from automl_gpt.tools.journal.tables import SCHEMA_VERSION, tables

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import Connection

    from automl_gpt.tools.journal.database import Database

_LOCK = 7245011309
"""The key under which PostgreSQL lets only one session at a time change the tables."""


def prepare(database: Database) -> None:
    """See to it that the tables are those of this version; StoreError where the database is not ours, or is newer."""
    with database.reading() as connection:
        version = _version(connection, database.place)
    database.use_wal()
    if version != SCHEMA_VERSION:
        with database.writing() as connection:
            _create_or_upgrade(connection, database)


def _create_or_upgrade(connection: Connection, database: Database) -> None:
    from sqlalchemy import text

    if not database.sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    version = _version(connection, database.place)
    if version == SCHEMA_VERSION:
        return
    if version is None:
        tables().metadata.create_all(connection, checkfirst=False)
        connection.execute(tables().meta.insert().values(key="schema_version", value=str(SCHEMA_VERSION)))
        return
    if database.file is not None:
        _copy_aside(database.file, version)
    _upgrade(connection, version)


def _version(connection: Connection, place: str) -> int | None:
    """Return the version of the schema; None where there are no tables yet."""
    from sqlalchemy import inspect, select

    meta = tables().meta
    inspector = inspect(connection)
    if not inspector.has_table("meta"):
        others = set(inspector.get_table_names())
        taken = others if connection.dialect.name == "sqlite" else others & set(tables().metadata.tables)
        if taken:
            raise StoreError(f"{place} holds other tables ({', '.join(sorted(taken)[:3])}): name another database")
        return None
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
    if found is None or not str(found).isdigit():
        raise StoreError(f"{place} has a table `meta` that is no journal's: name another database")
    if int(found) > SCHEMA_VERSION:
        raise StoreError(
            f"the journal {place} has version {found}, this automl-gpt knows {SCHEMA_VERSION}: upgrade automl-gpt"
        )
    return int(found)


def _copy_aside(file: Path, version: int) -> None:
    """Copy a SQLite journal, with what still stands in its write-ahead log, to FILE.vN.bak."""
    copy = file.with_name(f"{file.name}.v{version}.bak")
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the journal {file} can't be copied to {copy.name} before its upgrade: {error}") from error


def _upgrade(connection: Connection, version: int) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(connection))
    for step in _STEPS[version - 1 :]:
        step(operations)
    rebuild(connection)
    meta = tables().meta
    current = meta.update().where(meta.c.key == "schema_version")
    connection.execute(current.values(value=str(SCHEMA_VERSION)))


def _from_1_to_2(operations: Operations) -> None:
    """Add memory and completeness of trials, and the number of looks at a test split."""
    from sqlalchemy import Boolean, Column, Double, Integer

    operations.add_column("trials", Column("megabytes", Double))
    operations.add_column("trials", Column("complete", Boolean))
    operations.add_column("datasets", Column("looks", Integer, nullable=False, server_default="0"))


def _from_2_to_3(operations: Operations) -> None:
    """Add what language models used in a run, and what a data set is about."""
    from sqlalchemy import BigInteger, Column, Double, Text

    operations.add_column("runs", Column("tokens_in", BigInteger, nullable=False, server_default="0"))
    operations.add_column("runs", Column("tokens_out", BigInteger, nullable=False, server_default="0"))
    operations.add_column("runs", Column("cost_usd", Double))
    operations.add_column("datasets", Column("about", Text, nullable=False, server_default=""))


def _from_3_to_4(operations: Operations) -> None:
    """Add thinned logs of trials, and the tables of experience."""
    from sqlalchemy import Boolean, Column, Double, LargeBinary, Text

    operations.add_column("trials", Column("curve", Text))
    operations.drop_index("trials_as_experience", "trials")
    texts = ("task", "modality", "name", "card", "about", "meta")
    operations.create_table(
        "past_sets",
        *(Column(name, Text, primary_key=True) for name in ("fingerprint", "metric")),
        *(Column(name, Text, nullable=False) for name in texts),
        Column("signature", LargeBinary, nullable=False),
        *(Column(name, Double) for name in ("baseline", "best")),
    )
    operations.create_index("past_sets_by_task", "past_sets", ["task", "metric", "modality"])
    operations.create_table(
        "past_trials",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("fingerprint", "metric", "model", "hyperparameters")),
        *(Column(name, Double, nullable=False) for name in ("value", "score", "seconds")),
        Column("megabytes", Double),
        Column("curve", Text),
        Column("source", Text, nullable=False),
        Column("imported", Boolean, nullable=False),
        Column("added", Double, nullable=False),
    )
    operations.create_index("past_trials_by_score", "past_trials", ["fingerprint", "metric", "score"])
    operations.create_index("past_trials_by_source", "past_trials", ["imported", "source"])


def _from_4_to_5(operations: Operations) -> None:
    """Sign data sets anew: what they are compared by has other units."""
    sign_anew(operations.get_bind())


_STEPS: tuple[Callable[[Operations], None], ...] = (_from_1_to_2, _from_2_to_3, _from_3_to_4, _from_4_to_5)
