"""Forecasts of running curves: nearer than the last value, honest intervals, any shape, any damage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.tools.tune.forecasts.continuation import Continuation, Forest
from automl_gpt.tools.tune.forecasts.curves import extrapolate
from automl_gpt.tools.tune.forecasts.finished_curves import as_curves, thinned
from automl_gpt.tools.tune.forecasts.prefix import Curve, curve_of, features, power_law_gain

STEPS = np.arange(1.0, 51)


def made(n: int, seed: int, *, noise: float = 0.005, data: str = "") -> list[Curve]:
    """Rising curves whose end and speed follow their coordinates."""
    rng = np.random.default_rng(seed)
    found: list[Curve] = []
    for _ in range(n):
        point = rng.random(3)
        end, speed = 0.6 + 0.3 * point[0], 0.02 + 0.3 * point[1] ** 2
        values = end - (end - 0.2) * np.exp(-speed * STEPS) + rng.normal(0, noise, len(STEPS))
        found.append(Curve(STEPS, values, 50.0, point, data))
    return found


def said(finished: list[Curve], running: list[Curve], share: float = 0.2) -> list[Continuation]:
    forest = Forest(finished, share)
    return [forest.predict(c.until(share)) for c in running]


def ends(curves: list[Curve]) -> np.ndarray:
    return np.array([c.values[-1] for c in curves])


def test_the_end_is_foretold_much_better_than_by_the_last_value():
    finished, running = made(30, 0), made(40, 1)
    found = np.array([s.mean[-1] for s in said(finished, running)])
    last = np.array([c.until(0.2).values[-1] for c in running])
    assert np.abs(found - ends(running)).mean() < 0.4 * np.abs(last - ends(running)).mean()


def test_losses_are_foretold_as_scores_are_with_the_sign_changed():
    curves = made(20, 0)
    losses = [curve_of(c.steps.tolist(), (1 - c.values).tolist(), 50) for c in curves]
    assert all(losses)
    past = as_curves([thinned(c, p.point.tolist()) for c, p in zip(losses, curves, strict=True) if c], "minimize", 50)
    steps, values = STEPS[:10].tolist(), (1 - curves[0].values[:10]).tolist()
    reach = extrapolate(steps, values, "minimize", 50, past[1:], curves[0].point.tolist())
    assert reach is not None and reach.low <= reach.mean <= reach.high <= min(values)


@pytest.mark.parametrize("count", [3, 4, 6, 12, 30])
def test_80_percent_intervals_cover_about_that_and_rather_more_with_few_finished_curves(count: int):
    hits: list[float] = []
    for seed in range(6):
        running = made(12, 100 + seed)
        found = said(made(count, seed), running)
        hits += [s.low[-1] <= end <= s.high[-1] for s, end in zip(found, ends(running), strict=True)]
    assert 0.7 <= np.mean(hits) <= (0.95 if count == 30 else 1.0)


def test_curves_of_other_data_sets_stand_in_where_the_own_ones_are_missing():
    others = [c for i in range(4) for c in made(15, i, data=f"other{i}")]
    running = made(20, 9, data="mine")
    forest = Forest(others, 0.2, "mine")
    found = np.array([forest.predict(c.until(0.2)).mean[-1] for c in running])
    last = np.array([c.until(0.2).values[-1] for c in running])
    assert np.abs(found - ends(running)).mean() < 0.5 * np.abs(last - ends(running)).mean()


def test_a_forecast_starts_at_the_next_steps_ends_at_the_horizon_and_is_never_below_the_best_so_far():
    curve = made(1, 5)[0].until(0.4)
    found = Forest(made(20, 4), 0.4).predict(curve)
    assert found.steps[0] > curve.steps[-1] and found.steps[-1] == 50
    assert (found.low <= found.mean).all() and (found.mean <= found.high).all()
    low, high = found.best[1:]
    assert curve.values.max() <= low <= found.best[0] <= high
    assert found.chance(-1.0) > 0.9 and found.chance(2.0) < 0.1


def test_the_same_curves_give_the_same_forecast():
    a, b = (said(made(15, 0), made(3, 1)) for _ in range(2))
    assert all((x.mean == y.mean).all() and (x.low == y.low).all() for x, y in zip(a, b, strict=True))


def test_diverged_jumping_flat_and_double_descending_curves_give_finite_ordered_forecasts():
    rng, finished = np.random.default_rng(0), made(10, 0)
    odd = [
        np.full(50, 0.3),
        np.where(STEPS < 20, 0.5, -1e12),
        np.where(STEPS == 5, 1e12, 0.5),
        0.5 + 0.2 * np.sin(STEPS / 4),
        rng.normal(0, 1e-9, 50),
    ]
    curves = finished + [Curve(STEPS, v, 50.0, rng.random(3)) for v in odd]
    for found in said(curves, curves):
        numbers = np.concatenate([found.mean, found.low, found.high, found.best])
        assert np.isfinite(numbers).all() and (found.low <= found.high).all()


def test_a_single_row_and_coordinates_of_another_space_are_no_error():
    one = curve_of([1], [0.4], 50, [0.1, 0.2])
    assert one is not None
    found = Forest(made(10, 0), 0.02).predict(one)
    assert found.best[1] <= found.best[0] <= found.best[2]


def test_with_too_few_finished_curves_no_forest_is_grown():
    with pytest.raises(ValueError, match="too few"):
        Forest(made(2, 0), 0.2)


def test_rows_that_are_no_numbers_are_left_out_and_of_repeated_steps_the_last_counts():
    curve = curve_of([3, 1, 1, 2, 4], [math.nan, 0.1, 0.2, math.inf, 0.5])
    assert curve is not None
    assert curve.steps.tolist() == [1, 4] and curve.values.tolist() == [0.2, 0.5]
    assert curve_of([1, 2], [math.nan, math.inf]) is None
    assert np.isfinite(features(curve, 2)).all()


def test_power_laws_gain_what_is_left_and_nothing_at_the_end():
    curve = Curve(STEPS[:10], 0.9 - 0.4 / STEPS[:10], 50.0)
    assert 0.4 * (0.4 / 10 - 0.4 / 50) < power_law_gain(curve) < 3 * (0.4 / 10 - 0.4 / 50)
    assert power_law_gain(Curve(STEPS, STEPS, 50.0)) == 0.0


def test_thinning_keeps_the_extremes_and_the_last_row():
    steps = np.arange(1.0, 1001)
    values = np.sin(steps / 100)
    kept = thinned(Curve(steps, values, 1000.0), [math.nan, 0.5])
    assert len(kept.steps) <= 64 and kept.steps[-1] == 1000 and kept.point == (-1.0, 0.5)
    assert max(kept.values) == values.max() and min(kept.values) == values.min()
