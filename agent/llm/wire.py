"""A LangChain chat model as a Model of ours: one request at a time, in a thread of its own, within its time and size.

The thread is a daemon that nobody has to wait for: past its deadline a request counts as over, whatever it still does.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from automl_gpt.agent.llm.exchange import Abilities, Answer, Failure, Query
from automl_gpt.agent.llm.failures import classify, cut, garbled, no_stream, not_a_model, refused_parameter
from automl_gpt.agent.llm.translate import Incoming, langchain_messages, refusal_in, salvaged
from automl_gpt.agent.llm.transport import WATCH, Watch

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

GRACE_SECONDS = 0.5
"""How long after its deadline a request may still end by itself, with a better reason than that it is late."""
LONGEST_WAIT = 3600.0
OUTPUT_FIELDS = ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens")
Cap = Literal["max_completion_tokens", "max_tokens", "field", "none"]
"""How a request says the most tokens of the answer: by either parameter of OpenAI's protocol, by a field of the
LangChain model, not at all."""


@dataclass(frozen=True)
class Manners:
    """What a server takes in a request, apart from its model's abilities; found out by its refusals.

    `force`: that a tool call is required. `caps`: ways to bound the answer, the one in use first. `roles`: messages of
    the system, and several of one role in a row.
    """

    caps: tuple[Cap, ...]
    force: bool = True
    roles: bool = True

    def after(self, error: BaseException, forced: bool) -> Manners | None:
        """Return how to ask after a refusal; None where asking otherwise would not help."""
        match refused_parameter(error):
            case "tool_choice" if forced:
                return replace(self, force=False)
            case "max_tokens" if len(self.caps) > 1:
                # A value that is too large is a matter of the model's abilities, not of the name.
                too_large = classify(error, "", "").kind == "output"
                return None if too_large else replace(self, caps=self.caps[1:])
            case "roles" if self.roles:
                return replace(self, roles=False)
            case _:
                return None


class LangChainModel:
    """A chat model of LangChain, plugged in. `name` is PROVIDER:MODEL, `endpoint` the host that requests go to.

    `protocol` says that it speaks OpenAI's protocol through a client of ours, whose bytes are watched.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        name: str,
        endpoint: str,
        abilities: Abilities,
        protocol: bool = False,
        caps: tuple[Cap, ...] = ("field", "none"),
    ) -> None:
        self.chat, self.name, self.endpoint, self.abilities = chat, name, endpoint, abilities
        self.protocol = protocol
        self.manners = Manners(caps)

    def send(self, query: Query, seconds: float) -> Sent:
        """Send a request; it fails as a timeout where it is not over after so many seconds."""
        sent = Sent(self, query, seconds)
        threading.Thread(target=sent.run, daemon=True, name="language-model").start()
        return sent

    def pieces(self, query: Query, abilities: Abilities, manners: Manners) -> Generator[Any]:
        """Send a request and yield the pieces of its answer: AIMessageChunk where it streams, else one AIMessage."""
        chat, options = self._capped(query.tokens_out, manners.caps[0])
        bound = self._with_tools(chat, query, manners) if query.mode == "tools" and query.tools else chat
        messages = langchain_messages(query.messages, manners.roles)
        config: Any = {"callbacks": []}
        if not abilities.stream:
            yield bound.invoke(messages, config, **options)
            return
        if self.protocol:
            options["stream_usage"] = abilities.usage
        yield from bound.stream(messages, config, **options)

    def _capped(self, tokens: int, cap: Cap) -> tuple[BaseChatModel, dict[str, Any]]:
        """Return the model, and the options of a request, such that the answer has at most so many tokens."""
        match cap:
            case "max_completion_tokens":
                return self.chat, {"max_tokens": tokens}
            case "max_tokens":
                return self.chat, {"extra_body": {"max_tokens": tokens}}
            case "field":
                named = next((name for name in OUTPUT_FIELDS if name in type(self.chat).model_fields), None)
                return (self.chat.model_copy(update={named: tokens}) if named else self.chat), {}
            case "none":
                return self.chat, {}

    def _with_tools(self, chat: BaseChatModel, query: Query, manners: Manners) -> Any:
        tools = list(query.tools)
        try:
            if forces(query, manners):
                try:
                    return chat.bind_tools(tools, tool_choice="any")
                except (TypeError, ValueError):
                    pass
            return chat.bind_tools(tools)
        except NotImplementedError:
            words = f"{self.name} takes no tool calls: it is asked for JSON in text"
            raise Failure("no_tools", words, "lower", lowered={"tools": False}) from None


def forces(query: Query, manners: Manners) -> bool:
    """Say whether a query requires a tool call: decisions do, a conversation may end in words."""
    return manners.force and query.mode == "tools" and bool(query.tools) and query.purpose != "conversation"


