"""The usual shape of a model's learning curves: how far they have come at the checkpoints of a predicted log."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal.state import Trial
from automl_gpt.tools.tune.extrapolate import running_best
from automl_gpt.tools.tune.space import Vector

CHECKPOINTS = (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Where along a predicted log its rows stand, as shares of its steps."""
_LATEST = 20
"""At most this many finished trials of the model are looked at."""
_LAW_TRIALS = 2
"""How many finished trials the law counts for."""


@dataclass(frozen=True)
class Shape:
    """Shares of the way from the trivial score to the curve's best, one for each checkpoint: mean and spread."""

    mean: Vector
    spread: Vector


TABLES = Shape(np.array([0.55, 0.8, 0.93, 0.985, 0.995, 1.0]), np.array([0.3, 0.2, 0.1, 0.03, 0.01, 0.0]))
"""The law for models of tables, which stop by themselves: about what the curves of six models have in common, in runs
on open data and in the shipped experience (`python -m benchmarks.usual_curves`)."""
EXAMPLES = Shape(np.array([0.3, 0.5, 0.7, 0.85, 0.96, 1.0]), np.array([0.35, 0.35, 0.3, 0.2, 0.08, 0.0]))
"""The law for texts and pictures, where networks train for as long as they are told."""


def usual_shape(
    law: Shape,
    trials: Sequence[Trial],
    base: float,
    last: int,
    size: float = 1.0,
    size_of: Callable[[Hyperparameters], float] | None = None,
) -> Shape:
    """Return the shape of a curve that ends at step `last`, as finished trials of its model and a law tell it.

    Curves are set against each other at the same share of their steps; with `size_of` at the same number of steps times
    their size, as boosting comes as far by fewer but larger ones: `size` is that of the curve's own. `base` is the
    trivial score.
    """
    shapes: list[Vector] = []
    for trial in trials[-_LATEST:]:
        scale = None if size_of is None else last * size / size_of(trial.hyperparameters)
        if (shape := _shares(trial, base, scale)) is not None:
            shapes.append(shape)
    if not shapes:
        return law
    n = len(shapes) + _LAW_TRIALS
    mean = (_LAW_TRIALS * law.mean + np.sum(shapes, axis=0)) / n
    around = np.sum([(s - mean) ** 2 for s in shapes], axis=0)
    return Shape(mean, np.sqrt((_LAW_TRIALS * (law.spread**2 + (law.mean - mean) ** 2) + around) / n))


def _shares(trial: Trial, base: float, last: float | None) -> Vector | None:
    """Return the shares of one finished curve at the checkpoints of one that ends at its step `last`; None if it has
    too few rows, or has not come better than the trivial score."""
    steps, values = trial.log.curve("valid", 0)
    best = trial.metric.sign * (running_best(values, trial.metric.direction) - base)
    if len(best) < 3 or not np.isfinite(best).all() or best[-1] <= 1e-9 * max(1.0, abs(base)):
        return None
    at = [c * (steps[-1] if last is None else last) for c in CHECKPOINTS]
    return np.clip(np.interp(at, steps, best) / best[-1], -1.0, 1.0)


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
