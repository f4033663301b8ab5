"""Numbers, durations and events as a reader of the report wants them."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from automl_gpt.tools.journal.state import RunState


def figure(value: Any) -> str:
    """Return a number in about four significant digits, other values as text, nothing as a dash."""
    if value is None or (isinstance(value, float) and not abs(value) < float("inf")):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value}"
    return _digits(float(value))


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    return "–" if value is None or math.isnan(value) else ("+" if value >= 0 else "") + _digits(value)


def _digits(value: float) -> str:
    size = abs(value)
    if size >= 1e7 or size < 1e-3:
        return f"{value:.3g}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if rest else f"{minutes} min"


def setting(value: Any) -> str:
    """Return the value of a hyperparameter."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def sentence(text: str) -> str:
    """Return a reason as a sentence: a capital letter, a full stop; a dash for none."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".") if text else "–"


def percent(value: float | None) -> str:
    """Return a share as percent."""
    return "–" if value is None else f"{100 * value:.1f}%" if value < 0.9995 and value > 0 else f"{100 * value:.0f}%"


def svg(text: str) -> Any:
    """Mark a drawing as HTML: matplotlib has escaped every text in it."""
    import markupsafe

    return markupsafe.Markup(text)


FILTERS: dict[str, Callable[..., Any]] = {
    "figure": figure,
    "signed": signed,
    "seconds": seconds,
    "setting": setting,
    "sentence": sentence,
    "percent": percent,
    "svg": svg,
}


@dataclass(frozen=True)
class Decision:
    """One thing that was decided, by whom, and why."""

    what: str
    by: str
    reason: str


def decisions(state: RunState) -> list[Decision]:
    """Return what was decided beside the trials, whose reasons stand in their table."""
    found = [Decision(f"Models assigned: {', '.join(a.models)}", a.by, a.reason) for a in state.assignments]
    verb = {
        "continue": "Go on",
        "change_models": "Change models",
        "resume_trial": "Resume trial",
        "finish": "Finish",
    }
    for revision in state.revisions:
        what = f" to {', '.join(revision.models)}" if revision.models else ""
        what += f" {revision.trial}" if revision.trial is not None else ""
        found.append(Decision(verb[revision.action] + what, revision.by, revision.reason))
    if state.finishing:
        found.append(Decision("End of the search", state.finishing.by, state.finishing.reason))
    if state.ensemble:
        parts = ", ".join(f"{m.weight:.2f} x trial {m.trial}" for m in state.ensemble.members)
        found.append(Decision(f"Deliver {parts}", state.ensemble.by, state.ensemble.reason))
    if state.finished:
        found.append(Decision(f"Run ended: {state.finished.status}", state.finished.by, state.finished.reason))
    return found


def deciders(state: RunState) -> str:
    """Say who proposed and who predicted the trials of a run; an empty text where no language model was asked."""
    if not state.asked:
        return ""
    models = dict.fromkeys(asked.model for asked in state.asked.values())
    trials, refused = state.ordered(), len(state.refused)
    parts = [
        _shares("trials proposed", models, (t.proposal.by for t in trials)),
        _shares("logs predicted", models, (t.prediction.by for t in trials if t.prediction)),
        f"{refused} answer{'s' * (refused != 1)} refused" if refused else "",
    ]
    return "; ".join(part for part in parts if part)


def _shares(what: str, models: Iterable[str], by: Iterable[str]) -> str:
    counts = Counter("built-in" if name in ("builtin", "opening") else name for name in by)
    names = dict.fromkeys([*models, *counts])
    return f"{what}: {', '.join(f'{name} {counts[name]}' for name in names)}"


def reproduce(state: RunState) -> str:
    """Return the command that repeats the run: the same number of trials instead of the same time."""
    request = state.request
    parts = ["automl-gpt", "run", state.started.card_file or "CARD.yaml", "--controller", request.controller]
    parts += ["--seed", str(request.seed), "--trials", str(sum(t.end is not None for t in state.ordered()))]
    if state.metric:
        parts += ["--metric", state.metric.name]
    if request.require:
        parts += ["--require", request.require]
    return shlex.join([*parts, "--yes"])
