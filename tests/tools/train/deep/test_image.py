"""Networks of pictures: they learn, save what transformers loads, and see the same pictures again after a kill."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.deep import pictures as storage
from automl_gpt.tools.train.deep import session
from automl_gpt.tools.train.deep.augment import augmented
from automl_gpt.tools.train.deep.image import ImageTrainer
from automl_gpt.tools.train.deep.image_networks import ARCHITECTURE, GIVEN
from automl_gpt.tools.train.deep.pictures import Pictures, channels_of
from tests.tools.train.deep.word_problem import Log
from tests.tools.train.picture_problem import LABELS, examples, picture_problem, pictures
from tests.tools.train.problems import card

SCRATCH = [name for name in ARCHITECTURE if name != GIVEN]
SMALL: dict[str, dict[str, Any]] = {
    "resnet_small": {"width": 8, "blocks": 1, "stages": 2, "learning_rate": 0.01},
    "convnext_small": {"width": 16, "blocks": 1, "stages": 2, "patch_size": 2, "learning_rate": 0.01},
    "vit_small": {"hidden_size": 64, "layers": 2, "learning_rate": 0.001},
    GIVEN: {"training": "full", "learning_rate": 0.01, "weight_decay": 0.01, "warmup": 0.1},
}
FAST = {"image_size": 32, "augmentation": "none", "class_weight": "none", "epochs": 6, "batch_size": 16}


def small(name: str, **more: Any) -> dict[str, Any]:
    default = {} if name == GIVEN else card(name).default()
    return {**default, **FAST, **SMALL[name], **more}


def fitted(name: str, data: Any = None, **more: Any) -> tuple[Any, Log]:
    log = Log()
    model = ImageTrainer(name).fit(data or picture_problem(), small(name, **more), log)
    return model, log


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings this short are judged by a few rows: none of them ends early by luck."""
    monkeypatch.setattr(session, "PATIENCE", 99)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights with positions for pictures of 16 pixels, and their image processor."""
    import torch
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=16, patch_size=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}, image_mean=[0.4] * 3, image_std=[0.2] * 3).save_pretrained(
        folder
    )
    return folder


@pytest.mark.parametrize("name", list(ARCHITECTURE))
def test_what_is_read_is_what_the_configuration_holds(name: str) -> None:
    told = set(small(name)) | ({"lora_rank"} if name == GIVEN else set())
    assert ImageTrainer(name).reads == told


@pytest.mark.parametrize("name", SCRATCH)
def test_a_network_from_nothing_learns_the_classes(name: str) -> None:
    model, log = fitted(name, epochs=10)
    data = picture_problem()
    assert data.score_valid(model.predict(data.x_valid)) > 0.7
    assert log.more[-1]["train_loss"] < 0.7 * log.more[0]["train_loss"]


def test_values_are_learnt_in_their_own_unit() -> None:
    data = picture_problem(0, rows=160)
    model, _ = fitted("resnet_small", data, epochs=15)
    prediction = model.predict(data.x_valid)
    assert prediction.shape == (40,) and prediction.dtype == np.float64
    assert data.score_valid(prediction) < 0.5 * data.y_valid.std()


@pytest.mark.parametrize(("classes", "colour"), [(3, False), (2, True), (0, True)])
def test_a_saved_folder_predicts_the_same_and_transformers_loads_it(classes: int, colour: bool, tmp_path: Path) -> None:
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    data = picture_problem(classes, rows=48, colour=colour)
    model, _ = fitted("resnet_small", data, epochs=2)
    model.save(tmp_path)
    assert {f.suffix for f in tmp_path.rglob("*")} == {".json", ".safetensors"}
    loaded, expected = ImageTrainer("resnet_small").load(tmp_path), model.predict(data.x_valid)
    assert np.array_equal(loaded.predict(data.x_valid), expected) and loaded.best_step == model.best_step
    plain = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    batch = AutoImageProcessor.from_pretrained(tmp_path)(data.x_valid.column("image"), return_tensors="pt")
    assert batch["pixel_values"].shape[1] == (3 if colour else 1)
    with torch.inference_mode():
        raw = plain(**batch).logits
    if classes:
        assert list(plain.config.id2label.values()) == list(LABELS[:classes])
        assert np.allclose(raw.softmax(dim=1).numpy(), expected, atol=1e-4)
    else:
        assert np.allclose(raw[:, 0].numpy() * model.goal.scale + model.goal.center, expected, rtol=1e-3)


def test_the_same_seed_gives_the_same_log_and_another_one_does_not() -> None:
    data = picture_problem(rows=48)
    (first, log), (second, again) = (fitted("resnet_small", data, augmentation="rand", epochs=2) for _ in range(2))
    assert log.rows == again.rows and log.more[-1]["valid_loss"] == again.more[-1]["valid_loss"]
    assert np.array_equal(first.predict(data.x_valid), second.predict(data.x_valid))
    _, other = fitted("resnet_small", replace(data, seed=4), augmentation="rand", epochs=2)
    assert other.more[-1]["valid_loss"] != log.more[-1]["valid_loss"]


def test_a_killed_training_sees_the_same_augmented_pictures_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(session, "SAVE_SHARE", 0.0)
    data = picture_problem(rows=64)
    how = small("resnet_small", augmentation="rand", epochs=4)
    trainer = ImageTrainer("resnet_small")
    whole, resumed = Log(), Log()
    expected = trainer.fit(replace(data, scratch=tmp_path / "whole"), how, whole)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(replace(data, scratch=tmp_path / "cut"), how, Log(fail=6))
    got = trainer.fit(replace(data, scratch=tmp_path / "cut"), how, resumed)
    assert resumed.rows == whole.rows and any(s is not None for s in resumed.seconds)
    assert np.array_equal(got.predict(data.x_valid), expected.predict(data.x_valid))


def test_given_weights_are_used_at_another_size_with_their_own_scale(weights: Path, tmp_path: Path) -> None:
    data = picture_problem(source=str(weights))
    model, _ = fitted(GIVEN, data, epochs=1)
    assert list(model.processor.image_mean) == [0.4] * 3 and model.processor.size["height"] == 32
    assert model.network.config.num_labels == 3
    assert model.network.vit.embeddings.position_embeddings.shape[1] == 17  # of 16 pixels still, stretched when used
    model.save(tmp_path)
    again = ImageTrainer(GIVEN).load(tmp_path).predict(data.x_valid)
    assert np.array_equal(again, model.predict(data.x_valid))


@pytest.mark.parametrize("training", ["frozen", "lora"])
def test_frozen_and_lora_keep_the_given_weights(weights: Path, training: str) -> None:
    import torch
    from transformers import AutoModel

    data = picture_problem(rows=32, source=str(weights))
    rank = {"lora_rank": 4} if training == "lora" else {}
    model, _ = fitted(GIVEN, data, training=training, epochs=2, **rank)
    before, after = AutoModel.from_pretrained(weights).state_dict(), model.network.state_dict()
    changed = [n for n, v in before.items() if f"vit.{n}" in after and not torch.equal(v, after[f"vit.{n}"])]
    assert bool(changed) == (training == "lora")
    assert not any("norm" in name or "bias" in name for name in changed)


def test_without_weights_the_given_ones_are_asked_for() -> None:
    with pytest.raises(ToolError, match="`source` of its Model Card"):
        fitted(GIVEN)


def test_balanced_weights_lift_the_rare_class() -> None:
    data = picture_problem(2, rows=120)
    rare = np.flatnonzero((data.y == 0) | (np.arange(120) % 8 == 0))
    few = replace(data, x=data.x[rare], y=data.y[rare])
    plain, balanced = (
        fitted("resnet_small", few, class_weight=way, epochs=2)[0].predict(data.x_valid)[:, 1].mean()
        for way in ("none", "balanced")
    )
    assert balanced > plain + 0.02


def test_a_class_without_training_rows_keeps_its_column() -> None:
    data = picture_problem(3, rows=60)
    rows = np.flatnonzero(data.y != 1)
    prediction = fitted("resnet_small", replace(data, x=data.x[rows], y=data.y[rows]), epochs=1)[0].predict(
        data.x_valid
    )
    assert prediction.shape == (40, 3) and np.allclose(prediction.sum(axis=1), 1.0) and (prediction[:, 1] < 0.05).all()


def test_one_class_alone_is_told_in_one_line() -> None:
    data = picture_problem(2, rows=20)
    with pytest.raises(ToolError, match="one class"):
        fitted("resnet_small", replace(data, y=np.zeros_like(data.y)))


# ------------------------------------------------------------------------------------------------- kept and augmented


def test_grey_pictures_are_known_also_when_stored_as_colours() -> None:
    grey, _ = pictures(6, 2, 0, colour=False)
    assert channels_of(grey) == 1
    assert channels_of(examples([picture.convert("RGB") for picture in grey.column("image")])) == 1
    assert channels_of(pictures(6, 2, 0)[0]) == 3


@pytest.mark.parametrize(("memory", "kept"), [(None, "_Memory"), (1.0, "_Disk")])
def test_kept_pictures_are_decoded_once_and_equal_fresh_ones(
    memory: float | None, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _ = pictures(9, 2, 0)
    stored = Pictures(x, 24, 3, memory, tmp_path)
    assert type(stored._kept).__name__ == kept  # pyright: ignore[reportPrivateUsage]
    fresh = Pictures(x, 24, 3, memory=0.0).read(range(9))
    assert np.array_equal(stored.read([3, 1]), fresh[[3, 1]])
    assert np.array_equal(np.concatenate([part for _, part in stored.batches()]), fresh)
    monkeypatch.setattr(storage, "square", None)
    again = stored.read([8, 0])
    again[:] = 0
    assert np.array_equal(stored.read([8, 0]), fresh[[8, 0]])


def test_pictures_of_other_modes_and_shapes_become_squares() -> None:
    coded = io.BytesIO()
    Image.new("RGBA", (50, 7), (255, 0, 0, 0)).save(coded, "PNG")
    x = examples([{"bytes": coded.getvalue(), "path": None}, Image.new("1", (5, 90), 1)])
    squares = Pictures(x, 32, 3).read([0, 1])
    assert squares.shape == (2, 32, 32, 3) and (squares == 255).all()


def test_augmentation_keeps_shape_and_depends_on_its_draw_alone() -> None:
    squares = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.uint8)
    original = squares.copy()
    for way in ("none", "crop", "flip_crop", "rand"):
        one, two = (augmented(squares, way, np.random.default_rng(7)) for _ in range(2))
        assert one.shape == squares.shape and one.dtype == np.uint8 and np.array_equal(one, two)
        assert np.array_equal(squares, original)
        assert np.array_equal(one, squares) == (way == "none")
        assert way == "none" or not np.array_equal(one, augmented(squares, way, np.random.default_rng(8)))


def test_moving_never_brings_in_pixels_that_were_not_there_and_mirrors_half() -> None:
    ramp = np.broadcast_to(np.arange(40, 72, dtype=np.uint8)[None, None, :, None], (200, 32, 32, 1))
    moved = augmented(ramp, "flip_crop", np.random.default_rng(0))
    assert moved.min() >= 40 and moved.max() <= 71
    mirrored = (moved[:, 0, 0, 0] > moved[:, 0, -1, 0]).mean()
    assert 0.35 < mirrored < 0.65
    assert not (augmented(ramp, "crop", np.random.default_rng(0))[:, 0, 0, 0] > 60).any()
