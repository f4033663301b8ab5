"""The linear baseline of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.simple.pixels import ORIENTATIONS, PixelsTrainer, colours, described, gradients
from tests.tools.train.deep.word_problem import Log
from tests.tools.train.picture_problem import picture_problem
from tests.tools.train.problems import card

DEFAULT = card("pixels_linear").default()


@pytest.mark.parametrize("colour", [False, True])
def test_stripes_are_told_apart_and_the_saved_model_predicts_the_same(colour: bool, tmp_path: Path) -> None:
    data, log = picture_problem(3, colour=colour), Log()
    model = PixelsTrainer().fit(data, DEFAULT, log)
    prediction = model.predict(data.x_valid)
    assert data.score_valid(prediction) > 0.95 and model.best_step in [step for step, _ in log.rows]
    model.save(tmp_path)
    assert {f.suffix for f in tmp_path.iterdir()} <= {".json", ".npz", ".skops"}
    loaded = PixelsTrainer().load(tmp_path)
    assert np.array_equal(loaded.predict(data.x_valid), prediction) and loaded.best_step == model.best_step


def test_values_are_learnt_in_their_own_unit() -> None:
    data = picture_problem(0)
    model = PixelsTrainer().fit(data, DEFAULT, Log())
    assert data.score_valid(model.predict(data.x_valid)) < 0.3 * data.y_valid.std()


def test_no_pictures_give_no_predictions_and_one_class_is_told() -> None:
    data = picture_problem(3, rows=20)
    assert PixelsTrainer().fit(data, DEFAULT, Log()).predict(data.x_valid[:0]).shape == (0, 3)
    with pytest.raises(ToolError, match="one class"):
        PixelsTrainer().fit(replace(data, y=np.zeros_like(data.y)), DEFAULT, Log())


def test_gradients_are_counted_by_orientation_whatever_their_contrast() -> None:
    upright = np.broadcast_to(np.arange(16, dtype=np.float32) / 16, (1, 16, 16))
    across = upright.transpose(0, 2, 1)
    one, two = (gradients(np.ascontiguousarray(g)).reshape(-1, ORIENTATIONS).mean(axis=0) for g in (upright, across))
    assert one.argmax() == 0 and two.argmax() in (4, 5)
    assert np.allclose(two[4], two[5], atol=1e-3)
    assert np.allclose(gradients(upright * 0.5), gradients(upright), atol=1e-2)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_shares_and_every_picture_has_a_row_of_its_own(channels: int) -> None:
    squares = np.random.default_rng(0).integers(0, 256, (5, 16, 16, channels)).astype(np.uint8)
    shares = colours(squares) ** 2
    assert shares.shape == (5, 64) and np.allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    assert np.allclose(described(squares)[3:4], described(squares[3:4]), atol=1e-6)
