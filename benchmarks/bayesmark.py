"""Bayesmark's tasks: a scikit-learn model, its search space as a Model Card, and its cross-validated score on a table.

The layout is that of Bayesmark's description (Turner et al., 2021) as LLAMBO used it (Liu et al., 2024): a folder with
`SET_train.csv.gz` (columns x0..., target y), `search_spaces.json`, `init/MODEL.json` and `bounds.json`. Scores are such
that more is better: mean accuracy over five folds, or minus the root mean squared error of a standardised target.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard, Scalar

FOLDS = 5
_SGD = {"solver": "sgd", "early_stopping": True, "max_iter": 40, "learning_rate": "invscaling", "random_state": 0}
_FIXED: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "RandomForest": ("RandomForestClassifier", "RandomForestRegressor", {"n_estimators": 10, "random_state": 0}, {}),
    "DecisionTree": ("DecisionTreeClassifier", "DecisionTreeRegressor", {"random_state": 0}, {}),
    "SVM": ("SVC", "SVR", {"kernel": "rbf"}, {}),
    "AdaBoost": ("AdaBoostClassifier", "AdaBoostRegressor", {"random_state": 0}, {}),
    "MLP_SGD": ("MLPClassifier", "MLPRegressor", {**_SGD, "nesterovs_momentum": True}, {"activation": "tanh"}),
    "MLP_adam": ("MLPClassifier", "MLPRegressor", {**_SGD, "solver": "adam"}, {"activation": "tanh"}),
    "kNN": ("KNeighborsClassifier", "KNeighborsRegressor", {}, {}),
    "lasso": ("LogisticRegression", "Lasso", {}, {}),
    "linear": ("LogisticRegression", "Ridge", {}, {}),
}  # fmt: skip
"""Class for classification, class for regression, what is fixed for both, and what for regression alone."""


@dataclass(frozen=True)
class Table:
    """A training table: features, target (class codes, or standardised values)."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[Any]
    regression: bool

    @property
    def metric(self) -> str:
        """The metric's name in the product."""
        return "rmse" if self.regression else "accuracy"

    @cached_property
    def rows(self) -> frozenset[bytes]:
        """Digests of the rows' features, to find sets that share rows."""
        return frozenset(hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest()[:8] for row in self.x)


@dataclass(frozen=True)
class Task:
    """A table and a model: what is searched."""

    table: Table
    model: str
    space: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name under which `bounds.json` knows it."""
        return f"{self.table.name}/{self.model}"

    @cached_property
    def card(self) -> ModelCard:
        """The Model Card: the search space as the file has it, with scikit-learn's own defaults cut to it."""
        space = {name: _range(given, self._default(name)) for name, given in self.space.items()}
        tasks = ["regression" if self.table.regression else "classification"]
        resources = {"seconds": 1.0}
        return ModelCard.model_validate(
            {"name": self.model, "tasks": tasks, "trainer": self.model, "search_space": space, "resources": resources}
        )

    def _default(self, name: str) -> Any:
        value = _estimator(self.model, self.table.regression, {}).get_params().get(name)
        if name == "hidden_layer_sizes":
            return value[0]
        if value == "sqrt":
            return math.sqrt(self.table.x.shape[1]) / self.table.x.shape[1]
        if value == "scale":
            return 1.0 / (self.table.x.shape[1] * max(float(self.table.x.var()), 1e-12))
        if value == "auto":  # a mini-batch of 200
            return 200
        if value is None:  # no limit
            return math.inf
        # Of shares of the rows, scikit-learn's default counts rows.
        return float(value) / len(self.table.x) if isinstance(value, int) and self.space[name][0] == "float" else value

    def score(self, configuration: Mapping[str, Scalar], seed: int) -> float:
        """Return the mean accuracy over the folds, or minus the root of the mean squared error; NaN for a failure."""
        from sklearn.model_selection import cross_val_score

        np.random.seed(seed)
        random.seed(seed)
        estimator = _estimator(self.model, self.table.regression, configuration)
        scoring = "neg_mean_squared_error" if self.table.regression else "accuracy"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mean = float(cross_val_score(estimator, self.table.x, self.table.y, scoring=scoring, cv=FOLDS).mean())
        return -math.sqrt(-mean) if self.table.regression else mean


def _estimator(model: str, regression: bool, configuration: Mapping[str, Scalar]) -> Any:
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.neighbors
    import sklearn.neural_network
    import sklearn.svm
    import sklearn.tree

    if model not in _FIXED:
        raise UserError(f"no scikit-learn model is known for {model!r}; known: {', '.join(_FIXED)}")
    classifier, regressor, fixed, more = _FIXED[model]
    wanted = regressor if regression else classifier
    rooms = (
        sklearn.ensemble,
        sklearn.linear_model,
        sklearn.neighbors,
        sklearn.neural_network,
        sklearn.svm,
        sklearn.tree,
    )
    kind = next(getattr(room, wanted) for room in rooms if hasattr(room, wanted))
    extra = {"random_state": 0} if model == "SVM" and not regression else {}
    given = {**fixed, **extra, **(more if regression else {}), **configuration}
    if "hidden_layer_sizes" in configuration:
        given["hidden_layer_sizes"] = (int(configuration["hidden_layer_sizes"]),)
    return kind(**given)


def _range(given: Any, default: Any) -> dict[str, Any]:
    """Return a range of a Model Card: what is searched on the scale of logits is searched on that of logarithms where
    the range lies below a half, and evenly where it spans both ends."""
    kind, scale, (low, high) = given
    log = scale == "log" or (scale == "logit" and high <= 0.5)
    cut = min(max(default, low), high)
    if kind == "int":
        return {"type": "int", "low": int(low), "high": int(high), "default": round(cut), "log": log}
    return {"type": "float", "low": float(low), "high": float(high), "default": float(cut), "log": log}


def read_table(file: Path, regression: bool) -> Table:
    """Read a training table; a target of regression is standardised."""
    import pandas as pd

    frame = pd.read_csv(file)
    x, y = frame.drop(columns="y").to_numpy(float), frame["y"].to_numpy(float)
    y = (y - y.mean()) / y.std() if regression else y.astype(int)
    return Table(file.name.removesuffix("_train.csv.gz"), x, y, regression)


def remembering(task: Task, seed: int, folder: Path | None) -> Callable[[Hyperparameters], float]:
    """Return the task's score as a function; with a folder, it keeps there what it computed."""
    import sklearn

    parts = json.dumps([task.name, dict(task.space), sklearn.__version__, seed], sort_keys=True).encode()
    digest = hashlib.sha256(parts + task.table.x.tobytes() + task.table.y.tobytes()).hexdigest()[:16]
    file = folder / f"{task.table.name}-{task.model}-{digest}.jsonl" if folder else None
    lines = file.read_text("utf-8").splitlines() if file and file.is_file() else []
    kept: dict[str, float] = dict(json.loads(line) for line in lines)

    def score(configuration: Hyperparameters) -> float:
        key = json.dumps(configuration, sort_keys=True)
        if key not in kept:
            kept[key] = task.score(configuration, seed)
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps([key, kept[key]]) + "\n")
        return kept[key]

    return score
