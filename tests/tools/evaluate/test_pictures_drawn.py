"""Drawn pictures: boxes where they belong, in their colours, small enough for a page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from automl_gpt.tools.evaluate.pictures_drawn import FOUND, LONGEST, TRUE, data_uri, draw

RECORD = {"boxes": [[100.0, 200.0, 300.0, 100.0], [700.0, 50.0, 60.0, 60.0]], "labels": [0, 1], "scores": [0.9, 0.1]}
TARGET = {"boxes": [[500.0, 300.0, 100.0, 200.0]], "labels": [1], "width": 960, "height": 600}


def has(picture: Any, colour: str, x: int, y: int) -> bool:
    wanted = np.array(ImageColor.getrgb(colour))
    around = np.asarray(picture).astype(int)[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
    return bool((np.abs(around - wanted).max(axis=-1) < 3).any())


def test_found_and_true_boxes_are_drawn_where_they_lie_in_two_colours() -> None:
    drawn = draw(Image.new("RGB", (960, 600)), RECORD, ("cat", "dog"), TARGET)
    assert drawn.size == (480, 300)
    assert has(drawn, FOUND, 50, 120) and has(drawn, FOUND, 200, 150)
    assert has(drawn, TRUE, 250, 180) and has(drawn, TRUE, 300, 250)
    assert not has(drawn, TRUE, 50, 120) and not has(drawn, FOUND, 250, 180)


def test_boxes_of_low_scores_are_drawn_only_when_asked_for() -> None:
    blank = Image.new("RGB", (960, 600))
    assert not has(draw(blank, RECORD, ("cat", "dog")), FOUND, 350, 40)
    assert has(draw(blank, RECORD, ("cat", "dog"), least=0.0), FOUND, 350, 40)


def test_small_grey_pictures_and_boxes_at_the_edge_can_be_drawn() -> None:
    edge = {"boxes": [[0.0, 0.0, 28.0, 28.0]], "labels": [0], "scores": [1.0]}
    drawn = draw(Image.new("L", (28, 28), 200), edge, ("a long name of a class",), {**edge, "width": 28, "height": 28})
    assert drawn.size == (28, 28) and drawn.mode == "RGB"


def test_the_address_of_a_picture_holds_a_jpeg_of_it() -> None:
    address = data_uri(draw(Image.new("RGB", (3000, 1000), "orange"), {"boxes": [], "labels": [], "scores": []}, ()))
    head, _, body = address.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(body)))
    assert picture.format == "JPEG" and picture.size == (LONGEST, LONGEST // 3)
