"""A run that is being driven: its journal and its state, kept equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automl_gpt.tools.journal.events import Event
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal


@dataclass(frozen=True)
class LiveRun:
    """One run of a journal. What happens is written first and counts then."""

    journal: Journal
    state: RunState

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.journal.run_folder(self.state.run)

    def record(self, *events: Event) -> tuple[Event, ...]:
        """Write events into the journal in one transaction, then fold them into the state; return them."""
        if events:
            self.journal.append(self.state.run, *events)
        for event in events:
            self.state.apply(event)
        return events
