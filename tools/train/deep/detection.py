"""Object detection by networks of the DETR family: RT-DETR from a configuration at random, or given weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.check_pictures import picture_sizes
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.detection_metrics import MOST_BOXES
from automl_gpt.tools.train.deep.boxes import Augmentation, Boxes, Codes, Square, augmented, pixels, shares
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.deep.pictures import Pictures
from automl_gpt.tools.train.deep.rtdetr import build_rtdetr
from automl_gpt.tools.train.deep.weights import load_image_processor, load_model
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction, Target
from automl_gpt.tools.train.settings import whole, word

FILE = "detection.json"
LEAST_SCORE = 0.01
"""Boxes of lower scores are left out."""
HEADS = ("class_embed", "bbox_embed", "enc_score_head", "enc_bbox_head", "class_labels_classifier", "bbox_predictor")
"""Parts of the names of the layers that say what a box holds and where it is, over the DETR family."""
CHANNELS = 3
Row = tuple[Square, Boxes, Codes]


class Rows:
    """Training pictures with their boxes in shares of the sides."""

    def __init__(self, pictures: Pictures, y: Target) -> None:
        self.pictures = pictures
        self.boxes = [shares(r["boxes"], r["width"], r["height"]) for r in y]
        self.codes = [np.asarray(r["labels"], dtype=np.int64) for r in y]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.boxes)

    def __getitem__(self, row: int) -> Row:
        """Return a picture, its boxes and their codes."""
        return self.pictures.read([row])[0], self.boxes[row], self.codes[row]


class Seen:
    """Pictures that are looked at for boxes, and their sizes as they are stored; `memory` as `Pictures` has it."""

    def __init__(self, examples: Examples, side: int, memory: float | None) -> None:
        self.pictures, self.sizes = Pictures(examples, side, CHANNELS, memory), picture_sizes(examples)


class DetectionModel:
    """A network of transformers, and its image processor: the size and scale of the pictures that it sees."""

    def __init__(self, model: Any, processor: Any, best_step: int) -> None:
        self.model, self.processor, self.best_step = model, processor, best_step

    def predict(self, x: Examples) -> Prediction:
        """Find boxes in pictures: records in pixels of the stored pictures, best first."""
        import torch

        self.model.eval()
        with torch.inference_mode():
            return detect(self.model, Seen(x, self.processor.size["height"], 0.0), self.processor)

    def save(self, folder: Path) -> None:
        """Write a folder as transformers has it, and the best step."""
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # the screen is somebody else's
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        (folder / FILE).write_text(json.dumps({"best_step": self.best_step}), encoding="utf-8")


class RTDetrTrainer:
    """Trains a small RT-DETR (Zhao et al., 2024) from random weights; DETR and YOLOS would take far longer."""

    name = "rtdetr_small"
    step_name = "step"
    package = "transformers"
    reads = TRAINING | {"image_size", "augmentation", "width", "hidden_size", "decoder_layers"}

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> DetectionModel:
        """Fit the network; ToolError where no training picture holds a box."""
        from transformers import RTDetrImageProcessorPil

        seed(data)
        side = whole(hyperparameters, "image_size")
        model = build_rtdetr(
            data.labels,
            width=whole(hyperparameters, "width"),
            hidden_size=whole(hyperparameters, "hidden_size"),
            decoder_layers=whole(hyperparameters, "decoder_layers"),
            most_boxes=_most_boxes(data.y),
            side=side,
        )
        processor = RTDetrImageProcessorPil(size={"height": side, "width": side})
        return _fit(model, processor, data, hyperparameters, emit)

    def load(self, folder: Path) -> DetectionModel:
        """Read a network that was saved."""
        return load_detection(folder)


class DetectorTrainer:
    """Trains given weights of the DETR family on new classes; layers of other shapes begin at random."""

    name = "detector"
    step_name = "step"
    package = "transformers"
    reads = TRAINING | ADAPTING | {"image_size", "augmentation"}

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> DetectionModel:
        """Fit the network; ToolError where no training picture holds a box, UserError where weights can't be used."""
        from transformers import AutoModelForObjectDetection

        if data.source is None:
            raise ToolError("the detector needs weights: `source` of its Model Card names a folder or a hub id")
        _most_boxes(data.y)
        seed(data)
        names = dict(enumerate(data.labels))
        model = load_model(
            data.source,
            AutoModelForObjectDetection,
            num_labels=len(names),
            id2label=names,
            label2id={name: code for code, name in names.items()},
        )
        side = whole(hyperparameters, "image_size")
        processor = load_image_processor(data.source)
        processor.size, processor.do_pad = {"height": side, "width": side}, False
        return _fit(model, processor, data, hyperparameters, emit)

    def load(self, folder: Path) -> DetectionModel:
        """Read a network that was saved."""
        return load_detection(folder)


