"""Learning curves: their usual shape, and how far a running one can still get, by finished ones where there are any."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.journal.state import Trial
from automl_gpt.tools.tune.extrapolate import Direction, Reach, power_laws, running_best
from automl_gpt.tools.tune.forecasts.continuation import FEWEST, Forest
from automl_gpt.tools.tune.forecasts.prefix import Curve, curve_of

CHECKPOINTS = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Where along a predicted log its rows stand, as shares of its steps."""


def extrapolate(
    steps: Sequence[float],
    values: Sequence[float],
    direction: Direction,
    horizon: float,
    past: Sequence[Curve] = (),
    point: Sequence[float] = (),
) -> Reach | None:
    """Predict the best value that a running curve reaches by step `horizon`; None where no row has a finite value.

    With three finished curves (`past`, in which more is better) and more, by a forest over them; `point` are then the
    coordinates of the running one's configuration. Else by power laws.
    """
    curve = curve_of(steps, [v if direction == "maximize" else -v for v in values], horizon, point)
    if curve is not None and len(past) >= FEWEST:
        said = Forest(past, float(curve.steps[-1]) / curve.horizon).predict(curve).best
        mean, low, high = said if direction == "maximize" else (-said[0], -said[2], -said[1])
        return Reach(mean=mean, low=low, high=high)
    return power_laws(steps, values, direction, horizon)


def relative_shape(trial: Trial) -> NDArray[np.float64] | None:
    """Return which share of its way from first row to best a finished curve had gone at each checkpoint."""
    steps, values = trial.log.curve("valid")
    best = running_best(values, trial.metric.direction)
    if len(best) < 3 or not np.isfinite(best).all() or abs(best[-1] - best[0]) < 1e-12 * max(1.0, abs(best[-1])):
        return None
    at = np.interp([c * steps[-1] for c in CHECKPOINTS], steps, best)
    return (at - best[0]) / (best[-1] - best[0])


def usual_shape(trials: Sequence[Trial]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean shape over finished trials and its spread; a power law with a wide spread where there is none."""
    law = 1 - np.array([0.55, 0.3, 0.12, 0.04, 0.0])
    loose = np.array([0.3, 0.2, 0.1, 0.05, 0.0])
    shapes = [s for s in map(relative_shape, trials[-20:]) if s is not None]
    n = len(shapes)
    mean = (2 * law + np.sum(shapes, axis=0)) / (2 + n) if n else law
    spread = np.sqrt((2 * loose**2 + np.sum([(s - mean) ** 2 for s in shapes], axis=0)) / (2 + n)) if n else loose
    return mean, spread


def usual_start(trials: Sequence[Trial]) -> float | None:
    """Return the median first value of the curves of finished trials."""
    firsts = [v[0] for v in (t.log.curve("valid")[1] for t in trials[-20:]) if v and math.isfinite(v[0])]
    return float(np.median(firsts)) if firsts else None


def usual_lead(trials: Sequence[Trial]) -> tuple[float, float] | None:
    """Return by how much the training score is above the best validation score at the end, and the spread of that."""
    leads: list[float] = []
    for trial in trials[-20:]:
        train, best = trial.log.curve("train")[1], trial.log.best()
        if train and best is not None and math.isfinite(train[-1]):
            leads.append(train[-1] - best)
    if not leads:
        return None
    middle = float(np.median(leads))
    return middle, float(np.std(leads)) if len(leads) > 2 else abs(middle)
