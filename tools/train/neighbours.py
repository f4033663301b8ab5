"""k nearest neighbours over scaled columns, with votes that know the class shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.goal import Goal, read_goal, take_aim
from automl_gpt.tools.train.matrix import Scaling, fit_scaling, in_blocks, read_scaling
from automl_gpt.tools.train.progress import Progress
from automl_gpt.tools.train.protocol import Emit, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import whole, word

FILE = "neighbours.npz"
SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
"""The shares of the training rows after which a row is logged."""
METRICS = {"euclidean": 2, "manhattan": 1}


class NeighboursModel:
    """Scaled training rows with their targets (rows, outputs) and weights (rows,), and how to ask them."""

    def __init__(
        self, scaling: Scaling, arrays: dict[str, NDArray[Any]], goal: Goal, best_step: int, threads: int = 1
    ) -> None:
        from sklearn.neighbors import NearestNeighbors

        self.scaling, self.arrays, self.goal, self.best_step = scaling, arrays, goal, best_step
        count = min(int(arrays["n_neighbors"]), len(arrays["x"]))
        self._finder: Any = NearestNeighbors(n_neighbors=count, p=int(arrays["p"]), n_jobs=threads).fit(arrays["x"])

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        return in_blocks(x, lambda block: self.of_scaled(self.scaling(block)))

    def of_scaled(self, x: Matrix) -> Prediction:
        """Predict rows that are scaled already."""
        if not len(x):
            return self.goal.prediction(np.empty((0, self.goal.width)))
        distance, index = self._finder.kneighbors(x)
        vote = self.arrays["weight"][index]
        if self.arrays["by_distance"]:
            vote = vote / (distance + 1e-3 * distance.mean(axis=1, keepdims=True) + 1e-12)
        vote = vote / vote.sum(axis=1, keepdims=True)
        raw = np.einsum("rk,rko->ro", vote, self.arrays["target"][index])
        return self.goal.prediction(self._smoothed(raw, index.shape[1]) if self.goal.classes else raw)

    def _smoothed(self, shares: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        # One more neighbour who votes for the class shares: no class is ever impossible.
        return (shares * count + self.arrays["prior"]) / (count + 1)

    def save(self, folder: Path) -> None:
        """Write the scaling, the rows and the goal."""
        self.scaling.save(folder)
        np.savez(folder / FILE, allow_pickle=False, **self.arrays)
        self.goal.save(folder, self.best_step)


class NeighboursTrainer:
    """Has no iterations, so it logs growing parts of the training rows; the delivered model knows all of them."""

    name = "k_nearest_neighbours"
    step_name = "rows"
    package = "sklearn"
    reads = frozenset({"n_neighbors", "weights", "distance", "scaling", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> NeighboursModel:
        """Fit the model; ToolError where the rows hold one class."""
        aim = take_aim(data, hyperparameters)
        scaling = fit_scaling(data, word(hyperparameters, "scaling"))
        rows = len(aim.y)
        weight = np.ones(rows) if aim.weight is None else aim.weight
        # A row of weight 0 that stood among the nearest would leave fewer neighbours than were asked for.
        order = np.random.default_rng(data.seed).permutation(np.flatnonzero(weight > 0))
        target = np.eye(aim.goal.width)[aim.y] if data.classes else aim.y[:, None]
        settings = {
            "n_neighbors": np.array(whole(hyperparameters, "n_neighbors")),
            "p": np.array(METRICS[word(hyperparameters, "distance")]),
            "by_distance": np.array(word(hyperparameters, "weights") == "distance"),
            "prior": np.average(target, axis=0, weights=weight),
        }
        x, x_valid, progress = scaling(data.x), scaling(data.x_valid), Progress(data, emit)
        model: NeighboursModel | None = None
        for step in sorted({max(1, round(share * len(order))) for share in SHARES}):
            some = np.sort(order[:step])
            arrays = {"x": x[some], "target": target[some], "weight": weight[some]} | settings
            model = NeighboursModel(scaling, arrays, aim.goal, step, data.threads)
            if not progress.log(step, model.of_scaled(x[progress.sample]), model.of_scaled(x_valid)):
                break
        progress.need_best()
        assert model is not None, "there is a step, for there are rows"
        return model

    def load(self, folder: Path) -> NeighboursModel:
        """Read a model that was saved."""
        goal = read_goal(folder)
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        return NeighboursModel(read_scaling(folder), kept, goal, goal.best_step)
