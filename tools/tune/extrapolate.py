"""How a curve goes on by itself: power laws, its last slope; where a trial would have come that was ended amid one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from automl_gpt.tools.journal.state import Trial

Direction = Literal["maximize", "minimize"]
_CACHED = 512
_POWERS = (0.25, 0.5, 1.0, 2.0)


class Reach(BaseModel):
    """The best value that a curve is expected to reach, with an 80% interval, in the metric's own unit."""

    model_config = ConfigDict(frozen=True)
    mean: float
    low: float
    high: float


def running_best(values: Sequence[float], direction: Direction) -> NDArray[np.float64]:
    """Return the best value up to each row; NaN and infinities count for nothing, leading ones are left out."""
    sign = 1 if direction == "maximize" else -1
    signed = np.array([sign * v if math.isfinite(v) and abs(v) < 1e300 else -math.inf for v in values], dtype=float)
    best = np.maximum.accumulate(signed) if len(signed) else signed
    return sign * best


def power_laws(steps: Sequence[float], values: Sequence[float], direction: Direction, horizon: float) -> Reach | None:
    """Predict the best value that a running curve reaches by step `horizon`; None where no row has a finite value.

    It averages power laws c - a t^-b (fitted to the second half by least squares for a few b) and the last slope. The
    interval spans them, the noise of the rows, and more the farther the horizon and the fewer the rows.
    """
    best = running_best(values, direction)
    usable = np.isfinite(best)
    t, y = np.asarray(steps, dtype=float)[usable], best[usable]
    if not len(y):
        return None
    sign = 1 if direction == "maximize" else -1
    now = float(y[-1])
    if len(y) < 3:
        spread = max(abs(float(y[-1] - y[0])), 0.2 * abs(now), 1e-6)
        return Reach(mean=now, low=now - spread, high=now + spread)
    gains = np.maximum(sign * (_ends(t, y, float(max(horizon, t[-1]))) - now), 0.0)
    far = math.log2(max(horizon, t[-1]) / max(t[-1], 1.0)) if t[-1] < horizon else 0.0
    noise = float(np.abs(np.diff(y[len(y) // 2 :])).mean()) if len(y) > 3 else abs(float(y[-1] - y[0]))
    gain, more = float(gains.mean()), float(gains.max() - gains.mean())
    up = gain + 1.28 * (more + noise) * (1 + 4 / len(y)) + 0.02 * far * abs(float(y[-1] - y[0]))
    ends = sorted((now, now + sign * up))
    return Reach(mean=now + sign * gain, low=ends[0], high=ends[1])


def _ends(t: NDArray[np.float64], y: NDArray[np.float64], horizon: float) -> NDArray[np.float64]:
    half = slice(max(0, min(len(t) // 2, len(t) - 3)), None)
    at, to = t[half] - t[0] + 1, y[half]
    end = horizon - t[0] + 1
    found: list[float] = []
    for power in _POWERS:
        x = at**-power
        spread = float(((x - x.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (to - to.mean())).sum()) / spread if spread > 0 else 0.0
        found.append(float(to[-1] + slope * (end**-power - x[-1])))
    slope = float(to[-1] - to[0]) / max(float(at[-1] - at[0]), 1.0)
    found.append(float(to[-1] + slope * min(end - at[-1], 2 * (at[-1] - at[0]))))
    return np.array(found)


def comes_to(trial: Trial) -> float | None:
    """Return the score that a trial's configuration comes to; None where the trial has no score.

    It is the trial's own; where that was ended amid a curve, which says little of where the curve would have led, the
    mean over the folds before, and in the first fold what the curve would have reached by the end that was predicted.
    """
    if trial.end is None or trial.value is None or not trial.end.cut:
        return trial.value
    whole = trial.end.folds[:-1]
    if whole:
        return fmean(whole)
    said = trial.shadow or trial.prediction
    end = max((row.step for row in said.log.rows), default=0) if said else 0
    rows = tuple((float(r.step), r.metrics["valid"]) for r in trial.rows if "valid" in r.metrics)
    return _reached(rows, trial.metric.direction, float(end), trial.value)


@lru_cache(maxsize=_CACHED)
def _reached(rows: tuple[tuple[float, float], ...], direction: Direction, end: float, value: float) -> float:
    reach = power_laws([s for s, _ in rows], [v for _, v in rows], direction, end)
    return value if reach is None else reach.mean
