"""The journal's makers of events and its stores, in both kinds of database."""

from __future__ import annotations

from tests.tools.journal.conftest import (  # noqa: F401
    journal,
    make,
    new_database,
    postgres_port,
    postgres_url,
    sqlite_journal,
    store_url,
)
