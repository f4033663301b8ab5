"""Mean boxes: where each class usually lies, the most usual place first, in pixels of each picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.simple.boxes import MeanBoxesTrainer
from tests.tools.train.deep.shapes import detection_data


def test_the_usual_places_come_first_and_are_scored_by_how_many_pictures_have_a_box_there() -> None:
    data = arranged()
    model = MeanBoxesTrainer().fit(data, {"boxes_per_class": 2}, lambda *_: True)
    (small, wide) = model.predict(data.x_valid)
    assert small["labels"][:2] == [1, 0] and small["scores"][:2] == pytest.approx([1.0, 0.8])
    assert np.allclose(small["boxes"][:2], [[50, 50, 40, 40], [10, 10, 20, 20]], atol=1.5)
    assert np.allclose(wide["boxes"][:2], [[100, 25, 80, 20], [20, 5, 40, 10]], atol=1.5)
    assert small["scores"] == sorted(small["scores"], reverse=True)


def test_it_logs_one_row_scores_above_zero_and_is_read_back_the_same(tmp_path: Path) -> None:
    data, rows = arranged(), list[Any]()
    model = MeanBoxesTrainer().fit(data, {"boxes_per_class": 3}, lambda *row: rows.append(row) is None)
    [(step, train, valid)] = rows
    assert step == model.best_step == 1 and train > 0.3
    assert valid == pytest.approx(data.score_valid(model.predict(data.x_valid)))
    model.save(tmp_path)
    loaded = MeanBoxesTrainer().load(tmp_path)
    assert all(a == b for a, b in zip(loaded.predict(data.x_valid), model.predict(data.x_valid), strict=True))
    assert [f.suffix for f in tmp_path.iterdir()] == [".json"]


def test_the_same_data_give_the_same_boxes_and_no_pictures_give_none() -> None:
    data = detection_data(20, 4, 64)
    first, second = (MeanBoxesTrainer().fit(data, {"boxes_per_class": 5}, lambda *_: True) for _ in range(2))
    assert first.typical == second.typical and 3 <= len(first.typical) <= 15
    assert first.predict(data.x_valid[:0]).shape == (0,)


def arranged() -> FitData:
    """Class 1 always in the lower right part, class 0 in four of five pictures in the upper left, else anywhere."""
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature

    draw = np.random.default_rng(0)

    def record(row: int) -> dict[str, Any]:
        away = [10, 10, 20, 20] if row % 5 else [70.0, 5.0, 10.0, 8.0]
        boxes = [[side + float(draw.normal(0, 0.5)) for side in box] for box in ([50, 50, 40, 40], away)]
        return {"boxes": boxes, "labels": [1, 0], "width": 100, "height": 100}

    def blank(*sizes: tuple[int, int]) -> Examples:
        pictures = [Image.new("RGB", size) for size in sizes]
        return Examples(Dataset.from_dict({"image": pictures}, features=Features({"image": ImageFeature()})))

    base = detection_data(1, 1, 64)
    return replace(
        base,
        x=blank(*[(100, 100)] * 40),
        y=records(record(row) for row in range(40)),
        x_valid=blank((100, 100), (200, 50)),
        y_valid=records(record(row) for row in range(1, 3)),
    )
