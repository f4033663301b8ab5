"""A running learning curve as numbers: where it stands, how it moved, where power laws see it end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
HUGE = 1e300
MOST_ROWS = 24
"""A curve with more rows is read at this many places, evenly spread: dense logs and thinned ones look alike."""
LEVELS = 13
"""So many features come first that are in units of the values."""
_POWERS = (0.25, 0.5, 1.0, 2.0)


def _nowhere() -> Vector:
    return np.zeros(0)


@dataclass(frozen=True)
class Curve:
    """One curve: `steps` (rising) and finite `values` of the same length, at least one; more is better.

    `point` are its configuration's coordinates (NaN: inactive). `horizon` is the step at which it ends or would end; a
    running curve and finished ones are compared at the same share of it. `data` names its data set.
    """

    steps: Vector
    values: Vector
    horizon: float
    point: Vector = field(default_factory=_nowhere)
    data: str = ""

    def until(self, share: float) -> Curve:
        """Return the rows up to a share of the horizon, the first one at least."""
        count = max(1, int(np.searchsorted(self.steps, share * self.horizon * (1 + 1e-9), side="right")))
        return Curve(self.steps[:count], self.values[:count], self.horizon, self.point, self.data)

    def at(self, shares: Vector) -> Vector:
        """Return values at shares of the horizon, interpolated, flat outside the rows."""
        return np.interp(shares * self.horizon, self.steps, self.values)


def curve_of(
    steps: Sequence[float],
    values: Sequence[float],
    horizon: float | None = None,
    point: Sequence[float] | Vector = (),
    data: str = "",
) -> Curve | None:
    """Make a curve of rows as they were logged: of a repeated step the last row counts, one that is no number is left
    out; None where nothing is left."""
    rows = {float(s): float(v) for s, v in zip(steps, values, strict=True) if math.isfinite(v) and abs(v) < HUGE}
    if not rows:
        return None
    at = np.array(sorted(rows))
    end = max(float(at[-1]), horizon or 0.0, 1.0)
    return Curve(at, np.array([rows[s] for s in at]), end, np.asarray(point, dtype=float), data)


def features(prefix: Curve, width: int) -> Vector:
    """Return what is known of a curve from its rows so far: levels, moves, noise, power laws, length, coordinates.

    `width` is the number of coordinates; those of a configuration with another number of them are unknown (-1).
    """
    law, n, end = power_law_gain(prefix), len(prefix.values), prefix.horizon
    y = prefix.values
    if n > MOST_ROWS:
        y = np.interp(np.linspace(prefix.steps[0], prefix.steps[-1], MOST_ROWS), prefix.steps, y)
        n = MOST_ROWS
    quarter, half, part = n // 4, n // 2, max(1, n // 4)
    late, early = float(y[-part:].mean()), float(y[:part].mean())
    noise = float(np.abs(np.diff(y)).std()) if n > 2 else 0.0
    known = (
        y[-1], late, y[half], y[quarter], y[0], y.max(), y[-1] - y[-2] if n > 1 else 0.0, late - early,
        y[-1] - y[half], y[half] - y[quarter], y.max() - y[-1], noise, law, math.log(n), math.log(end),
    )  # fmt: skip
    point = np.nan_to_num(prefix.point, nan=-1.0) if len(prefix.point) == width else np.full(width, -1.0)
    return np.concatenate([np.array(known, dtype=float), point])


def power_law_gain(prefix: Curve) -> float:
    """Return what the curve gains up to its horizon by power laws c - a t^-b of the second half, averaged over b.

    No law may go farther than three times the range of the rows so far.
    """
    n = len(prefix.values)
    if n < 3 or prefix.steps[-1] >= prefix.horizon:
        return 0.0
    half = slice(max(0, min(n // 2, n - 3)), None)
    start = min(float(prefix.steps[0]), 1.0) - 1.0
    t, y, end = prefix.steps[half] - start, prefix.values[half], prefix.horizon - start
    gains: list[float] = []
    for power in _POWERS:
        x = t**-power
        away = x - x.mean()
        spread = float(away @ away)
        gains.append(float(away @ y) / spread * float(end**-power - x[-1]) if spread > 0 else 0.0)
    reach = 3 * float(np.ptp(prefix.values))
    return float(np.clip(gains, -reach, reach).mean())
