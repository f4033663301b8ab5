"""The surrogate of the search: it interpolates, knows what matters, and stays sound on odd observations."""

from __future__ import annotations

import numpy as np

from automl_gpt.tools.tune.gaussian_process import Features, fit


def features(at: np.ndarray) -> Features:
    return Features(at, np.arange(at.shape[1]))


def test_it_predicts_a_smooth_function_between_what_it_saw():
    rng = np.random.default_rng(0)
    at = rng.random((40, 2))
    y = np.sin(4 * at[:, 0]) + at[:, 1] ** 2
    new = rng.random((100, 2))
    mean, std = fit(features(at), y - y.mean(), np.zeros(40)).predict(features(new))
    truth = np.sin(4 * new[:, 0]) + new[:, 1] ** 2 - y.mean()
    assert np.abs(mean - truth).mean() < 0.05
    assert np.mean(np.abs(mean - truth) < 3 * std + 0.02) > 0.9


def test_a_hyperparameter_that_does_not_matter_gets_the_longer_length():
    rng = np.random.default_rng(1)
    at = rng.random((50, 2))
    found = fit(features(at), np.sin(6 * at[:, 0]), np.zeros(50))
    assert found.lengths[1] > 3 * found.lengths[0]


def test_it_is_less_sure_far_from_what_it_saw():
    at = np.array([[0.1], [0.15], [0.2]])
    _, std = fit(features(at), np.array([0.1, 0.0, -0.1]), np.zeros(3)).predict(features(np.array([[0.15], [1.0]])))
    assert std[1] > 2 * std[0]


def test_an_uncertain_observation_pulls_less():
    at = np.array([[0.0], [0.5], [1.0]])
    y = np.array([0.0, 2.0, 0.0])
    sure = fit(features(at), y, np.zeros(3)).mean(features(at))[1]
    unsure = fit(features(at), y, np.array([0.0, 3.0, 0.0])).mean(features(at))[1]
    assert unsure < sure


def test_odd_observations_do_no_harm():
    one = fit(features(np.array([[0.5]])), np.zeros(1), np.zeros(1))
    assert np.isfinite(one.predict(features(np.array([[0.1]])))).all()
    same = fit(features(np.full((30, 3), 0.5)), np.zeros(30), np.zeros(30))
    assert np.isfinite(same.predict(features(np.zeros((2, 3))))).all()
    nothing = Features(np.zeros((4, 0)), np.zeros(0, dtype=np.intp))
    assert np.isfinite(fit(nothing, np.arange(4.0), np.zeros(4)).predict(nothing)).all()
