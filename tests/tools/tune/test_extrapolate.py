"""What a trial comes to that was ended amid its curve: where the curve would have led, not where it stood."""

from __future__ import annotations

import math

import pytest

from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.log import Row
from automl_gpt.tools.tune.extrapolate import comes_to
from automl_gpt.tools.tune.forecasts.forecast import forecast
from automl_gpt.tools.tune.search.observed import observed
from tests.tools.tune.simulated import BOOSTING, add, started

STEPS = 20


def cut_trial(reached: int, folds: tuple[float, ...] = (), cut: bool = True) -> tuple[RunState, Trial]:
    """A curve that falls from 0.9 towards 0.3, ended after so many of its 20 steps."""
    state = started(metric="log_loss")
    h = BOOSTING.default()
    add(state, "boosting", h, 0.3, steps=STEPS)
    state.apply(e.TrialProposed(trial=2, model="boosting", hyperparameters=h, reason="", by="t", seed=2))
    said = forecast(state, BOOSTING, h)
    state.apply(
        e.TrialPredicted(
            trial=2, log=said.log, value=said.value, low=said.low, high=said.high, seconds=said.seconds,
            megabytes=said.megabytes, train=True, reason=said.reason, by="t",
        )
    )  # fmt: skip
    state.apply(e.TrialStarted(trial=2, worker=0, at_seconds=0.0))
    values = [0.3 + 0.6 / math.sqrt(s) for s in range(1, reached + 1)]
    state.apply(e.RowsLogged(trial=2, rows=tuple(Row(step=s, metrics={"valid": v}) for s, v in enumerate(values, 1))))
    scores = (*folds, values[-1])
    value = sum(scores) / len(scores)
    state.apply(
        e.TrialFinished(trial=2, status="pruned", value=value, folds=scores, complete=not folds, cut=cut, seconds=0.3)
    )
    return state, state.trials[2]


def test_a_curve_that_was_ended_early_counts_for_where_it_led() -> None:
    _, trial = cut_trial(6)
    reached, end = 0.3 + 0.6 / math.sqrt(6), 0.3 + 0.6 / math.sqrt(STEPS)
    assert trial.value == pytest.approx(reached)
    assert comes_to(trial) == pytest.approx(end, abs=0.03)


def test_folds_that_were_trained_to_their_ends_count_as_they_are() -> None:
    _, trial = cut_trial(6, folds=(0.4, 0.44))
    assert comes_to(trial) == pytest.approx(0.42)
    _, whole = cut_trial(6, cut=False)
    assert comes_to(whole) == whole.value


def test_the_search_is_told_what_it_had_reached_and_that_this_is_unsure() -> None:
    state, trial = cut_trial(6)
    seen, _ = observed(state, BOOSTING, list(state.trials.values()))
    assert seen.values.tolist() == pytest.approx([-0.3, -(trial.value or 0.0)])
    assert seen.uncertain[0] == 0.0 < seen.uncertain[1] and not trial.whole


def test_a_cut_trial_makes_a_forecast_no_worse_than_where_its_curve_led() -> None:
    cut, _ = cut_trial(6)
    taken_for_whole, _ = cut_trial(6, cut=False)
    h = {**BOOSTING.default()}
    assert (forecast(cut, BOOSTING, h).value or 0.0) < (forecast(taken_for_whole, BOOSTING, h).value or 0.0)
