"""The commands. The only place where objects are wired together; each command imports what it needs when it runs,

so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from automl_gpt.cards.errors import BudgetError, ToolError, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from automl_gpt.tools.journal.store import Journal

WRONG, NOTHING, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="automl-gpt",
    help="Data Cards in, trusted models out: every training log is predicted before it is trained.",
    invoke_without_command=True,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cards_app = typer.Typer(help="List, show, check and write Data Cards and Model Cards.", rich_markup_mode=None)
app.add_typer(cards_app, name="cards")
experience_app = typer.Typer(
    help="Finished trials that later runs learn from: list, export, import, forget.", rich_markup_mode=None
)
app.add_typer(experience_app, name="experience")

Cards = Annotated[list[str], typer.Argument(metavar="CARD...", help="Data Card (and Model Cards): files or names.")]
CONTROLLER_HELP = "Who decides: builtin, openai:MODEL (any compatible server by OPENAI_BASE_URL), PROVIDER:MODEL."
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout; prose goes to stderr.")]
ExportForm = Literal["hf", "onnx"]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, or a unique beginning of it; without one, the last run.")
]


@app.callback()
def bare(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """Open the chat where no command is given."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("automl-gpt"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        chat([])


@app.command()
def chat(
    cards: Annotated[
        list[str] | None, typer.Argument(metavar="[CARD...]", help="Cards, or data: a file or folder.")
    ] = None,
    controller: Annotated[str, typer.Option(metavar="NAME", help=CONTROLLER_HELP)] = "builtin",
) -> None:
    """The interactive session."""
    from automl_gpt.agent.chat import chat as talk
    from automl_gpt.agent.session import Session

    with Session(_journal()) as session:
        if controller != "builtin":
            session.change(controller=controller)
        raise typer.Exit(talk(session, _console(), cards or []))


@app.command()
def run(
    cards: Cards,
    controller: Annotated[str, typer.Option(metavar="NAME", help=CONTROLLER_HELP)] = "builtin",
    time_budget: Annotated[
        str | None,
        typer.Option("--time", help="Time for everything: 90s, 10m, 1h, none. [default: 10m; none with --trials]"),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Train at most this many trials.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="LLM tokens, in and out; then the built-in one decides.")
    ] = None,
    cost: Annotated[float | None, typer.Option(min=0, help="LLM money in USD; then builtin decides.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric to optimise; default: the card's, or by the task.")] = None,
    require: Annotated[str, typer.Option(help="Requirements in words; every paragraph carries them.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once; default: one per core.")] = None,
    experience: Annotated[
        Literal["all", "own", "none"],
        typer.Option(help="Earlier trials to learn from; own: this store's, without those shipped."),
    ] = "all",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Train without asking.")] = False,
    as_json: Json = False,
) -> None:
    """The whole job: from cards to a model, a report and a test score."""
    from automl_gpt.agent.clock import seconds_of
    from automl_gpt.agent.run import run_cards
    from automl_gpt.tools.journal.events import Budget, Request

    _need_approval(yes)
    wanted = time_budget or ("none" if trials else "10m")
    seconds = None if wanted.strip().lower() == "none" else seconds_of(wanted)
    if seconds is None and trials is None:
        raise UserError("--time none needs --trials N: a run must end some time")
    request = Request(
        metric=metric,
        require=require,
        seed=seed,
        controller=controller,
        workers=workers,
        experience=experience,
        budget=Budget(seconds=seconds, trials=trials, tokens=tokens, cost_usd=cost),
    )
    raise typer.Exit(run_cards(_journal(), request, cards, _console(as_json), yes, as_json, _since_start()))


@app.command()
def resume(
    run_name: RunName = "last",
    controller: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides from here on; default: who did before.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Train without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Go on with a run after an interruption."""
    from automl_gpt.agent.run import resume_run

    console = _console(as_json)
    raise typer.Exit(resume_run(_journal(), run_name, controller, console, yes, as_json, _since_start()))


@app.command()
def replay(run_name: RunName = "last", as_json: Json = False) -> None:
    """Repeat a run's decisions from the recorded answers of its language model, offline; exit code 1 if they differ."""
    from automl_gpt.agent.run import replay_run

    raise typer.Exit(replay_run(_journal(), run_name, as_json))


@app.command()
def runs(
    as_json: Json = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Free the space of finished runs that no delivered model needs.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Show at most this many.")] = None,
) -> None:
    """List the runs, newest first."""
    from automl_gpt.agent.run import list_runs

    list_runs(_journal(), _console(as_json), as_json, clean, limit)


@app.command()
def show(run_name: RunName = "last", as_json: Json = False) -> None:
    """Show one run: its trials, predicted against actual."""
    from automl_gpt.agent.run import show_run

    show_run(_journal(), run_name, as_json)


@app.command()
def report(
    run_name: RunName = "last",
    out: Annotated[Path | None, typer.Option(help="Where to write it; default: the run's folder.")] = None,
) -> None:
    """Write a run's HTML report and print its path."""
    from automl_gpt.tools.evaluate.report import write_report

    journal = _journal()
    name = journal.find(run_name)
    typer.echo(write_report(journal.state(name), journal.run_folder(name), out))


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="RUN-or-DIR", help="A run, or the folder of a delivered model.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="New rows: CSV, TSV, Parquet, JSONL; a picture, a folder of them; SQuAD or COCO JSON."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write the predictions; same format as FILE by default.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Detection: also draw the boxes into copies of the pictures.")
    ] = None,
) -> None:
    """Use a model on new rows: columns prediction, and probability_CLASS for classes."""
    from automl_gpt.agent.run import predict_rows

    predict_rows(_journal, model, file, out, pictures, _console(True))


