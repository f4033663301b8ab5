"""A scripted answer, and how the OpenAI protocol writes it: as one whole, or as events of a stream."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

PIECE = 16
"""Characters of a fragment of a streamed text or of streamed arguments."""
MODEL = "test-model"

Call = tuple[str, Mapping[str, Any] | str]


class Received(dict[str, Any]):
    """The body of one request, with its headers (names in lower case) and path.

    `came` is when it was there, `answered` when the last of its answer went out (epoch seconds; None: it never did).
    """

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str], path: str) -> None:
        super().__init__(body)
        self.headers, self.path = dict(headers), path
        self.came = time.time()
        self.answered: float | None = None

    @property
    def text(self) -> str:
        """All that its messages say, each with a line break after it."""
        return "\n".join(said(message) for message in self.get("messages", []))


def said(message: Mapping[str, Any]) -> str:
    """The text of one message, be its content a string or a list of blocks."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content if isinstance(block, Mapping))


@dataclass(frozen=True)
class Reply:
    """One scripted answer.

    `calls` are tool calls, their arguments an object or raw text; a lone surrogate such as "\\udcff" in any text goes
    out as that one invalid byte. `times` repeats the text. `usage` is sent as it is; None sends none. `delay` are
    seconds before the first byte, `chunk_delay` before every later chunk; `cut_after` closes the socket after so
    many chunks (of a whole answer: in its middle). `raw` is the body as it is, whatever the request asked for.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    finish: str | None = None
    usage: Mapping[str, Any] | Literal["counted"] | None = "counted"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    cut_after: int | None = None
    raw: bytes | None = None
    refusal: str | None = None
    times: int = 1

    @classmethod
    def call(cls, name: str, /, **arguments: Any) -> Self:
        """Answer with one tool call."""
        return cls(calls=[(name, arguments)])

    @classmethod
    def error(
        cls,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        type: str = "invalid_request_error",
    ) -> Self:
        """Answer with an error as the protocol writes it."""
        body = {"error": {"message": message, "type": type, "param": None, "code": code}}
        return cls(status=status, body=body, headers=dict(headers or {}))

    def as_json(self) -> Self:
        """The same answer of a model without tool calls: each call is a JSON object in the text."""
        written = [
            f'{{"tool": {json.dumps(name)}, "arguments": {given if isinstance(given, str) else json.dumps(given)}}}'
            for name, given in self.calls
        ]
        return replace(self, text="\n".join([self.text, *written] if self.text else written), calls=())

    @property
    def why_ended(self) -> str:
        """Its finish_reason."""
        return self.finish or ("tool_calls" if self.calls else "stop")

    def tokens(self, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Its usage; where it is counted, four characters are a token."""
        if self.usage != "counted":
            return self.usage
        sent = len(json.dumps(request.get("messages", []))) // 4
        came = 1 + (len(self.text) * self.times + len(str(self.calls if self.calls else ""))) // 4
        return {"prompt_tokens": sent, "completion_tokens": came, "total_tokens": sent + came}


def completion(request: Received, reply: Reply) -> dict[str, Any]:
    """The reply as one whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text * reply.times or None}
    if reply.refusal is not None:
        message["refusal"] = reply.refusal
    if reply.calls:
        message["tool_calls"] = [
            {"id": _id(request, i), "type": "function", "function": {"name": name, "arguments": _written(given)}}
            for i, (name, given) in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": reply.why_ended, "logprobs": None}
    whole = {**_frame(request, "chat.completion"), "choices": [choice]}
    usage = reply.tokens(request)
    return whole if usage is None else {**whole, "usage": usage}


def events(request: Received, reply: Reply) -> Iterator[bytes]:
    """The reply as the data of server-sent events, the last of them [DONE]."""
    frame = _frame(request, "chat.completion.chunk")
    wants_usage = (request.get("stream_options") or {}).get("include_usage", False)
    for delta in _deltas(request, reply):
        yield encoded({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield encoded({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": reply.why_ended}]})
    usage = reply.tokens(request)
    if wants_usage and usage is not None:
        yield encoded({**frame, "choices": [], "usage": usage})
    yield b"[DONE]"


def _deltas(request: Received, reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if reply.calls and not reply.text else ""}
    for _ in range(reply.times):
        yield from ({"content": piece} for piece in _pieces(reply.text, whole=reply.times > 1))
    if reply.refusal is not None:
        yield {"refusal": reply.refusal}
    for i, (name, given) in enumerate(reply.calls):
        head = {"index": i, "id": _id(request, i), "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [head]}
        for piece in _pieces(_written(given)):
            yield {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}


def _pieces(text: str, whole: bool = False) -> Iterator[str]:
    step = max(len(text), 1) if whole else PIECE
    return (text[i : i + step] for i in range(0, len(text), step))


def _frame(request: Received, kind: str) -> dict[str, Any]:
    name = request.get("model", MODEL)
    return {"id": "chatcmpl-test", "object": kind, "created": 1, "model": name, "system_fingerprint": None}


def _id(request: Received, index: int) -> str:
    # Ids are unique within a conversation, so that a result is never taken for that of an earlier call.
    return f"call_{len(request.get('messages', []))}_{index}"


def _written(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
