"""Every failure of a language model by name: what the person is told in one line, and what helps against it."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from automl_gpt.agent.llm.evidence import Evidence, evidence, without_secrets
from automl_gpt.agent.llm.exchange import Cure, Failure
from automl_gpt.agent.llm.providers import key_variable

LONGEST = 200
"""The most characters of the words for a person."""
SMALLEST_CONTEXT, LARGEST_CONTEXT = 256, 10_000_000
Parameter = Literal["tool_choice", "stream_options", "max_tokens", "roles", "tools", "stream", ""]

CONTEXT = re.compile(
    r"(?i)context[_ -]?(?:length|size|window)|maximum context|too many (?:input )?tokens|(?:prompt|input) is too long"
    r"|exceeds? the (?:maximum|max)[\w ]* tokens?|token count.*exceeds|reduce the length|request (?:is )?too large"
    r"|longer than the maximum|n_ctx"
)
CONTEXT_LIMIT = re.compile(
    r"(?i)(?:maximum context length (?:is|of)|context (?:size|window|length)\D{0,30}?|n_ctx\D{0,5}|>"
    r"|maximum number of tokens allowed \(?|maximum of|limit(?: is| of|:)?)\s*\(?(\d[\d,]{2,12})"
)
OUTPUT_LIMIT = re.compile(r"(?i)at most (\d[\d,]{0,9}) (?:completion |output )?tokens|<= ?(\d[\d,]{0,9})")
QUOTA = re.compile(r"(?i)insufficient[_ ](?:quota|funds|balance|credit)|current quota|billing|credit balance")
NO_MODEL = re.compile(
    r"(?i)model_not_found|\bmodels?\b.{0,80}\bnot (?:exist|found|available)|no such model|try pulling it"
)
THROTTLED = re.compile(r"(?i)throttl|too many requests|rate[_ ]limit")
PARAMETERS: dict[Parameter, re.Pattern[str]] = {
    "tool_choice": re.compile(r"(?i)tool[_ ]choice"),
    "stream_options": re.compile(r"(?i)stream_options|include_usage"),
    "max_tokens": re.compile(r"(?i)max_(?:completion_|output_)?tokens"),
    "roles": re.compile(r"(?i)system role|roles must alternate|system message"),
    "tools": re.compile(r"(?i)\btools?\b|\bfunctions?\b|\b(?:tool|function)[_ -]?(?:calls?|calling|use)\b"),
    "stream": re.compile(r"(?i)\bstream(?:ing)?\b"),
}
UNABLE = re.compile(r"(?i)support|require|enable|not implemented|unrecogni[sz]ed|unknown|must|not allowed|unavailable")
CUT = {"RemoteProtocolError", "IncompleteRead", "ReadError", "ChunkedEncodingError", "ClientPayloadError", "WriteError"}
GARBLED = {"UnicodeError", "JSONDecodeError", "ValidationError", "DecodingError", "APIResponseValidationError"}


@dataclass(frozen=True)
class _Case:
    """A failure's evidence, and who failed."""

    seen: Evidence
    model_name: str
    endpoint: str

    @property
    def model(self) -> str:
        return _cut(self.model_name, 60)

    @property
    def host(self) -> str:
        return _cut(self.endpoint, 60)

    @property
    def address(self) -> str:
        """What the person would change about the address."""
        return "OPENAI_BASE_URL" if self.model_name.startswith("openai:") else "the provider's address"

    def fails(
        self, kind: str, words: str, cure: Cure, wait: float | None = None, lowered: dict[str, Any] | None = None
    ) -> Failure:
        return Failure(kind, _cut(words, LONGEST), cure, wait, lowered)

    def quoted(self, length: int = 90) -> str:
        said = _cut(without_secrets(self.seen.message), length)
        return f": {said}" if said else ""


def classify(error: BaseException, model_name: str, endpoint: str) -> Failure:
    """Return what an exception means, for a model called PROVIDER:MODEL whose requests go to a host.

    Works for every provider's exceptions; what is not known is `unknown`, with the name of the exception's class.
    """
    case = _Case(evidence(error), model_name, endpoint)
    if known := next((e for e in case.seen.chain if isinstance(e, Failure)), None):
        return known
    return _of_status(case) or _of_address(case) or _of_connection(case) or _of_content(case) or _unknown(case)


