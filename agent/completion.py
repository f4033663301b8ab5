"""What Tab offers: commands, then what fits the command: cards, files, metrics, models, runs, trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from automl_gpt.agent.commands import COMMANDS, Command
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session


class CommandCompleter(Completer):
    """Completes a line that begins with a slash. Lines of plain words are left alone."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Offer what may stand where the cursor is."""
        text = document.text_before_cursor.lstrip()
        if not text.startswith("/"):
            return
        name, blank, rest = text[1:].partition(" ")
        if not blank:
            yield from _commands(name)
            return
        command = next((c for c in COMMANDS if c.name == name), None)
        if command is None:
            return
        yield from self._words(command, rest)
        if command.paths:
            yield from self._paths.get_completions(Document(rest.split(" ")[-1]), complete_event)

    def _words(self, command: Command, rest: str) -> Iterable[Completion]:
        """Offer the command's own words, by the word that is being typed or by all that was typed."""
        try:
            offered = list(command.complete(self._session))
        except UserError:
            return
        last = rest.rsplit(" ", maxsplit=1)[-1]
        for word in map(plain, offered):
            typed = rest if " " in word else last
            if word.startswith(typed):
                yield Completion(word, start_position=-len(typed))


def _commands(begun: str) -> Iterable[Completion]:
    for command in COMMANDS:
        if command.name.startswith(begun):
            yield Completion(
                f"/{command.name}",
                start_position=-len(begun) - 1,
                display_meta=f"{command.arguments}  {command.help}".strip(),
            )


class ChoiceCompleter(Completer):
    """Completes the whole answer to a question from a few choices."""

    def __init__(self, choices: Iterable[str]) -> None:
        self._choices = [plain(choice) for choice in choices]

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Offer the choices that begin with what is typed."""
        del complete_event
        text = document.text_before_cursor
        for choice in self._choices:
            if choice.casefold().startswith(text.casefold()):
                yield Completion(choice, start_position=-len(text))
