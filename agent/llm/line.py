"""The line to a language model: every request is in the journal before it is sent, and counted; failures are cured.

What can be cured is repeated within a bound; what cannot leaves the decision to somebody else, and the breaker open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from automl_gpt.agent.clock import Clock
from automl_gpt.agent.decisions import NoDecision, Waiting
from automl_gpt.agent.ledger import Ledger
from automl_gpt.agent.llm.breaker import Breaker
from automl_gpt.agent.llm.exchange import Abilities, Answer, Failure, Model, Pending, Query
from automl_gpt.agent.prompts import PROMPT_VERSION, tokens
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

ATTEMPTS = 4
"""Requests for one answer, at the most."""
COSTLY_ATTEMPTS = 2
"""The same where an answer did not end: the server ignores its limit, and every attempt is paid."""
BACKOFF_SECONDS = 0.5
MORE_TOKENS = 2048
"""What an answer that was cut before it said anything gets more, the next time."""
ANSWER_SECONDS = 120.0
"""How long all requests for one answer may take together."""
LEAST_SECONDS = 1.0
"""With less time than this for an answer none is asked for."""
SMALLEST_CONTEXT = 1024

Steps = Generator[e.Event | Waiting, None, Answer]
Listener = Callable[[str, str], None]
"""Is told who answers, and what has come so far; an empty text where the answer is over."""


def no_listener(_who: str, _text: str) -> None:
    """Hear nothing."""


@dataclass
class Line:
    """A model, the run that it is asked for, and what it may cost."""

    model: Model
    state: RunState
    ledger: Ledger
    clock: Clock
    breaker: Breaker
    listener: Listener = no_listener
    _tried_longer: bool = field(default=False, init=False)

    def ready(self) -> bool:
        """Say whether the model would be asked now."""
        return self.breaker.allows()

    def ask(self, make: Callable[[Abilities], Query], ends: float = math.inf) -> Steps:
        """Return the answer to the query that `make` builds for the model's abilities, by the monotonic time `ends`.

        Yields events to be recorded at once, and pauses. NoDecision where there is no answer to be had.
        """
        if not self.breaker.allows():
            raise NoDecision
        ends, self._tried_longer = min(ends, time.monotonic() + ANSWER_SECONDS), False
        words = f"no time was left to ask {self.model.name}"
        for attempt in range(1, ATTEMPTS + 1):
            if ends - time.monotonic() < LEAST_SECONDS:
                break
            query = self.ledger.fitting(self._with_thought(make(self.model.abilities)))
            if query is None:
                yield from self._give_up(self.ledger.reserve(make(self.model.abilities)) or "", for_good=True)
            else:
                answer = yield from self._attempt(query, ends)
                if isinstance(answer, Answer):
                    return answer
                words = answer.words
                if answer.kind != "length":
                    yield from self._cure(answer, attempt, ends)
        yield from self._give_up(words)
        raise NoDecision

    def _attempt(self, query: Query, ends: float) -> Generator[e.Event | Waiting, None, Answer | Failure]:
        call, began = max(self.state.asked, default=0) + 1, time.monotonic()
        yield self._asked(call, query)
        pending = self.model.send(query, max(LEAST_SECONDS, ends - time.monotonic()))
        try:
            yield from self._listen(pending)
            answer = pending.answer()
        except Failure as failure:
            failure.seconds = time.monotonic() - began
            yield self._failed(call, failure)
            return failure
        finally:
            pending.cancel()
            self.listener(self.model.name, "")
        cut = self._cut_short(query, answer)
        yield self._answered(call, answer, cut)
        yield from self.ledger.warnings()
        if self.breaker.answered():
            yield e.ControllerSwitched(to=self.model.name, reason="it answers again")
        return cut or answer

    def _with_thought(self, query: Query) -> Query:
        """Give a model that thinks before it answers the tokens for it."""
        abilities = self.model.abilities
        most = min(abilities.output, abilities.context - self.ledger.estimate(query)[0])
        return replace(query, tokens_out=max(query.tokens_out, min(query.tokens_out + abilities.thinking, most)))

    def _cut_short(self, query: Query, answer: Answer) -> Failure | None:
        """Return a failure where an answer ended before it said anything, and a longer one may be asked for."""
        if answer.finish != "length" or answer.calls or answer.refusal:
            return None
        abilities = self.model.abilities
        longer = replace(abilities, thinking=max(MORE_TOKENS, 2 * abilities.thinking))
        more = min(longer.output, longer.context // 2)
        if query.tokens_out >= more or self._tried_longer:
            return None
        self.model.abilities, self._tried_longer = longer, True
        words = f"{self.model.name} was cut at {query.tokens_out:,} tokens before it decided; asked again with more"
        return Failure("length", words, "again")

    def _listen(self, pending: Pending) -> Generator[Waiting]:
        while not pending.wait(0):
            yield Waiting(pending.wait)
            text = pending.text()
            self.listener(self.model.name, text or " ")

    def _cure(self, failure: Failure, attempt: int, ends: float) -> Generator[e.Event | Waiting]:
        """Prepare the next attempt, or give up."""
        match failure.cure:
            case "lower" | "shrink" if self._lower(failure):
                return
            case "again" | "later":
                pause = failure.wait if failure.wait is not None else BACKOFF_SECONDS * 2 ** (attempt - 1)
                most = COSTLY_ATTEMPTS if failure.kind == "too_long" else ATTEMPTS
                if attempt < most and time.monotonic() + pause + LEAST_SECONDS < ends:
                    yield from _sleep(pause)
                    return
                yield from self._give_up(failure.words, wait=failure.wait)
            case _:
                # A wrong request says nothing about the next one; a wrong key or model does.
                yield from self._give_up(failure.words, for_good=failure.kind != "bad_request")

    def _lower(self, failure: Failure) -> bool:
        """Ask less of the model from now on; False where it can't be asked for less."""
        before = self.model.abilities
        lowered = dict(failure.lowered)
        if failure.cure == "shrink":
            lowered["context"] = min(int(lowered.get("context") or before.context), before.context * 3 // 4)
        after = Abilities(**{**vars(before), **lowered})
        if after == before or after.context < SMALLEST_CONTEXT:
            return False
        self.model.abilities = after
        return True

    def _give_up(self, reason: str, for_good: bool = False, wait: float | None = None) -> Generator[e.Event | Waiting]:
        pause = self.breaker.failed(for_good, wait)
        again = "" if pause is None else f"; {self.model.name} is tried again in {pause:.0f} s"
        yield e.ControllerSwitched(to="builtin", reason=f"{reason}{again}")
        raise NoDecision

    # ------------------------------------------------------------------------------------------------------- events

    def _asked(self, call: int, query: Query) -> e.LLMAsked:
        tokens, cost = self.ledger.estimate(query)
        return e.LLMAsked(
            call=call,
            purpose=query.purpose,
            model=self.model.name,
            mode=query.mode,
            context_tokens=query.context,
            output_tokens=self.model.abilities.output,
            prompt_version=PROMPT_VERSION,
            messages=query.messages,
            tools=query.tools,
            tokens_in=tokens,
            tokens_out=query.tokens_out,
            cost_usd=cost,
            at_seconds=self.clock.elapsed(),
        )

    def _answered(self, call: int, answer: Answer, cut: Failure | None = None) -> e.LLMAnswered:
        counted = answer.tokens_in is not None and answer.tokens_out is not None
        tokens_in, tokens_out = self._figures(call, answer)
        return e.LLMAnswered(
            call=call,
            model=answer.model,
            text=answer.refusal or answer.text,
            calls=answer.calls,
            finish="refusal" if answer.refusal else answer.finish,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=min(answer.tokens_cached, tokens_in),
            counted=counted,
            cost_usd=self.ledger.cost(tokens_in, min(answer.tokens_cached, tokens_in), tokens_out),
            seconds=answer.seconds,
            first_seconds=answer.first_seconds,
            failure=cut.kind if cut else "",
            words=cut.words if cut else "",
        )

    def _failed(self, call: int, failure: Failure) -> e.LLMAnswered:
        billed = failure.kind in ("cut", "timeout", "too_long", "garbled", "unknown")
        tokens_in, tokens_out = self._figures(call, failure.part) if billed else (0, 0)
        return e.LLMAnswered(
            call=call,
            text=failure.part.text[:2000],
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_usd=self.ledger.cost(tokens_in, 0, tokens_out) if billed else 0.0,
            seconds=failure.seconds,
            failure=failure.kind,
            words=failure.words,
        )

    def _figures(self, call: int, answer: Answer) -> tuple[int, int]:
        """Return the tokens in and out: the server's figures, else our estimate."""
        tokens_in = self.state.asked[call].tokens_in if answer.tokens_in is None else answer.tokens_in
        if answer.tokens_out is not None:
            return tokens_in, answer.tokens_out
        return tokens_in, tokens(answer.text + "".join(f"{c.name}{c.arguments}{c.raw}" for c in answer.calls))


def _sleep(seconds: float) -> Generator[Waiting]:
    ends = time.monotonic() + seconds

    def wait(most: float) -> bool:
        time.sleep(max(0.0, min(most, ends - time.monotonic())))
        return time.monotonic() >= ends

    while time.monotonic() < ends:
        yield Waiting(wait)
