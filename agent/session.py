"""Session: the Python API; what `run` and the chat are made of. One person's session with one run at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_gpt.agent.clock import Clock
from automl_gpt.agent.decisions import Decision, Situation, Step
from automl_gpt.agent.desk import Desk
from automl_gpt.agent.driver import Driver, take_up, versions
from automl_gpt.agent.frames import html_of, repr_of, rich_of, trials_frame
from automl_gpt.agent.ledger import Ledger, Usage, check_money
from automl_gpt.agent.llm.connect import endpoint_of
from automl_gpt.agent.llm.line import Line
from automl_gpt.agent.prompts import paragraph
from automl_gpt.agent.replay import Replay, replay
from automl_gpt.agent.request import cards_of, change_metric, check_request, edit, obey, undo
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.deliver.predict import Predicted, predict_file
from automl_gpt.tools.evaluate.report import write_report
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import check_limits, with_limit
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal, open_journal
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.tune.search.assignment import eligible

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType


class Session:
    """Reads cards, drives a run, predicts and reports. `head_start` are seconds already used before it was made.

    `server` is a worker server that several sessions share, and that stays when this one is closed.

    Use it as a context manager, or call `close`. All errors that a person can mend are UserErrors.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        request: e.Request | None = None,
        head_start: float = 0.0,
        server: Server | None = None,
    ) -> None:
        self.journal = journal or open_journal()
        self.on_text: Callable[[str, str], None] | None = None
        """Is told who answers and what has come so far, while a language model answers; then an empty text."""
        self.on_idle: Callable[[], None] | None = None
        """Is called often while the run waits for its training or for a language model."""
        self.request = request or e.Request()
        self.desk = Desk(self.journal.folder / "cards")
        self.driving = False
        """Whether `drive` is under way."""
        self._live: LiveRun | None = None
        self._driver: Driver | None = None
        self._server, self._shares_server = server, server is not None
        self._head_start = head_start

    def __repr__(self) -> str:
        return repr_of(self.state, self.request)

    def __rich__(self) -> RenderableType:
        return rich_of(self.state, self.request)

    def _repr_html_(self) -> str:
        return html_of(rich_of(self.state, self.request))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes and give the run back; the journal stays open."""
        self._leave()
        if self._server is not None and not self._shares_server:
            self._server.close()
            self._server = None

    def warm_up(self) -> Server:
        """Start the worker server now, so that it has imported its libraries by the time it is needed."""
        if self._server is None:
            self._server = Server()
        return self._server

    # -------------------------------------------------------------------------------------------------------- cards

    @property
    def data_card(self) -> DataCard | None:
        """The Data Card of the current or the next run."""
        return self.desk.data_card

    def read(self, name: str) -> DataCard | ModelCard:
        """Read a card by path or name, or draft a Data Card for a data file; it counts for the next run."""
        card = self.desk.read(name)
        if isinstance(card, DataCard):
            self._start_anew()
        return card

    def draft(self, file: Path, target: str | None) -> DataCard:
        """Draft a Data Card for a data file."""
        card = self.desk.draft(file, target)
        self._start_anew()
        return card

    def paste(self, text: str) -> DataCard:
        """Take a Data Card from text."""
        card = self.desk.paste(text)
        self._start_anew()
        return card

    def candidates(self) -> list[ModelCard]:
        """Return the Model Cards of the next run."""
        return self.desk.candidates()

    def _start_anew(self) -> None:
        self._leave()
        self._live = None

    # -------------------------------------------------------------------------------------------------- the request

    def change(self, **fields: Any) -> None:
        """Change metric, budget, models, limits or controller of the request; UserError where it does not fit."""
        wanted = self.request.model_copy(update=fields)
        check_request(wanted, cards_of(self._live) or self.candidates())
        check_money(wanted, wanted.controller, endpoint_of(wanted.controller), self.journal.folder / "cards")
        if wanted.metric is not None:
            change_metric(self._live, wanted.metric)
        if self._live is not None and self._live.state.finished is None:
            self._live.record(e.RequestChanged(request=wanted))
            obey(self._live)
        elif self._live is not None:
            self._live.state.request = wanted  # nothing of the run changes any more; who talks about it does
        if self._driver is not None:
            self._driver.clock.total = wanted.budget.seconds
            # A price may have become known since the model was plugged in.
            money = wanted.budget.cost_usd != self.request.budget.cost_usd
            self._driver.use_controller(anew=money or "controller" in fields)
        self.request = wanted

    def limit(self, parameter: str, low: float | None = None, high: float | None = None, **more: Any) -> None:
        """Narrow a hyperparameter's range from now on, of every model or of `model`, or to `choices`; no ends: lift it.

        UserError, which names the legal range, where nothing of it would be left.
        """
        new = e.Limit(parameter=parameter, low=low, high=high, **more)
        self.change(limits=with_limit(self.request.limits, new))

    def undo(self) -> str:
        """Take back the proposals that are not trained yet; UserError where there are none."""
        return undo(self._live)

    def edit(self, trial: int, hyperparameters: Hyperparameters) -> list[e.Event]:
        """Replace a proposal by one with other hyperparameters, and predict its log; UserError where they don't fit.

        While the run is driven its log is predicted by and by.
        """
        edited = list(edit(self._need_live(), trial, hyperparameters))
        return edited if self.driving else [*edited, *self._need_driver().predict()]

    def said(self, text: str, understood: str) -> None:
        """Note the person's words in the run; later paragraphs carry them."""
        if self._live is not None and self._live.state.finished is None:
            self._live.record(e.Said(text=text, understood=understood))

    # ------------------------------------------------------------------------------------------------------ the run

    @property
    def state(self) -> RunState | None:
        """The state of the current run; None before one."""
        return self._live.state if self._live else None

    def need_state(self) -> RunState:
        """Return the current run's state; UserError where there is none."""
        return self._need_live().state

    def profile(self) -> Iterator[e.Event]:
        """Begin the run, unless it is begun, and prepare its data, unless they are."""
        if self._live is None:
            yield self._begin()
        yield from self._need_driver().profile()

    def plan(self) -> Iterator[e.Event]:
        """Decide up to the next training, without training."""
        yield from self.profile()
        self._need_driver().clock.go_on()
        yield from self._need_driver().plan()

    def approve(self, by: str = "person") -> None:
        """Say yes to the training of this run."""
        live = self._need_live()
        if not live.state.approved:
            live.record(e.TrainingApproved(by=by))

    def wait_for_person(self) -> None:
        """Stop the run's clock while a person is asked; it goes on with `drive`."""
        if self._driver is not None:
            self._driver.clock.pause()

    def drive(self) -> Iterator[e.Event]:
        """Drive the approved run to its end; BudgetError where no trial finished. Closing the stream stops the run."""
        self.driving = True
        try:
            yield from self.profile()
            yield from self._need_driver().drive()
        finally:
            self.driving = False
            self.wait_for_person()

    def finish(self, by: str = "person") -> None:
        """End the search: the next `drive` delivers the best of what is trained; UserError where nothing is."""
        state = self.need_state()
        if state.finished is not None or state.best() is None:
            what = "is finished already" if state.finished else "has no complete trial yet: /go trains"
            raise UserError(f"run {state.run} {what}")
        self._need_live().record(e.FinishDecided(reason="asked for by the person", by=by))
        self.approve(by)

    def stop(self, reason: str = "by the person") -> None:
        """Let `drive` end soon, from a signal handler or another thread; the run can be gone on with."""
        if self._driver is not None:
            self._driver.stop(reason)

    def resume(self, run: str) -> RunState:
        """Take over a run of the journal; UserError where another session drives it. A finished one is only shown."""
        name = self.journal.find(run)
        self._leave()
        live = LiveRun(self.journal, self.journal.state(name))
        file = live.state.started.card_file
        self.desk.put_back(live.state.data_card, Path(file) if file else None)
        self._live, self.request = live, live.state.request
        if live.state.finished is None:
            self._need_driver()
            take_up(live)
        return live.state

    def elapsed(self) -> float:
        """Return the seconds that the current run has used."""
        if self._driver is not None:
            return self._driver.clock.elapsed()
        return self.state.spent if self.state else 0.0

    def seconds_left(self) -> float | None:
        """Return the seconds of the budget that are left; None without a limit."""
        return self._driver.clock.left() if self._driver else self.request.budget.seconds

    # -------------------------------------------------------------------------------------------------- its results

    def paragraph(self, decision: Decision | None = None) -> str:
        """Return the exact text that a controller reads for a decision, by default the next one."""
        state = self.need_state()
        if state.profile is None:
            raise UserError("the data are not profiled yet: /plan or /go does it")
        default: Decision = "propose_hyperparameters" if state.assigned else "assign_model"
        if any(t.status == "proposed" for t in state.ordered()):
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

    def replay(self, run: str = "last") -> Replay:
        """Repeat a run's decisions from its recorded answers, with no network, and name what differs."""
        name = self.journal.find(run)
        return replay(name, (stored.event for stored in self.journal.events(name)))

    def trials(self) -> DataFrame:
        """Return the current run's trials as a table, one row each, hyperparameters as columns `hp_NAME`."""
        return trials_frame(self.need_state())

    # ------------------------------------------------------------------------------------------- who decides, and costs

    @property
    def controller(self) -> str:
        """The name of the controller in force."""
        return self.request.controller

    @property
    def endpoint(self) -> str:
        """The host that requests to a language model go to; empty without one, or before it is plugged in."""
        line = self._driver.plugged() if self._driver else None
        return line.model.endpoint if line else ""

    def usage(self) -> Usage:
        """Return what the language model calls of the current run used."""
        line = self._driver.plugged() if self._driver else None
        if line is not None:
            return line.ledger.usage()
        return Ledger(self.state, Clock(self.request.budget), None).usage() if self.state else Usage()

    def line(self) -> Generator[Step, None, Line]:
        """Return the line to the language model; NoDecision where the controller is none, or can't be plugged in."""
        return (yield from self._need_driver().line())

    def record(self, *events: e.Event) -> tuple[e.Event, ...]:
        """Write events into the current run's journal, and return them."""
        return self._need_live().record(*events)

    # --------------------------------------------------------------------------------------------------- the inside

    def _begin(self) -> e.Event:
        if self.desk.data_card is None:
            raise UserError("there are no data yet: name a Data Card or a data file")
        check_limits(self.request, self.candidates())
        file = self.desk.data_file
        started = e.RunStarted(
            data_card=self.desk.data_card,
            card_file=str(file.resolve()) if file else None,
            model_cards=tuple(self.candidates()),
            request=self.request,
            versions=versions(),
        )
        run = self.journal.create(started)
        self._live = LiveRun(self.journal, self.journal.state(run))
        return started

    def _leave(self) -> None:
        if self._driver is not None:
            self._driver.release()
            self._driver = None

    def _heard(self, who: str, text: str) -> None:
        if self.on_text is not None:
            self.on_text(who, text)

    def _idle(self) -> None:
        if self.on_idle is not None:
            self.on_idle()

    def _need_live(self) -> LiveRun:
        if self._live is None:
            raise UserError("there is no run yet: name a Data Card or a data file first")
        return self._live

    def _need_driver(self) -> Driver:
        if self._driver is None:
            live, server = self._need_live(), self.warm_up()
            self._driver = Driver(live, server, self.desk.base, self._head_start, self._heard, self._idle)
            self._head_start = 0.0
        return self._driver
