"""The sampler of one model: it finds an optimum, repeats nothing, and bears failures, ties and absurd values."""

from __future__ import annotations

import numpy as np
import pytest

from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.search.observed import FAILED, Observed
from automl_gpt.tools.tune.search.sampler import Sampler, log_expected_improvement, warped
from automl_gpt.tools.tune.space import decode, matrix, repeats
from tests.tools.tune.simulated import BOOSTING, objective
from tests.tools.tune.test_candidates import GRID

SPACE = Space(BOOSTING)


def seen(count: int, values: np.ndarray | None = None) -> Observed:
    at = SPACE.even(count, np.random.default_rng(0))
    found = [objective("boosting", decode(BOOSTING, x)) for x in at]
    return Observed(at, np.array(found) if values is None else values, np.zeros(count))


def none_waits() -> np.ndarray:
    return matrix(BOOSTING, [])


def test_it_goes_where_the_best_is_within_a_few_proposals():
    observed = seen(5)
    for number in range(15):
        at = Sampler(SPACE, observed, none_waits()).propose(observed.at, np.random.default_rng(number))
        assert at is not None
        value = objective("boosting", decode(BOOSTING, at))
        observed = Observed(
            np.concatenate([observed.at, at[None, :]]), np.append(observed.values, value), np.zeros(6 + number)
        )
    assert observed.values.max() > 0.875


def test_proposals_of_one_sampler_differ_as_if_each_was_tried():
    observed = seen(8)
    sampler, tried = Sampler(SPACE, observed, none_waits()), observed.at
    for number in range(6):
        at = sampler.propose(tried, np.random.default_rng(number))
        assert at is not None
        assert not repeats(BOOSTING, at, tried)
        tried = np.concatenate([tried, at[None, :]])
        sampler.believe(at)


@pytest.mark.parametrize(
    "values", [np.full(6, FAILED), np.zeros(6), np.array([1e12, 0.1, 0.2, 0.1, -1e300, FAILED]), np.arange(6) * 1e-300]
)
def test_odd_values_do_no_harm(values: np.ndarray):
    assert np.isfinite(warped(values)).all()
    observed = seen(6, values)
    assert Sampler(SPACE, observed, none_waits()).propose(observed.at, np.random.default_rng(0)) is not None


def test_an_exhausted_grid_has_no_proposal():
    listed = Space(GRID).listed
    assert listed is not None
    observed = Observed(listed[:-1], np.arange(8.0), np.zeros(8))
    sampler = Sampler(Space(GRID), observed, matrix(GRID, []))
    last = sampler.propose(listed[:-1], np.random.default_rng(0))
    assert last is not None
    assert np.array_equal(last, listed[-1])
    assert sampler.propose(listed, np.random.default_rng(0)) is None


def test_of_two_promising_places_the_cheaper_is_taken_when_cost_counts():
    observed = seen(10)
    depth = list(BOOSTING.search_space).index("depth")
    free = Sampler(SPACE, observed, none_waits()).propose(observed.at, np.random.default_rng(0))
    cheap = Sampler(SPACE, observed, none_waits()).propose(
        observed.at, np.random.default_rng(0), lambda at: 50.0 * at[:, depth]
    )
    assert free is not None
    assert cheap is not None
    assert cheap[depth] <= free[depth]


def test_a_thousand_trials_are_thinned_and_the_best_stay():
    many = Observed(np.zeros((1000, 1)), np.arange(1000.0), np.zeros(1000)).some(100)
    assert len(many) == 100
    assert set(range(950, 1000)) <= set(many.values)
    assert many.values.min() == 0


def test_the_logarithm_of_the_expected_improvement_falls_smoothly_far_below_the_best():
    worth = log_expected_improvement(np.linspace(-40, 2, 500), np.ones(500), 0.0)
    assert np.isfinite(worth).all()
    assert (np.diff(worth) > 0).all()
