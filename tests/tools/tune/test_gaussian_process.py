"""The surrogate of the search: it interpolates, knows what matters, and stays sound on odd observations."""

from __future__ import annotations

import numpy as np

from automl_gpt.tools.tune.gaussian_process import DRAWS, MOST_DRAWN, Features, fits


def features(at: np.ndarray) -> Features:
    return Features(at, np.arange(at.shape[1]))


def test_it_predicts_a_smooth_function_between_what_it_saw():
    rng = np.random.default_rng(0)
    at = rng.random((40, 2))
    y = np.sin(4 * at[:, 0]) + at[:, 1] ** 2
    new = rng.random((100, 2))
    [likeliest] = fits(features(at), y - y.mean(), np.zeros(40))
    mean, std = likeliest.predict(features(new))
    truth = np.sin(4 * new[:, 0]) + new[:, 1] ** 2 - y.mean()
    assert np.abs(mean - truth).mean() < 0.05
    assert np.mean(np.abs(mean - truth) < 3 * std + 0.02) > 0.9


def test_a_hyperparameter_that_does_not_matter_gets_the_longer_length():
    rng = np.random.default_rng(1)
    at = rng.random((50, 2))
    [found] = fits(features(at), np.sin(6 * at[:, 0]), np.zeros(50))
    assert found.lengths[1] > 3 * found.lengths[0]


def test_of_few_observations_several_lengths_are_possible_and_the_more_there_are_the_closer_they_lie():
    rng = np.random.default_rng(2)
    at = rng.random((MOST_DRAWN, 2))
    y = np.sin(6 * at[:, 0])

    def drawn(count: int) -> np.ndarray:
        found = fits(features(at[:count]), y[:count], np.zeros(count))
        assert len(found) == DRAWS
        return np.log([one.lengths for one in found])

    few, many = drawn(4), drawn(MOST_DRAWN)
    assert np.array_equal(few, drawn(4))
    assert many[:, 0].std() < 0.5 * few[:, 0].std()
    assert many[:, 1].mean() > many[:, 0].mean() + 1
    assert np.ptp(few[:, 1]) > 0.5


def test_it_is_less_sure_far_from_what_it_saw():
    at = np.array([[0.1], [0.15], [0.2]])
    for one in fits(features(at), np.array([0.1, 0.0, -0.1]), np.zeros(3)):
        _, std = one.predict(features(np.array([[0.15], [1.0]])))
        assert std[1] > 1.2 * std[0]


def test_an_uncertain_observation_pulls_less():
    at = np.array([[0.0], [0.5], [1.0]])
    y = np.array([0.0, 2.0, 0.0])

    def middle(extra: list[float]) -> float:
        return float(np.mean([one.mean(features(at))[1] for one in fits(features(at), y, np.array(extra))]))

    assert middle([0.0, 3.0, 0.0]) < middle([0.0, 0.0, 0.0])


def test_odd_observations_do_no_harm():
    nothing = Features(np.zeros((4, 0)), np.zeros(0, dtype=np.intp))
    odd = [
        (features(np.array([[0.5]])), np.zeros(1), features(np.array([[0.1]]))),
        (features(np.full((30, 3), 0.5)), np.zeros(30), features(np.zeros((2, 3)))),
        (features(np.full((40, 3), 0.5)), np.zeros(40), features(np.zeros((2, 3)))),
        (nothing, np.arange(4.0), nothing),
    ]
    for seen, y, new in odd:
        for one in fits(seen, y, np.zeros(len(y))):
            assert np.isfinite(one.predict(new)).all()
