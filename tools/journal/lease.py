"""Who drives a run: a lease, so that two sessions never drive one run at once.

A lease is renewed by a thread while its session lives. That of a process that died on this host can be taken over at
once; that of a process on another host once it has not been renewed for `EXPIRY_SECONDS`. A live process on this host
keeps its lease even when it sleeps.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from automl_gpt.cards.errors import StoreError, UserError
from automl_gpt.tools.journal.tables import tables, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from automl_gpt.tools.journal.store import Journal

RENEW_SECONDS = 5.0
EXPIRY_SECONDS = 30.0
_CLOCK_STEP = 2.0
"""Seconds by which two readings of a process's start may differ."""


def acquire(journal: Journal, run: str) -> Lease:
    """Take the lease of a run and keep it renewed; UserError where a live session has it, or there is no such run."""
    database, leases = journal.database, tables().leases
    token = secrets.token_hex(8)
    pid, (host, space), created = os.getpid(), _here(), _started(os.getpid())
    with database.writing() as connection:
        _lock(connection, run)
        now = database.now(connection)
        held = connection.execute(leases.select().where(leases.c.run == run)).mappings().first()
        if held is not None and is_live(held, now):
            who = f"pid {held['pid']} on {held['host']}"
            raise UserError(f"run {run} is being driven by another session ({who}), wait or stop it")
        row = {"run": run, "token": token, "host": host, "space": space, "pid": pid, "created": created or 0.0}
        upsert(connection, leases, row | {"renewed": now})
    journal.tokens[run] = token
    return Lease(journal, run, token)


class Lease:
    """The right to drive a run, until `release` or the end of the process. Works as a context manager."""

    def __init__(self, journal: Journal, run: str, token: str) -> None:
        self.journal, self.run, self.token = journal, run, token
        self.lost: UserError | None = None
        self._process, self._ended = os.getpid(), threading.Event()
        self._beat = threading.Thread(target=self._renew_often, name=f"lease {run}", daemon=True)
        self._beat.start()

    def renew(self) -> None:
        """Say that this session still lives; UserError where another one has taken the run over meanwhile."""
        leases, database = tables().leases, self.journal.database
        mine = leases.update().where(leases.c.run == self.run, leases.c.token == self.token)
        with database.writing() as connection:
            renewed: Any = connection.execute(mine.values(renewed=database.now(connection)))
        if not renewed.rowcount:
            self.lost = taken_over(self.run)
            raise self.lost

    def check(self) -> None:
        """Raise UserError where the lease was lost."""
        if self.lost is not None:
            raise self.lost

    def release(self) -> None:
        """Give the run free. Does nothing the second time, and nothing in a fork."""
        if self._ended.is_set() or self._process != os.getpid():
            return
        self._ended.set()
        self._beat.join()
        leases = tables().leases
        with self.journal.database.writing() as connection:
            connection.execute(leases.delete().where(leases.c.run == self.run, leases.c.token == self.token))
        if self.journal.tokens.get(self.run) == self.token:
            del self.journal.tokens[self.run]

    def _renew_often(self) -> None:
        while self.lost is None and not self._ended.wait(RENEW_SECONDS):
            try:
                self.renew()
            except StoreError:
                continue  # the database may be back before the lease expires; appending tells the person
            except UserError:
                return  # kept in `lost`

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def taken_over(run: str) -> UserError:
    """Return the error of a session whose lease another one has."""
    return UserError(f"run {run} was taken over by another session while this one was silent: `automl-gpt show {run}`")


def driven_runs(connection: Connection, now: float) -> set[str]:
    """Return the runs that a live session drives."""
    held = connection.execute(tables().leases.select()).mappings().all()
    return {str(lease["run"]) for lease in held if is_live(lease, now)}


def is_live(lease: Any, now: float) -> bool:
    """Say whether the holder of a lease must be taken for alive."""
    fresh = now - float(lease["renewed"]) < EXPIRY_SECONDS
    if (lease["host"], lease["space"]) != _here():
        return fresh
    started = _started(int(lease["pid"]))
    if started is None:
        return False
    return fresh or abs(started - float(lease["created"])) < _CLOCK_STEP


def _lock(connection: Connection, run: str) -> None:
    """Let no other session look at the lease of this run before the transaction ends."""
    from sqlalchemy import select

    runs = tables().runs
    found = connection.execute(select(runs.c.run).where(runs.c.run == run).with_for_update()).first()
    if found is None:
        raise UserError(f"there is no run {run!r} (`automl-gpt runs` lists all)")


def _started(pid: int) -> float | None:
    """Return when a process of this host began, in epoch seconds; None where it is gone or a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return 0.0


@cache
def _here() -> tuple[str, str]:
    """Return the host and its namespace of pids: two containers may share a name, and not know each other's pids."""
    try:
        space = os.readlink(Path("/proc/self/ns/pid"))  # noqa: PTH115 - no path: "pid:[4026531836]"
    except OSError:
        space = ""
    return socket.gethostname(), space
