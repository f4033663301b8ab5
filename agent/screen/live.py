"""The live display while a run trains: a header with the clock, the table of trials, the newest running trial's curves.

Everything but the clock is drawn when an event comes, in the thread that drives the run; a second thread only repeats
the picture with the time of now and the line that is being typed, so that it never reads a state that changes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from automl_gpt.agent.screen.curves import chart, curves_of, legend
from automl_gpt.agent.screen.keyboard import PROMPT, SilentKeyboard
from automl_gpt.agent.screen.tables import trials_table
from automl_gpt.agent.screen.text import Glyphs, cut, end_of, number, plain, span
from automl_gpt.agent.screen.thinking import Thought
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.forecasts.outlook import Outlook, outlook

REFRESHES_PER_SECOND = 8
SHARE_OF_A_CORE = 0.02
"""Pictures are drawn so rarely that they cost no more than this."""
BEAT_SECONDS, THINKING_BEAT_SECONDS = 1.0, 0.5
"""How often the clock moves on by itself."""
LINES_AROUND = 4
"""Header, clock, the line of who thinks, and the line that is being typed."""


class Picture:
    """What stands on the screen.

    `elapsed` tells the run's seconds of now, `thought` who thinks, `typed` the line that is being typed (None: none).
    """

    def __init__(
        self, glyphs: Glyphs, elapsed: Callable[[], float], thought: Thought, typed: Callable[[], str | None]
    ) -> None:
        self._glyphs, self._elapsed, self._thought, self._typed = glyphs, elapsed, thought, typed
        self._headline = Text()
        self._trials = ""
        self._share_of_trials = 0.0
        self._budget: float | None = None
        self._body: RenderableType = Text()

    def draw(self, state: RunState, width: int, height: int) -> None:
        """Draw the state into `width` cells and `height` lines."""
        done = sum(t.end is not None for t in state.ordered())
        limit = state.request.budget.trials
        self._budget = state.request.budget.seconds
        left = None if self._budget is None else max(0.0, self._budget - self._elapsed())
        self._headline = headline(state, width, self._glyphs, outlook(state, left) if state.profile else None)
        self._share_of_trials = done / limit if limit else 0.0
        self._trials = f"{done} of {limit} trials" if limit else f"{done} trial{'s' * (done != 1)}"
        self._body = _body(state, width, height - LINES_AROUND, self._glyphs)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the picture with the time of now."""
        elapsed, budget = self._elapsed(), self._budget
        share = max(elapsed / budget if budget else 0.0, self._share_of_trials)
        left = f"{span(max(0.0, budget - elapsed))} left" if budget is not None else f"{span(elapsed)} used"
        text = f" {left} {self._glyphs.dot} {self._trials}"
        bar = max(4, options.max_width - len(text) - 1)
        yield self._headline
        grid = Text(no_wrap=True, overflow="crop")
        for segment in console.render(ProgressBar(total=1.0, completed=min(1.0, share), width=bar), options):
            grid.append(segment.text.rstrip("\n"), segment.style or "")
        grid.append(" " * (bar - grid.cell_len)).append(text, "dim")
        yield grid
        yield self._thought.headline(options.max_width - 1)
        yield self._body
        line = self._typed()
        if line is not None:
            yield typed_line(line, options.max_width - 1)


def typed_line(line: str, width: int) -> Text:
    """Return the end of the line that is being typed, with a cursor, in one line of the terminal."""
    text = Text(PROMPT, no_wrap=True, overflow="crop")
    text.append(end_of(line, max(1, width - cell_len(PROMPT) - 1)))
    return text.append(" ", "reverse")


