"""What landmarks say of models before they are trained, and how wide intervals follow what forecasts were worth."""

from __future__ import annotations

import math

import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.forecasts.calibration import NARROWEST, width_factor
from automl_gpt.tools.tune.forecasts.forecast import forecast
from automl_gpt.tools.tune.forecasts.levels import WEIGHTS, expected_level
from tests.tools.tune.simulated import BOOSTING, add, started

CARDS = [model_cards()[name] for name in ("baseline", "lightgbm", "linear", "k_nearest_neighbours")]


def marked(tree: float | None, linear: float | None, near: float | None, metric: str = "roc_auc") -> RunState:
    task = "regression" if metric == "rmse" else "binary"
    state = started(cards=[*CARDS, BOOSTING], metric=metric, task=task)
    meta = state.need_profile().meta.model_copy(update={"landmark": tree, "linear": linear, "neighbour": near})
    state.profile = state.need_profile().model_copy(update={"meta": meta})
    return state


def value(state: RunState, name: str) -> float:
    card = state.model_cards[name]
    return forecast(state, card, card.default()).value


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "rmse"])
def test_the_first_forecast_of_a_model_follows_the_landmark_of_its_kind(metric: str):
    sign = 1 if metric in ("roc_auc", "accuracy") else -1
    straight, local = marked(0.3, 0.7, 0.1, metric), marked(0.3, 0.1, 0.7, metric)
    lead = {
        where: sign * (value(state, "linear") - value(state, "k_nearest_neighbours"))
        for where, state in (("straight", straight), ("local", local))
    }
    assert lead["straight"] > 0 and lead["straight"] > lead["local"]
    assert sign * (value(straight, "lightgbm") - value(marked(0.05, 0.0, 0.0, metric), "lightgbm")) > 0


def test_a_landmark_that_is_unknown_or_a_card_of_a_persons_own_leaves_the_general_guess():
    assert expected_level(marked(0.4, None, 0.2), CARDS[2]) is None
    state = marked(0.4, 0.5, 0.2)
    assert expected_level(state, BOOSTING) is None and expected_level(state, CARDS[2]) is not None
    add(state, "linear", CARDS[2].default(), 0.8)
    assert 0.5 < forecast(state, BOOSTING, BOOSTING.default()).value < 1.0


def test_landmarks_tell_models_apart_that_have_no_trial_yet():
    state = marked(0.3, 0.8, 0.1)
    add(state, "lightgbm", CARDS[1].default(), 0.8)
    assert value(state, "linear") > value(state, "k_nearest_neighbours")
    assert value(state, "lightgbm") == pytest.approx(0.8, abs=0.03)


def test_every_weighed_trainer_is_one_of_a_shipped_card():
    trainers = {card.trainer for card in model_cards().values() if isinstance(card, ModelCard)}
    assert set(WEIGHTS) <= trainers


def test_intervals_narrow_while_forecasts_hit_and_widen_where_they_miss():
    state = started()
    assert width_factor(state) == 1.0
    for depth in range(1, 13):
        h = {**BOOSTING.default(), "depth": depth}
        add(state, "boosting", h, forecast(state, BOOSTING, h).value)
    after_hits = width_factor(state)
    assert NARROWEST <= after_hits == pytest.approx(math.exp(-0.06 * 12))
    add(state, "boosting", {**BOOSTING.default(), "rate": 0.5, "depth": 1}, 0.55)
    assert width_factor(state) == pytest.approx(min(after_hits * 1.2712, 3.0), rel=1e-3)
