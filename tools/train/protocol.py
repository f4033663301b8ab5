"""What a trainer is: `fit(data, hyperparameters, emit)`, and a folder that `predict` loads with no other state.

A trainer never sees test rows, files of the run, or the journal: it gets arrays, and hands out rows of its log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters, Task
from automl_gpt.tools.log import Metric

Matrix = NDArray[np.float32]
"""Rows x columns; NaN where a value is missing; a category is its code, counted from 0 by falling frequency."""
Inputs = Any
"""What a model is fitted on: a `Matrix` (tables), or `automl_gpt.tools.corpus.examples.Examples` (texts, pictures)."""
Target = NDArray[Any]
"""int32 class codes from 0 (classification), float64 values (regression), or an object array of records: the correct
answers of the other tasks, as `automl_gpt.tools.corpus.examples` describes them."""
Prediction = NDArray[Any]
"""float64 probabilities of shape (rows, classes), float64 values (rows,) in the target's own unit, or an object array
of records: the answers of the other tasks."""

TaskKind = Literal[
    "binary", "multiclass", "regression", "token-classification", "detection", "question-answering", "text-generation",
    "retrieval",
]  # fmt: skip
ANSWER_TASKS: tuple[TaskKind, ...] = (
    "token-classification", "detection", "question-answering", "text-generation", "retrieval",
)  # fmt: skip
"""Tasks whose targets and predictions are records rather than numbers."""


def task_of(kind: TaskKind) -> Task:
    """Return the task that cards name for a kind of task."""
    return "classification" if kind in ("binary", "multiclass") else kind


class Emit(Protocol):
    """Hands out rows of the log."""

    def __call__(
        self,
        step: int,
        train: float,
        valid: float,
        more: Mapping[str, float] | None = None,
        seconds: float | None = None,
    ) -> bool:
        """Hand out one row: the run's metric on training and validation rows; answer whether to go on.

        NaN where a score was not measured. `more` may hold train_loss, valid_loss, per_second and megabytes. `seconds`
        is the time of a row that an earlier, lost attempt at the trial logged. After False the trainer ends at once and
        returns the best model that it has so far.
        """
        ...


@dataclass(frozen=True)
class Feature:
    """One column of the matrix: its name, whether its values are category codes, and how many there are."""

    name: str
    categorical: bool = False
    levels: int = 0


@dataclass(frozen=True)
class FitData:
    """All that a trainer may see: training rows, validation rows, what the columns are, and what it may use.

    `weight` is one weight per training row or None; `classes` is the number of classes (0 where there are none): every
    prediction has one column for each, also for a class that these training rows lack; `labels` are their names.
    `score(y, prediction, weight)` computes the run's metric. `deadline` is a `time.monotonic()` after which `emit`
    answers False. `memory` are the bytes that the process may hold. In `scratch` a trainer may keep checkpoints: what
    lies there survives a kill, and is gone once the fit is saved. `source` are the Model Card's weights, a path or a
    hub id. `passages` is what retrieval searches. `rows_after` are the rows that the model will
    have to predict after the deadline, for which it leaves time. `tell(text)` says something to the person.
    """

    x: Inputs
    y: Target
    weight: NDArray[np.float64] | None
    x_valid: Inputs
    y_valid: Target
    weight_valid: NDArray[np.float64] | None
    features: tuple[Feature, ...]
    task: TaskKind
    classes: int
    metric: Metric
    score: Callable[[Target, Prediction, NDArray[np.float64] | None], float]
    threads: int = 1
    seed: int = 0
    device: str = "cpu"
    labels: tuple[str, ...] = ()
    deadline: float | None = None
    memory: float | None = None
    scratch: Path | None = None
    source: str | None = None
    rows_after: int = 0
    passages: Inputs = None
    tell: Callable[[str], None] = field(default=lambda _: None)

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical columns."""
        return [i for i, f in enumerate(self.features) if f.categorical]

    def score_valid(self, prediction: Prediction) -> float:
        """Score a prediction for the validation rows."""
        return self.score(self.y_valid, prediction, self.weight_valid)

    def score_train(self, prediction: Prediction, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """Score a prediction for some of the training rows."""
        return self.score(self.y[rows], prediction, None if self.weight is None else self.weight[rows])

    def balanced(self) -> FitData:
        """Return the same data with weights that give every class that is present the same total."""
        counts = np.bincount(self.y, minlength=self.classes).astype(np.float64)
        share = len(self.y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        weight = share[self.y] if self.weight is None else self.weight * share[self.y]
        return replace(self, weight=weight)


class Model(Protocol):
    """What a fit returns: it predicts, and saves itself as files that hold no code (never a pickle)."""

    best_step: int
    """The step whose model this is (the best one where the trainer stops early)."""

    def predict(self, x: Inputs) -> Prediction:
        """Predict rows of the fitted layout."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into an empty folder."""
        ...


class Trainer(Protocol):
    """One way to fit models. `name` is what Model Cards call it."""

    name: str
    step_name: str
    """What a step counts: round, trees, epoch, iteration, rows."""
    package: str
    """The import name of the library that does the work."""
    reads: frozenset[str]
    """The hyperparameters that `fit` reads: exactly those of its Model Card's search space."""

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> Model:
        """Fit one model, calling `emit` at least once. Same data, hyperparameters, seed and threads: same model."""
        ...

    def load(self, folder: Path) -> Model:
        """Read a model that `Model.save` wrote; only its `predict` will be used."""
        ...
