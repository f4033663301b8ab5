"""A run as scripts and notebooks show it: a line, the panels of the screen, a table of trials."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.text import Text

from automl_gpt.agent.screen import show_state
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, Trial

if TYPE_CHECKING:
    from pandas import DataFrame

WIDTH = 100
"""Cells of a line in a notebook."""


def repr_of(state: RunState | None, request: e.Request) -> str:
    """Return a session in one line."""
    if state is None:
        return f"<Session without a run, controller {request.controller}>"
    best = state.best()
    score = f", best {best.metric.name} {best.value:.4g}" if best and best.value is not None else ""
    status = state.finished.status if state.finished else "open"
    return f"<Session {state.run}: {len(state.done())} trials{score}, {status}, controller {request.controller}>"


def rich_of(state: RunState | None, request: e.Request) -> RenderableType:
    """Return a session as the screen shows it: data, trials predicted against actual, result."""
    return Text(repr_of(state, request)) if state is None else show_state(state, WIDTH)


def html_of(shown: RenderableType) -> str:
    """Return what the screen shows as HTML, for notebooks."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True)
    console.print(shown)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def trials_frame(state: RunState) -> DataFrame:
    """Return one row per trial, indexed by its number: model, status, scores, forecast, seconds, hyperparameters.

    Scores are validation scores in the metric's unit; `low` and `high` hold 80%; `shadow` is the built-in forecast of
    trials that a language model predicted. Hyperparameters stand in columns `hp_NAME`.
    """
    import pandas as pd

    rows = [_row(trial) for trial in state.ordered()]
    return pd.DataFrame(rows).set_index("trial") if rows else pd.DataFrame(columns=["model", "status", "value"])


def _row(trial: Trial) -> dict[str, Any]:
    said, end = trial.prediction, trial.end
    return {
        "trial": trial.number,
        "model": trial.model,
        "status": trial.status,
        "value": trial.value,
        "predicted": said.value if said else None,
        "low": said.low if said else None,
        "high": said.high if said else None,
        "shadow": trial.shadow.value if trial.shadow else None,
        "error": trial.gap.error if trial.gap else None,
        "seconds": end.seconds if end else None,
        "megabytes": end.megabytes if end else None,
        "proposed_by": trial.proposal.by,
        "predicted_by": said.by if said else None,
        **{f"hp_{name}": value for name, value in trial.hyperparameters.items()},
    }
