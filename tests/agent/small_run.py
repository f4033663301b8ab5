"""Begins and drives whole runs on small real data."""

import atexit
from functools import cache
from typing import Any

from automl_gpt.agent import Session
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.process.client import Server


@cache
def shared_server() -> Server:
    """One preloaded worker server for all tests of a process: starting it is what takes longest in a short run."""
    server = Server()
    atexit.register(server.close)
    return server


def begin(journal: Journal, card: str, **request: Any) -> Session:
    budget = request.pop("budget", e.Budget(seconds=None, trials=5))
    session = Session(journal, e.Request(budget=budget, workers=1, **request), server=shared_server())
    session.read(card)
    return session


def drive(session: Session) -> RunState:
    with session:
        for _ in session.plan():
            pass
        session.approve()
        for _ in session.drive():
            pass
        return session.need_state()
