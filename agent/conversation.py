"""A conversation: a session, the screen that shows it, the person who is asked, and what was changed last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from automl_gpt.agent.screen import Screen
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import home
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session


class Person(Protocol):
    """Whoever types: at a terminal, or through a pipe. `present` says that a question reaches a human being."""

    present: bool

    def read(self) -> str | None:
        """Return the next message, of one or many lines; None at the end. KeyboardInterrupt for a Ctrl-C."""
        ...

    def ask(self, question: str, choices: Iterable[str] = ()) -> str | None:
        """Ask, and return the answer; None for none."""
        ...


class Conversation:
    """What the commands of the chat work on."""

    def __init__(self, session: Session, console: Console, person: Person) -> None:
        self.session, self.person = session, person
        self.screen = Screen(console, live=True, elapsed=session.elapsed, chat=True)
        self.leaving = False
        self.exit_code = 0
        self._changes: list[e.Request] = []

    @property
    def state(self) -> RunState | None:
        """The current run's state."""
        return self.session.state

    def say(self, text: str = "", style: str = "") -> None:
        """Print some words; they may be foreign."""
        from rich.text import Text

        self.screen.print(Text(plain(text), style=style))

    def show(self, events: Iterable[e.Event]) -> None:
        """Show events as they come."""
        for event in events:
            self.screen.show(event, self.session.need_state())

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
