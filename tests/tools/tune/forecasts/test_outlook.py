"""What a run is expected to end with: honest about random searches, silent where nothing is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from automl_gpt.tools.tune.forecasts.outlook import best_of_more, outlook
from tests.tools.tune.simulated import BOOSTING, play, started

Draw = Callable[[np.random.Generator, int], np.ndarray]
TAILS: dict[str, Draw] = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "normal": lambda rng, n: rng.normal(size=n),
    "bounded": lambda rng, n: -(rng.uniform(size=n) ** 2),
}


@pytest.mark.parametrize("name", list(TAILS))
def test_the_interval_covers_the_end_of_most_random_searches(name: str) -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        seen, more = (TAILS[name](rng, n) for n in (10, 30))
        low, _, high = best_of_more(list(seen), 30)
        covered += bool(low <= max(seen.max(), more.max()) <= high)
    assert covered / 200 >= 0.7


def test_more_trials_promise_more_and_none_promises_nothing() -> None:
    units = [0.0, 0.3, 0.1, 0.5]
    ends = [best_of_more(units, n)[2] for n in (0, 5, 50)]
    assert ends[0] == 0.5 < ends[1] < ends[2]


def test_a_run_says_what_it_will_end_with_once_three_trials_have_scores() -> None:
    state = started()
    assert outlook(state, 100.0) is None
    play(state, ["boosting", "trees"], 6)
    best = max(t.value or 0.0 for t in state.done())
    ahead = outlook(state, 100.0)
    assert ahead is not None and best <= ahead.low <= ahead.value <= ahead.high <= 1.0 and ahead.trials > 0
    over = outlook(state, 0.0)
    assert over is not None and over.trials == 0 and over.low == over.high == pytest.approx(best)
    assert outlook(state, None) is None


def test_a_metric_to_minimise_is_expected_to_fall() -> None:
    state = play(started(task="regression", metric="rmse"), [BOOSTING.name], 6)
    best = min(t.value or 9.0 for t in state.done())
    ahead = outlook(state, 300.0)
    assert ahead is not None and 0.0 <= ahead.low <= ahead.value <= ahead.high <= best + 1e-9
