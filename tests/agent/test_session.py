"""The whole loop on small real data, through the Python API: real processes, real training, a real journal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.agent import Session, driver
from automl_gpt.agent.builtin import BuiltinController
from automl_gpt.agent.decisions import Situation, ToolCall
from automl_gpt.cards.errors import BudgetError, UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal, open_journal
from tests.agent.small_run import begin, drive, shared_server


def facts(state: RunState) -> list[Any]:
    """All decisions and logs of a run, without the seconds that they took."""
    rows: list[Any] = [state.assigned]
    for trial in state.ordered():
        assert trial.prediction is not None
        log = [(row.fold, row.step, dict(row.metrics)) for row in trial.rows]
        predicted = (trial.prediction.value, trial.prediction.low, trial.prediction.high, trial.prediction.train)
        rows.append((trial.number, trial.model, trial.hyperparameters, trial.status, trial.value, predicted, log))
    rows.append([(m.trial, m.weight) for m in state.ensemble.members] if state.ensemble else None)
    rows.append(state.test.value if state.test else None)
    return rows


def test_a_run_ends_with_a_model_a_report_a_test_score_and_predictions(
    journal: Journal, card: str, tmp_path: Path
) -> None:
    state = drive(begin(journal, card))
    assert state.finished is not None
    assert [t.model for t in state.ordered()][:2] == ["baseline", state.assigned[0]]
    assert all(t.prediction is not None and t.gap is not None for t in state.done())
    assert state.finished.test is not None and state.finished.test > 0.7
    folder = journal.run_folder(state.run)
    assert (folder / "report.html").stat().st_size > 10_000
    assert "roc_auc" in (folder / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    session = Session(journal)
    session.resume(state.run)
    predicted = session.predict(tmp_path / "small.csv", tmp_path / "out.csv")
    out = pd.read_csv(predicted.out)
    assert list(out.columns) == ["prediction", "probability_no", "probability_yes"]
    assert len(out) == 240


def test_every_prediction_is_in_the_journal_before_its_training_starts(journal: Journal, card: str) -> None:
    state = drive(begin(journal, card))
    events = [stored.event for stored in journal.events(state.run)]
    for trial in state.trials:
        predicted = next(i for i, v in enumerate(events) if isinstance(v, e.TrialPredicted) and v.trial == trial)
        started = next(i for i, v in enumerate(events) if isinstance(v, e.TrialStarted) and v.trial == trial)
        assert predicted < started


def test_the_same_seed_gives_the_same_decisions_and_logs(journal: Journal, card: str, tmp_path: Path) -> None:
    other = open_journal(folder=tmp_path / "other home")
    first, second = drive(begin(journal, card, seed=3)), drive(begin(other, card, seed=3))
    assert facts(first) == facts(second)
    other.close()


def test_a_run_that_is_left_in_the_middle_goes_on_as_if_nothing_had_happened(
    journal: Journal, card: str, tmp_path: Path
) -> None:
    other = open_journal(folder=tmp_path / "other home")
    whole = drive(begin(other, card, seed=3))
    session = begin(journal, card, seed=3)
    with session:
        for _ in session.plan():
            pass
        session.approve()
        for event in session.drive():
            if isinstance(event, e.TrialStarted) and event.trial == 3:
                session.stop()
        run = session.need_state().run
        assert session.need_state().interrupted
    again = Session(journal, server=shared_server())
    again.resume(run)
    state = drive(again)
    assert facts(state) == facts(whole)
    ends = [s.event for s in journal.events(run) if isinstance(s.event, e.TrialFinished)]
    assert sorted(end.trial for end in ends) == [1, 2, 3, 4, 5]
    other.close()


def test_a_budget_that_ends_before_any_trial_is_told_and_costs_nothing(journal: Journal, card: str) -> None:
    with pytest.raises(BudgetError, match="before any trial finished"):
        drive(begin(journal, card, budget=e.Budget(seconds=0.01)))


def test_a_trial_limit_counts_the_trained_trials(journal: Journal, card: str) -> None:
    state = drive(begin(journal, card, budget=e.Budget(seconds=None, trials=3)))
    assert sum(t.end is not None for t in state.ordered()) == 3


def test_a_model_that_is_no_better_than_nothing_learned_comes_with_a_warning(journal: Journal, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(80.0), 2) + rng.uniform(0, 0.01, size=160)  # each row has a twin of the other class
    table = pd.DataFrame({"noise": places, "class": ["a", "b"] * 80})
    table.to_csv(tmp_path / "noise.csv", index=False)
    (tmp_path / "noise.yaml").write_text("source: noise.csv\ntarget: class\nmetric: log_loss\n", encoding="utf-8")
    models = ("extra_trees",)
    state = drive(begin(journal, str(tmp_path / "noise.yaml"), budget=e.Budget(seconds=None, trials=2), models=models))
    assert state.ensemble is not None and state.baseline() is not None
    assert state.ensemble.value > (state.baseline().value or 0.0)  # log loss: more is worse
    assert any("no model is better than the baseline" in warning for warning in state.warnings)


class Stubborn:
    """A controller that proposes nonsense; everything else it leaves to the built-in one."""

    name = "stubborn"

    def judged(self, valid: bool) -> tuple[e.Event, ...]:
        del valid
        return ()

    hybrid = False

    def ready(self) -> bool:
        return True

    def decide(self, situation: Situation) -> list[ToolCall]:
        if situation.decision == "propose_hyperparameters":
            wanted = {"model": situation.state.assigned[0], "hyperparameters": {"learning_rate": 99}}
            return [ToolCall("propose_hyperparameters", {"configurations": [wanted]})]
        return BuiltinController().decide(situation)


def test_a_controller_that_decides_nonsense_is_told_twice_and_then_replaced(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(driver.CONTROLLERS, "stubborn", Stubborn)
    state = drive(begin(journal, card, controller="stubborn", budget=e.Budget(seconds=None, trials=3)))
    assert [(r.by, r.last) for r in state.refused] == [("stubborn", False), ("stubborn", True)]
    assert "learning_rate = 99 is not legal" in state.refused[0].problem
    assert [t.proposal.by for t in state.ordered()] == ["opening", "opening", "builtin"]


def test_a_wish_for_models_limits_what_is_tried(journal: Journal, card: str) -> None:
    session = begin(journal, card, budget=e.Budget(seconds=None, trials=3))
    session.change(models=("linear",))
    state = drive(session)
    assert {t.model for t in state.ordered()} == {"baseline", "linear"}


def test_a_wrong_wish_is_one_line(journal: Journal, card: str) -> None:
    session = begin(journal, card)
    with pytest.raises(UserError, match="there is no model 'gpt'"):
        session.change(models=("gpt",))
    with pytest.raises(UserError, match="controller 'oracle': write PROVIDER:MODEL"):
        session.change(controller="oracle")
    with pytest.raises(UserError, match="metric 'beauty'"):
        session.change(metric="beauty")


def test_undo_takes_back_what_is_not_trained_yet(journal: Journal, card: str) -> None:
    with begin(journal, card) as session:
        for _ in session.plan():
            pass
        assert session.undo() == "took back trial 1 (baseline), trial 2 (lightgbm)"
        with pytest.raises(UserError, match="nothing to take back"):
            session.undo()


def test_the_clock_of_a_finished_run_stands_still_and_nothing_of_it_is_taken_back(journal: Journal, card: str) -> None:
    with begin(journal, card, budget=e.Budget(seconds=None, trials=1)) as session:
        list(session.plan())
        session.approve()
        list(session.drive())
        seconds = session.elapsed()
        time.sleep(0.05)
        assert session.elapsed() == seconds
        with pytest.raises(UserError, match="is finished: there is nothing to take back"):
            session.undo()


def test_finish_while_it_trains_ends_the_search_and_delivers(journal: Journal, card: str) -> None:
    with begin(journal, card, budget=e.Budget(seconds=None, trials=40)) as session:
        list(session.plan())
        session.approve()
        for event in session.drive():
            if isinstance(event, e.TrialFinished) and event.trial == 2:
                session.finish()
        finished = session.need_state().finished
    assert finished is not None and finished.trials < 10
    assert (finished.status, finished.reason) == ("stopped", "asked for by the person")


def test_two_sessions_never_drive_one_run(journal: Journal, card: str) -> None:
    with begin(journal, card) as session:
        for _ in session.plan():
            pass
        with pytest.raises(UserError, match="another session"):
            Session(open_journal(folder=journal.folder)).resume(session.need_state().run)
