"""One event, one thing to print: what a person reads of a run, in order, with or without a live display."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from automl_gpt.agent.screen.budgets import budget_words, limits_words, warning_words
from automl_gpt.agent.screen.panels import one_line, profile_panel
from automl_gpt.agent.screen.reply import Reply
from automl_gpt.agent.screen.text import UNICODE, Glyphs, cut, interval, number, plain, span
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

QUIET = ("builtin", "person", "opening")
"""Whose tool calls are not worth a line."""
LONG_SECONDS = 10.0
"""An answer of a language model that took longer than this is worth a line."""


def lines(event: e.Event, state: RunState, glyphs: Glyphs = UNICODE) -> list[RenderableType]:
    """Return what is printed of an event; nothing for most."""
    make = _LINES.get(event.kind)
    return make(event, state, glyphs) if make else []


def trial_lines(event: e.Event, state: RunState, glyphs: Glyphs = UNICODE) -> list[RenderableType]:
    """Return what is printed of a trial's events where no table shows them."""
    if isinstance(event, e.TrialPredicted):
        return [_predicted(event, state, glyphs)]
    if isinstance(event, e.TrialFinished) and not _comparable(event, state):
        return [Text(one_line(state.trials[event.trial], _metric(state), glyphs))]
    if isinstance(event, e.LogsCompared) and state.trials[event.trial].value is not None:
        return [Text(one_line(state.trials[event.trial], _metric(state), glyphs))]
    return []


def _comparable(event: e.TrialFinished, state: RunState) -> bool:
    """Whether a comparison of the logs follows at once, which is then the line."""
    known = state.trials[event.trial].prediction
    return event.value is not None and known is not None and known.value is not None


def _metric(state: RunState) -> str:
    return state.metric.name if state.metric else "score"


def _predicted(event: e.TrialPredicted, state: RunState, glyphs: Glyphs) -> Text:
    model = cut(state.trials[event.trial].model, 20, glyphs)
    band = f"{number(event.value, 4, glyphs)} {interval(event.low, event.high, 4, glyphs)}".rstrip()
    note = "" if event.train else "  not worth training"
    return Text(
        f"trial {event.trial:<3} {model:<20}  predicted {band}  about {span(event.seconds, glyphs)}{note}", style="dim"
    )


def _note(name: str, text: object, style: str = "") -> Text:
    return Text.assemble((f"{name}: ", style or "dim"), plain(text))


