"""The life of a trial, as events: proposed, predicted, started, logged, finished, compared, withdrawn."""

from __future__ import annotations

from typing import Literal

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal.record import Record
from automl_gpt.tools.log import Gap, Row, Status, TrainingLog


class TrialProposed(Record):
    """A configuration that may be trained. Trial numbers count from 1 within the run."""

    kind: Literal["trial_proposed"] = "trial_proposed"
    trial: int
    model: str
    hyperparameters: Hyperparameters
    reason: str
    by: str
    seed: int


class TrialPredicted(Record):
    """What the trial's log will be, written down before it trains; and whether it is worth training.

    `value` with `low` and `high` (80%) is the best validation score. `audit` marks a trial that was predicted to be
    hopeless and is trained all the same, to measure what skipping costs.
    """

    kind: Literal["trial_predicted"] = "trial_predicted"
    trial: int
    log: TrainingLog
    value: float | None
    low: float | None
    high: float | None
    seconds: float
    megabytes: float
    train: bool
    audit: bool = False
    reason: str
    by: str


class ShadowPredicted(Record):
    """What the built-in forecast says of a trial that a language model predicted: to compare the two.

    It is never shown to the model.
    Fields as in TrialPredicted.
    """

    kind: Literal["shadow_predicted"] = "shadow_predicted"
    trial: int
    log: TrainingLog
    value: float | None
    low: float | None
    high: float | None
    seconds: float


class TrialStarted(Record):
    """A trial's process is about to be started. A second one for the same trial means that the first was lost."""

    kind: Literal["trial_started"] = "trial_started"
    trial: int
    worker: int
    at_seconds: float


class RowsLogged(Record):
    """A chunk of the actual log."""

    kind: Literal["rows_logged"] = "rows_logged"
    trial: int
    rows: tuple[Row, ...]


class TrialFinished(Record):
    """A trial ended: how, and with what.

    `value` is the mean over the finished folds of the best validation score, `folds` those scores in order. `complete`
    says that every fold was trained, so that its out-of-fold predictions can join an ensemble. `artifact` is its
    folder, relative to the run's. `predict_seconds` is per row, by all its folds, with
    `threads`. `cut`: its last fold was ended amid its curve, by the stop rule, the clock or the person. `paused`: it
    left a checkpoint from which it can go on.
    """

    kind: Literal["trial_finished"] = "trial_finished"
    trial: int
    status: Status
    value: float | None = None
    folds: tuple[float, ...] = ()
    best_steps: tuple[int, ...] = ()
    complete: bool = False
    seconds: float = 0.0
    megabytes: float = 0.0
    predict_seconds: float | None = None
    threads: int = 1
    disk_megabytes: float | None = None
    reason: str = ""
    artifact: str | None = None
    at_seconds: float = 0.0
    paused: bool = False
    cut: bool = False


class LogsCompared(Record):
    """Predicted against actual of one trial."""

    kind: Literal["logs_compared"] = "logs_compared"
    trial: int
    gap: Gap


class TrialWithdrawn(Record):
    """The person took back a proposal that was not trained yet (/undo)."""

    kind: Literal["trial_withdrawn"] = "trial_withdrawn"
    trial: int
