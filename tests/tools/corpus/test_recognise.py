"""What lies at a path is told by names and beginnings."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.recognise import obvious, recognise
from tests.tools.corpus.pictures_made import class_folders, coco, idx_pair, picture, saved

SQUAD = {"data": [{"paragraphs": [{"context": "Ada sat.", "qas": []}]}]}


def test_folders_of_classes_with_and_without_parts_are_recognised(tmp_path: Path) -> None:
    class_folders(tmp_path / "plain", each=1)
    class_folders(tmp_path / "parts" / "train", each=1)
    class_folders(tmp_path / "parts" / "test", each=1)
    (tmp_path / "plain" / "readme.txt").write_text("cats and dogs")
    for name in ("plain", "parts"):
        found = recognise(tmp_path / name)
        assert (found.form, found.modality, found.task) == ("class folders", "image", "classification")
        assert found.paths == {"train": tmp_path / name}


def test_a_zip_is_one_of_pictures_only_if_it_holds_some(tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "set"), "zip", class_folders(tmp_path / "set", each=1))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.csv").write_text("a\n1\n")
    shutil.make_archive(str(tmp_path / "texts"), "zip", tmp_path / "texts")
    assert recognise(tmp_path / "set.zip").form == "class folders"
    assert recognise(tmp_path / "texts.zip").form == "rows"


def test_json_files_are_told_apart_by_their_fields(tmp_path: Path) -> None:
    coco(tmp_path / "boxes.json", [[(1, 1, 5, 5)]])
    (tmp_path / "questions.json").write_text(json.dumps(SQUAD))
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(json.dumps(SQUAD, indent=1).encode()))
    (tmp_path / "list.json").write_text('[{"data": 1, "paragraphs": 2}]')
    (tmp_path / "lines.json").write_text('{"data": 1, "paragraphs": 2}\n{"data": 1, "paragraphs": 3}\n')
    forms = {file.name.split(".")[0]: recognise(file).form for file in tmp_path.iterdir() if ".json" in file.name}
    assert forms == {"boxes": "COCO", "questions": "SQuAD", "packed": "SQuAD", "list": "rows", "lines": "rows"}


def test_a_folder_is_read_by_the_parts_that_its_files_are_called(tmp_path: Path) -> None:
    for name in ("train.csv", "dev.csv", "test.csv", "test_with_titles.csv", "meta.json"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    assert {part: file.name for part, file in recognise(tmp_path).paths.items()} == {
        "train": "train.csv", "valid": "dev.csv", "test": "test.csv",
    }  # fmt: skip


def test_a_folder_of_coco_files_beside_their_pictures_is_one_of_boxes(tmp_path: Path) -> None:
    for part in ("train", "val"):
        coco(tmp_path / f"instances_{part}.json", [[(1, 1, 5, 5)]])
    found = recognise(tmp_path)
    assert (found.form, sorted(found.paths)) == ("COCO", ["train", "valid"])


def test_a_table_of_pictures_beside_them_is_rows(tmp_path: Path) -> None:
    for number in range(2):
        saved(tmp_path / "images" / f"{number}.jpg", number)
    (tmp_path / "labels.csv").write_text("file,label\nimages/0.jpg,a\nimages/1.jpg,b\n")
    found = recognise(tmp_path)
    assert (found.form, found.paths["train"].name) == ("rows", "labels.csv")


def test_idx_files_are_told_by_their_names(tmp_path: Path) -> None:
    idx_pair(tmp_path)
    assert recognise(tmp_path).form == recognise(tmp_path / "train-images-idx3-ubyte.gz").form == "IDX"


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.conll", "Ada X\nsat Y\n", "CoNLL"),
        ("a.txt", "Ada B-PER\nsat O\n\nBo B-PER\n", "CoNLL"),
        ("a.txt", "a b\n1 2\n3 4\n", "rows"),
    ],
)
def test_conll_is_told_by_its_suffix_or_by_its_tags(tmp_path: Path, name: str, text: str, form: str) -> None:
    (tmp_path / name).write_text(text)
    assert recognise(tmp_path / name).form == form


def test_a_folder_without_data_says_what_one_needs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data found: a folder needs pictures in folders of classes"):
        recognise(tmp_path)
    picture(0).save(tmp_path / "alone.png")
    with pytest.raises(UserError, match="no data found"):
        recognise(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(UserError, match=r"no file called train: name one of a\.csv, b\.csv"):
        recognise(tmp_path)


def test_rows_and_folders_of_rows_are_not_obvious(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    assert obvious(tmp_path) is None and obvious(tmp_path / "train.csv") is None
    assert obvious(tmp_path / "none.csv") is None
    saved(tmp_path / "deep" / "er" / "0.jpg", 0)
    found = obvious(tmp_path)
    assert found is not None and found.modality == "image"
