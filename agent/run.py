"""The commands that drive, list and use runs, on top of Session."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from automl_gpt.agent.replay import replay
from automl_gpt.agent.screen import Screen, runs_table, show_state
from automl_gpt.agent.session import Session
from automl_gpt.agent.words.understand import understand
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.deliver.predict import predict_file
from automl_gpt.tools.deliver.tool_export import Form, export_network
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.cleaning import clean as free_space
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.journal.summary import RunSummary

DONE, DIFFERS, INTERRUPTED = 0, 1, 130


def run_cards(
    journal: Journal,
    request: e.Request,
    cards: list[str],
    console: Console,
    yes: bool,
    as_json: bool,
    since_start: float,
) -> int:
    """Carry out a whole run on cards, and return the exit code."""
    with Session(journal, head_start=since_start) as session:
        session.warm_up()
        for name in cards:
            session.read(name)
        session.change(**{name: getattr(request, name) for name in type(request).model_fields})
        _heed(session, console)
        return _drive(session, console, yes, as_json)


def _heed(session: Session, console: Console) -> None:
    """Turn the requirements in words into what code enforces, as far as fixed rules can; say what was understood."""
    text = session.request.require
    if not text:
        return
    models = [card.name for card in session.candidates()]
    done: list[str] = []
    for intent in understand(text, None, models, list(METRICS), session.candidates()):
        if intent.kind == "limit":
            session.change(**intent.wishes.fields(session.request))
            done.append(intent.words())
        elif intent.kind == "models":
            session.change(models=intent.models)
            done.append(intent.words())
        elif intent.kind == "metric" and session.request.metric is None:
            session.change(metric=intent.name)
            done.append(intent.words())
    nothing = "nothing of it can be enforced; the paragraphs carry it"
    told = f"understood: {'; '.join(done)}" if done else nothing
    console.print(f"requirements: {told}", markup=False)


def resume_run(
    journal: Journal,
    run: str,
    controller: str | None,
    console: Console,
    yes: bool,
    as_json: bool,
    since_start: float,
) -> int:
    """Go on with a run, under another controller where one is named; return the exit code. A finished one is shown."""
    with Session(journal, head_start=since_start) as session:
        state = session.resume(run)
        if state.finished is not None:
            console.print(f"run {state.run} is finished already", markup=False)
            return _result(session, as_json)
        if controller is not None:
            session.change(controller=controller)
        return _drive(session, console, yes or state.approved, as_json)


def replay_run(journal: Journal, run: str, as_json: bool) -> int:
    """Replay a run, print what came out, and return the exit code: 1 where something differs."""
    found = replay(journal.find(run), (stored.event for stored in journal.events(journal.find(run))))
    if as_json:
        _print_json(
            {
                "run": found.run,
                "matches": found.matches,
                "requests": found.calls,
                "decisions": found.decisions,
                "differences": found.differences,
            }
        )
    else:
        sys.stdout.write("\n".join([*found.differences, found.words()]) + "\n")
    return DONE if found.matches else DIFFERS


def _drive(session: Session, console: Console, yes: bool, as_json: bool) -> int:
    stopped: list[int] = []
    with Screen(console, live=console.is_terminal).over(session) as screen:
        session.on_text = screen.thinking
        if yes:
            # Once the training is approved, it need not wait for a language model's plan.
            _show(screen, session, session.profile())
            session.approve("--yes")
        else:
            _show(screen, session, session.plan())
        if not session.need_state().approved:
            session.wait_for_person()
            if not screen.ask_approval(session.need_state(), session.edit):
                raise UserError(f"not approved; the plan is kept: `automl-gpt resume {session.need_state().run}`")
            session.approve()
        with _stopped_by_signals(session) as stopped:
            _show(screen, session, session.drive())
    if stopped and session.need_state().finished is None:
        run = session.need_state().run
        console.print(f"interrupted; `automl-gpt resume {run}` goes on", markup=False)
        return INTERRUPTED
    return _result(session, as_json)


def _show(screen: Screen, session: Session, events: Iterable[e.Event]) -> None:
    for event in events:
        screen.show(event, session.need_state())


@contextlib.contextmanager
def _stopped_by_signals(session: Session) -> Generator[list[int]]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the run in good order; a second Ctrl-C ends at once."""
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        session.stop()

    names = [n for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {getattr(signal, name): signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _result(session: Session, as_json: bool) -> int:
    if as_json:
        _print_json(summary_of(session.journal, session.need_state().run).as_json())
    return DONE


def summary_of(journal: Journal, run: str) -> RunSummary:
    """Return the summary of one run."""
    return next(s for s in journal.runs() if s.run == run)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def list_runs(journal: Journal, console: Console, as_json: bool, clean: bool, limit: int | None) -> None:
    """List the runs, newest first, after freeing the space of old artefacts where that was asked for."""
    if clean:
        freed = free_space(journal)
        console.print(f"freed {freed.freed / 1e6:.1f} MB of {freed.runs} runs", markup=False)
    summaries = journal.runs(limit)
    if as_json:
        _print_json([s.as_json() for s in summaries])
    else:
        screen = Screen(Console(highlight=False), live=False)
        screen.print(runs_table(summaries, screen.width, screen.glyphs))


def show_run(journal: Journal, name: str, as_json: bool) -> None:
    """Show one run; with JSON, its result and every trial with both logs."""
    run = journal.find(name)
    state = journal.state(run)
    if not as_json:
        screen = Screen(Console(highlight=False), live=False)
        screen.print(show_state(state, screen.width, screen.glyphs))
        return
    trials = [
        {
            "trial": t.number,
            "model": t.model,
            "hyperparameters": t.hyperparameters,
            "status": t.status,
            "reason": (t.end.reason if t.end else "") or t.proposal.reason,
            "by": t.proposal.by,
            "predicted": t.prediction.model_dump(mode="json") if t.prediction else None,
            "actual": {
                "value": t.value,
                "folds": t.end.folds if t.end else (),
                "seconds": t.end.seconds if t.end else None,
                "megabytes": t.end.megabytes if t.end else None,
                "started_at": t.started.at_seconds if t.started else None,
                "ended_at": t.end.at_seconds if t.end else None,
                "log": t.log.model_dump(mode="json"),
            },
            "gap": t.gap.model_dump(mode="json") if t.gap else None,
        }
        for t in state.ordered()
    ]
    _print_json({**summary_of(journal, run).as_json(), "trial_list": trials})


def predict_rows(
    open_journal: Callable[[], Journal],
    model: str,
    file: Path,
    out: Path | None,
    pictures: Path | None,
    console: Console,
) -> None:
    """Predict a file with a run's model, or with the model in a folder."""
    predicted = predict_file(_model_folder(open_journal, model), file, out, pictures=pictures)
    for note in predicted.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"{predicted.rows} rows predicted", markup=False)
    sys.stdout.write(f"{predicted.out}\n")


def export_model(open_journal: Callable[[], Journal], model: str, out: Path, form: Form, console: Console) -> None:
    """Write the network of a run's model, or of the model in a folder, for other programs."""
    done = export_network(_model_folder(open_journal, model), out, form, open_journal())
    for note in done.notes:
        console.print(f"note: {note}", markup=False)
    sys.stdout.write(f"{done.out}\n")


def _model_folder(open_journal: Callable[[], Journal], model: str) -> Path:
    """Return the folder of a delivered model: as it is named, or a run's."""
    folder = Path(model).expanduser()
    for place in (folder, folder / "model"):
        if (place / "bundle.json").is_file():
            return place
    journal = open_journal()
    with Session(journal) as session:
        return session.model_folder(journal.find(model))
