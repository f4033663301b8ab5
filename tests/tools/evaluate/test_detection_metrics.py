"""Mean average precision against figures computed by hand and by faster-coco-eval itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from automl_gpt.tools.corpus.examples import records
from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision


def true(*boxes: tuple[list[float], int]) -> dict[str, Any]:
    return {"boxes": [b for b, _ in boxes], "labels": [c for _, c in boxes], "width": 200, "height": 200}


def found(*boxes: tuple[list[float], int, float]) -> dict[str, Any]:
    return {"boxes": [b for b, _, _ in boxes], "labels": [c for _, c, _ in boxes], "scores": [s for _, _, s in boxes]}


BOX, ELSEWHERE = [10.0, 10.0, 40.0, 40.0], [120.0, 120.0, 40.0, 40.0]


def test_perfect_boxes_score_one() -> None:
    y = records([true((BOX, 0), (ELSEWHERE, 1)), true((BOX, 1))])
    p = records([found((BOX, 0, 0.9), (ELSEWHERE, 1, 0.8)), found((BOX, 1, 0.3))])
    assert mean_average_precision(y, p, 2) == pytest.approx({"map": 1.0, "map50": 1.0, "map75": 1.0})


def test_a_false_box_above_a_true_one_halves_its_precision() -> None:
    """Of two boxes sought the first is found best, then comes a false one, then the second: precision 1, then 2/3.

    COCO reads the precision at recalls of 0, .01, ... 1: 51 of them up to .5 have precision 1, the other 50 have 2/3.
    """
    y = records([true((BOX, 0), (ELSEWHERE, 0))])
    p = records([found((BOX, 0, 0.9), ([60.0, 150.0, 20.0, 20.0], 0, 0.8), (ELSEWHERE, 0, 0.7))])
    assert mean_average_precision(y, p, 1)["map50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_overlap_decides_which_thresholds_a_box_passes() -> None:
    """40 x 40 against 40 x 33 within it: an overlap of .825, so right at .5 to .8, wrong from .85."""
    y, p = records([true((BOX, 0))]), records([found(([10.0, 10.0, 40.0, 33.0], 0, 0.5))])
    assert mean_average_precision(y, p, 1) == pytest.approx({"map": 0.7, "map50": 1.0, "map75": 1.0})
    shifted = records([found(([10.0, 10.0, 40.0, 24.0], 0, 0.5))])
    assert mean_average_precision(y, shifted, 1)["map75"] == 0.0


def test_a_class_that_is_not_there_does_not_count_and_a_wrong_class_is_no_find() -> None:
    y = records([true((BOX, 0))])
    assert mean_average_precision(y, records([found((BOX, 0, 0.9), (BOX, 2, 0.9))]), 3)["map"] == pytest.approx(1.0)
    assert mean_average_precision(y, records([found((BOX, 1, 0.9))]), 3)["map"] == 0.0


def test_pictures_without_boxes_and_empty_answers_are_scored(capfd: pytest.CaptureFixture[str]) -> None:
    y = records([true((BOX, 0)), true(), true((BOX, 0))])
    nothing = records([found(), found(), found()])
    assert mean_average_precision(y, nothing, 1) == {"map": 0.0, "map50": 0.0, "map75": 0.0}
    half = records([found((BOX, 0, 0.9)), found(), found()])
    assert mean_average_precision(y, half, 1)["map"] == pytest.approx(51 / 101)
    false_alarm = records([found((BOX, 0, 0.5)), found((BOX, 0, 0.9)), found((BOX, 0, 0.4))])
    assert mean_average_precision(y, false_alarm, 1)["map"] == pytest.approx(2 / 3)
    assert all(map(math.isnan, mean_average_precision(records([true(), true()]), nothing[:2], 1).values()))
    assert capfd.readouterr() == ("", "")


def test_random_boxes_score_as_faster_coco_eval_itself_scores_them() -> None:
    y, p = _random_pictures(12)
    own = mean_average_precision(y, p, 3)
    assert own == pytest.approx(_reference(y, p, 3), abs=1e-12)
    assert 0.02 < own["map"] < own["map50"] < 0.98


def _random_pictures(count: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(4)
    truths, finds = [], []
    for _ in range(count):
        boxes = [([*draw.uniform(0, 120, 2), *draw.uniform(20, 80, 2)], int(draw.integers(3))) for _ in range(4)]
        truths.append(true(*boxes))
        noisy = [(list(np.abs(b + draw.normal(0, 4, 4))), c, float(draw.random())) for b, c in map(_as_array, boxes)]
        wrong = [([*draw.uniform(0, 120, 2), 30.0, 30.0], int(draw.integers(3)), float(draw.random()))]
        finds.append(found(*noisy, *wrong))
    return records(truths), records(finds)


def _as_array(one: tuple[list[float], int]) -> tuple[Any, int]:
    return np.array(one[0]), one[1]


def _reference(y: Any, p: Any, classes: int) -> dict[str, float]:
    from faster_coco_eval import COCO, COCOeval_faster

    boxes = [(n + 1, b, c) for n, r in enumerate(y) for b, c in zip(r["boxes"], r["labels"], strict=True)]
    truth = COCO(
        {
            "images": [{"id": n + 1, "width": 200, "height": 200} for n in range(len(y))],
            "categories": [{"id": c + 1, "name": "x"} for c in range(classes)],
            "annotations": [
                {"id": i + 1, "image_id": n, "category_id": c + 1, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
                for i, (n, b, c) in enumerate(boxes)
            ],
        }
    )
    finds = [
        {"image_id": n + 1, "category_id": c + 1, "bbox": list(b), "score": s}
        for n, r in enumerate(p)
        for b, c, s in zip(r["boxes"], r["labels"], r["scores"], strict=True)
    ]
    judge = COCOeval_faster(truth, truth.loadRes(finds), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return {"map": judge.stats[0], "map50": judge.stats[1], "map75": judge.stats[2]}
