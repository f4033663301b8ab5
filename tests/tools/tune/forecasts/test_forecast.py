"""Forecasts: honest before any trial, better with trials, never a crash, never a narrow interval without ground."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.forecasts.curves import extrapolate
from automl_gpt.tools.tune.forecasts.forecast import ForecastArguments, forecast, forecast_log, is_audit, verdict
from automl_gpt.tools.tune.scale import legal_range, trivial_value
from tests.tools.tune.simulated import BOOSTING, TREES, TRIVIAL_CARD, add, play, started

ALL = ("baseline", "boosting", "trees")


def random_boosting(rng: np.random.Generator) -> dict[str, object]:
    return {
        "rate": float(10 ** rng.uniform(-3, 0)), "depth": int(rng.integers(1, 13)), "mode": "plain",
        "rounds": int(10 ** rng.uniform(1, 3)),
    }  # fmt: skip


def test_before_any_trial_the_interval_is_wide_and_legal():
    said = forecast(started(), BOOSTING, BOOSTING.default())
    assert said.high - said.low > 0.1
    assert 0 <= said.low < said.value < said.high <= 1
    assert "nothing trained yet" in said.reason


def test_without_a_landmark_the_interval_is_wider_still():
    with_it, without = (forecast(started(landmark=m), BOOSTING, BOOSTING.default()) for m in (0.6, None))
    assert without.high - without.low > with_it.high - with_it.low


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("accuracy", 0.6),
        ("roc_auc", 0.5),
        ("log_loss", 0.6730),
        ("brier", 0.24),
        ("mcc", 0.0),
        ("balanced_accuracy", 0.5),
    ],
)
def test_the_trivial_baseline_of_a_classification_is_nearly_exact(metric, value):
    said = forecast(started(metric=metric), TRIVIAL_CARD, {})
    assert said.value == pytest.approx(value, abs=1e-4)
    assert 0 < said.high - said.low < 0.05 or metric in ("roc_auc", "balanced_accuracy", "mcc")


@pytest.mark.parametrize(("metric", "value"), [("rmse", 2.0), ("r2", 0.0)])
def test_the_trivial_baseline_of_a_regression_is_nearly_exact(metric, value):
    assert forecast(started(task="regression", metric=metric), TRIVIAL_CARD, {}).value == pytest.approx(value)


def test_a_metric_that_the_profile_does_not_determine_has_no_trivial_value():
    state = started(task="regression", metric="mape")
    assert trivial_value(state.need_profile(), state.need_metric()) is None
    assert math.isfinite(forecast(state, TRIVIAL_CARD, {}).value)


def test_forecasts_cover_and_rank_an_objective_they_can_learn():
    state, rng = started(), np.random.default_rng(0)
    for _ in range(40):
        h = random_boosting(rng)
        score = 0.88 - 0.04 * (math.log10(h["rate"]) + 1.2) ** 2 + rng.normal(0, 0.003)
        add(state, "boosting", h, score)
    card = scorecard(state)
    assert card.rank_correlation > 0.5
    assert card.mae < 0.6 * card.baseline_mae
    assert 0.65 <= card.coverage <= 0.95


def test_the_last_row_predicts_the_value_and_steps_rise():
    state = play(started(), ALL, 12)
    said = forecast(state, BOOSTING, BOOSTING.default())
    steps = [r.step for r in said.log.rows]
    last = said.log.rows[-1]
    assert steps == sorted(set(steps)) and len(steps) >= 3
    assert last.metrics["valid"] == said.value
    assert (last.intervals["valid"].low, last.intervals["valid"].high) == (said.low, said.high)
    for row in said.log.rows:
        for name, value in row.metrics.items():
            assert row.intervals[name].low <= value <= row.intervals[name].high


def test_steps_are_those_that_trials_of_the_model_reached_and_at_most_the_hint():
    state = play(started(), ALL, 12)
    assert forecast(state, TREES, TREES.default()).log.rows[-1].step in range(15, 26)
    assert forecast(state, TREES, TREES.default(), steps_hint=7).log.rows[-1].step == 7


def test_similar_experience_moves_the_first_forecast_and_names_itself():
    plain, warm = started(), started()
    past = [
        e.SimilarTrial(
            run="r", data="d", model="boosting", hyperparameters=BOOSTING.default(), metric="roc_auc", value=v,
            baseline=0.5, best=0.98, seconds=1, rows=100, columns=5, distance=0.05,
        )
        for v in (0.2, 0.25, 0.3)
    ]  # fmt: skip
    warm.apply(e.ExperienceFound(trials=tuple(past)))
    cold_said, warm_said = (forecast(s, BOOSTING, BOOSTING.default()) for s in (plain, warm))
    assert warm_said.value < cold_said.value
    assert "3 trials on similar data" in warm_said.reason


@pytest.mark.parametrize(
    "scores",
    [[0.8], [0.8] * 6, [0.8, math.nan, 0.7], [math.nan], [0.7, 0.71, 0.72, -1e12], [1e12, -1e12, 0.5, math.inf]],
    ids=["one", "ties", "nan among", "nan only", "jump", "absurd"],
)
@pytest.mark.parametrize(("task", "metric"), [("binary", "roc_auc"), ("regression", "rmse"), ("regression", "r2")])
def test_odd_scores_never_break_a_forecast(scores, task, metric):
    state, rng = started(task=task, metric=metric), np.random.default_rng(1)
    for score in scores:
        add(state, "boosting", random_boosting(rng), score)
    said = forecast(state, BOOSTING, random_boosting(rng))
    low, high = legal_range(state.need_metric())
    assert all(map(math.isfinite, (said.value, said.low, said.high, said.seconds, said.megabytes)))
    assert low <= said.low <= said.value <= said.high <= high
    if sum(map(math.isfinite, scores)) <= 1 and metric != "r2":
        assert said.high - said.low > 0.02


def test_one_jump_hardly_moves_the_forecast_of_the_others():
    calm, jumped, rng = started(), started(), np.random.default_rng(2)
    for i in range(8):
        h = random_boosting(rng)
        for state in (calm, jumped):
            add(state, "boosting", h, 0.8 + 0.002 * i)
    add(jumped, "boosting", {**BOOSTING.default(), "rate": 1.0}, -1e12)
    h = random_boosting(rng)
    assert forecast(jumped, BOOSTING, h).value == pytest.approx(forecast(calm, BOOSTING, h).value, abs=0.02)


def test_seconds_follow_what_trials_took():
    state = started()
    before = forecast(state, BOOSTING, BOOSTING.default()).seconds
    for rounds in (100, 200, 400, 800, 1000):
        n = add(state, "boosting", {**BOOSTING.default(), "rounds": rounds}, None)
        state.apply(
            e.TrialFinished(trial=n, status="finished", value=0.8, folds=(0.8,), complete=True, seconds=0.1 * rounds)
        )
    few, many = (forecast(state, BOOSTING, {**BOOSTING.default(), "rounds": r}).seconds for r in (120, 900))
    assert before < 5 < few < many
    assert 40 < many < 160


def test_memory_follows_what_processes_took():
    state = started()
    add(state, "trees", TREES.default(), 0.8)
    assert forecast(state, BOOSTING, BOOSTING.default()).megabytes == pytest.approx(200, rel=0.2)


# ------------------------------------------------------------------------------------------------------------ verdicts


def hopeless(state):
    return forecast(state, BOOSTING, BOOSTING.default()).model_copy(
        update={"value": 0.55, "low": 0.54, "high": 0.56, "hyperparameters": {**BOOSTING.default(), "rate": 1.0}}
    )


def test_a_hopeless_configuration_is_skipped_only_once_there_is_ground():
    assert verdict(play(started(), ALL, 4), hopeless(play(started(), ALL, 4)))[0]
    state = play(started(), ALL, 14)
    train, reason = verdict(state, hopeless(state))
    assert not train and "behind the best" in reason


def test_a_wide_interval_a_default_and_the_baseline_are_always_worth_it():
    state = play(started(), ALL, 14)
    assert verdict(state, hopeless(state).model_copy(update={"high": 0.85}))[0]
    assert verdict(state, hopeless(state).model_copy(update={"hyperparameters": BOOSTING.default()}))[0]
    assert verdict(state, forecast(state, TRIVIAL_CARD, {}))[0]


def test_nothing_is_skipped_while_intervals_cover_too_little():
    state = play(started(), ALL, 14)
    for trial in state.trials.values():
        if trial.gap is not None:
            trial.gap = trial.gap.model_copy(update={"covered": False})
    train, reason = verdict(state, hopeless(state))
    assert train and "0%" in reason


def test_what_does_not_fit_in_the_time_left_is_skipped():
    state = play(started(), ALL, 5)
    said = forecast(state, BOOSTING, BOOSTING.default())
    train, reason = verdict(state, said, seconds_left=0.01)
    assert not train and "left" in reason


def test_exactly_one_in_ten_hopeless_trials_is_an_audit():
    for seed in (0, 3, 12345):
        assert [sum(is_audit(i, seed) for i in range(k, k + 10)) for k in range(50)] == [1] * 50


# -------------------------------------------------------------------------------------------------------------- curves


def test_a_rising_curve_is_extrapolated_between_its_last_value_and_its_limit():
    steps = list(range(1, 21))
    reach = extrapolate(steps, [0.9 - 0.4 / s for s in steps], "maximize", 200)
    assert 0.88 < reach.mean < 0.92
    assert reach.low <= reach.mean <= reach.high


def test_a_falling_loss_is_extrapolated_downwards():
    steps = list(range(1, 21))
    reach = extrapolate(steps, [0.2 + 1 / s for s in steps], "minimize", 100)
    assert 0.1 < reach.mean < 0.25
    assert reach.low <= reach.mean <= reach.high


@pytest.mark.parametrize(
    "values",
    [[0.5], [0.5, 0.6], [0.5, math.nan, 0.6, 0.7], [0.5] * 9, [0.5, 0.6, 1e12, 0.7, 0.71], [0.1, 0.9, 0.2, 0.1, 0.0]],
)
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_odd_curves_have_a_reach_with_finite_ends(values, direction):
    reach = extrapolate(list(range(1, len(values) + 1)), values, direction, 50)
    assert all(map(math.isfinite, (reach.mean, reach.low, reach.high)))
    assert reach.low <= reach.mean <= reach.high


def test_repeated_steps_and_gaps_do_no_harm_and_no_rows_give_no_answer():
    assert extrapolate([1, 1, 1, 40, 40], [0.5, 0.5, 0.6, 0.7, 0.7], "maximize", 20) is not None
    assert extrapolate([], [], "maximize", 10) is None
    assert extrapolate([1, 2], [math.nan, math.inf], "maximize", 10) is None


def test_the_tool_checks_model_and_hyperparameters(tmp_path):
    context = Context(tmp_path, cache={"state": started()})
    found = forecast_log.function(ForecastArguments(model="boosting", hyperparameters={"depth": 3}), context)
    assert found.hyperparameters["depth"] == 3 and found.hyperparameters["rate"] == 0.01
    with pytest.raises(ToolError, match="candidates"):
        forecast_log.call({"model": "nope"}, context)
    with pytest.raises(ToolError, match="1 to 12"):
        forecast_log.call({"model": "boosting", "hyperparameters": {"depth": 99}}, context)
