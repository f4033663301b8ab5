"""Trials as a table, for scripts and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_gpt.tools.journal.state import RunState, Trial

if TYPE_CHECKING:
    from pandas import DataFrame


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
