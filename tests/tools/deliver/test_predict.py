from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.base import Context
from automl_gpt.tools.deliver.predict import default_out, predict, predict_file
from tests.tools.finished_run import FinishedRun, churn, finish, start, train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    run = start(tmp_path_factory.mktemp("runs") / "churn", churn(300), "left", "log_loss")
    train(run, "linear", {})
    return finish(run)


def rows(count: int = 25) -> Any:
    return churn(count, seed=3).drop(columns="left")


def write(table: Any, path: Path) -> Path:
    if ".parquet" in path.name:
        table.to_parquet(path)
    elif ".jsonl" in path.name:
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return path


def read(path: Path) -> Any:
    if ".parquet" in path.name:
        return pd.read_parquet(path)
    if ".jsonl" in path.name:
        return pd.read_json(path, orient="records", lines=True)
    return pd.read_csv(path, sep="\t" if ".tsv" in path.name else ",")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.jsonl", "a.csv.gz", "a.jsonl.gz", "a.b.CSV"])
def test_each_format_comes_back_as_it_went_in_row_for_row(run: FinishedRun, tmp_path: Path, name: str) -> None:
    done = predict_file(run.folder / "model", write(rows(), tmp_path / name))
    assert done.out.name == name.replace(".csv", ".predictions.csv").replace(".CSV", ".predictions.CSV").replace(
        ".tsv", ".predictions.tsv"
    ).replace(".parquet", ".predictions.parquet").replace(".jsonl", ".predictions.jsonl")
    assert done.rows == 25
    found = read(done.out)
    assert list(found.columns) == ["prediction", "probability_no", "probability_yes"]
    expected = read(predict_file(run.folder, write(rows(), tmp_path / "ref.csv")).out)
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    assert found["probability_yes"].to_numpy() == pytest.approx(expected["probability_yes"].to_numpy(), abs=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_extra_reordered_and_target_columns_change_nothing_and_are_noted(run: FinishedRun, tmp_path: Path) -> None:
    plain = predict_file(run.folder, write(rows(), tmp_path / "a.csv"))
    other = churn(25, seed=3)
    other.insert(0, "shoe size", 42)
    other = other[other.columns[::-1]]
    done = predict_file(run.folder, write(other, tmp_path / "b.csv"))
    assert done.out.read_text() == plain.out.read_text()
    assert plain.notes == ()
    told = " | ".join(done.notes)
    assert "1 column not used by the model: 'shoe size'" in told
    assert "'left' is what the model predicts" in told
    assert "another order" in told


def test_unseen_categories_are_predicted_and_noted(run: FinishedRun, tmp_path: Path) -> None:
    table = rows()
    table.loc[3, "plan"] = "platinum"
    done = predict_file(run.folder, write(table, tmp_path / "a.csv"))
    assert done.rows == 25
    assert any("'plan'" in note and "not seen" in note for note in done.notes)
    assert read(done.out).notna().all().all()


def test_values_that_are_all_missing_are_predicted(run: FinishedRun, tmp_path: Path) -> None:
    table = rows(3).drop(index=[0, 1, 2]).reindex(range(3))
    assert read(predict_file(run.folder, write(table, tmp_path / "a.csv")).out).notna().all().all()


def test_where_to_write_can_be_said_and_decides_the_format(run: FinishedRun, tmp_path: Path) -> None:
    file = write(rows(), tmp_path / "a.csv")
    done = predict_file(run.folder, file, tmp_path / "b.parquet")
    assert len(pd.read_parquet(done.out)) == 25
    assert len(pd.read_csv(predict_file(run.folder, file, tmp_path / "c.out").out)) == 25
    zipped = predict_file(run.folder, file, tmp_path / "d.csv.gz").out
    assert gzip.decompress(zipped.read_bytes()).startswith(b"prediction,probability_no")


def test_the_input_is_never_overwritten(run: FinishedRun, tmp_path: Path) -> None:
    file = write(rows(), tmp_path / "a.csv")
    before = file.read_bytes()
    (tmp_path / "link.csv").hardlink_to(file)
    (tmp_path / "soft.csv").symlink_to(file)
    for out in (file, tmp_path / "link.csv", tmp_path / "soft.csv"):
        with pytest.raises(UserError, match="is the input itself"):
            predict_file(run.folder, file, out)
    assert file.read_bytes() == before


def bad_inputs(folder: Path) -> dict[str, tuple[Path, Path | None]]:
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("age,income\n")
    (folder / "folder").mkdir()
    (folder / "book.xlsx").write_bytes(b"PK\x03\x04")
    (folder / "broken.parquet").write_bytes(b"PAR1 no")
    good = write(rows(), folder / "good.csv")
    return {
        "missing file": (folder / "none.csv", None),
        "empty file": (folder / "empty.csv", None),
        "no rows": (folder / "header.csv", None),
        "a folder": (folder / "folder", None),
        "a spreadsheet": (folder / "book.xlsx", None),
        "broken": (folder / "broken.parquet", None),
        "missing columns": (write(rows().drop(columns=["age", "plan"]), folder / "less.csv"), None),
        "no such folder": (good, folder / "no" / "out.csv"),
        "out is a folder": (good, folder / "folder"),
    }


@pytest.mark.parametrize(
    "what",
    ["missing file", "empty file", "no rows", "a folder", "a spreadsheet", "broken", "missing columns",
     "no such folder", "out is a folder"],
)  # fmt: skip
def test_bad_input_gets_one_clear_line(run: FinishedRun, tmp_path: Path, what: str) -> None:
    file, out = bad_inputs(tmp_path)[what]
    with pytest.raises(UserError) as told:
        predict_file(run.folder, file, out)
    line = str(told.value)
    assert "\n" not in line
    assert 10 < len(line) < 400
    if what == "missing columns":
        assert "'age'" in line
        assert "'plan'" in line


def test_the_default_place_stands_beside_the_input() -> None:
    assert default_out(Path("x/rows.csv.gz")) == Path("x/rows.predictions.csv.gz")
    assert default_out(Path("rows")) == Path("rows.predictions")
    assert default_out(Path("a.b.parquet")) == Path("a.b.predictions.parquet")


def test_the_tool_predicts_and_is_not_an_inspecting_one(run: FinishedRun, tmp_path: Path) -> None:
    file = write(rows(), tmp_path / "a.csv")
    model = Path(shutil.copytree(run.folder / "model", tmp_path / "model"))
    done = predict.call({"model": str(model), "file": str(file)}, Context(tmp_path))
    assert done.model_dump()["rows"] == 25
    assert not predict.inspects
