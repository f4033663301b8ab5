"""Trials that were ended early and left a checkpoint: which are kept, and which looks worth going on with.

As in freeze-thaw optimisation (Swersky et al., 2014) a curve that cannot win is paused, not lost: when what is known
changes, such as the limits that a person sets, the stop rule is asked again, and who passes it may go on.
"""

from __future__ import annotations

from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.curves import Reach, extrapolate
from automl_gpt.tools.tune.stopping import make_stop_rule

MOST = 3
"""Checkpoints of so many trials are kept, those of the best scores."""


def paused(state: RunState) -> list[Trial]:
    """Return the trials that can go on from a checkpoint, the best score first."""
    sign = state.need_metric().sign
    ended = [t for t in state.done() if t.status == "pruned" and t.end is not None and t.end.paused and not t.resumed]
    return sorted(ended, key=lambda t: (-sign * (t.value or 0.0), t.number))[:MOST]


def worth_resuming(state: RunState, seconds_left: float | None) -> Trial | None:
    """Return the paused trial that is expected to reach the most, of those that would not be ended any more.

    None where there is none, or where none would get to its end in the time left.
    """
    found = [(reach.mean, trial) for trial in paused(state) if (reach := _reach(state, trial, seconds_left))]
    sign = state.need_metric().sign
    return max(found, key=lambda pair: (sign * pair[0], -pair[1].number))[1] if found else None


def _reach(state: RunState, trial: Trial, seconds_left: float | None) -> Reach | None:
    assert trial.end is not None
    steps, values = trial.log.curve("valid")
    horizon = max((row.step for row in trial.prediction.log.rows), default=0) if trial.prediction else 0
    if not steps or horizon <= steps[-1] or make_stop_rule(state, trial).after_row(0, steps, values) is not None:
        return None
    rest = trial.end.seconds * (horizon - steps[-1]) / max(steps[-1], 1)
    if seconds_left is not None and rest > seconds_left:
        return None
    return extrapolate(steps, values, trial.metric.direction, horizon)
