"""What moves on a terminal: the live view while trials train, else a status while a model thinks; and who types."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console, RenderableType

from automl_gpt.agent.screen.keyboard import LineKeyboard
from automl_gpt.agent.screen.live import LiveView
from automl_gpt.agent.screen.text import Glyphs
from automl_gpt.agent.screen.thinking import ThinkingView, Thought
from automl_gpt.tools.journal.state import RunState


class Stage:
    """One moving display at a time. `moves`: there may be one; `reads`: lines can be typed below the live view."""

    def __init__(
        self, console: Console, glyphs: Glyphs, moves: bool, reads: bool, elapsed: Callable[[], float]
    ) -> None:
        self.moves = moves
        self._console, self._glyphs, self._elapsed = console, glyphs, elapsed
        self._thought = Thought(glyphs)
        self._keyboard = LineKeyboard() if reads else None
        self._view: LiveView | None = None
        self._status: ThinkingView | None = None
        self._shown: RunState | None = None

    @property
    def live(self) -> bool:
        """Whether the live view stands."""
        return self._view is not None

    def start(self, state: RunState) -> None:
        """Begin the live view, unless it stands."""
        if not self.moves or self._view is not None:
            return
        self._hide_status()
        self._view = LiveView(self._console, self._glyphs, self._elapsed, self._thought, self._keyboard)
        self._shown = state
        self._view.start(state)

    def update(self, state: RunState, *, now: bool = False) -> None:
        """Show the state in the live view, if there is one."""
        if self._view is not None:
            self._shown = state
            self._view.update(state, now=now)

    def print(self, what: RenderableType, whole: bool) -> None:
        """Print above what moves."""
        with self._view.lock if self._view is not None else contextlib.nullcontext():
            self._console.print(what, soft_wrap=whole, markup=False, highlight=False)

    def thinks(self, who: str, verb: str) -> None:
        """Show that somebody thinks, from now on."""
        self._thought.begin(who, verb)
        self._show_status()

    def hear(self, who: str, text: str) -> None:
        """Show what has come of an answer so far; no text: the answer is over."""
        if not text:
            self._thought.end()
            self._hide_status()
            return
        self._thought.hear(who, text)
        self._show_status()

    def typed(self) -> list[str]:
        """Return the lines that were entered below the live view since the last time."""
        return self._keyboard.entered() if self._keyboard is not None else []

    def unfinished(self) -> str:
        """Return what was typed there and not entered, and forget it."""
        return self._keyboard.unfinished() if self._keyboard is not None else ""

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """Clear the stage for a question, and put the live view back afterwards, if one stood."""
        stood = self._shown if self.live else None
        self.close()
        yield
        if stood is not None:
            self.start(stood)

    def close(self) -> None:
        """Take away what moves."""
        self._thought.end()
        self._hide_status()
        view, self._view, self._shown = self._view, None, None
        if view is not None:
            view.stop()

    def _show_status(self) -> None:
        if self.moves and self._view is None and self._status is None:
            self._status = ThinkingView(self._console, self._thought)
            self._status.start()

    def _hide_status(self) -> None:
        status, self._status = self._status, None
        if status is not None:
            status.stop()
