from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.compose.ensemble import out_of_fold
from automl_gpt.tools.data.prepared import open_test
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.deliver.export import export
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.evaluate.test_look import look
from automl_gpt.tools.journal.events import Member
from tests.tools.finished_run import HOSTILE, FinishedRun, churn, churn_run, houses, houses_run, start, train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return churn_run(tmp_path_factory.mktemp("runs") / "churn", description="Who *leaves*?")


@pytest.fixture
def copy(run: FinishedRun, tmp_path: Path) -> Path:
    """A delivered model to be damaged."""
    return Path(shutil.copytree(run.folder / "model", tmp_path / "model"))


def test_a_delivered_model_predicts_raw_rows_with_nothing_but_its_folder(copy: Path) -> None:
    fresh = churn(300, seed=99)
    predictions = load_bundle(copy).predict(fresh.drop(columns="left"))
    assert list(predictions.columns) == ["prediction", "probability_no", "probability_yes"]
    assert len(predictions) == 300
    assert predictions[["probability_no", "probability_yes"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert (predictions["prediction"] == fresh["left"]).mean() > 0.75


def test_the_delivered_model_is_the_weighted_mean_of_its_members_folds(run: FinishedRun) -> None:
    bundle, prepared = load_bundle(run.folder), run.prepared
    x = prepared.rows.x[:50]
    expected = sum(
        member.weight * np.mean([bundle.fitted(member, fold).predict(x) for fold in range(member.folds)], axis=0)
        for member in bundle.manifest.members
    )
    assert bundle.predict_matrix(x) == pytest.approx(expected, abs=1e-5)


def test_threads_and_chunks_change_no_digit(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, x = load_bundle(run.folder), np.array(run.prepared.rows.x)
    whole = bundle.predict_matrix(x)
    monkeypatch.setattr("automl_gpt.tools.deliver.bundle.CHUNK", 64)
    assert np.array_equal(bundle.predict_matrix(x, threads=2), bundle.predict_matrix(x))
    assert bundle.predict_matrix(x) == pytest.approx(whole, abs=1e-9)
    assert len(bundle.predict(churn(200).drop(columns="left"))) == 200


def test_the_look_scores_the_test_split_with_an_interval_and_other_usual_metrics(run: FinishedRun) -> None:
    metric = METRICS["roc_auc"]
    seen = look(load_bundle(run.folder), run.folder / "data", metric)
    part = open_test(run.folder / "data")
    assert seen.value == pytest.approx(score(metric, part.y, load_bundle(run.folder).predict_matrix(part.x)))
    assert seen.low < seen.value < seen.high
    assert seen.rows == len(part.y) == run.state.need_profile().rows_test
    assert set(seen.others) == {"accuracy", "log_loss"}
    assert seen == look(load_bundle(run.folder), run.folder / "data", metric)


def test_decision_weights_change_what_is_said_and_not_the_probabilities(tmp_path: Path) -> None:
    run = churn_run(tmp_path / "run", "balanced_accuracy")
    assert run.state.ensemble is not None
    assert run.state.ensemble.decision_weights
    predictions = load_bundle(run.folder).predict(churn(400, seed=5))
    likeliest = np.where(predictions["probability_yes"] > 0.5, "yes", "no")
    assert (predictions["prediction"] == "yes").sum() > (likeliest == "yes").sum()
    p = out_of_fold(run.folder, run.state.ensemble.members)
    y = run.prepared.rows.y[run.prepared.out_of_fold()]
    assert run.state.ensemble.value > score(METRICS["balanced_accuracy"], y, p) + 0.03


def test_a_regression_delivers_values(tmp_path: Path) -> None:
    run = houses_run(tmp_path / "run")
    predictions = load_bundle(run.folder).predict(houses(100, seed=3))
    assert list(predictions.columns) == ["prediction"]
    error = np.abs(predictions["prediction"] - houses(100, seed=3)["price"]).mean()
    assert error < 0.25 * houses(100, seed=3)["price"].std()


def test_labels_keep_the_type_that_they_had(tmp_path: Path) -> None:
    table = churn(200)
    table["left"] = (table["left"] == "yes").astype(int) + 3
    run = start(tmp_path / "run", table, "left", "log_loss")
    train(run, "linear", {})
    from tests.tools.finished_run import finish

    predictions = load_bundle(finish(run).folder).predict(table)
    assert set(predictions["prediction"].unique()) <= {3, 4}
    assert predictions["prediction"].dtype.kind == "i"
    assert list(predictions.columns)[1:] == ["probability_3", "probability_4"]


def test_missing_columns_are_named(run: FinishedRun) -> None:
    with pytest.raises(UserError, match="'income'") as told:
        load_bundle(run.folder).predict(churn(10).drop(columns="income"))
    assert "\n" not in str(told.value)


def test_exporting_again_replaces_the_folder_and_leaves_nothing_behind(run: FinishedRun) -> None:
    before = sorted(p.name for p in run.folder.iterdir())
    (run.folder / "model" / "stray").write_text("left by somebody")
    export(run.folder, run.state, run.prepared.layout)
    assert sorted(p.name for p in run.folder.iterdir()) == before
    assert not (run.folder / "model" / "stray").exists()


def test_a_member_whose_models_are_gone_is_told_and_nothing_is_half_written(run: FinishedRun, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    member = run.state.ensemble.members[0] if run.state.ensemble else Member(trial=1, weight=1)
    shutil.rmtree(folder / "trials" / f"{member.trial:04d}" / "fold_0")
    shutil.rmtree(folder / "model")
    with pytest.raises(UserError, match="can't be saved"):
        export(folder, run.state, run.prepared.layout)
    assert not [p for p in folder.iterdir() if "model" in p.name]


def damage_manifest(folder: Path) -> None:
    text = (folder / "bundle.json").read_text()
    (folder / "bundle.json").write_text(text[: len(text) // 2])


def damage_encoder(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    content["encoder"] = {"columns": [{"kind": "nonsense"}]}
    (folder / "bundle.json").write_text(json.dumps(content))


def damage_format(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(content | {"format": 99}))


def damage_model(folder: Path) -> None:
    file = next(p for p in sorted((folder / "members").rglob("*")) if p.is_file())
    file.write_bytes(b"\x00" + file.read_bytes()[1:])


def add_file(folder: Path) -> None:
    (next((folder / "members").iterdir()) / "fold_0" / "more.bin").write_bytes(b"1")


def remove_member(folder: Path) -> None:
    shutil.rmtree(next((folder / "members").iterdir()))


def strange_trainer(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    content["members"][0]["trainer"] = "pickle"
    (folder / "bundle.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "harm",
    [damage_manifest, damage_encoder, damage_format, damage_model, add_file, remove_member, strange_trainer],
)
def test_a_damaged_model_is_told_in_one_line(copy: Path, harm: object) -> None:
    harm(copy)  # type: ignore[operator]
    with pytest.raises(UserError) as told:
        load_bundle(copy).predict(churn(5))
    assert "\n" not in str(told.value)
    assert str(copy) in str(told.value)


@pytest.mark.parametrize("what", ["nowhere", "empty", "file"])
def test_a_place_without_a_model_is_told_in_one_line(tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("{}")
    with pytest.raises(UserError, match="no delivered model") as told:
        load_bundle(tmp_path / what)
    assert "\n" not in str(told.value)


def test_the_model_card_tells_what_how_and_how_well_and_escapes_names(run: FinishedRun) -> None:
    text = (run.folder / "model" / "MODEL_CARD.md").read_text()
    for heading in (
        "Model details",
        "Intended use",
        "Data",
        "Metric and scores",
        "Limits",
        "How to use it",
        "Versions",
    ):
        assert f"\n## {heading}\n" in text
    assert run.state.test is not None
    assert run.state.test.value is not None
    assert f"**{run.state.test.value:.5g}**" in text
    assert "Who \\*leaves\\*?" in text
    assert HOSTILE not in text
    assert "basic" not in text, "a level of a column is a cell value"
