"""What a network is to the engine that trains it, and how it is to be trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.protocol import Prediction
from automl_gpt.tools.train.settings import real, whole, word

TRAINING = frozenset({"learning_rate", "epochs", "batch_size", "weight_decay", "warmup"})
"""Hyperparameters that the engine reads for every network."""
ADAPTING = frozenset({"training", "lora_rank"})
"""Those that it reads besides where the network begins with weights of its own."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. `warmup` is a share of all steps; `training` says which weights learn."""

    learning_rate: float
    epochs: int
    batch_size: int
    weight_decay: float
    warmup: float
    training: Literal["full", "lora", "frozen"] = "full"
    lora_rank: int = 8


ADAPTER_FACTOR = 10.0
"""Adapters and heads learn best at about ten times the learning rate of all weights (Schulman et al., 2025, "LoRA
without regret"), so that one range serves all ways of training."""


def recipe(hyperparameters: Hyperparameters) -> Recipe:
    """Read the recipe of a configuration; ToolError where a hyperparameter is missing."""
    how: Any = word(hyperparameters, "training") if "training" in hyperparameters else "full"
    return Recipe(
        learning_rate=real(hyperparameters, "learning_rate") * (1.0 if how == "full" else ADAPTER_FACTOR),
        epochs=whole(hyperparameters, "epochs"),
        batch_size=whole(hyperparameters, "batch_size"),
        weight_decay=real(hyperparameters, "weight_decay"),
        warmup=real(hyperparameters, "warmup"),
        training=how,
        lora_rank=whole(hyperparameters, "lora_rank") if how == "lora" else 8,
    )


@dataclass
class Network:
    """What a trainer hands to the engine.

    `model` is a transformers model that returns a loss when it is called with a batch. `rows` is a map-style dataset
    (`len`, `[i]`) of the training rows, `collate` makes a batch (keyword arguments of the model, labels included) of
    some of its items. `predict(model, examples)` answers for examples; the model is in evaluation mode, on its device,
    and no gradients are kept. `heads` are parts of the names of parameters that learn in every mode. `lengths` let rows
    of like length share a batch. `loss(model, batch)` replaces the model's own. `probed(model, batch)` runs the
    model where its last linear layer is new, and begins as a probe of what the weights beneath it know.
    """

    model: Any
    rows: Any
    collate: Callable[[list[Any]], dict[str, Any]]
    predict: Callable[[Any, Examples], Prediction]
    heads: tuple[str, ...] = ()
    lengths: list[int] | None = None
    loss: Callable[[Any, dict[str, Any]], Any] | None = None
    probed: Callable[[Any, dict[str, Any]], Any] | None = None
