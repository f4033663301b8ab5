"""The trainers that there are: one explicit tuple."""

from __future__ import annotations

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.forest import ForestTrainer
from automl_gpt.tools.train.lightgbm import LightGBMTrainer
from automl_gpt.tools.train.linear import LinearTrainer
from automl_gpt.tools.train.mlp import MLPTrainer
from automl_gpt.tools.train.neighbours import NeighboursTrainer
from automl_gpt.tools.train.protocol import Trainer
from automl_gpt.tools.train.xgboost import XGBoostTrainer

TRAINERS: tuple[Trainer, ...] = (
    BaselineTrainer(),
    LightGBMTrainer(),
    XGBoostTrainer(),
    ForestTrainer("random_forest"),
    ForestTrainer("extra_trees"),
    LinearTrainer(),
    NeighboursTrainer(),
    MLPTrainer(),
)


def trainer(name: str) -> Trainer:
    """Return the trainer of a name; ToolError, with those that there are, where it is unknown."""
    for one in TRAINERS:
        if one.name == name:
            return one
    raise ToolError(f"there is no trainer {name!r}; there are: {', '.join(one.name for one in TRAINERS)}")
