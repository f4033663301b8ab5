"""What running and paused trials may still reach, and which paused one is worth the next steps (freeze-thaw)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.continuation import FEWEST, Forest
from automl_gpt.tools.tune.curves import Reach, extrapolate
from automl_gpt.tools.tune.finished_curves import as_curves, past_curves, point_of
from automl_gpt.tools.tune.prefix import Curve


def expected_end(state: RunState, trial: Trial, horizon: int) -> Reach | None:
    """Predict the best value of a running trial's first fold by step `horizon`, from its rows and from the finished
    curves of its model; None where it has no row with a finite value."""
    steps, values = trial.log.curve("valid", 0)
    direction, last = state.need_metric().direction, float(max([horizon, *steps]))
    past = as_curves(past_curves(state, trial.model), direction, last)
    return extrapolate(steps, values, direction, horizon, past, point_of(state, trial))


def thaw_order(
    paused: Sequence[Curve], finished: Sequence[Curve], best: float, data: str = ""
) -> list[tuple[int, float]]:
    """Rank paused curves (more is better) by their chance of beating `best` per step that is left up to their horizon.

    Returns pairs of index and chance per step, the most promising first; ties keep the given order. One forest serves
    all curves that were paused at the same share. With fewer than three finished curves power laws tell the chance.
    Freeze-thaw: Swersky et al. 2014.
    """
    forests: dict[float, Forest] = {}
    rates: list[float] = []
    for curve in paused:
        share = min(round(float(curve.steps[-1]) / curve.horizon, 2), 1.0)
        if len(finished) >= FEWEST and share not in forests:
            forests[share] = Forest(finished, share, data)
        chance = forests[share].predict(curve).chance(best) if share in forests else _by_law(curve, best)
        rates.append(chance / max(curve.horizon - float(curve.steps[-1]), 1.0))
    return sorted(enumerate(rates), key=lambda pair: -pair[1])


def _by_law(curve: Curve, best: float) -> float:
    reach = extrapolate(curve.steps.tolist(), curve.values.tolist(), "maximize", math.ceil(curve.horizon))
    if reach is None:
        return 0.0
    std = max((reach.high - reach.mean) / 1.28, 1e-12 * max(1.0, abs(reach.mean)))
    return 0.5 * math.erfc((best - reach.mean) / (std * math.sqrt(2)))
