"""How far a running learning curve can still get: by finished curves where there are any, else by itself."""

from __future__ import annotations

from collections.abc import Sequence

from automl_gpt.tools.tune.extrapolate import Direction, Reach, power_laws
from automl_gpt.tools.tune.forecasts.continuation import FEWEST, Forest
from automl_gpt.tools.tune.forecasts.prefix import Curve, curve_of


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
