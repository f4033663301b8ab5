"""Trials that were ended early and left a checkpoint: which are kept, and which looks worth going on with.

As in freeze-thaw optimisation (Swersky et al., 2014) a curve that cannot win is paused, not lost: when what is known
changes, such as the limits that a person sets, the stop rule is asked again, and of those who pass it the one goes on
that has the best chance to win per step that is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.allowed import best_deliverable
from automl_gpt.tools.tune.extrapolate import power_laws
from automl_gpt.tools.tune.forecasts.continuation import FEWEST, Forest
from automl_gpt.tools.tune.forecasts.finished_curves import as_curves, past_curves, point_of
from automl_gpt.tools.tune.forecasts.prefix import Curve, curve_of
from automl_gpt.tools.tune.forecasts.stopping import make_stop_rule

MOST = 3
"""Checkpoints of so many trials are kept, those of the best scores."""


def paused(state: RunState) -> list[Trial]:
    """Return the trials that can go on from a checkpoint, the best score first."""
    sign = state.need_metric().sign
    ended = [t for t in state.done() if t.status == "pruned" and t.end is not None and t.end.paused and not t.resumed]
    return sorted(ended, key=lambda t: (-sign * (t.value or 0.0), t.number))[:MOST]


def worth_resuming(state: RunState, seconds_left: float | None) -> Trial | None:
    """Return the paused trial with the best chance to win per step left, of those that would not be ended any more.

    None where there is none, or where none would get to its end in the time left.
    """
    found = [(trial, curve) for trial in paused(state) if (curve := _rest(state, trial, seconds_left)) is not None]
    if not found:
        return None
    metric, best = state.need_metric(), best_deliverable(state)
    aim = -math.inf if best is None or best.value is None else metric.sign * best.value
    chances = [_chance(state, trial, curve, aim) / (curve.horizon - curve.steps[-1]) for trial, curve in found]
    return found[max(range(len(found)), key=lambda i: chances[i])][0]


def _rest(state: RunState, trial: Trial, seconds_left: float | None) -> Curve | None:
    """Return the curve so far, more is better, of a trial that may go on; None where it may not, or has no time to."""
    assert trial.end is not None
    steps, values = trial.log.curve("valid", 0)
    horizon = max((row.step for row in trial.prediction.log.rows), default=0) if trial.prediction else 0
    if not steps or horizon <= steps[-1] or _still_ended(state, trial, steps, values):
        return None
    rest = trial.end.seconds * (horizon - steps[-1]) / max(steps[-1], 1)
    if seconds_left is not None and rest > seconds_left:
        return None
    return curve_of(steps, [trial.metric.sign * v for v in values], horizon, point_of(state, trial))


def _still_ended(state: RunState, trial: Trial, steps: Sequence[int], values: Sequence[float]) -> bool:
    rule = make_stop_rule(state, trial)
    return any(rule.after_row(0, steps[:n], values[:n]) is not None for n in range(1, len(steps) + 1))


def _chance(state: RunState, trial: Trial, curve: Curve, aim: float) -> float:
    """Return the chance that a curve beats `aim`: by a forest over finished ones, by power laws while they are few."""
    finished = as_curves(past_curves(state, trial.model), trial.metric.direction, curve.horizon)
    if len(finished) >= FEWEST:
        return Forest(finished, float(curve.steps[-1]) / curve.horizon).predict(curve).chance(aim)
    reach = power_laws([int(s) for s in curve.steps], curve.values.tolist(), "maximize", math.ceil(curve.horizon))
    if reach is None:
        return 0.0
    spread = max((reach.high - reach.mean) / 1.28, 1e-12 * max(1.0, abs(reach.mean)))
    return 0.5 * math.erfc((aim - reach.mean) / (spread * math.sqrt(2)))
