"""Requests over real sockets, through LangChain and the real openai client, to servers that fail in every way."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Generator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import langsmith.utils
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from automl_gpt.agent.llm.exchange import Abilities, Answer, Failure, Query
from automl_gpt.agent.llm.plug import open_model
from automl_gpt.agent.llm.translate import MOST_PIECES, Incoming, langchain_messages
from automl_gpt.agent.llm.wire import LangChainModel, Sent
from automl_gpt.tools.journal.events import Call, Message
from tests.servers.openai_server import FAULTS, UNKNOWN_HOST, OpenAIServer, Received, Reply, refused_url

SAID = (Message(role="system", text="Decide."), Message(role="user", text="Which models?"))
TOOLS: tuple[dict[str, Any], ...] = (
    {"type": "function", "function": {"name": "assign_model", "parameters": {"type": "object", "properties": {}}}},
)
DECISION = Query("assign_model", "tools", SAID, TOOLS, tokens_out=700, context=8192)
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def plugged(monkeypatch: pytest.MonkeyPatch, url: str, **abilities: Any) -> LangChainModel:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    model = open_model("openai:test-model")
    model.abilities = replace(model.abilities, **abilities)
    return model


def asked(monkeypatch: pytest.MonkeyPatch, url: str, query: Query = DECISION, seconds: float = 20, **a: Any) -> Answer:
    return plugged(monkeypatch, url, **a).send(query, seconds).answer()


def failed(
    monkeypatch: pytest.MonkeyPatch, url: str, query: Query = DECISION, seconds: float = 20, **a: Any
) -> Failure:
    with pytest.raises(Failure) as caught:
        asked(monkeypatch, url, query, seconds, **a)
    words = caught.value.words
    assert 10 < len(words) <= 200 and "\n" not in words
    return caught.value


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


# ------------------------------------------------------------------------------------------------------------- answers


@BOTH
def test_an_answer_comes_with_text_calls_usage_and_times(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    arguments = {"models": ["größe"], "reason": "trees do well"}
    with OpenAIServer([Reply("let me see", [("assign_model", arguments), ("finish", "")])]) as server:
        answer = asked(monkeypatch, server.url, stream=stream)
    assert answer.text == "let me see"
    assert [(c.name, c.arguments, c.raw) for c in answer.calls] == [("assign_model", arguments, ""), ("finish", {}, "")]
    assert len({c.id for c in answer.calls}) == 2
    assert (answer.finish, answer.model) == ("tool_calls", "test-model")
    assert answer.tokens_in and answer.tokens_out
    assert answer.seconds > 0 and (answer.first_seconds is not None) == stream


@BOTH
def test_the_request_says_all_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    calls = (Call(id="a", name="look", arguments={"x": 1}), Call(id="b", name="look", raw="{oops"))
    said = (
        *SAID,
        Message(role="assistant", text="", calls=calls),
        Message(role="tool", text="42", call_id="a"),
        Message(role="tool", text="no JSON", call_id="b"),
    )
    with OpenAIServer([Reply("fine")]) as server:
        asked(monkeypatch, server.url, replace(DECISION, messages=said), stream=stream)
        (request,) = server.wait_for(1)
    assert [m["role"] for m in request["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    sent = request["messages"][2]["tool_calls"]
    assert [c["function"]["arguments"] for c in sent] == ['{"x": 1}', '{"invalid_json": "{oops"}']
    assert [m.get("tool_call_id") for m in request["messages"][3:]] == ["a", "b"]
    assert (request["max_tokens"], request["tool_choice"], request.get("stream", False)) == (700, "required", stream)
    assert request.get("stream_options") == ({"include_usage": True} if stream else None)
    assert [t["function"]["name"] for t in request["tools"]] == ["assign_model"]
    assert request.headers["accept-encoding"] == "identity"


def test_a_conversation_requires_no_tool_call_and_json_mode_sends_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        asked(monkeypatch, server.url, replace(DECISION, purpose="conversation"))
        asked(monkeypatch, server.url, replace(DECISION, mode="json"), usage=False)
        talk, text = server.wait_for(2)
    assert "tools" in talk and "tool_choice" not in talk
    assert "tools" not in text and "tool_choice" not in text and "stream_options" not in text


def test_openais_own_server_is_told_the_length_in_its_newer_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        model = plugged(monkeypatch, server.url)
        model.manners = replace(model.manners, caps=("max_completion_tokens",))
        model.send(DECISION, 20).answer()
        (request,) = server.wait_for(1)
    assert request["max_completion_tokens"] == 700 and "max_tokens" not in request


def test_what_has_come_so_far_can_be_read_while_the_answer_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("one two three four five", chunk_delay=0.1)]) as server:
        sent, seen = plugged(monkeypatch, server.url).send(DECISION, 20), set[str]()
        while not sent.wait(0.02):
            seen.add(sent.text())
    assert any("one two three four five".startswith(text) and 0 < len(text) < 20 for text in seen)
    assert sent.text() == sent.answer().text == "one two three four five"


@pytest.mark.parametrize("index", [None, 0], ids=["no-index", "one-index"])
def test_calls_whose_pieces_have_no_index_of_their_own_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, index: int | None
) -> None:
    number = {} if index is None else {"index": index}
    raw = b""
    for id, name in (("x", "look"), ("y", "finish")):
        head = {**number, "id": id, "type": "function", "function": {"name": name, "arguments": '{"a":'}}
        raw += event({"role": "assistant", "tool_calls": [head]})
        raw += event({"tool_calls": [{**number, "function": {"arguments": " 1}"}}]})
    raw += event({}, "stop") + b"data: [DONE]\n\n"
    with OpenAIServer([Reply(raw=raw)]) as server:
        answer = asked(monkeypatch, server.url)
    assert [(c.id, c.name, c.arguments) for c in answer.calls] == [("x", "look", {"a": 1}), ("y", "finish", {"a": 1})]
    assert answer.finish == "tool_calls"


@BOTH
@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("no_json", '{"models": ["lightgbm", reason: trees'),
        ("no_object", '["lightgbm"]'),
        ("call_cut_at_limit", '{"models": ["lightgbm", "xgb'),
    ],
)
def test_arguments_that_are_no_json_object_are_kept_as_they_came(
    monkeypatch: pytest.MonkeyPatch, name: str, raw: str, stream: bool
) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        answer = asked(monkeypatch, server.url, stream=stream)
    assert [(c.name, c.arguments, c.raw) for c in answer.calls] == [("assign_model", {}, raw)]
    assert answer.finish == ("length" if name == "call_cut_at_limit" else "tool_calls")


@BOTH
@pytest.mark.parametrize(
    ("name", "finish", "refusal"),
    [
        ("empty", "stop", ""),
        ("filtered", "content_filter", ""),
        ("refusal", "stop", "I'm sorry, but I can't help with that."),
    ],
)
def test_an_answer_without_content_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, name: str, finish: str, refusal: str, stream: bool
) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        answer = asked(monkeypatch, server.url, stream=stream)
    assert (answer.text, answer.calls, answer.finish, answer.refusal) == ("", (), finish, refusal)


ODD_USAGE = Reply("fine", usage={"prompt_tokens": 1.5, "completion_tokens": "many", "total_tokens": None})
HALF_USAGE = Reply("fine", usage={"prompt_tokens": 10, "completion_tokens": -3, "total_tokens": 7})


@BOTH
@pytest.mark.parametrize(
    ("reply", "figures"),
    [
        (FAULTS["negative_usage"], (None, None)),
        (FAULTS["absurd_usage"], (None, None)),
        (FAULTS["no_usage"], (None, None)),
        (ODD_USAGE, (None, None)),
        (HALF_USAGE, (10, None)),
    ],
    ids=["negative", "absurd", "none", "no-numbers", "half"],
)
def test_usage_that_cannot_be_true_is_none_and_the_answer_stays(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, figures: tuple[int | None, int | None], stream: bool
) -> None:
    with OpenAIServer([reply]) as server:
        answer = asked(monkeypatch, server.url, stream=stream)
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("fine", *figures)


def test_what_no_file_can_store_is_taken_out_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    function = {"name": "f", "arguments": r'{"a": ["x\ud800", "\u0000y"], "b": 1}'}
    raw = event({"role": "assistant", "content": "hi\ud800 \0there"})
    raw += event({"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]}, "tool_calls")
    with OpenAIServer([Reply(raw=raw + b"data: [DONE]\n\n")]) as server:
        answer = asked(monkeypatch, server.url)
    assert answer.text == "hi? there"
    assert answer.calls[0].arguments == {"a": ["x?", "y"], "b": 1}
    assert answer.calls[0].model_dump_json()


# ----------------------------------------------------------------------------------- what a server refuses of a request


@BOTH
@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("tool_choice", 'tool_choice="required" is not supported by this server'),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
    ],
)
def test_a_refused_parameter_is_left_out_without_a_failure_and_for_good(
    monkeypatch: pytest.MonkeyPatch, field: str, message: str, stream: bool
) -> None:
    def play(request: Received) -> Reply:
        return Reply.error(400, message) if field in request else Reply.call("assign_model", models=["a"])

    with OpenAIServer(play) as server:
        model = plugged(monkeypatch, server.url, stream=stream)
        answers = [model.send(DECISION, 20).answer() for _ in range(2)]
        requests = server.wait_for(3)
    assert all(a.calls for a in answers)
    assert [field in r for r in requests] == [True, False, False]
    assert "max_tokens" in requests[2] or "max_completion_tokens" in requests[2]


def test_a_template_without_a_system_role_is_sent_turns_of_two_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(request: Received) -> Reply:
        roles = [m["role"] for m in request["messages"]]
        return Reply(request.text) if roles == ["user"] else Reply.error(400, "System role not supported")

    with OpenAIServer(play) as server:
        answer = asked(monkeypatch, server.url, replace(DECISION, mode="json"))
    assert answer.text == "Decide.\n\nWhich models?"


@pytest.mark.parametrize(
    ("name", "kind", "lowered"),
    [("tools_unsupported", "no_tools", {"tools": False}), ("usage_unsupported", "no_usage", {"usage": False})],
)
def test_a_refused_ability_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str, lowered: dict[str, Any]
) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        failure = failed(monkeypatch, server.url)
    assert (failure.kind, failure.cure, failure.lowered) == (kind, "lower", lowered)


def test_a_server_that_answers_whole_though_asked_to_stream_is_asked_for_whole_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = b'{"role":"assistant","content":"hi"}'
    body = b'{"id":"1","model":"m","choices":[{"index":0,"message":' + message + b',"finish_reason":"stop"}]}'
    with OpenAIServer([Reply(raw=body, headers={"content-type": "application/json"})]) as server:
        failure = failed(monkeypatch, server.url)
        answer = asked(monkeypatch, server.url, **failure.lowered)
    assert (failure.kind, failure.lowered, answer.text) == ("no_stream", {"stream": False}, "hi")


@BOTH
def test_a_context_that_is_too_short_is_told_and_always_smaller_than_it_was(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    with OpenAIServer([FAULTS["context_too_long"]]) as server:
        far = failed(monkeypatch, server.url, stream=stream)
        near = failed(monkeypatch, server.url, replace(DECISION, context=4096), stream=stream)
    assert (far.kind, far.cure, far.lowered) == ("context", "shrink", {"context": 4096})
    assert near.lowered == {"context": 3072}


# ------------------------------------------------------------------------------------------------- what servers fail in


@BOTH
@pytest.mark.parametrize(
    ("name", "kind", "cure", "wait"),
    [
        ("unauthorized", "auth", "never", None),
        ("forbidden", "forbidden", "never", None),
        ("model_not_found", "no_model", "never", None),
        ("rate_limited", "rate_limit", "later", None),
        ("rate_limited_retry_after", "rate_limit", "later", 2.0),
        ("rate_limited_until_tomorrow", "rate_limit", "later", 86400.0),
        ("quota_exhausted", "quota", "never", None),
        ("server_error", "server", "again", None),
        ("bad_gateway", "server", "again", None),
        ("unavailable", "server", "again", None),
        ("cut_stream", "cut", "again", None),
        ("cut_call", "cut", "again", None),
        ("no_answer", "cut", "again", None),
        ("not_the_protocol", "not_a_model", "never", None),
        ("invalid_utf8", "garbled", "again", None),
        ("invalid_utf8_in_call", "garbled", "again", None),
        ("huge", "too_long", "again", None),
    ],
)
def test_every_failure_has_its_kind_and_cure_and_is_not_repeated_here(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str, cure: str, wait: float | None, stream: bool
) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        failure = failed(monkeypatch, server.url, stream=stream)
        assert len(server.requests) == 1
    assert (failure.kind, failure.cure, failure.wait) == (kind, cure, wait)
    assert "sk-wrong" not in failure.words and 0 < failure.seconds < 20


def test_what_came_before_a_cut_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([FAULTS["cut_stream"], FAULTS["cut_call"]]) as server:
        model = plugged(monkeypatch, server.url)
        parts: list[Answer] = []
        for _ in range(2):
            with pytest.raises(Failure) as caught:
                model.send(DECISION, 20).answer()
            parts.append(caught.value.part)
    assert parts[0].text.startswith("A long")
    assert parts[1].calls[0].name == "assign_model" and parts[1].calls[0].raw.startswith('{"models')


JSON = {"content-type": "application/json"}


@BOTH
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(raw=b'{"hello": "world"}', headers=JSON), "not_a_model"),
        (Reply(raw=b""), "cut"),
        (Reply(raw=b'data: {"choices": [\n\n'), "garbled"),
        (Reply(raw=b"data: [1, 2]\n\ndata: [DONE]\n\n", headers={"content-type": "text/event-stream"}), "garbled"),
        (Reply("fine", headers={"content-encoding": "gzip"}), "garbled"),
        (Reply(status=307, headers={"location": "http://127.0.0.1:1/v1"}, raw=b""), "not_a_model"),
        (Reply.error(413, "too much"), "context"),
        (Reply.error(402, "Insufficient Balance"), "quota"),
        (Reply.error(400, "messages[1] is odd"), "bad_request"),
        (Reply.error(418, "I am a teapot"), "bad_request"),
    ],
    ids=["json", "nothing", "no-json", "odd-json", "compressed", "redirect", "413", "402", "400", "418"],
)
def test_odd_answers_are_failures_with_a_name(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, kind: str, stream: bool
) -> None:
    with OpenAIServer([reply]) as server:
        failure = failed(monkeypatch, server.url, stream=stream)
    whole_garbage = not stream and reply.raw is not None and reply.raw.startswith(b"data: [1")
    assert failure.kind == ("not_a_model" if whole_garbage else kind)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "out of memory", "type": "server_error"}, "server"),
        ({"message": "Rate limit", "code": "rate_limit_exceeded"}, "rate_limit"),
        ({"message": "upstream failed", "code": 502}, "server"),
        ({"message": "bad key", "code": "invalid_api_key"}, "auth"),
    ],
)
def test_an_error_inside_a_stream_is_that_error(
    monkeypatch: pytest.MonkeyPatch, error: dict[str, Any], kind: str
) -> None:
    raw = (
        event({"role": "assistant", "content": "so far"}) + b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    )
    with OpenAIServer([Reply(raw=raw)]) as server:
        failure = failed(monkeypatch, server.url)
    assert (failure.kind, failure.part.text) == (kind, "so far")


def test_a_stream_that_ends_without_a_reason_is_cut_unless_it_says_that_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OpenAIServer([Reply(raw=event({"role": "assistant", "content": "so far"}))]) as server:
        assert failed(monkeypatch, server.url).kind == "cut"
    with OpenAIServer([Reply(raw=event({"content": "so far"}) + b"data: [DONE]\n\n")]) as server:
        assert asked(monkeypatch, server.url).finish == "stop"


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, unknown = failed(monkeypatch, refused_url()), failed(monkeypatch, UNKNOWN_HOST)
    assert (refused.kind, refused.cure) == ("refused", "again")
    assert (unknown.kind, unknown.cure) == ("dns", "again")
    assert "no-such-host.invalid" in unknown.words


def test_tls_that_cannot_be_trusted_or_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")], tls=True) as server:
        untrusted = failed(monkeypatch, server.url)
        assert server.requests == []
    with OpenAIServer([Reply("fine")]) as server:
        plain = failed(monkeypatch, server.url.replace("http:", "https:"))
    assert [(f.kind, f.cure) for f in (untrusted, plain)] == [("tls", "never")] * 2
    assert "self-signed" in untrusted.words and "http://" in plain.words


# ------------------------------------------------------------------------------------------------------- time and size


@BOTH
def test_a_server_that_never_answers_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    with OpenAIServer([FAULTS["timeout"]]) as server:
        began = time.monotonic()
        failure = failed(monkeypatch, server.url, seconds=0.5, stream=stream)
        assert time.monotonic() - began < 10
        server.wait_for_hang_up()
    assert (failure.kind, failure.cure) == ("timeout", "again")


def test_a_slow_drip_ends_at_the_deadline_though_each_piece_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("drop " * 4000, chunk_delay=0.05)]) as server:
        began = time.monotonic()
        failure = failed(monkeypatch, server.url, seconds=1.0)
        assert 0.9 < time.monotonic() - began < 10
        server.wait_for_hang_up()
    assert failure.kind == "timeout" and failure.part.text.startswith("drop")


@contextlib.contextmanager
def dripping(head: bytes) -> Generator[tuple[str, threading.Event]]:
    """A server that sends one byte after another of an answer's head, and an event that its client has left."""
    left = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as client:
            for byte in head:
                client.send(bytes([byte]))
                time.sleep(0.02)
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", left


