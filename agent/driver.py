"""One run being driven: its lease, its clock, its processes, from the first event to the last."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator, Iterator
from importlib import metadata
from pathlib import Path

from automl_gpt.agent.builtin import BuiltinController
from automl_gpt.agent.clock import Clock
from automl_gpt.agent.controller import Loop
from automl_gpt.agent.decisions import Controller, NoDecision, Step
from automl_gpt.agent.finish import Finisher
from automl_gpt.agent.llm.connect import connect
from automl_gpt.agent.llm.controller import LLMController
from automl_gpt.agent.llm.line import Line, Listener
from automl_gpt.cards.errors import BudgetError, UserError
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.experience.recall import Question, recall
from automl_gpt.tools.experience.record import of_data
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.derive import about_data
from automl_gpt.tools.journal.lease import acquire
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.process.machine import cores

CONTROLLERS: dict[str, type[Controller]] = {"builtin": BuiltinController}
"""Who can decide without a language model, by name."""
VERSIONS = (
    "automl-gpt",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "torch",
    "transformers",
    "datasets",
    "scikit-learn",
    "optuna",
    "numpy",
    "pandas",
    "pyarrow",
)


class Driver:
    """Holds a run (UserError where another session does) and drives it. `base`: the card's paths are relative to it.

    `head_start` are seconds of the budget that were used before this object was made.
    """

    def __init__(
        self,
        live: LiveRun,
        server: Server,
        base: Path | None,
        head_start: float = 0.0,
        listener: Listener | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> None:
        self.live, self.state, self.server, self._base = live, live.state, server, base
        self._listener = listener
        self._lease = acquire(live.journal, live.state.run) if live.state.finished is None else None
        self.clock = Clock(self.state.request.budget, self.state.spent, head_start)
        self._builtin = BuiltinController()
        self._loop = Loop(live, self._controller(), self._builtin, server, self.clock)
        self._loop.on_idle = on_idle
        self._stopped_by: str | None = None

    def _controller(self) -> Controller:
        name = self.state.request.controller
        if name == self._builtin.name:
            return self._builtin
        if name in CONTROLLERS:
            return CONTROLLERS[name]()
        return LLMController(name, lambda: connect(name, self.live, self.clock, self._listener))

    def use_controller(self, anew: bool = False) -> None:
        """Let the controller that the request names now decide from here on; `anew`: as if it had never failed."""
        if anew or self._loop.asking.controller.name != self.state.request.controller:
            self._loop.asking.controller = self._controller()
        elif (line := self.plugged()) is not None:
            line.breaker.close()

    def line(self) -> Generator[Step, None, Line]:
        """Return the line to the language model; NoDecision where the controller is none, or can't be plugged in."""
        controller = self._loop.asking.controller
        if not isinstance(controller, LLMController):
            raise NoDecision
        return (yield from controller.line())

    def plugged(self) -> Line | None:
        """Return the line to the language model, if it is there already."""
        controller = self._loop.asking.controller
        return controller.plugged() if isinstance(controller, LLMController) else None

    def predict(self) -> Iterator[e.Event]:
        """Predict the logs of proposals that have none."""
        self._loop.stop.clear()
        return self._loop.predict()

    def release(self) -> None:
        """Give the run back."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def profile(self) -> Iterator[e.Event]:
        """Prepare the run's data and recall experience, unless that is done."""
        if self.state.profile is None:
            yield from self._prepare()
        if self.state.experience is None:
            yield from self._remember()

    def plan(self) -> Iterator[e.Event]:
        """Decide up to the next training, without training."""
        self._loop.stop.clear()
        yield from self.profile()
        if self.state.finishing is None:
            yield from self._loop.plan()

    def drive(self) -> Iterator[e.Event]:
        """Drive the approved run to its end; BudgetError where no trial finished. Closing the stream stops the run."""
        self._stopped_by = None
        self._loop.stop.clear()
        self.clock.go_on()
        try:
            yield from self.profile()
            if not self.state.approved:
                raise UserError("the training is not approved")
            if self.state.finishing is None:
                yield from self._loop.search()
            if self._stopped_by is None:
                yield from Finisher(self._loop).finish()
        finally:
            if self.state.finished is None:
                self.live.record(e.Interrupted(reason=self._stopped_by or "the session ended"))
            else:
                self.release()
        if self.state.finished is not None and self.state.finished.status == "no_trials":
            raise BudgetError(self.state.finished.reason)

    def stop(self, reason: str) -> None:
        """Let `drive` end soon: the trials that train are given up and will be repeated."""
        self._stopped_by = reason
        self._loop.stop.set()

    def _prepare(self) -> Iterator[e.Event]:
        request, card = self.state.request, self.state.data_card
        seconds = request.budget.seconds
        arguments = {
            "card": card.model_dump(mode="json"),
            "base": str(self._base) if self._base else None,
            "folder": str(self.live.folder / "data"),
            "core_seconds": None if seconds is None else seconds * (request.workers or cores()),
        }
        preparing = self.server.submit("prepare", arguments)
        if card.modality != "tabular":
            self.server.preload_networks()
        profile = Profile.model_validate(self.server.result(preparing))
        metric = metric_for(request.metric or card.metric, profile.task, profile.modality)
        yield from self.live.record(e.DataProfiled(profile=profile, metric=metric.name, seconds=self.clock.elapsed()))

    def _remember(self) -> Iterator[e.Event]:
        wanted = self.state.request.experience
        near = [] if wanted == "none" else recall(self.live.journal, self._question(), with_shipped=wanted == "all")
        yield from self.live.record(e.ExperienceFound(trials=tuple(near)))

    def _question(self) -> Question:
        card, profile = self.state.data_card, self.state.need_profile()
        text = of_data(card.name, card.description)
        about = about_data(self.state.started, profile)
        return Question(profile.fingerprint, profile.task, self.state.need_metric().name, profile.meta, text, about)


def take_up(live: LiveRun) -> None:
    """Note in the journal that an interrupted run goes on, and compare what ended just before the interruption."""
    live.record(e.Resumed(spent=live.state.spent))
    for trial in live.state.ordered():
        found = gap(trial.prediction, trial) if trial.prediction and trial.end and trial.gap is None else None
        if found is not None:
            live.record(e.LogsCompared(trial=trial.number, gap=found))


def versions() -> dict[str, str]:
    """Return the versions of what computes, as a run's first event notes them."""
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
