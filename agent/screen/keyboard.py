"""The keyboard while a live display stands: what is typed is not written into the middle of it, and can be read."""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import select
import sys
import threading
import time
import unicodedata
from typing import Any, Self

PROMPT = "you> "
LONGEST = 10_000
"""Characters of a line; what is typed beyond is left out."""
GLANCE_SECONDS = 0.05
"""How soon a reader notices that it shall stop."""


class SilentKeyboard:
    """Switches the terminal's echo off and on again. Does nothing where standard input is no terminal of ours."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Switch the echo off."""
        self._ended.clear()
        if not _in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            before = termios.tcgetattr(sys.stdin.fileno())
            silent = [*before]
            silent[3] &= ~self._switched_off()
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, silent)
            self._before = before

    def stop(self) -> None:
        """Put the terminal back as it was."""
        self._ended.set()
        if self._before is None or not _in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
        self._before = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rest(self) -> None:
        """Take nothing more, and let whoever waits go on."""
        self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until `rest` or `stop`; say whether something was typed."""
        self._ended.wait(seconds)
        return False

    def line(self) -> str | None:
        """Return the line that is being typed; None where nothing is read."""
        return None

    def entered(self) -> list[str]:
        """Return the lines that were entered since the last time."""
        return []

    def _switched_off(self) -> int:
        import termios

        return termios.ECHO | termios.ECHOCTL


class LineKeyboard(SilentKeyboard):
    """Reads lines while a display stands: a thread calls `wait`, which takes what was typed; Ctrl-C works as ever."""

    def __init__(self) -> None:
        super().__init__()
        self._buffer = LineBuffer()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._deaf = False

    def wait(self, seconds: float) -> bool:
        """Take what is typed within so many seconds; say whether it was anything."""
        ends = time.monotonic() + seconds
        while not self._ended.is_set():
            left = ends - time.monotonic()
            if left <= 0:
                return False
            if self._before is None or self._deaf:
                return super().wait(left)
            if self._take(min(left, GLANCE_SECONDS)):
                return True
        return False

    def line(self) -> str | None:
        """Return the line that is being typed; None where the terminal is not ours."""
        return None if self._before is None else self._buffer.text

    def entered(self) -> list[str]:
        """Return the lines that were entered since the last time."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def unfinished(self) -> str:
        """Return what was typed and not entered, and forget it."""
        text, self._buffer.text = self._buffer.text, ""
        return text

    def _take(self, seconds: float) -> bool:
        try:
            file = sys.stdin.fileno()
            if not select.select([file], [], [], seconds)[0] or self._ended.is_set():
                return False
            if not _in_foreground():  # the system stops who reads from the background
                self._ended.wait(seconds)
                return False
            data = os.read(file, 4096)
        except (OSError, ValueError):
            data = b""
        self._deaf = not data
        for line in self._buffer.feed(data):
            self._lines.put(line)
        return bool(data)

    def _switched_off(self) -> int:
        import termios

        return super()._switched_off() | termios.ICANON


class LineBuffer:
    """A line that is being typed, made of the bytes that a terminal sends; only its end can be edited.

    Backspace takes back a sign, Ctrl-W a word, Ctrl-U the line; other keys than letters do nothing.
    """

    def __init__(self) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sequence = ""

    def feed(self, data: bytes) -> list[str]:
        """Take bytes in; return the lines that they complete."""
        lines: list[str] = []
        for sign in self._decoder.decode(data):
            if self._in_sequence(sign):
                continue
            if sign in "\r\n":
                lines.append(self.text)
                self.text = ""
            else:
                self._edit(sign)
        if self._sequence == "\x1b":  # the key itself, not the beginning of another key's sequence
            self._sequence = ""
        return lines

    def _in_sequence(self, sign: str) -> bool:
        """Say whether a sign belongs to what a special key sends: ESC, then one sign, or [ or O and what follows."""
        if sign == "\x1b":
            self._sequence = sign
            return True
        if not self._sequence:
            return False
        self._sequence += sign
        begun = len(self._sequence) == 2 and sign in "[O"
        if not begun and ("@" <= sign <= "~" or len(self._sequence) == 2 or len(self._sequence) > 32):
            self._sequence = ""
        return True

    def _edit(self, sign: str) -> None:
        if sign in "\x7f\x08":
            self.text = _without_last(self.text)
        elif sign == "\x15":
            self.text = ""
        elif sign == "\x17":
            self.text = self.text.rstrip().rpartition(" ")[0]
            self.text += " " if self.text else ""
        elif len(self.text) < LONGEST and (sign.isprintable() or sign == "\t"):
            self.text += " " if sign == "\t" else sign


def _without_last(text: str) -> str:
    """Return a text without its last sign, the marks on it included."""
    end = len(text) - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    return text[: max(0, end)]


def _in_foreground() -> bool:
    """Whether we own the terminal: one that changes it from the background is stopped by the system."""
    try:
        return os.name == "posix" and sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
