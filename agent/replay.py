"""Repeats a run's decisions from its recorded answers, with no network, and names where they come out differently.

The state is folded from the events one by one. At every request to a language model the request is rendered anew and
compared with the recorded one; every recorded answer is read and validated anew, and what it decides is compared with
what was decided then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from automl_gpt.agent.asking import PROBLEM_LENGTH, decided, look_up
from automl_gpt.agent.decisions import Decision, Situation, ToolCall
from automl_gpt.agent.llm.controller import calls_of, query_for
from automl_gpt.agent.llm.exchange import Abilities, Answer
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.redact import redact
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.search.assignment import eligible

SHOWN = 160
"""Characters of a difference that are shown of each side."""
FREE = ("train", "audit", "seed", "last")
"""What depends on the clock, or is no decision: not compared."""
DECIDED = (e.ModelsAssigned, e.TrialProposed, e.TrialPredicted, e.Revised, e.FinishDecided, e.ToolCalled)


@dataclass
class Replay:
    """What a replay found: requests and decisions compared, and each difference in one line."""

    run: str
    calls: int = 0
    decisions: int = 0
    differences: list[str] = field(default_factory=list[str])

    @property
    def matches(self) -> bool:
        """Whether everything came out the same."""
        return not self.differences

    def words(self) -> str:
        """Return what was found, in one line."""
        if not self.calls:
            return f"{self.run}: no language model was asked, so there is nothing to replay"
        what = f"{self.run}: {self.calls} requests and {self.decisions} decisions replayed"
        return f"{what}: all the same" if self.matches else f"{what}: {len(self.differences)} differ"


def replay(run: str, events: Iterable[e.Event]) -> Replay:
    """Replay a run from its events, in order."""
    stream = iter(events)
    first = next(stream)
    assert isinstance(first, e.RunStarted), f"run {run} does not begin with its start"
    replaying = _Replaying(run, RunState(run, first, first.request))
    for event in stream:
        replaying.take(event)
    return replaying.found


class _Replaying:
    def __init__(self, run: str, state: RunState) -> None:
        self.found, self.state = Replay(run), state
        self._situation: Situation | None = None
        self._name = ""
        self._abilities = Abilities()
        self._call = 0
        self._answer: Answer | None = None
        self._expected: list[e.Event] = []
        self._cache: dict[str, Any] = {}

    def take(self, event: e.Event) -> None:
        """Compare an event with what is expected, then fold it into the state."""
        match event:
            case e.DecisionAsked():
                self._situation, self._name = self._again(event), event.by
            case e.LLMAsked() if event.purpose != "conversation" and self._situation is not None:
                self._asked(event, self._situation)
            case e.LLMAnswered() if not event.failure and event.call == self._call and self._situation is not None:
                self._answered(event)
            case _:
                self._compare(event)
        self.state.apply(event)

    def _again(self, event: e.DecisionAsked) -> Situation:
        trials = tuple(self.state.trials[n] for n in event.trials if n in self.state.trials)
        return Situation(
            cast(Decision, event.decision), self.state, eligible(self.state), trials, event.count,
            event.seconds_left, problem=event.problem,
        )  # fmt: skip

    def _asked(self, event: e.LLMAsked, situation: Situation) -> None:
        self._call, self.found.calls = event.call, self.found.calls + 1
        self._abilities = Abilities(event.context_tokens, event.output_tokens, event.mode == "tools")
        query = query_for(replace(situation, looked=list(situation.looked)), self._abilities)
        before = [*(m.text for m in event.messages), *(str(t) for t in event.tools)]
        now = [redact(text) for text in (*(m.text for m in query.messages), *(str(t) for t in query.tools))]
        if before != now:
            self._differs(f"request {event.call} ({event.purpose})", *_first_difference(before, now))

    def _answered(self, event: e.LLMAnswered) -> None:
        """Keep the answer: what it decides depends on the run as it is when the decision is made."""
        refusal = event.text if event.finish == "refusal" else ""
        self._answer, self._expected = Answer(event.text, event.calls, event.finish, event.model, refusal), []

    def _outcome(self, answer: Answer, situation: Situation) -> list[e.Event]:
        """Return what follows from an answer: the decision's events, or the look-ups, then what is refused of it."""
        found: list[e.Event] = []
        try:
            calls = calls_of(answer, situation, self._abilities)
            if calls[0].name == situation.decision:
                self.found.decisions += 1
                return decided(calls[0], situation, self._name)
            for call in calls:
                found.append(self._looked(call, situation))
        except ToolError as error:
            problem = redact(str(error)[:PROBLEM_LENGTH])
            found.append(e.DecisionRefused(decision=situation.decision, problem=problem, by=self._name))
        return found

    def _looked(self, call: ToolCall, situation: Situation) -> e.Event:
        self._cache.update(state=self.state, seconds_left=situation.seconds_left)
        context = Context(Path(), self.state.request.seed, cache=self._cache, named=())
        situation.looked.append((call, look_up(call, situation, context)))
        return e.ToolCalled(name=call.name, arguments=call.arguments, result="", by=self._name)

    def _compare(self, event: e.Event) -> None:
        if not isinstance(event, (*DECIDED, e.DecisionRefused)) or event.by != self._name:
            return
        if self._answer is not None and self._situation is not None:
            self._expected, self._answer = self._outcome(self._answer, self._situation), None
        if not self._expected:
            return
        expected = self._expected.pop(0)
        before, now = _facts(event), _facts(expected)
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                where = f"decision after request {self._call}, {event.kind}: {name}"
                self._differs(where, str(before.get(name)), str(now.get(name)))
                return

    def _differs(self, where: str, before: str, now: str) -> None:
        self.found.differences.append(f"{where}: recorded {before[:SHOWN]!r}, replayed {now[:SHOWN]!r}")


def _facts(event: e.Event) -> dict[str, Any]:
    """Return what is compared of an event."""
    facts = event.model_dump(mode="json")
    drop = (*FREE, "result") if isinstance(event, e.ToolCalled) else FREE
    return {name: value for name, value in facts.items() if name not in drop}


def _first_difference(before: list[str], now: list[str]) -> tuple[str, str]:
    """Return the first lines that differ, the recorded one and the new one."""
    lines = [line for text in before for line in text.splitlines()]
    others = [line for text in now for line in text.splitlines()]
    for old, new in zip(lines, others, strict=False):
        if old != new:
            return old, new
    if len(lines) > len(others):
        return lines[len(others)], "(nothing)"
    return "(nothing)", others[len(lines)] if len(others) > len(lines) else "(other calls)"