@app.command()
def export(
    model: Annotated[str, typer.Argument(metavar="RUN-or-DIR", help="A run, or the folder of a delivered model.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="New folder to write.")],
    form: Annotated[
        ExportForm, typer.Option("--format", help="hf: for Hugging Face's libraries; onnx: for ONNX runtimes.")
    ] = "hf",
) -> None:
    """Write the network of a model for other programs: a Hugging Face folder with its model card, or ONNX."""
    from automl_gpt.agent.run import export_model

    export_model(_journal, model, out, form, _console(True))


@app.command()
def tools() -> None:
    """List the tools that a controller or a person can call."""
    from automl_gpt.agent.tool_commands import list_tools

    list_tools()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def tool(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The tool's name; `automl-gpt tools` lists them.")],
    run_name: Annotated[str | None, typer.Option("--run", help="The run that it is called for.")] = None,
) -> None:
    """Call one tool: --ARGUMENT VALUE for each of its arguments; --help shows them."""
    from automl_gpt.agent.tool_commands import call_tool

    call_tool(_journal, name, list(context.args), run_name)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the checks as a JSON list.")] = False) -> None:
    """Find what breaks a set-up, and say the mend; exit code 2 if anything does."""
    from automl_gpt.agent.doctor_command import doctor as look

    raise typer.Exit(look(as_json))


@cards_app.command("list")
def cards_list() -> None:
    """List the shipped cards and those in the home's folder `cards`."""
    from automl_gpt.agent.card_commands import list_cards

    list_cards(_home() / "cards", _console())


@cards_app.command("show")
def cards_show(name: Annotated[str, typer.Argument(help="A card's name or file.")]) -> None:
    """Print a card as it stands in its file."""
    from automl_gpt.agent.card_commands import show_card

    typer.echo(show_card(name, _home() / "cards"))


@cards_app.command("check")
def cards_check(file: Annotated[Path, typer.Argument(help="The card's file.")]) -> None:
    """Check a card; with a Data Card, its data too."""
    from automl_gpt.agent.card_commands import check_card

    check_card(file, _home() / "cards", _console())


@cards_app.command("new")
def cards_new(
    file: Annotated[
        Path,
        typer.Argument(help="Data: a file of rows, a folder or .zip of pictures, COCO, SQuAD; or weights: a folder."),
    ],
    target: Annotated[str | None, typer.Option(help="Data: the column to predict; default: the likeliest.")] = None,
    task: Annotated[
        str | None, typer.Option(help="The task, where it is not the one that data or weights suggest.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The card's name; default: FILE's.")] = None,
    out: Annotated[Path | None, typer.Option(help="The card to write; default: FILE's name with .yaml.")] = None,
) -> None:
    """Write a Data Card for data, with comments on what was inferred, or a Model Card for weights (also hub:ID)."""
    from automl_gpt.agent.card_commands import new_card

    typer.echo(new_card(file, target, out, task, name))


@experience_app.command("list")
def experience_list() -> None:
    """List where experience comes from, and the data sets that the store knows."""
    from automl_gpt.agent.experience_commands import list_experience

    list_experience(_journal(), _console())


@experience_app.command("export")
def experience_export(
    file: Annotated[Path, typer.Argument(help="File to write: JSON lines; gzipped where it ends in .gz.")],
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only trials that finished since: 2026-01-31.")
    ] = None,
) -> None:
    """Write the store's own finished trials into a file; it holds no values of the data."""
    from automl_gpt.agent.experience_commands import export_experience

    export_experience(_journal(), file, since, _console())


@experience_app.command("import")
def experience_import(file: Annotated[Path, typer.Argument(help="A file that `experience export` wrote.")]) -> None:
    """Add others' trials to the store; importing twice changes nothing."""
    from automl_gpt.agent.experience_commands import import_experience

    import_experience(_journal(), file, _console())


@experience_app.command("forget")
def experience_forget(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="As `experience list` names it; default: all imports.")
    ] = None,
) -> None:
    """Delete imported experience; the store's own runs stay."""
    from automl_gpt.agent.experience_commands import forget_experience

    forget_experience(_journal(), source, _console())


# --------------------------------------------------------------------------------------------------------- wiring


def _home() -> Path:
    from automl_gpt.tools.base import home

    return home()


def _journal() -> Journal:
    from automl_gpt.tools.journal.store import open_journal

    return open_journal()


def _console(prose_to_stderr: bool = False) -> Console:
    """Return where prose goes: stdout on a terminal, else stderr."""
    from rich.console import Console

    return Console(stderr=prose_to_stderr or not sys.stdout.isatty(), highlight=False)


def _since_start() -> float:
    """Return the seconds since this process began: the budget covers them."""
    import psutil

    return max(0.0, time.time() - psutil.Process().create_time())


def _need_approval(yes: bool) -> None:
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("training needs a yes: give --yes, or run in a terminal and answer there")


def main() -> None:
    """Run the command line; every error that a person can mend is one line, and every end has its exit code."""
    os.environ.setdefault("LANGSMITH_TRACING", "false")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what is decided here is small; the cores are the trials'
    try:
        app()
    except BudgetError as error:
        sys.exit(_say(error, NOTHING))
    except (UserError, ToolError) as error:
        sys.exit(_say(error, WRONG))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"automl-gpt: {error}\n")
    return code


if __name__ == "__main__":
    main()
