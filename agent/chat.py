"""The interactive session: reads what a person types, and carries it out, until they leave.

A line with a slash is a command, a name or a file is data, a pasted card is taken as it is; other words are answered by
the language model that controls the run, or understood as far as fixed rules can. Nothing that a person does wrong ends
the chat.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app_or_none
from rich.console import Console

from automl_gpt.agent.commands import carry_out, data_card_names, explain
from automl_gpt.agent.commands import wishes as wish
from automl_gpt.agent.commands.command import is_file, is_folder
from automl_gpt.agent.conversation import Conversation, Person
from automl_gpt.agent.person import Pipe, Terminal
from automl_gpt.agent.screen.keyboard import SilentKeyboard
from automl_gpt.agent.talking.replying import Replying
from automl_gpt.agent.words.understand import Intent, understand
from automl_gpt.cards.errors import BudgetError, ToolError, UserError
from automl_gpt.cards.reader import parse_model_card
from automl_gpt.tools.corpus.recognise import obvious
from automl_gpt.tools.evaluate.metrics import METRICS

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session

WRONG, NOTHING, INTERRUPTED = 2, 3, 130
CARD_TEXT = re.compile(r"^\s*(source|target|search_space|trainer)\s*:", re.MULTILINE)
FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)


def chat(session: Session, console: Console, cards: Sequence[str]) -> int:
    """Talk with a person until they leave, and return the exit code.

    `cards` are read first. Where standard input is no terminal, every line is carried out in turn, and the exit code is
    that of the last problem (2, or 3 where no trial finished).
    """
    person: Person
    if sys.stdin.isatty() and console.is_terminal:
        person = Terminal(session, console)
    else:
        person = Pipe(sys.stdin, lambda text: console.print(text, soft_wrap=True, highlight=False))
    talk = Conversation(session, console, person)
    with _ends_in_order(), talk.screen:
        return converse(talk, cards)


@contextlib.contextmanager
def _ends_in_order() -> Generator[None]:
    """Let a request of the system to end leave a sound terminal behind, whatever is going on; exit code 130."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        asking, end = get_app_or_none(), SystemExit(INTERRUPTED)
        if asking is None or not asking.is_running:
            raise end
        asking.exit(exception=end)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def converse(talk: Conversation, cards: Sequence[str] = ()) -> int:
    """Carry out message after message; return the exit code."""
    talk.hear = lambda message: attempt(talk, message)
    replying = Replying(talk, lambda words: _by_rules(talk, words, noted=True))
    talk.converse, talk.meanwhile = replying.answer, lambda: _shielded(talk, replying.go_on)
    talk.say("AutoML-GPT: name a card, a file or a folder; /help for more", "dim")
    try:
        return _until_they_leave(talk, replying, cards)
    finally:
        talk.screen.close()
        _farewell(talk)


def _until_they_leave(talk: Conversation, replying: Replying, cards: Sequence[str]) -> int:
    for name in cards:
        attempt(talk, f"/data {quote(name)}")
    if not talk.person.present:
        talk.session.warm_up()
    while not talk.leaving:
        try:
            message = talk.next_message()
        except KeyboardInterrupt:
            if not talk.person.present:
                return INTERRUPTED
            talk.say("Ctrl-D or /quit leaves", "dim")
            continue
        if message is None:
            break
        with SilentKeyboard():  # what is typed meanwhile comes with the next prompt, and only there
            attempt(talk, message)
            _shielded(talk, replying.finish)
    return talk.exit_code


def attempt(talk: Conversation, message: str) -> None:
    """Carry out one message; what a person can mend is one red line."""
    _shielded(talk, lambda: answer(talk, message.strip()))


