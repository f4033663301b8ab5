"""The loop: state -> Controller.decide() -> validated tool calls -> journal -> tools. Budgets are enforced here.

A controller only decides. The loop asks, checks, writes every event before acting on it, trains in processes of their
own, compares logs, and ends in time; it does the same for every controller. While a language model thinks, training
goes on, and where a worker would idle for it, the optimiser proposes what it does meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Literal

from automl_gpt.agent.asking import BESIDE_SHARE, IDLE_SHARE, Asking, seed_of
from automl_gpt.agent.clock import Clock, reserve
from automl_gpt.agent.decisions import Controller, Step, Waiting
from automl_gpt.agent.training import Training
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL, Trial
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.tune.hurry import in_time
from automl_gpt.tools.tune.search.assignment import eligible
from automl_gpt.tools.tune.search.opening import proven
from automl_gpt.tools.tune.search.portfolio import learnt

OPENING = "opening"
"""By whom the first trials are proposed."""
LOOKAHEAD = 1
"""Trials that stand decided while all workers train, so that none waits for a decision."""
BATCH, SAMPLERS_SHARE = 4, 0.5
"""Configurations that a hybrid controller's decision is about, and the share of them that the optimiser proposes."""
IDLE_SECONDS = 1.0
"""A worker that waits longer than this for a language model gets a trial of the optimiser's."""
PLAN_SECONDS, PLAN_SHARE = 5.0, 0.05
"""The same for the first trials, and the most of it as a share of the time left: the model's own plan is worth more."""
GLANCE_SECONDS = 0.02
"""How often training is looked after while a controller thinks."""
PAUSE_SECONDS = 0.1
"""How often the person is heard while nothing trains."""


