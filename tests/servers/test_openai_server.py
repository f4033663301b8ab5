"""The test server, as the real client of the protocol sees it."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

from tests.servers.openai_server import FAULTS, FOREVER, MODEL, UNKNOWN_HOST, OpenAIServer, Received, Reply, refused_url

SAY: list[Any] = [{"role": "user", "content": "hello"}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def client(url: str, key: str = "test", **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, **options)


def ask(server: OpenAIServer | str, **options: Any) -> Any:
    url = server if isinstance(server, str) else server.url
    return client(url, timeout=20).chat.completions.create(model=MODEL, messages=SAY, **options)


def streamed(server: OpenAIServer, **options: Any) -> tuple[str, list[Any]]:
    chunks = list(ask(server, stream=True, stream_options={"include_usage": True}, **options))
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks


def test_it_starts_and_ends_within_a_tenth_of_a_second() -> None:
    began = time.process_time(), time.monotonic()
    for _ in range(10):
        with OpenAIServer([Reply()]):
            pass
    assert time.process_time() - began[0] < 1
    assert time.monotonic() - began[1] < 5


def test_replies_are_used_in_order_and_the_last_one_stays() -> None:
    with OpenAIServer([Reply("one"), lambda request: Reply(f"two, {request['model']}"), Reply("three")]) as server:
        said = [ask(server).choices[0].message.content for _ in range(4)]
    assert said == ["one", f"two, {MODEL}", "three", "three"]


def test_a_whole_answer_has_text_usage_and_model() -> None:
    with OpenAIServer(
        [Reply("hello", usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})]
    ) as server:
        answer = ask(server)
    assert (answer.model, answer.choices[0].finish_reason, answer.usage.total_tokens) == (MODEL, "stop", 5)


def test_a_text_streams_in_pieces_with_its_usage_last() -> None:
    text = "naïve 文字, " * 10
    with OpenAIServer([Reply(text)]) as server:
        whole, chunks = streamed(server)
    assert whole == text
    assert sum(1 for c in chunks if c.choices and c.choices[0].delta.content) > 3
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens > 0) == ([], True)
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_usage_is_left_out_of_a_stream_that_did_not_ask_for_it() -> None:
    with OpenAIServer([Reply("hello")]) as server:
        chunks = list(ask(server, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_tool_calls_stream_in_fragments_that_make_valid_arguments() -> None:
    calls = [("look", {"name": "größe", "numbers": [1, 2, 3], "why": "x" * 50}), ("look", {})]
    with OpenAIServer([Reply("let me see", calls)]) as server:
        chat = client(server.url).chat.completions
        with chat.stream(model=MODEL, messages=SAY, tools=TOOLS) as stream:
            fragments = sum(1 for event in stream if event.type == "tool_calls.function.arguments.delta")
            final: Any = stream.get_final_completion()
        whole = ask(server, tools=TOOLS)
    assert fragments > 4
    for answer in (final, whole):
        choice = answer.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert [c.function.name for c in choice.message.tool_calls] == ["look", "look"]
        assert choice.message.tool_calls[0].function.arguments == (
            '{"name": "größe", "numbers": [1, 2, 3], "why": "' + "x" * 50 + '"}'
        )
    assert choice.message.tool_calls[0].id != choice.message.tool_calls[1].id


def test_calls_can_be_written_as_json_in_the_text() -> None:
    assert Reply.call("look", name="a").as_json().text == '{"tool": "look", "arguments": {"name": "a"}}'


def test_requests_are_kept_with_their_headers_and_a_function_may_answer_them() -> None:
    def play(request: Received) -> Reply:
        return Reply(request.text.strip().upper())

    with OpenAIServer(play) as server:
        assert ask(server, temperature=0.5).choices[0].message.content == "HELLO"
        (request,) = server.wait_for(1)
    assert (request["temperature"], request.headers["authorization"]) == (0.5, "Bearer test")
    with pytest.raises(TimeoutError, match="1 of 2"):
        server.wait_for(2, seconds=0.05)


def test_it_is_noted_when_a_request_came_and_when_the_last_of_its_answer_went_out() -> None:
    with OpenAIServer([Reply("hello", delay=0.2), FAULTS["cut_stream"]]) as server:
        ask(server)
        with pytest.raises(Exception, match=r"peer closed|disconnected|Connection error"):
            list(ask(server, stream=True))
        whole, cut = server.requests
    assert whole.answered is not None and whole.answered - whole.came >= 0.2
    assert whole.answered <= cut.came and cut.answered is None


def test_an_exception_in_a_play_function_is_raised_at_the_end() -> None:
    def play(request: Received) -> Reply:
        raise LookupError("no such prompt")

    server = OpenAIServer(play)
    with pytest.raises(LookupError, match="no such prompt"), server, pytest.raises(openai.InternalServerError):
        ask(server)


def test_models_are_listed_and_other_addresses_are_not_found() -> None:
    with OpenAIServer([Reply()], models=("a", "b")) as server:
        assert [m.id for m in client(server.url).models.list()] == ["a", "b"]
        with pytest.raises(openai.NotFoundError):
            client(server.url).embeddings.create(model="a", input="b")


def test_a_wrong_key_is_refused_where_one_is_asked_for() -> None:
    with OpenAIServer([Reply("fine")], key="right") as server:
        with pytest.raises(openai.AuthenticationError):
            client(server.url, "wrong").chat.completions.create(model=MODEL, messages=SAY)
        assert client(server.url, "right").chat.completions.create(model=MODEL, messages=SAY).choices


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("unauthorized", openai.AuthenticationError),
        ("forbidden", openai.PermissionDeniedError),
        ("model_not_found", openai.NotFoundError),
        ("context_too_long", openai.BadRequestError),
        ("tools_unsupported", openai.BadRequestError),
        ("usage_unsupported", openai.BadRequestError),
        ("rate_limited", openai.RateLimitError),
        ("rate_limited_retry_after", openai.RateLimitError),
        ("rate_limited_until_tomorrow", openai.RateLimitError),
        ("quota_exhausted", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("bad_gateway", openai.InternalServerError),
        ("unavailable", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_refusals_reach_the_client_as_its_own_errors(
    name: str, error: type[openai.APIStatusError], stream: bool
) -> None:
    with OpenAIServer([FAULTS[name]]) as server, pytest.raises(error) as caught:
        ask(server, stream=stream)
    fault = FAULTS[name]
    assert caught.value.status_code == fault.status
    assert all(caught.value.response.headers[key] == value for key, value in fault.headers.items())
    if fault.body:
        assert caught.value.code == fault.body["error"]["code"]


def test_an_answer_that_does_not_come_times_out_and_the_server_ends_all_the_same() -> None:
    with OpenAIServer([FAULTS["timeout"]]) as server, pytest.raises(openai.APITimeoutError):
        client(server.url, timeout=0.2).chat.completions.create(model=MODEL, messages=SAY)
    assert FOREVER > 600


def test_an_answer_that_stalls_begins_and_the_client_that_leaves_is_noticed() -> None:
    with OpenAIServer([FAULTS["stalled"]]) as server:
        stream = ask(server, stream=True)
        next(iter(stream))
        stream.close()
        server.wait_for_hang_up()
    assert server.hung_up == 1


@pytest.mark.parametrize("name", ["cut_stream", "cut_call", "no_answer"])
def test_a_cut_answer_ends_in_a_broken_connection(name: str) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        seen = []
        with pytest.raises(Exception, match=r"peer closed|disconnected|Connection error"):
            seen.extend(ask(server, stream=True))
        with pytest.raises(openai.APIConnectionError):
            ask(server)


def test_the_huge_answer_is_fifty_megabytes_whole_and_streamed() -> None:
    with OpenAIServer([FAULTS["huge"]]) as server:
        size = sum(len(c.choices[0].delta.content or "") for c in ask(server, stream=True))
        assert size > 50_000_000
        assert len(ask(server).choices[0].message.content) == size


@pytest.mark.parametrize("name", ["invalid_utf8", "invalid_utf8_in_call"])
def test_invalid_bytes_go_out_as_they_are(name: str) -> None:
    with OpenAIServer([FAULTS[name]]) as server:
        for stream in (False, True):
            raw = client(server.url).chat.completions.with_raw_response
            body = raw.create(model=MODEL, messages=SAY, stream=stream).http_response.read()
            assert b"caf\xe9" in body and b"\xff" in body


def test_refusal_filter_limit_and_strange_usage_arrive() -> None:
    names = ("refusal", "filtered", "cut_at_limit", "negative_usage", "no_usage")
    with OpenAIServer([FAULTS[name] for name in names]) as server:
        refusal, filtered, cut, negative, none = [ask(server) for _ in names]
    assert refusal.choices[0].message.refusal.startswith("I'm sorry")
    assert (filtered.choices[0].finish_reason, cut.choices[0].finish_reason) == ("content_filter", "length")
    assert (negative.usage.prompt_tokens, none.usage) == (-5, None)


def test_a_refusal_streams() -> None:
    with OpenAIServer([FAULTS["refusal"]]) as server:
        _, chunks = streamed(server)
    assert [c.choices[0].delta.refusal for c in chunks if c.choices and c.choices[0].delta.refusal] == [
        FAULTS["refusal"].refusal
    ]


def test_what_is_no_protocol_is_sent_as_it_is() -> None:
    with OpenAIServer([FAULTS["not_the_protocol"], FAULTS["error_in_stream"]]) as server:
        assert isinstance(ask(server), str)
        with pytest.raises(openai.APIError, match="out of memory"):
            list(ask(server, stream=True))


def test_no_server_stands_behind_the_bad_addresses() -> None:
    for url in (refused_url(), UNKNOWN_HOST):
        with pytest.raises(openai.APIConnectionError):
            ask(url)


def test_a_certificate_that_nobody_signed_is_distrusted() -> None:
    with OpenAIServer([Reply()], tls=True) as server, pytest.raises(openai.APIConnectionError) as caught:
        ask(server)
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)
    assert not server.requests


def test_several_clients_are_served_at_once() -> None:
    with OpenAIServer([FAULTS["timeout"], Reply("quick")]) as server:
        with pytest.raises(openai.APITimeoutError):
            client(server.url, timeout=0.1).chat.completions.create(model=MODEL, messages=SAY)
        assert ask(server).choices[0].message.content == "quick"
