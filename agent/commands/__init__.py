"""The slash commands of the chat: one table, from which /help, the completion and the dispatch derive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from automl_gpt.agent.commands import controlling, limits, looking, reasons, running, spending, wishes
from automl_gpt.agent.commands.command import Command
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.decisions import DECISIONS
from automl_gpt.agent.llm.plug import providers
from automl_gpt.agent.screen.panels import facts
from automl_gpt.agent.words.vocabulary import EXAMPLES
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.cards.library import shipped_card_files
from automl_gpt.tools.base import home
from automl_gpt.tools.evaluate.metrics import METRICS, fitting

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session

__all__ = ["COMMANDS", "Command", "carry_out", "data_card_names"]


def data_card_names(_session: Session | None = None) -> list[str]:
    """Return the names under which Data Cards are found, without opening any."""
    own = home() / "cards"
    files = [file for file in shipped_card_files() if file.parent.name == "data"]
    files += sorted(own.glob("*.y*ml")) if own.is_dir() else []
    return list(dict.fromkeys(file.stem for file in files))


def _metrics(session: Session) -> Iterable[str]:
    profile = session.state.profile if session.state else None
    return fitting(profile.task) if profile else METRICS


def _models(session: Session) -> Iterable[str]:
    return ["all", *(card.name for card in session.candidates())]


def _trials(session: Session) -> Iterable[str]:
    return [str(number) for number in sorted(session.state.trials)] if session.state else ()


def _runs(session: Session) -> Iterable[str]:
    return [run.run for run in session.journal.runs(looking.RUNS_SHOWN)]


def _budgets(_session: Session) -> Iterable[str]:
    return ("1m", "10m", "1h", "10 trials", "30 trials", "50000 tokens", "0.50 USD", "none")


def _decisions(_session: Session) -> Iterable[str]:
    return [*(name.split("_")[0] for name in DECISIONS), "sent"]


def _controllers(_session: Session) -> Iterable[str]:
    return ["builtin", *(f"{name}:" for name in providers())]


def _parameters(session: Session) -> Iterable[str]:
    names = dict.fromkeys(name for card in session.candidates() for name in card.search_space)
    return ["none", "size", "speed", *names, *(card.name for card in session.candidates())]


def _names(_session: Session) -> Iterable[str]:
    return [command.name for command in COMMANDS]


def _help(chat: Conversation, rest: str) -> None:
    wanted = rest.strip().lstrip("/")
    if wanted:
        command = find(wanted)
        chat.screen.print(facts([(f"/{command.name} {command.arguments}".rstrip(), command.help)]))
        return
    chat.screen.print(facts([(f"/{c.name} {c.arguments}".rstrip(), c.help) for c in COMMANDS]))
    chat.screen.print()
    explain(chat)


def explain(chat: Conversation) -> None:
    """Say honestly what plain words can do."""
    name = chat.session.controller
    if name != "builtin" and chat.converse is not None:
        chat.say(f"Without a slash, just write what you want, in any language: {name} reads it. For example:")
        chat.screen.print(facts(list(TALK)))
        chat.say(
            "It looks things up as it likes, and asks before it spends. /prompt sent shows what it was sent.", "dim"
        )
        return
    chat.say("The built-in controller is no language model. Without a slash it understands:")
    chat.screen.print(facts(list(EXAMPLES)))


def _quit(chat: Conversation, _rest: str) -> None:
    chat.leaving = True


TALK = (
    ("a question", "why did trial 7 overfit? which columns matter?"),
    ("a wish", "smaller learning rates; only models under 1 MB"),
    ("a task", "train the forest on all rows; predict new.csv"),
)
"""What a person can write where a language model reads it, each with examples."""

COMMANDS: tuple[Command, ...] = (
    Command("help", "[COMMAND]", "what can be said", _help, _names),
    Command(
        "data",
        "[CARD or FILE [COLUMN]]",
        "choose the data, or show them",
        wishes.data,
        data_card_names,
        paths=True,
        alone=True,
    ),
    Command("models", "", "the candidate models", looking.models),
    Command("metric", "[NAME]", "set or show the metric", wishes.metric, _metrics),
    Command(
        "budget",
        "[10m] [30 trials] [0.50 USD]",
        "set or show the budget: time, trials, tokens, money",
        spending.budget,
        _budgets,
    ),
    Command("model", "[NAME ...]", "consider only these models; all: every one that fits", wishes.model, _models),
    Command("limit", "[NAME RANGE]", "narrow a hyperparameter, or the model's size", limits.limit, _parameters),
    Command(
        "controller",
        "[NAME]",
        "who decides: builtin, openai:MODEL, PROVIDER:MODEL",
        controlling.controller,
        _controllers,
    ),
    Command("plan", "", "decide what is trained first, with predicted logs", running.plan, alone=True),
    Command(
        "prompt", "[DECISION or sent [N]]", "what a controller reads, or what was sent", looking.prompt, _decisions
    ),
    Command("go", "", "train, after one question; Ctrl-C stops", running.go, alone=True),
    Command("finish", "", "deliver the best of what is trained so far", running.finish),
    Command("trials", "", "the table of trials", looking.trials),
    Command("show", "[N]", "one trial, or the run", looking.show, _trials),
    Command("compare", "[N]", "predicted and actual log of a trial, side by side", looking.compare, _trials),
    Command("why", "[N]", "who decided what last and why, or of a trial", reasons.why, _trials),
    Command("cost", "", "time, tokens and money used, and what is left", controlling.cost),
    Command("undo", "", "take back the last change, or proposals not trained yet", wishes.undo),
    Command("predict", "FILE [OUT]", "use the model on new rows", running.predict, paths=True, alone=True),
    Command("report", "", "write the HTML report", looking.report, alone=True),
    Command("runs", "", "the newest runs", looking.runs),
    Command("resume", "[RUN]", "go on with an earlier run", running.resume, _runs, alone=True),
    Command(
        "replay", "[RUN]", "repeat a run's decisions from its answers, offline", controlling.replay, _runs, alone=True
    ),
    Command("quit", "", "leave; what was trained is kept", _quit, alone=True),
)
_BY_NAME = {command.name: command for command in COMMANDS}
_OTHER_NAMES = {"exit": "quit", "q": "quit", "?": "help", "h": "help", "train": "go", "continue": "go"}


def find(name: str) -> Command:
    """Return a command by its name or an unmistakable beginning of it; UserError with the nearest ones otherwise."""
    name = _OTHER_NAMES.get(name, name)
    if name in _BY_NAME:
        return _BY_NAME[name]
    begun = [known for known in _BY_NAME if name and known.startswith(name)]
    if len(begun) == 1:
        return _BY_NAME[begun[0]]
    close = begun or nearest(name, list(_BY_NAME), limit=2)
    hint = f"did you mean {' or '.join('/' + known for known in close)}?" if close else "/help lists them"
    raise UserError(f"there is no command /{name[:60]}; {hint}")


def carry_out(chat: Conversation, line: str) -> None:
    """Carry out a line that begins with a slash."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = find(name.casefold())
    if command.alone and chat.training:
        raise UserError(f"/{command.name} has to wait while a run trains; stop first: Ctrl-C")
    command.run(chat, rest.strip())
