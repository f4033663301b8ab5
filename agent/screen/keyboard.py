"""Keeps what is typed while a live display stands from being written into the middle of it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


class SilentKeyboard:
    """Switches the terminal's echo off and on again. Does nothing where standard input is no terminal of ours."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def start(self) -> None:
        """Switch the echo off."""
        if not _in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            before = termios.tcgetattr(sys.stdin.fileno())
            silent = [*before]
            silent[3] &= ~(termios.ECHO | termios.ECHOCTL)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, silent)
            self._before = before

    def stop(self) -> None:
        """Put the terminal back as it was."""
        if self._before is None or not _in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
        self._before = None


def _in_foreground() -> bool:
    """Whether we own the terminal: one that changes it from the background is stopped by the system."""
    try:
        return os.name == "posix" and sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