def not_a_model(model_name: str, endpoint: str) -> Failure:
    """Return the failure of an address where something answers that is no language model."""
    case = _Case(evidence(Exception()), model_name, endpoint)
    words = f"what answers at {case.host} is no language model's server: check {case.address}, which mostly ends in /v1"
    return case.fails("not_a_model", words, "never")


def refused_parameter(error: BaseException) -> Parameter:
    """Return the part of a request that the server does not take; empty where it refused for another reason."""
    return _refused(evidence(error))


def _refused(seen: Evidence) -> Parameter:
    if seen.status not in (400, 404, 422, 500, 501) or _is_context(seen):
        return ""
    if seen.status in (404, 500, 501) and not seen.says(UNABLE):
        return ""
    for text in (seen.parameter, seen.message):
        for parameter, pattern in PARAMETERS.items():
            # With 404 and 500 another story is likelier; only what is unmistakable counts there.
            if pattern.search(text) and (seen.status in (400, 422) or parameter in ("tools", "tool_choice", "roles")):
                return parameter
    return ""


def _is_context(seen: Evidence) -> bool:
    if seen.status == 413 or "ContextOverflowError" in seen.names:
        return True
    if seen.status == 429:
        return "request too large" in seen.message.lower()
    return seen.status in (400, 422, 500) and seen.says(CONTEXT)


def _of_status(case: _Case) -> Failure | None:
    return None if case.seen.status is None else _of_limits(case) or _of_refusal(case) or _of_server(case)


def _of_limits(case: _Case) -> Failure | None:
    """Too long, not paid for, too often."""
    seen, status = case.seen, case.seen.status
    if _is_context(seen):
        return _context(case)
    if status == 402 or (status in (400, 403, 429) and _is_quota(seen)):
        words = f"{case.host}: the quota or credit for {case.model} is used up ({status}); top it up, or /controller"
        return case.fails("quota", words, "never")
    if status == 429 or (status == 400 and seen.says(THROTTLED)):
        wait = seen.wait()
        words = f"{case.host} limits the rate of requests ({status})" + (f"; again in {_span(wait)}" if wait else "")
        return case.fails("rate_limit", words, "later", wait)
    return None


def _of_refusal(case: _Case) -> Failure | None:
    if parameter := _refused(case.seen):
        return _lowered(case, parameter)
    status = case.seen.status
    if status in (401, 403, 404) or (status == 400 and case.seen.says(NO_MODEL)):
        return _not_ours(case)
    return None


def _of_server(case: _Case) -> Failure:
    status = case.seen.status or 0
    if status in (408, 409, 425) or status >= 500:
        words = f"{case.host} has a problem of its own ({status}){case.quoted()}"
        return case.fails("server", words, "again", case.seen.wait())
    if status < 400:
        words = f"{case.host} sends requests elsewhere ({status}): set {case.address} to where it points"
        return case.fails("not_a_model", words, "never")
    return case.fails("bad_request", f"{case.model} does not take the request ({status}){case.quoted()}", "never")


def _is_quota(seen: Evidence) -> bool:
    return seen.code == "insufficient_quota" or (seen.says(QUOTA) and seen.wait() is None)


def _context(case: _Case) -> Failure:
    limit = _number(CONTEXT_LIMIT, case.seen.message)
    if limit is None or not SMALLEST_CONTEXT <= limit <= LARGEST_CONTEXT:
        return case.fails("context", f"the request is too long for {case.model}: it is shortened", "shrink")
    words = f"the request is too long for {case.model}, which takes {limit:,} tokens: it is shortened"
    return case.fails("context", words, "shrink", lowered={"context": limit})


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(next(group for group in found.groups() if group).replace(",", "")) if found else None


def _not_ours(case: _Case) -> Failure:
    """401, 403, 404: nothing that another request would change."""
    status = case.seen.status
    variable = key_variable(case.model_name) or "the provider's key"
    if status == 401:
        return case.fails("auth", f"{case.host} refuses the key for {case.model} (401): set {variable}", "never")
    if status == 403:
        words = f"{case.host} does not let this key use {case.model} (403): choose another model or key"
        return case.fails("forbidden", words, "never")
    if status == 400 or case.seen.says(NO_MODEL):
        words = f"{case.host} has no model {case.model} ({status}): choose another with /controller"
    else:
        words = f"{case.host} has no such address (404): check {case.address}, which mostly ends in /v1, and the model"
    return case.fails("no_model", words, "never")


