"""What a command of the chat is, and how its words are taken apart."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_gpt.agent.conversation import Conversation
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.state import RunState, Trial

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session


def nothing(_session: Session) -> Iterable[str]:
    """Offer nothing to complete."""
    return ()


@dataclass(frozen=True)
class Command:
    """One slash command: its name without the slash, its arguments and its purpose as /help shows them.

    `run` gets what stands after the name. `complete` offers words for the arguments; `paths` adds those of files.
    `alone` marks what can't be done while a run trains.
    """

    name: str
    arguments: str
    help: str
    run: Callable[[Conversation, str], None]
    complete: Callable[[Session], Iterable[str]] = nothing
    paths: bool = False
    alone: bool = False


def split(rest: str) -> list[str]:
    """Take arguments apart as a shell does; quotes keep blanks together."""
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def is_file(name: str) -> bool:
    """Say whether a text, whatever it holds, is the path of a file."""
    try:
        return "\n" not in name and Path(name).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def is_folder(name: str) -> bool:
    """Say whether a text, whatever it holds, is the path of a folder."""
    try:
        return "\n" not in name and bool(name.strip()) and Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


@contextlib.contextmanager
def reading(name: str) -> Generator[None]:
    """Turn what the system says of a path that a person named into one line."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or name)
        raise UserError(f"{named if len(named) <= 300 else named[:60] + '...'}: {error.strerror or error}") from error


def number_in(rest: str) -> int | None:
    """Return the number of a trial, written as 3, #3 or trial 3; None for nothing at all."""
    if not rest.strip():
        return None
    match = re.fullmatch(r"(?:trial\s*)?#?(\d{1,9})", rest.strip(), re.IGNORECASE)
    if match is None:
        raise UserError(f"{rest.strip()!r} is no number of a trial: /trials lists them")
    return int(match.group(1))


def need_trial(state: RunState, number: int) -> Trial:
    """Return a trial of the run; UserError, with those that there are, where it is none."""
    if number in state.trials:
        return state.trials[number]
    there = f"1 to {max(state.trials)}" if state.trials else "none so far"
    raise UserError(f"there is no trial {number}; trials: {there}")
