"""The state of a run, derived from its events alone: the same for the loop, the screen and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.distance import FARTHEST
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import limited
from automl_gpt.tools.log import Gap, Metric, Row, TrainingLog

TrialStatus = Literal[
    "proposed", "predicted", "running", "finished", "stopped", "pruned", "failed", "out_of_memory", "out_of_time",
    "skipped", "withdrawn",
]  # fmt: skip
TRIVIAL = "baseline"
"""The name of the trivial Model Card (majority or mean) that every run trains first."""


@dataclass
class Trial:
    """One configuration, trained once: its proposal, its prediction, its rows, its end, its gap."""

    proposal: e.TrialProposed
    metric: Metric
    prediction: e.TrialPredicted | None = None
    shadow: e.ShadowPredicted | None = None
    rows: list[Row] = field(default_factory=list)
    started: e.TrialStarted | None = None
    end: e.TrialFinished | None = None
    gap: Gap | None = None
    withdrawn: bool = False
    resumed: bool = False
    """Whether it was ended early and goes on, or went on, from its checkpoint."""

    @property
    def number(self) -> int:
        """The trial's number within its run, from 1."""
        return self.proposal.trial

    @property
    def model(self) -> str:
        """The name of its Model Card."""
        return self.proposal.model

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Its configuration."""
        return self.proposal.hyperparameters

    @property
    def status(self) -> TrialStatus:
        """Where it stands."""
        if self.withdrawn:
            return "withdrawn"
        if self.end is not None:
            return self.end.status if self.end.status != "running" else "failed"
        if self.started is not None:
            return "running"
        if self.prediction is None:
            return "proposed"
        return "predicted" if self.prediction.train else "skipped"

    @property
    def value(self) -> float | None:
        """Its validation score, the mean over its finished folds; None before the first."""
        return self.end.value if self.end else None

    @property
    def complete(self) -> bool:
        """Whether all folds were trained and a usable model was saved."""
        return self.end is not None and self.end.complete

    @property
    def whole(self) -> bool:
        """Whether all folds were trained to their ends, so that its score is what its configuration comes to."""
        return self.end is not None and self.end.complete and not self.end.cut

    @property
    def log(self) -> TrainingLog:
        """Its actual log so far."""
        return TrainingLog(
            origin="actual", metric=self.metric.name, direction=self.metric.direction, rows=tuple(self.rows)
        )


@dataclass
class RunState:
    """All that happened in a run, folded from its events in order."""

    run: str
    started: e.RunStarted
    request: e.Request
    profile: Profile | None = None
    metric: Metric | None = None
    experience: tuple[e.SimilarTrial, ...] | None = None
    far_experience: tuple[e.SimilarTrial, ...] = ()
    assigned: tuple[str, ...] = ()
    trials: dict[int, Trial] = field(default_factory=dict)
    approved: bool = False
    revisions: list[e.Revised] = field(default_factory=list)
    assignments: list[e.ModelsAssigned] = field(default_factory=list)
    tool_calls: list[e.ToolCalled] = field(default_factory=list)
    refused: list[e.DecisionRefused] = field(default_factory=list)
    said: list[e.Said] = field(default_factory=list)
    dialogue: list[e.Said | e.Replied] = field(default_factory=list)
    asked: dict[int, e.LLMAsked] = field(default_factory=dict)
    answered: dict[int, e.LLMAnswered] = field(default_factory=dict)
    switches: list[e.ControllerSwitched] = field(default_factory=list)
    budget_warned: set[tuple[str, float]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    finishing: e.FinishDecided | None = None
    ensemble: e.EnsembleChosen | None = None
    test: e.TestLooked | None = None
    finished: e.RunFinished | None = None
    interrupted: bool = False
    spent: float = 0.0
    memo: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False, compare=False)
    """What was computed from the experience alone, by whom it is for: no fact, and empty again where that changes."""
    _narrowed: tuple[tuple[e.Limit, ...], dict[str, ModelCard]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def model_cards(self) -> dict[str, ModelCard]:
        """The candidate Model Cards by name, narrowed to what the request allows of their hyperparameters."""
        limits = self.request.limits
        if self._narrowed is None or self._narrowed[0] is not limits:
            self._narrowed = limits, limited(self.started.model_cards, limits)
        return self._narrowed[1]

    @property
    def data_card(self) -> DataCard:
        """The Data Card, as it was read."""
        return self.started.data_card

    def need_metric(self) -> Metric:
        """Return the metric; only valid once the data are profiled."""
        assert self.metric is not None, "the data are not profiled yet"
        return self.metric

    def need_profile(self) -> Profile:
        """Return the profile; only valid once the data are profiled."""
        assert self.profile is not None, "the data are not profiled yet"
        return self.profile

    def done(self) -> list[Trial]:
        """Return the trials that ended with a score, in the order of their numbers."""
        return [t for t in self.ordered() if t.end is not None and t.value is not None and t.value == t.value]

    def ordered(self) -> list[Trial]:
        """Return all trials in the order of their numbers."""
        return [self.trials[n] for n in sorted(self.trials)]

    def waiting(self) -> list[Trial]:
        """Return the trials that are predicted, worth training, and neither running nor ended."""
        return [t for t in self.ordered() if t.status == "predicted"]

    def running(self) -> list[Trial]:
        """Return the trials whose process was started and has not ended, as far as the events tell."""
        return [t for t in self.ordered() if t.status == "running"]

    def best(self) -> Trial | None:
        """Return the complete trial with the best validation score; the earlier one where two are equal."""
        best: Trial | None = None
        for trial in self.done():
            if trial.complete and (best is None or self.need_metric().better(trial.value or 0.0, best.value or 0.0)):
                best = trial
        return best

    def baseline(self) -> Trial | None:
        """Return the trivial baseline's trial, once it ended with a score."""
        return next((t for t in self.done() if t.model == TRIVIAL), None)

    def apply(self, event: e.Event) -> None:
        """Fold one event in."""
        fold_in = getattr(self, f"_{event.kind}", None)
        if fold_in is not None:
            fold_in(event)

    def _data_profiled(self, event: e.DataProfiled) -> None:
        self.profile, self.metric = event.profile, METRICS[event.metric]

    def _experience_found(self, event: e.ExperienceFound) -> None:
        self.experience = tuple(t for t in event.trials if t.distance < FARTHEST)
        self.far_experience = tuple(t for t in event.trials if t.distance >= FARTHEST)
        self.memo.clear()

    def _models_assigned(self, event: e.ModelsAssigned) -> None:
        self.assigned = event.models
        self.assignments.append(event)

    def _trial_proposed(self, event: e.TrialProposed) -> None:
        self.trials[event.trial] = Trial(event, self.need_metric())

    def _trial_predicted(self, event: e.TrialPredicted) -> None:
        self.trials[event.trial].prediction = event

    def _training_approved(self, event: e.TrainingApproved) -> None:
        self.approved = self.approved or event.always

    def _trial_started(self, event: e.TrialStarted) -> None:
        trial = self.trials[event.trial]
        trial.started, trial.rows = event, []
        self.spent = max(self.spent, event.at_seconds)

    def _rows_logged(self, event: e.RowsLogged) -> None:
        self.trials[event.trial].rows.extend(event.rows)

    def _trial_finished(self, event: e.TrialFinished) -> None:
        self.trials[event.trial].end = event
        self.spent = max(self.spent, event.at_seconds)

    def _logs_compared(self, event: e.LogsCompared) -> None:
        self.trials[event.trial].gap = event.gap

    def _revised(self, event: e.Revised) -> None:
        self.revisions.append(event)
        if event.action == "change_models":
            self.assigned = event.models
        if event.trial is not None:
            trial = self.trials[event.trial]
            trial.started, trial.end, trial.gap, trial.resumed = None, None, None, True

    def _finish_decided(self, event: e.FinishDecided) -> None:
        self.finishing = event

    def _tool_called(self, event: e.ToolCalled) -> None:
        self.tool_calls.append(event)

    def _decision_refused(self, event: e.DecisionRefused) -> None:
        self.refused.append(event)

    def _said(self, event: e.Said) -> None:
        self.said.append(event)
        self.dialogue.append(event)

    def _replied(self, event: e.Replied) -> None:
        self.dialogue.append(event)

    def _shadow_predicted(self, event: e.ShadowPredicted) -> None:
        self.trials[event.trial].shadow = event

    def _llm_asked(self, event: e.LLMAsked) -> None:
        self.asked[event.call] = event

    def _llm_answered(self, event: e.LLMAnswered) -> None:
        self.answered[event.call] = event

    def _controller_switched(self, event: e.ControllerSwitched) -> None:
        self.switches.append(event)

    def _budget_warned(self, event: e.BudgetWarned) -> None:
        self.budget_warned.add((event.what, event.share))

    def _request_changed(self, event: e.RequestChanged) -> None:
        self.request = event.request

    def _trial_withdrawn(self, event: e.TrialWithdrawn) -> None:
        self.trials[event.trial].withdrawn = True

    def _warned(self, event: e.Warned) -> None:
        self.warnings.append(event.text)

    def _interrupted(self, _event: e.Interrupted) -> None:
        self.interrupted = True
        self._give_up_running()

    def _resumed(self, event: e.Resumed) -> None:
        self.interrupted, self.spent = False, max(self.spent, event.spent)
        self._give_up_running()

    def _give_up_running(self) -> None:
        """Trials that trained when a session ended are lost: they wait again, and will be repeated."""
        for trial in self.running():
            trial.started, trial.rows = None, []

    def _ensemble_chosen(self, event: e.EnsembleChosen) -> None:
        self.ensemble = event

    def _test_looked(self, event: e.TestLooked) -> None:
        self.test = event

    def _run_finished(self, event: e.RunFinished) -> None:
        self.finished, self.interrupted = event, False


def fold(run: str, events: Iterable[e.Event]) -> RunState:
    """Derive the state of a run from all its events; the first one must be its start."""
    stream = iter(events)
    first = next(stream)
    assert isinstance(first, e.RunStarted), f"run {run} does not begin with its start"
    state = RunState(run, first, first.request)
    for event in stream:
        state.apply(event)
    return state