def _shielded(talk: Conversation, do: Callable[[], object]) -> None:
    """Do something such that no error and no Ctrl-C ends the chat."""
    try:
        do()
    except (UserError, ToolError) as error:
        _problem(talk, error, WRONG)
    except BudgetError as error:
        _problem(talk, error, NOTHING)
    except KeyboardInterrupt:
        if talk.training:
            raise
        talk.screen.close()
        talk.say("stopped", "yellow")
        if not talk.person.present:
            talk.exit_code, talk.leaving = INTERRUPTED, True


def _problem(talk: Conversation, error: Exception, code: int) -> None:
    if not talk.training:
        talk.screen.close()
    talk.screen.error(error)
    if not talk.person.present:
        talk.exit_code = code


def answer(talk: Conversation, message: str) -> None:
    """Find out what a message is, and act on it."""
    if not message:
        return
    if message.startswith("/") and not is_file(message) and not _names_folder(message):
        carry_out(talk, " ".join(message.splitlines()))
    elif CARD_TEXT.search(message) and ("\n" in message or ":" in message.split(" ", maxsplit=1)[0]):
        _take_card(talk, FENCE.sub("", message))
    elif message in data_card_names() or is_file(message) or _names_folder(message):
        carry_out(talk, f"/data {quote(message)}")
    else:
        _plain_words(talk, message)


def _names_folder(message: str) -> bool:
    """Say whether a message is a folder: written as a path, or a word that is called like a folder of pictures."""
    if not is_folder(message):
        return False
    written = re.search(r".[/\\]|^~", message) is not None
    return written or (not message.startswith("/") and obvious(Path(message)) is not None)


def _take_card(talk: Conversation, text: str) -> None:
    if re.search(r"^\s*(search_space|trainer)\s*:", text, re.MULTILINE):
        card = parse_model_card(text)
        talk.session.desk.add(card)
        wish.took(talk, card)
    elif talk.training:
        raise UserError("other data: stop first: Ctrl-C")
    else:
        wish.took(talk, talk.session.paste(text))


def _plain_words(talk: Conversation, message: str) -> None:
    if talk.converse is None or not talk.converse(message):
        _by_rules(talk, message)


def _by_rules(talk: Conversation, message: str, noted: bool = False) -> None:
    """Understand words as far as fixed rules can, and act on them; `noted`: they stand in the journal already."""
    session = talk.session
    cards = session.candidates()
    intents = understand(message, talk.state, [card.name for card in cards], list(METRICS), cards)
    understood = "; ".join(intent.words() for intent in intents)
    if not noted:
        session.said(message[:2000], understood)
    if not intents:
        explain(talk)
        return
    if len(intents) > 1 or intents[0].kind in ("metric", "seconds", "trials", "models", "limit"):
        talk.say(f"understood: {understood}", "dim")
    for intent in intents:
        _act(talk, intent)


def _act(talk: Conversation, intent: Intent) -> None:
    budget = talk.session.request.budget
    match intent.kind:
        case "metric":
            talk.change(metric=intent.name)
        case "seconds":
            talk.change(budget=budget.model_copy(update={"seconds": intent.amount}))
        case "trials":
            talk.change(budget=budget.model_copy(update={"trials": int(intent.amount)}))
        case "models":
            talk.change(models=intent.models)
        case "limit":
            talk.change(**intent.wishes.fields(talk.session.request))
        case "data":
            carry_out(talk, f"/data {quote(intent.file)}")
        case "predict":
            carry_out(talk, f"/predict {quote(intent.file)}" + (f" {quote(intent.out)}" if intent.out else ""))
        case "stop":
            _stop(talk)
        case "table":
            carry_out(talk, "/trials")
        case _:
            carry_out(talk, f"/{intent.kind} {intent.number or ''}")


def _stop(talk: Conversation) -> None:
    if talk.training:
        talk.session.stop("by the person")
    else:
        talk.say("nothing is training; while something is, Ctrl-C stops it", "dim")


def _farewell(talk: Conversation) -> None:
    state = talk.state
    if state is not None and state.finished is None and state.approved:
        talk.say(f"run {state.run} is kept: automl-gpt resume {state.run}", "dim")