def _lowered(case: _Case, parameter: Parameter) -> Failure:
    """A part of the request is refused, which the model can be asked without."""
    if parameter in ("tools", "tool_choice"):
        words = f"{case.model} takes no tool calls: it is asked for JSON in text"
        return case.fails("no_tools", words, "lower", lowered={"tools": False})
    if parameter == "stream_options":
        words = f"{case.host} reports no usage while it streams: tokens are estimated"
        return case.fails("no_usage", words, "lower", lowered={"usage": False})
    if parameter == "stream":
        return no_stream(case.model_name, case.endpoint)
    limit = _number(OUTPUT_LIMIT, case.seen.message) if parameter == "max_tokens" else None
    if limit:
        words = f"{case.model} answers with {limit:,} tokens at the most: it is asked for no more"
        return case.fails("output", words, "lower", lowered={"output": limit})
    return case.fails("bad_request", f"{case.model} does not take the request{case.quoted()}", "never")


def cut(model_name: str, endpoint: str) -> Failure:
    """Return the failure of an answer that ended before its end."""
    case = _Case(evidence(Exception()), model_name, endpoint)
    return case.fails("cut", f"{case.host} broke off in the middle of an answer", "again")


def no_stream(model_name: str, endpoint: str) -> Failure:
    """Return the failure of a server whose streamed answers can't be had."""
    case = _Case(evidence(Exception()), model_name, endpoint)
    words = f"{case.host} does not stream the answers of {case.model}: it is asked for whole ones"
    return case.fails("no_stream", words, "lower", lowered={"stream": False})


def _of_address(case: _Case) -> Failure | None:
    """Nobody who can be trusted is there."""
    seen = case.seen
    if seen.find(socket.gaierror):
        words = f"the host {case.host} can't be found: check the network and {case.address}"
        return case.fails("dns", words, "again")
    if (problem := seen.find(ssl.SSLError)) and not isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _tls(case, problem)
    if seen.find(ConnectionRefusedError):
        words = f"nothing answers at {case.host} (connection refused): is the server running? Check {case.address}"
        return case.fails("refused", words, "again")
    return None


def _of_connection(case: _Case) -> Failure | None:
    seen = case.seen
    if seen.find(TimeoutError) or any("Timeout" in name or "DeadlineExceeded" in name for name in seen.names):
        return case.fails("timeout", f"{case.model} at {case.host} did not answer in time", "again")
    if seen.find(ConnectionError, ssl.SSLError) or seen.names & CUT:
        return cut(case.model_name, case.endpoint)
    if seen.find(OSError) or seen.names & {"ConnectError", "APIConnectionError"}:
        return case.fails("refused", f"{case.host} can't be reached: check the network and {case.address}", "again")
    return None


def _tls(case: _Case, problem: BaseException) -> Failure:
    if isinstance(problem, ssl.SSLCertVerificationError):
        words = f"the certificate of {case.host} is not trusted ({_cut(problem.verify_message, 60)}): "
        return case.fails("tls", words + f"mend it, or check {case.address}", "never")
    words = f"{case.host} does not speak TLS as it should: http:// instead of https:// in {case.address}?"
    return case.fails("tls", words, "never")


def _of_content(case: _Case) -> Failure | None:
    return garbled(case.seen.chain[0], case.model_name, case.endpoint) if case.seen.names & GARBLED else None


def garbled(error: BaseException, model_name: str, endpoint: str) -> Failure:
    """Return the failure of an answer that can't be read, with the name of the exception that its reader raised."""
    case = _Case(evidence(error), model_name, endpoint)
    words = f"the answer of {case.model} at {case.host} can't be read ({type(error).__name__})"
    return case.fails("garbled", words, "again")


def _unknown(case: _Case) -> Failure:
    name = type(case.seen.chain[0]).__name__
    return case.fails("unknown", f"{case.model} at {case.host} failed ({name}){case.quoted()}", "again")


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )


def _cut(text: str, length: int) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= length else text[: length - 1] + "…"
