"""Multi-layer perceptron: Adam, epoch by epoch, with averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.goal import Aim, Goal, read_goal, take_aim
from automl_gpt.tools.train.matrix import Scaling, fit_scaling, in_blocks, read_scaling
from automl_gpt.tools.train.progress import Progress, checkpoints
from automl_gpt.tools.train.protocol import Emit, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import real, whole, word

FILE = "mlp.npz"
MOST_EPOCHS = 100
PATIENCE = 12
EPOCH = 100_000
"""An epoch passes over at most this many rows, drawn anew, so that large tables log in time, too."""
MEMORY = 0.75
"""Weight of the past in the moving average of the network's weights (Polyak and Juditsky, 1992)."""

Layers = list[NDArray[np.float32]]


class MLPModel:
    """Weights and offsets of each layer; rectified linear units between them."""

    def __init__(self, scaling: Scaling, weights: Layers, offsets: Layers, goal: Goal, best_step: int) -> None:
        self.scaling, self.weights, self.offsets = scaling, weights, offsets
        self.goal, self.best_step = goal, best_step

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        return in_blocks(x, lambda block: self.of_scaled(self.scaling(block)))

    def of_scaled(self, x: Matrix) -> Prediction:
        """Predict rows that are scaled already."""
        last = len(self.weights) - 1
        for layer, (weights, offsets) in enumerate(zip(self.weights, self.offsets, strict=True)):
            x = x @ weights + offsets
            x = x if layer == last else np.maximum(x, 0.0)
        return self.goal.of_logits(x)

    def save(self, folder: Path) -> None:
        """Write the scaling, the layers and the goal."""
        self.scaling.save(folder)
        arrays = {f"weights_{i}": a for i, a in enumerate(self.weights)}
        arrays |= {f"offsets_{i}": a for i, a in enumerate(self.offsets)}
        np.savez(folder / FILE, allow_pickle=False, **arrays)
        self.goal.save(folder, self.best_step)


class MLPTrainer:
    """Trains up to 100 epochs, judges the moving average of the weights, and keeps that of the best epoch."""

    name = "mlp"
    step_name = "epoch"
    package = "sklearn"
    reads = frozenset(
        {"hidden_size", "hidden_layers", "learning_rate", "alpha", "batch_size", "scaling", "class_weight"}
    )

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> MLPModel:
        """Fit the network; ToolError where the rows hold one class or the fit diverges."""
        aim = take_aim(data, hyperparameters)
        scaling = fit_scaling(data, word(hyperparameters, "scaling"))
        x, x_valid, progress = scaling(data.x), scaling(data.x_valid), Progress(data, emit)
        network, rows = _network(data, aim, hyperparameters), _epochs(len(aim.y), data.seed)
        steps, best = checkpoints(MOST_EPOCHS, ratio=1.1, longest=5), None
        done, mean = 0, None
        for step in steps:
            for _ in range(done, step):
                mean = _averaged(mean, _trained(network, x, aim, next(rows)))
            done = step
            assert mean is not None, "an epoch was trained"
            model = MLPModel(scaling, *mean, aim.goal, step)
            go_on = progress.log(step, model.of_scaled(x[progress.sample]), model.of_scaled(x_valid))
            best = model if progress.best_step == step or best is None else best
            if not go_on or step - progress.best_step > PATIENCE + 0.2 * progress.best_step:
                break
        progress.need_best()
        assert best is not None, "a step was logged"
        return best

    def load(self, folder: Path) -> MLPModel:
        """Read a network that was saved."""
        goal = read_goal(folder)
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            layers = range(len(arrays.files) // 2)
            weights, offsets = ([arrays[f"{kind}_{i}"] for i in layers] for kind in ("weights", "offsets"))
        return MLPModel(read_scaling(folder), weights, offsets, goal, goal.best_step)


def _network(data: FitData, aim: Aim, hyperparameters: Hyperparameters) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    make: Any = MLPClassifier if data.classes else MLPRegressor
    return make(
        hidden_layer_sizes=(whole(hyperparameters, "hidden_size"),) * whole(hyperparameters, "hidden_layers"),
        learning_rate_init=real(hyperparameters, "learning_rate"),
        alpha=real(hyperparameters, "alpha"),
        # At least some thirty steps an epoch, however small the table.
        batch_size=max(1, min(whole(hyperparameters, "batch_size"), max(8, len(aim.y) // 30), len(aim.y))),
        random_state=data.seed,
    )


def _epochs(rows: int, seed: int) -> Iterator[NDArray[np.intp] | None]:
    """Yield the rows of each epoch; None for all of them."""
    draw = np.random.default_rng(seed)
    while True:
        yield None if rows <= EPOCH else np.sort(draw.choice(rows, EPOCH, replace=False))


def _trained(network: Any, x: Matrix, aim: Aim, rows: NDArray[np.intp] | None) -> tuple[Layers, Layers]:
    """Train for one epoch and return the network's own weights and offsets."""
    some = slice(None) if rows is None else rows
    weight = None if aim.weight is None else aim.weight[some].astype(np.float32)
    y = aim.y[some] if aim.goal.classes else aim.y[some].astype(np.float32)
    classes = {"classes": np.arange(aim.goal.width)} if aim.goal.classes else {}
    network.partial_fit(x[some], y, sample_weight=weight, **classes)
    return network.coefs_, network.intercepts_


def _averaged(mean: tuple[Layers, Layers] | None, new: tuple[Layers, Layers]) -> tuple[Layers, Layers]:
    if mean is None:
        return [a.copy() for a in new[0]], [a.copy() for a in new[1]]
    return _blended(mean[0], new[0]), _blended(mean[1], new[1])


def _blended(old: Layers, new: Layers) -> Layers:
    return [(MEMORY * a + (1 - MEMORY) * b).astype(np.float32) for a, b in zip(old, new, strict=True)]
