"""Commands that only look: the models, the prompt paragraph, the trials, one trial, reasons, runs."""

from __future__ import annotations

from rich.text import Text

from automl_gpt.agent.commands.command import need_trial, number_in
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.decisions import DECISIONS, Decision
from automl_gpt.agent.screen import comparison, models_table, runs_table, show_state
from automl_gpt.agent.screen.panels import facts
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.state import RunState, Trial

RUNS_SHOWN = 20


def models(chat: Conversation, _rest: str) -> None:
    """Show the candidate models."""
    cards = () if chat.state else chat.session.candidates()
    chat.screen.print(models_table(chat.state, chat.screen.width, cards, chat.screen.glyphs))


def prompt(chat: Conversation, rest: str) -> None:
    """Show the exact paragraph that a controller reads for a decision."""
    decision = _decision(rest.strip())
    chat.need_card()
    if chat.state is None or chat.state.profile is None:
        chat.show(chat.session.profile())
    paragraph = chat.session.paragraph(decision)
    for line in paragraph.splitlines():
        chat.screen.print(Text(" " * (len(line) - len(line.lstrip())) + plain(line, 100_000)))


def _decision(name: str) -> Decision | None:
    if not name:
        return None
    for decision in DECISIONS:
        if name in (decision, decision.split("_")[0]):
            return decision
    raise UserError(f"there is no decision {name!r}; there are: {', '.join(d.split('_')[0] for d in DECISIONS)}")


def trials(chat: Conversation, _rest: str) -> None:
    """Show all trials."""
    state = chat.session.need_state()
    if not state.trials:
        raise UserError("no trial is decided on yet: /plan decides, /go trains")
    chat.screen.show_trials(state)


def show(chat: Conversation, rest: str) -> None:
    """Show one trial, or the run."""
    number, state = number_in(rest), chat.session.need_state()
    if number is None:
        chat.screen.print(show_state(state, chat.screen.width, chat.screen.glyphs))
    else:
        _compare(chat, state, need_trial(state, number))


def compare(chat: Conversation, rest: str) -> None:
    """Show predicted and actual log of a trial side by side; by default of the newest that has both."""
    number, state = number_in(rest), chat.session.need_state()
    if number is not None:
        trial = need_trial(state, number)
    else:
        newest = [t for t in reversed(state.ordered()) if t.prediction and t.rows]
        if not newest:
            raise UserError("no trial has both logs yet: /go trains")
        trial = newest[0]
    _compare(chat, state, trial)


def _compare(chat: Conversation, state: RunState, trial: Trial) -> None:
    chat.screen.print(comparison(state, trial, chat.screen.width, 14, chat.screen.glyphs))


def why(chat: Conversation, rest: str) -> None:
    """Say what was decided last and why, or why one trial was."""
    number, state = number_in(rest), chat.session.need_state()
    rows = _reasons_of(need_trial(state, number)) if number is not None else _reasons(state)
    if not rows:
        raise UserError("nothing is decided yet: /plan decides, /go trains")
    chat.screen.print(facts([(name, plain(reason)) for name, reason in rows]))


def _reasons_of(trial: Trial) -> list[tuple[str, str]]:
    rows = [("proposed", f"{trial.proposal.reason or 'no reason given'} (by {trial.proposal.by})")]
    if trial.prediction is not None:
        rows.append(("predicted", f"{trial.prediction.reason or 'no reason given'} (by {trial.prediction.by})"))
        if not trial.prediction.train:
            rows.append(("skipped", "its forecast could not win"))
    if trial.end is not None:
        rows.append((trial.status.replace("_", " "), trial.end.reason or "as planned"))
    return rows


def _reasons(state: RunState) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if state.assignments:
        last = state.assignments[-1]
        rows.append(("models", f"{', '.join(last.models)}: {last.reason} (by {last.by})"))
    waiting = state.waiting() + state.running()
    rows += [(f"trial {t.number}", f"{t.model}: {t.proposal.reason} (by {t.proposal.by})") for t in waiting[:4]]
    if state.revisions:
        rows.append(("revision", f"{state.revisions[-1].reason} (by {state.revisions[-1].by})"))
    if state.ensemble is not None:
        rows.append(("ensemble", f"{state.ensemble.reason} (by {state.ensemble.by})"))
    if state.finished is not None and state.finished.reason:
        rows.append(("ended", state.finished.reason))
    return rows


def runs(chat: Conversation, _rest: str) -> None:
    """List the newest runs."""
    found = chat.session.journal.runs(RUNS_SHOWN)
    if not found:
        chat.say("there are no runs yet", "dim")
        return
    chat.screen.print(runs_table(found, chat.screen.width, chat.screen.glyphs))


def report(chat: Conversation, _rest: str) -> None:
    """Write the run's report and say where it is."""
    path = chat.session.report()
    chat.screen.print(Text(f"report  {plain(path)}"), whole=True)
