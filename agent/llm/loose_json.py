"""JSON as language models write it: fenced, commented, in Python's spelling, without its last brackets.

Only what loses nothing is mended; what could be read in two ways is refused, with the place. Written here because the
libraries for it guess: they turn `0.1 or 0.2` into 0.1, and a few thousand brackets keep them busy for seconds. The
time of this one grows with the length of the text alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

DEEPEST = 60
"""Brackets within brackets."""
READ_AGAIN = 4
"""How often a text may be read over, on the average, while objects are looked for in it."""
ATTEMPT = 20
"""Characters that could be read in the time that the beginning of an object takes."""
WORDS: dict[str, Any] = {
    **{"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False},
    **{"null": None, "None": None, "NULL": None},
    **{"NaN": float("nan"), "nan": float("nan"), "Infinity": float("inf"), "inf": float("inf")},
    **{"-Infinity": float("-inf"), "-inf": float("-inf")},
}
"""NaN and infinities stay what they are, as in `json`, so that the validator can name the field that they stand in."""

_BLANK = re.compile(r"(?:\s++|//[^\n]*+|#[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_STRINGS = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.|(?<=\w)'(?=\w))*+)'", re.DOTALL),  # the apostrophe of a word ends nothing
    "“": re.compile(r"“((?:[^”\\]|\\.)*+)”", re.DOTALL),
}
_NUMBER = re.compile(r"[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_ENDS = re.compile(r"[\s,}\]/#]|\Z")
_WORD = re.compile(r"-?[A-Za-z_$][\w$.-]*+")
_ESCAPES = re.compile(
    r"((?:\\u[0-9a-fA-F]{4})++)|\\x([0-9a-fA-F]{2})|\\U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})|\\(.)", re.DOTALL
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\n": ""}
_LONGEST_NUMBER = 300


class Broken(ValueError):
    """A text that is no JSON even with mends. `at` is the place, from 0; `open`: only its end is missing."""

    def __init__(self, what: str, text: str, at: int, open: bool = False) -> None:
        near = " ".join(text[at : at + 24].split())
        place = f"at character {at + 1}: {near!r}" if near else "at its end"
        super().__init__(f"{what} {place}")
        self.at, self.open = at, open


@dataclass
class Found:
    """The JSON objects of a text, in their order, none within another; and why the first that is broken is none."""

    objects: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    broken: Broken | None = None


def find_objects(text: str, cut: bool = False) -> Found:
    """Return the objects of a text, whatever stands around them. With `cut` the text's end is missing.

    Brackets that are open at the end are closed, after a whole value and unless the text is cut.
    """
    found, at, work = Found(), text.find("{"), READ_AGAIN * len(text) + 20_000
    while at >= 0 and work > 0:
        reader = _Reader(text, at, cut)
        try:
            found.objects.append(reader.object(0))
            end = reader.at
        except Broken as error:
            found.broken = found.broken or error
            # What stands within a broken object is no answer; but braces that open prose hide nothing.
            end = error.at if reader.fields else at + 1
            work -= len(text) - at if error.open else 0
        work -= max(end, reader.at) - at + ATTEMPT
        at = text.find("{", max(end, at + 1))
    return found


def read_value(text: str, cut: bool = False) -> Any:
    """Read a text that is one JSON value and nothing else; Broken where it is not."""
    reader = _Reader(text, 0, cut)
    value = reader.value(0)
    reader.blank()
    if reader.at < len(text):
        reader.fail("nothing more was expected")
    return value


class _Reader:
    """Reads one value. `at` is the place, `fields` the number of names with their colons that it has passed."""

    def __init__(self, text: str, at: int, cut: bool) -> None:
        self.text, self.at, self.cut, self.fields = text, at, cut, 0

    def fail(self, what: str, open: bool = False) -> NoReturn:
        raise Broken(what, self.text, self.at, open or self.at >= len(self.text))

    def blank(self) -> str:
        """Pass white space and comments; return the character that follows, or nothing at the end."""
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("/*", self.at):
            self.fail("the comment does not end that begins", open=True)
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:
        first = self.blank()
        if depth > DEEPEST:
            self.fail("too many brackets within brackets")
        if first == "{":
            return self.object(depth)
        if first == "[":
            return self.array(depth)
        return self.string(first) if first in _STRINGS else self.plain()

    def object(self, depth: int) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for _ in self._parts("}"):
            name = self._name()
            if self.blank() != ":":
                self.fail("':' was expected")
            self.at += 1
            self.fields += 1
            read[name] = self.value(depth + 1)
        return read

    def array(self, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in self._parts("]")]

    def _parts(self, end: str) -> Iterator[None]:
        """Stop at the beginning of every part; pass the brackets and the commas, of which one may be too many."""
        self.at += 1
        while (following := self.blank()) != end:
            if not following:
                self.fail(f"{end!r} is missing")  # after a comma or an opening bracket there may have been more
            yield
            following = self.blank()
            if not following and not self.cut:
                return
            if following not in (",", end):
                self.fail(f"',' or {end!r} was expected")
            self.at += following == ","
        self.at += 1

    def _name(self) -> str:
        first = self.blank()
        if first in _STRINGS:
            return self.string(first)
        word = _WORD.match(self.text, self.at)
        if word is None:
            self.fail("a field's name was expected")
        self.at = word.end()
        return word.group()

    def string(self, quote: str) -> str:
        match = _STRINGS[quote].match(self.text, self.at)
        if match is None:
            self.fail("the text does not end that begins", open=True)
        self.at = match.end()
        return _unescaped(match.group(1))

    def plain(self) -> Any:
        match = _NUMBER.match(self.text, self.at) or _WORD.match(self.text, self.at)
        token = match.group() if match else ""
        ends = self.at + len(token)
        number = match is not None and match.re is _NUMBER and len(token) <= _LONGEST_NUMBER
        if not (number or token in WORDS) or not _ENDS.match(self.text, ends):
            self.fail("a value was expected")
        if ends == len(self.text) and self.cut:
            self.fail("the value is cut", open=True)
        self.at = ends
        if token in WORDS:
            return WORDS[token]
        return int(token) if _WHOLE.fullmatch(token) else float(token)


def _unescaped(text: str) -> str:
    return _ESCAPES.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    """Return what an escape stands for; a mark that JSON does not escape for itself, such a letter for both."""
    codes, short, long, other = escape.groups()
    if short or long:  # Python's
        codes = chr(int(short or long, 16))
    elif codes:
        codes = str(json.loads(f'"{codes}"'))
    if codes:
        return codes.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return _ESCAPED.get(other, f"\\{other}" if other.isalnum() else other)
