"""Classification and regression of pictures by networks of transformers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.deep.augment import Way, augmented
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.image_networks import ARCHITECTURE, GIVEN, at_random, given
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.deep.pictures import Pictures, Squares, channels_of
from automl_gpt.tools.train.deep.weights import load_image_processor, load_model
from automl_gpt.tools.train.goal import Aim, Goal, read_goal, take_aim
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import whole, word

PROCESSING = frozenset({"image_size", "augmentation", "class_weight"})
MEASURED = 1000
"""At most so many training pictures tell the mean and the deviation of the pixels."""


class ImageModel:
    """A network, and the image processor that says the size and the scale of the pictures that it sees."""

    def __init__(self, network: Any, processor: Any, goal: Goal, best_step: int) -> None:
        self.network, self.processor = in_channels_last(network), processor
        self.goal, self.best_step = goal, best_step

    def predict(self, x: Examples) -> Prediction:
        """Predict pictures; a batch of them is in memory at a time."""
        import torch

        self.network.eval()
        channels = len(self.processor.image_mean)
        with torch.inference_mode():
            return self.with_network(self.network, Pictures(x, self.processor.size["height"], channels, memory=0.0))

    def with_network(self, network: Any, pictures: Pictures) -> Prediction:
        """Predict with another state of the network, as it is while it trains."""
        raw = np.empty((len(pictures), self.goal.width))
        device = next(network.parameters()).device
        for rows, squares in pictures.batches():
            raw[rows] = answers(network, normalised(squares, self.processor).to(device)).cpu().numpy()
        return self.goal.of_logits(raw)

    def save(self, folder: Path) -> None:
        """Write a folder as transformers has it, and the goal."""
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # the screen is somebody else's
        self.network.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        self.goal.save(folder, self.best_step)


class ImageTrainer:
    """Fine-tunes given weights (`image_encoder`), or trains a small network from nothing (the other names)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: str) -> None:
        self.name = name
        self.reads = TRAINING | PROCESSING | ARCHITECTURE[name] | (ADAPTING if name == GIVEN else frozenset())

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> ImageModel:
        """Fit the network; ToolError where nothing can be learnt or it diverges, UserError where weights can't be used.

        Grey pictures take one channel of a network that begins at random.
        """
        aim, how = take_aim(data, hyperparameters), recipe(hyperparameters)
        side, way = whole(hyperparameters, "image_size"), _way(word(hyperparameters, "augmentation"))
        word(hyperparameters, "class_weight")  # `take_aim` takes a missing one for none
        seed(data)
        if self.name == GIVEN:
            network, processor = given(data.source, _answers(data, aim.goal))
            channels = len(processor.image_mean)
        else:
            channels = channels_of(data.x)
            network, processor = at_random(self.name, channels, hyperparameters, _answers(data, aim.goal)), None
        pictures, valid = (Pictures(x, side, channels, data.memory, data.scratch) for x in (data.x, data.x_valid))
        model = ImageModel(network, _processor(side, processor, pictures), aim.goal, 0)
        shown = _network(model, aim, pictures, valid, data.seed, way)
        shown.probed = (lambda network, batch: answers(network, batch["pixel_values"])) if self.name == GIVEN else None
        trained = train(shown, how, data, emit)
        return ImageModel(trained.model, model.processor, aim.goal, trained.best_step)

    def load(self, folder: Path) -> ImageModel:
        """Read a network that was saved."""
        from transformers import AutoModelForImageClassification

        goal = read_goal(folder)
        network = load_model(str(folder), AutoModelForImageClassification)
        return ImageModel(network, load_image_processor(str(folder)), goal, goal.best_step)


def in_channels_last(network: Any) -> Any:
    """Return the network with its filters laid out as convolutions are fastest: half as fast again on CPUs."""
    import torch

    return network.to(memory_format=torch.channels_last)


def answers(network: Any, pixels: Any) -> Any:
    """Return the network's raw answers in float32, at whatever size its weights were trained on."""
    own = getattr(network.config, "image_size", None)
    other = own is not None and own not in (pixels.shape[-1], [pixels.shape[-1]] * 2)
    more = {"interpolate_pos_encoding": True} if other and _interpolates(network) else {}
    return network(pixel_values=pixels, **more).logits.float()


