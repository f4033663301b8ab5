"""What a trial's process is told, and what it says: plain records that cross the process boundary as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.log import Status
from automl_gpt.tools.tune.forecasts.stopping import StopRule


class Job(BaseModel):
    """One trial to train: where its data lie, what to fit, within which limits, and where to leave the models.

    `deadline` is a `time.monotonic()` of this machine, or None. `device` is "cpu", "cuda" or "mps". `memory` are the
    bytes that the process may hold; `source` are the Model Card's weights. `rows_after` are the
    rows that the model will have to predict once trials have ended, where their cost is not known yet.
    """

    model_config = ConfigDict(frozen=True)
    trial: int
    model: str
    trainer: str
    hyperparameters: Hyperparameters
    data: str
    out: str
    metric: str
    seed: int
    threads: int = 1
    device: str = "cpu"
    deadline: float | None = None
    memory: float | None = None
    source: str | None = None
    rows_after: int = 0
    rule: StopRule


class Outcome(BaseModel):
    """How a trial's process ended by itself.

    `folds` are the best validation scores of the folds that were trained, `best_steps` the steps at which they were
    reached. `complete`: all folds were, so the folder holds out-of-fold predictions too. `predict_seconds` is per row,
    for all folds together. `cut`: the last fold was ended amid its curve, by the rule, the clock or the
    person. `paused`: the fit was ended early and left a checkpoint from which it can go on.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")
    status: Status
    folds: tuple[float | None, ...]
    best_steps: tuple[int, ...]
    complete: bool
    seconds: float
    predict_seconds: float | None
    megabytes: float
    disk_megabytes: float
    reason: str = ""
    paused: bool = False
    cut: bool = False

    @property
    def value(self) -> float | None:
        """The mean of the folds' scores; None where there is none or one of them has no value."""
        scores = [score for score in self.folds if score is not None]
        return sum(scores) / len(scores) if scores and len(scores) == len(self.folds) else None
