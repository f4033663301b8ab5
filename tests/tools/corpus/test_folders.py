from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.pictures import read_pictures
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.data.preparation import prepare
from tests.tools.corpus.pictures_made import class_folders, packed, picture, saved, told


def card(source: Any, **more: Any) -> DataCard:
    return DataCard.model_validate({"modality": "image", "source": source, **more})


def sizes(raw: RawExamples) -> dict[int, int]:
    return {number: len(part) for number, part in raw.parts()}


def zipped(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return file


def refused(tmp_path: Path, source: Any = "set", **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_pictures(card(source, **more), tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_folders_name_the_classes_of_their_pictures(tmp_path: Path) -> None:
    class_folders(tmp_path / "set")
    saved(tmp_path / "set" / "dog" / "big" / "9.PNG", 99)
    raw = read_pictures(card("set"), tmp_path)
    assert (raw.task, raw.labels, raw.train.answers) == ("classification", ("cat", "dog"), ["cat"] * 6 + ["dog"] * 7)
    assert list(raw.train.names or ())[-1] == "dog/big/9.PNG"
    assert raw.train.dataset[12]["image"].size == (40, 30)


@pytest.mark.parametrize("around", ["", "pets/all"])
@pytest.mark.parametrize("packed_as", ["folder", "zip"])
def test_parts_stand_above_the_classes(tmp_path: Path, around: str, packed_as: str) -> None:
    for part, each in (("train", 5), ("Validation", 3), ("test", 2)):
        class_folders(tmp_path / "set" / around / part, each=each, seed=each * 50)
    source = zipped(tmp_path / "set", tmp_path / "set.zip").name if packed_as == "zip" else "set"
    raw = read_pictures(card(source), tmp_path)
    assert (sizes(raw), raw.labels) == ({0: 10, 1: 6, 2: 4}, ("cat", "dog"))
    assert raw.train.dataset[0]["image"].size == (40, 30)


def test_a_folder_called_train_is_a_class_where_no_other_part_stands_beside(tmp_path: Path) -> None:
    class_folders(tmp_path / "set", ("bus", "train"))
    assert read_pictures(card("set"), tmp_path).labels == ("bus", "train")


def test_each_part_can_be_a_folder_of_its_own(tmp_path: Path) -> None:
    class_folders(tmp_path / "a", each=4)
    class_folders(tmp_path / "b", ("cat", "dog", "emu"), each=2, seed=500)
    raw = read_pictures(card({"train": "a", "test": "b"}), tmp_path)
    assert sizes(raw) == {0: 8, 2: 6}
    assert "classes without training pictures, so never predicted: emu" in told(raw.findings)


def test_test_pictures_without_classes_are_left_out(tmp_path: Path) -> None:
    class_folders(tmp_path / "set" / "train")
    saved(tmp_path / "set" / "test" / "1.jpg", 5)
    raw = read_pictures(card("set"), tmp_path)
    assert sizes(raw) == {0: 12}
    assert "1 picture left out (no folder tells the class): test/1.jpg" in told(raw.findings)


@pytest.mark.parametrize("packed_as", ["folder", "zip"])
def test_pictures_that_cannot_be_used_are_counted_named_and_left_out(tmp_path: Path, packed_as: str) -> None:
    folder = class_folders(tmp_path / "set")
    for number in range(5):
        (folder / "cat" / f"bad{number}.jpg").write_bytes(packed(picture(1))[:300])
    saved(folder / "dog" / "dot.png", 1, size=(1, 1))
    (folder / "dog" / "Thumbs.db").write_bytes(b"x")
    (folder / "dog" / ".hidden.jpg").write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    (folder / "emu").mkdir()
    source = zipped(folder, tmp_path / "set.zip").name if packed_as == "zip" else "set"
    raw = read_pictures(card(source), tmp_path)
    assert told(raw.findings).splitlines() == [
        "note: 1 file ignored (no picture by the name): dog/Thumbs.db",
        "warning: 5 pictures left out (no picture, or damaged): cat/bad0.jpg, cat/bad1.jpg, cat/bad2.jpg, …",
        "warning: 1 picture left out (a side of less than 4 pixels): dog/dot.png",
    ]
    assert (len(raw.train), raw.labels) == (12, ("cat", "dog", "emu"))


def test_a_damaged_member_of_a_zip_costs_one_picture(tmp_path: Path) -> None:
    file = zipped(class_folders(tmp_path / "set"), tmp_path / "set.zip")
    data = bytearray(file.read_bytes())
    data[200:220] = bytes(20)
    file.write_bytes(data)
    assert len(read_pictures(card("set.zip"), tmp_path).train) == 11


def test_prepared_pictures_need_their_files_no_more(tmp_path: Path) -> None:
    from automl_gpt.tools.data.prepared import open_prepared

    folder = class_folders(tmp_path / "set", each=15)
    profile = prepare(card("set", label_space=["cat", "dog", "emu"]), tmp_path, tmp_path / "out")
    for file in folder.rglob("*.jpg"):
        file.unlink()
    assert (profile.task, profile.labels, profile.modality) == ("binary", ("cat", "dog"), "image")
    assert "never occur, so can't be learnt: emu" in told(profile.findings)
    rows = open_prepared(tmp_path / "out").rows.x
    assert {one.size for one in rows.column("image")} == {(40, 30)}


def test_what_is_no_data_set_of_pictures_is_refused_in_one_line(tmp_path: Path) -> None:
    for number in range(3):
        saved(tmp_path / "flat" / f"{number}.jpg", number)
    (tmp_path / "flat" / "labels.csv").write_text("path,label\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.zip").write_bytes(b"PK no")
    (tmp_path / "set.tar.gz").write_bytes(b"")
    (tmp_path / "notes.md").write_text("")
    assert "holds 3 pictures in folders of classes (CLASS/picture.jpg): name the table" in refused(tmp_path, "flat")
    assert "holds no pictures" in refused(tmp_path, "empty")
    assert "can't be read as a zip" in refused(tmp_path, "bad.zip")
    assert "unpack it first" in refused(tmp_path, "set.tar.gz")
    assert "name a folder or a zip" in refused(tmp_path, "notes.md")
    assert "no such file or folder, did you mean flat?" in refused(tmp_path, "flot")
    assert "its parts must be of one kind" in refused(tmp_path, {"train": "flat", "test": "flat/labels.csv"})
    class_folders(tmp_path / "set")
    assert "card: group: folders of pictures have no columns" in refused(tmp_path, group="owner")
    assert "card: task: regression" in refused(tmp_path, task="regression")


def test_a_zip_bomb_is_refused_by_what_its_headers_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = zipped(class_folders(tmp_path / "set"), tmp_path / "set.zip")
    size = max(info.file_size for info in zipfile.ZipFile(file).infolist())
    monkeypatch.setattr("automl_gpt.tools.corpus.tree.MAX_MEMBER", size - 1)
    assert "1 picture left out" in told(read_pictures(card("set.zip"), tmp_path).findings)
    monkeypatch.setattr("automl_gpt.tools.corpus.tree.MAX_ZIP", size)
    assert "GB of pictures: unpack it first" in refused(tmp_path, "set.zip")