def _started(event: e.RunStarted, state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    dot = f" {glyphs.dot} "
    said = [
        f"run {plain(state.run)}",
        plain(event.data_card.name or event.data_card.source, 40),
        f"budget {budget_words(event.request.budget)}",
        f"controller {plain(event.request.controller)}",
    ]
    return [Text(dot.join(said), style="bold")]


def _profiled(event: e.DataProfiled, _state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    return [profile_panel(event.profile, event.metric, glyphs)]


def _experience(event: e.ExperienceFound, state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    near = state.experience or ()
    if not near:
        nothing = "nothing near these data is known"
        if state.far_experience:
            nothing += f"; {len(state.far_experience)} trials on other data help forecasts alone"
        return [_note("experience", nothing)] if state.request.experience != "none" else []
    sets = {(trial.fingerprint or trial.data): trial.source for trial in near}
    nearest = min(near, key=lambda trial: trial.distance)
    shipped = sum(source == "shipped" for source in sets.values())
    many = f"{len(near)} trials on {len(sets)} data set{'s' * (len(sets) != 1)} like these"
    many += f" ({shipped} shipped)" if shipped else ""
    metrics, own = {trial.metric for trial in near}, state.need_metric().name
    if others := sorted(metrics - {own}):
        many += f",{' some' if own in metrics else ''} scored by {plain(' and '.join(others))}"
    return [_note("experience", f"{many}, nearest {plain(nearest.data)} at distance {nearest.distance:.2f}")]


def _assigned(event: e.ModelsAssigned, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [_note("models", ", ".join(event.models)), _note(f"why ({plain(event.by)})", event.reason)]


def _revised(event: e.Revised, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    if event.trial is not None:
        return [_note(f"trial {event.trial} goes on ({plain(event.by)})", event.reason)]
    if event.action != "change_models":
        return []
    return [_note(f"models ({plain(event.by)})", f"{', '.join(event.models)}: {event.reason}")]


def _called(event: e.ToolCalled, _state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    if event.by in QUIET:
        return []
    given = ", ".join(f"{k} {v}" for k, v in event.arguments.items())
    return [Text(cut(f"{event.by} looked at {event.name} {given}".rstrip(), 160, glyphs), style="dim")]


def _refused(event: e.DecisionRefused, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    instead = "; the built-in controller decides instead" if event.last else ""
    return [_note(f"refused ({plain(event.by)}, {plain(event.decision)})", f"{event.problem}{instead}", "yellow")]


def _warned(event: e.Warned, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [_note("warning", event.text, "yellow")]


def _interrupted(event: e.Interrupted, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [_note("stopped", event.reason, "yellow")]


def _resumed(event: e.Resumed, state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    total = budget_words(state.request.budget)
    return [_note("resumed", f"{len(state.done())} trials kept, {span(event.spent, glyphs)} used of {total}")]


def _changed(event: e.RequestChanged, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    wanted = event.request
    parts = [f"metric {wanted.metric}" if wanted.metric else "", f"budget {budget_words(wanted.budget)}"]
    parts += [f"models {', '.join(wanted.models)}"] if wanted.models else []
    parts += [f"controller {wanted.controller}"] if wanted.controller != "builtin" else []
    parts += limits_words(wanted)
    return [_note("request", "; ".join(filter(None, parts)))]


def _withdrawn(event: e.TrialWithdrawn, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [_note("taken back", f"trial {event.trial}")]


def _ensemble(event: e.EnsembleChosen, state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    members = sorted(event.members, key=lambda member: -member.weight)
    named = ", ".join(f"{m.weight:.2f} trial {m.trial} ({plain(state.trials[m.trial].model)})" for m in members[:6])
    more = f" and {len(members) - 6} more" if len(members) > 6 else ""
    name = "ensemble" if len(members) > 1 else "model"
    best = f"best single {number(event.best_single, 4, glyphs)}"
    score = f"{_metric(state)} {number(event.value, 4, glyphs)} on validation"
    return [_note(name, f"{named}{more}; {score}, {best}")]


def _answered(event: e.LLMAnswered, state: RunState, glyphs: Glyphs) -> list[RenderableType]:
    asked = state.asked.get(event.call)
    name = asked.model if asked else event.model
    if event.failure and _told_before(event, state):
        return []
    if event.failure:
        return [Text(plain(event.words or f"{name}: {event.failure}"), style="yellow")]
    if event.seconds <= LONG_SECONDS:
        return []
    return [Text(plain(f"{name}: answered after {span(event.seconds, glyphs)}"), style="dim")]


def _switched(event: e.ControllerSwitched, state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    why = f": {event.reason}" if event.reason else ""
    if event.to == "builtin":
        if (told := _last_failure(state)) and event.reason.startswith(told):
            why = event.reason.removeprefix(told)
        return [Text(plain(f"now the built-in controller decides{why}"), style="yellow")]
    again = any(earlier.to == "builtin" for earlier in state.switches[:-1])
    return [Text(plain(f"{event.to} decides{' again' if again else ''}{why}"), style="green")]


def _told_before(event: e.LLMAnswered, state: RunState) -> bool:
    """Say whether the request before was the same one, and failed for the same reason: one line tells of both."""
    before, asked = state.answered.get(event.call - 1), state.asked.get(event.call)
    again = asked is not None and before is not None and asked.messages == state.asked[event.call - 1].messages
    return again and before is not None and before.words == event.words


def _last_failure(state: RunState) -> str:
    """Return the words of the last answer's failure, which stand on the screen already; empty where it was none."""
    return next(reversed(state.answered.values())).words if state.answered else ""


def _budget_warned(event: e.BudgetWarned, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [Text(warning_words(event), style="yellow" if event.share >= 0.8 else "dim")]


def _replied(event: e.Replied, _state: RunState, _glyphs: Glyphs) -> list[RenderableType]:
    return [Text(f"{plain(event.by)}:", style="dim"), Reply(event.text)]


_LINES: dict[str, Callable[[Any, RunState, Glyphs], list[RenderableType]]] = {
    "run_started": _started,
    "data_profiled": _profiled,
    "experience_found": _experience,
    "models_assigned": _assigned,
    "revised": _revised,
    "tool_called": _called,
    "decision_refused": _refused,
    "warned": _warned,
    "interrupted": _interrupted,
    "resumed": _resumed,
    "request_changed": _changed,
    "trial_withdrawn": _withdrawn,
    "ensemble_chosen": _ensemble,
    "llm_answered": _answered,
    "controller_switched": _switched,
    "budget_warned": _budget_warned,
    "replied": _replied,
}
