from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_pictures import check_pictures
from automl_gpt.tools.corpus.pictures import read_pictures
from tests.tools.corpus.pictures_made import idx_file, idx_pair, told


def card(source: Any, **more: Any) -> DataCard:
    return DataCard.model_validate({"modality": "image", "source": source, **more})


def refused(tmp_path: Path, source: Any = ".", **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_pictures(card(source, **more), tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_of_idx_files_gives_its_parts_pixel_by_pixel(tmp_path: Path, ending: str) -> None:
    values = idx_pair(tmp_path, "train", 12, ending=ending)
    idx_pair(tmp_path, "t10k", 6, seed=1, ending=ending)
    raw = read_pictures(card("."), tmp_path)
    assert (len(raw.train), raw.valid, len(raw.test or ())) == (12, None, 6)
    assert raw.train.answers == [0, 1, 2] * 4
    assert (raw.train.names or ())[3] == f"train-images-idx3-ubyte{ending} picture 4"
    for row in (0, 11):
        assert (np.asarray(raw.train.dataset[row]["image"]) == values[row]).all()
    stored = raw.train.dataset.data.column("image").chunk(0)[0].as_py()["bytes"]
    assert check_pictures([stored])[0].problem is None


def test_files_can_be_named_one_by_one_and_labels_may_be_packed_otherwise(tmp_path: Path) -> None:
    idx_pair(tmp_path, "train", ending="")
    idx_pair(tmp_path, "t10k", 6)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    idx_file(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(12) % 2)
    source = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte.gz"}
    raw = read_pictures(card(source), tmp_path)
    assert (raw.train.answers, len(raw.test or ())) == ([0, 1] * 6, 6)
    assert len(read_pictures(card({"train": ".", "test": "."}), tmp_path).test or ()) == 6


def test_pictures_of_many_bytes_stand_in_several_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_gpt.tools.corpus.idx._CHUNK", 5 * 80)
    values = idx_pair(tmp_path)
    shown = read_pictures(card("."), tmp_path).train.dataset["image"]
    assert all((np.asarray(one) == own).all() for one, own in zip(shown, values, strict=True))


def test_coloured_pictures_are_read_as_rgb(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    idx_file(tmp_path / "train-images-idx4-ubyte", values)
    idx_file(tmp_path / "train-labels-idx1-ubyte", np.arange(4))
    assert (np.asarray(read_pictures(card("."), tmp_path).train.dataset[2]["image"]) == values[2]).all()


def test_the_label_space_names_the_codes_in_order(tmp_path: Path) -> None:
    idx_pair(tmp_path)
    idx_pair(tmp_path, "t10k", 6)
    raw = read_pictures(card(".", label_space=["shirt", "boot", "bag"]), tmp_path)
    assert raw.train.answers[:3] == ["shirt", "boot", "bag"]
    assert told(raw.findings).count("in their order") == 1
    assert read_pictures(card(".", label_space=["0", "1", "2"]), tmp_path).train.answers[:3] == [0, 1, 2]
    assert "names 2 labels, and the IDX file holds label 2" in refused(tmp_path, label_space=["shirt", "boot"])


def test_damaged_idx_files_are_refused_in_one_line(tmp_path: Path) -> None:
    idx_pair(tmp_path)
    images, labels = tmp_path / "train-images-idx3-ubyte.gz", tmp_path / "train-labels-idx1-ubyte.gz"
    whole, names = images.read_bytes(), labels.read_bytes()
    images.write_bytes(whole[: len(whole) // 2])
    assert "can't be read" in refused(tmp_path)
    images.write_bytes(b"\x1f\x8b" + bytes(50))
    assert "can't be read" in refused(tmp_path)
    images.write_bytes(names)
    assert "is no IDX file of bytes with 3 or 4 dimensions" in refused(tmp_path)
    images.write_bytes(whole)
    idx_file(labels, np.arange(11))
    assert "holds 12 pictures, and train-labels-idx1-ubyte.gz 11 labels" in refused(tmp_path)
    labels.unlink()
    assert "the labels stand there" in refused(tmp_path)
    idx_file(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((3, 1, 1)))
    idx_file(labels, np.arange(3))
    assert "1 x 1 pixels" in refused(tmp_path)


def test_an_unpacked_file_that_is_cut_off_says_how_much_is_missing(tmp_path: Path) -> None:
    idx_pair(tmp_path, ending="")
    images = tmp_path / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-60])
    assert "is cut off: 900 of 960 bytes" in refused(tmp_path)
