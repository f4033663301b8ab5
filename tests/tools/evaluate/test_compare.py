"""The gap between predicted and actual logs, and the scorecard over a run."""

from __future__ import annotations

import math

import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.evaluate.compare import compare_logs, gap, interval_score
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Gap, Interval, Row, TrainingLog
from tests.tools.tune.simulated import BOOSTING, TREES, play, started

MODELS = ("baseline", "boosting", "trees")


def predicted(number: int = 1, value: float = 0.8, half: float = 0.05, metric: str = "roc_auc") -> e.TrialPredicted:
    rows = [
        Row(
            step=s, metrics={"valid": v},
            intervals={"valid": Interval(low=v - half, high=v + half)}, seconds=float(s),
        )
        for s, v in ((10, value - 0.2), (50, value - 0.1), (100, value))
    ]  # fmt: skip
    log = TrainingLog(origin="predicted", metric=metric, direction="maximize", rows=tuple(rows))
    return e.TrialPredicted(
        trial=number, log=log, value=value, low=value - half, high=value + half, seconds=10.0, megabytes=100.0,
        train=True, reason="", by="t",
    )  # fmt: skip


def ended(
    values: list[float],
    status: str = "finished",
    value: float | None = None,
    folds: tuple[float, ...] = (),
    cut: bool = False,
) -> RunState:
    state = started()
    state.apply(
        e.TrialProposed(trial=1, model="boosting", hyperparameters=BOOSTING.default(), reason="", by="t", seed=1)
    )
    state.apply(predicted())
    state.apply(e.TrialStarted(trial=1, worker=0, at_seconds=0))
    rows = [Row(step=10 * (i + 1), metrics={"valid": v}) for i, v in enumerate(values)]
    state.apply(e.RowsLogged(trial=1, rows=tuple(rows)))
    state.apply(
        e.TrialFinished(
            trial=1,
            status=status,
            value=value,
            folds=folds,
            complete=status == "finished",
            seconds=20.0,
            cut=cut,
        )
    )
    return state


def of(state: RunState) -> Gap | None:
    return gap(predicted(), state.trials[1])


def test_a_finished_trial_is_compared_by_its_score():
    found = of(ended([0.6, 0.7, 0.84], value=0.84, folds=(0.84,)))
    assert found.error == pytest.approx(0.04) and found.covered and found.at_step is None
    assert found.interval_score == pytest.approx(0.1)
    assert found.seconds_ratio == pytest.approx(2.0)


def test_the_interval_score_charges_ten_times_what_lies_outside():
    assert interval_score(0.0, 1.0, 1.2) == pytest.approx(1 + 10 * 0.2)
    assert interval_score(0.0, 1.0, -0.1) == pytest.approx(1 + 10 * 0.1)
    assert interval_score(0.0, 1.0, 0.5) == 1


def test_a_pruned_trial_is_compared_at_its_last_step():
    found = of(ended([0.5, 0.55, 0.52], status="pruned", value=0.55))
    assert found.at_step == 30
    assert found.predicted == pytest.approx(0.65) and found.actual == 0.55
    assert (found.low, found.high) == pytest.approx((0.60, 0.70)) and not found.covered
    assert found.seconds_ratio == pytest.approx(20 / 3)


def test_a_trial_that_was_cut_in_its_first_fold_is_no_failed_forecast_of_its_end():
    found = of(ended([0.6, 0.62, 0.64], status="pruned", value=0.64, folds=(0.64,), cut=True))
    assert found.at_step == 30 and found.actual == 0.64 and found.covered


def test_a_trial_that_was_cut_in_a_later_fold_is_compared_by_those_before():
    found = of(ended([0.6, 0.62], status="pruned", value=0.7, folds=(0.78, 0.62), cut=True))
    assert found.at_step is None and found.actual == 0.78 and found.covered


def test_a_trial_pruned_between_folds_is_compared_by_its_folds():
    found = of(ended([0.5, 0.7], status="pruned", value=0.7, folds=(0.7,)))
    assert found.at_step is None and found.actual == 0.7


def test_a_log_that_outran_the_forecast_is_compared_at_the_last_common_step():
    found = of(ended([0.5 + i / 100 for i in range(15)], status="stopped"))
    assert found.at_step == 100 and found.actual == pytest.approx(0.59)


