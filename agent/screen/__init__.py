"""What a person sees of a run: events become panels, tables and live curves. Nothing else in the project prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console, RenderableType
from rich.text import Text

from automl_gpt.agent.screen.approval import APPROVAL, Edit, ThisConsole, approval, is_yes, read_answer
from automl_gpt.agent.screen.budgets import Spender, estimate_rows, spent_words
from automl_gpt.agent.screen.comparison import comparison
from automl_gpt.agent.screen.curves import chart, curves_of
from automl_gpt.agent.screen.lines import lines, trial_lines
from automl_gpt.agent.screen.panels import (
    next_steps,
    plan_panel,
    profile_panel,
    result_panel,
    scorecard_panel,
    show_state,
)
from automl_gpt.agent.screen.stage import Stage
from automl_gpt.agent.screen.tables import models_table, runs_table, trials_table
from automl_gpt.agent.screen.text import glyphs_for, plain, tolerate
from automl_gpt.tools.evaluate.review import saved, saved_words
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

__all__ = [
    "APPROVAL", "Screen", "approval", "chart", "comparison", "curves_of", "is_yes", "models_table", "next_steps",
    "plan_panel", "profile_panel", "read_answer", "result_panel", "runs_table", "scorecard_panel", "show_state",
    "trials_table",
]  # fmt: skip

TIMED = (e.TrialStarted, e.TrialFinished)
ENDS_THE_LIVE_VIEW = (e.EnsembleChosen, e.TestLooked, e.RunFinished, e.Interrupted)
LAST_TRIALS = 40
"""So many trials stay on the screen when a run ends; /trials shows all."""


class Screen:
    """Shows a run's events on a console: with `live` a display that moves while trials train, else plain lines.

    `elapsed` tells the run's seconds of now; without it they are taken from the events. `chat` words the next commands
    for the chat, and lets lines be typed below the live view. Call `close` (or use it as a context manager) so that the
    terminal is left as it was found.
    """

    def __init__(
        self, console: Console, live: bool, elapsed: Callable[[], float] | None = None, chat: bool = False
    ) -> None:
        tolerate(console)
        self.console, self.glyphs = console, glyphs_for(console)
        self._chat = chat
        self._elapsed = elapsed or self._from_events
        self._anchor = (0.0, time.monotonic())
        self._spender: Spender | None = None
        moves = live and console.is_terminal and not console.is_dumb_terminal
        self.stage = Stage(console, self.glyphs, moves, chat, self._now)

    def over(self, session: Spender) -> Screen:
        """Take the time of now, and what is spent, from a session."""
        self._spender, self._elapsed = session, session.elapsed
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
        self._note_thinking(event)
        ends = isinstance(event, ENDS_THE_LIVE_VIEW) and self.stage.live
        if ends or (isinstance(event, e.EnsembleChosen) and not self.stage.moves):
            self._last_table(state)
        for line in lines(event, state, self.glyphs):
            self.print(line)
        if not self.stage.moves:
            for line in trial_lines(event, state, self.glyphs):
                self.print(line)
        elif isinstance(event, e.TrialStarted):
            self.stage.start(state)
        self.stage.update(state, now=isinstance(event, e.TrialFinished))
        if isinstance(event, e.RunFinished):
            self.show_end(state)

    def _last_table(self, state: RunState) -> None:
        if self.stage.live:
            self.close()
        else:
            self.print()
        self.print(trials_table(state, self.width, LAST_TRIALS, self.glyphs))
        self.print()

    def show_end(self, state: RunState) -> None:
        """Show the result of a finished run, what its forecasts were worth, and the next commands."""
        self.print()
        self.print(result_panel(state, self.glyphs, spent_words(self._spender) if self._spender is not None else ""))
        if state.finished is not None:
            self.print(scorecard_panel(state.finished.scorecard, self.glyphs, saved_words(saved(state))))
        self.print(next_steps(state, self._chat, self.glyphs), whole=True)

    def show_plan(self, state: RunState) -> None:
        """Show what would be trained first, what is predicted of it, and what it is expected to cost."""
        spending = estimate_rows(self._spender, state) if self._spender is not None else ()
        self.print()
        self.print(plan_panel(state, self.width, self.glyphs, spending))

    def ask_approval(self, state: RunState, edit: Edit) -> bool:
        """Show the plan and ask whether to train, with `edit` to change it first; no answer is a no."""
        return approval(self, state, ThisConsole(self.console), edit) != "no"

    def show_trials(self, state: RunState) -> None:
        """Show the table of all trials."""
        self.print(trials_table(state, self.width, None, self.glyphs))

    def print(self, what: RenderableType = "", whole: bool = False) -> None:
        """Print; lines stay whole where asked, and where the output is no terminal."""
        self.stage.print(what, whole or (isinstance(what, Text) and not self.console.is_terminal))

    def error(self, problem: object) -> None:
        """Print one red line that says what is wrong."""
        self.print(Text(plain(problem), style="red"))

    def thinking(self, who: str, text: str) -> None:
        """Show who thinks and what has come so far, on a terminal; no text: the answer is over."""
        self.stage.hear(who, text)

    def typed(self) -> list[str]:
        """Return the lines that a person entered below the live view since the last time."""
        return self.stage.typed()

    def aside(self) -> AbstractContextManager[None]:
        """Take what moves away while a question is asked, and put it back afterwards."""
        return self.stage.aside()

    def close(self) -> None:
        """Take away what moves, if anything does."""
        self.stage.close()

    def _note_thinking(self, event: e.Event) -> None:
        if isinstance(event, e.LLMAsked):
            self.stage.thinks(event.model, "answers" if event.purpose == "conversation" else "decides")
        elif isinstance(event, e.LLMAnswered):
            self.stage.hear(event.model, "")

    def _keep_time(self, event: e.Event) -> None:
        at = event.at_seconds if isinstance(event, TIMED) else event.spent if isinstance(event, e.Resumed) else None
        if at is not None:
            self._anchor = (at, time.monotonic())

    def _now(self) -> float:
        return self._elapsed()

    def _from_events(self) -> float:
        at, then = self._anchor
        return at + time.monotonic() - then
