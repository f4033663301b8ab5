"""The database beneath the journal: where it is, connections of this process, transactions that read and that write."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.journal.faults import explain, one_line

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

BUSY_SECONDS = 10.0
"""How long a transaction waits for another one."""
CONNECT_SECONDS = 10
_URL_FORMS = "write sqlite:////path/to/journal.db or postgresql://user:password@host/database"
_LEFT_BEHIND: list[Any] = []


def parse_url(text: str) -> URL:
    """Read the address of a journal; StoreError where it is none, or of a kind that can't hold one."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"AUTOML_GPT_STORE is no address of a database: {_URL_FORMS}") from error
    if backend in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgres", "postgresql") else url
    if backend != "sqlite":
        raise StoreError(f"AUTOML_GPT_STORE: a journal can't be kept in {backend!r}: {_URL_FORMS}")
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise StoreError("AUTOML_GPT_STORE: SQLite needs a file: write sqlite:////path/to/journal.db")
    return url


def file_url(file: Path) -> URL:
    """Return the address of a SQLite file."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(file))


class Database:
    """One database, with an engine for each process that uses it. Threads may share it."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.sqlite = url.get_backend_name() == "sqlite"
        self.file = Path(url.database or "").absolute() if self.sqlite else None
        self.place = str(self.file) if self.file else url.render_as_string(hide_password=True)
        self._engine, self._process = self._open(), os.getpid()

    @property
    def engine(self) -> Engine:
        """The engine of this process; a fork makes its own, and leaves its parent's connections alone."""
        if self._process != os.getpid():
            _LEFT_BEHIND.append(self._engine)
            self._engine, self._process = self._open(), os.getpid()
        return self._engine

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Open a transaction that sees one state of the database."""
        with self._faults(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Open a transaction that writes: all of it is kept, or nothing."""
        with self._faults(), self.engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection

    def now(self, connection: Connection) -> float:
        """Return the time in epoch seconds by the one clock that all sessions share."""
        if self.sqlite:
            return time.time()
        from sqlalchemy import text

        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def use_wal(self) -> None:
        """Let readers and a writer work at once: SQLite's write-ahead log. Tried for a while, since SQLite won't wait.

        A file system that has no shared memory keeps SQLite's older way, which is slower and as safe.
        """
        from sqlalchemy.exc import OperationalError

        deadline = time.monotonic() + BUSY_SECONDS
        with self._faults():
            while self.sqlite:
                try:
                    with self.engine.execution_options(begin="").connect() as connection:
                        if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
                            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                        return
                except OperationalError as error:
                    if not _is_busy(error) or time.monotonic() > deadline:
                        raise
                time.sleep(0.02)

    def close(self) -> None:
        """Close the connections of this process."""
        if self._process == os.getpid():
            self._engine.dispose()

    @contextmanager
    def _faults(self) -> Generator[None]:
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import TimeoutError as NoConnectionLeft

        try:
            yield
        except DBAPIError as error:
            told = explain(error, self.place, str(self.url.password) if self.url.password else None)
            if told is None:
                raise
            raise told from error
        except NoConnectionLeft as error:
            raise StoreError(f"the journal {self.place} is too busy: {one_line(error)}") from error

    def _open(self) -> Engine:
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        if self.sqlite:
            engine = create_engine(self.url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
        if "options" not in self.url.query:
            arguments["options"] = f"-c lock_timeout={int(BUSY_SECONDS * 1000)}"
        try:
            return create_engine(self.url, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=arguments)
        except (NoSuchModuleError, ModuleNotFoundError, ArgumentError) as error:
            raise StoreError(f"AUTOML_GPT_STORE: there is no driver {self.url.drivername!r}: {_URL_FORMS}") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Leave transactions to us, and sync at checkpoints only: in WAL mode a killed process loses nothing by it."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    """Lock at once where the transaction will write: a reader that turns writer can't wait, and would fail."""
    statement = connection.get_execution_options().get("begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def _is_busy(error: Any) -> bool:
    return str(getattr(error.orig, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
