"""A model of all training rows, beside the fold models that each went without some: for tables of few rows.

Where rows are few, the fifth that a fold holds back is missed: a model fitted on all of them, for as many steps as the
fold models took at their best, knows more, and their mean varies less. Both have a part in the prediction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from automl_gpt.cards.schema import Scalar
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.protocol import Model
from automl_gpt.tools.train.registry import trainer
from automl_gpt.tools.train.worker import fit_data
from automl_gpt.tools.tune.forecasts.stopping import StopRule

MOST_ROWS = 2000
"""Up to so many training rows a model of all of them is fitted; with more, those of the folds lack nothing."""
TRAINERS = frozenset({"lightgbm", "xgboost", "random_forest", "extra_trees", "linear", "mlp"})
"""Of these, whose fit is as long as its number of steps."""
WORTH = 0.5
"""Its weight, beside that of the fold models together."""


def refits(name: str, profile: Profile) -> bool:
    """Say whether a trainer's models are fitted on all rows too: those of small tables that folds judged."""
    return name in TRAINERS and profile.modality == "tabular" and profile.folds > 1 and profile.rows_train <= MOST_ROWS


def refit(
    prepared: Prepared,
    name: str,
    hyperparameters: Mapping[str, Scalar],
    metric: str,
    best_steps: Sequence[int],
    seed: int,
    deadline: float | None = None,
) -> Model | None:
    """Fit on all training rows for the mean of the folds' best steps.

    None where `deadline` (`time.monotonic()`) comes first, or the fit fails: half a model is none.
    """
    job = Job(
        trial=0, model=name, trainer=name, hyperparameters=dict(hyperparameters), data=str(prepared.folder),
        out=str(prepared.folder), metric=metric, seed=seed, rule=StopRule(),
    )  # fmt: skip
    rows, steps, late = prepared.rows, max(1, round(sum(best_steps) / len(best_steps))), False

    def emit(
        step: int, train: float, valid: float, more: Mapping[str, float] | None = None, seconds: float | None = None
    ) -> bool:
        nonlocal late
        late = deadline is not None and time.monotonic() >= deadline and step < steps
        return step < steps and not late

    held = fit_data(prepared, 0, job)
    data = replace(
        held, x=rows.x, y=rows.y, weight=rows.weight, x_valid=rows.x[:0], y_valid=rows.y[:0],
        weight_valid=None if rows.weight is None else rows.weight[:0], seed=(seed + prepared.layout.folds) % 2**31,
    )  # fmt: skip
    try:
        model = trainer(name).fit(data, job.hyperparameters, emit)
    except Exception:
        # Each library fails in its own way; the fold models are there, and the run is not lost for want of one more.
        return None
    return None if late else model
