"""The journal: append-only events of all runs, and what can be asked of them. Safe to kill at any moment.

Every append is one transaction that also writes the searchable tables. Secrets are taken out before: what a process
holds of an event may have them, what is written has none. SQLite in the home by default; PostgreSQL for a
team, by a URL in `AUTOML_GPT_STORE`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from automl_gpt.cards.errors import StoreError, UserError
from automl_gpt.tools.base import home
from automl_gpt.tools.journal.database import Database, file_url, parse_url
from automl_gpt.tools.journal.derive import Derivation, read_event, rebuild
from automl_gpt.tools.journal.events import Event, RunStarted
from automl_gpt.tools.journal.lease import driven_runs, taken_over
from automl_gpt.tools.journal.migrate import prepare
from automl_gpt.tools.journal.names import find_run, new_name
from automl_gpt.tools.journal.state import RunState, fold
from automl_gpt.tools.journal.summary import RunSummary, run_summaries
from automl_gpt.tools.journal.tables import tables
from automl_gpt.tools.journal.written import written

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAMES_TRIED = 20


class Stored(NamedTuple):
    """An event as it was stored: its number within the run (from 1), when it was written (epoch seconds), itself."""

    seq: int
    time: float
    event: Event


def open_journal(url: str | None = None, folder: Path | None = None) -> Journal:
    """Open the journal, making or upgrading its tables where needed.

    `url` is a SQLAlchemy URL (default: `AUTOML_GPT_STORE`, else SQLite in `folder`), `folder` the home (default:
    `automl_gpt.tools.base.home()`). Raises StoreError, in one line, where it can't be used.
    """
    place = (folder or home()).expanduser().absolute()
    given = url or os.environ.get("AUTOML_GPT_STORE")
    database = Database(parse_url(given) if given else file_url(place / "journal.db"))
    _make_folder(place)
    if database.file is not None:
        _make_folder(database.file.parent)
    prepare(database)
    return Journal(database, place)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"{folder} is no folder: set AUTOML_GPT_HOME to a folder") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError(
            f"the folder {folder} can't be made ({why}): set AUTOML_GPT_HOME to a folder of yours"
        ) from error


class Journal:
    """All runs of a home or a team. `folder` is the home; run folders live in folder/runs/RUN. Threads may share it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.tokens: dict[str, str] = {}
        """The leases that this session holds; another session's makes its appends fail."""

    @property
    def url(self) -> str:
        """The database's address, with its password: for another process that opens the same journal."""
        return self.database.url.render_as_string(hide_password=False)

    def create(self, started: RunStarted) -> str:
        """Begin a run: its folder, its first event. Returns its new unique name."""
        from sqlalchemy.exc import IntegrityError

        _, shown = written(started)
        assert isinstance(shown, RunStarted)
        for _ in range(_NAMES_TRIED):
            run = new_name(shown)
            if self.run_folder(run).exists():
                continue
            _make_folder(self.run_folder(run))
            try:
                with self.database.writing() as connection:
                    Derivation(connection, run).begin(events=0)
                    self._append(connection, run, (started,))
                return run
            except IntegrityError:
                continue  # another session has just taken this name
        raise StoreError(f"no free name for a run was found in {self.folder / 'runs'}")

    def append(self, run: str, *events: Event) -> None:
        """Store events, all or none, with what the searchable tables derive from them.

        Raises UserError where there is no such run, or another session took it over from this one.
        """
        if events:
            with self.database.writing() as connection:
                self._append(connection, run, events)

    def _append(self, connection: Connection, run: str, events: tuple[Event, ...]) -> None:
        last, now = self._take_numbers(connection, run, len(events)), time.time()
        stored = [written(event) for event in events]
        rows = [
            {"run": run, "seq": seq, "time": now, "kind": event.kind, "body": body}
            for seq, (body, event) in enumerate(stored, last - len(events) + 1)
        ]
        connection.execute(tables().events.insert(), rows)
        derivation = Derivation(connection, run)
        for _, event in stored:
            derivation.apply(event, now)

    def _take_numbers(self, connection: Connection, run: str, count: int) -> int:
        """Lock the run, take the next numbers, return the last of them. The lease is read after the lock is held."""
        from sqlalchemy import select

        runs, leases = tables().runs, tables().leases
        connection.execute(runs.update().where(runs.c.run == run).values(events=runs.c.events + count))
        joined = runs.outerjoin(leases, leases.c.run == runs.c.run)
        query = select(runs.c.events, leases.c.token).select_from(joined).where(runs.c.run == run)
        found = connection.execute(query).first()
        if found is None:
            raise _no_run(run)
        if self.tokens.get(run, found.token) != found.token:
            raise taken_over(run)
        return int(found.events)

    def events(self, run: str, after: int = 0) -> list[Stored]:
        """Return the events of a run in their order, those with a number above `after`."""
        from sqlalchemy import select

        stored = tables().events.c
        query = select(stored.seq, stored.time, stored.body).where(stored.run == run, stored.seq > after)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(stored.seq)).all()
        if not rows and not after:
            raise _no_run(run)
        return [Stored(seq, written, read_event(run, seq, body)) for seq, written, body in rows]

    def state(self, run: str) -> RunState:
        """Return the state of a run, folded from its events."""
        return fold(run, (stored.event for stored in self.events(run)))

    def find(self, name: str) -> str:
        """Return the run of this name, of this unique beginning, or the newest for "last"; else UserError."""
        with self.database.reading() as connection:
            return find_run(connection, name)

    def runs(self, limit: int | None = None) -> list[RunSummary]:
        """List runs, newest first, from the searchable tables alone."""
        with self.database.reading() as connection:
            driven = driven_runs(connection, self.database.now(connection))
            return run_summaries(connection, driven, self.folder, limit)

    def run_folder(self, run: str) -> Path:
        """Return the folder of a run; it may not exist, where the run began on another machine."""
        return self.folder / "runs" / run

    def looks(self, fingerprint: str) -> int:
        """Return how many times any run looked at the test split of this data."""
        from sqlalchemy import select

        datasets = tables().datasets.c
        with self.database.reading() as connection:
            query = select(datasets.looks).where(datasets.fingerprint == fingerprint)
            return int(connection.execute(query).scalar() or 0)

    def rebuild(self) -> None:
        """Derive the searchable tables anew from the events, in one transaction."""
        with self.database.writing() as connection:
            rebuild(connection)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def _no_run(run: str) -> UserError:
    return UserError(f"there is no run {run!r} (`automl-gpt runs` lists all)")
