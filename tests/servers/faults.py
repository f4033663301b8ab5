"""Every way in which a language model's server, or what it answers, fails: replies by name, and bad addresses."""

from __future__ import annotations

import socket

from tests.servers.reply import Reply

FOREVER = 3600.0
"""A delay, in seconds, that no client waits for; it ends with the server."""
UNKNOWN_HOST = "http://no-such-host.invalid/v1"
"""An address whose host does not exist, and by RFC 2606 never will."""


def refused_url() -> str:
    """An address of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def _error(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply.error(status, message, code, names, type="invalid_request_error" if status < 429 else "server_error")


_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
_STORY = "A long answer that says little, and says it slowly. " * 8
_MODELS = {"models": ["lightgbm"], "reason": "trees do well on mixed columns"}

FAULTS: dict[str, Reply] = {
    # The server refuses.
    "unauthorized": _error(401, "Incorrect API key provided: sk-wrong. You can find your key …", "invalid_api_key"),
    "forbidden": _error(403, "You are not allowed to use this model", "unsupported_country_region_territory"),
    "model_not_found": _error(404, "The model `gpt-nought` does not exist", "model_not_found"),
    "context_too_long": _error(
        400,
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5210 tokens. "
        "Please reduce the length of the messages.",
        "context_length_exceeded",
    ),
    "tools_unsupported": _error(400, "test-model does not support tools"),
    "usage_unsupported": _error(400, "Unrecognized request argument supplied: stream_options"),
    "rate_limited": _error(429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "rate_limited_retry_after": _error(429, "Rate limit reached", "rate_limit_exceeded", retry_after="2"),
    "rate_limited_until_tomorrow": _error(429, "Rate limit reached", "rate_limit_exceeded", retry_after="86400"),
    "quota_exhausted": _error(429, "You exceeded your current quota, please check your plan", "insufficient_quota"),
    "server_error": _error(500, "The server had an error while processing your request"),
    "bad_gateway": Reply(status=502, raw=_PAGE, headers={"content-type": "text/html"}),
    "unavailable": _error(503, "The engine is currently overloaded, please try again later"),
    # The wire.
    "timeout": Reply("too late", delay=FOREVER),
    "stalled": Reply(_STORY, chunk_delay=FOREVER),
    "cut_stream": Reply(_STORY, cut_after=3),
    "cut_call": Reply(calls=[("assign_model", _MODELS)], cut_after=3),
    "no_answer": Reply(cut_after=0),
    "not_the_protocol": Reply(raw=_PAGE, headers={"content-type": "text/html"}),
    "error_in_stream": Reply(raw=b'data: {"error": {"message": "out of memory", "type": "server_error"}}\n\n'),
    "huge": Reply("nonsense and more " * 3641, times=800),
    "invalid_utf8": Reply("caf\udce9 \udcff\udcfe au lait"),
    "invalid_utf8_in_call": Reply(calls=[("assign_model", '{"models": ["light\udcffgbm"], "reason": "caf\udce9"}')]),
    # The answer.
    "empty": Reply(""),
    "prose": Reply("I think that gradient boosting would be a fine choice for these data."),
    "unknown_tool": Reply.call("order_pizza", size="large"),
    "no_json": Reply(calls=[("assign_model", '{"models": ["lightgbm", reason: trees')]),
    "wrong_type": Reply.call("assign_model", models=7, reason=["not", "a", "text"]),
    "no_object": Reply(calls=[("assign_model", '["lightgbm"]')]),
    "out_of_range": Reply.call(
        "propose_hyperparameters",
        configurations=[{"model": "lightgbm", "hyperparameters": {"learning_rate": 1e9}, "reason": "fast"}],
    ),
    "nonexistent_model": Reply.call("assign_model", models=["forest_of_9000_trees"], reason="it is said to be good"),
    "nonexistent_column": Reply.call("describe_data", columns=["no such column"]),
    "several_calls": Reply(
        calls=[("assign_model", _MODELS), ("assign_model", {**_MODELS, "models": ["xgboost"]}), ("finish", {})]
    ),
    "call_twice": Reply(calls=[("assign_model", _MODELS), ("assign_model", _MODELS)]),
    "same_again": Reply.call("revise", action="continue", reason="we go on"),
    "refusal": Reply(refusal="I'm sorry, but I can't help with that."),
    "filtered": Reply("", finish="content_filter"),
    "cut_at_limit": Reply("Let me think about this at length, starting with", finish="length"),
    "call_cut_at_limit": Reply(calls=[("assign_model", '{"models": ["lightgbm", "xgb')], finish="length"),
    "negative_usage": Reply(
        "fine", usage={"prompt_tokens": -5, "completion_tokens": -1000000, "total_tokens": -1000005}
    ),
    "absurd_usage": Reply("fine", usage={"prompt_tokens": 10**15, "completion_tokens": 10**15, "total_tokens": 2}),
    "no_usage": Reply("fine", usage=None),
}
"""The failures by name. Those of arguments name a decision's tool; `controller_player.SPOILS` spoils whichever call is
asked for. The missing server, the unknown host and the distrusted certificate are addresses: `refused_url`,
`UNKNOWN_HOST`, `OpenAIServer(tls=True)`."""
