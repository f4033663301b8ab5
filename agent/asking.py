"""Asking for a decision: the controller, the inspecting tools that it may use first, the validator, the fallback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile

from pydantic import BaseModel

from automl_gpt.agent.decisions import Controller, Decision, Situation, ToolCall, validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.toolbox import TOOLBOX
from automl_gpt.tools.tune.assignment import eligible
from automl_gpt.tools.tune.forecast import is_audit

LOOKUPS = 24
"""At most this many inspecting calls before a decision."""
RESULT_LENGTH = 2000
"""Characters of a look-up's result that the journal keeps."""
SKIPS_IN_A_ROW = 6
"""After so many trials in a row that were predicted to be hopeless, the next one is trained all the same."""


class Asking:
    """Gets decisions for a run. `seconds_left()` tells how long training may still take; None: without a limit."""

    def __init__(
        self, live: LiveRun, controller: Controller, fallback: Controller, seconds_left: Callable[[], float | None]
    ) -> None:
        self._live, self._state = live, live.state
        self._askable = (controller, controller, fallback)
        self._seconds_left = seconds_left
        self._cache: dict[str, object] = {}

    def decide(self, decision: Decision, trials: tuple[Trial, ...] = (), count: int = 1) -> Iterator[e.Event]:
        """Ask the controller, once more with the error, then the built-in one; record what was decided."""
        state, problem = self._state, None
        for attempt, controller in enumerate(self._askable, start=1):
            situation = Situation(
                decision, state, eligible(state), trials, count, self._seconds_left(), problem=problem
            )
            try:
                yield from self._ask(controller, situation)
                return
            except ToolError as error:
                problem = str(error)
                yield from self._live.record(e.DecisionRefused(decision=decision, problem=problem, by=controller.name))
                if attempt == len(self._askable):
                    raise

    def _ask(self, controller: Controller, situation: Situation) -> Iterator[e.Event]:
        state = self._state
        context = Context(self._live.folder, state.request.seed, 1, self._live.journal, state.run, self._cache)
        self._cache.update(state=state, seconds_left=situation.seconds_left)
        for _ in range(LOOKUPS):
            calls = controller.decide(situation)
            if not calls:
                return
            if calls[0].name == situation.decision:
                events = validate(calls[0], situation, controller.name, lambda trial: seed_of(state, trial))
                yield from self._live.record(*self._checked(events))
                return
            for call in calls:
                found = _look(call, context)
                situation.looked.append((call, found))
                yield from self._live.record(_tool_called(call, found, controller.name))
        raise ToolError(f"more than {LOOKUPS} look-ups before the decision")

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


def _look(call: ToolCall, context: Context) -> BaseModel:
    tool = TOOLBOX.get(call.name)
    if tool is None or not tool.inspects:
        names = ", ".join(t.name for t in TOOLBOX.values() if t.inspects)
        raise ToolError(f"{call.name!r} can't be called here; there are: {names}")
    return tool.call(call.arguments, context)


def _tool_called(call: ToolCall, found: BaseModel, by: str) -> e.ToolCalled:
    result = found.model_dump_json()
    cut = result if len(result) <= RESULT_LENGTH else result[:RESULT_LENGTH] + "…"
    return e.ToolCalled(name=call.name, arguments=call.arguments, result=cut, by=by)


def _was_skipped(trial: Trial) -> bool:
    return trial.prediction is not None and (not trial.prediction.train or trial.prediction.audit)
