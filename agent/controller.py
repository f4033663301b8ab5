"""The loop: state -> Controller.decide() -> validated tool calls -> journal -> tools. Budgets are enforced here.

A controller only decides. The loop asks, checks, writes every event before acting on it, trains in processes of their
own, compares logs, and ends in time; it does the same for every controller. While a language model thinks, training
goes on, and where a worker would idle for it, the optimiser proposes what it does meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from automl_gpt.agent.asking import Asking, seed_of
from automl_gpt.agent.clock import Clock, reserve
from automl_gpt.agent.decisions import Controller, Step, Waiting
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL, Trial
from automl_gpt.tools.process import machine
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.pool import TrialPool
from automl_gpt.tools.tune.assignment import eligible
from automl_gpt.tools.tune.hurry import in_time
from automl_gpt.tools.tune.stopping import make_stop_rule

LOOKAHEAD = 1
"""Trials that stand decided while all workers train, so that none waits for a decision."""
BATCH, SAMPLERS_SHARE = 4, 0.5
"""Configurations that a hybrid controller's decision is about, and the share of them that the optimiser proposes."""
IDLE_SECONDS = 1.0
"""A worker that waits longer than this for a language model gets a trial of the optimiser's."""
GLANCE_SECONDS = 0.02
"""How often training is looked after while a controller thinks."""
CELLS_PER_TRIAL = 20_000_000
"""Tables with more cells are trained one trial at a time, with all cores and all memory."""
MEMORY_SHARE = 0.8
FIRST_SHARE = 0.4
"""Share of the time left that trials may take while no real model is complete."""
LATE_SECONDS, LATE_SHARE = 0.4, 0.08
"""How long before training has to end a trial is asked to: it still has to predict and to save."""


@dataclass(frozen=True)
class Machine:
    """What a run trains with: trials at once, threads of each, bytes for all, device."""

    workers: int
    threads: int
    memory: float
    device: str


