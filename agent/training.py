"""The training side of the loop: trials are started with what the machine offers, heard, compared, ended in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from automl_gpt.agent.clock import Clock
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.process import machine
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.pool import TrialPool, delete_checkpoints
from automl_gpt.tools.tune.cost import trains_alone
from automl_gpt.tools.tune.forecasts.paused import paused
from automl_gpt.tools.tune.forecasts.stopping import make_stop_rule
from automl_gpt.tools.tune.search.assignment import eligible, is_quick

CELLS_PER_TRIAL = 20_000_000
"""Tables with more cells are trained one trial at a time, with all cores and all memory."""
MEMORY_SHARE = 0.8
FIRST_SHARE, FIRST_SHARE_OF_NETWORKS = 0.4, 0.6
"""Share of the time left that trials may take while no real model is complete; networks, which come after a model that
costs seconds, may take more."""
LATE_SECONDS, LATE_SHARE = 0.4, 0.08
"""How long before training has to end a trial is asked to: it still has to predict and to save."""


@dataclass(frozen=True)
class Machine:
    """What a run trains with: trials at once, threads of each, bytes for all, device."""

    workers: int
    threads: int
    memory: float
    device: str


class Training:
    """Trains the trials of a run, each in a process of its own. `seconds_left()` is what they may still take."""

    def __init__(self, live: LiveRun, server: Server, clock: Clock, seconds_left: Callable[[], float | None]) -> None:
        self._live, self._state, self._clock, self._seconds_left = live, live.state, clock, seconds_left
        self._machine = machine_for(live.state)
        self._pool = TrialPool(server, self._machine.workers, self._machine.memory, clock.elapsed)

    def free(self) -> list[int]:
        """Return the numbers of the workers that have nothing to do."""
        return self._pool.free()

    def busy(self) -> bool:
        """Say whether any trial is training."""
        return self._pool.busy()

    def start(self, trial: Trial, worker: int) -> Iterator[e.Event]:
        """Start a trial, once that stands in the journal."""
        card, rule = self._state.model_cards[trial.model], make_stop_rule(self._state, trial)
        started = e.TrialStarted(trial=trial.number, worker=worker, at_seconds=self._clock.elapsed())
        yield from self._live.record(started)
        self._pool.start(
            Job(
                trial=trial.number,
                model=trial.model,
                trainer=card.trainer,
                hyperparameters=trial.hyperparameters,
                data=str(self._live.folder / "data"),
                out=str(self._live.folder / "trials" / f"{trial.number:04d}"),
                metric=self._state.need_metric().name,
                seed=trial.proposal.seed,
                threads=self._machine.threads,
                device=self._machine.device,
                deadline=self._deadline(card),
                memory=self._machine.memory / self._machine.workers,
                source=card.source,
                rows_after=self._rows_after(card),
                rule=rule,
            ),
            worker,
        )

    def listen(self, seconds: float) -> Iterator[e.Event]:
        """Wait at most that long for news of the trials."""
        for event in self._pool.poll(seconds):
            yield from self._took(event)

    def end(self, reason: str) -> Iterator[e.Event]:
        """End what still trains; what it reached by then counts."""
        for event in self._pool.out_of_time(reason):
            yield from self._took(event)

    def close(self) -> None:
        """End all processes at once, without an event: their trials will be repeated."""
        self._pool.kill_all()

    def _deadline(self, card: ModelCard) -> float | None:
        """A trial should end in what is left, less a margin; in a share of it while no real model is complete yet."""
        left = self._seconds_left()
        if left is None:
            return None
        first = not any(t.complete and t.model != TRIVIAL for t in self._state.done())
        share = FIRST_SHARE if is_quick(card) else FIRST_SHARE_OF_NETWORKS
        return time.monotonic() + (share * left if first else left - max(LATE_SECONDS, LATE_SHARE * left))

    def _rows_after(self, card: ModelCard) -> int:
        """The test rows, for a network that has not shown yet what predicting takes; else the reserve knows."""
        shown = any(t.complete and t.model == card.name for t in self._state.done())
        return 0 if shown or is_quick(card) else self._state.need_profile().rows_test

    def _let_go(self, event: e.TrialFinished) -> None:
        """Delete the checkpoints of trials that are paused no more, or that better ones have replaced."""
        kept = {trial.number for trial in paused(self._state)}
        for trial in self._state.done():
            if trial.end is not None and (trial.end.paused or trial.number == event.trial) and trial.number not in kept:
                delete_checkpoints(self._live.folder / "trials" / f"{trial.number:04d}")

    def _took(self, event: e.Event) -> Iterator[e.Event]:
        yield from self._live.record(event)
        if isinstance(event, e.TrialFinished):
            self._let_go(event)
            trial = self._state.trials[event.trial]
            found = gap(trial.prediction, trial) if trial.prediction else None
            if found is not None:
                yield from self._live.record(e.LogsCompared(trial=trial.number, gap=found))


def machine_for(state: RunState) -> Machine:
    """Return what the trials of a run get: one worker per core, or as many as are asked for; one for large tables."""
    profile, cores = state.need_profile(), machine.cores()
    memory = machine.memory() * MEMORY_SHARE
    workers = state.request.workers or cores
    if profile.modality != "tabular":
        workers = state.request.workers or _workers_for_networks(state, cores, memory)
        return Machine(workers, max(1, cores // workers), memory, machine.device())
    if profile.rows_train * profile.features > CELLS_PER_TRIAL:
        workers = 1
    return Machine(workers, max(1, cores // workers), memory, machine.device())


def _workers_for_networks(state: RunState, cores: int, memory: float) -> int:
    """Return how many networks train at once: one with an accelerator, or where one alone fills the time or memory."""
    cards = [state.model_cards[name] for name in state.assigned or eligible(state)]
    networks = [card for card in cards if not is_quick(card)]
    if machine.device() != "cpu":
        return 1
    if any(trains_alone(state, card) for card in networks):
        return 1
    largest = max((card.resources.megabytes for card in networks), default=1.0) * 2**20
    return max(1, min(cores, int(memory / largest)))
