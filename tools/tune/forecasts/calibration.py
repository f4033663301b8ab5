"""How wide intervals have to be, as the run's own forecasts show: narrower where all hit, wider where they missed.

Adaptive conformal inference (Gibbs and Candes 2021): each forecast that hit takes a little of the width away, each that
missed gives four times as much back, so that the share of misses settles at a fifth, however wrong the model is.
"""

from __future__ import annotations

import math

from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.scale import scored

MISSED = 0.2
"""The share that an 80% interval may miss."""
PACE = 0.3
"""How fast widths follow: fifteen hits in a row bring them to two fifths."""
NARROWEST, WIDEST = 0.25, 3.0


def width_factor(state: RunState) -> float:
    """Return by how much intervals are stretched: 1 before any forecast of a trial that was trained to its end."""
    factor = 1.0
    for trial in scored(state):
        said = trial.shadow or trial.prediction
        if not trial.whole or trial.value is None or said is None or said.low is None or said.high is None:
            continue
        missed = not said.low <= trial.value <= said.high
        factor = min(max(factor * math.exp(PACE * (missed - MISSED)), NARROWEST), WIDEST)
    return factor