def test_the_curve_is_compared_at_the_predicted_steps_that_were_reached():
    found = of(ended([0.6, 0.6, 0.6, 0.6, 0.6], value=0.6, folds=(0.6,)))
    assert found.curve_mae == pytest.approx((0.0 + 0.1) / 2)


@pytest.mark.parametrize("status", ["failed", "out_of_memory"])
def test_a_trial_without_a_score_has_no_gap(status):
    assert of(ended([0.5], status=status)) is None


def test_nan_in_log_or_score_is_no_gap_and_no_error():
    assert of(ended([math.nan] * 3, value=math.nan, folds=(math.nan,))) is None
    assert of(ended([math.nan] * 3, status="pruned")) is None
    assert of(ended([], status="stopped")) is None
    assert of(ended([0.5, math.nan, 0.6], status="pruned")).actual == 0.6


def test_a_jump_by_1e12_is_a_large_error_and_no_crash():
    found = of(ended([0.5, 1e12], value=1e12, folds=(1e12,)))
    assert not found.covered and math.isfinite(found.interval_score)


# ----------------------------------------------------------------------------------------------------------- scorecard


def with_gaps(pairs: list[tuple[float, float]], half: float = 0.05, model: str = "trees") -> RunState:
    state = started()
    for i, (guess, actual) in enumerate(pairs, 1):
        state.apply(e.TrialProposed(trial=i, model=model, hyperparameters=TREES.default(), reason="", by="t", seed=i))
        covered = abs(guess - actual) <= half
        found = Gap(
            predicted=guess, low=guess - half, high=guess + half, actual=actual, error=actual - guess, covered=covered,
            interval_score=interval_score(guess - half, guess + half, actual),
        )  # fmt: skip
        state.apply(e.LogsCompared(trial=i, gap=found))
    return state


def test_below_ten_trials_there_are_figures_and_no_verdict():
    card = scorecard(with_gaps([(0.7, 0.71), (0.8, 0.79), (0.6, 0.62)]))
    assert card.trials == 3 and card.mae == pytest.approx(0.04 / 3) and card.verdict == ""
    assert card.rank_correlation == pytest.approx(1.0) and card.coverage == 1.0
    assert card.baseline_mae == pytest.approx((0.08 + 0.13) / 2)


def test_from_ten_trials_on_better_is_said():
    card = scorecard(with_gaps([(0.5 + 0.04 * (i % 5), 0.51 + 0.04 * (i % 5)) for i in range(10)]))
    assert "better than the plain guess" in card.verdict and "far from" in card.verdict


def test_worse_is_said_plainly():
    card = scorecard(with_gaps([(0.5 + 0.1 * (i % 2), 0.9) for i in range(12)]))
    assert "worse than the plain guess" in card.verdict and "covered 0%" in card.verdict
    assert card.rank_correlation is None


def test_trials_that_were_cut_count_in_errors_and_coverage_alone():
    state = with_gaps([(0.8, 0.81), (0.7, 0.72), (0.75, 0.74)])
    trial = state.trials[3]
    trial.gap = trial.gap.model_copy(update={"at_step": 5, "predicted": 0.6, "actual": 0.5, "error": -0.1})
    found = scorecard(state)
    assert found.trials == 3 and found.mae == pytest.approx((0.01 + 0.02 + 0.1) / 3)
    assert found.baseline_mae == pytest.approx(0.09)  # of the second trial alone
    assert found.rank_correlation is None


def test_the_trivial_baseline_does_not_flatter_and_an_empty_run_has_no_figures():
    assert scorecard(with_gaps([(0.5, 0.5)] * 3, model="baseline")).trials == 0
    assert scorecard(started()).mae is None


def test_a_run_of_simulated_trials_gets_a_full_scorecard():
    card = scorecard(play(started(), MODELS, 25))
    assert card.trials == 24 and card.verdict
    assert card.rank_correlation is not None


def test_the_tool_shows_both_curves_and_names_what_is_missing(tmp_path):
    state = play(started(), MODELS, 4)
    context = Context(tmp_path, cache={"state": state})
    shown = compare_logs.call({"trial": 3}, context)
    assert shown.gap == state.trials[3].gap and len(shown.actual) <= 12 and shown.predicted
    with pytest.raises(ToolError, match="1 to 4"):
        compare_logs.call({"trial": 9}, context)
