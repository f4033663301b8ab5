"""Small tables for the tests of trainers: scikit-learn's own, and generated ones with gaps and categories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from automl_gpt.cards.schema import CategoricalRange, Hyperparameters, IntRange, ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS, default_metric, score
from automl_gpt.tools.train.protocol import Feature, FitData, Model, Trainer

CARDS = Path(__file__).parents[3] / "cards" / "models"
NAMES = sorted(path.stem for path in CARDS.glob("*.yaml"))


def card(name: str) -> ModelCard:
    """Read a shipped Model Card."""
    return ModelCard.model_validate(YAML(typ="safe").load(CARDS / f"{name}.yaml"))


def sample(model_card: ModelCard, seed: int) -> Hyperparameters:
    """Draw a legal configuration."""
    draw = np.random.default_rng(seed)
    chosen: Hyperparameters = {}
    for name, space in model_card.search_space.items():
        if not model_card.active(name, chosen):
            continue
        if isinstance(space, CategoricalRange):
            chosen[name] = space.choices[int(draw.integers(len(space.choices)))]
            continue
        low, high = np.log([space.low, space.high]) if space.log else (space.low, space.high)
        value = float(draw.uniform(low, high))
        value = min(max(float(np.exp(value)) if space.log else value, space.low), space.high)
        chosen[name] = round(value) if isinstance(space, IntRange) else value
    return model_card.complete(chosen)


def table(
    x: Any, y: Any, x_valid: Any, y_valid: Any, *, features: Any = None, classes: int = 0, metric: str = ""
) -> FitData:
    """Make the data of a fit; `classes` is 0 for regression."""
    task = "regression" if not classes else "binary" if classes == 2 else "multiclass"
    figure = METRICS[metric] if metric else default_metric(task)
    kind = np.int32 if classes else np.float64
    return FitData(
        x=np.ascontiguousarray(x, dtype=np.float32),
        y=np.asarray(y, dtype=kind),
        weight=None,
        x_valid=np.ascontiguousarray(x_valid, dtype=np.float32),
        y_valid=np.asarray(y_valid, dtype=kind),
        weight_valid=None,
        features=features or tuple(Feature(f"c{i}") for i in range(np.shape(x)[1])),
        task=task,
        classes=classes,
        metric=figure,
        score=lambda y, prediction, weight: score(figure, y, prediction, weight),
    )


def bundled(name: str, metric: str = "") -> FitData:
    """Read one of scikit-learn's own sets, a quarter of it for validation."""
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, valid = order[len(y) // 4 :], order[: len(y) // 4]
    classes = 0 if name == "diabetes" else len(np.unique(y))
    return table(x[train], y[train], x[valid], y[valid], classes=classes, metric=metric)


def mixed(classes: int = 2, rows: int = 240, metric: str = "") -> FitData:
    """Make numbers with gaps, one column without a single value, and categories, of which one is unseen in training."""
    draw = np.random.default_rng(5)
    numbers = draw.normal(size=(rows, 4))
    codes = draw.integers(0, 5, size=rows).astype(float)
    signal = numbers[:, 0] + numbers[:, 1] * (codes == 2) + 0.3 * draw.normal(size=rows)
    numbers[draw.random(numbers.shape) < 0.15] = np.nan
    x = np.column_stack([numbers, np.full(rows, np.nan), np.ones(rows), codes])
    cut = rows * 3 // 4
    x[cut : cut + 3, 6] = 5
    x[cut + 3 : cut + 6, 6] = np.nan
    y = np.digitize(signal, np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])) if classes else 50 + 10 * signal
    features = (*(Feature(f"n{i}") for i in range(6)), Feature("kind", categorical=True, levels=6))
    return table(x[:cut], y[:cut], x[cut:], y[cut:], features=features, classes=classes, metric=metric)


def fitted(
    trainer: Trainer, data: FitData, hyperparameters: Hyperparameters | None = None, rows: int | None = 8
) -> tuple[Model, list[tuple[int, float, float]]]:
    """Fit with the Model Card's default unless told otherwise; end after so many rows of the log (None: never)."""
    logged: list[tuple[int, float, float]] = []

    def emit(step: int, train: float, valid: float) -> bool:
        logged.append((step, train, valid))
        return rows is None or len(logged) < rows

    chosen = card(trainer.name).default() if hyperparameters is None else hyperparameters
    return trainer.fit(data, chosen, emit), logged


def only(data: FitData, rows: Any) -> FitData:
    """Return the data with some of the training rows."""
    weight = None if data.weight is None else data.weight[rows]
    return replace(data, x=data.x[rows], y=data.y[rows], weight=weight)
