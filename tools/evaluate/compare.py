"""Actual against predicted: what a trial's forecast was worth. Arithmetic only; no model is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.evaluate.review import failure
from automl_gpt.tools.journal.events import TrialPredicted
from automl_gpt.tools.journal.state import Trial
from automl_gpt.tools.log import Gap, TrainingLog
from automl_gpt.tools.tune.current import current_state
from automl_gpt.tools.tune.extrapolate import comes_to

ALPHA = 0.2
"""The share that an 80% interval may miss."""
_COMPARABLE = ("finished", "pruned", "stopped", "out_of_time")


def interval_score(low: float, high: float, actual: float) -> float:
    """Return width plus 2/alpha times what lies outside (Gneiting and Raftery 2007, equation 43); less is better."""
    return (high - low) + 2 / ALPHA * (max(low - actual, 0.0) + max(actual - high, 0.0))


def gap(prediction: TrialPredicted, trial: Trial) -> Gap | None:
    """Compare a trial with its forecast; None where it ended without a score, or the forecast has none.

    A trial that finished a fold is compared by the mean of those that it trained to their ends; one that was ended
    before is compared at its last step: the best value so far against the predicted curve there.
    """
    if trial.end is None or trial.status not in _COMPARABLE:
        return None
    trained = len(trial.end.folds) - trial.end.cut > 0 or (trial.status == "finished" and not trial.end.cut)
    target = _whole(prediction, trial) if trained else _partial(prediction, trial)
    if target is None or not all(map(math.isfinite, target[:4])):
        return None
    predicted, low, high, actual, step = target
    partial = None if step is None else step / max(r.step for r in prediction.log.rows)
    return Gap(
        predicted=predicted,
        low=low,
        high=high,
        actual=actual,
        error=actual - predicted,
        covered=low <= actual <= high,
        interval_score=interval_score(low, high, actual),
        curve_mae=_curve_mae(prediction.log, trial.log),
        seconds_ratio=_ratio(trial.end.seconds, prediction.seconds * (1.0 if partial is None else min(partial, 1.0))),
        at_step=step,
    )


_Target = tuple[float, float, float, float, int | None]


def _whole(prediction: TrialPredicted, trial: Trial) -> _Target | None:
    value, low, high, actual = prediction.value, prediction.low, prediction.high, comes_to(trial)
    if value is None or low is None or high is None or actual is None:
        return None
    return value, low, high, actual, None


def _partial(prediction: TrialPredicted, trial: Trial) -> _Target | None:
    """Take both at the last step that a fold of the trial reached with a finite score."""
    rows = [r for r in trial.rows if math.isfinite(r.metrics.get("valid", math.nan))]
    checkpoints = [r for r in prediction.log.rows if "valid" in r.metrics and "valid" in r.intervals]
    if not rows or not checkpoints:
        return None
    step = min(max(r.step for r in rows), checkpoints[-1].step)
    reached = [r.metrics["valid"] for r in rows if r.step <= step]
    if not reached:
        return None
    at = [r.step for r in checkpoints]
    predicted = float(np.interp(step, at, [r.metrics["valid"] for r in checkpoints]))
    low = float(np.interp(step, at, [r.intervals["valid"].low for r in checkpoints]))
    high = float(np.interp(step, at, [r.intervals["valid"].high for r in checkpoints]))
    actual = max(reached) if prediction.log.direction == "maximize" else min(reached)
    return predicted, low, high, actual, step


def _curve_mae(predicted: TrainingLog, actual: TrainingLog) -> float | None:
    """Return the mean absolute difference at the predicted steps that were reached."""
    steps, values = actual.curve("valid")
    finite = [(s, v) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
    if not finite:
        return None
    last = finite[-1][0]
    wanted = [(s, v) for s, v in zip(*predicted.curve("valid"), strict=True) if s <= last and math.isfinite(v)]
    if not wanted:
        return None
    there = np.interp([s for s, _ in wanted], [s for s, _ in finite], [v for _, v in finite])
    return float(np.mean(np.abs(there - [v for _, v in wanted])))


def _ratio(actual: float, predicted: float) -> float | None:
    return actual / predicted if actual > 0 and predicted > 0 and math.isfinite(actual / predicted) else None


class CompareArguments(BaseModel):
    """Which trial to compare."""

    model_config = ConfigDict(extra="forbid")
    trial: int = Field(ge=1, description="number of a trial that ended")


class Comparison(BaseModel):
    """One trial's predicted and actual validation curve, thinned to a few rows, and the gap between them.

    `note` says where and why the forecast failed, or why there is nothing to compare.
    """

    model_config = ConfigDict(frozen=True)
    trial: int
    model: str
    status: str
    metric: str
    direction: str
    predicted: tuple[tuple[int, float], ...]
    actual: tuple[tuple[int, float], ...]
    gap: Gap | None
    note: str = ""


@tool("compare_logs", CompareArguments)
def compare_logs(arguments: CompareArguments, context: Context) -> Comparison:
    """Set a trial's actual training log beside its predicted one: error, whether the 80% interval covered the score,
    and both validation curves.
    """
    state = current_state(context)
    trial = state.trials.get(arguments.trial)
    if trial is None:
        raise ToolError(f"there is no trial {arguments.trial}; trials: {_numbers(sorted(state.trials))}")
    if trial.prediction is None:
        raise ToolError(f"trial {arguments.trial} has no forecast yet")
    found = trial.gap or gap(trial.prediction, trial)
    return Comparison(
        trial=trial.number,
        model=trial.model,
        status=trial.status,
        metric=trial.metric.name,
        direction=trial.metric.direction,
        predicted=_thinned(trial.prediction.log),
        actual=_thinned(trial.log),
        gap=found,
        note=failure(state, trial) if found else f"nothing to compare: the trial is {trial.status}",
    )


def _thinned(log: TrainingLog, most: int = 12) -> tuple[tuple[int, float], ...]:
    pairs = list(zip(*log.curve("valid"), strict=True))
    if len(pairs) <= most:
        return tuple(pairs)
    return tuple(pairs[i] for i in sorted({round(k * (len(pairs) - 1) / (most - 1)) for k in range(most)}))


def _numbers(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if numbers else "none yet"
