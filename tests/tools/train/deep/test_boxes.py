"""Boxes follow their pictures: through resizing, mirrors and crops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from automl_gpt.tools.train.deep.boxes import augmented, cropped, pixels, shares

SIDE = 100


def test_boxes_go_to_shares_and_back() -> None:
    boxes = [[10.0, 20.0, 30.0, 40.0], [0.0, 0.0, 640.0, 480.0]]
    of_sides = shares(boxes, 640, 480)
    assert of_sides[0] == pytest.approx([25 / 640, 40 / 480, 30 / 640, 40 / 480])
    assert np.allclose(pixels(of_sides, 640, 480), boxes, atol=0.01)
    # The same boxes in the same picture at half its size.
    assert np.allclose(pixels(of_sides, 320, 240), np.array(boxes) / 2, atol=0.01)


def test_what_lies_outside_of_the_picture_is_cut() -> None:
    assert pixels(shares([[-10, 90, 30, 30]], SIDE, SIDE), SIDE, SIDE) == [[0.0, 90.0, 20.0, 10.0]]
    assert pixels(np.array([[1.0, 0.5, 0.4, 0.2]]), SIDE, SIDE) == [[80.0, 40.0, 20.0, 20.0]]
    assert shares([], SIDE, SIDE).shape == (0, 4) and pixels(shares([], 1, 1), SIDE, SIDE) == []


def test_a_mirrored_box_lies_where_the_mirrored_object_lies() -> None:
    picture, box = with_object(12, 30, 25, 10)
    moved, boxes, codes = augmented(picture, box, np.array([1]), "flip", draws(0.1))
    assert not np.array_equal(moved, picture)
    assert pixels(boxes, SIDE, SIDE)[0] == pytest.approx(bright(moved), abs=0.01)
    assert codes.tolist() == [1]
    same, boxes, _ = augmented(picture, box, np.array([1]), "flip", draws(0.9))
    assert np.array_equal(same, picture) and np.array_equal(boxes, box)


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0, 0.0), (0.5, 0.2, 0.3, 0.9), (1.0, 1.0, 0.5, 0.5), (0.1, 0.9, 1, 1)])
def test_a_cropped_box_lies_where_the_object_lies_in_the_crop(place: tuple[float, float, float, float]) -> None:
    picture, box = with_object(45, 42, 20, 12)
    moved, boxes, _ = cropped(picture, box, np.array([0]), *place)
    assert moved.shape == picture.shape
    assert pixels(boxes, SIDE, SIDE)[0] == pytest.approx(bright(moved), abs=1.5)


def test_a_box_that_a_crop_leaves_out_is_dropped_with_its_class() -> None:
    picture, _ = with_object(0, 0, 10, 10)
    boxes = shares([[0, 0, 10, 10], [60, 60, 20, 20], [38, 70, 10, 10]], SIDE, SIDE)
    _, left, codes = cropped(picture, boxes, np.array([7, 8, 9]), 0.0, 0.0, 1.0, 1.0)
    # The crop is what lies right of 40 and below 40: the third box keeps four fifths of its width.
    assert codes.tolist() == [8, 9]
    assert pixels(left, 60, 60) == [[20.0, 20.0, 20.0, 20.0], [0.0, 30.0, 8.0, 10.0]]


def test_no_augmentation_changes_nothing() -> None:
    picture, box = with_object(12, 30, 25, 10)
    same, boxes, _ = augmented(picture, box, np.array([1]), "none", draws())
    assert same is picture and boxes is box


def draws(*numbers: float) -> Callable[[], float]:
    left = iter(numbers)
    return lambda: next(left)


def with_object(x: int, y: int, width: int, height: int) -> tuple[Any, Any]:
    picture = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    picture[y : y + height, x : x + width] = 255
    return picture, shares([[x, y, width, height]], SIDE, SIDE)


def bright(picture: Any) -> list[float]:
    down, across = (np.flatnonzero(picture[..., 0].max(axis=axis) > 127) for axis in (1, 0))
    return [across[0], down[0], across[-1] + 1 - across[0], down[-1] + 1 - down[0]]
