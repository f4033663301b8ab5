"""Logistic regression and ridge regression, iteration by iteration."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.goal import Aim, Goal, read_goal, take_aim
from automl_gpt.tools.train.matrix import Scaling, fit_scaling, in_blocks, read_scaling
from automl_gpt.tools.train.progress import Progress, checkpoints
from automl_gpt.tools.train.protocol import Emit, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import real, word

FILE = "linear.npz"
MOST_ITERATIONS = 300


class LinearModel:
    """Weights (columns, outputs) and offsets (outputs,) over scaled columns."""

    def __init__(
        self, scaling: Scaling, weights: NDArray[np.float64], offsets: NDArray[np.float64], goal: Goal, best_step: int
    ) -> None:
        self.scaling, self.weights, self.offsets = scaling, weights, offsets
        self.goal, self.best_step = goal, best_step

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        return in_blocks(x, lambda block: self.of_scaled(self.scaling(block)))

    def of_scaled(self, x: Matrix) -> Prediction:
        """Predict rows that are scaled already."""
        return self.goal.of_logits(x.astype(np.float64) @ self.weights + self.offsets)

    def save(self, folder: Path) -> None:
        """Write the scaling, the weights and the goal."""
        self.scaling.save(folder)
        np.savez(folder / FILE, allow_pickle=False, weights=self.weights, offsets=self.offsets)
        self.goal.save(folder, self.best_step)


class LinearTrainer:
    """L-BFGS for classes, LSQR for values; both are logged at growing numbers of iterations, and the best one is kept.

    Stopping a linear solver early shrinks its weights much as a penalty does.
    """

    name = "linear"
    step_name = "iteration"
    package = "sklearn"
    reads = frozenset({"penalty", "features", "scaling", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> LinearModel:
        """Fit the model; ToolError where the rows hold one class or the fit diverges."""
        aim = take_aim(data, hyperparameters)
        splines = word(hyperparameters, "features") == "splines"
        scaling = fit_scaling(data, word(hyperparameters, "scaling"), splines)
        progress = Progress(data, emit)
        x, x_valid = scaling(data.x), scaling(data.x_valid)
        solver = LinearSolver(x, aim, real(hyperparameters, "penalty"), data.seed)
        best = last = LinearModel(scaling, *solver.solve(1), aim.goal, 1)
        for step in checkpoints(MOST_ITERATIONS, ratio=1.35):
            if step > 1:
                last = LinearModel(scaling, *solver.solve(step), aim.goal, step)
            go_on = progress.log(step, last.of_scaled(x[progress.sample]), last.of_scaled(x_valid))
            best = last if progress.best_step == step else best
            if not go_on or solver.converged or step > max(30, 3 * progress.best_step):
                break
        progress.need_best()
        return best

    def load(self, folder: Path) -> LinearModel:
        """Read a model that was saved."""
        goal = read_goal(folder)
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return LinearModel(read_scaling(folder), arrays["weights"], arrays["offsets"], goal, goal.best_step)


class LinearSolver:
    """Solves up to a number of iterations; `converged` says that more of them would change nothing."""

    def __init__(self, x: Any, aim: Aim, penalty: float, seed: int) -> None:
        self.x, self.aim, self.converged, self._done = x, aim, False, 0
        self.model: Any = self._classifier(penalty, seed) if aim.goal.classes else self._regressor(penalty, seed)

    def solve(self, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (columns, outputs) and offsets (outputs,) after `step` iterations in total."""
        # L-BFGS goes on from the last weights, LSQR begins anew.
        allowed = step - self._done if self.aim.goal.classes else step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.set_params(max_iter=allowed).fit(self.x, self.aim.y, sample_weight=self.aim.weight)
        self.converged = int(np.max(self.model.n_iter_)) < allowed
        self._done = step
        weights = np.atleast_2d(np.asarray(self.model.coef_, dtype=np.float64)).T
        return weights, np.atleast_1d(np.asarray(self.model.intercept_, dtype=np.float64))

    def _classifier(self, penalty: float, seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1.0 / penalty, tol=1e-5, warm_start=True, random_state=seed)

    def _regressor(self, penalty: float, seed: int) -> Any:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=penalty, solver="lsqr", tol=1e-6, random_state=seed)
