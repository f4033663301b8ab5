from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.compose.ensemble import out_of_fold
from automl_gpt.tools.data.prepared import open_test
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.deliver.predict import default_out, predict_file
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.evaluate.report import render
from automl_gpt.tools.train import registry
from automl_gpt.tools.train.simple.boxes import MeanBoxesTrainer
from tests.tools.finished_examples import boxed, coloured, examples_run, review_card, reviews, squad, tagged
from tests.tools.finished_run import FinishedRun


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def moods(place: Path) -> FinishedRun:
    settings = model_cards()["tfidf_linear"].default()
    return examples_run(place / "moods", review_card(place / "reviews"), ("baseline", {}), ("tfidf_linear", settings))


@pytest.fixture(scope="module")
def questions(place: Path) -> FinishedRun:
    card = DataCard(modality="text", task="question-answering", source=str(squad(place)))
    return examples_run(place / "questions", card, ("baseline", {}))


@pytest.fixture(scope="module")
def squares(place: Path) -> Iterator[FinishedRun]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "TRAINERS", (*registry.TRAINERS, MeanBoxesTrainer()))
        card = DataCard(modality="image", task="detection", source=str(boxed(place / "boxes")))
        settings = model_cards()["mean_boxes"].default()
        yield examples_run(place / "squares", card, ("baseline", {}), ("mean_boxes", settings))


