from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_gpt.tools.corpus.examples import records
from automl_gpt.tools.evaluate.boxes_matched import average_precision, match, overlaps, right_boxes
from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision

TRUE: dict[str, Any] = {"boxes": [[0, 0, 10, 10], [20, 0, 10, 10]], "labels": [0, 1], "width": 64, "height": 64}


def said(*boxes: tuple[list[float], int, float]) -> dict[str, Any]:
    return {
        "boxes": [box for box, _, _ in boxes],
        "labels": [code for _, code, _ in boxes],
        "scores": [score for _, _, score in boxes],
    }


def test_overlap_is_the_share_of_the_area_that_two_boxes_have_in_common() -> None:
    found = overlaps([[0, 0, 10, 10], [50, 50, 5, 5]], [[0, 0, 10, 10], [5, 0, 10, 10]])
    assert found == pytest.approx(np.array([[1, 1 / 3], [0, 0]]))


def test_each_true_box_is_found_once_and_only_by_its_own_class() -> None:
    record = said(([0, 0, 10, 9], 0, 0.9), ([0, 0, 10, 10], 0, 0.8), ([20, 0, 10, 10], 0, 0.7))
    assert right_boxes(TRUE, record).tolist() == [True, False, False]
    assert right_boxes({**TRUE, "boxes": [], "labels": []}, record).tolist() == [False] * 3
    assert right_boxes(TRUE, said()).tolist() == []


def test_boxes_count_from_the_score_at_which_f1_is_best() -> None:
    sure = said(([0, 0, 10, 10], 0, 0.8), ([20, 0, 10, 10], 1, 0.62), ([40, 40, 5, 5], 0, 0.3))
    empty = {**TRUE, "boxes": [], "labels": []}
    matched = match(records([TRUE, empty, empty]), records([sure, said(([1, 1, 9, 9], 0, 0.2)), said()]))
    assert 0.3 < matched.least <= 0.62
    assert matched.found.tolist() == [2, 0, 0]
    assert matched.f1[0] == 1
    assert np.isnan(matched.f1[1:]).all()


def test_nothing_right_leaves_the_usual_least_score() -> None:
    matched = match(records([TRUE]), records([said(([40, 40, 5, 5], 0, 0.9))]))
    assert matched.least == 0.3
    assert matched.f1.tolist() == [0]


def test_the_precision_of_one_class_is_that_of_its_boxes_alone() -> None:
    y = records([TRUE, TRUE])
    p = records([said(([0, 0, 10, 10], 0, 0.9), ([40, 40, 9, 9], 1, 0.9)), said(([0, 0, 10, 10], 0, 0.8))])
    each = [average_precision(y, p, code, 3) for code in range(3)]
    assert each[:2] == pytest.approx([1, 0])
    assert np.isnan(each[2])
    assert np.mean(each[:2]) == pytest.approx(mean_average_precision(y, p, 3)["map50"])
