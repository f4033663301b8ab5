"""LightGBM: gradient boosted trees grown leaf by leaf (Ke et al., 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.boosting import out_of_patience, rounds
from automl_gpt.tools.train.goal import Aim, Goal, read_goal, take_aim
from automl_gpt.tools.train.progress import Progress
from automl_gpt.tools.train.protocol import Emit, FitData, Matrix, Prediction
from automl_gpt.tools.train.settings import real, whole

FILE = "model.txt"
_NUMBERS = (
    "learning_rate",
    "feature_fraction",
    "feature_fraction_bynode",
    "bagging_fraction",
    "lambda_l2",
    "cat_smooth",
)


class LightGBMModel:
    """A booster, cut at its best round."""

    def __init__(self, booster: Any, goal: Goal, best_step: int) -> None:
        self.booster, self.goal, self.best_step = booster, goal, best_step

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        if not len(x):
            return self.goal.nothing()
        return self.goal.prediction(self.booster.predict(x, num_iteration=self.best_step))

    def save(self, folder: Path) -> None:
        """Write the booster in LightGBM's own text format, and the goal."""
        self.booster.save_model(folder / FILE, num_iteration=self.best_step)
        self.goal.save(folder, self.best_step)


class LightGBMTrainer:
    """Boosts up to 100 / learning rate rounds, and stops when the validation score no longer improves."""

    name = "lightgbm"
    step_name = "round"
    package = "lightgbm"
    reads = frozenset({*_NUMBERS, "num_leaves", "min_data_in_leaf", "max_cat_to_onehot", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> LightGBMModel:
        """Fit a booster, logging at growing distances; ToolError for rows of one class or a fit that diverges."""
        import lightgbm as lgb

        aim, rate = take_aim(data, hyperparameters), real(hyperparameters, "learning_rate")
        parameters = _parameters(data, aim.goal, hyperparameters)
        train = lgb.Dataset(
            np.ascontiguousarray(data.x, dtype=np.float32), aim.y, weight=aim.weight, params=parameters,
            categorical_feature=data.categorical, free_raw_data=True,
        )  # fmt: skip
        booster = lgb.Booster(parameters, train)
        if len(data.x_valid):
            rows = np.ascontiguousarray(data.x_valid, dtype=np.float32)
            booster.add_valid(lgb.Dataset(rows, reference=train, params=parameters), "valid")
        progress = Progress(data, emit)
        _boost(booster, aim, progress, rate)
        best = progress.need_best()
        booster.free_dataset()
        return LightGBMModel(booster, aim.goal, best)

    def load(self, folder: Path) -> LightGBMModel:
        """Read a booster that was saved."""
        import lightgbm as lgb

        goal = read_goal(folder)
        return LightGBMModel(lgb.Booster(model_file=folder / FILE), goal, goal.best_step)


def _boost(booster: Any, aim: Aim, progress: Progress, rate: float) -> None:
    done = 0
    for step in rounds(progress.data, rate):
        exhausted = False
        while done < step and not exhausted:
            exhausted = booster.update()
            done += not exhausted
        # A tree that can't be split ends the boosting; before the first round it leaves a constant model of one round.
        done = max(done, 1)
        if progress.steps and done == progress.steps[-1]:
            return
        on_train = aim.goal.prediction(_scored(booster, "eval_train")[progress.sample])
        raw = _scored(booster, "eval_valid")
        on_valid = aim.goal.prediction(raw) if len(raw) else aim.goal.nothing()
        if not progress.log(done, on_train, on_valid) or exhausted or out_of_patience(progress, rate):
            return


def _scored(booster: Any, which: str) -> NDArray[np.float64]:
    """Return the predictions that the booster keeps for its rows: an evaluation function gets them at no cost."""
    kept: list[NDArray[np.float64]] = []

    def keep(prediction: NDArray[np.float64], _rows: Any) -> tuple[str, float, bool]:
        kept.append(prediction.copy())
        return "kept", 0.0, True

    getattr(booster, which)(feval=keep)
    return kept[0] if kept else np.empty(0)


def _objective(goal: Goal) -> dict[str, Any]:
    if goal.loss == "log_loss":
        return {"objective": "binary"} if goal.width == 2 else {"objective": "multiclass", "num_class": goal.width}
    return {"objective": "regression" if goal.loss == "squared" else "regression_l1"}


def _parameters(data: FitData, goal: Goal, hyperparameters: Hyperparameters) -> dict[str, Any]:
    # A leaf can't ask for more rows than a small table has, nor a category for more than it can show.
    rows = len(data.y)
    return (
        _objective(goal)
        | {name: real(hyperparameters, name) for name in _NUMBERS}
        | {
            "num_leaves": whole(hyperparameters, "num_leaves"),
            # A draw of less than a row is an error of the library's.
            "bagging_fraction": max(real(hyperparameters, "bagging_fraction"), min(1.0, 2 / rows)),
            "min_data_in_leaf": max(1, min(whole(hyperparameters, "min_data_in_leaf"), rows // 10)),
            "max_cat_to_onehot": whole(hyperparameters, "max_cat_to_onehot"),
            "min_data_per_group": max(1, min(100, rows // 50)),
            "min_sum_hessian_in_leaf": 1e-3,
            "bagging_freq": 1,
            "metric": "none",
            "seed": data.seed,
            "deterministic": True,
            "force_col_wise": True,
            "feature_pre_filter": False,
            "num_threads": data.threads,
            "verbosity": -1,
        }
    )
