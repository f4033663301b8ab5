from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.pictures import read_pictures
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.data.preparation import prepare
from tests.tools.corpus.pictures_made import class_folders, packed, picture, saved, told


def card(source: Any, **more: Any) -> DataCard:
    return DataCard.model_validate({"modality": "image", "source": source, **more})


def refused(tmp_path: Path, source: Any, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_pictures(card(source, **more), tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def table(folder: Path, rows: int = 12) -> Any:
    """A table of paths with a class, an age, a weight and an owner."""
    for n in range(rows):
        saved(folder / "pics" / f"{n}.png", n)
    return pd.DataFrame(
        {
            "file": [f"pics/{n}.png" for n in range(rows)],
            "kind": [("cat", "dog")[n % 2] for n in range(rows)],
            "age": [n / 4 for n in range(rows)],
            "owner": [f"o{n % 3}" for n in range(rows)],
            "note": ["some words"] * rows,
        }
    )


def read_as(tmp_path: Path, frame: Any, ending: str, **more: Any) -> RawExamples:
    path = tmp_path / f"rows{ending}"
    if ending == ".csv":
        frame.to_csv(path, index=False)
    elif ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    return read_pictures(card(path.name, **more), tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_table_names_pictures_relative_to_itself(tmp_path: Path, ending: str) -> None:
    raw = read_as(tmp_path, table(tmp_path), ending, target="kind", group="owner", weight="age")
    assert raw.train.answers == ["cat", "dog"] * 6
    assert (raw.train.group[:4], raw.train.weight[:2], raw.columns) == (
        ["o0", "o1", "o2", "o0"],
        [0, 0.25],
        {"image": "file"},
    )
    assert raw.train.dataset[3]["image"].size == (40, 30)
    assert told(raw.findings) == "note: columns that are not used: note"


def test_rows_without_an_answer_or_a_usable_picture_are_left_out(tmp_path: Path) -> None:
    frame = table(tmp_path)
    frame.loc[[2, 5], "age"] = None
    (tmp_path / "pics" / "3.png").unlink()
    raw = read_as(tmp_path, frame, ".csv", target="age", task="regression", group="owner")
    assert raw.train.answers == [n / 4 for n in range(12) if n not in (2, 3, 5)]
    assert raw.train.group == [f"o{n % 3}" for n in range(12) if n not in (2, 3, 5)]
    assert "2 rows left out (no value of 'age')" in told(raw.findings)
    assert "1 picture left out (no such file): pics/3.png" in told(raw.findings)


@pytest.mark.parametrize("form", ["struct", "bytes"])
def test_parquet_may_hold_the_pictures_themselves(tmp_path: Path, form: str) -> None:
    stored = [packed(picture(n)) for n in range(12)]
    stored[4] = stored[4][:200]
    values = [{"bytes": one, "path": None} for one in stored] if form == "struct" else stored
    frame = pd.DataFrame({"shot": values, "age": [n / 4 for n in range(12)]})
    frame.loc[7, "age"] = None
    raw = read_as(tmp_path, frame, ".parquet", target="age")
    assert raw.train.answers == [n / 4 for n in range(12) if n not in (4, 7)]
    assert [one.size for one in raw.train.dataset["image"]] == [(40, 30)] * 10
    assert (raw.train.names or ())[4] == "rows.parquet row 6"
    assert "rows.parquet row 5" in told(raw.findings)
    kept = [n for n in range(12) if n not in (4, 7)]
    own = Image.open(io.BytesIO(stored[kept[-1]]))
    assert list(raw.train.dataset[9]["image"].getdata()) == list(own.getdata())


def test_embedded_pictures_of_which_some_are_left_out_can_be_prepared(tmp_path: Path) -> None:
    stored = [packed(picture(n)) for n in range(30)]
    stored[4] = b""
    pd.DataFrame({"shot": stored, "kind": ["a", "b", "c"] * 10}).to_parquet(tmp_path / "rows.parquet")
    profile = prepare(card("rows.parquet", target="kind"), tmp_path, tmp_path / "out")
    assert (profile.rows, profile.task) == (29, "multiclass")


def test_the_column_of_pictures_can_be_named_and_must_be_clear(tmp_path: Path) -> None:
    frame = table(tmp_path).assign(other=lambda f: f["file"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert "several columns hold paths of pictures (of file, other): name it under inputs" in refused(
        tmp_path, "rows.csv", target="kind"
    )
    named = read_pictures(card("rows.csv", target="kind", inputs={"other": {"role": "image"}}), tmp_path)
    assert named.columns == {"image": "other"}
    assert "no column holds paths of pictures (of age, owner, note)" in refused(
        tmp_path, "rows.csv", target="kind", drop=["file", "other"]
    )
    assert "card: target: is missing; name the column to predict: file, kind" in refused(tmp_path, "rows.csv")
    assert "card: target: rows.csv has no column 'kin'" in refused(tmp_path, "rows.csv", target="kin")
    assert "card: task: detection" in refused(tmp_path, "rows.csv", target="kind", task="detection")


def test_no_picture_at_its_place_is_an_error_that_names_some(tmp_path: Path) -> None:
    frame = table(tmp_path).assign(file=lambda f: "elsewhere/" + f["file"])
    with pytest.raises(
        UserError, match=r"no picture can be used: 12 pictures left out .no such file.: elsewhere/pics/0.png"
    ):
        read_as(tmp_path, frame, ".csv", target="kind")


def test_a_data_set_of_the_hub_may_stand_in_a_folder(tmp_path: Path) -> None:
    class_folders(tmp_path / "set" / "train")
    class_folders(tmp_path / "set" / "test", each=2, seed=50)
    (tmp_path / "set" / "train" / "cat" / "0.jpg").write_bytes(b"none")
    raw = read_pictures(card("hub:set"), tmp_path)
    assert (raw.target, raw.labels, raw.train.answers) == ("label", ("cat", "dog"), ["cat"] * 5 + ["dog"] * 6)
    assert len(raw.test or ()) == 4
    assert raw.train.dataset[0]["image"].size == (40, 30)


def test_the_hub_without_a_network_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    assert "download the files and name their path" in refused(tmp_path, "hub:someone/pictures")
    assert "name a data set of the hub once" in refused(tmp_path, {"train": "hub:a/b", "test": "hub:a/c"})