def test_a_head_that_drips_is_given_up_and_its_connection_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 50_000) as (url, left):
        failure = failed(monkeypatch, url, seconds=0.5)
        assert left.wait(20)
    assert failure.kind == "timeout"


def test_a_thread_that_hangs_before_it_is_connected_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, free = threading.Event(), threading.Event()
    find = socket.getaddrinfo

    def hang(*args: Any, **options: Any) -> Any:
        if threading.current_thread().name == "language-model" and not hanging.is_set():
            hanging.set()
            free.wait(60)
        return find(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with OpenAIServer([Reply("fine")]) as server:
        model = plugged(monkeypatch, server.url)
        sent = model.send(DECISION, 0.3)
        assert hanging.wait(20)
        with pytest.raises(Failure) as caught:
            sent.answer()
        assert model.send(DECISION, 20).answer().text == "fine"
        free.set()
        assert len(server.requests) == 1
    assert caught.value.kind == "timeout"


def test_a_request_that_was_given_up_closes_its_connection_and_leaves_the_next_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OpenAIServer([FAULTS["stalled"], FAULTS["timeout"], Reply("fine")]) as server:
        model = plugged(monkeypatch, server.url)
        sent: list[Sent] = []
        for count in (1, 2):
            sent.append(model.send(DECISION, 60))
            server.wait_for(count)
            began = time.monotonic()
            sent[-1].cancel()
            assert time.monotonic() - began < 5
        assert model.send(DECISION, 20).answer().text == "fine"
        server.wait_for_hang_up(2)
    for given_up in sent:
        assert given_up.wait(0)
        with pytest.raises(Failure, match="given up"):
            given_up.answer()


def test_giving_up_an_answer_that_is_there_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        sent = plugged(monkeypatch, server.url).send(DECISION, 20)
        answer = sent.answer()
        sent.cancel()
    assert sent.answer() is answer


LINE = b'data: {"x": "' + b"x" * 50_000_000
ENDLESS_COMMENTS = (b": " + b"x" * 1_000 + b"\n") * 50_000


@pytest.mark.parametrize(
    ("reply", "stream"),
    [(FAULTS["huge"], True), (Reply(raw=LINE), True), (Reply(raw=LINE), False), (Reply(raw=ENDLESS_COMMENTS), True)],
    ids=["streamed", "one-line", "whole", "comments"],
)
def test_fifty_megabytes_are_never_held(monkeypatch: pytest.MonkeyPatch, reply: Reply, stream: bool) -> None:
    with OpenAIServer([reply]) as server:
        model = plugged(monkeypatch, server.url, stream=stream)
        tracemalloc.start()
        try:
            with pytest.raises(Failure) as caught:
                model.send(DECISION, 50).answer()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.kind == "too_long"
    assert peak < 60_000_000


def test_an_answer_in_too_many_pieces_is_too_long() -> None:
    incoming = Incoming("test:model", running=True)
    piece = SimpleNamespace(text="x")
    with pytest.raises(Failure, match="pieces"):
        for _ in range(MOST_PIECES + 1):
            incoming.take(piece)


# ------------------------------------------------------------------------------------------------------ other providers


class Scripted(BaseChatModel):
    """A provider of its own: no protocol of OpenAI's, no socket."""

    script: list[Any]
    max_output_tokens: int | None = None
    seen: list[Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.seen.append((messages, kwargs, self.max_output_tokens, langsmith.utils.tracing_is_enabled()))
        return ChatResult(generations=[ChatGeneration(message=self.script[0])])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.seen.append((messages, kwargs, self.max_output_tokens, langsmith.utils.tracing_is_enabled()))
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            yield ChatGenerationChunk(message=step)


class WithTools(Scripted):
    """One that takes tools."""

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        if tool_choice is not None:
            raise ValueError("tool_choice is not supported")
        return self.bind(tools=[t["function"]["name"] for t in tools])


def usage(tokens_in: int, tokens_out: int, cached: int = 0) -> Any:
    details = {"cache_read": cached}
    total = tokens_in + tokens_out
    return dict(input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=total, input_token_details=details)


def other(chat: BaseChatModel, **abilities: Any) -> LangChainModel:
    return LangChainModel(chat, "other:model", "other", Abilities(**abilities))


def test_another_providers_pieces_and_words_are_understood() -> None:
    script = [
        AIMessageChunk([{"type": "text", "text": "so "}], usage_metadata=usage(100, 1, 60)),
        AIMessageChunk([{"type": "text", "text": "be it"}]),
        AIMessageChunk(
            "", tool_call_chunks=[{"name": "f", "args": '{"a":', "id": "x", "index": 0, "type": "tool_call_chunk"}]
        ),
        AIMessageChunk(
            "", tool_call_chunks=[{"name": None, "args": " 1}", "id": None, "index": 0, "type": "tool_call_chunk"}]
        ),
        AIMessageChunk(
            "", tool_call_chunks=[{"name": "g", "args": "{}", "id": "y", "index": 0, "type": "tool_call_chunk"}]
        ),
        AIMessageChunk("", usage_metadata=usage(0, 20), response_metadata={"stop_reason": "tool_use"}),
    ]
    chat = WithTools(script=script, seen=[])
    answer = other(chat).send(DECISION, 20).answer()
    assert answer.text == "so be it"
    assert [(c.id, c.name, c.arguments) for c in answer.calls] == [("x", "f", {"a": 1}), ("y", "g", {})]
    assert (answer.tokens_in, answer.tokens_out, answer.tokens_cached) == (100, 21, 60)
    assert (answer.finish, answer.model) == ("tool_calls", "other:model")
    assert chat.seen[0][1]["tools"] == ["assign_model"]


def test_the_length_of_an_answer_is_bound_by_the_providers_own_field() -> None:
    chat = Scripted(script=[AIMessage("fine", response_metadata={"finish_reason": "STOP"})], seen=[])
    answer = other(chat, stream=False).send(replace(DECISION, mode="json"), 20).answer()
    assert (answer.text, answer.finish) == ("fine", "stop")
    assert (chat.seen[0][2], chat.max_output_tokens) == (700, None)


def test_a_provider_without_tools_is_asked_for_json() -> None:
    with pytest.raises(Failure) as caught:
        other(Scripted(script=[AIMessageChunk("fine")], seen=[])).send(DECISION, 20).answer()
    assert (caught.value.kind, caught.value.cure, caught.value.lowered) == ("no_tools", "lower", {"tools": False})


def test_another_providers_exception_is_a_failure_with_what_came_before() -> None:
    script = [AIMessageChunk("so far"), RuntimeError("the moon is\nin the way")]
    with pytest.raises(Failure) as caught:
        other(Scripted(script=script, seen=[])).send(replace(DECISION, mode="json"), 20).answer()
    assert (caught.value.kind, caught.value.part.text) == ("unknown", "so far")
    assert "RuntimeError" in caught.value.words and "the moon is in the way" in caught.value.words


def test_nothing_is_traced_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    langsmith.utils.get_env_var.cache_clear()
    try:
        assert langsmith.utils.tracing_is_enabled()
        for stream in (True, False):
            chat = Scripted(script=[AIMessageChunk("fine")] if stream else [AIMessage("fine")], seen=[])
            other(chat, stream=stream).send(replace(DECISION, mode="json"), 20).answer()
            assert chat.seen[0][3] is False
    finally:
        monkeypatch.undo()
        langsmith.utils.get_env_var.cache_clear()


def test_turns_of_two_roles_keep_calls_and_results() -> None:
    calls = (Call(id="a", name="look", arguments={}),)
    said = (*SAID, Message(role="assistant", text="", calls=calls), Message(role="tool", text="42", call_id="a"))
    said += (Message(role="user", text="one"), Message(role="user", text="two"))
    turned = langchain_messages(said, roles=False)
    assert [m.type for m in turned] == ["human", "ai", "tool", "human"]
    assert [m.content for m in turned] == ["Decide.\n\nWhich models?", "", "42", "one\n\ntwo"]
    assert turned[1].tool_calls[0]["name"] == "look"
