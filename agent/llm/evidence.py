"""What an exception of any provider's library tells about a failed request: status, headers, the server's own words.

Nothing of those libraries is imported: their exceptions are known by what they carry, or by the names of their classes.
"""

from __future__ import annotations

import email.utils
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

QUOTED = 2000
"""The most characters of a server's words that are looked at."""
CAUSES = 12
SECRETS = re.compile(
    r"(?i)\b(?:sk|pk|rk|key|lsv2|hf|gsk|xai|ghp|pplx)[-_][\w*.-]{4,}|\bAIza[\w-]{8,}|\bbearer\s+\S+"
    r"|(?<=://)[^/\s@]+@|\b(?=[\w-]*\d)[\w-]{32,}|\b(?:api[_-]?key|token|password)[\"']?\s*[=:]\s*\S+"
)
SECRET_NAMES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
STATUS_OF_CODE = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
}
SOON = re.compile(
    r"(?i)(?:try|retry)(?:ing)?(?: again)? (?:in|after) (?:(\d+)\s*m(?:in\w*)?\s*)?(\d+(?:\.\d+)?)\s*(ms|s)"
)


def without_secrets(text: str) -> str:
    """Return a text on one line, with everything that looks like a key, or is one of the environment's, taken out."""
    for name, value in os.environ.items():
        if name.upper().endswith(SECRET_NAMES) and len(value) >= 6:
            text = text.replace(value, "…")
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(SECRETS.sub("…", text).split())


@dataclass(frozen=True)
class Evidence:
    """What is known of a failure. `message` are the server's words, `code` and `parameter` what it named in them."""

    chain: tuple[BaseException, ...]
    status: int | None
    headers: Mapping[str, str]
    message: str
    code: str
    parameter: str

    @property
    def names(self) -> frozenset[str]:
        """The names of all classes of the exception and of its causes."""
        return frozenset(kind.__name__ for error in self.chain for kind in type(error).__mro__)

    def find(self, *kinds: type[BaseException]) -> BaseException | None:
        """Return the first of those exceptions among the causes."""
        return next((error for error in self.chain if isinstance(error, kinds)), None)

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Say whether the server's words or codes match."""
        return bool(pattern.search(f"{self.code} {self.parameter} {self.message}"))

    def wait(self) -> float | None:
        """Return the seconds that the server asks to wait for; None where it names none."""
        if (asked := _seconds(self.headers.get("retry-after-ms"), 1000)) is not None:
            return asked
        if (asked := _seconds(self.headers.get("retry-after"), 1)) is not None:
            return asked
        if (date := _until(self.headers.get("retry-after"))) is not None:
            return date
        if found := SOON.search(self.message):
            seconds = float(found[2]) / (1000 if found[3] == "ms" else 1)
            return seconds + 60.0 * int(found[1] or 0)
        return None


def evidence(error: BaseException) -> Evidence:
    """Return what an exception and its causes tell."""
    chain = tuple(_causes(error))
    body = next((found for e in chain if (found := _body(e)) is not None), None)
    code, parameter, message = _told(body)
    status = next((found for e in chain if (found := _status(e)) is not None), None)
    return Evidence(
        chain=chain,
        status=status if status is not None else _status_of(code, body),
        headers=next((found for e in chain if (found := _headers(e))), {}),
        message=(message or _plain(error))[:QUOTED],
        code=code,
        parameter=parameter,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(seen) < CAUSES and not any(current is e for e in seen):
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    found = [getattr(error, name, None) for name in ("status_code", "code", "status", "http_status")]
    found += [getattr(response, "status_code", None), getattr(response, "status", None)]
    if isinstance(response, Mapping):
        found.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    return next((int(s) for s in found if isinstance(s, int) and not isinstance(s, bool) and 300 <= s <= 599), None)


def _headers(error: BaseException) -> dict[str, str]:
    headers = getattr(getattr(error, "response", None), "headers", None) or getattr(error, "headers", None)
    try:
        return {str(name).lower(): str(value) for name, value in headers.items()} if headers is not None else {}
    except (AttributeError, TypeError, ValueError):
        return {}


def _body(error: BaseException) -> Any:
    """The body of the error answer: a mapping or text."""
    body = getattr(error, "body", None)
    if body is None and error.args and isinstance(error.args[0], Mapping):
        body = error.args[0]
    if body is None and isinstance(response := getattr(error, "response", None), Mapping):
        body = response
    if isinstance(body, Mapping):
        inner = body.get("error", body.get("Error", body))
        return inner if isinstance(inner, Mapping) else {"message": inner}
    return body if isinstance(body, str) else None


def _told(body: Any) -> tuple[str, str, str]:
    """Code, parameter and message of an error's body."""
    if not isinstance(body, Mapping):
        return "", "", "" if body is None else _no_page(str(body))
    code = body.get("code") or body.get("Code") or body.get("type") or ""
    message = body.get("message") or body.get("Message") or body.get("detail") or body.get("msg") or ""
    if isinstance(message, list):
        # FastAPI's: the place and the problem; the rest repeats what was sent.
        told = [item for item in message if isinstance(item, Mapping)]
        message = "; ".join(f"{'.'.join(map(str, i.get('loc') or ()))}: {i.get('msg')}" for i in told)
    if limit := body.get("n_ctx"):
        message = f"{message} (n_ctx {limit})"
    return str(code), str(body.get("param") or ""), _no_page(str(message))


def _no_page(text: str) -> str:
    """Leave out what are no words of a server: web pages, and openai's own for the lack of any."""
    return "" if text.lstrip().startswith("<") or re.fullmatch(r"Error code: \d+", text) else text


def _plain(error: BaseException) -> str:
    return _no_page(str(error))


def _status_of(code: str, body: Any) -> int | None:
    """The status that an error within a stream would have had."""
    if code.isdecimal() and 400 <= int(code[:6]) <= 599:
        return int(code)
    kind = str(body.get("type") or "") if isinstance(body, Mapping) else ""
    found = STATUS_OF_CODE.get(code, STATUS_OF_CODE.get(kind))
    return 500 if found is None and isinstance(body, Mapping) else found


def _seconds(text: str | None, unit: float) -> float | None:
    try:
        seconds = float(text or "") / unit
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(text: str | None) -> float | None:
    try:
        then = email.utils.parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return max(0.0, then - time.time())
