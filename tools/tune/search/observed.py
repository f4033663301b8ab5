"""What a run knows of one model's configurations: ended trials with what they count for, and those still open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.allowed import deliverable
from automl_gpt.tools.tune.scale import FINITE
from automl_gpt.tools.tune.space import Vector, legal, matrix

FAILED = -1e308
"""What a failed trial counts for: less than any score."""
UNSURE = 0.3
"""Variance, in units of the spread, that a value adds which was predicted, or measured on a part of the folds."""


@dataclass(frozen=True)
class Observed:
    """Ended trials of a model: coordinates, values in which more is better, and variances that single ones add."""

    at: Vector
    values: Vector
    uncertain: Vector

    def __len__(self) -> int:
        return len(self.values)

    def some(self, most: int) -> Observed:
        """Return at most `most` of them: half the best ones, and others evenly spaced by rank."""
        if len(self) <= most:
            return self
        order = np.argsort(-self.values, kind="stable")
        best, rest = order[: most // 2], order[most // 2 :]
        kept = np.sort(np.concatenate([best, rest[np.linspace(0, len(rest) - 1, most - len(best)).astype(int)]]))
        return Observed(self.at[kept], self.values[kept], self.uncertain[kept])


def observed(state: RunState, card: ModelCard, trials: Sequence[Trial]) -> tuple[Observed, Vector]:
    """Return what the model's trials showed, and the coordinates of those that are still open.

    Trials outside the card's search space, which a limit may have narrowed, are left out, and so are withdrawn ones.
    """
    inside = [t for t in trials if legal(card, t.hyperparameters) and t.status != "withdrawn"]
    ended = [t for t in inside if t.status not in ("proposed", "predicted", "running")]
    values = [_worth(t, state) for t in ended]
    unsure = [0.0 if t.whole or v <= FAILED else UNSURE for t, v in zip(ended, values, strict=True)]
    seen = Observed(matrix(card, [t.hyperparameters for t in ended]), np.array(values), np.array(unsure))
    waiting = [t for t in inside if t.status in ("proposed", "predicted", "running")]
    return seen, matrix(card, [t.hyperparameters for t in waiting])


def _worth(trial: Trial, state: RunState) -> float:
    """Return what an ended trial counts for, more is better; a skipped one counts what was predicted.

    One that was ended amid its curve counts what it had reached: little, so that a search that has no time for slow
    configurations leaves its like alone.

    The built-in forecast of it counts where there is one: a language model's figures are no observations. A trial
    whose model is too large or too slow to be delivered counts as failed, so that the search leaves its like alone.
    """
    said = trial.shadow or trial.prediction
    value = said.value if trial.status == "skipped" and said else trial.value
    if value is None or not math.isfinite(value) or not deliverable(state, trial):
        return FAILED
    return state.need_metric().sign * min(max(value, -FINITE), FINITE)
