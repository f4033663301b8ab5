"""The question before a training: yes, always, no, or an edit of the proposed hyperparameters in place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, TextIO, cast

from rich.console import Console, RenderableType
from rich.text import Text

from automl_gpt.agent.screen.curves import chart, curves_of, legend
from automl_gpt.agent.screen.text import Glyphs, plain
from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard, Range, Scalar
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial

APPROVAL = "Train? [y]es / [e]dit / [n]o / [a]lways"
ATTEMPTS = 3
CURVE_LINES = 8
Answer = Literal["yes", "edit", "no", "always"]
Edit = Callable[[int, Hyperparameters], Iterable[e.Event]]
"""Changes hyperparameters of a proposed trial; UserError or ToolError, with the legal range, where they don't fit."""

YES = ("y", "yes", "ja", "j", "oui", "o", "si", "s\u00ed", "s", "ok", "okay", "go", "/go")
EDIT = ("e", "edit", "bearbeiten", "editer", "\u00e9diter", "modifier", "editar")
ALWAYS = ("a", "always", "immer", "toujours", "siempre")


class Asked(Protocol):
    """Whoever is asked. `present` says that a human being reads the question."""

    present: bool

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        """Ask, with an answer that is begun already and can be changed; None for no answer."""
        ...


class Shows(Protocol):
    """The screen, as far as the question needs it."""

    glyphs: Glyphs

    @property
    def width(self) -> int:
        """Cells in a line."""
        ...

    def show(self, event: e.Event, state: RunState) -> None:
        """Show an event."""
        ...

    def show_plan(self, state: RunState) -> None:
        """Show what would be trained first."""
        ...

    def print(self, what: RenderableType = "", whole: bool = False) -> None:
        """Print."""
        ...

    def error(self, problem: object) -> None:
        """Print one red line."""
        ...


def read_answer(text: str | None) -> Answer:
    """Return what an answer means, in English, German, French or Spanish; whatever is not understood is a no."""
    word = (text or "").strip().strip("!.").casefold()
    return "yes" if word in YES else "edit" if word in EDIT else "always" if word in ALWAYS else "no"


def is_yes(answer: str | None) -> bool:
    """Say whether an answer is a yes."""
    return read_answer(answer) in ("yes", "always")


def approval(screen: Shows, state: RunState, person: Asked, edit: Edit) -> Literal["yes", "no", "always"]:
    """Show the plan and ask whether to train, again after each edit of it; no answer is a no."""
    screen.show_plan(state)
    while True:
        answer = read_answer(person.ask(APPROVAL))
        if answer != "edit":
            return answer
        number = _edited(screen, state, person, edit)
        if number is not None:
            screen.show_plan(state)
            _show_curve(screen, state.trials[number])


def _edited(screen: Shows, state: RunState, person: Asked, edit: Edit) -> int | None:
    """Ask for other hyperparameters, at most some times; return the number of the new trial, None for none."""
    waiting = {trial.number: trial for trial in state.waiting()}
    if not waiting:
        screen.error("no trial waits for its training: there is nothing to edit")
        return None
    number, begun = _which(person, waiting), ""
    for _ in range(ATTEMPTS):
        try:
            text = _hyperparameters(person, waiting, number, begun)
            if text is None:
                return None
            begun = text if person.present else ""
            trial, text = _take_number(text, waiting, number)
            wanted = changes(state.model_cards[trial.model], trial.hyperparameters, text)
            if not wanted:
                screen.print(Text(f"trial {trial.number} stays as it is", style="dim"))
                return None
            return _put(screen, state, edit, trial, wanted)
        except (UserError, ToolError) as error:
            screen.error(error)
    return None


def _which(person: Asked, waiting: Mapping[int, Trial]) -> int:
    """Ask which trial; through a pipe its number stands before the hyperparameters."""
    real = [number for number, trial in waiting.items() if trial.model != TRIVIAL]
    default = (real or list(waiting))[0]
    if not person.present:
        return default
    answer = (person.ask(f"trial to edit [{default}]:", map(str, waiting)) or "").strip().lstrip("#")
    return int(answer) if answer.isdecimal() and int(answer) in waiting else default


