"""Where and why a forecast failed, and what forecasts saved: facts of the run, never a guess."""

from __future__ import annotations

from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.evaluate.review import failure, saved, saved_words
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Interval, Row, TrainingLog
from tests.tools.tune.simulated import BOOSTING, TREES, add, started

DEFAULT = BOOSTING.default()


def predicted(
    state: RunState, value: float, h: dict[str, object] = DEFAULT, *, train: bool = True, audit: bool = False
) -> int:
    """Propose and predict a trial: a flat curve with an interval of 0.02 on either side, 10 s."""
    number = max(state.trials, default=0) + 1
    state.apply(e.TrialProposed(trial=number, model="boosting", hyperparameters=h, reason="", by="t", seed=number))  # type: ignore[arg-type]
    band = {"valid": Interval(low=value - 0.02, high=value + 0.02)}
    rows = tuple(Row(step=s, metrics={"valid": value}, intervals=band) for s in (5, 10, 20))
    log = TrainingLog(origin="predicted", metric="roc_auc", direction="maximize", rows=rows)
    said = e.TrialPredicted(
        trial=number, log=log, value=value, low=value - 0.02, high=value + 0.02, seconds=10.0, megabytes=1.0,
        train=train, audit=audit, reason="", by="t",
    )  # fmt: skip
    state.apply(said)
    return number


def trained(state: RunState, number: int, values: list[float], *, at: float = 100.0, **more: object) -> None:
    state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=at))
    rows = tuple(Row(step=5 * i, metrics={"valid": v}) for i, v in enumerate(values, 1))
    state.apply(e.RowsLogged(trial=number, rows=rows))
    end = {"status": "finished", "value": max(values), "folds": (max(values),), "complete": True, "seconds": 10.0}
    state.apply(e.TrialFinished.model_validate({"trial": number, "at_seconds": at + 10, **end, **more}))
    found = gap(state.trials[number].prediction, state.trials[number])  # type: ignore[arg-type]
    assert found is not None
    state.apply(e.LogsCompared(trial=number, gap=found))


def failed(values: list[float], h: dict[str, object] = DEFAULT, before: int = 0, **more: object) -> str:
    """Return what is said of a trial that was predicted to reach 0.8, after so many trials of its model."""
    state = started()
    add(state, "trees", TREES.default(), 0.8)
    for _ in range(before):
        add(state, "boosting", DEFAULT, 0.8)
    number = predicted(state, 0.8, h)
    trained(state, number, values, **more)
    return failure(state, state.trials[number])


def test_a_forecast_that_held_has_not_failed() -> None:
    assert failed([0.79, 0.8, 0.8, 0.81]) == ""


def test_where_a_forecast_failed_is_the_step_from_which_the_curve_stays_outside() -> None:
    assert "0.08 above the interval from step 10 of 20 on" in failed([0.79, 0.85, 0.88, 0.9])
    assert "above the interval at the end" in failed([0.8, 0.8, 0.8, 0.9])


def test_why_is_told_from_what_the_run_knew() -> None:
    assert "it was the first trial of boosting" in failed([0.8, 0.8, 0.8, 0.9])
    assert "only 1 trial of boosting came before" in failed([0.8, 0.8, 0.8, 0.9], before=1)
    told = failed([0.8, 0.8, 0.8, 0.9], {**DEFAULT, "rate": 0.9}, before=4)
    assert told.startswith("better than expected") and "rate 0.9 lies beyond what was tried before" in told
    assert "mode drop was never tried before" in failed(
        [0.8, 0.8, 0.8, 0.9], {**DEFAULT, "mode": "drop", "drop": 0.5}, before=4
    )
    assert "it was cut short by the time budget" in failed(
        [0.6, 0.6, 0.6, 0.6], before=4, reason="cut short by the time budget"
    )
    assert "no better than the baseline" in failed([0.5, 0.5, 0.5, 0.5], before=4)
    assert "folds differ by 0.2" in failed([0.6, 0.6, 0.6, 0.7], before=4, folds=(0.6, 0.8))
    assert "no earlier trial told of it" in failed([0.7, 0.7, 0.7, 0.7], before=4)


def test_savings_count_what_was_skipped_and_what_an_audit_showed() -> None:
    state = started()
    assert saved_words(saved(state)) == ""
    trained(state, predicted(state, 0.8), [0.8, 0.8, 0.8, 0.8])
    predicted(state, 0.6, train=False)
    predicted(state, 0.6, train=False)
    trained(state, predicted(state, 0.6, audit=True), [0.6, 0.6, 0.6, 0.6])
    found = saved(state)
    assert (found.skipped, found.skipped_seconds, found.audits, found.regretted) == (2, 20.0, 1, 0)
    assert found.share == 0.5
    assert saved_words(found) == (
        "about 50% of the training proposed: 2 skipped; 1 of the hopeless trained all the same, none became the best"
    )
    trained(state, predicted(state, 0.6, audit=True), [0.6, 0.6, 0.6, 0.9])
    assert "1 became the best" in saved_words(saved(state))
