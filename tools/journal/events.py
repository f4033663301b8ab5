"""What happens in a run, as typed records. The journal stores them; every state derives from them alone.

An event is written before the effect that it describes is relied on. The journal stores NaN and infinities as strings,
which read back as numbers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.llm_events import (
    BudgetWarned,
    Call,
    ControllerSwitched,
    DecisionAsked,
    LLMAnswered,
    LLMAsked,
    Message,
    Replied,
)
from automl_gpt.tools.journal.record import Record
from automl_gpt.tools.journal.trial_events import (
    LogsCompared,
    RowsLogged,
    ShadowPredicted,
    TrialFinished,
    TrialPredicted,
    TrialProposed,
    TrialStarted,
    TrialWithdrawn,
)
from automl_gpt.tools.journal.wanted import Budget, Limit, Request

__all__ = [
    "EVENT", "Budget", "BudgetWarned", "Call", "ControllerSwitched", "DataProfiled", "DecisionAsked",
    "DecisionRefused", "EnsembleChosen", "Event", "ExperienceFound", "FinishDecided", "Interrupted",
    "LLMAnswered", "LLMAsked", "Limit", "LogsCompared", "Member", "Message", "ModelsAssigned", "Record",
    "Replied", "Request", "RequestChanged", "Resumed", "Revised", "RowsLogged", "RunFinished", "RunStarted",
    "Said", "Scorecard", "ShadowPredicted", "SimilarTrial", "TestLooked", "ToolCalled", "TrainingApproved",
    "TrialFinished", "TrialPredicted", "TrialProposed", "TrialStarted", "TrialWithdrawn", "Warned",
]  # fmt: skip


class RunStarted(Record):
    """A run begins: the cards as they were read, the request, the versions of what computes."""

    kind: Literal["run_started"] = "run_started"
    data_card: DataCard
    card_file: str | None = None
    model_cards: tuple[ModelCard, ...]
    request: Request
    versions: dict[str, str] = Field(default_factory=dict)


class DataProfiled(Record):
    """The data are loaded, checked, split and prepared in `folder` (relative to the run's)."""

    kind: Literal["data_profiled"] = "data_profiled"
    profile: Profile
    metric: str
    seconds: float = 0.0


class SimilarTrial(Record):
    """One finished trial of another run, on data with the fingerprint `fingerprint`.

    `distance` is how far those data are, 0 the same, 1 the farthest that count; `alike` how alike the cards' words are,
    0 to 1, which is part of it. `curve` is the thinned log: steps and validation scores.
    """

    run: str
    data: str
    model: str
    hyperparameters: Hyperparameters
    metric: str
    value: float
    baseline: float | None = None
    best: float | None = None
    seconds: float
    rows: int
    columns: int
    distance: float
    about: str = ""
    fingerprint: str = ""
    alike: float = 0.0
    megabytes: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    source: Literal["own", "imported", "shipped"] = "own"


class ExperienceFound(Record):
    """The snapshot of experience that this run uses."""

    kind: Literal["experience_found"] = "experience_found"
    trials: tuple[SimilarTrial, ...] = ()


class ModelsAssigned(Record):
    """The candidate models, best first, and why."""

    kind: Literal["models_assigned"] = "models_assigned"
    models: tuple[str, ...]
    reason: str
    by: str


class TrainingApproved(Record):
    """Somebody said yes to spending; `always` covers the rest of the run."""

    kind: Literal["training_approved"] = "training_approved"
    by: str
    always: bool = True


class Revised(Record):
    """What a controller made of the logs: go on, change the candidate models, resume a paused trial, or finish."""

    kind: Literal["revised"] = "revised"
    action: Literal["continue", "change_models", "resume_trial", "finish"]
    models: tuple[str, ...] = ()
    trial: int | None = None
    reason: str
    by: str


class FinishDecided(Record):
    """A controller or the budget ended the search; `ensemble` says whether an ensemble may be delivered."""

    kind: Literal["finish_decided"] = "finish_decided"
    ensemble: bool = True
    reason: str
    by: str


class ToolCalled(Record):
    """A controller or a person used a tool of the toolbox; `result` is its JSON, cut to a few thousand characters."""

    kind: Literal["tool_called"] = "tool_called"
    name: str
    arguments: dict[str, Any]
    result: str
    by: str


class DecisionRefused(Record):
    """A decision that did not pass the validator, and why. `last`: somebody else decides now."""

    kind: Literal["decision_refused"] = "decision_refused"
    decision: str
    problem: str
    by: str
    last: bool = False


class Said(Record):
    """Words of the person, and what they were understood as."""

    kind: Literal["said"] = "said"
    text: str
    understood: str = ""


class RequestChanged(Record):
    """The person changed metric, budget, candidate models or controller."""

    kind: Literal["request_changed"] = "request_changed"
    request: Request
    reason: str = ""


class Warned(Record):
    """Something that the person should know."""

    kind: Literal["warned"] = "warned"
    text: str


class Interrupted(Record):
    """The run was left before its end; it can be resumed."""

    kind: Literal["interrupted"] = "interrupted"
    reason: str


class Resumed(Record):
    """The run goes on, in another session; `spent` are the seconds of budget used so far."""

    kind: Literal["resumed"] = "resumed"
    spent: float


class Member(Record):
    """One model of the delivered ensemble."""

    trial: int
    weight: float


class EnsembleChosen(Record):
    """The models that are delivered, with their weights, and their validation score beside the best single one's.

    `decision_weights` are factors on the classes' probabilities before a label is said; empty: the likeliest class.
    `whole` are the trials whose configuration was fitted on all training rows too, which has a part in the prediction.
    """

    kind: Literal["ensemble_chosen"] = "ensemble_chosen"
    members: tuple[Member, ...]
    value: float
    best_single: float
    reason: str
    by: str
    decision_weights: tuple[float, ...] = ()
    whole: tuple[int, ...] = ()


class TestLooked(Record):
    """The look at the test split. `look` counts the looks at this split over all runs, from 1."""

    __test__ = False
    kind: Literal["test_looked"] = "test_looked"
    value: float | None
    low: float | None
    high: float | None
    rows: int
    look: int
    others: dict[str, float] = Field(default_factory=dict)


class Scorecard(Record):
    """What the pre-training forecasts of a run were worth: figures from one trial on, a verdict from ten on.

    `baseline_mae` is the error of the plain guess "as good as the mean of the trials so far". The `shadow_` figures are
    those of the built-in forecasts of the trials that a language model predicted.
    """

    trials: int
    mae: float | None = None
    coverage: float | None = None
    interval_score: float | None = None
    rank_correlation: float | None = None
    baseline_mae: float | None = None
    verdict: str = ""
    shadow_trials: int = 0
    shadow_mae: float | None = None
    shadow_coverage: float | None = None
    shadow_rank_correlation: float | None = None


class RunFinished(Record):
    """The end: the delivered model."""

    kind: Literal["run_finished"] = "run_finished"
    status: Literal["finished", "budget", "stopped", "no_trials"]
    model: str
    hyperparameters: Hyperparameters
    valid: float | None
    test: float | None
    trials: int
    seconds: float
    scorecard: Scorecard
    artifact: str | None
    report: str | None
    reason: str = ""
    by: str = "builtin"


Event = (
    RunStarted
    | DataProfiled
    | ExperienceFound
    | ModelsAssigned
    | TrialProposed
    | TrialPredicted
    | ShadowPredicted
    | TrainingApproved
    | TrialStarted
    | RowsLogged
    | TrialFinished
    | LogsCompared
    | Revised
    | FinishDecided
    | ToolCalled
    | DecisionRefused
    | DecisionAsked
    | LLMAsked
    | LLMAnswered
    | ControllerSwitched
    | BudgetWarned
    | Replied
    | Said
    | RequestChanged
    | TrialWithdrawn
    | Warned
    | Interrupted
    | Resumed
    | EnsembleChosen
    | TestLooked
    | RunFinished
)
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
"""Reads an event from JSON: `EVENT.validate_json(text)`."""