def test_a_text_model_predicts_raw_rows_with_nothing_but_its_folder(moods: FinishedRun, tmp_path: Path) -> None:
    model = Path(shutil.copytree(moods.folder / "model", tmp_path / "model"))
    fresh = reviews(40, seed=9)
    predictions = load_bundle(model).predict(fresh[["points", "review"]])
    assert list(predictions.columns) == ["prediction", "probability_bad", "probability_good"]
    assert (predictions["prediction"] == fresh["mood"]).all()
    assert predictions[["probability_bad", "probability_good"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_the_look_at_texts_tells_what_people_expect_of_them(moods: FinishedRun) -> None:
    assert moods.state.need_metric().name == "accuracy"
    assert moods.state.test is not None
    assert moods.state.test.value == 1
    assert set(moods.state.test.others) == {"f1_macro", "mcc", "roc_auc", "log_loss"}


def test_texts_that_are_empty_have_no_prediction_and_a_row_all_the_same(moods: FinishedRun, tmp_path: Path) -> None:
    texts = ["a lovely film", "", "an awful film", "   "]
    pd.DataFrame({"review": texts}).to_csv(tmp_path / "a.csv", index=False)
    done = predict_file(moods.folder / "model", tmp_path / "a.csv")
    found = pd.read_csv(done.out)
    assert done.rows == len(found) == 4
    assert found["prediction"].isna().tolist() == [False, True, False, True]
    assert found["probability_good"].isna().tolist() == [False, True, False, True]
    assert done.notes == ("2 of 4 rows have no prediction: 2 with no text",)


def test_chunks_change_no_prediction(moods: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, fresh = load_bundle(moods.folder), reviews(30, seed=4)
    fresh.loc[[3, 29], "review"] = None
    whole = bundle.predict(fresh)
    monkeypatch.setattr("automl_gpt.tools.deliver.inputs.ROWS", {"text": 7})
    pd.testing.assert_frame_equal(bundle.predict(fresh), whole)
    assert whole["prediction"].isna().sum() == 2


def test_the_column_is_found_by_its_name_its_role_or_as_the_only_one(moods: FinishedRun) -> None:
    bundle, lines = load_bundle(moods.folder), ["a dull play", "a great song"]
    tables = [pd.DataFrame({name: lines}) for name in ("review", "text", "whatever")]
    said = [bundle.predict(table)["prediction"].tolist() for table in tables]
    assert said == [["bad", "good"]] * 3
    with pytest.raises(UserError, match="missing column 'review': the model was trained on them; it has: 'a', 'b'"):
        bundle.predict(pd.DataFrame({"a": lines, "b": lines}))


def test_texts_that_look_like_numbers_stay_texts(moods: FinishedRun, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review\n007\n12.50\n")
    assert predict_file(moods.folder, tmp_path / "a.csv").rows == 2


def test_labels_that_are_numbers_stay_numbers_beside_empty_rows(place: Path, tmp_path: Path) -> None:
    table = reviews().assign(mood=lambda t: (t["mood"] == "good").astype(int))
    table.to_csv(tmp_path / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    card = DataCard(
        modality="text", source=str(tmp_path / "r.csv"), target="mood", inputs=inputs, task="classification"
    )
    run = examples_run(tmp_path / "run", card, ("baseline", {}))
    pd.DataFrame({"review": ["a film", ""]}).to_json(tmp_path / "n.jsonl", orient="records", lines=True)
    out = predict_file(run.folder, tmp_path / "n.jsonl").out
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert first["prediction"] in (0, 1)
    assert isinstance(first["prediction"], int)
    assert second["prediction"] is None


def test_a_regression_of_texts_delivers_values_and_correlations(place: Path, tmp_path: Path) -> None:
    run = examples_run(tmp_path / "run", review_card(tmp_path, "points", task="regression"), ("baseline", {}))
    predictions = load_bundle(run.folder).predict(pd.DataFrame({"review": ["a film", None]}))
    assert list(predictions.columns) == ["prediction"]
    assert np.isfinite(predictions["prediction"][0])
    assert np.isnan(predictions["prediction"][1])
    assert run.state.test is not None
    assert {"pearson", "spearman"} <= set(run.state.test.others)


def test_answers_are_delivered_by_the_best_model_alone(squares: FinishedRun) -> None:
    ensemble = squares.state.ensemble
    assert ensemble is not None
    assert [m.trial for m in ensemble.members] == [2]
    assert ensemble.value == ensemble.best_single == squares.state.trials[2].value
    answers = out_of_fold(squares.folder, ensemble.members)
    y = squares.prepared.rows.y[squares.prepared.out_of_fold()]
    assert score(METRICS["map"], y, answers, labels=("square",)) == pytest.approx(ensemble.value)


def test_the_look_scores_answers_with_their_other_metrics(squares: FinishedRun) -> None:
    seen, part = squares.state.test, open_test(squares.folder / "data")
    assert seen is not None
    assert set(seen.others) == {"map50", "map75"}
    prediction = load_bundle(squares.folder).predict_matrix(part.x)
    assert seen.value == pytest.approx(score(METRICS["map"], part.y, prediction, labels=("square",)))
    assert seen.low is not None
    assert seen.high is not None
    assert 0 < seen.low <= seen.value <= seen.high


def test_squad_questions_come_back_as_the_official_script_reads_them(questions: FinishedRun, tmp_path: Path) -> None:
    file = squad(tmp_path, 12)
    done = predict_file(questions.folder / "model", file)
    assert done.out == tmp_path / "squad.predictions.json"
    answers = json.loads(done.out.read_text())
    assert list(answers) == [f"q{number}" for number in range(12)]
    table = pd.read_csv(predict_file(questions.folder, file, tmp_path / "a.csv").out)
    assert list(table.columns) == ["id", "prediction", "score"]
    assert table["prediction"].tolist() == list(answers.values())


def test_questions_in_a_table_need_no_answers(questions: FinishedRun, tmp_path: Path) -> None:
    rows = [{"question": "Where?", "context": "Ada lives in Rome."}, {"question": "Who?", "context": ""}]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = predict_file(questions.folder, tmp_path / "q.jsonl")
    first, second = (json.loads(line) for line in done.out.read_text().splitlines())
    assert first["prediction"] in rows[0]["context"]
    assert second["prediction"] is second["score"] is None


def test_tags_are_lists_of_names_and_json_in_a_cell_of_csv(place: Path, tmp_path: Path) -> None:
    card = DataCard(modality="text", task="token-classification", source=str(tagged(tmp_path)), target="tags")
    run = examples_run(tmp_path / "run", card, ("baseline", {}))
    table = pd.DataFrame({"tokens": ["Ada went home", '["New York", "is", "big"]', ""]})
    assert load_bundle(run.folder).predict(table)["prediction"].tolist() == [["O"] * 3, ["O"] * 3, None]
    table.to_csv(tmp_path / "a.csv", index=False)
    cells = pd.read_csv(predict_file(run.folder, tmp_path / "a.csv").out)["prediction"]
    assert json.loads(cells[1]) == ["O"] * 3
    assert pd.isna(cells[2])
    (tmp_path / "b.jsonl").write_text(json.dumps({"tokens": ["a", "b"]}))
    assert json.loads(predict_file(run.folder, tmp_path / "b.jsonl").out.read_text()) == {"prediction": ["O", "O"]}


def test_generated_texts_come_back_as_texts(tmp_path: Path) -> None:
    reviews().to_csv(tmp_path / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    card = DataCard(
        modality="text", task="text-generation", source=str(tmp_path / "r.csv"), target="mood", inputs=inputs
    )
    run = examples_run(tmp_path / "run", card, ("baseline", {}))
    assert set(load_bundle(run.folder).predict(reviews(5))["prediction"]) <= {"good", "bad"}
    assert run.state.test is not None
    assert set(run.state.test.others) == {"rouge_l", "exact_match"}


def test_a_report_is_written_of_texts_and_of_answers(moods: FinishedRun, squares: FinishedRun) -> None:
    assert "confusion" in render(moods.state, moods.folder).lower()
    assert "Pictures with the best F1" in render(squares.state, squares.folder)


def test_retrieval_gives_the_best_passage_and_the_numbers_of_all_with_nothing_but_its_folder(tmp_path: Path) -> None:
    card = DataCard(modality="text", task="retrieval", source=str(squad(tmp_path)))
    run = examples_run(tmp_path / "run", card, ("baseline", {}))
    model = Path(shutil.copytree(run.folder / "model", tmp_path / "model"))
    shutil.rmtree(run.folder)
    bundle = load_bundle(model)
    passages = bundle.passages()
    assert passages is not None
    found = bundle.predict(pd.DataFrame({"question": ["Where does Ada live?", None]}))
    assert found["prediction"][0] == passages.column("text")[found["ranked"][0][0]]
    assert found["prediction"][1] is None
    assert run.state.test is not None
    assert {"recall_at_1", "recall_at_20"} <= set(run.state.test.others)


def test_a_folder_of_pictures_comes_back_as_a_table_of_files(tmp_path: Path) -> None:
    source = coloured(tmp_path / "colours")
    run = examples_run(tmp_path / "run", DataCard(modality="image", source=str(source)), ("baseline", {}))
    folder = tmp_path / "new"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(source / "red" / "01.png", folder / "b.png")
    shutil.copy(source / "red" / "02.png", folder / "deep" / "a.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "notes.txt").write_text("no picture")
    done = predict_file(run.folder / "model", folder)
    assert done.out == tmp_path / "new.predictions.csv"
    table = pd.read_csv(done.out)
    assert list(table.columns) == ["file", "prediction", "probability_blue", "probability_red"]
    assert table["file"].tolist() == ["b.png", "broken.jpg", "deep/a.png"]
    assert table["prediction"].isna().tolist() == [False, True, False]
    assert done.notes == ("1 of 3 rows have no prediction: 1 with broken picture",)
    alone = predict_file(run.folder, folder / "b.png")
    assert alone.out == folder / "b.predictions.csv"
    assert pd.read_csv(alone.out)["file"].tolist() == ["b.png"]
    pd.DataFrame({"image": ["b.png", "gone.png"]}).to_csv(folder / "t.csv", index=False)
    listed = predict_file(run.folder, folder / "t.csv")
    assert pd.read_csv(listed.out)["prediction"].isna().tolist() == [False, True]
    assert listed.notes == ("1 of 2 rows have no prediction: 1 with absent picture",)
    with pytest.raises(UserError, match="holds no pictures"):
        predict_file(run.folder, Path(shutil.copytree(folder, tmp_path / "texts", ignore=shutil.ignore_patterns("*g"))))


def test_pictures_in_memory_are_predicted_too(squares: FinishedRun) -> None:
    from PIL import Image

    picture = Image.new("RGB", (64, 48))
    found = load_bundle(squares.folder).predict(pd.DataFrame({"image": [picture, None]}))
    boxes = found["prediction"][0]
    assert boxes[0]["label"] == "square"
    assert boxes[0]["box"] == pytest.approx([11, 11, 20, 20], abs=3)
    assert found["prediction"][1] is None


def test_boxes_are_written_as_coco_results_with_the_files_own_ids(squares: FinishedRun, tmp_path: Path) -> None:
    file = boxed(tmp_path / "new", 3)
    done = predict_file(squares.folder, file, pictures=tmp_path / "drawn")
    assert done.out.name == "boxes.predictions.json"
    results = json.loads(done.out.read_text())
    assert {one["image_id"] for one in results} == {100, 101, 102}
    assert {one["category_id"] for one in results} == {7}
    assert len(results[0]["bbox"]) == 4
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == [f"0000{n + 1}_0{n}.jpg" for n in range(3)]
    table = pd.read_csv(predict_file(squares.folder, file, tmp_path / "a.csv").out)
    assert table["id"].tolist() == [100, 101, 102]
    assert json.loads(table["prediction"][0])[0]["box"] == results[0]["bbox"]
    folder = json.loads(predict_file(squares.folder, tmp_path / "new" / "images", tmp_path / "f.json").out.read_text())
    assert {(one["image_id"], one["file_name"], one["category_id"]) for one in folder} == {
        (n + 1, f"0{n}.png", 1) for n in range(3)
    }


def test_boxes_are_drawn_only_by_models_that_find_them(moods: FinishedRun, tmp_path: Path) -> None:
    reviews(3).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match="pictures with boxes are for models of detection"):
        predict_file(moods.folder, tmp_path / "a.csv", pictures=tmp_path / "drawn")


def test_a_picture_keeps_its_name_and_gets_a_table() -> None:
    assert default_out(Path("x/cat.jpg")) == Path("x/cat.predictions.csv")
    assert default_out(Path("x/squad.json")) == Path("x/squad.predictions.json")


def test_the_model_card_tells_what_goes_in_and_what_comes_out(
    moods: FinishedRun, squares: FinishedRun, questions: FinishedRun
) -> None:
    texts = [(run.folder / "model" / "MODEL_CARD.md").read_text() for run in (moods, squares, questions)]
    assert "one `probability_CLASS` per class" in texts[0]
    assert "from texts" in texts[0]
    assert "from pictures" in texts[1]
    assert all("probability_CLASS" not in text for text in texts[1:])
    assert not any("columns of a table" in text for text in texts)
