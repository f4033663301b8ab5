"""Finished curves of a run as plain data, thinned, with their configurations' coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.allowed import whole_cards
from automl_gpt.tools.tune.forecasts.prefix import Curve, curve_of
from automl_gpt.tools.tune.space import encode

FEWEST_ROWS = 3
"""Curves with fewer rows than this teach nothing, and are not judged."""
MOST_PAST, MOST_ROWS = 40, 60
"""How many finished curves are kept, and about how many rows of each."""


class Past(BaseModel):
    """A finished curve, thinned: its steps and values in the metric's unit, and its configuration's coordinates (-1:
    inactive). `data` names its data set; empty: the one at hand. `end` is the step at which one that was cut would have
    ended; 0 for its last one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    steps: tuple[float, ...]
    values: tuple[float, ...]
    point: tuple[float, ...] = ()
    data: str = ""
    end: float = 0.0

    def best_at(self, share: float, sign: int) -> float | None:
        """Return the best value, more is better, up to a share of the whole curve; None if it did not come there."""
        step = share * (self.end or self.steps[-1])
        if self.steps[-1] < step * (1 - 1e-9):
            return None
        return max(sign * v for s, v in zip(self.steps, self.values, strict=True) if s <= max(step, self.steps[0]))


def past_curves(state: RunState, model: str) -> tuple[Past, ...]:
    """Return the latest complete curves of a model, at most 40, those of their first folds."""
    done = [t for t in state.done() if t.whole and t.model == model]
    found: list[Past] = []
    for trial in done[-MOST_PAST:]:
        curve = curve_of(*trial.log.curve("valid", 0))
        if curve is not None and len(curve.values) >= FEWEST_ROWS:
            found.append(thinned(curve, point_of(state, trial)))
    return tuple(found)


def cut_curves(state: RunState, model: str, but: int) -> tuple[Past, ...]:
    """Return the latest curves of a model that were ended amid their first fold, one trial's left out."""
    ended = [t for t in state.done() if t.model == model and t.end is not None and t.end.cut and len(t.end.folds) < 2]
    found: list[Past] = []
    for trial in [t for t in ended if t.number != but][-MOST_PAST:]:
        curve = curve_of(*trial.log.curve("valid", 0))
        if curve is not None:
            found.append(thinned(curve, point_of(state, trial)).model_copy(update={"end": planned_end(trial)}))
    return tuple(found)


def planned_end(trial: Trial) -> float:
    """Return the step at which a trial's log was predicted to end; 0 without a forecast.

    By the built-in forecast where there is one: a language model can't keep a trial from being judged.
    """
    said = trial.shadow or trial.prediction
    return float(max((row.step for row in said.log.rows), default=0)) if said else 0.0


def standing(best: float, share: float, others: Sequence[Past], sign: int) -> tuple[int, int]:
    """Return how many curves were better, by their best so far, at a share of their training, and how many came there.

    Those of other data sets don't count.
    """
    there = [value for p in others if not p.data and (value := p.best_at(share, sign)) is not None]
    return sum(value > best for value in there), len(there)


def thinned(curve: Curve, point: Sequence[float]) -> Past:
    """Return a finished curve with some 60 rows at the most, evenly spread; its extremes and its last row stay."""
    n = len(curve.values)
    extremes = [0, n - 1, int(curve.values.argmax()), int(curve.values.argmin())]
    kept = np.unique(np.append(np.linspace(0, n - 1, min(n, MOST_ROWS)).round().astype(int), extremes))
    return Past(
        steps=tuple(curve.steps[kept].tolist()),
        values=tuple(curve.values[kept].tolist()),
        point=tuple(np.nan_to_num(np.asarray(point, dtype=float), nan=-1.0).tolist()),
        data=curve.data,
    )


def as_curves(past: Sequence[Past], direction: Literal["maximize", "minimize"], horizon: float) -> list[Curve]:
    """Return curves of which more is better. They are set against a running one at the same steps, so all get its
    horizon; one that ended before stays as it ended, and a later row than the horizon's counts for nothing."""
    sign = 1 if direction == "maximize" else -1
    found: list[Curve] = []
    for one in past:
        rows = [(s, sign * v) for s, v in zip(one.steps, one.values, strict=True) if s <= horizon]
        curve = curve_of([s for s, _ in rows], [v for _, v in rows], horizon, one.point, one.data)
        if curve is not None:
            found.append(curve)
    return found


def point_of(state: RunState, trial: Trial) -> tuple[float, ...]:
    """Return the coordinates of a trial's configuration, -1 where one is inactive; empty without its Model Card."""
    card = whole_cards(state).get(trial.model)
    return () if card is None else tuple(np.nan_to_num(encode(card, trial.hyperparameters), nan=-1.0).tolist())
