"""How a person's words arrive: at a terminal, with history, completion and pasting, or through a pipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from prompt_toolkit import Application, PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from rich.console import Console
from rich.text import Text

from automl_gpt.agent.completion import ChoiceCompleter, CommandCompleter
from automl_gpt.agent.screen.budgets import budget_words
from automl_gpt.agent.screen.keyboard import PROMPT
from automl_gpt.agent.screen.text import cut, glyphs_for, number, plain
from automl_gpt.tools.base import home
from automl_gpt.tools.journal.redact import redact

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session

CARD_LINE = re.compile(r"^(name|description|modality|task|source|target|trainer):(\s|$)")


class KeptHistory(FileHistory):
    """A history in a file; where the file can't be written it goes on in memory, and `problem` says why."""

    problem = ""

    def store_string(self, string: str) -> None:
        """Append what was typed, without keys and passwords."""
        if self.problem:
            return
        try:
            super().store_string(redact(string))
        except OSError as error:
            self.problem = error.strerror or str(error)


def open_history(file: Path) -> History:
    """Return the history of a file that only its owner can read, or one in memory where there can be no such file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with file.open("ab"):
            return KeptHistory(str(file))
    except OSError:
        return InMemoryHistory()


class Terminal:
    """A person at a terminal. `begun` is what was typed of the next message already."""

    present = True

    def __init__(self, session: Session, console: Console) -> None:
        self._session, self._console = session, console
        self.begun = ""
        self._glyphs = glyphs_for(console)
        self._prompt: PromptSession[str] = PromptSession(
            history=open_history(home() / "history"),
            completer=CommandCompleter(session),
            complete_while_typing=False,
            complete_in_thread=True,
            bottom_toolbar=self._toolbar,
            reserve_space_for_menu=6,
        )
        self._prompt.app.after_render += self._warm_up

    def _warm_up(self, app: Application[str]) -> None:
        """Start what trains once the first prompt stands, so that it does not wait for it."""
        app.after_render -= self._warm_up
        self._session.warm_up()

    def read(self) -> str | None:
        """Return the next message; a paste of several lines is one message."""
        begun, self.begun = self.begun, ""
        try:
            return self._prompt.prompt(PROMPT, default=begun)
        except EOFError:
            return None

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        """Ask on a line of its own, which the history does not keep; Ctrl-C and Ctrl-D are no answer."""
        asking: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), completer=ChoiceCompleter(choices), complete_while_typing=False
        )
        try:
            return asking.prompt(plain(question) + " ", default=begun)
        except (EOFError, KeyboardInterrupt):
            return None

    def _toolbar(self) -> str:
        return cut(toolbar(self._session), max(10, self._console.width - 1), self._glyphs)


def toolbar(session: Session) -> str:
    """Return run or data, metric, budget and best score on one line."""
    state = session.state
    if state is None:
        card = session.data_card
        data = (card.name or str(card.source)) if card else "no data yet: /data CARD or FILE"
        wanted = session.request
        decides = f" | {wanted.controller}" if wanted.controller != "builtin" else ""
        return f"{data} | metric {wanted.metric or 'auto'} | budget {budget_words(wanted.budget)}{decides} | /help"
    best = state.best() if state.metric else None
    parts = [state.run, state.metric.name if state.metric else "", f"budget {budget_words(state.request.budget)}"]
    parts += [f"best {number(best.value)}"] if best else []
    parts += ["finished"] if state.finished else []
    parts += [session.controller] if session.controller != "builtin" else []
    return " | ".join(filter(None, parts))


class Pipe:
    """A person, or a program, that sends lines. Each one is repeated, so that the output can be read by itself."""

    present = False
    begun = ""

    def __init__(self, stream: TextIO, echo: Callable[[Text], None]) -> None:
        self._stream, self._echo = stream, echo
        self._ahead: list[str] = []

    def read(self) -> str | None:
        """Return the next message: a line, or the lines of a pasted card up to an empty line or a command."""
        line = self._line()
        if line is None:
            return None
        message = [line]
        while CARD_LINE.match(message[0]):
            more = self._line()
            if more is None or not more.strip():
                break
            if more.startswith("/"):
                self._ahead.append(more)
                break
            message.append(more)
        text = "\n".join(message)
        if text.strip():
            self._echo(Text(f"{PROMPT}{plain(text)}", style="dim"))
        return text

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        """Take the next line as the answer; None at the end. Nothing of it can be begun, or completed."""
        del choices, begun
        answer = self._line()
        self._echo(Text(f"{plain(question)} {plain(answer) if answer is not None else '(no answer)'}"))
        return answer

    def _line(self) -> str | None:
        if self._ahead:
            return self._ahead.pop()
        line = self._stream.readline()
        return line.rstrip("\r\n") if line else None
