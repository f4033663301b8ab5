"""Between our records and LangChain's messages: what is sent, and what is gathered from an answer as it comes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from automl_gpt.agent.llm.exchange import Answer, Failure
from automl_gpt.tools.journal.events import Call, Message

LONGEST_TEXT = 400_000
"""The most characters of text and arguments of an answer."""
MOST_PIECES = 20_000
MOST_CALLS = 64
MOST_TOKENS = 10_000_000
RAW_SHOWN = 2000
FINISHES = {
    "stop": ("stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed", "end"),
    "tool_calls": ("tool_calls", "tool_use", "tool_call", "function_call"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "content_filter": (
        *("content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content"),
        *("spii", "guardrail_intervened", "error_toxic"),
    ),
}
FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason", "stopReason")


def langchain_messages(messages: Sequence[Message], roles: bool = True) -> list[Any]:
    """Return messages as LangChain's. Without `roles` the server takes only user and assistant, in turns.

    Then the system's words open the person's first message, and neighbours of one role become one message.
    """
    if not roles:
        messages = _in_turns(messages)
    return [_langchain_message(message) for message in messages]


def _langchain_message(message: Message) -> Any:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    match message.role:
        case "system":
            return SystemMessage(message.text)
        case "user":
            return HumanMessage(message.text)
        case "tool":
            return ToolMessage(message.text, tool_call_id=message.call_id)
        case "assistant":
            return AIMessage(message.text, tool_calls=[_sent_back(call) for call in message.calls])


def _sent_back(call: Call) -> Any:
    # Servers parse the arguments that they are sent back, so what was no JSON goes back within some.
    arguments = {"invalid_json": call.raw[:RAW_SHOWN]} if call.raw else call.arguments
    return {"type": "tool_call", "id": call.id, "name": call.name, "args": arguments}


def _in_turns(messages: Sequence[Message]) -> list[Message]:
    merged: list[Message] = []
    for message in messages:
        plain = message.model_copy(update={"role": "user"}) if message.role == "system" else message
        before = merged[-1] if merged else None
        if before is not None and before.role == plain.role and plain.role in ("user", "assistant"):
            text, calls = f"{before.text}\n\n{plain.text}".strip(), before.calls + plain.calls
            merged[-1] = before.model_copy(update={"text": text, "calls": calls})
        else:
            merged.append(plain)
    return merged


@dataclass
class _CallInParts:
    """A tool call as it comes: its arguments in pieces, or whole."""

    index: object
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    arguments: dict[str, Any] | None = None

    def call(self, id: str) -> Call:
        raw = "".join(self.pieces)
        arguments = self.arguments if self.arguments is not None else _object(raw)
        name = _clean_text(self.name)[:200]
        if arguments is None:
            return Call(id=self.id or id, name=name, raw=_clean_text(raw))
        return Call(id=self.id or id, name=name, arguments=arguments)


class Incoming:
    """An answer of the model `asked`, as it comes, within bounds.

    With `running` usage figures of a later piece replace earlier ones; else they add up, as is LangChain's convention.
    """

    def __init__(self, asked: str, running: bool) -> None:
        self.asked, self.running = asked, running
        self.finish = self.model = self.refusal = ""
        self.pieces = 0
        self._texts: list[str] = []
        self._calls: list[_CallInParts] = []
        self._characters = 0
        self._usage: dict[str, Any] = {}

    def text(self) -> str:
        """Return the text so far."""
        return _clean_text("".join(list(self._texts)))

    @property
    def empty(self) -> bool:
        """Whether nothing has come that says anything."""
        return not (self._texts or self._calls or self.refusal)

    def take(self, message: Any) -> None:
        """Take a piece of a streamed answer (an AIMessageChunk); Failure where it is too much."""
        self.pieces += 1
        if self.pieces > MOST_PIECES:
            raise Failure("too_long", f"the answer of {self.asked} comes in more than {MOST_PIECES:,} pieces", "again")
        self._take_text(message)
        for chunk in getattr(message, "tool_call_chunks", None) or ():
            self._take_chunk(chunk)
        self._take_rest(message)

    def take_whole(self, message: Any) -> None:
        """Take a whole answer (an AIMessage)."""
        self._take_text(message)
        for call in getattr(message, "tool_calls", None) or ():
            self._count(call.get("name"), json.dumps(call["args"], default=str))
            self._calls.append(_CallInParts(None, _short(call.get("id")), str(call["name"]), [], _clean(call["args"])))
        for call in getattr(message, "invalid_tool_calls", None) or ():
            self._take_chunk({**call, "index": None})
        self._take_rest(message)

    def _take_text(self, message: Any) -> None:
        if text := str(message.text):
            self._count(text)
            self._texts.append(text)

    def _take_chunk(self, chunk: Mapping[str, Any]) -> None:
        name, pieces = str(chunk.get("name") or ""), str(chunk.get("args") or "")
        index, id = chunk.get("index"), _short(chunk.get("id"))
        known = self._begun(index, id, name)
        if known is None:
            known = _CallInParts(index)
            self._calls.append(known)
        self._count(name, pieces)
        known.id, known.name = known.id or id, known.name + ("" if name == known.name else name)
        known.pieces.append(pieces)

    def _begun(self, index: object, id: str, name: str) -> _CallInParts | None:
        """Return the call that a piece goes on with; None where it begins another."""
        if index is None:
            # Whole calls have no index, and a name; of what some servers send, it is the rest of the last call.
            return None if id or name or not self._calls else self._calls[-1]
        known = next((call for call in reversed(self._calls) if call.index == index), None)
        # Some servers give every call the same index: an id of its own begins another.
        return None if known is not None and name and id and known.id and id != known.id else known

    def _count(self, *texts: str | None) -> None:
        self._characters += sum(len(text or "") for text in texts)
        if self._characters > LONGEST_TEXT or len(self._calls) > MOST_CALLS:
            raise Failure("too_long", f"the answer of {self.asked} is longer than {LONGEST_TEXT:,} characters", "again")

    def _take_rest(self, message: Any) -> None:
        told = getattr(message, "response_metadata", None) or {}
        self.finish = next((str(told[key]) for key in FINISH_KEYS if told.get(key)), self.finish)
        self.model = str(told.get("model_name") or told.get("model") or self.model)
        refusal = (getattr(message, "additional_kwargs", None) or {}).get("refusal")
        if isinstance(refusal, str):
            self._count(refusal)
            self.refusal += refusal
        if usage := getattr(message, "usage_metadata", None):
            self._take_usage(usage)

    def _take_usage(self, usage: Mapping[str, Any]) -> None:
        details: Mapping[str, Any] = usage.get("input_token_details") or {}
        news = {"in": usage.get("input_tokens"), "out": usage.get("output_tokens"), "cached": details.get("cache_read")}
        for name, count in news.items():
            before = 0 if self.running else self._usage.get(name, 0)
            self._usage[name] = before + count if isinstance(before, int) and isinstance(count, int) else count

    def answer(self, turn: int, seconds: float, first_seconds: float | None) -> Answer:
        """Return what has come. `turn` is for the ids of calls that came without, so that no two are the same."""
        calls = tuple(part.call(f"call_{turn}_{i}") for i, part in enumerate(list(self._calls)))
        tokens_in = _tokens(self._usage.get("in"))
        return Answer(
            text=self.text(),
            calls=calls,
            finish=_finish(self.finish, bool(calls)),
            model=" ".join(_clean_text(self.model).split())[:200] or self.asked,
            refusal=_clean_text(self.refusal),
            tokens_in=tokens_in,
            tokens_out=_tokens(self._usage.get("out")),
            tokens_cached=min(_tokens(self._usage.get("cached")) or 0, tokens_in or 0),
            seconds=seconds,
            first_seconds=first_seconds,
        )


def salvaged(body: bytes) -> Any:
    """Return a whole answer of OpenAI's protocol as an AIMessageChunk would be; None where it is none.

    LangChain raises where arguments are JSON but no object, or usage figures are no numbers; this does not.
    """
    try:
        whole = json.loads(body)
        choice, usage = whole["choices"][0], whole.get("usage") or {}
        message = choice["message"]
        calls = [(call.get("id"), call["function"]) for call in message.get("tool_calls") or ()]
        chunks = [{"id": id, "name": f.get("name"), "args": f.get("arguments"), "index": None} for id, f in calls]
        return SimpleNamespace(
            text=message.get("content") or "",
            tool_call_chunks=chunks,
            response_metadata={"finish_reason": choice.get("finish_reason"), "model_name": whole.get("model")},
            additional_kwargs={"refusal": message.get("refusal")},
            usage_metadata={
                "input_tokens": usage.get("prompt_tokens"),
                "output_tokens": usage.get("completion_tokens"),
            },
        )
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def refusal_in(head: bytes) -> str:
    """Return the refusal in a stream of OpenAI's protocol, which LangChain leaves out of its messages."""
    found: list[Any] = []
    for line in head.decode("utf-8", "replace").splitlines():
        try:
            event = json.loads(line.removeprefix("data:")) if '"refusal"' in line else None
            found += [c["delta"].get("refusal") for c in event["choices"]] if event else []
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            continue
    return "".join(part for part in found if isinstance(part, str))


def _tokens(count: Any) -> int | None:
    whole = isinstance(count, int) and not isinstance(count, bool)
    return count if whole and 0 <= count <= MOST_TOKENS else None


def _finish(reason: str, calls: bool) -> str:
    said = reason.lower()
    found = next((ours for ours, theirs in FINISHES.items() if said in theirs), said[:40])
    return "tool_calls" if calls and found in ("stop", "") else found or "stop"


def _object(raw: str) -> dict[str, Any] | None:
    """Read a JSON object; None where it is none. No text at all is an object without fields."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
        return _clean(value) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return None


def _clean(value: Any) -> Any:
    """Take out of a JSON value what no file or database stores: lone surrogates and zero bytes."""
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {_clean_text(str(key)): _clean(part) for key, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value


def _clean_text(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _short(id: object) -> str:
    return _clean_text(str(id or ""))[:200]
