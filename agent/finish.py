"""The end of a run: the ensemble where it helps, one look at the test split, the delivered model, the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from automl_gpt.agent.asking import IDLE_SHARE
from automl_gpt.agent.controller import Loop
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.process.client import TaskFailed
from automl_gpt.tools.train.pool import delete_checkpoints

PATIENCE_SECONDS = 120.0
"""How long a step of the end may take at the most before it counts as broken."""
PATIENT_SECONDS = 30.0
"""With less time than this, no language model is asked how to finish."""
LEAST_SECONDS = 0.3
"""What the report gets where the budget is spent already."""


class Finisher:
    """Ends the run that a loop drove. Every step is in the journal before the next one begins, so a resume goes on."""

    def __init__(self, loop: Loop) -> None:
        self._loop, self._state = loop, loop.state
        self._record = loop.live.record

    def finish(self) -> Iterator[e.Event]:
        """Decide on the ensemble, deliver, look at the test split once, report. A stop ends only the deciding."""
        state = self._state
        if not any(t.complete for t in state.done()):
            yield from self._nothing()
            return
        if state.finishing is None:
            left, asking = self._loop.clock.left(), self._loop.asking
            patient = left is None or left > PATIENT_SECONDS
            deciding = asking.decide("finish", share=IDLE_SHARE) if patient else asking.decide_alone("finish")
            yield from self._loop.patiently(deciding)
            if self._loop.stop.is_set():
                return
        if state.ensemble is None:
            yield from self._choose(state.finishing is None or state.finishing.ensemble)
            yield from self._warn_of_no_gain()
        if state.test is None and state.need_profile().rows_test:
            yield from self._look()
        yield from self._record(self._ended())
        for trial in state.trials:
            delete_checkpoints(self._loop.live.folder / "trials" / f"{trial:04d}")
        left = self._loop.clock.left()
        try:
            self._call("report", PATIENCE_SECONDS if left is None else max(left, LEAST_SECONDS))
        except (TaskFailed, TimeoutError, UserError) as error:
            # The model is delivered; a report can be written again at any time.
            text = f"the report could not be written ({error}): `automl-gpt report {self._state.run}` tries again"
            yield from self._record(e.Warned(text=text))

    def _warn_of_no_gain(self) -> Iterator[e.Event]:
        state = self._state
        chosen, base = state.ensemble, state.baseline()
        if chosen is None or base is None or base.value is None or [m.trial for m in chosen.members] == [base.number]:
            return
        metric = state.need_metric()
        if not metric.better(chosen.value, base.value):
            text = (
                f"no model is better than the baseline, {metric.name} {base.value:.4g} with nothing learned: the inputs"
            )
            yield from self._record(e.Warned(text=f"{text} may not tell the target, or the time was too short"))

    def _choose(self, ensemble: bool) -> Iterator[e.Event]:
        """Choose and deliver; where an ensemble takes longer than there is time, the best single model."""
        left = self._loop.clock.left()
        try:
            chosen = self._call("ensemble", PATIENCE_SECONDS if left is None else max(left, 1.0), ensemble=ensemble)
        except TimeoutError:
            yield from self._record(
                e.Warned(text="no time was left for an ensemble: the best single model is delivered")
            )
            chosen = self._call("ensemble", ensemble=False)
        yield from self._record(e.EnsembleChosen.model_validate(chosen))

    def _look(self) -> Iterator[e.Event]:
        """Evaluate on the test split. The look is counted over all runs on the same data."""
        looks = self._loop.live.journal.looks(self._state.need_profile().fingerprint)
        left = self._loop.clock.left()
        try:
            found = self._call("test", PATIENCE_SECONDS if left is None else max(left, 1.0))
        except TimeoutError:
            yield from self._record(e.Warned(text="no time was left to score the test split: give more with --time"))
            return
        yield from self._record(e.TestLooked.model_validate({**found, "look": looks + 1}))
        if looks:
            yield from self._record(
                e.Warned(text=f"this test split was looked at {looks + 1} times by now: its score flatters a little")
            )

    def _call(self, task: str, seconds: float = PATIENCE_SECONDS, **more: Any) -> dict[str, Any]:
        left = self._loop.clock.left()
        arguments = {
            "url": self._loop.live.journal.url,
            "home": str(self._loop.live.journal.folder),
            "run": self._state.run,
            "seconds_left": left,
            **more,
        }
        return self._loop.server.call(task, arguments, self._loop.live.folder / "finish.log", seconds)

    def _nothing(self) -> Iterator[e.Event]:
        reasons = [t.end.reason for t in self._state.ordered() if t.end is not None and t.end.reason]
        why = reasons[-1] if reasons else "the budget ended before any trial finished: give more time"
        yield from self._record(self._end("no_trials", why))

    def _ended(self) -> e.RunFinished:
        state = self._state
        real = any(t.complete and t.model != TRIVIAL for t in state.done())
        if state.finishing is not None and state.finishing.by == "person":
            return self._end("stopped", state.finishing.reason)
        last = state.revisions[-1] if state.revisions else None
        if last is not None and last.action == "finish":
            return self._end("finished", last.reason)
        if not real:
            return self._end("budget", "no real model was complete in time: the trivial baseline is delivered")
        limit, ended = state.request.budget.trials, sum(t.end is not None for t in state.ordered())
        counted = limit is not None and ended >= limit
        return self._end("budget", f"the {limit} trials are trained" if counted else "the time for training is spent")

    def _end(self, status: Literal["finished", "budget", "stopped", "no_trials"], reason: str) -> e.RunFinished:
        state = self._state
        name, hyperparameters = delivered(state)
        return e.RunFinished(
            status=status,
            model=name,
            hyperparameters=hyperparameters,
            valid=state.ensemble.value if state.ensemble else None,
            test=state.test.value if state.test else None,
            trials=sum(t.end is not None for t in state.ordered()),
            seconds=self._loop.clock.elapsed(),
            scorecard=scorecard(state),
            artifact="model" if state.ensemble else None,
            report="report.html" if state.ensemble else None,
            reason=reason,
        )


def delivered(state: RunState) -> tuple[str, dict[str, Any]]:
    """Return the name of the delivered model and the hyperparameters of its (heaviest) member."""
    if state.ensemble is None:
        return "none", {}
    members = sorted(state.ensemble.members, key=lambda m: -m.weight)
    first = state.trials[members[0].trial]
    if len(members) == 1:
        return first.model, dict(first.hyperparameters)
    models = sorted({state.trials[m.trial].model for m in members})
    return f"ensemble of {len(members)}: {', '.join(models)}", dict(first.hyperparameters)