class Loop:
    """Drives one run from its state to its next one. `server` forks the processes, `clock` counts the budget."""

    def __init__(
        self, live: LiveRun, controller: Controller, fallback: Controller, server: Server, clock: Clock
    ) -> None:
        self.live, self.state = live, live.state
        self.server, self.clock = server, clock
        self.asking = Asking(live, controller, fallback, self.seconds_left)
        self.stop = threading.Event()
        self.on_idle: Callable[[], None] | None = None
        """Is called often while the loop waits, so that a person is heard meanwhile."""
        self._exhausted: e.Request | None = None
        """The request under which nothing new was found to try: it may be widened."""
        self._thinking: Generator[Step] | None = None
        self._thinking_since = 0.0
        self._stood_in = self._stand_in_found_nothing = False

    # ------------------------------------------------------------------------------------------------- the whole run

    def plan(self) -> Iterator[e.Event]:
        """Decide up to the first training: models, the opening trials, their predicted logs."""
        yield from self.patiently(self._plan(IDLE_SHARE))

    def predict(self) -> Iterator[e.Event]:
        """Predict the logs of all proposals that have none yet."""
        yield from self.patiently(self._predict(IDLE_SHARE))

    def patiently(self, steps: Generator[Step]) -> Iterator[e.Event]:
        """Wait wherever a controller has to, while nothing trains; a stop ends that."""
        try:
            for step in steps:
                if not isinstance(step, Waiting):
                    yield step
                elif self.stop.is_set():
                    return
                else:
                    step.wait(PAUSE_SECONDS)
                    self._idle()
        finally:
            steps.close()

    def search(self) -> Iterator[e.Event]:
        """Plan, unless that is done; propose, predict, train, compare and revise until the budget is spent.

        What the finish needs of it is left.
        """
        training = Training(self.live, self.server, self.clock, self.seconds_left)
        self._think_about(self._plan(BESIDE_SHARE))
        try:
            while not self._over(training):
                yield from self._start_waiting(training)
                waiting = yield from self._think(training)
                if waiting is None and (self._can_start(training) or self._undecided()):
                    continue
                if waiting is not None:
                    yield from self._stand_in(training)
                elif not training.busy():
                    break
                yield from self._listen(training, waiting)
            if not self.stop.is_set():
                yield from training.end("the search has ended")
        finally:
            self._stop_thinking()
            training.close()

    def _idle(self) -> None:
        if self.on_idle is not None:
            self.on_idle()

    def seconds_left(self) -> float | None:
        """Return the seconds that training may still take; None without a limit."""
        left = self.clock.left()
        return None if left is None else max(0.0, left - reserve(self.state))

    # ------------------------------------------------------------------------------------------------------ planning

    def _plan(self, share: float) -> Generator[Step]:
        if not eligible(self.state):
            card, task = self.state.data_card, self.state.need_profile().task
            raise UserError(
                f"no Model Card fits {card.modality} data and a {task} task: add one, or mend the Data Card"
            )
        if not self.state.assigned:
            yield from self.asking.decide("assign_model", share=share)
        yield from self._open()
        yield from self._predict(share)

    def _plan_alone(self) -> Generator[Step]:
        """Plan without the controller, which takes too long; what it decides about the plan later counts from then."""
        if not self.state.assigned:
            yield from self.asking.decide_alone("assign_model")
        yield from self._open()
        yield from self._predict_alone(self._unpredicted())

    def _planned(self) -> bool:
        """Say whether the run has trials that were predicted, or taken back."""
        return any(t.prediction is not None or t.withdrawn for t in self.state.trials.values())

    def _open(self) -> Iterator[e.Event]:
        if not any(t.proposal.by == OPENING for t in self.state.trials.values()):
            yield from self.live.record(*self._opening())

    def _opening(self) -> list[e.Event]:
        """The trivial baseline and the default of the first model come first in every run.

        For texts and pictures that model costs seconds, so the default of the second one comes along.
        """
        reasons = {TRIVIAL: "what needs no learning; every model has to beat it"}
        first = self.state.assigned[: 1 if self.state.need_profile().modality == "tabular" else 2]
        names = [n for n in (TRIVIAL, *first) if n in self.state.model_cards]
        opening: list[e.Event] = []
        for number, name in enumerate(dict.fromkeys(names), start=max(self.state.trials, default=0) + 1):
            card = self.state.model_cards[name]
            place = "first" if name == first[0] else "second"
            chosen, why = self._begin_with(card, f"the default of the {place} model")
            values, note = in_time(self.state, card, chosen, self.seconds_left())
            reason = reasons.get(name, f"{why}{note}")
            opening.append(
                e.TrialProposed(
                    trial=number,
                    model=name,
                    hyperparameters=values,
                    reason=reason,
                    by=OPENING,
                    seed=seed_of(self.state, number),
                )
            )
        return opening

    def _begin_with(self, card: ModelCard, default: str) -> tuple[Hyperparameters, str]:
        """Return the configuration that a model begins with, and why: what several near data sets agree on, else what
        worked on the nearest, else its default."""
        best = proven(self.state.experience or (), card)
        if best is not None:
            return best.hyperparameters, f"{card.name} ranked best so on {best.sets} data sets like these"
        found = learnt(self.state, card)
        return (found[0], f"{card.name} worked best so on similar data") if found else (card.default(), default)

    def _unpredicted(self) -> tuple[Trial, ...]:
        return tuple(t for t in self.state.ordered() if t.status == "proposed")

    def _predict(self, share: float = BESIDE_SHARE) -> Generator[Step]:
        if open_trials := self._unpredicted():
            yield from self.asking.decide("predict_log", trials=open_trials, share=share)

    # ------------------------------------------------------------------------------------------- deciding beside it

    def _wants_more(self) -> bool:
        enough = len(self.state.waiting()) >= LOOKAHEAD or self._exhausted is self.state.request
        return not enough and self._trials_left() != 0

    def _undecided(self) -> bool:
        """Say whether there is something to decide on: what comes next, or the log of what a person proposed."""
        return self._wants_more() or bool(self._unpredicted())

    def _think_about(self, steps: Generator[Step]) -> None:
        self._thinking, self._thinking_since = steps, time.monotonic()
        self._stood_in = self._stand_in_found_nothing = False

    def _think(self, training: Training) -> Generator[e.Event, None, Waiting | None]:
        """Begin or go on with a decision; return where it waits, or None once there is none any more."""
        if self._thinking is None and self._undecided():
            free = max(1, len(training.free()))
            self._think_about(self._propose(free) if self._wants_more() else self._predict())
        for step in self._thinking or ():
            if isinstance(step, Waiting):
                return step
            yield step
        self._thinking = None
        return None

    def _stop_thinking(self) -> None:
        if self._thinking is not None:
            self._thinking.close()
        self._thinking = None

    def _stand_in(self, training: Training) -> Iterator[e.Event]:
        """Let the optimiser fill a worker that would idle while a language model thinks, where time is counted."""
        if not self._idles(training):
            return
        planned, before, self._stood_in = self._planned(), len(self.state.trials), True
        yield from self.patiently(self._propose_alone() if planned else self._plan_alone())
        self._stand_in_found_nothing = planned and len(self.state.trials) == before

    def _idles(self, training: Training) -> bool:
        left, planned = self.seconds_left(), self._planned()
        if (
            left is None
            or self.state.waiting()
            or self._stand_in_found_nothing
            or (planned and self._trials_left() == 0)
        ):
            return False
        patience = IDLE_SECONDS if planned else max(IDLE_SECONDS, min(PLAN_SECONDS, PLAN_SHARE * left))
        return self._stood_in or (bool(training.free()) and time.monotonic() - self._thinking_since > patience)

    def _propose_alone(self) -> Generator[Step]:
        before = set(self.state.trials)
        yield from self.asking.decide_alone("propose_hyperparameters", count=1)
        yield from self._predict_alone(tuple(t for t in self.state.ordered() if t.number not in before))

    def _predict_alone(self, trials: tuple[Trial, ...]) -> Generator[Step]:
        if trials:
            yield from self.asking.decide_alone("predict_log", trials=trials)

    def _listen(self, training: Training, waiting: Waiting | None) -> Iterator[e.Event]:
        """Wait for news of the training, or of the decision, which is heard at once."""
        self._idle()
        left, pause = self.seconds_left(), 0.5
        if waiting is not None:
            waiting.wait(GLANCE_SECONDS if training.busy() else PAUSE_SECONDS)
            pause = 0.0
        yield from training.listen(pause if left is None else min(pause, left + 0.01))

    def _propose(self, count: int) -> Generator[Step]:
        before = len(self.state.trials)
        if any(t.model != TRIVIAL for t in self.state.done()):
            yield from self.asking.decide("revise")
            decided = self.state.revisions[-1]
            if decided.action == "finish":
                yield from self.live.record(e.FinishDecided(reason=decided.reason, by=decided.by))
                return
            if decided.action == "resume_trial":
                return
        left = self._trials_left()
        wanted = BATCH if self.asking.hybrid() else count
        if left is None or left > 0:
            yield from self._propose_batch(wanted if left is None else min(wanted, left))
            self._exhausted = self.state.request if len(self.state.trials) == before else None
        yield from self._predict()

    def _propose_batch(self, count: int) -> Generator[Step]:
        """Propose; of a hybrid controller's batch the optimiser does its share first, which the controller sees."""
        samplers = int(count * SAMPLERS_SHARE) if self.asking.hybrid() else 0
        if samplers:
            yield from self.asking.decide_alone("propose_hyperparameters", count=samplers)
        yield from self.asking.decide("propose_hyperparameters", count=count - samplers)

    # ------------------------------------------------------------------------------------------------------- budgets

    def _over(self, training: Training) -> bool:
        if self.stop.is_set() or self.seconds_left() == 0:
            return True
        if self.state.finishing is not None:
            return True
        if training.busy():
            return False
        nothing = not self.state.waiting() and not self._unpredicted() and self._thinking is None
        return self._trials_left("running") == 0 or (self._trials_left() == 0 and nothing)

    def _trials_left(self, status: Literal["proposed", "running"] = "proposed") -> int | None:
        """Return how many trials may still be decided on, or with `running` be started; None without a limit."""
        limit, taken = self.state.request.budget.trials, {"skipped", "withdrawn"}
        if status == "running":
            taken |= {"proposed", "predicted"}
        return None if limit is None else max(0, limit - sum(t.status not in taken for t in self.state.ordered()))

    def _start_waiting(self, training: Training) -> Iterator[e.Event]:
        """Start what waits while workers are free."""
        while self._can_start(training) and not self._over(training):
            yield from training.start(self.state.waiting()[0], training.free()[0])

    def _can_start(self, training: Training) -> bool:
        return bool(self.state.waiting() and training.free()) and self._trials_left("running") != 0