class Loop:
    """Drives one run from its state to its next one. `server` forks the processes, `clock` counts the budget."""

    def __init__(
        self, live: LiveRun, controller: Controller, fallback: Controller, server: Server, clock: Clock
    ) -> None:
        self.live, self.state = live, live.state
        self.server, self.clock = server, clock
        self.asking = Asking(live, controller, fallback, self.seconds_left)
        self.stop = threading.Event()
        self._exhausted = False
        self.on_idle: Callable[[], None] | None = None
        """Is called often while the loop waits, so that a person is heard meanwhile."""
        self._thinking: Iterator[Step] | None = None
        self._thinking_since = 0.0

    # ------------------------------------------------------------------------------------------------- the whole run

    def plan(self) -> Iterator[e.Event]:
        """Decide up to the first training: models, the opening trials, their predicted logs."""
        if not eligible(self.state):
            card, task = self.state.data_card, self.state.need_profile().task
            raise UserError(
                f"no Model Card fits {card.modality} data and a {task} task: add one, or mend the Data Card"
            )
        if not self.state.assigned:
            yield from self.patiently(self.asking.decide("assign_model"))
        if not self.state.trials:
            yield from self.live.record(*self._opening())
        yield from self.predict()

    def predict(self) -> Iterator[e.Event]:
        """Predict the logs of all proposals that have none yet."""
        yield from self.patiently(self._predict())

    def patiently(self, steps: Iterator[Step]) -> Iterator[e.Event]:
        """Wait wherever a controller has to, while nothing trains."""
        for step in steps:
            if isinstance(step, Waiting):
                step.wait(0.1)
                self._idle()
            else:
                yield step

    def _idle(self) -> None:
        if self.on_idle is not None:
            self.on_idle()

    def search(self) -> Iterator[e.Event]:
        """Propose, predict, train, compare and revise until the budget, less what the finish needs, is spent."""
        offer = self._machine()
        pool = TrialPool(self.server, offer.workers, offer.memory, self.clock.elapsed)
        try:
            while not self._over(pool):
                yield from self._start_waiting(pool, offer)
                if self._thinking is None and self._wants_more():
                    self._thinking, self._thinking_since = self._propose(max(1, len(pool.free()))), time.monotonic()
                waiting = yield from self._think()
                if waiting is None and ((self.state.waiting() and pool.free()) or self._wants_more()):
                    continue
                if waiting is not None:
                    yield from self._stand_in(pool)
                elif not pool.busy():
                    break
                yield from self._listen(pool, waiting)
            if not self.stop.is_set():
                for event in pool.out_of_time("the run's time was spent"):
                    yield from self._took(event)
        finally:
            self._stop_thinking()
            pool.kill_all()

    def seconds_left(self) -> float | None:
        """Return the seconds that training may still take; None without a limit."""
        left = self.clock.left()
        return None if left is None else max(0.0, left - reserve(self.state))

    def _opening(self) -> list[e.Event]:
        """The trivial baseline and the default of the first model come first in every run."""
        reasons = {TRIVIAL: "what needs no learning; every model has to beat it"}
        names = [n for n in (TRIVIAL, *self.state.assigned[:1]) if n in self.state.model_cards]
        opening: list[e.Event] = []
        for number, name in enumerate(dict.fromkeys(names), start=1):
            card = self.state.model_cards[name]
            values, note = in_time(self.state, card, card.default(), self.seconds_left())
            reason = reasons.get(name, f"the default of the first model{note}")
            opening.append(
                e.TrialProposed(
                    trial=number,
                    model=name,
                    hyperparameters=values,
                    reason=reason,
                    by="opening",
                    seed=seed_of(self.state, number),
                )
            )
        return opening

    def _predict(self) -> Iterator[Step]:
        open_trials = tuple(t for t in self.state.ordered() if t.status == "proposed")
        if open_trials:
            yield from self.asking.decide("predict_log", trials=open_trials)

    # ------------------------------------------------------------------------------------------- deciding beside it

    def _wants_more(self) -> bool:
        return len(self.state.waiting()) < LOOKAHEAD and self._trials_left() != 0 and not self._exhausted

    def _think(self) -> Generator[e.Event, None, Waiting | None]:
        """Go on with the decision under way; return where it waits, or None once there is none any more."""
        if self._thinking is None:
            return None
        for step in self._thinking:
            if isinstance(step, Waiting):
                return step
            yield step
        self._thinking = None
        return None

    def _stop_thinking(self) -> None:
        if isinstance(self._thinking, Generator):
            self._thinking.close()
        self._thinking = None

    def _stand_in(self, pool: TrialPool) -> Iterator[e.Event]:
        """Let the optimiser fill a worker that would idle while a language model thinks, where time is counted."""
        idle = pool.free() and not self.state.waiting() and time.monotonic() - self._thinking_since > IDLE_SECONDS
        if not idle or self.seconds_left() is None or self._trials_left() == 0:
            return
        open_before = set(self.state.trials)
        yield from self.patiently(self.asking.decide_alone("propose_hyperparameters", count=1))
        fresh = tuple(t for t in self.state.ordered() if t.number not in open_before)
        if fresh:
            yield from self.patiently(self.asking.decide_alone("predict_log", trials=fresh))

    def _listen(self, pool: TrialPool, waiting: Waiting | None) -> Iterator[e.Event]:
        """Wait for news of the training, or of the decision."""
        self._idle()
        if waiting is not None and not pool.busy():
            waiting.wait(0.1)
            return
        left = self.seconds_left()
        pause = GLANCE_SECONDS if waiting is not None else 0.5
        for event in pool.poll(pause if left is None else min(pause, left + 0.01)):
            yield from self._took(event)

    # ----------------------------------------------------------------------------------------------------- training

    def _over(self, pool: TrialPool) -> bool:
        if self.stop.is_set() or self.seconds_left() == 0:
            return True
        if self.state.finishing is not None:
            return True
        if pool.busy():
            return False
        nothing = not self.state.waiting() and self._thinking is None
        return self._trials_left("running") == 0 or (self._trials_left() == 0 and nothing)

    def _trials_left(self, status: Literal["proposed", "running"] = "proposed") -> int | None:
        """Return how many trials may still be decided on, or with `running` be started; None without a limit."""
        limit, taken = self.state.request.budget.trials, {"skipped", "withdrawn"}
        if status == "running":
            taken |= {"proposed", "predicted"}
        return None if limit is None else max(0, limit - sum(t.status not in taken for t in self.state.ordered()))

    def _start_waiting(self, pool: TrialPool, offer: Machine) -> Iterator[e.Event]:
        """Start what waits while workers are free."""
        while not self._over(pool):
            waiting, free = self.state.waiting(), pool.free()
            if not waiting or not free or self._trials_left("running") == 0:
                return
            yield from self._start(waiting[0], free[0], pool, offer)

    def _propose(self, count: int) -> Iterator[Step]:
        before = len(self.state.trials)
        if any(t.model != TRIVIAL for t in self.state.done()):
            yield from self.asking.decide("revise")
            decided = self.state.revisions[-1]
            if decided.action == "finish":
                yield from self.live.record(e.FinishDecided(reason=decided.reason, by=decided.by))
                return
        left = self._trials_left()
        if self.asking.hybrid():
            yield from self._propose_together(BATCH if left is None else min(BATCH, left))
        else:
            count = count if left is None else min(count, left)
            yield from self.asking.decide("propose_hyperparameters", count=count)
        self._exhausted = len(self.state.trials) == before
        yield from self._predict()

    def _propose_together(self, count: int) -> Iterator[Step]:
        """The optimiser proposes its share of a batch, the controller, which sees it, the rest."""
        samplers = int(count * SAMPLERS_SHARE)
        if samplers:
            yield from self.asking.decide_alone("propose_hyperparameters", count=samplers)
        yield from self.asking.decide("propose_hyperparameters", count=count - samplers)

    def _start(self, trial: Trial, worker: int, pool: TrialPool, offer: Machine) -> Iterator[e.Event]:
        card = self.state.model_cards[trial.model]
        rule = make_stop_rule(self.state, trial)
        yield from self.live.record(e.TrialStarted(trial=trial.number, worker=worker, at_seconds=self.clock.elapsed()))
        pool.start(
            Job(
                trial=trial.number,
                model=trial.model,
                trainer=card.trainer,
                hyperparameters=trial.hyperparameters,
                data=str(self.live.folder / "data"),
                out=str(self.live.folder / "trials" / f"{trial.number:04d}"),
                metric=self.state.need_metric().name,
                seed=trial.proposal.seed,
                threads=offer.threads,
                device=offer.device,
                deadline=self._deadline(),
                rule=rule,
            ),
            worker,
        )

    def _deadline(self) -> float | None:
        """A trial should end in what is left, less a margin; in half of it while no real model is complete yet."""
        left = self.seconds_left()
        if left is None:
            return None
        first = not any(t.complete and t.model != TRIVIAL for t in self.state.done())
        return time.monotonic() + (FIRST_SHARE * left if first else left - max(LATE_SECONDS, LATE_SHARE * left))

    def _took(self, event: e.Event) -> Iterator[e.Event]:
        yield from self.live.record(event)
        if isinstance(event, e.TrialFinished):
            trial = self.state.trials[event.trial]
            found = gap(trial.prediction, trial) if trial.prediction else None
            if found is not None:
                yield from self.live.record(e.LogsCompared(trial=trial.number, gap=found))

    def _machine(self) -> Machine:
        profile, cores = self.state.need_profile(), machine.cores()
        memory = machine.memory() * MEMORY_SHARE
        workers = self.state.request.workers or cores
        if profile.rows_train * profile.features > CELLS_PER_TRIAL:
            workers = 1
        return Machine(workers, max(1, cores // workers), memory, machine.device())
