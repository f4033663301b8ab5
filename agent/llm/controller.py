"""LLMController: renders the paragraph, asks a language model, reads the calls from its answer."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator

from automl_gpt.agent.decisions import NoDecision, Situation, Step, Thinking, ToolCall, Waiting
from automl_gpt.agent.llm.answers import read_calls
from automl_gpt.agent.llm.exchange import Abilities, Answer, Query
from automl_gpt.agent.llm.line import Line
from automl_gpt.agent.prompts import offer, query
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.redact import redact

LOOKUPS = 6
"""Inspecting calls that a model may make before a decision."""
PLUG_SECONDS = 60.0
"""How long plugging a model in may take."""
WORDS_LENGTH = 300


class LLMController:
    """Decides by a language model. Where that fails it raises NoDecision, after an event that says why.

    `connect` makes the line to the model; it imports much, so it is called in a thread while the data are prepared.
    """

    hybrid = True

    def __init__(self, name: str, connect: Callable[[], Line]) -> None:
        self.name = name
        self._connect = connect
        self._line: Line | None = None
        self._problem = self._told = ""
        self._late = time.monotonic() + PLUG_SECONDS
        self._opening = threading.Thread(target=self._open, daemon=True, name="plugging-in")
        self._opening.start()

    def _open(self) -> None:
        try:
            self._line = self._connect()
        except UserError as error:
            self._problem = str(error)
        except Exception as error:
            # Whatever a provider's package does wrong costs a line on the screen, and not the run.
            words = " ".join(f"{self.name} can't be plugged in: {type(error).__name__}: {error}".split())
            self._problem = redact(words)[:WORDS_LENGTH]

    def _over(self, seconds: float) -> bool:
        self._opening.join(max(0.0, seconds))
        return not self._opening.is_alive()

    def line(self, ends: float = math.inf) -> Generator[Step, None, Line]:
        """Return the line once it is there, by the monotonic time `ends`.

        NoDecision, after an event that says why, once for each reason, where there is none.
        """
        while not self._over(0) and time.monotonic() < min(ends, self._late):
            yield Waiting(self._over)
        if self._line is None:
            problem = self._problem or f"{self.name} is not plugged in yet"
            if problem != self._told:
                self._told = problem
                yield e.ControllerSwitched(to="builtin", reason=problem)
            raise NoDecision
        return self._line

    def plugged(self) -> Line | None:
        """Return the line if it is there already."""
        return self._line

    def ready(self) -> bool:
        """Say whether the model would be asked now."""
        if self._line is not None:
            return self._line.ready()
        return self._opening.is_alive() and time.monotonic() < self._late

    def decide(self, situation: Situation) -> Thinking:
        """Ask the model for the decision."""
        line = yield from self.line(situation.ends)
        asked = line.model.abilities

        def made(abilities: Abilities) -> Query:
            # A conversation beside it may lower them before the answer comes.
            nonlocal asked
            asked = abilities
            return query_for(situation, abilities)

        answer = yield from line.ask(made, situation.ends)
        return calls_of(answer, situation, asked)

    def judged(self, valid: bool) -> tuple[e.Event, ...]:
        """Hear whether a decision counted; after too many that did not, the model is left alone for a while."""
        if self._line is None:
            return ()
        if valid and self._line.breaker.decided():
            return (e.ControllerSwitched(to=self.name, reason="it makes valid decisions again"),)
        if not valid and (pause := self._line.breaker.invalid()) is not None:
            words = f"{self.name} made no valid decision several times in a row; it is tried again in {pause:.0f} s"
            return (e.ControllerSwitched(to="builtin", reason=words),)
        return ()


def query_for(situation: Situation, abilities: Abilities) -> Query:
    """Return the request for a decision; once enough was looked up, only the decision's own tool is offered."""
    return query(situation, abilities, lookups=len(situation.looked) < LOOKUPS)


def calls_of(answer: Answer, situation: Situation, abilities: Abilities) -> list[ToolCall]:
    """Return the calls of an answer; ToolError where it has none that count."""
    return read_calls(answer, offer(situation, abilities, lookups=len(situation.looked) < LOOKUPS), abilities.mode)
