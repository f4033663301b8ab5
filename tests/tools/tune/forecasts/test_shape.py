"""The shape of predicted logs: how boosting's steps and curves follow its learning rate, and who tells them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Row, TrainingLog
from automl_gpt.tools.tune.forecasts.forecast import forecast
from automl_gpt.tools.tune.forecasts.shape import CHECKPOINTS, EXAMPLES, TABLES, usual_shape
from tests.tools.tune.simulated import TRIVIAL_CARD, started

LIGHTGBM = model_cards()["lightgbm"]
BASE, GAIN = 0.673, 0.3
"""The trivial log loss of classes of 6,000 and 4,000 rows, and what boosting gains over it here."""


def configured(rate: float) -> Hyperparameters:
    return {**LIGHTGBM.default(), "learning_rate": rate}


def boosted(rate: float, step: int) -> float:
    """Return the log loss after so many rounds: it depends on rounds times learning rate alone."""
    return BASE - GAIN * (1 - math.exp(-step * rate / 2))


def boosting_run(rates: tuple[float, ...]) -> RunState:
    """Return a run in which configurations were trained that differ by their learning rates, to 20 over the rate."""
    state = started(cards=(TRIVIAL_CARD, LIGHTGBM), metric="log_loss")
    for number, rate in enumerate(rates, 1):
        h = configured(rate)
        state.apply(e.TrialProposed(trial=number, model="lightgbm", hyperparameters=h, reason="", by="t", seed=1))
        said, last = forecast(state, LIGHTGBM, h), round(20 / rate)
        state.apply(
            e.TrialPredicted(
                trial=number, log=said.log, value=said.value, low=said.low, high=said.high, seconds=said.seconds,
                megabytes=said.megabytes, train=True, reason=said.reason, by="t",
            )
        )  # fmt: skip
        state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=0.0))
        steps = sorted({1, 2, 4, 8, *(round(last * i / 30) for i in range(1, 31))} - {0})
        rows = tuple(Row(step=s, metrics={"valid": boosted(rate, s)}) for s in steps)
        state.apply(e.RowsLogged(trial=number, rows=rows))
        value, took = boosted(rate, last), 0.3 / rate
        end = e.TrialFinished(
            trial=number, status="finished", value=value, folds=(value,), complete=True, seconds=took, megabytes=200.0
        )
        state.apply(end)
    return state


def predicted_at(log: TrainingLog, step: int) -> float:
    steps, values = log.curve()
    return float(np.interp(step, steps, values))


def test_a_lower_learning_rate_is_expected_to_need_as_many_times_the_rounds_and_more_seconds():
    first = started(cards=(TRIVIAL_CARD, LIGHTGBM), metric="log_loss")
    for state in (first, boosting_run((0.1, 0.2, 0.08))):
        slow, fast = (forecast(state, LIGHTGBM, configured(rate)) for rate in (0.01, 0.1))
        assert slow.log.rows[-1].step == pytest.approx(10 * fast.log.rows[-1].step, rel=0.6)
        assert slow.seconds > 3 * fast.seconds


def test_the_predicted_curve_of_a_low_learning_rate_falls_as_slowly_as_it_will():
    state = boosting_run((0.1, 0.2, 0.08, 0.15))
    slow, fast = (forecast(state, LIGHTGBM, configured(rate)).log for rate in (0.012, 0.12))
    for step in (40, 80, 160):
        assert predicted_at(slow, step) == pytest.approx(boosted(0.012, step), abs=0.25 * GAIN)
    assert predicted_at(fast, 40) < predicted_at(slow, 40) - 0.25 * GAIN


def test_what_was_cut_off_says_nothing_of_how_many_rounds_are_needed():
    state = boosting_run((0.1, 0.1))
    before = forecast(state, LIGHTGBM, configured(0.1)).log.rows[-1].step
    end = state.trials[2].end
    assert end is not None
    state.trials[2].rows = state.trials[2].rows[:3]
    state.apply(end.model_copy(update={"cut": True, "complete": False}))
    assert forecast(state, LIGHTGBM, configured(0.1)).log.rows[-1].step == pytest.approx(before, rel=0.05)


def test_the_law_holds_where_no_curve_can_tell_and_counts_for_two_where_some_do():
    trials = list(boosting_run((0.1, 0.1, 0.1)).trials.values())
    assert usual_shape(TABLES, [], BASE, 200) is TABLES
    worse_than_trivial = usual_shape(EXAMPLES, trials, 0.1, 200)
    assert worse_than_trivial is EXAMPLES
    told = usual_shape(TABLES, trials, BASE, 200)
    seen = np.array([1 - math.exp(-c * 200 * 0.1 / 2) for c in CHECKPOINTS])
    assert told.mean == pytest.approx((2 * TABLES.mean + 3 * seen) / 5, abs=0.02)
    assert (told.mean >= np.minimum(TABLES.mean, seen) - 0.01).all() and told.spread[-1] < 0.01
