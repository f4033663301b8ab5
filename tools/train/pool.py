"""The trials that train now, each in a process of its own; what they say, as events."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from automl_gpt.tools.journal import events as e
from automl_gpt.tools.log import Row, Status
from automl_gpt.tools.process.channel import Message
from automl_gpt.tools.process.client import Server, Task, wait
from automl_gpt.tools.train.job import Job, Outcome

FLUSH_SECONDS = 0.25
WATCH_SECONDS = 0.5


@dataclass
class _Running:
    job: Job
    task: Task
    worker: int
    began: float
    rows: list[Row] = field(default_factory=list[Row])
    flushed: float = 0.0
    scores: dict[int, float] = field(default_factory=dict[int, float])


class TrialPool:
    """Up to `workers` trials at once. `clock()` is the run's time in seconds, `memory` the bytes that all may hold."""

    def __init__(self, server: Server, workers: int, memory: float, clock: Callable[[], float]) -> None:
        self._server, self._memory, self._clock = server, memory, clock
        self._workers = workers
        self._running: dict[Task, _Running] = {}
        self._watched = 0.0

    def free(self) -> list[int]:
        """Return the numbers of the workers that have nothing to do."""
        busy = {r.worker for r in self._running.values()}
        return [worker for worker in range(self._workers) if worker not in busy]

    def busy(self) -> bool:
        """Say whether any trial is training."""
        return bool(self._running)

    def start(self, job: Job, worker: int) -> None:
        """Start a trial; its start must stand in the journal already."""
        Path(job.out).mkdir(parents=True, exist_ok=True)
        task = self._server.submit("train", job.model_dump(mode="json"), Path(job.out) / "worker.log")
        self._running[task] = _Running(job, task, worker, time.monotonic(), flushed=time.monotonic())

    def poll(self, seconds: float) -> list[e.Event]:
        """Wait at most that long for news; return rows in chunks, and the ends of trials."""
        if not self._running:
            return []
        events: list[e.Event] = []
        for task, messages in wait(list(self._running), min(seconds, WATCH_SECONDS)).items():
            running = self._running[task]
            for message in messages:
                events += self._take(running, message)
            if task in self._running and task.channel.closed:
                events += self._end(running, "failed", self._server.how_ended(task))
        events += self._watch()
        return events

    def kill_all(self) -> list[int]:
        """End all trials at once, without an event: they will be repeated. Return their numbers."""
        for task in self._running:
            task.kill()
        numbers = [r.job.trial for r in self._running.values()]
        self._running.clear()
        return numbers

    def out_of_time(self, reason: str) -> list[e.Event]:
        """End all trials at once because the budget is spent."""
        return [event for r in list(self._running.values()) for event in self._end(r, "out_of_time", reason)]

    def _take(self, running: _Running, message: Message) -> list[e.Event]:
        match message["kind"]:
            case "row":
                running.rows.append(
                    Row(
                        step=message["step"],
                        metrics=message["metrics"],
                        seconds=message["seconds"],
                        fold=message["fold"],
                    )
                )
                late = time.monotonic() - running.flushed > FLUSH_SECONDS
                return self._flush(running) if late else []
            case "told":
                return [e.Warned(text=f"trial {running.job.trial}: {message['text']}")]
            case "result":
                return self._finish(running, Outcome.model_validate(message["result"]))
            case "refused":
                return self._end(running, "failed", message["problem"])
            case _:
                status: Status = "out_of_memory" if message.get("memory") else "failed"
                return self._end(running, status, message["problem"])

    def _flush(self, running: _Running) -> list[e.Event]:
        rows, running.rows, running.flushed = tuple(running.rows), [], time.monotonic()
        return [e.RowsLogged(trial=running.job.trial, rows=rows)] if rows else []

    def _finish(self, running: _Running, outcome: Outcome) -> list[e.Event]:
        events = self._flush(running)
        del self._running[running.task]
        running.task.channel.close()
        out = Path(running.job.out)
        end = e.TrialFinished(
            trial=running.job.trial,
            status=outcome.status,
            value=outcome.value,
            folds=tuple(v for v in outcome.folds if v is not None),
            best_steps=outcome.best_steps,
            complete=outcome.complete,
            seconds=outcome.seconds,
            megabytes=outcome.megabytes,
            predict_seconds=outcome.predict_seconds,
            threads=running.job.threads,
            disk_megabytes=outcome.disk_megabytes,
            reason=outcome.reason,
            artifact=f"{out.parent.name}/{out.name}",
            at_seconds=self._clock(),
            paused=outcome.paused,
            cut=outcome.cut,
        )
        return [*events, end]

    def _end(self, running: _Running, status: Status, reason: str) -> list[e.Event]:
        running.task.kill()
        events = self._flush(running)
        self._running.pop(running.task, None)
        delete_checkpoints(Path(running.job.out))
        end = e.TrialFinished(
            trial=running.job.trial,
            status=status,
            seconds=time.monotonic() - running.began,
            megabytes=running.task.peak / 2**20,
            reason=reason,
            at_seconds=self._clock(),
        )
        return [*events, end]

    def _watch(self) -> list[e.Event]:
        """End what uses too much memory. It is looked at twice a second."""
        now = time.monotonic()
        events: list[e.Event] = []
        if now - self._watched < WATCH_SECONDS:
            return events
        self._watched = now
        limit = self._memory / self._workers
        for running in list(self._running.values()):
            if running.task.memory() > limit:
                reason = f"used more than its {limit / 2**30:.1f} GiB of memory"
                events += self._end(running, "out_of_memory", reason)
        return events


def delete_checkpoints(folder: Path) -> None:
    """Delete what a trial in this folder could go on from."""
    for scratch in folder.glob("scratch_*"):
        shutil.rmtree(scratch, ignore_errors=True)
