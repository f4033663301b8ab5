"""The model of all training rows beside the fold models: fitted for as long as they were, delivered, predicted with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.tools.deliver.bundle import WHOLE, load_bundle, whole_folder
from automl_gpt.tools.deliver.export import export, write_model_card
from automl_gpt.tools.deliver.whole import add_whole, whole_seconds
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.train.refit import MOST_ROWS, TRAINERS, WORTH, refit, refits
from automl_gpt.tools.train.registry import trainer
from tests.tools.finished_run import SEED, FinishedRun, churn, start, train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    run = start(tmp_path_factory.mktemp("whole") / "run", churn(260), "left", "roc_auc")
    for model in ("lightgbm", "linear", "k_nearest_neighbours"):
        train(run, model, {})
    members = tuple(e.Member(trial=n, weight=w) for n, w in ((1, 0.5), (2, 0.3), (3, 0.2)))
    run.state.apply(e.EnsembleChosen(members=members, value=0.8, best_single=0.8, reason="to see", by="test"))
    return run


def deliver(run: FinishedRun, seconds: float | None) -> tuple[int, ...]:
    assert run.state.ensemble is not None
    whole = add_whole(run.state, run.folder, run.prepared, run.state.ensemble.members, seconds)
    run.state.apply(run.state.ensemble.model_copy(update={"whole": whole}))
    export(run.folder, run.state, run.prepared.layout)
    return whole


@pytest.mark.parametrize("name", sorted(TRAINERS))
def test_every_trainer_fits_all_rows_for_the_steps_that_it_is_told(run: FinishedRun, name: str) -> None:
    h, x = model_cards()[name].default(), run.prepared.rows.x
    assert refits(name, run.state.need_profile())
    once, again = (refit(run.prepared, name, h, "roc_auc", (11, 13), SEED) for _ in range(2))
    assert once is not None and again is not None
    assert 12 <= once.best_step <= 30  # the first row of the log at or after the mean
    assert np.array_equal(once.predict(x), again.predict(x))
    right = (once.predict(x).argmax(axis=1) == run.prepared.rows.y).mean()
    assert right > 0.7


def test_members_are_delivered_with_a_model_of_all_rows_that_has_half_a_say(run: FinishedRun) -> None:
    assert deliver(run, None) == (1, 2)  # what the neighbours are has no steps
    bundle, x = load_bundle(run.folder), run.prepared.rows.x[:40]
    expected = 0.0
    for member in bundle.manifest.members:
        folds = np.mean([bundle.fitted(member, fold).predict(x) for fold in range(member.folds)], axis=0)
        whole = member.trial in (1, 2)
        assert member.whole == (WORTH if whole else 0.0)
        assert whole_folder(run.folder / "model", member.trial).is_dir() is whole
        rest = trainer(member.trainer).load(whole_folder(run.folder / "model", member.trial)) if whole else None
        expected += member.weight * (folds if rest is None else (1 - WORTH) * folds + WORTH * rest.predict(x))
    assert bundle.predict_matrix(x) == pytest.approx(expected, abs=1e-6)
    assert "in equal parts a model of all training rows (trials 1, 2)" in write_model_card(
        run.folder / "model", run.state
    ).read_text("utf-8")


def test_without_time_the_fold_models_are_delivered_alone(run: FinishedRun) -> None:
    assert deliver(run, 0.0) == ()
    assert not list((run.folder / "model").rglob(WHOLE))
    assert all(member.whole == 0 for member in load_bundle(run.folder).manifest.members)
    h = {**model_cards()["lightgbm"].default(), "learning_rate": 0.01}
    assert refit(run.prepared, "lightgbm", h, "roc_auc", (4000,), SEED, time.monotonic()) is None


def test_the_time_that_it_takes_is_told_from_the_folds(run: FinishedRun) -> None:
    trial = run.state.trials[1]
    assert trial.end is not None
    assert whole_seconds(run.state, trial) == pytest.approx(1.4 * trial.end.seconds / len(trial.end.folds))
    assert whole_seconds(run.state, run.state.trials[3]) == 0.0  # neighbours have no steps


def test_limits_on_what_is_delivered_keep_it_out(tmp_path: Path) -> None:
    run = start(tmp_path / "run", churn(160), "left", "roc_auc", limits={"megabytes": 500})
    train(run, "linear", {})
    assert add_whole(run.state, run.folder, run.prepared, [e.Member(trial=1, weight=1.0)], None) == ()
    assert whole_seconds(run.state, run.state.trials[1]) == 0.0


def test_large_tables_and_single_splits_have_none(tmp_path: Path) -> None:
    large = start(tmp_path / "large", churn(MOST_ROWS + 800), "left", "roc_auc")
    single = start(tmp_path / "single", churn(300), "left", "roc_auc", split={"kind": "random", "folds": 1})
    assert not any(refits("lightgbm", run.state.need_profile()) for run in (large, single))


def test_a_bundle_from_before_there_were_such_models_is_read(run: FinishedRun) -> None:
    deliver(run, 0.0)
    manifest = run.folder / "model" / "bundle.json"
    told = json.loads(manifest.read_text("utf-8"))
    for member in told["members"]:
        del member["whole"]
    manifest.write_text(json.dumps(told), "utf-8")
    assert len(load_bundle(run.folder).predict_matrix(run.prepared.rows.x[:5])) == 5


def test_a_full_disk_leaves_the_fold_models(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, folder: Path) -> None:
        (folder / "part").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automl_gpt.tools.train.linear.LinearModel.save", full)
    assert add_whole(run.state, run.folder, run.prepared, [e.Member(trial=2, weight=1.0)], None) == ()
    assert not list((run.folder / "trials" / "0002").glob("*whole*"))