def normalised(squares: Squares, processor: Any) -> Any:
    """Return pictures as a network wants them: float32 of shape (pictures, channels, side, side)."""
    import torch

    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (processor.image_mean, processor.image_std))
    # The memory stays in the order (picture, row, column, channel).
    return torch.from_numpy(squares).float().mul_(processor.rescale_factor).sub_(mean).div_(std).permute(0, 3, 1, 2)


def _interpolates(network: Any) -> bool:
    base = getattr(network, "get_base_model", lambda: network)()
    return "interpolate_pos_encoding" in inspect.signature(base.forward).parameters


def _way(told: str) -> Way:
    way: Any = told
    return way


def _answers(data: FitData, goal: Goal) -> dict[str, Any]:
    """Return the parts of a network's configuration that say what it answers."""
    if not goal.classes:
        return {"num_labels": 1, "problem_type": "regression"}
    labels = [data.labels[code] if data.labels else str(code) for code in goal.present]
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: code for code, label in enumerate(labels)}}
    return {"num_labels": len(labels), "problem_type": "single_label_classification", **named}


def _processor(side: int, own: Any, pictures: Pictures) -> Any:
    """Return a processor that does with a file what was done for training: stretch, rescale, normalise.

    Mean and deviation are those of the given weights' processor, or of the training pictures.
    """
    from transformers import ViTImageProcessorPil

    if own is not None:
        mean, std = list(own.image_mean), list(own.image_std)
        scale = own.rescale_factor if own.do_rescale else 1.0
        if not own.do_normalize:
            mean, std = [0.0] * len(mean), [1.0] * len(std)
    else:
        mean, std, scale = *_moments(pictures), 1 / 255
    return ViTImageProcessorPil(
        size={"height": side, "width": side}, image_mean=mean, image_std=std, rescale_factor=scale
    )


def _moments(pictures: Pictures) -> tuple[list[float], list[float]]:
    rows = np.unique(np.linspace(0, len(pictures) - 1, min(MEASURED, len(pictures))).astype(int)).tolist()
    some = pictures.read(rows).reshape(-1, pictures.channels) / 255
    return some.mean(axis=0).tolist(), np.maximum(some.std(axis=0), 1e-3).tolist()


def _network(model: ImageModel, aim: Aim, pictures: Pictures, valid: Pictures, number: int, way: Way) -> Network:
    import torch

    labels = torch.from_numpy(aim.y.astype(np.int64 if aim.goal.classes else np.float32))
    weight = torch.ones(len(labels)) if aim.weight is None else torch.from_numpy(aim.weight.astype(np.float32))

    def collate(rows: list[int]) -> dict[str, Any]:
        # Chance depends on the rows of the batch alone, so that a resumed training sees the same pictures.
        squares = augmented(pictures.read(rows), way, np.random.default_rng([number, *rows]))
        return {"pixel_values": normalised(squares, model.processor), "labels": labels[rows], "weight": weight[rows]}

    def predict(network: Any, examples: Examples) -> Prediction:
        known = valid if examples is valid.examples else Pictures(examples, valid.side, valid.channels, memory=0.0)
        return model.with_network(network, known)

    return Network(
        model=model.network,
        rows=range(len(labels)),
        collate=collate,
        predict=predict,
        heads=_heads(model.network),
        loss=_loss(aim.goal),
    )


def _heads(network: Any) -> tuple[str, ...]:
    return tuple(name for name, _ in network.named_children() if name != network.base_model_prefix)


def _loss(goal: Goal) -> Callable[[Any, dict[str, Any]], Any]:
    from torch.nn import functional as f

    def loss(network: Any, batch: dict[str, Any]) -> Any:
        raw, labels = answers(network, batch["pixel_values"]), batch["labels"]
        if goal.classes:
            losses = f.cross_entropy(raw, labels, reduction="none")
        else:
            far = f.l1_loss if goal.loss == "absolute" else f.mse_loss
            losses = far(raw[:, 0], labels, reduction="none")
        return (losses * batch["weight"]).mean()

    return loss
