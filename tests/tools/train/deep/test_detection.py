"""Detection: RT-DETR from nothing, given weights; boxes in pixels of the stored picture, whatever the network sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision
from automl_gpt.tools.train.deep.detection import DetectorTrainer, Rows, RTDetrTrainer, Seen, collate, detect
from automl_gpt.tools.train.deep.pictures import Pictures
from automl_gpt.tools.train.deep.rtdetr import build_rtdetr
from automl_gpt.tools.train.protocol import FitData, Trainer
from automl_gpt.tools.train.simple.boxes import MeanBoxesTrainer
from tests.tools.train.deep.shapes import LABELS, detection_data, shapes
from tests.tools.train.problems import card

SIDE = 64
TINY: Hyperparameters = {"image_size": SIDE, "width": 8, "hidden_size": 32, "decoder_layers": 1, "epochs": 1}
Log = list[tuple[int, float, dict[str, float]]]


def fitted(one: Trainer, data: FitData, **changes: Any) -> tuple[Any, Log]:
    log: Log = []

    def emit(step: int, _train: float, valid: float, more: Any = None, seconds: float | None = None) -> bool:
        log.append((step, valid, {k: v for k, v in (more or {}).items() if k.endswith("loss")}))
        return True

    return one.fit(data, card("rtdetr_small").default() | TINY | changes, emit), log


def scores_of(data: FitData, prediction: Any) -> dict[str, float]:
    return mean_average_precision(data.y_valid, prediction, len(LABELS))


def test_the_search_space_is_what_the_trainers_read_and_every_choice_fits_the_network() -> None:
    assert set(card("rtdetr_small").search_space) == RTDetrTrainer.reads
    assert set(card("mean_boxes").search_space) == MeanBoxesTrainer.reads
    assert all(side % 32 == 0 for side in card("rtdetr_small").search_space["image_size"].choices)  # type: ignore


# ------------------------------------------------------------------------------------------------------ what it sees


def test_a_batch_holds_scaled_pictures_and_boxes_as_shares_of_the_sides() -> None:
    x, y = shapes(3, 0, 96)
    y[1] = {**y[1], "boxes": [], "labels": []}
    rows = Rows(Pictures(x, SIDE, 3), y)
    batch = collate([rows[0], rows[1]], _processor(), "none")
    assert batch["pixel_values"].shape == (2, 3, SIDE, SIDE)
    assert batch["pixel_values"].min() >= 0.0 and 0.4 < batch["pixel_values"].max() <= 1.0
    x0, y0, width, height = y[0]["boxes"][0]
    assert batch["labels"][0]["boxes"][0].tolist() == pytest.approx(
        [(x0 + width / 2) / 96, (y0 + height / 2) / 96, width / 96, height / 96]
    )
    assert batch["labels"][0]["class_labels"].tolist() == y[0]["labels"]
    assert batch["labels"][1]["boxes"].shape == (0, 4) and batch["labels"][1]["class_labels"].shape == (0,)


def test_a_picture_without_boxes_is_learnt_from_too() -> None:
    x, y = shapes(2, 0, SIDE)
    y[0] = {**y[0], "boxes": [], "labels": []}
    rows = Rows(Pictures(x, SIDE, 3), y)
    for some in ([rows[0]], [rows[0], rows[1]]):
        loss = _network()(**collate(some, _processor(), "flip_crop")).loss
        loss.backward()
        assert bool(loss.isfinite()) and loss.item() > 0


@pytest.mark.parametrize("outputs", ["sigmoid", "softmax"])
def test_found_boxes_are_in_pixels_of_the_stored_picture_best_first(outputs: str) -> None:
    """A network that always sees class 2 in the upper left quarter and class 0, less surely, in the middle."""
    import torch

    logits = torch.tensor([[[-9.0, -9.0, 2.0], [1.0, -9.0, -9.0], [-9.0, -9.0, -9.0]]])
    if outputs == "softmax":
        logits = torch.cat([logits, torch.tensor([[[-2.0], [0.9], [9.0]]])], dim=-1)
    boxes = torch.tensor([[[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.2, 0.4], [0.5, 0.5, 1.0, 1.0]]])
    model = _Answering(logits, boxes)
    found = detect(model, Seen(_blank((200, 100), (30, 60)), SIDE, None), _processor())
    assert [r["labels"] for r in found] == [[2, 0], [2, 0]]
    assert np.allclose(found[0]["boxes"], [[0, 0, 100, 50], [80, 30, 40, 40]], atol=0.02)
    assert np.allclose(found[1]["boxes"], [[0, 0, 15, 30], [12, 18, 6, 24]], atol=0.02)
    assert all(1 >= r["scores"][0] > r["scores"][1] > 0.5 for r in found)


# ---------------------------------------------------------------------------------------------------------- training


def test_from_random_weights_it_learns_within_seconds_what_no_arrangement_tells(tmp_path: Path) -> None:
    data = detection_data(64, 32, SIDE)
    model, log = fitted(RTDetrTrainer(), data, epochs=8, learning_rate=0.005, augmentation="flip")
    scores = scores_of(data, model.predict(data.x_valid))
    trivial = scores_of(
        data, MeanBoxesTrainer().fit(data, {"boxes_per_class": 20}, lambda *_: True).predict(data.x_valid)
    )
    assert scores["map50"] > 0.1 > 2 * trivial["map50"]
    assert log[-1][2]["train_loss"] < 0.8 * log[0][2]["train_loss"]
    assert scores["map"] == pytest.approx({step: valid for step, valid, _ in log}[model.best_step])
    model.save(tmp_path)
    loaded = RTDetrTrainer().load(tmp_path)
    assert all(a == b for a, b in zip(loaded.predict(data.x_valid), model.predict(data.x_valid), strict=True))
    assert loaded.best_step == model.best_step
    assert {f.suffix for f in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_the_same_seed_gives_the_same_log_and_boxes_also_with_augmentation() -> None:
    data = detection_data(16, 6, SIDE)
    (first, log), (second, again) = (fitted(RTDetrTrainer(), data, augmentation="flip_crop") for _ in range(2))
    assert log == again and log
    assert all(a == b for a, b in zip(first.predict(data.x_valid), second.predict(data.x_valid), strict=True))


def test_normalisation_layers_begin_open_and_scores_as_the_paper_has_them() -> None:
    from torch import nn

    model = _network()
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(layers) > 40 and all(bool((layer.weight == 1).all()) for layer in layers)
    assert all(bool((head.layers[-1].weight == 0).all()) for head in model.model.decoder.bbox_embed)


def test_there_are_queries_for_twice_the_boxes_of_the_fullest_picture_as_far_as_the_picture_goes() -> None:
    def queries(most_boxes: int, side: int) -> int:
        return build_rtdetr(
            LABELS, width=8, hidden_size=32, decoder_layers=1, most_boxes=most_boxes, side=side
        ).config.num_queries

    assert [queries(3, 128), queries(60, 128), queries(999, 128), queries(999, 64)] == [50, 120, 300, 84]


def test_what_can_not_be_learnt_is_told_in_one_line() -> None:
    data = detection_data(4, 2, SIDE)
    empty = replace(data, y=records({**r, "boxes": [], "labels": []} for r in data.y))
    for one in (RTDetrTrainer(), MeanBoxesTrainer()):
        with pytest.raises(ToolError, match="no training picture holds a box"):
            one.fit(empty, card(one.name).default() | TINY, lambda *_: True)
    with pytest.raises(ToolError, match="diverged"):
        fitted(RTDetrTrainer(), data, learning_rate=1e9, epochs=9, batch_size=1, warmup=0.0)
    with pytest.raises(ToolError, match="needs weights"):
        fitted(DetectorTrainer(), data, training="full")


# ------------------------------------------------------------------------------------------------------ given weights


@pytest.mark.parametrize("way", ["full", "lora", "frozen"])
def test_given_weights_learn_new_classes_and_keep_what_is_not_to_be_trained(way: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    given = build_rtdetr(("cat", "dog"), width=8, hidden_size=32, decoder_layers=1, most_boxes=3, side=SIDE)
    given.save_pretrained(weights)
    _processor().save_pretrained(weights)
    data = replace(detection_data(16, 6, SIDE), source=str(weights))
    model, log = fitted(DetectorTrainer(), data, training=way, lora_rank=2)
    assert log and model.model.config.id2label == dict(enumerate(LABELS))
    before, after = given.state_dict(), model.model.state_dict()
    kernel, attention = (
        "model.backbone.model.embedder.embedder.convolution.weight",
        "decoder.layers.0.self_attn.q_proj.weight",
    )
    moved = {
        name for name, value in after.items() if value.shape == before[name].shape and (value != before[name]).any()
    }
    assert (kernel in moved) == (way == "full")
    assert any(name.endswith(attention) for name in moved) == (way != "frozen")
    model.save(tmp_path / "model")
    loaded = DetectorTrainer().load(tmp_path / "model")
    assert all(a == b for a, b in zip(loaded.predict(data.x_valid), model.predict(data.x_valid), strict=True))


def test_weights_of_another_detector_of_the_family_can_be_given(tmp_path: Path) -> None:
    """YOLOS says "no object" by an output of its own, and its processor normalises and pads."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    config = YolosConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_detection_tokens=12,
        image_size=[SIDE, SIDE], num_labels=5,
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(tmp_path)
    YolosImageProcessorPil().save_pretrained(tmp_path)
    data = replace(detection_data(8, 4, SIDE), source=str(tmp_path))
    model, _ = fitted(DetectorTrainer(), data, training="full", learning_rate=0.001)
    found = model.predict(data.x_valid)
    assert len(found) == 4 and all(0 <= code < 3 for r in found for code in r["labels"])
    assert all(x >= 0 and x + w <= SIDE + 0.02 for r in found for x, _, w, _ in r["boxes"])


class _Answering:
    """A network that answers the same for each picture."""

    def __init__(self, logits: Any, boxes: Any) -> None:
        self.logits, self.boxes, self.device = logits, boxes, "cpu"
        self.config = SimpleNamespace(num_labels=len(LABELS))

    def __call__(self, pixel_values: Any) -> Any:
        shape = (len(pixel_values), -1, -1)
        return SimpleNamespace(logits=self.logits.expand(shape), pred_boxes=self.boxes.expand(shape))


def _processor() -> Any:
    from transformers import RTDetrImageProcessorPil

    return RTDetrImageProcessorPil(size={"height": SIDE, "width": SIDE})


def _network() -> Any:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    return build_rtdetr(LABELS, width=8, hidden_size=32, decoder_layers=1, most_boxes=3, side=SIDE)


def _blank(*sizes: tuple[int, int]) -> Examples:
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature
    from PIL import Image

    pictures = [Image.new("RGB", size) for size in sizes]
    return Examples(Dataset.from_dict({"image": pictures}, features=Features({"image": ImageFeature()})))
