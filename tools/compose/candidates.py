"""Which trials may be delivered, and what each costs: seconds for a row, and megabytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from automl_gpt.tools.compose.selection import Costs
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.journal.limits import delivery_limits
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.process.machine import cores
from automl_gpt.tools.train.protocol import ANSWER_TASKS
from automl_gpt.tools.train.worker import ANSWERS, NUMBERS
from automl_gpt.tools.tune.allowed import deliverable

CANDIDATES = 25
LOADING_SHARE = 0.4
SECONDS_PER_MEGABYTE = 0.012
"""What it takes to hash a delivered file and to load it again, and the share of the seconds left that it may take."""
PREDICTING_SHARE, PREDICTING_SHARE_OF_EXAMPLES = 0.5, 0.8
"""Share of the seconds left that predicting the test split may take; with a network it is most of what is left."""
DEAREST = 3
"""An ensemble for texts or pictures may cost so many times what its dearest candidate does: networks are dear."""


def trial_folder(run_folder: Path, trial: int) -> Path:
    """Return where a trial's files lie."""
    return run_folder / "trials" / f"{trial:04d}"


def candidates(state: RunState, run_folder: Path, prepared: Prepared, metric: Metric) -> list[Trial]:
    """Return the best complete trials whose predictions are there and sound, best first; the baseline only alone."""
    complete = [t for t in state.done() if t.complete and t.value is not None]
    complete.sort(key=lambda t: (-metric.sign * (t.value or 0.0), t.number))
    real = _varied(state, [t for t in complete if t.model != TRIVIAL])
    sound: list[Trial] = []
    for trial in [*real, *[t for t in complete if t.model == TRIVIAL]]:
        if len(sound) == CANDIDATES or (sound and trial.model == TRIVIAL):
            break
        if _sound(trial_folder(run_folder, trial.number), prepared):
            sound.append(trial)
    return sound


def _sound(folder: Path, prepared: Prepared) -> bool:
    """Say whether a trial's out-of-fold predictions are there, one for each row, and finite."""
    rows, classes = len(prepared.out_of_fold()), prepared.layout.classes
    if prepared.layout.task in ANSWER_TASKS:
        path = folder / ANSWERS
        return path.is_file() and len(path.read_bytes().splitlines()) == rows
    path = folder / NUMBERS
    values = np.load(path, mmap_mode="r") if path.is_file() else np.empty(0)
    return values.shape == ((rows, classes) if classes else (rows,)) and bool(np.isfinite(values).all())


def _varied(state: RunState, ranked: list[Trial]) -> list[Trial]:
    """Return the candidates: the best trial of each model, and the best of the others; best first.

    Those that keep the limits go before those that don't, so that a small model is not crowded out by large ones.
    """
    kept = sorted(ranked, key=lambda t: not deliverable(state, t))
    firsts = {t.model: t.number for t in reversed(kept)}
    others = [t.number for t in kept if t.number not in firsts.values()]
    taken = {*firsts.values(), *others[: max(0, CANDIDATES - len(firsts))]}
    return [t for t in ranked if t.number in taken]


def costs_of(
    state: RunState, run_folder: Path, trials: list[Trial], prepared: Prepared, seconds_left: float | None
) -> Costs:
    """Return what each trial costs at prediction, and the most that the card, the person and the clock allow.

    Kinds of cost: seconds per row as they were measured, megabytes, seconds per row when the test split is predicted.
    """
    limits, examples = delivery_limits(state.data_card, state.request), prepared.layout.modality != "tabular"
    most = [np.inf, np.inf, np.inf]
    if limits.seconds_per_1000 is not None:
        most[0] = limits.seconds_per_1000 / 1000
    if seconds_left is not None:
        most[1] = max(seconds_left, 0.0) * LOADING_SHARE / SECONDS_PER_MEGABYTE
        share = PREDICTING_SHARE_OF_EXAMPLES if examples else PREDICTING_SHARE
        most[2] = max(seconds_left, 0.0) * share / max(prepared.layout.rows_test, 1)
    if limits.megabytes is not None:
        most[1] = min(most[1], limits.megabytes)
    costs = [trial_costs(t, run_folder) for t in trials]
    clock = [clock_seconds(t, examples, seconds) for t, (seconds, _) in zip(trials, costs, strict=True)]
    each = np.column_stack([np.array(costs, dtype=np.float64), clock])
    if examples:
        return Costs(each, np.minimum(most, DEAREST * each.max(axis=0)))
    return Costs(each, np.array(most))


def clock_seconds(trial: Trial, examples: bool, seconds: float | None = None) -> float:
    """Return the seconds per row that predicting takes at the end: networks use all cores then, whatever they had."""
    if seconds is None:
        seconds = (trial.end.predict_seconds or 0.0) if trial.end else 0.0
    return seconds * min(1.0, trial.end.threads / cores()) if examples and trial.end else seconds


def trial_costs(trial: Trial, run_folder: Path) -> tuple[float, float]:
    """Return the seconds per row of all of a trial's fold models, with its threads, and their megabytes."""
    folder = trial_folder(run_folder, trial.number)
    path = folder / "trial.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    seconds = told.get("seconds_per_row")
    if seconds is None and trial.end and trial.end.predict_seconds is not None:
        seconds = trial.end.predict_seconds
    if seconds is None:
        seconds = 0.0
    megabytes = trial.end.disk_megabytes if trial.end else None
    if megabytes is None:
        megabytes = sum(f.stat().st_size for f in folder.glob("fold_*/**/*") if f.is_file()) / 1e6
    return float(seconds), float(megabytes)
