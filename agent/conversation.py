"""A conversation: a session, the screen that shows it, the person who is asked, and what was changed last."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from automl_gpt.agent.screen import Screen, approval, read_answer
from automl_gpt.agent.screen.keyboard import PROMPT
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import home
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session


class Person(Protocol):
    """Whoever types: at a terminal, or through a pipe. `present` says that a question reaches a human being.

    `begun` is what was typed of the next message already.
    """

    present: bool
    begun: str

    def read(self) -> str | None:
        """Return the next message, of one or many lines; None at the end. KeyboardInterrupt for a Ctrl-C."""
        ...

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        """Ask, and return the answer, which may be begun; None for none."""
        ...


class Conversation:
    """What the commands of the chat work on.

    `hear` carries out a message. `converse` lets a language model answer a person's words, and says whether it does;
    without it fixed rules do. `meanwhile` goes on with an answer while something trains. `always` is set where the
    person allows all that costs something in this session, `training` while a run trains.
    """

    def __init__(self, session: Session, console: Console, person: Person) -> None:
        self.session, self.person = session, person
        self.screen = Screen(console, live=True, chat=True).over(session)
        session.on_text, session.on_idle = self._heard, self._idle
        self.hear: Callable[[str], None] | None = None
        self.converse: Callable[[str], bool] | None = None
        self.meanwhile: Callable[[], None] | None = None
        self.always = self.training = self.leaving = False
        self.exit_code = 0
        self._ahead: list[str] = []
        self._hearing = False
        self._changes: list[e.Request] = []

    @property
    def state(self) -> RunState | None:
        """The current run's state."""
        return self.session.state

    # ------------------------------------------------------------------------------------------- what the person types

    def next_message(self) -> str | None:
        """Return the next message: one that was entered while something trained, else what is typed now; None: none."""
        self.screen.close()
        if not self._ahead:
            return self.person.read()
        self._echo(self._ahead[0])
        return self._ahead.pop(0)

    @contextlib.contextmanager
    def busy(self) -> Generator[None]:
        """Let the person type while something trains; what was not heard of it by the end comes next."""
        self.training = True
        try:
            yield
        finally:
            self.training = False
            self.screen.close()
            self._ahead += [line for line in self.screen.typed() if line.strip()]
            self.person.begun = self.screen.stage.unfinished()

    def between(self) -> None:
        """Carry out what was entered below the live view: between two events, or while a language model thinks."""
        if self._hearing or self.hear is None:
            return
        self._hearing = True
        try:
            for line in filter(str.strip, self.screen.typed()):
                self._echo(line)
                self.hear(line)
            if self.meanwhile is not None:
                self.meanwhile()
        finally:
            self._hearing = False

    def _heard(self, who: str, text: str) -> None:
        """Show what a language model says while it says it, and hear the person meanwhile."""
        self.screen.thinking(who, text)
        if self.training and text:
            self.between()

    def _idle(self) -> None:
        """Hear the person while a run waits."""
        if self.training:
            self.between()

    def _echo(self, line: str) -> None:
        self.say(f"{PROMPT}{line}", "dim")

    def approved(self, state: RunState) -> bool:
        """Ask whether the plan is trained, unless the person said always; it can be edited first."""
        if self.always:
            return True
        answer = approval(self.screen, state, self.person, self.session.edit)
        self.always = answer == "always"
        return answer != "no"

    def allows(self, what: str) -> bool:
        """Ask whether something may be done that costs time or changes files, unless the person said always."""
        if self.always:
            return True
        with self.screen.aside():
            answer = read_answer(self.person.ask(f"{what} [y]es / [n]o / [a]lways"))
        self.always = answer == "always"
        return answer in ("yes", "always")

    # --------------------------------------------------------------------------------------------- what they are told

    def say(self, text: str = "", style: str = "") -> None:
        """Print some words; they may be foreign."""
        from rich.text import Text

        self.screen.print(Text(plain(text), style=style))

    def show(self, events: Iterable[e.Event]) -> None:
        """Show events as they come."""
        for event in events:
            self.screen.show(event, self.session.need_state())

    # ------------------------------------------------------------------------------------------------- what they want

    def need_card(self) -> DataCard:
        """Return the Data Card; UserError where there is none yet."""
        if self.session.data_card is None:
            raise UserError("there are no data yet: /data CARD or FILE names them")
        return self.session.data_card

    def change(self, **fields: Any) -> None:
        """Change the request, so that /undo can take the change back."""
        before = self.session.request
        self.session.change(**fields)
        self._changes.append(before)

    def remember(self, before: e.Request) -> None:
        """Let /undo take back what was changed of the request since `before`."""
        if self.session.request != before:
            self._changes.append(before)

    def take_back(self) -> str | None:
        """Undo the last change of the request and say which fields it was; None where there is none left."""
        if not self._changes:
            return None
        before, now = self._changes[-1], self.session.request
        fields = {name: getattr(before, name) for name in e.Request.model_fields}
        changed = [name for name, value in fields.items() if value != getattr(now, name)]
        self.session.change(**{name: fields[name] for name in changed})
        self._changes.pop()
        return f"took back the change of {', '.join(changed)}" if changed else "nothing had changed"

    def settle(self) -> None:
        """What was changed so far is acted upon now: it can't be undone any more."""
        self._changes.clear()

    def cards_folder(self) -> Path:
        """Return the folder of the person's own cards."""
        return home() / "cards"