def load_detection(folder: Path) -> DetectionModel:
    """Read a network that `DetectionModel.save` wrote."""
    from transformers import AutoModelForObjectDetection

    model = load_model(str(folder), AutoModelForObjectDetection)
    best_step = json.loads((folder / FILE).read_text(encoding="utf-8"))["best_step"]
    return DetectionModel(model, load_image_processor(str(folder)), best_step)


def _most_boxes(y: Target) -> int:
    most = max((len(record["boxes"]) for record in y), default=0)
    if not most:
        raise ToolError("no training picture holds a box: there is nothing to learn")
    return most


# --------------------------------------------------------------------------------------------------------- training


def _fit(model: Any, processor: Any, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> DetectionModel:
    way: Any = word(hyperparameters, "augmentation")
    side = whole(hyperparameters, "image_size")
    seen: WeakKeyDictionary[Examples, Seen] = WeakKeyDictionary()

    def predict(network: Any, examples: Examples) -> Prediction:
        if examples not in seen:
            seen[examples] = Seen(examples, side, data.memory)
        return detect(network, seen[examples], processor)

    network = Network(
        model=model,
        rows=Rows(Pictures(data.x, side, CHANNELS, data.memory, data.scratch), data.y),
        collate=lambda items: collate(items, processor, way),
        predict=predict,
        heads=HEADS,
        loss=_loss,
    )
    trained = train(network, recipe(hyperparameters), data, emit)
    return DetectionModel(trained.model, processor, trained.best_step)


def collate(items: list[Row], processor: Any, way: Augmentation) -> dict[str, Any]:
    """Make a batch; pictures are augmented by numbers from torch's generator, which a checkpoint restores."""
    import torch

    rows = [augmented(*item, way, lambda: torch.rand(()).item()) for item in items]
    return {
        "pixel_values": _scaled(np.stack([picture for picture, _, _ in rows]), processor),
        "labels": [
            {"boxes": torch.from_numpy(boxes), "class_labels": torch.from_numpy(codes)} for _, boxes, codes in rows
        ],
    }


def _scaled(pictures: NDArray[np.uint8], processor: Any) -> Any:
    """Return pictures as the network wants them: float32 of shape (pictures, 3, side, side)."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()
    if processor.do_rescale:
        batch *= processor.rescale_factor
    if processor.do_normalize:
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (processor.image_mean, processor.image_std))
        batch = (batch - mean) / std
    return batch


def _loss(model: Any, batch: dict[str, Any]) -> Any:
    try:
        return model(**batch).loss
    except ValueError as error:
        if "corner" not in str(error):
            raise
        # Boxes of a network whose weights are NaN are no boxes any more.
        raise ToolError("the fit diverged: the boxes are no numbers; a lower learning rate may help") from None


# --------------------------------------------------------------------------------------------------------- predicting


def detect(model: Any, seen: Seen, processor: Any) -> Prediction:
    """Return the records of pictures: at most 100 boxes each."""
    found: list[dict[str, Any]] = []
    for rows, batch in seen.pictures.batches():
        output = model(pixel_values=_scaled(batch, processor).to(model.device))
        scores, codes, places = _best(output.logits.float(), sigmoid=output.logits.shape[-1] == model.config.num_labels)
        boxes = output.pred_boxes.float().cpu().numpy()
        for row, (width, height) in enumerate(seen.sizes[rows]):
            kept = scores[row] >= LEAST_SCORE
            found.append(
                {
                    "boxes": pixels(boxes[row][places[row][kept]], int(width), int(height)),
                    "labels": codes[row][kept].tolist(),
                    "scores": np.round(scores[row][kept].astype(np.float64), 5).tolist(),
                }
            )
    return records(found)


def _best(logits: Any, *, sigmoid: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return scores, codes and places of the best boxes of each picture.

    Where there is one output more than classes, it is DETR's "no object", and scores are shares of all outputs.
    """
    scores = logits.sigmoid() if sigmoid else logits.softmax(-1)[..., :-1]
    classes = scores.shape[-1]
    flat = scores.flatten(1)
    best, index = flat.topk(min(MOST_BOXES, flat.shape[1]), dim=1)
    index = index.cpu().numpy()
    return best.cpu().numpy(), index % classes, index // classes
