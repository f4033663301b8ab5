"""Asking for a decision: the controller, the inspecting tools that it may use first, the validator, the fallback."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import takewhile

from pydantic import BaseModel

from automl_gpt.agent.decisions import Controller, Decision, NoDecision, Situation, Step, ToolCall
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.toolbox import TOOLBOX
from automl_gpt.tools.tune.assignment import eligible
from automl_gpt.tools.tune.forecast import forecast, is_audit

LOOKUPS = 24
"""At most this many rounds of inspecting calls before a decision."""
RESULT_LENGTH = 2000
"""Characters of a look-up's result that the journal keeps."""
PROBLEM_LENGTH = 600
"""Characters of the reason for a refusal: it may repeat what a model wrote."""
SKIPS_IN_A_ROW = 6
"""After so many trials in a row that were predicted to be hopeless, the next one is trained all the same."""


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

    def decide(self, decision: Decision, trials: tuple[Trial, ...] = (), count: int = 1) -> Iterator[Step]:
        """Ask the controller, once more with the error, then the fallback; record what was decided."""
        problem, askable = None, [self.controller, self.controller, self.fallback]
        while askable:
            controller = askable.pop(0)
            situation = self._situation(decision, trials, count, problem)
            try:
                yield from self._ask(controller, situation)
                return
            except ToolError as error:
                problem = str(error)[:PROBLEM_LENGTH]
                yield from self._live.record(e.DecisionRefused(decision=decision, problem=problem, by=controller.name))
                if not askable:
                    raise
                if askable == [self.fallback]:
                    yield from self._live.record(*controller.judged(False))
            except NoDecision:
                problem, askable = None, [self.fallback]

    def decide_alone(self, decision: Decision, trials: tuple[Trial, ...] = (), count: int = 1) -> Iterator[Step]:
        """Let the fallback decide, whoever the controller is."""
        yield from self._ask(self.fallback, self._situation(decision, trials, count, None))

    def _situation(self, decision: Decision, trials: tuple[Trial, ...], count: int, problem: str | None) -> Situation:
        state = self._state
        return Situation(decision, state, eligible(state), trials, count, self._seconds_left(), problem=problem)

    def _ask(self, controller: Controller, situation: Situation) -> Iterator[Step]:
        state = self._state
        named = None if controller is self.fallback else ()
        context = Context(
            self._live.folder, state.request.seed, 1, self._live.journal, state.run, self._cache, named=named
        )
        self._cache.update(state=state, seconds_left=situation.seconds_left)
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
                found = _look(call, situation, context)
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
                if isinstance(step, e.Record):
                    yield from self._live.record(step)
                else:
                    yield step
        except StopIteration as end:
            calls: list[ToolCall] = end.value
            return calls
        finally:
            answer.close()

    def _decided(self, controller: Controller, situation: Situation, call: ToolCall) -> list[e.Event]:
        events = validate(call, situation, controller.name, lambda trial: seed_of(self._state, trial))
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


def _asked(situation: Situation, by: str) -> e.DecisionAsked:
    return e.DecisionAsked(
        decision=situation.decision,
        trials=tuple(t.number for t in situation.trials),
        count=situation.count,
        seconds_left=situation.seconds_left,
        problem=situation.problem,
        by=by,
    )


def _look(call: ToolCall, situation: Situation, context: Context) -> BaseModel:
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
