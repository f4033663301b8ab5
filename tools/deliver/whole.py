"""Members for small tables are fitted on all training rows too, as far as the time for the end of a run allows."""

from __future__ import annotations

import json
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


def whole_seconds(trial: Trial) -> float:
    """Return the seconds that fitting a trial's configuration on all rows may take."""
    return 0.0 if trial.end is None else LONGER * trial.end.seconds / max(1, len(trial.end.folds))


def add_whole(
    state: RunState, run_folder: Path, prepared: Prepared, members: Sequence[Member], seconds: float | None
) -> tuple[int, ...]:
    """Fit the members on all rows, the heaviest first, for at most so many seconds; return the trials that were.

    None is where the card or the person limits what the delivered model may cost: one more model costs more.
    """
    limits = delivery_limits(state.data_card, state.request)
    if limits.seconds_per_1000 is not None or limits.megabytes is not None:
        return ()
    until = None if seconds is None else time.monotonic() + seconds
    return tuple(
        member.trial
        for member in sorted(members, key=lambda m: (-m.weight, m.trial))
        if _add(state, state.trials[member.trial], trial_folder(run_folder, member.trial), prepared, until)
    )


def _add(state: RunState, trial: Trial, folder: Path, prepared: Prepared, until: float | None) -> bool:
    name = str(json.loads((folder / "trial.json").read_text(encoding="utf-8"))["trainer"])
    steps = trial.end.best_steps if trial.end else ()
    late = until is not None and time.monotonic() + whole_seconds(trial) > until
    if late or not steps or not refits(name, prepared):
        return False
    metric, seed = state.need_metric().name, trial.proposal.seed
    model = refit(prepared, name, trial.hyperparameters, metric, steps, seed, until)
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