def headline(state: RunState, width: int, glyphs: Glyphs, ahead: Outlook | None) -> Text:
    """Return, on one line, run, metric, the best score so far and the one expected in the end, and the baseline's."""
    metric, best, baseline = state.metric, state.best(), state.baseline()
    text = Text(no_wrap=True, overflow="crop")
    text.append(cut(state.run, max(8, width // 3), glyphs), "bold")
    if metric is not None:
        text.append(f" {glyphs.dot} {metric.name} ")
        text.append(f"best {number(best.value if best else None, 4, glyphs)}", "bold green")
        if ahead is not None and state.finishing is None:
            text.append(f" at the end {number(ahead.value, 4, glyphs)}")
            text.append(f" [{number(ahead.low, 4, glyphs)}{glyphs.to}{number(ahead.high, 4, glyphs)}]", "dim")
        if baseline is not None and baseline is not best:
            text.append(f" baseline {number(baseline.value, 4, glyphs)}", "dim")
    if state.finishing is not None:
        text.append(f" {glyphs.dot} finishing", "yellow")
    return text


def _body(state: RunState, width: int, height: int, glyphs: Glyphs) -> RenderableType:
    newest = next((t for t in reversed(state.ordered()) if t.status == "running" or t.rows), None)
    trials = len(state.trials)
    curves = _curve(newest, width, max(0, min(13, height - min(trials, 6) - 3)), glyphs) if newest else []
    taken = sum(1 if isinstance(part, str) else part[1] for part in curves)
    room = max(1, height - taken - 2)
    return Group(trials_table(state, width, room, glyphs), *[part[0] for part in curves])


def _curve(trial: Trial, width: int, height: int, glyphs: Glyphs) -> list[tuple[RenderableType, int]]:
    """Return the curves of a trial as parts, each with its number of lines."""
    curves = curves_of(trial)
    if curves.empty or height < 6:
        return []
    fold = f", fold {trial.rows[-1].fold + 1}" if trial.rows and trial.rows[-1].fold else ""
    title = Text(f"trial {trial.number} {plain(trial.model, 24)}{fold}  ", no_wrap=True, overflow="crop")
    title.append_text(legend(curves, glyphs))
    return [(Text(), 1), (title, 1), (chart(curves, width, height - 2, glyphs), height - 2)]


class LiveView:
    """A `rich.live.Live` that is drawn from events, at most some times a second, and never dearer than its share.

    Whoever prints above it holds `lock`. `keyboard` takes what is typed meanwhile.
    """

    def __init__(
        self,
        console: Console,
        glyphs: Glyphs,
        elapsed: Callable[[], float],
        thought: Thought | None = None,
        keyboard: SilentKeyboard | None = None,
    ) -> None:
        self._console = console
        self._thought, self._keyboard = thought or Thought(glyphs), keyboard or SilentKeyboard()
        self._picture = Picture(glyphs, elapsed, self._thought, self._keyboard.line)
        self._live = Live(self._picture, console=console, auto_refresh=False, transient=True, redirect_stdout=False,
                          redirect_stderr=False)  # fmt: skip
        self.lock = threading.RLock()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._repeat, name="live-view", daemon=True)
        self._next = 0.0

    def start(self, state: RunState) -> None:
        """Begin to show."""
        self._picture.draw(state, self._console.width, self._console.height - 1)
        self._keyboard.start()
        self._live.start(refresh=True)
        self._beat.start()

    def update(self, state: RunState, *, now: bool = False) -> None:
        """Show the state, unless the last picture is too young."""
        began = time.perf_counter()
        if began < self._next and not now:
            return
        self._picture.draw(state, self._console.width, self._console.height - 1)
        with self.lock:
            self._live.refresh()
        ended = time.perf_counter()
        self._next = ended + max(1 / REFRESHES_PER_SECOND, (ended - began) / SHARE_OF_A_CORE)

    def _repeat(self) -> None:
        """Repeat the picture, with the time of now, when something is typed and otherwise at every beat."""
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone: whoever prints next hears of it
            while not self._ended.is_set():
                self._keyboard.wait(THINKING_BEAT_SECONDS if self._thought.active else BEAT_SECONDS)
                with self.lock:
                    if not self._ended.is_set():
                        self._live.refresh()

    def stop(self) -> None:
        """Take the display away, and put the terminal back as it was."""
        self._ended.set()
        try:
            self._keyboard.rest()
            if self._beat.is_alive():  # it must not read the terminal any more when that is put back
                self._beat.join(1.0)
        finally:
            try:
                with self.lock:
                    self._live.stop()
            finally:
                self._keyboard.stop()
