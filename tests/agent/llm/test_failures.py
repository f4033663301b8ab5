"""What exceptions of any provider's library mean: kind, cure, words."""

from __future__ import annotations

import email.utils
import json
import socket
import ssl
import time
from typing import Any

import httpx2
import openai
import pytest

from automl_gpt.agent.llm.evidence import without_secrets
from automl_gpt.agent.llm.exchange import Failure
from automl_gpt.agent.llm.failures import classify, refused_parameter

NAME, HOST = "openai:gpt-test", "llm.example:8000"


def refusal(status: int, error: Any = None, **headers: str) -> openai.APIStatusError:
    """What openai's client raises for an answer of that status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx2.Request("POST", f"http://{HOST}/v1/chat/completions")
    body = error if isinstance(error, dict) else {"message": error or "no"}
    response = httpx2.Response(status, headers=names, content=json.dumps({"error": body}), request=request)
    return openai.APIStatusError(f"Error code: {status} - {body}", response=response, body=body)


def judged(error: BaseException, name: str = NAME) -> Failure:
    failure = classify(error, name, HOST)
    assert 10 < len(failure.words) <= 200 and failure.words.isprintable()
    return failure


@pytest.mark.parametrize(
    ("status", "message", "kind", "cure"),
    [
        (401, "Incorrect API key", "auth", "never"),
        (403, "no access", "forbidden", "never"),
        (404, {"message": "The model `x` does not exist", "code": "model_not_found"}, "no_model", "never"),
        (404, "model 'llama9' not found, try pulling it first", "no_model", "never"),
        (400, "gpt-9 is no such model", "no_model", "never"),
        (404, "No endpoints found that support tool use", "no_tools", "lower"),
        (400, "something else", "bad_request", "never"),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "wrong", "input": "tools"}]}, "bad_request", "never"),
        (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]}, "no_usage", "lower"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice to be set', "no_tools", "lower"),
        (500, "tools param requires --jinja flag", "no_tools", "lower"),
        (500, "the tool chain of our data centre burns", "server", "again"),
        (400, "streaming is not supported", "no_stream", "lower"),
        (400, "upstream said no", "bad_request", "never"),
        (402, "Payment required", "quota", "never"),
        (400, "Your credit balance is too low to access the API", "quota", "never"),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, "quota", "never"),
        (429, "You exceeded your current quota. Please retry in 38.1s.", "rate_limit", "later"),
        (429, "slow down", "rate_limit", "later"),
        (400, "ThrottlingException: Too many requests", "rate_limit", "later"),
        (408, "late", "server", "again"),
        (409, "busy", "server", "again"),
        (500, "oh", "server", "again"),
        (502, "oh", "server", "again"),
        (503, "oh", "server", "again"),
        (504, "oh", "server", "again"),
        (529, "Overloaded", "server", "again"),
        (308, "moved", "not_a_model", "never"),
    ],
)
def test_a_status_and_its_words_make_the_kind(status: int, message: Any, kind: str, cure: str) -> None:
    failure = judged(refusal(status, message))
    assert (failure.kind, failure.cure) == (kind, cure)


@pytest.mark.parametrize(
    ("status", "message", "limit"),
    [
        (400, {"message": "maximum context length is 8,192 tokens", "code": "context_length_exceeded"}, 8192),
        (400, "This model's maximum context length is 4096 tokens. However, you requested 5210 tokens", 4096),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", 200000),
        (400, "The input token count (1200) exceeds the maximum number of tokens allowed (1000).", 1000),
        (400, {"message": "the request exceeds the available context size", "n_ctx": 2048}, 2048),
        (500, "the context size (1024 tokens) is exceeded", 1024),
        (400, "too many tokens", None),
        (413, "Request Entity Too Large", None),
        (422, "Input is too long for requested model", None),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000", 30000),
    ],
)
def test_a_context_that_is_too_short_is_known_by_many_wordings(status: int, message: Any, limit: int | None) -> None:
    failure = judged(refusal(status, message))
    assert (failure.kind, failure.cure) == ("context", "shrink")
    assert failure.lowered == ({} if limit is None else {"context": limit})


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("tool_choice", 'tool_choice="required" is not supported'),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ("roles", "Conversation roles must alternate user/assistant/user"),
        ("roles", "System role not supported"),
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("tools", "this model does not support function calling"),
        ("tools", {"message": "invalid schema", "param": "tools[0].function.parameters"}),
        ("", "the messages are odd"),
        ("", "maximum context length is 4096 tokens; max_tokens is too large"),
    ],
)
def test_the_refused_part_of_a_request_is_named(parameter: str, message: Any) -> None:
    assert refused_parameter(refusal(400, message)) == parameter
    assert refused_parameter(refusal(401, message)) == ""


def test_an_answer_that_was_asked_too_long_is_asked_shorter() -> None:
    failure = judged(refusal(400, "max_tokens is too large: 9000. This model supports at most 4096 completion tokens"))
    assert (failure.kind, failure.cure, failure.lowered) == ("output", "lower", {"output": 4096})


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"retry_after": "7"}, "slow", 7.0),
        ({"retry_after": "0.5"}, "slow", 0.5),
        ({"retry_after": "-3"}, "slow", 0.0),
        ({"retry_after": "nan"}, "slow", None),
        ({"retry_after": "inf"}, "slow", None),
        ({"retry_after": "soon"}, "slow", None),
        ({"retry_after": ""}, "slow", None),
        ({"retry_after": "9", "retry_after_ms": "1500"}, "slow", 1.5),
        ({"retry_after": email.utils.formatdate(0)}, "slow", 0.0),
        ({}, "Please try again in 20s.", 20.0),
        ({}, "Please try again in 250ms.", 0.25),
        ({}, "Please try again in 6m30s.", 390.0),
        ({}, "slow", None),
    ],
)
def test_the_wait_is_what_the_server_asked_for(headers: dict[str, str], message: str, wait: float | None) -> None:
    assert judged(refusal(429, message, **headers)).wait == wait


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_may_be_a_date(status: int) -> None:
    wait = judged(refusal(status, "slow", retry_after=email.utils.formatdate(time.time() + 600))).wait
    assert wait is not None and 500 < wait <= 600


# ------------------------------------------------------------------------------------------------- without a status


def caused(outer: Exception, cause: BaseException) -> Exception:
    try:
        raise outer from cause
    except Exception as error:
        return error


def swallowed(outer: Exception, context: Exception) -> Exception:
    """What libraries do that raise `from None`."""
    try:
        try:
            raise context
        except Exception:
            raise outer from None
    except Exception as error:
        return error


REQUEST = httpx2.Request("POST", "http://x")
CONNECTION = openai.APIConnectionError(request=REQUEST)
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
CERTIFICATE.verify_message = "certificate has expired"


class ReadTimeout(Exception):
    """As of a library that is not installed."""


class ChunkedEncodingError(Exception):
    """As of a library that is not installed."""


@pytest.mark.parametrize(
    ("error", "kind", "cure"),
    [
        (caused(CONNECTION, ConnectionRefusedError(111, "refused")), "refused", "again"),
        (swallowed(ConnectionError("Failed to connect to Ollama"), ConnectionRefusedError()), "refused", "again"),
        (
            caused(openai.APIConnectionError(request=REQUEST), OSError(101, "unreachable")),
            "refused",
            "again",
        ),
        (openai.APIConnectionError(request=REQUEST), "refused", "again"),
        (caused(openai.APIConnectionError(request=REQUEST), socket.gaierror(-2, "unknown")), "dns", "again"),
        (caused(openai.APIConnectionError(request=REQUEST), CERTIFICATE), "tls", "never"),
        (caused(openai.APIConnectionError(request=REQUEST), ssl.SSLError(1, "WRONG_VERSION_NUMBER")), "tls", "never"),
        (ssl.SSLEOFError(8, "EOF occurred"), "cut", "again"),
        (openai.APITimeoutError(request=REQUEST), "timeout", "again"),
        (TimeoutError(), "timeout", "again"),
        (ReadTimeout(), "timeout", "again"),
        (ConnectionResetError(104, "reset"), "cut", "again"),
        (BrokenPipeError(), "cut", "again"),
        (httpx2.RemoteProtocolError("peer closed connection"), "cut", "again"),
        (ChunkedEncodingError(), "cut", "again"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "garbled", "again"),
        (json.JSONDecodeError("Expecting value", "<", 0), "garbled", "again"),
        (ZeroDivisionError("division"), "unknown", "again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_connection_fails_in_many_ways(error: Exception, kind: str, cure: str) -> None:
    failure = judged(error)
    assert (failure.kind, failure.cure, failure.wait) == (kind, cure, None)


def test_a_failure_within_an_exception_is_that_failure() -> None:
    inner = Failure("too_long", "the answer is too long", "again")
    assert classify(caused(openai.APIConnectionError(request=REQUEST), inner), NAME, HOST) is inner


def test_an_exception_that_is_its_own_cause_ends() -> None:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert judged(one).kind == "unknown"


class ClientError(Exception):
    """As botocore's: the response is a mapping."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class ResourceExhausted(Exception):
    """As google's: the code is the status."""

    code = 429


