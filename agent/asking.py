"""Asking for a decision: the controller, the inspecting tools that it may use first, the validator, the fallback."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import takewhile

from pydantic import BaseModel

from automl_gpt.agent.decisions import Controller, Decision, NoDecision, Situation, Step, ToolCall, Waiting
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.toolbox import TOOLBOX
from automl_gpt.tools.tune.forecasts.forecast import forecast, is_audit
from automl_gpt.tools.tune.search.assignment import eligible

LOOKUPS = 24
"""At most this many rounds of inspecting calls before a decision."""
RESULT_LENGTH = 2000
"""Characters of a look-up's result that the journal keeps."""
PROBLEM_LENGTH = 600
"""Characters of the reason for a refusal: it may repeat what a model wrote."""
SKIPS_IN_A_ROW = 6
"""After so many trials in a row that were predicted to be hopeless, the next one is trained all the same."""
BESIDE_SHARE, IDLE_SHARE = 0.5, 0.1
"""Share of the time left that one decision may take, look-ups and a second try included: while training can go on
beside it, and while the machine idles for it."""
DECISION_SECONDS, LEAST_SECONDS = 300.0, 2.0
"""What it may take at the most, and at the least; with less time left than that nobody is asked who takes time."""

GRACE_SECONDS = 2.0
"""How long after its time a controller may still say why it did not decide."""


class _Replaced(Exception):
    """Another controller was named while this one was thinking."""


class Asking:
    """Gets decisions for a run. `seconds_left()` tells how long training may still take; None: without a limit.

    `controller` is asked, and `fallback` where it fails; the latter always decides, and at once.
    """

    def __init__(
        self, live: LiveRun, controller: Controller, fallback: Controller, seconds_left: Callable[[], float | None]
    ) -> None:
        self.controller, self.fallback = controller, fallback
        self._live, self._state = live, live.state
        self._seconds_left = seconds_left
        self._cache: dict[str, object] = {}

    def hybrid(self) -> bool:
        """Say whether the optimiser has a share of every batch now."""
        return self.controller.hybrid and self.controller.ready()

    def decide(
        self, decision: Decision, trials: tuple[Trial, ...] = (), count: int = 1, share: float = BESIDE_SHARE
    ) -> Generator[Step]:
        """Ask the controller, once more with the error, then the fallback; record what was decided.

        `share` of the time left is what that may take. A controller that is replaced meanwhile is not waited for, and
        of `trials` only those count that nobody took back or predicted meanwhile.
        """
        problem, askable, ends = None, self._askable(), time.monotonic() + self._patience(share)
        while askable:
            controller = askable.pop(0)
            still = tuple(t for t in trials if t.status == "proposed")
            if trials and not still:
                return
            situation = self._situation(decision, still, count, problem, ends)
            try:
                yield from self._ask(controller, situation)
                return
            except ToolError as error:
                problem = str(error)[:PROBLEM_LENGTH]
                last = askable == [self.fallback]
                yield from self._live.record(
                    e.DecisionRefused(decision=decision, problem=problem, by=controller.name, last=last)
                )
                if not askable:
                    raise
                if last:
                    yield from self._live.record(*controller.judged(False))
            except NoDecision:
                problem, askable = None, [self.fallback]
            except _Replaced:
                problem, askable = None, self._askable()

    def decide_alone(self, decision: Decision, trials: tuple[Trial, ...] = (), count: int = 1) -> Generator[Step]:
        """Let the fallback decide, whoever the controller is."""
        yield from self._ask(self.fallback, self._situation(decision, trials, count))

    def _askable(self) -> list[Controller]:
        """Return who is asked, one after the other."""
        left = self._seconds_left()
        late = left is not None and left < LEAST_SECONDS and self.controller.hybrid
        return [self.fallback] if late else [self.controller, self.controller, self.fallback]

    def _patience(self, share: float) -> float:
        left = self._seconds_left()
        return DECISION_SECONDS if left is None else min(DECISION_SECONDS, max(LEAST_SECONDS, share * left))

    def _situation(
        self,
        decision: Decision,
        trials: tuple[Trial, ...],
        count: int,
        problem: str | None = None,
        ends: float = math.inf,
    ) -> Situation:
        state, left = self._state, self._seconds_left()
        return Situation(decision, state, eligible(state), trials, count, left, problem=problem, ends=ends)

    def _ask(self, controller: Controller, situation: Situation) -> Generator[Step]:
        state = self._state
        named = None if controller is self.fallback else ()
        context = Context(
            self._live.folder, state.request.seed, 1, self._live.journal, state.run, self._cache, named=named
        )
        if controller is not self.fallback:
            yield from self._live.record(_asked(situation, controller.name))
        for _ in range(LOOKUPS):
            calls = yield from self._calls(controller, situation)
            if not calls:
                return
            if calls[0].name == situation.decision:
                yield from self._live.record(*self._decided(controller, situation, calls[0]))
                yield from self._live.record(*controller.judged(True))
                return
            for call in calls:
                # Somebody else may have decided while this controller was thinking.
                self._cache.update(state=state, seconds_left=situation.seconds_left)
                found = look_up(call, situation, context)
                situation.looked.append((call, found))
                yield from self._live.record(_tool_called(call, found, controller.name))
        raise ToolError(f"more than {LOOKUPS} look-ups before the decision")

    def _calls(self, controller: Controller, situation: Situation) -> Generator[Step, None, list[ToolCall]]:
        """Return the controller's calls; its events are recorded as they come, its pauses handed on."""
        answer = controller.decide(situation)
        if isinstance(answer, list):
            return answer
        try:
            while True:
                step = next(answer)
                if isinstance(step, Waiting):
                    yield step
                    self._check_still_wanted(controller, situation)
                else:
                    yield from self._live.record(step)
        except StopIteration as end:
            calls: list[ToolCall] = end.value
            return calls
        finally:
            answer.close()

    def _check_still_wanted(self, controller: Controller, situation: Situation) -> None:
        """End the waiting for a controller that was replaced meanwhile, or does not heed when it has to decide."""
        if controller not in (self.controller, self.fallback):
            raise _Replaced
        if time.monotonic() > situation.ends + GRACE_SECONDS:
            raise NoDecision

    def _decided(self, controller: Controller, situation: Situation, call: ToolCall) -> list[e.Event]:
        events = decided(call, situation, controller.name)
        if controller is self.fallback:
            return self._checked(events)
        shadows = [_shadow(self._state, event) for event in events if isinstance(event, e.TrialPredicted)]
        return [*shadows, *self._checked(events)]

    def _checked(self, events: list[e.Event]) -> list[e.Event]:
        """Let one in ten of the hopeless trials, and one after many in a row, train all the same."""
        judged = [t for t in self._state.ordered() if t.prediction is not None]
        skipped = sum(_was_skipped(t) for t in judged)
        row = len(list(takewhile(lambda t: t.status == "skipped", reversed(judged))))
        checked: list[e.Event] = []
        for event in events:
            if isinstance(event, e.TrialPredicted) and not event.train:
                left = self._seconds_left()
                fits = left is None or event.seconds <= left
                if (fits and is_audit(skipped, self._state.request.seed)) or row >= SKIPS_IN_A_ROW:
                    event = event.model_copy(update={"train": True, "audit": True})
                else:
                    row += 1
                skipped += 1
            checked.append(event)
        return checked


