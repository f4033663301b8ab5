from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.pictures import read_pictures
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.prepared import open_prepared, open_test
from tests.tools.corpus.pictures_made import coco, packed, picture, told

BOXES = [[(1, 2, 10, 8), (20, 5, 6, 6)], [(0, 0, 40, 30)], []]


def card(source: Any = "set.json", **more: Any) -> DataCard:
    return DataCard.model_validate({"modality": "image", "source": source, **more})


def read(tmp_path: Path, source: Any = "set.json", **more: Any) -> RawExamples:
    return read_pictures(card(source, **more), tmp_path)


def refused(tmp_path: Path, source: Any = "set.json", **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, source, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(tmp_path: Path, **lists: Any) -> RawExamples:
    coco(tmp_path / "set.json", BOXES, **lists)
    return read(tmp_path)


def box(**fields: Any) -> dict[str, Any]:
    return {"id": 50, "image_id": 100, "category_id": 7, "bbox": [1, 2, 3, 4], **fields}


def test_boxes_are_read_in_pixels_with_labels_in_the_order_of_their_ids(tmp_path: Path) -> None:
    coco(tmp_path / "set.json", BOXES)
    raw = read(tmp_path)
    assert (raw.task, raw.labels, raw.train.names) == (
        "detection",
        ("dot", "cell"),
        ["set_0.jpg", "set_1.jpg", "set_2.jpg"],
    )
    size = {"width": 40, "height": 30}
    assert raw.train.answers == [
        {"boxes": [[1, 2, 10, 8], [20, 5, 6, 6]], "labels": [1, 0], **size},
        {"boxes": [[0, 0, 40, 30]], "labels": [1], **size},
        {"boxes": [], "labels": [], **size},
    ]
    assert raw.train.dataset[0]["image"].size == (40, 30)
    assert told(raw.findings) == "note: set.json: 1 of 3 pictures show no object"


@pytest.mark.parametrize("place", ["set_0.jpg", "images/set_0.jpg", "../images/set_0.jpg", "../set/set_0.jpg"])
def test_pictures_are_found_where_such_sets_keep_them(tmp_path: Path, place: str) -> None:
    file = tmp_path / "annotations" / "instances_set.json"
    file.parent.mkdir()
    whole = coco(tmp_path / "set.json", BOXES[:1])
    file.write_text(json.dumps(whole))
    (file.parent / place).parent.mkdir(exist_ok=True)
    (tmp_path / "set_0.jpg").rename((file.parent / place).resolve())
    assert len(read(tmp_path, "annotations/instances_set.json").train) == 1


def test_parts_may_number_the_same_categories_differently(tmp_path: Path) -> None:
    coco(tmp_path / "a.json", BOXES)
    coco(tmp_path / "b.json", BOXES, seed=9, categories=[{"id": 7, "name": "dot"}, {"id": 3, "name": "cell"}])
    raw = read(tmp_path, {"train": "a.json", "test": "b.json"})
    assert raw.test is not None
    assert [answer["labels"] for answer in raw.test.answers] == [[0, 1], [0], []]
    coco(tmp_path / "b.json", BOXES, seed=9, categories=[{"id": 7, "name": "dot"}, {"id": 3, "name": "egg"}])
    assert "b.json: categories: the training file lacks 'egg'" in refused(
        tmp_path, {"train": "a.json", "test": "b.json"}
    )


def test_a_folder_that_roboflow_exported_is_read_by_parts(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        (tmp_path / part).mkdir()
        coco(tmp_path / part / "_annotations.coco.json", BOXES)
    raw = read(tmp_path, ".")
    assert (len(raw.train), len(raw.valid or ()), raw.test) == (3, 3, None)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (box(image_id=9), "warning: set.json: 1 box left out (image_id of no picture; by annotation id): 50"),
        (box(category_id=1), "warning: set.json: 1 box left out (category_id of no category; by annotation"),
        (box(bbox=[1, 2, 3]), "warning: set.json: 1 box left out (bbox isn't four numbers; by annotation id): 50"),
        (box(bbox=[1, 2, None, 3]), "isn't four numbers"),
        (box(bbox=[1, 2, 0, 3]), "warning: set.json: 1 box left out (no area;"),
        (box(bbox=[41, 2, 3, 3]), "warning: set.json: 1 box left out (outside the picture;"),
        (box(bbox=[-9, 2, 3, 3]), "outside the picture"),
        (box(iscrowd=1), "note: set.json: 1 box left out (of a crowd;"),
        (box(bbox=[5, 5, 5, 5], id=49), "note: set.json: 1 box left out (the same as another;"),
    ],
)
def test_boxes_that_cannot_be_used_are_counted_named_and_left_out(
    tmp_path: Path, annotation: dict[str, Any], words: str
) -> None:
    raw = changed(tmp_path, annotations=[box(bbox=[5, 5, 5, 5], id=1), annotation])
    assert raw.train.answers[0]["boxes"] == [[5, 5, 5, 5]]
    assert words in told(raw.findings)


