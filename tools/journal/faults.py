"""What a database's error means to the person, in one line that never shows a password."""

from __future__ import annotations

from typing import Any

from automl_gpt.cards.errors import StoreError

_SQLITE = (
    (
        "SQLITE_BUSY",
        "has been locked by another process for too long: wait until that is done, or stop it, and try again",
    ),
    ("SQLITE_LOCKED", "is locked: try again in a moment"),
    ("SQLITE_READONLY_DBMOVED", "was moved or deleted while it was in use: put it back, or start again"),
    ("SQLITE_READONLY", "is read-only: make it writable, or set AUTOML_GPT_HOME to a folder of yours"),
    ("SQLITE_PERM", "may not be opened: make it yours, or set AUTOML_GPT_HOME to a folder of yours"),
    ("SQLITE_FULL", "can't grow because the disk is full: free some space (`automl-gpt runs --clean`) and try again"),
    ("SQLITE_NOTADB", "is damaged, or no journal: put a copy in its place, or move it away to begin a new one"),
    ("SQLITE_CORRUPT", "is damaged: put a copy in its place, or move it away to begin a new one"),
    ("SQLITE_CANTOPEN", "can't be opened: check that its folder exists and that you may write there"),
    ("SQLITE_IOERR", "can't be read or written: check the disk, and the space that is left on it"),
)
_POSTGRES = {
    "53100": "can't grow because the server's disk is full: free some space there and try again",
    "55P03": "has been locked by another session for too long: wait until that is done, and try again",
    "25006": "is read-only: connect to the primary server",
    "42501": "does not let this user make or change tables: grant that, or correct AUTOML_GPT_STORE",
}


def one_line(text: object, secret: str | None = None) -> str:
    """Return a text on one line, without the secret."""
    line = " ".join(str(text).split())
    return line.replace(secret, "***") if secret else line


def explain(error: Any, place: str, secret: str | None = None) -> StoreError | None:
    """Say what a database's error means; None where it is a defect of ours.

    `error` is SQLAlchemy's DBAPIError, `place` the file or the address without its password.
    """
    from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

    cause = error.orig
    code = getattr(cause, "sqlite_errorname", None) or ""
    for prefix, meaning in _SQLITE:
        if code.startswith(prefix):
            return StoreError(f"the journal {place} {meaning}")
    meaning = _POSTGRES.get(getattr(cause, "sqlstate", None) or "")
    if meaning:
        return StoreError(f"the journal {place} {meaning}")
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        return StoreError(f"the journal {place} can't be used: {one_line(cause, secret)}")
    return None
