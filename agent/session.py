"""Session: the Python API; what `run` and the chat are made of. One person's session with one run at a time."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from automl_gpt.agent.builtin import BuiltinController
from automl_gpt.agent.clock import Clock
from automl_gpt.agent.controller import Loop, eligible
from automl_gpt.agent.decisions import Controller, Decision, Situation
from automl_gpt.agent.finish import Finisher
from automl_gpt.agent.prompts import paragraph
from automl_gpt.cards.errors import BudgetError, UserError
from automl_gpt.cards.library import find_card, model_cards
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.data.card import draft_card
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.deliver.predict import Predicted, predict_file
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.evaluate.report import write_report
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.lease import Lease, acquire
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.tune.experience import similar

CARD_ENDINGS = (".yaml", ".yml")
CONTROLLERS: dict[str, type[Controller]] = {"builtin": BuiltinController}
EXPERIENCE_LIMIT = 200
VERSIONS = ("automl-gpt", "lightgbm", "xgboost", "xgboost-cpu", "scikit-learn", "optuna", "numpy", "pandas", "pyarrow")


class Session:
    """Reads cards, drives a run, predicts and reports. `head_start` are seconds already used before it was made."""

    def __init__(self, journal: Journal, request: e.Request | None = None, head_start: float = 0.0) -> None:
        self.journal = journal
        self.request = request or e.Request()
        self.data_card: DataCard | None = None
        self.card_file: Path | None = None
        self.model_cards: list[ModelCard] = []
        self.live: LiveRun | None = None
        self._base: Path | None = None
        self._head_start = head_start
        self._server: Server | None = None
        self._lease: Lease | None = None
        self._clock: Clock | None = None
        self._loop: Loop | None = None
        self._stopping = False

    @property
    def state(self) -> RunState | None:
        """The state of the current run; None before one."""
        return self.live.state if self.live else None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes and give the run back; the journal stays open."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def warm_up(self) -> None:
        """Start the worker server now, so that it has imported its libraries by the time it is needed."""
        if self._server is None:
            self._server = Server()

    # -------------------------------------------------------------------------------------------------------- cards

    def read(self, name: str) -> DataCard | ModelCard:
        """Read a card by path or name, or draft a Data Card for a data file; it counts for the next run."""
        path = Path(name).expanduser()
        if path.is_file() and path.suffix.lower() not in CARD_ENDINGS:
            return self.draft(path, None)
        card, file = find_card(name, self.journal.folder / "cards")
        if isinstance(card, ModelCard):
            self.model_cards = [*[c for c in self.model_cards if c.name != card.name], card]
        else:
            self._take(card, file, file.parent)
        return card

    def draft(self, file: Path, target: str | None) -> DataCard:
        """Draft a Data Card for a data file; UserError where the file or the target is wrong."""
        card = parse_data_card(draft_card(file, target))
        self._take(card, None, file.resolve().parent)
        return card

    def paste(self, text: str) -> DataCard:
        """Take a Data Card from text; paths in it are relative to the working folder."""
        card = parse_data_card(text)
        self._take(card, None, Path.cwd())
        return card

    def _take(self, card: DataCard, file: Path | None, base: Path) -> None:
        self._leave()
        self.data_card, self.card_file, self._base = card, file, base

    def _leave(self) -> None:
        """Leave the current run, so that what comes next is a new one."""
        if self._lease is not None:
            self._lease.release()
        self._lease = self._loop = self._clock = self.live = None

    def candidates(self) -> list[ModelCard]:
        """Return the next run's Model Cards: shipped, from the person's folder, named ones; of one name the latter."""
        cards = {card.name: card for card in model_cards(self.journal.folder / "cards").values()}
        cards.update({card.name: card for card in self.model_cards})
        return list(cards.values())

    # ---------------------------------------------------------------------------------------------------- the request

    def change(self, **fields: Any) -> None:
        """Change metric, budget, models or controller of the request; UserError where it does not fit."""
        wanted = self.request.model_copy(update=fields)
        if wanted.controller not in CONTROLLERS:
            raise UserError(f"controller {wanted.controller!r} is unknown; there is: {', '.join(CONTROLLERS)}")
        names = {card.name for card in self.candidates()} - {TRIVIAL}
        for name in wanted.models:
            if name not in names:
                raise UserError(f"there is no model {name!r}; there are: {', '.join(sorted(names))}")
        self._check_metric(wanted)
        if self.state is not None and self.state.finished is None:
            self._record(e.RequestChanged(request=wanted))
            if self._clock is not None:
                self._clock.total = wanted.budget.seconds
            self._limit_models()
        self.request = wanted

    def _check_metric(self, wanted: e.Request) -> None:
        profile = self.state.profile if self.state else None
        if wanted.metric is None or profile is None:
            if wanted.metric is not None:
                _known_metric(wanted.metric)
            return
        metric = metric_for(wanted.metric, profile.task)
        if self.state is not None and self.state.metric is not None and metric.name != self.state.metric.name:
            if self.state.done():
                raise UserError("trials are scored already: start anew with /data to use another metric")
            self._record(e.DataProfiled(profile=profile, metric=metric.name))

    def _limit_models(self) -> None:
        state = self.state
        if state is None or not state.assigned or not state.request.models:
            return
        allowed = eligible(state)
        self._record(e.ModelsAssigned(models=allowed, reason="the person's wish", by="person"))
        for trial in state.ordered():
            if trial.status in ("proposed", "predicted") and trial.model not in (*allowed, TRIVIAL):
                self._record(e.TrialWithdrawn(trial=trial.number))

    def undo(self) -> str:
        """Take back the proposals that are not trained yet; UserError where there are none."""
        waiting = [t for t in self.state.ordered() if t.status in ("proposed", "predicted")] if self.state else []
        if not waiting:
            raise UserError("there is nothing to take back: no proposal waits for its training")
        for trial in waiting:
            self._record(e.TrialWithdrawn(trial=trial.number))
        return "took back " + ", ".join(f"trial {t.number} ({t.model})" for t in waiting)

    def said(self, text: str, understood: str) -> None:
        """Note the person's words in the run; later paragraphs carry them."""
        if self.state is not None and self.state.finished is None:
            self._record(e.Said(text=text, understood=understood))

    # ------------------------------------------------------------------------------------------------------- the run

    def profile(self) -> Iterator[e.Event]:
        """Begin the run, unless it is begun, and prepare its data, unless they are."""
        if self.state is None:
            yield self._begin()
        state = self.need_state()
        self._hold(state)
        if state.profile is None:
            yield from self._prepare(state)
        if state.experience is None:
            yield from self._remember(state)

    def plan(self) -> Iterator[e.Event]:
        """Decide up to the next training, without training."""
        yield from self.profile()
        if self.need_state().finishing is None:
            yield from self._need_loop().plan()

    def approve(self, by: str = "person") -> None:
        """Say yes to the training of this run."""
        if not self.need_state().approved:
            self._record(e.TrainingApproved(by=by))

    def wait_for_person(self) -> None:
        """Stop the run's clock while a person is asked; it goes on with `drive`."""
        if self._clock is not None:
            self._clock.pause()

    def drive(self) -> Iterator[e.Event]:
        """Drive the approved run to its end; BudgetError where no trial finished. Closing the stream stops the run."""
        self._stopping = False
        if self._clock is not None:
            self._clock.go_on()
        ended = False
        try:
            yield from self.plan()
            loop, state = self._need_loop(), self.need_state()
            if not state.approved:
                raise UserError("the training is not approved")
            finisher = Finisher(loop)
            if state.finishing is None:
                yield from loop.search()
            if not self._stopping:
                yield from finisher.finish()
                ended = True
        finally:
            if not ended and self.state is not None and self.state.finished is None:
                self._record(e.Interrupted(reason="left by the person" if self._stopping else "the session ended"))
            if ended and self._lease is not None:
                self._lease.release()
                self._lease = None
        if ended and self.state is not None and self.state.finished and self.state.finished.status == "no_trials":
            raise BudgetError(self.state.finished.reason)

    def stop(self, reason: str = "") -> None:
        """Let `drive` end soon: the trials that train are given up and will be repeated at a resume."""
        del reason
        self._stopping = True
        if self._loop is not None:
            self._loop.stop.set()

    def resume(self, run: str) -> RunState:
        """Take over a run of the journal; UserError where it is finished or driven by another session."""
        name = self.journal.find(run)
        state = self.journal.state(name)
        self._leave()
        self.live, self.request = LiveRun(self.journal, state), state.request
        self.data_card, self.card_file = (
            state.data_card,
            Path(state.started.card_file) if state.started.card_file else None,
        )
        self._base = self.card_file.parent if self.card_file else Path.cwd()
        if state.finished is not None:
            return state
        self._hold(state)
        self._record(e.Resumed(spent=state.spent))
        for trial in state.ordered():
            found = gap(trial.prediction, trial) if trial.prediction and trial.end and trial.gap is None else None
            if found is not None:
                self._record(e.LogsCompared(trial=trial.number, gap=found))
        return state

    def elapsed(self) -> float:
        """Return the seconds that the current run has used."""
        if self._clock is None:
            return self.state.spent if self.state else 0.0
        return self._clock.elapsed()

    def seconds_left(self) -> float | None:
        """Return the seconds of the budget that are left; None without a limit."""
        return self._clock.left() if self._clock else self.request.budget.seconds

    def paragraph(self, decision: Decision | None = None) -> str:
        """Return the exact text that a controller reads for a decision, by default the next one."""
        state = self.need_state()
        if state.profile is None:
            raise UserError("the data are not profiled yet: /plan or /go does it")
        default: Decision = "assign_model" if not state.assigned else "propose_hyperparameters"
        if not state.done() and any(t.status == "proposed" for t in state.ordered()):
            default = "predict_log"
        waiting = tuple(t for t in state.ordered() if t.status in ("proposed", "predicted"))
        return paragraph(Situation(decision or default, state, eligible(state), waiting, 1, self.seconds_left()))

    def predict(self, file: Path, out: Path | None = None) -> Predicted:
        """Predict a file with the current run's model."""
        return predict_file(self.model_folder(self.need_state().run), file, out)

    def model_folder(self, run: str) -> Path:
        """Return the folder of a run's delivered model; UserError where it has none."""
        folder = self.journal.run_folder(run) / "model"
        if not folder.is_dir():
            raise UserError(f"run {run} has no model yet: `automl-gpt resume {run}` goes on with it")
        return folder

    def report(self) -> Path:
        """Write the current run's report."""
        state = self.need_state()
        return write_report(state, self.journal.run_folder(state.run))

    def need_state(self) -> RunState:
        """Return the current run's state; UserError where there is none."""
        if self.state is None:
            raise UserError("there is no run yet: name a Data Card or a data file first")
        return self.state

    # ------------------------------------------------------------------------------------------------------ the inside

    def _begin(self) -> e.Event:
        if self.data_card is None:
            raise UserError("there are no data yet: name a Data Card or a data file")
        started = e.RunStarted(
            data_card=self.data_card,
            card_file=str(self.card_file.resolve()) if self.card_file else None,
            model_cards=tuple(self.candidates()),
            request=self.request,
            versions=_versions(),
        )
        run = self.journal.create(started)
        self.live = LiveRun(self.journal, self.journal.state(run))
        return started

    def _hold(self, state: RunState) -> None:
        if self._lease is None and state.finished is None:
            self._lease = acquire(self.journal, state.run)

    def _prepare(self, state: RunState) -> Iterator[e.Event]:
        folder = self.journal.run_folder(state.run) / "data"
        arguments = {
            "card": state.data_card.model_dump(mode="json"),
            "base": str(self._base) if self._base else None,
            "folder": str(folder),
            "seed": state.request.seed,
        }
        clock = self._need_clock()
        profile = Profile.model_validate(self._need_server().call("prepare", arguments))
        metric = metric_for(state.request.metric or state.data_card.metric, profile.task)
        yield from self._record(e.DataProfiled(profile=profile, metric=metric.name, seconds=clock.elapsed()))

    def _remember(self, state: RunState) -> Iterator[e.Event]:
        profile, metric = state.need_profile(), state.need_metric()
        past = self.journal.experience(profile.task, metric.name, state.run)
        near = similar(profile.meta, [p for p in past if p.fingerprint != profile.fingerprint], EXPERIENCE_LIMIT)
        yield from self._record(e.ExperienceFound(trials=tuple(near)))

    def _record(self, *events: e.Event) -> tuple[e.Event, ...]:
        self.need_state()
        assert self.live is not None
        return self.live.record(*events)

    def _need_server(self) -> Server:
        self.warm_up()
        assert self._server is not None
        return self._server

    def _need_clock(self) -> Clock:
        if self._clock is None:
            state = self.need_state()
            self._clock = Clock(state.request.budget, state.spent, self._head_start)
            self._head_start = 0.0
        return self._clock

    def _need_loop(self) -> Loop:
        if self._loop is None:
            controller = CONTROLLERS[self.need_state().request.controller]()
            assert self.live is not None
            self._loop = Loop(self.live, controller, BuiltinController(), self._need_server(), self._need_clock())
        self._loop.stop.clear()
        return self._loop


def _known_metric(name: str) -> None:
    try:
        metric_for(name, "binary")
    except UserError:
        metric_for(name, "regression")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