def test_boxes_that_stand_out_of_their_picture_are_cut(tmp_path: Path) -> None:
    raw = changed(tmp_path, annotations=[box(bbox=[-3, 25, 10, 10]), box(id=51, bbox=[35.5, 1, 5, 5])])
    assert raw.train.answers[0]["boxes"] == [[0, 25, 7, 5], [35.5, 1, 4.5, 5]]
    assert "warning: set.json: 1 box cut at the edge of the picture (by annotation id): 50" in told(raw.findings)


def test_pictures_that_cannot_be_used_are_counted_named_and_left_out(tmp_path: Path) -> None:
    whole = coco(tmp_path / "set.json", [*BOXES, *BOXES])
    (tmp_path / "set_1.jpg").unlink()
    (tmp_path / "set_3.jpg").write_bytes(packed(picture(0))[:200])
    whole["images"][4]["width"] = 400
    whole["images"].append(whole["images"][0])
    (tmp_path / "set.json").write_text(json.dumps(whole))
    raw = read(tmp_path)
    assert raw.train.names == ["set_0.jpg", "set_2.jpg", "set_5.jpg"]
    text = told(raw.findings)
    assert "1 picture left out (no such file): set_1.jpg" in text
    assert "1 picture left out (no picture, or damaged): set_3.jpg" in text
    assert "1 picture left out (not of the size that the file says): set_4.jpg (40 x 30, not 400 x 30)" in text
    assert "1 picture left out (another has the same id): set_0.jpg" in text


def test_labels_without_boxes_and_outside_the_label_space_are_told(tmp_path: Path) -> None:
    raw = changed(tmp_path, annotations=[box()])
    assert "warning: categories without a box to learn from, so never found: dot" in told(raw.findings)
    coco(tmp_path / "set.json", BOXES)
    assert "that the COCO file lacks, so can't be learnt: egg" in told(
        read(tmp_path, label_space=["cell", "dot", "egg"]).findings
    )
    assert refused(tmp_path, label_space=["cell", "egg"]).endswith("lacks categories that the COCO file has: dot")


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"images": []}, "set.json: images: is empty"),
        ({"images": [{"id": 1}]}, "set.json: images: each needs an id and a file_name"),
        ({"images": {}}, "set.json: images: is no list"),
        ({"annotations": None}, "set.json: annotations: is no list"),
        ({"annotations": [3]}, "set.json: annotations: holds int where an object belongs"),
        ({"annotations": []}, "set.json: annotations: no picture has a box that can be used"),
        ({"categories": []}, "set.json: categories: is empty"),
        ({"categories": [{"id": 1}]}, "set.json: categories: each needs an id and a name"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "'b' (id 1) repeats an id or a name"),
    ],
)
def test_a_file_that_is_no_coco_is_refused_in_one_line(tmp_path: Path, lists: dict[str, Any], words: str) -> None:
    coco(tmp_path / "set.json", BOXES, **lists)
    assert words in refused(tmp_path)


def test_what_is_no_json_and_a_missing_folder_of_pictures_are_told(tmp_path: Path) -> None:
    whole = coco(tmp_path / "set.json", BOXES)
    (tmp_path / "set.json").write_text(json.dumps(whole)[:-9])
    assert "set.json: is no JSON" in refused(tmp_path)
    (tmp_path / "set.json").write_text('{"info": {}}')
    assert "set.json: images: is missing; a COCO file is one object with the lists" in refused(tmp_path)
    coco(tmp_path / "set.json", BOXES)
    for file in tmp_path.glob("*.jpg"):
        file.unlink()
    assert "images: none is there, such as" in refused(tmp_path)
    assert "card: task: classification does not fit a COCO file" in refused(tmp_path, task="classification")


def test_one_coco_file_is_divided_by_pictures(tmp_path: Path) -> None:
    coco(tmp_path / "set.json", [[(n, n, 9, 9), (20, 5, 6, 6)] for n in range(20)])
    profile = prepare(card(), tmp_path, tmp_path / "out")
    assert (profile.task, profile.rows_train, profile.rows_valid, profile.rows_test) == ("detection", 16, 3, 4)
    assert (profile.labels, profile.class_counts) == (("dot", "cell"), (16, 16))
    rows, test = open_prepared(tmp_path / "out").rows, open_test(tmp_path / "out")
    assert sorted(r["boxes"][0][0] for part in (rows, test) for r in part.y) == list(range(20))
    assert rows.x.column("image")[0].size == (40, 30)
