"""Beliefs about scores: in order, calibrated on few trials, taught by other data, never broken by odd ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.forecasts.belief import expected_scores
from automl_gpt.tools.tune.forecasts.kernels import columns, points, sample
from automl_gpt.tools.tune.forecasts.mixture import Trials, believe, taught, untaught
from automl_gpt.tools.tune.forecasts.past import past_sets
from automl_gpt.tools.tune.scale import warp_of
from automl_gpt.tools.tune.space import random_point
from tests.tools.tune.simulated import BOOSTING, TREES, TRIVIAL_CARD, add, started

NETWORK = ModelCard.model_validate(
    {
        "name": "network", "tasks": ["classification"], "trainer": "network", "resources": {"seconds": 1.0},
        "search_space": {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "default": 0.01},
            "width": {"type": "int", "low": 8, "high": 512, "log": True, "default": 64},
            "depth": {"type": "int", "low": 1, "high": 4, "default": 2},
            "decay": {"type": "float", "low": 1e-6, "high": 1e-1, "log": True, "default": 1e-4},
            "kind": {"type": "categorical", "choices": ["relu", "tanh"], "default": "relu"},
        },
    }
)  # fmt: skip


def accuracy(h: dict[str, Any], rng: np.random.Generator, best: float = -1.5) -> float:
    """Return a score that falls from the best learning rate on, steeply above it; depth and kind matter a little."""
    rate = math.log10(h["learning_rate"]) - best
    fall = 0.03 * rate**2 if rate < 0 else 0.12 * rate**2
    return max(0.5, 0.92 - fall - 0.01 * abs(h["depth"] - 2) - 0.01 * (h["kind"] == "tanh") + rng.normal(0, 0.005))


def drawn(n: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    return [random_point(NETWORK, rng) for _ in range(n)]


def run(seed: int, trials: int, experience: bool = False):
    rng = np.random.default_rng(seed)
    state = started(seed, cards=(TRIVIAL_CARD, NETWORK), metric="accuracy")
    if experience:
        state.apply(e.ExperienceFound(trials=tuple(t for d in range(4) for t in others(f"set{d}", 25, rng))))
    for h in drawn(trials, rng):
        add(state, "network", h, accuracy(h, rng))
    return state, rng


def others(data: str, n: int, rng: np.random.Generator, distance: float = 0.3, **changes: Any) -> list[e.SimilarTrial]:
    scores = [(h, accuracy(h, rng)) for h in drawn(n, rng)]
    told = {
        "run": data, "data": data, "model": "network", "metric": "accuracy", "baseline": 0.5, "best": 0.92,
        "seconds": 1.0, "rows": 100, "columns": 5, "distance": distance,
    } | changes  # fmt: skip
    return [e.SimilarTrial(**{"hyperparameters": h, "value": v, **told}) for h, v in scores]


def ordered(said: list[float], truth: list[float]) -> float:
    pairs = [(a - b) * (c - d) > 0 for a, c in zip(said, truth, strict=True) for b, d in zip(said, truth, strict=True)]
    return sum(pairs) / (len(truth) * (len(truth) - 1))


def judged(seed: int, trials: int, experience: bool = False) -> tuple[float, float]:
    """Return the share of pairs in order, and of scores within their intervals."""
    state, rng = run(seed, trials, experience)
    new = drawn(20, rng)
    truth, said = [accuracy(h, rng) for h in new], expected_scores(state, NETWORK, new)
    covered = [s.low <= t <= s.high for s, t in zip(said, truth, strict=True)]
    return ordered([s.value for s in said], truth), sum(covered) / len(covered)


@pytest.mark.parametrize("trials", [3, 6, 10, 20])
@pytest.mark.parametrize("experience", [False, True], ids=["alone", "with experience"])
def test_an_interval_of_80_percent_covers_about_that_many_however_few_the_trials(trials: int, experience: bool):
    covered = np.mean([judged(seed, trials, experience)[1] for seed in range(20)])
    assert 0.7 <= covered <= 0.92


def test_ten_trials_order_others_far_better_than_chance_and_experience_helps():
    alone, helped = (np.mean([judged(s, 10, x)[0] for s in range(10)]) for x in (False, True))
    assert alone > 0.68
    assert helped > alone + 0.03


def test_experience_of_another_model_version_metric_or_absurd_value_teaches_nothing_and_breaks_nothing():
    rng = np.random.default_rng(0)
    odd = [
        *others("a", 3, rng, model="gone"),
        *others("b", 3, rng, metric="no such metric"),
        *others("c", 3, rng, hyperparameters={"gone": 1}),
        *others("d", 3, rng, value=math.nan),
        *others("e", 3, rng, value=1e305),
    ]
    state = started(cards=(TRIVIAL_CARD, NETWORK), metric="accuracy")
    state.apply(e.ExperienceFound(trials=tuple(odd)))
    assert past_sets(state, NETWORK) == []
    assert "similar" not in expected_scores(state, NETWORK, [NETWORK.default()])[0].ground


@pytest.mark.parametrize(
    "changes",
    [{"baseline": None}, {"baseline": 1.0, "best": 1.0}, {"value": 0.5}, {"value": -1e12}, {"distance": 0.0}],
    ids=["no baseline", "perfect baseline", "all alike", "absurd", "same data"],
)
def test_odd_experience_gives_finite_forecasts_before_and_after_trials(changes: dict[str, Any]):
    state, rng = started(cards=(TRIVIAL_CARD, NETWORK), metric="accuracy"), np.random.default_rng(1)
    state.apply(e.ExperienceFound(trials=tuple(others("a", 8, rng, **changes))))
    for score in (None, 0.8, 0.7):
        if score is not None:
            add(state, "network", random_point(NETWORK, rng), score)
        said = expected_scores(state, NETWORK, [NETWORK.default()])[0]
        assert 0 <= said.low <= said.value <= said.high <= 1
        assert said.high - said.low > 0.005


def test_before_any_trial_near_data_that_went_well_raise_the_forecast_and_disagreement_widens_it():
    rng = np.random.default_rng(2)
    said = []
    for values in ([0.95, 0.96], [0.6, 0.62], [0.55, 0.97]):
        state = started(cards=(TRIVIAL_CARD, NETWORK), metric="accuracy")
        past = [t for i, v in enumerate(values) for t in others(f"s{i}", 4, rng, 0.1, value=v)]
        state.apply(e.ExperienceFound(trials=tuple(past)))
        said.append(expected_scores(state, NETWORK, [NETWORK.default()])[0])
    well, badly, unsure = said
    assert well.value > badly.value + 0.15
    assert unsure.high - unsure.low > well.high - well.low


def test_a_new_snapshot_of_experience_replaces_what_the_old_one_taught():
    state, rng = run(3, 4)
    state.apply(e.ExperienceFound(trials=tuple(others("a", 20, rng))))
    first = expected_scores(state, NETWORK, [NETWORK.default()])[0]
    state.apply(e.ExperienceFound(trials=()))
    assert "similar" in first.ground and "similar" not in expected_scores(state, NETWORK, [NETWORK.default()])[0].ground


def test_the_same_state_gives_the_same_forecast_whatever_was_asked_before():
    (one, rng), (other, _) = run(4, 8, experience=True), run(4, 8, experience=True)
    asked = drawn(3, rng)
    for h in asked[1:]:
        expected_scores(other, NETWORK, [h])
    assert expected_scores(one, NETWORK, asked[:1]) == expected_scores(other, NETWORK, asked[:1])


def test_forecasts_of_several_configurations_are_those_of_each():
    state, rng = run(5, 9)
    new = drawn(4, rng)
    together = expected_scores(state, NETWORK, new)
    for h, said in zip(new, together, strict=True):
        alone = expected_scores(state, NETWORK, [h])[0]
        assert (alone.value, alone.low, alone.high) == pytest.approx((said.value, said.low, said.high))


def test_covariances_are_symmetric_positive_and_nothing_but_the_level_joins_models():
    rng, layout = np.random.default_rng(0), columns([BOOSTING, TREES])
    given = [(c.name, random_point(c, rng)) for c in (BOOSTING, TREES) for _ in range(6)]
    at = points(layout, given, [0, 0, 0, 1, 1, 1] * 2)
    kernels = sample(layout.length, 5)
    k = kernels.covariance(at, at)
    assert k == pytest.approx(k.transpose(0, 2, 1))
    assert np.linalg.eigvalsh(k).min() > -1e-9
    assert np.diagonal(k, axis1=1, axis2=2) == pytest.approx(np.repeat(kernels.variance()[:, None], 12, axis=1))
    assert k[:, :3, 6:9] == pytest.approx(1.0) and k[:, :3, 9:] == pytest.approx(0.0)


def test_what_is_taught_from_nothing_is_what_is_untaught_and_one_trial_is_enough():
    layout = columns([NETWORK])
    one = Trials(points(layout, [("network", NETWORK.default())]), np.zeros(1), np.zeros(1), np.array([True]))
    said = believe(untaught(layout, 1), one, one.at)[0]
    assert abs(said.mean) < 0.2 and said.below > 0.3 and said.above > 0.3


def test_a_thousand_copies_of_one_trial_elsewhere_do_not_break_what_is_taught():
    layout = columns([NETWORK])
    seen = points(layout, [("network", NETWORK.default())] * 150, [1] * 150)
    teacher = taught(seen, np.zeros(150), np.zeros(150))
    assert np.isfinite(teacher.inverse).all() and np.isfinite(teacher.energy).all()


@pytest.mark.parametrize("units", [[0.0], [1.0, 1.0, 1.0], [-9.0, -0.1, 0.0, 0.1, 0.2], [-500.0, 0.0, 500.0]])
def test_a_warp_rises_and_maps_back(units: list[float]):
    warp, at = warp_of(np.array(units)), np.linspace(-600, 600, 41)
    assert (np.diff(warp.to(at)) > 0).all()
    assert warp.back(warp.to(at)) == pytest.approx(at, abs=1e-6)