class ResponseError(Exception):
    """As ollama's: a status and an error."""

    status_code = 404
    error = "model 'x' not found"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError(400, "ThrottlingException"), "rate_limit"),
        (ClientError(403, "AccessDeniedException"), "forbidden"),
        (ResourceExhausted("Quota per minute reached. Please retry in 3s"), "rate_limit"),
        (ResponseError("model 'x' not found"), "no_model"),
        (ValueError({"message": "overloaded", "code": 502}), "server"),
    ],
)
def test_other_libraries_are_known_by_what_their_exceptions_carry(error: Exception, kind: str) -> None:
    assert judged(error, "other:model").kind == kind


# ------------------------------------------------------------------------------------------------------------ the words


def test_the_words_name_model_host_and_mend() -> None:
    assert judged(refusal(401)).words == f"{HOST} refuses the key for {NAME} (401): set OPENAI_API_KEY"
    assert "ANTHROPIC_API_KEY" in judged(refusal(401), "anthropic:claude").words
    assert "OPENAI_BASE_URL" in judged(refusal(404, "Not Found")).words
    assert "OPENAI_BASE_URL" not in judged(refusal(404, "Not Found"), "mistralai:small").words
    assert judged(CERTIFICATE).words.startswith(f"the certificate of {HOST} is not trusted (certificate has expired)")
    assert "again in 24 h" in judged(refusal(429, retry_after="86400")).words
    assert "NullError" in judged(type("NullError", (Exception,), {})("x")).words


