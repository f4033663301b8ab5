"""XGBoost: gradient boosted trees on histograms (Chen and Guestrin, 2016)."""

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

FILE = "model.ubj"
_REALS = (
    "learning_rate",
    "min_child_weight",
    "subsample",
    "colsample_bytree",
    "colsample_bynode",
    "reg_lambda",
    "reg_alpha",
)
_WHOLES = ("max_depth", "max_cat_to_onehot")


class XGBoostModel:
    """A booster, cut at its best round."""

    def __init__(self, booster: Any, goal: Goal, best_step: int) -> None:
        self.booster, self.goal, self.best_step = booster, goal, best_step

    def predict(self, x: Matrix) -> Prediction:
        """Predict rows of the fitted layout."""
        if not len(x):
            return self.goal.nothing()
        raw = self.booster.inplace_predict(np.ascontiguousarray(x, dtype=np.float32), missing=np.nan)
        return self.goal.prediction(raw)

    def save(self, folder: Path) -> None:
        """Write the booster as UBJSON, and the goal."""
        self.booster.save_model(folder / FILE)
        self.goal.save(folder, self.best_step)


class XGBoostTrainer:
    """Boosts up to 100 / learning rate rounds, and stops when the validation score no longer improves."""

    name = "xgboost"
    step_name = "round"
    package = "xgboost"
    reads = frozenset({*_REALS, *_WHOLES, "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> XGBoostModel:
        """Fit a booster, logging at growing distances; ToolError for rows of one class or a fit that diverges."""
        import xgboost as xgb

        aim, rate = take_aim(data, hyperparameters), real(hyperparameters, "learning_rate")
        train, valid = _matrices(data, aim)
        progress = Progress(data, emit)
        with xgb.config_context(verbosity=0):
            booster = xgb.Booster(_parameters(data, aim.goal, hyperparameters), [train, valid])
            done = 0
            for step in rounds(data, rate):
                for index in range(done, step):
                    booster.update(train, index)
                done = step
                on_train = _scored(booster, aim.goal, train, progress.sample)
                if not progress.log(step, on_train, _scored(booster, aim.goal, valid)) or out_of_patience(
                    progress, rate
                ):
                    break
            best = progress.need_best()
            booster = booster[:best] if best < done else booster
            booster.set_param({"device": "cpu"})
        return XGBoostModel(booster, aim.goal, best)

    def load(self, folder: Path) -> XGBoostModel:
        """Read a booster that was saved."""
        import xgboost as xgb

        goal = read_goal(folder)
        return XGBoostModel(xgb.Booster(model_file=folder / FILE), goal, goal.best_step)


def _matrices(data: FitData, aim: Aim) -> tuple[Any, Any]:
    import xgboost as xgb

    shared: dict[str, Any] = {
        "missing": np.nan,
        "feature_types": ["c" if f.categorical else "q" for f in data.features],
        "enable_categorical": True,
        "nthread": data.threads,
    }
    x, x_valid = (np.ascontiguousarray(a, dtype=np.float32) for a in (data.x, data.x_valid))
    train = xgb.QuantileDMatrix(x, aim.y, weight=aim.weight, max_bin=256, **shared)
    # Validation rows keep their floats: cut like the training rows, an unseen category would pass for another.
    return train, xgb.DMatrix(x_valid, **shared)


def _scored(booster: Any, goal: Goal, rows: Any, chosen: NDArray[np.intp] | None = None) -> Prediction:
    """Predict rows that the booster caches, so that only the trees since the last call are evaluated."""
    if not rows.num_row():
        return goal.nothing()
    raw = booster.predict(rows)
    return goal.prediction(raw if chosen is None else raw[chosen])


def _objective(goal: Goal) -> dict[str, Any]:
    if goal.loss == "log_loss":
        return (
            {"objective": "binary:logistic"}
            if goal.width == 2
            else {"objective": "multi:softprob", "num_class": goal.width}
        )
    return {"objective": "reg:squarederror" if goal.loss == "squared" else "reg:absoluteerror"}


def _parameters(data: FitData, goal: Goal, hyperparameters: Hyperparameters) -> dict[str, Any]:
    chosen = {n: real(hyperparameters, n) for n in _REALS} | {n: whole(hyperparameters, n) for n in _WHOLES}
    return (
        _objective(goal)
        | chosen
        | {
            "tree_method": "hist",
            "max_bin": 256,
            "device": "cuda" if data.device == "cuda" else "cpu",
            "nthread": data.threads,
            "seed": data.seed,
            "disable_default_eval_metric": True,
        }
    )
