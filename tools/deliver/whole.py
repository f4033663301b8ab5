"""Members for small tables are fitted on all training rows too, as far as the time for the end of a run allows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from automl_gpt.tools.compose.candidates import trial_folder
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.deliver.bundle import WHOLE
from automl_gpt.tools.journal.events import Member
from automl_gpt.tools.journal.limits import delivery_limits
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.train.refit import refit, refits

LONGER = 1.4
"""At the most so many times as long as a fold's fit the fit on all rows takes: more rows, and what varies."""


def gets_whole(state: RunState, trial: Trial) -> bool:
    """Say whether a trial is fitted on all rows too where it is delivered.

    None is where the card or the person limits what the delivered model may cost: one more model costs more.
    """
    limits = delivery_limits(state.data_card, state.request)
    if limits.seconds_per_1000 is not None or limits.megabytes is not None:
        return False
    told = trial.end is not None and bool(trial.end.best_steps)
    return told and refits(state.model_cards[trial.model].trainer, state.need_profile())


def whole_seconds(state: RunState, trial: Trial) -> float:
    """Return the seconds that fitting a trial's configuration on all rows may take; 0 where that is not done."""
    if trial.end is None or not gets_whole(state, trial):
        return 0.0
    return LONGER * trial.end.seconds / max(1, len(trial.end.folds))


def add_whole(
    state: RunState, run_folder: Path, prepared: Prepared, members: Sequence[Member], seconds: float | None
) -> tuple[int, ...]:
    """Fit the members on all rows, the heaviest first, for at most so many seconds; return the trials that were."""
    until = None if seconds is None else time.monotonic() + seconds
    return tuple(
        member.trial
        for member in sorted(members, key=lambda m: (-m.weight, m.trial))
        if _add(state, state.trials[member.trial], trial_folder(run_folder, member.trial), prepared, until)
    )


def _add(state: RunState, trial: Trial, folder: Path, prepared: Prepared, until: float | None) -> bool:
    late = until is not None and time.monotonic() + whole_seconds(state, trial) > until
    if late or trial.end is None or not gets_whole(state, trial):
        return False
    name, metric, seed = state.model_cards[trial.model].trainer, state.need_metric().name, trial.proposal.seed
    model = refit(prepared, name, trial.hyperparameters, metric, trial.end.best_steps, seed, until)
    if model is None:
        return False
    fresh = folder / f".{WHOLE}"
    try:
        for old in (fresh, folder / WHOLE):
            shutil.rmtree(old, ignore_errors=True)
        fresh.mkdir()
        model.save(fresh)
        fresh.rename(folder / WHOLE)
    except OSError:  # a full disk: the fold models are saved already, and do without
        shutil.rmtree(fresh, ignore_errors=True)
        return False
    return True
