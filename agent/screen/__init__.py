"""What a person sees of a run: events become panels, tables and live curves. Nothing else in the project prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from rich.console import Console, RenderableType
from rich.text import Text

from automl_gpt.agent.screen.curves import chart, curves_of
from automl_gpt.agent.screen.lines import lines, trial_lines
from automl_gpt.agent.screen.live import LiveView
from automl_gpt.agent.screen.panels import (
    comparison,
    next_steps,
    plan_panel,
    profile_panel,
    result_panel,
    scorecard_panel,
    show_state,
)
from automl_gpt.agent.screen.tables import models_table, runs_table, trials_table
from automl_gpt.agent.screen.text import glyphs_for, plain, tolerate
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

__all__ = [
    "APPROVAL", "Screen", "chart", "comparison", "curves_of", "is_yes", "models_table", "next_steps", "plan_panel",
    "profile_panel", "result_panel", "runs_table", "scorecard_panel", "show_state", "trials_table",
]  # fmt: skip

TIMED = (e.TrialStarted, e.TrialFinished)
ENDS_THE_LIVE_VIEW = (e.EnsembleChosen, e.TestLooked, e.RunFinished, e.Interrupted)

APPROVAL = "Train? [y/N] "
LAST_TRIALS = 40
"""So many trials stay on the screen when a run ends; /trials shows all."""


class Timed(Protocol):
    """What tells the seconds that a run has used."""

    def elapsed(self) -> float:
        """Return the seconds."""
        ...


class Screen:
    """Shows a run's events on a console: with `live` a display that moves while trials train, else plain lines.

    `elapsed` tells the run's seconds of now; without it they are taken from the events. `chat` words the next commands
    for the chat. Call `close` (or use it as a context manager) so that the terminal is left as it was found.
    """

    def __init__(
        self, console: Console, live: bool, elapsed: Callable[[], float] | None = None, chat: bool = False
    ) -> None:
        tolerate(console)
        self.console, self.glyphs = console, glyphs_for(console)
        self._moves = live and console.is_terminal and not console.is_dumb_terminal
        self._chat = chat
        self._elapsed = elapsed or self._from_events
        self._anchor = (0.0, time.monotonic())
        self._view: LiveView | None = None

    def over(self, session: Timed) -> Screen:
        """Take the time of now from a session."""
        self._elapsed = session.elapsed
        return self

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def width(self) -> int:
        """Cells in a line."""
        return self.console.width

    def show(self, event: e.Event, state: RunState) -> None:
        """Show what a person should see of an event; `state` already includes it."""
        self._keep_time(event)
        if isinstance(event, ENDS_THE_LIVE_VIEW) and self._view is not None:
            self.close()
            self.print(trials_table(state, self.width, LAST_TRIALS, self.glyphs))
            self.print()
        elif isinstance(event, e.EnsembleChosen) and not self._moves:
            self.print()
            self.print(trials_table(state, self.width, LAST_TRIALS, self.glyphs))
            self.print()
        for line in lines(event, state, self.glyphs):
            self.print(line)
        if not self._moves:
            for line in trial_lines(event, state, self.glyphs):
                self.print(line)
        elif isinstance(event, e.TrialStarted) and self._view is None:
            self._view = LiveView(self.console, self.glyphs, self._elapsed)
            self._view.start(state)
        if self._view is not None:
            self._view.update(state, now=isinstance(event, e.TrialFinished))
        if isinstance(event, e.RunFinished):
            self.show_end(state)

    def show_end(self, state: RunState) -> None:
        """Show the result of a finished run, what its forecasts were worth, and the next commands."""
        self.print()
        self.print(result_panel(state, self.glyphs))
        if state.finished is not None:
            self.print(scorecard_panel(state.finished.scorecard, self.glyphs))
        self.print(next_steps(state, self._chat, self.glyphs), whole=True)

    def show_plan(self, state: RunState) -> None:
        """Show what would be trained first, what is predicted of it, and what it is expected to cost."""
        self.print()
        self.print(plan_panel(state, self.width, self.glyphs))

    def ask_approval(self, state: RunState) -> bool:
        """Show the plan and ask whether to train; no answer is a no."""
        self.show_plan(state)
        try:
            return is_yes(self.console.input(Text(APPROVAL)))
        except EOFError:
            return False

    def show_trials(self, state: RunState) -> None:
        """Show the table of all trials."""
        self.print(trials_table(state, self.width, None, self.glyphs))

    def print(self, what: RenderableType = "", whole: bool = False) -> None:
        """Print; lines stay whole where asked, and where the output is no terminal."""
        whole = whole or (isinstance(what, Text) and not self.console.is_terminal)
        self.console.print(what, soft_wrap=whole, markup=False, highlight=False)

    def error(self, problem: object) -> None:
        """Print one red line that says what is wrong."""
        self.print(Text(plain(problem), style="red"))

    def close(self) -> None:
        """Take the live display away, if there is one."""
        if self._view is not None:
            self._view.stop()
            self._view = None

    def _keep_time(self, event: e.Event) -> None:
        at = event.at_seconds if isinstance(event, TIMED) else event.spent if isinstance(event, e.Resumed) else None
        if at is not None:
            self._anchor = (at, time.monotonic())

    def _from_events(self) -> float:
        at, then = self._anchor
        return at + time.monotonic() - then


def is_yes(answer: str | None) -> bool:
    """Say whether an answer is a yes, in English, German, French or Spanish."""
    words = (answer or "").strip().strip("!.").casefold()
    return words in ("y", "yes", "ja", "j", "oui", "o", "si", "s\u00ed", "s", "ok", "okay", "go", "/go", "always")
