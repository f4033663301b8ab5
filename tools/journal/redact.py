"""Takes keys, tokens and passwords out of what is written to a disk or sent to a language model.

What counts as a secret: the value of an environment variable whose name says so, and what has the form of one. Words,
numbers and fingerprints stay. A JSON text stays JSON: nothing that is taken out crosses a quotation mark or cuts an
escape in two.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 8
"""Shorter values of environment variables are no secrets: they stand in too many words."""

_SECRET_NAME = re.compile(r"(?i)KEY(?!BOARD|RING|MAP|CHAIN)|TOKEN(?!IZ)|SECRET|PASSWORD|PASSWD|CREDENTIAL")
_PASSWORD_NAME = re.compile(r"(?i)SECRET|PASSWORD|PASSWD")
_PLACE_NAME = re.compile(r"(?i)_(?:FILES?|PATH|DIR|HOME|NAME|UR[LI]|HOST|ENDPOINT)$")
_WORDS = re.compile(r"[A-Za-z]?[a-z]{1,14}(?:[ _.-][a-z]{1,15})*")
_NUMBER = re.compile(r"[-+]?[\d_]*\.?\d*(?:[eE][-+]?\d+)?")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_TYPE = re.compile(r"(?:u?int|float|complex|datetime|timedelta|string|object|bool)\d*(?:\[.*)?")


class _Form(NamedTuple):
    """A well-known form of secrets: what has to stand in a text, and the pattern, which begins with it."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    instead: str = REDACTED


def _key(prefix: str, rest: str) -> _Form:
    """Return the form of keys that begin alike, and not within a word; an escape before them is no part of a word."""
    before = f"(?:(?<![A-Za-z0-9_-]{prefix})|(?<=\\\\[nrt]{prefix})|(?<=%[0-9A-Fa-f]{{2}}{prefix}))"
    return _Form((prefix.partition("[")[0],), re.compile(prefix + before + rest))


_LONG = "[A-Za-z0-9]{20,}"
_FORMS = (
    _Form(("://",), re.compile(r'://[^\s/"\\@:<>]*:(?:[^\s/"\\]|\\["\\/])*@'), f"://{REDACTED}@"),
    _Form(
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,]|\\+[nrt]|-(?!----))*+"
            r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)?"
        ),
    ),
    _Form(
        ("earer ",),
        re.compile(r"([Bb]earer +)(?=[^\s\"\\]{0,200}\d)[A-Za-z0-9._~+/=-]{16,}"),
        rf"\1{REDACTED}",
    ),
    _key("sk-", r"(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}"),
    *(_key(prefix, _LONG) for prefix in ("gh[pousr]_", "hf_", "gsk_", "xai-", "pplx-")),
    _key("github_pat_", "[A-Za-z0-9_]{20,}"),
    _key("glpat-", "[A-Za-z0-9_-]{16,}"),
    _key("lsv2_", "[A-Za-z0-9_]{20,}"),
    _key("AKIA", "[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _key("ASIA", "[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _key("AIza", "[A-Za-z0-9_-]{30,}"),
    _key("xox", "[abeoprs]-[A-Za-z0-9-]{10,}"),
    _key("eyJ", r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
)

_ASSIGNED = re.compile(
    r"(?i)(?P<name>(?:api|access|secret|private)[ _-]?key|secret|token|passw(?:or)?d|passphrase|pwd|credentials?)"
    r"(?P<sign>\s{0,3}[:=]\s{0,3}(?:\\*[\"'])?|\\*[\"']\s{0,3}[:=]\s{0,3}\\*[\"'])"
    r"(?P<value>[^\s\"'\\,;&<>}\[\](){$][^\s\"'\\,;&<>}]{5,})"
)
_HINTS = {
    root: re.compile(rf"{root}{rest}\\*[\"']?\s{{0,3}}[:=]")
    for root, rest in (
        *(("key", ""), ("secret", ""), ("token", ""), ("pass", "(?:w(?:or)?d|phrase)"), ("pwd", "")),
        ("credential", "s?"),
    )
}
"""Quick to look for in a text of small letters: only where one is found the assignments are looked for."""


def redact(text: str) -> str:
    """Return the text with `[redacted]` in place of every secret; the same text where there is none."""
    secrets = _secrets_of(_environment())
    if secrets.pattern is not None and any(form in text for form in secrets.forms):
        text = secrets.pattern.sub(REDACTED, text)
    for form in _FORMS:
        if any(mark in text for mark in form.marks):
            text = form.pattern.sub(form.instead, text)
    small = text.lower()
    if any(root in small and hint.search(small) for root, hint in _HINTS.items()):
        text = _ASSIGNED.sub(_without_value, text)
    return text


# ------------------------------------------------------------------------------------------------- the environment


class _Secrets(NamedTuple):
    """The environment's secrets in all their spellings, and the pattern that finds them."""

    forms: tuple[str, ...]
    pattern: re.Pattern[str] | None


def _environment() -> tuple[tuple[str, str], ...]:
    named = ((name, os.environ.get(name, "").strip()) for name in os.environ if _is_secret_name(name))
    return tuple((name, value) for name, value in named if len(value) >= SHORTEST)


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _PLACE_NAME.search(name) is None


@lru_cache(maxsize=8)
def _secrets_of(environment: tuple[tuple[str, str], ...]) -> _Secrets:
    whole: set[str] = set()
    words: set[str] = set()
    for name, value in environment:
        if _NUMBER.fullmatch(value) or _is_place(value):
            continue
        if not _WORDS.fullmatch(value):
            whole |= _spellings(value)
        elif _PASSWORD_NAME.search(name):
            words.add(value)
    if not whole and not words:
        return _Secrets((), None)
    # The longest first: an escaped spelling may begin like the plain one, and what is left of it would be no JSON.
    parts = [re.escape(form) for form in sorted(whole, key=len, reverse=True)]
    parts += [rf"(?:(?<!\w)|(?<=\\[nrt])){re.escape(word)}(?!\w)" for word in sorted(words, key=len, reverse=True)]
    return _Secrets((*whole, *words), re.compile("|".join(parts)))


def _is_place(value: str) -> bool:
    try:
        return value[0] in "/~." and Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def _spellings(value: str) -> set[str]:
    """Return how a value stands in prose, in JSON, in JSON within JSON, and in a URL."""
    escaped = {json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (False, True)}
    twice = {json.dumps(form, ensure_ascii=False)[1:-1] for form in escaped}
    urls = {quote(value, safe=safe, errors="surrogateescape") for safe in ("", "/")}
    return {value, *escaped, *twice, *urls, quote_plus(value, errors="surrogateescape")}


# ---------------------------------------------------------------------------------------------------- assignments


def _without_value(match: re.Match[str]) -> str:
    name, sign, value = match.group("name", "sign", "value")
    return f"{name}{sign}{REDACTED}" if _is_secret(name.lower(), sign, value) else match.group()


def _is_secret(name: str, sign: str, value: str) -> bool:
    """Say whether an assigned value is a secret, and no word, number, type or fingerprint."""
    if any(pattern.fullmatch(value) for pattern in (_NUMBER, _FINGERPRINT, _TYPE)):
        return False
    if name.startswith(("token", "credential")):
        return len(value) >= 16 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if _WORDS.fullmatch(value):
        return sign == "="
    return any(c.isdigit() or c in "!@#$%^*?+~" for c in value)
