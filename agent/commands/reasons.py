"""Why something was decided: by whom, in whose words, and which answers were refused before."""

from __future__ import annotations

from collections.abc import Iterable

from automl_gpt.agent.commands.command import need_trial, number_in
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.screen.panels import facts
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, Trial

SHOWN = 4
"""Refused answers and waiting trials that are shown at most."""


def why(chat: Conversation, rest: str) -> None:
    """Say who decided what last and why, or why one trial was."""
    number, state = number_in(rest), chat.session.need_state()
    if number is None:
        rows = _reasons(state)
    else:
        trial = need_trial(state, number)
        rows = _reasons_of(trial, refusals(_events(chat, state), number))
    if not rows:
        raise UserError("nothing is decided yet: /plan decides, /go trains")
    chat.screen.print(facts([(name, plain(reason)) for name, reason in rows]))


def _events(chat: Conversation, state: RunState) -> list[e.Event]:
    return [stored.event for stored in chat.session.journal.events(state.run)]


def _said(reason: str, by: str) -> str:
    return f"{reason or 'no reason given'} (by {by})"


def _reasons_of(trial: Trial, refused: list[tuple[str, str]]) -> list[tuple[str, str]]:
    rows = [("model", trial.model), ("proposed", _said(trial.proposal.reason, trial.proposal.by))]
    rows += [("", text) for decision, text in refused if decision == "propose_hyperparameters"]
    if trial.prediction is not None:
        rows.append(("predicted", _said(trial.prediction.reason, trial.prediction.by)))
        rows += [("", text) for decision, text in refused if decision == "predict_log"]
        if not trial.prediction.train:
            rows.append(("skipped", "its forecast could not win"))
    if trial.end is not None:
        rows.append((trial.status.replace("_", " "), trial.end.reason or "as planned"))
    return rows


def refusals(events: Iterable[e.Event], number: int) -> list[tuple[str, str]]:
    """Return what failed or was refused before a trial was proposed or predicted, as pairs of decision and words."""
    open_: dict[str, list[str]] = {}
    found: list[tuple[str, str]] = []
    purposes: dict[int, str] = {}
    last: e.Event | None = None
    for event in events:
        if isinstance(last, e.TrialProposed) and not isinstance(event, e.TrialProposed):
            open_.pop("propose_hyperparameters", None)
        if isinstance(last, e.TrialPredicted) and not isinstance(event, e.TrialPredicted | e.ShadowPredicted):
            open_.pop("predict_log", None)
        match event:
            case e.LLMAsked():
                purposes[event.call] = event.purpose
            case e.LLMAnswered() if event.failure:
                open_.setdefault(purposes.get(event.call, ""), []).append(f"before: {event.words or event.failure}")
            case e.DecisionRefused():
                open_.setdefault(event.decision, []).append(f"refused: {event.problem} (by {event.by})")
            case e.TrialProposed() | e.TrialPredicted() if event.trial == number:
                decision = "propose_hyperparameters" if isinstance(event, e.TrialProposed) else "predict_log"
                found += [(decision, text) for text in open_.get(decision, [])[-SHOWN:]]
            case _:
                pass
        last = event
    return found


def _reasons(state: RunState) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if state.assignments:
        last = state.assignments[-1]
        rows.append(("models", _said(f"{', '.join(last.models)}: {last.reason}", last.by)))
    waiting = state.waiting() + state.running()
    rows += [(f"trial {t.number}", _said(f"{t.model}: {t.proposal.reason}", t.proposal.by)) for t in waiting[:SHOWN]]
    if state.revisions:
        rows.append(("revision", _said(state.revisions[-1].reason, state.revisions[-1].by)))
    if state.switches:
        rows.append(("controller", f"{state.switches[-1].to}: {state.switches[-1].reason}"))
    if state.refused:
        rows.append(
            ("refused", _said(f"{state.refused[-1].decision}: {state.refused[-1].problem}", state.refused[-1].by))
        )
    if state.ensemble is not None:
        rows.append(("ensemble", _said(state.ensemble.reason, state.ensemble.by)))
    if state.finished is not None and state.finished.reason:
        rows.append(("ended", state.finished.reason))
    return rows