def seed_of(state: RunState, trial: int) -> int:
    """Return the seed of a trial, from the run's seed and its number: the same after a resume."""
    return (state.request.seed * 1_000_003 + trial * 7_919) % 2**31


def decided(call: ToolCall, situation: Situation, by: str) -> list[e.Event]:
    """Return what a call comes to as the run is now, which may have gone on since the situation; ToolError if invalid.

    A trial that was taken back or predicted meanwhile is left out.
    """
    state = situation.state
    now = replace(situation, eligible=eligible(state))
    events = validate(call, now, by, lambda trial: seed_of(state, trial))
    return [x for x in events if not isinstance(x, e.TrialPredicted) or state.trials[x.trial].status == "proposed"]


def _asked(situation: Situation, by: str) -> e.DecisionAsked:
    return e.DecisionAsked(
        decision=situation.decision,
        trials=tuple(t.number for t in situation.trials),
        count=situation.count,
        seconds_left=situation.seconds_left,
        problem=situation.problem,
        by=by,
    )


def look_up(call: ToolCall, situation: Situation, context: Context) -> BaseModel:
    """Return what an inspecting tool answers; ToolError for another tool, and for the same call once more."""
    tool = TOOLBOX.get(call.name)
    if tool is None or not tool.inspects:
        names = ", ".join(t.name for t in TOOLBOX.values() if t.inspects)
        raise ToolError(f"{call.name[:60]!r} can't be called here; there are: {names}")
    if any(call == before for before, _ in situation.looked):
        raise ToolError(f"{call.name} was called with these arguments already: decide now, by {situation.decision}")
    return tool.call(call.arguments, context)


def _tool_called(call: ToolCall, found: BaseModel, by: str) -> e.ToolCalled:
    result = found.model_dump_json()
    cut = result if len(result) <= RESULT_LENGTH else result[:RESULT_LENGTH] + "…"
    return e.ToolCalled(name=call.name, arguments=call.arguments, result=cut, by=by)


def _shadow(state: RunState, event: e.TrialPredicted) -> e.ShadowPredicted:
    """Return what the built-in forecast says of the trial: computed before anything of it is known."""
    trial = state.trials[event.trial]
    said = forecast(state, state.model_cards[trial.model], trial.hyperparameters)
    return e.ShadowPredicted(
        trial=event.trial, log=said.log, value=said.value, low=said.low, high=said.high, seconds=said.seconds
    )


def _was_skipped(trial: Trial) -> bool:
    return trial.prediction is not None and (not trial.prediction.train or trial.prediction.audit)
