"""Random forests (Breiman, 2001) and extremely randomised trees (Geurts et al., 2006), grown in chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.goal import Aim, Goal, read_goal, take_aim
from automl_gpt.tools.train.progress import Progress, checkpoints
from automl_gpt.tools.train.protocol import Emit, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import real, whole
from automl_gpt.tools.train.trees import PackedTrees, leaf_limit, mean_output, read_trees, sum_output

MOST_TREES = 200
LEAST_TREES = 50
ROWS_PER_TREE = 200_000
"""A tree draws at most this many rows: more of them cost time and memory and hardly change it."""


class ForestModel:
    """The grown trees. All of them are used: one tree more never does harm."""

    def __init__(self, trees: PackedTrees, goal: Goal, best_step: int) -> None:
        self.trees, self.goal, self.best_step = trees, goal, best_step
        self._ready = trees.unpack()

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        return self.goal.prediction(self.goal.smoothed(mean_output(self._ready, x)))

    def save(self, folder: Path) -> None:
        """Write the trees as plain arrays, and the goal."""
        self.trees.save(folder)
        self.goal.save(folder, self.best_step)


class ForestTrainer:
    """Adds trees until twice as many bring next to nothing, at most 200. Missing values go the way that fits best."""

    step_name = "trees"
    package = "sklearn"

    def __init__(self, name: Literal["random_forest", "extra_trees"]) -> None:
        self.name: str = name
        own = {"max_samples"} if name == "random_forest" else set[str]()
        self.reads = frozenset({"max_features", "min_samples_leaf", "class_weight"} | own)

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> ForestModel:
        """Fit a forest, logging after each chunk of trees; ToolError where the rows hold one class."""
        aim = take_aim(data, hyperparameters)
        # The library's check for missing values asks for rows that may be written, which mapped ones may not.
        x = np.require(data.x, np.float32, ["C", "W"])
        forest = self._forest(data, aim, hyperparameters)
        progress = Progress(data, emit)
        seen = x[progress.sample]
        x_valid = np.ascontiguousarray(data.x_valid, dtype=np.float32)
        on_train, on_valid = np.zeros((len(seen), 1)), np.zeros((len(x_valid), 1))
        trees = PackedTrees.empty(data.x.shape[1], aim.goal)
        for step in checkpoints(MOST_TREES, ratio=1.3, longest=20):
            forest.set_params(n_estimators=step).fit(x, aim.y, sample_weight=aim.weight)
            added = PackedTrees.pack([tree.tree_ for tree in forest.estimators_[trees.count :]], trees)
            ready = added.unpack()
            on_train, on_valid = on_train + sum_output(ready, seen), on_valid + sum_output(ready, x_valid)
            trees = trees.joined(added)
            scored = [aim.goal.prediction(aim.goal.smoothed(raw / step)) for raw in (on_train, on_valid)]
            if not progress.log(step, *scored) or progress.settled(LEAST_TREES):
                break
        progress.need_best()
        return ForestModel(trees, aim.goal, trees.count)

    def load(self, folder: Path) -> ForestModel:
        """Read a forest that was saved."""
        goal = read_goal(folder)
        return ForestModel(read_trees(folder), goal, goal.best_step)

    def _forest(self, data: FitData, aim: Aim, hyperparameters: Hyperparameters) -> Any:
        from sklearn import ensemble

        rows = len(aim.y)
        kind = "Classifier" if data.classes else "Regressor"
        random = self.name == "random_forest"
        share = real(hyperparameters, "max_samples") if random else 1.0
        per_tree = max(1, min(int(share * rows), ROWS_PER_TREE))
        least = whole(hyperparameters, "min_samples_leaf")
        limit = leaf_limit(aim.goal.width, MOST_TREES)
        bootstrap = random or per_tree < rows
        return getattr(ensemble, ("RandomForest" if random else "ExtraTrees") + kind)(
            max_features=real(hyperparameters, "max_features"),
            min_samples_leaf=least,
            max_leaf_nodes=limit if per_tree / least > limit else None,
            bootstrap=bootstrap,
            max_samples=per_tree if bootstrap else None,
            n_jobs=data.threads,
            random_state=data.seed,
            warm_start=True,
        )
