"""Who thinks at the moment: a line that counts the seconds, and the end of what has come so far."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from automl_gpt.agent.screen.keyboard import SilentKeyboard
from automl_gpt.agent.screen.text import Glyphs, cut, end_of, faithful, span

TAIL = 2000
"""Characters of an answer that are looked at: an endless one costs no more than a short one."""
TAIL_LINES = 3
REFRESHES_PER_SECOND = 5


class Thought:
    """A model's answer while it comes. `verb` says what the model does: it decides, or it answers the person."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._who, self._verb, self._since, self._text = "", "decides", 0.0, ""

    def begin(self, who: str, verb: str = "decides") -> None:
        """Count from now on."""
        self._who, self._verb, self._since, self._text = who, verb, time.monotonic(), ""

    def hear(self, who: str, text: str) -> None:
        """Note what has come so far."""
        if who != self._who:
            self.begin(who)
        self._text = text[-TAIL:]

    def end(self) -> None:
        """Nobody thinks any more."""
        self._who = self._text = ""

    @property
    def active(self) -> bool:
        """Whether somebody thinks."""
        return bool(self._who)

    def headline(self, width: int) -> Text:
        """Return who thinks and for how long on one line; empty where nobody does."""
        if not self._who:
            return Text()
        took = f" {self._verb} {self._glyphs.dots} {span(time.monotonic() - self._since)}"
        return Text(cut(self._who, max(1, width - cell_len(took)), self._glyphs) + took, style="cyan", no_wrap=True)

    def tail(self, width: int) -> Iterator[Text]:
        """Yield the last lines of what has come, each in one line of the terminal."""
        lines = [line for line in faithful(self._text) if line.strip()]
        for line in lines[-TAIL_LINES:]:
            yield Text(end_of(line, width), style="dim", no_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the headline and the tail."""
        yield self.headline(options.max_width - 1)
        yield from self.tail(options.max_width - 1)


class ThinkingView:
    """Shows a thought where no live view stands, and leaves nothing behind."""

    def __init__(self, console: Console, thought: Thought) -> None:
        self._live = Live(
            thought, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True, redirect_stdout=False,
            redirect_stderr=False,
        )  # fmt: skip
        self._keyboard = SilentKeyboard()

    def start(self) -> None:
        """Begin to show."""
        self._keyboard.start()
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Take it away."""
        try:
            self._live.stop()
        finally:
            self._keyboard.stop()