def _hyperparameters(person: Asked, waiting: Mapping[int, Trial], number: int, begun: str) -> str | None:
    if not person.present:
        return person.ask("hyperparameters (N name=value ...):")
    trial = waiting[number]
    return person.ask(f"trial {number} {trial.model}:", (), begun or assignments(trial.hyperparameters))


def _take_number(text: str, waiting: Mapping[int, Trial], default: int) -> tuple[Trial, str]:
    """Return the trial that an answer names, by default that one, and the rest of the answer."""
    match = re.match(r"\s*#?(\d{1,9})(?:\s+|$)", text)
    if match is None:
        return waiting[default], text
    number = int(match.group(1))
    if number not in waiting:
        raise UserError(f"trial {number} does not wait for its training; there are: {', '.join(map(str, waiting))}")
    return waiting[number], text[match.end() :]


def _put(screen: Shows, state: RunState, edit: Edit, trial: Trial, wanted: Hyperparameters) -> int:
    known = set(state.trials)
    for event in edit(trial.number, wanted):
        screen.show(event, state)
    return max(set(state.trials) - known, default=trial.number)


def _show_curve(screen: Shows, trial: Trial) -> None:
    curves = curves_of(trial)
    if curves.empty:
        return
    screen.print()
    screen.print(Text(f"trial {trial.number} {plain(trial.model, 24)}  ").append_text(legend(curves, screen.glyphs)))
    screen.print(chart(curves, screen.width, CURVE_LINES, screen.glyphs))


class ThisConsole:
    """Asks on the console itself; a begun answer is edited in place."""

    present = True

    def __init__(self, console: Console) -> None:
        self._console = console

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        """Ask on a line of its own; Ctrl-D is no answer."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.output import create_output

        try:
            if not (begun or choices):
                return self._console.input(Text(f"{plain(question)} "))
            output = create_output(cast(TextIO, self._console.file))
            asking: PromptSession[str] = PromptSession(output=output, completer=WordCompleter(list(choices)))
            return asking.prompt(f"{plain(question)} ", default=begun)
        except EOFError:
            return None


# ------------------------------------------------------------------------------------------- hyperparameters as text


def assignments(values: Hyperparameters) -> str:
    """Return hyperparameters as they are edited: name=value name=value."""
    return " ".join(f"{name}={_shown(value)}" for name, value in values.items())


def _shown(value: Scalar) -> str:
    return f"{value:.6g}" if isinstance(value, float) else shlex.quote(str(value))


def changes(card: ModelCard, before: Hyperparameters, text: str) -> Hyperparameters:
    """Return the values that a text names and that differ from those before.

    UserError for what is no name=value, for a name that the card lacks, and for a value of the wrong type.
    """
    given: Hyperparameters = {}
    for word in _words(text):
        name, sign, value = word.rstrip(",").partition("=")
        if not sign:
            raise UserError(f"{word[:60]!r} is no name=value, such as {assignments(before).split(' ')[0] or 'depth=6'}")
        if name not in card.search_space:
            raise UserError(f"{card.name} has no hyperparameter {name[:60]!r}; it has: {', '.join(card.search_space)}")
        if name not in before or value != shlex.split(_shown(before[name]))[0]:
            given[name] = _value(card, name, value)
    return {name: value for name, value in given.items() if name not in before or value != before[name]}


def _words(text: str) -> list[str]:
    joined = re.sub(r"\s*=\s*", "=", text)
    try:
        return shlex.split(joined)
    except ValueError:
        return joined.split()


def _value(card: ModelCard, name: str, text: str) -> Scalar:
    """Return a value of the type that the card asks for; whether it lies in the range is checked later."""
    space: Range = card.search_space[name]
    try:
        if space.type == "float":
            return float(text)
        if space.type == "int":
            return int(text)
    except ValueError:
        pass
    else:
        for choice in space.choices:
            if str(choice).casefold() == text.casefold():
                return choice
    raise UserError(f"{card.name}: {name} = {text[:60]!r} is not legal; legal: {space.legal()}")