class Sent:
    """A request under way in a thread of its own (`run`); a Pending."""

    def __init__(self, model: LangChainModel, query: Query, seconds: float) -> None:
        self._model, self._query, self._abilities = model, query, model.abilities
        self._watch = Watch(seconds, model.name)
        self._incoming = Incoming(model.name, running=model.protocol)
        self._first_seconds: float | None = None
        self._outcome: Answer | Failure | None = None
        self._lock, self._over = threading.Lock(), threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait at most that long; say whether it is over. Past its deadline it is, even where its thread hangs."""
        left = self._watch.left + GRACE_SECONDS
        if not self._over.wait(max(0.0, min(seconds, left, LONGEST_WAIT))) and self._watch.left + GRACE_SECONDS <= 0:
            self._settle(self._late())
            self._watch.hang_up()
        return self._over.is_set()

    def text(self) -> str:
        """Return what has come so far."""
        return self._incoming.text()

    def cancel(self) -> None:
        """Give it up: its connection is closed, and whatever still comes is not heard."""
        words = f"the request to {self._model.name} was given up"
        if self._settle(Failure("cancelled", words, "never")):
            self._watch.hang_up()

    def answer(self) -> Answer:
        """Return the answer once it is over; Failure where it failed."""
        while not self.wait(math.inf):
            pass
        if isinstance(self._outcome, Answer):
            return self._outcome
        assert self._outcome is not None
        raise self._outcome

    # ----------------------------------------------------------------------------------------------- in its own thread

    def run(self) -> None:
        """Send the request and read its answer, to whatever end."""
        from langsmith import tracing_context

        WATCH.set(self._watch)
        try:
            with tracing_context(enabled=False):
                self._settle(self._exchange())
        except BaseException as error:
            self._settle(self._failure(error))
        finally:
            self._watch.hang_up()

    def _exchange(self) -> Answer:
        """Ask, and ask otherwise where the server does not take how it was asked."""
        while True:
            manners = self._model.manners
            try:
                return self._attempt(manners)
            except Exception as error:
                better = manners.after(error, forces(self._query, manners))
                if better is None or self._watch.left <= 0 or self._watch.hung_up:
                    raise
                self._model.manners = better

    def _attempt(self, manners: Manners) -> Answer:
        self._incoming, self._first_seconds = Incoming(self._model.name, running=self._model.protocol), None
        pieces = self._model.pieces(self._query, self._abilities, manners)
        try:
            for piece in pieces:
                self._take(piece)
        except Exception as error:
            if self._watch.hung_up or not self._all_there(error):
                raise
        finally:
            pieces.close()
        return self._checked()

    def _all_there(self, error: Exception) -> bool:
        """Whether the answer itself is whole, and its reader failed over something else, such as usage figures."""
        if self._abilities.stream:
            return bool(self._incoming.finish)
        unread = self._model.protocol and isinstance(error, ValueError | TypeError)
        if not unread or (message := salvaged(bytes(self._watch.head))) is None:
            return False
        self._incoming.take(message)
        return True

    def _take(self, piece: Any) -> None:
        self._watch.check()
        if not self._abilities.stream:
            self._incoming.take_whole(piece)
            return
        self._incoming.take(piece)
        if self._first_seconds is None and not self._incoming.empty:
            self._first_seconds = self._watch.elapsed

    def _checked(self) -> Answer:
        """Return the answer; Failure where it is not the whole answer of a language model."""
        incoming, model = self._incoming, self._model
        if model.protocol and self._abilities.stream:
            if incoming.empty:
                incoming.refusal = refusal_in(bytes(self._watch.head))
            if not incoming.finish and b"[DONE]" not in self._watch.tail:
                raise self._nothing() or cut(model.name, model.endpoint)
        return self._part()

    def _nothing(self) -> Failure | None:
        """Why a server that did answer sent no event of a stream."""
        head, kind = bytes(self._watch.head), self._watch.content_type
        if not self._incoming.empty or "event-stream" in kind or not head:
            return None
        whole = "json" in kind and b'"choices"' in head
        return (no_stream if whole else not_a_model)(self._model.name, self._model.endpoint)

    # --------------------------------------------------------------------------------------------------------- the end

    def _settle(self, outcome: Answer | Failure) -> bool:
        """Write down how it ended, once."""
        with self._lock:
            if self._outcome is not None:
                return False
            self._outcome = outcome
        self._over.set()
        return True

    def _part(self) -> Answer:
        asked = len(self._query.messages)
        return self._incoming.answer(asked, self._watch.elapsed, self._first_seconds)

    def _failure(self, error: BaseException) -> Failure:
        failure = self._nothing_read(error) or classify(error, self._model.name, self._model.endpoint)
        if failure.kind == "timeout" and self._watch.left <= 0:
            return self._late()
        if failure.kind == "context":
            # What the server says is its limit is no help where we thought to have kept it.
            most = self._query.context * 3 // 4
            failure.lowered["context"] = min(failure.lowered.get("context", self._query.context // 2), most)
        failure.part, failure.seconds = self._part(), self._watch.elapsed
        return failure

    def _nothing_read(self, error: BaseException) -> Failure | None:
        """Why LangChain could not read what a server sent with a status of success."""
        model, head = self._model, bytes(self._watch.head)
        if not model.protocol or not isinstance(error, ValueError | LookupError | TypeError | AttributeError):
            return None
        if self._abilities.stream and self._incoming.pieces == 0 and (found := self._nothing()):
            return found
        if not head:
            return cut(model.name, model.endpoint)
        if self._abilities.stream or b'"choices"' in head or b'"error"' in head:
            return None if b'"error"' in head else garbled(error, model.name, model.endpoint)
        return not_a_model(model.name, model.endpoint)

    def _late(self) -> Failure:
        words = f"{self._model.name} at {self._model.endpoint} gave no whole answer in {self._watch.seconds:.0f} s"
        failure = Failure("timeout", words[:200], "again")
        failure.part, failure.seconds = self._part(), self._watch.elapsed
        return failure