def test_the_words_are_short_whatever_the_server_and_the_model_are_called() -> None:
    for status in (400, 401, 404, 418, 429, 500):
        classify(refusal(status, "x\n\x1b[31m" * 5000), "openai:" + "m" * 500, "h" * 500)
        assert judged(refusal(status, "x\n\x1b[31m" * 5000), "openai:" + "m" * 500).words.isprintable()


KEY = "wo0rd-like-Key"
"""A key that looks like none, but stands in the environment."""


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abc123DEF456",
        "Bearer abcdef",
        "AIzaSyA-1234567890",
        "lsv2_pt_0123456789",
        "gsk_abcdefgh",
        "0123456789abcdef0123456789abcdef",
        "api_key=opensesame",
        "https://me:opensesame@host/",
        KEY,
    ],
)
@pytest.mark.parametrize("status", [400, 500, 418, None])
def test_no_word_shows_a_secret(monkeypatch: pytest.MonkeyPatch, secret: str, status: int | None) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    message = f"it failed with {secret} in it"
    words = judged(refusal(status, message) if status else RuntimeError(message)).words
    hidden = "opensesame" if "opensesame" in secret else secret.removeprefix("Bearer ")
    assert hidden not in words
    assert "it failed with" in words and hidden not in without_secrets(message)
