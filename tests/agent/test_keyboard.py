from __future__ import annotations

import os
import pty
import random
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.agent.screen.keyboard import LONGEST, LineBuffer, LineKeyboard, SilentKeyboard


def fed(*chunks: bytes) -> tuple[list[str], str]:
    """The lines that some bytes complete, and what is left of the last one."""
    buffer = LineBuffer()
    lines = [line for chunk in chunks for line in buffer.feed(chunk)]
    return lines, buffer.text


def test_letters_become_a_line_and_enter_hands_it_over() -> None:
    assert fed(b"/tri", b"als\r", b"why") == (["/trials"], "why")
    assert fed(b"one\ntwo\r\n") == (["one", "two", ""], "")


def test_a_letter_whose_bytes_come_apart_is_one_letter() -> None:
    snow = "größer 雪".encode()
    assert fed(*(snow[i : i + 1] for i in range(len(snow)))) == ([], "größer 雪")


def test_bytes_that_are_no_utf8_break_nothing() -> None:
    assert fed(b"a\xff\xfeb\r") == (["a\ufffd\ufffdb"], "")


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (b"abc\x7f", "ab"), (b"\x7f\x7fa", "a"), (b"abc\x08d", "abd"), ("xe\u0301\x7f".encode(), "x"),
        ("雪\x7f".encode(), ""), (b"one two\x17", "one "), (b"one\x17", ""), (b"abc\x15d", "d"), (b"a\tb", "a b"),
    ],
)  # fmt: skip
def test_the_end_of_the_line_can_be_edited(typed: bytes, left: str) -> None:
    assert fed(typed) == ([], left)


@pytest.mark.parametrize(
    "key", [b"\x1b[A", b"\x1b[1;5C", b"\x1b[15~", b"\x1bOP", b"\x1bx", b"\x04", b"\x00", b"\x1b[200~", b"\x0c"]
)
def test_special_keys_leave_no_letters_behind(key: bytes) -> None:
    assert fed(b"a" + key + b"b") == ([], "ab")


def test_the_escape_key_alone_does_not_swallow_the_next_letter() -> None:
    assert fed(b"\x1b", b"a") == ([], "a")


def test_an_endless_line_is_cut() -> None:
    assert len(fed(b"x" * (LONGEST + 500))[1]) == LONGEST


def test_whatever_is_typed_a_line_can_be_printed() -> None:
    chance = random.Random(0)
    for _ in range(300):
        lines, rest = fed(*(chance.randbytes(chance.randrange(40)) for _ in range(8)))
        assert all(text.isprintable() for text in [*lines, rest])


# ------------------------------------------------------------------------------------------------- on a real terminal


@pytest.fixture
def keyboard_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a terminal at which a person types; standard input is its other one."""
    theirs, ours = pty.openpty()
    with os.fdopen(ours, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _file: os.getpgrp())
        yield theirs
    os.close(theirs)


def modes(file: int) -> list[Any]:
    return termios.tcgetattr(file)


@pytest.mark.parametrize("make", [SilentKeyboard, LineKeyboard])
def test_the_terminal_is_left_as_it_was_found(keyboard_end: int, make: type[SilentKeyboard]) -> None:
    before, keyboard = modes(sys.stdin.fileno()), make()
    keyboard.start()
    assert not modes(sys.stdin.fileno())[3] & termios.ECHO
    assert modes(sys.stdin.fileno())[3] & termios.ISIG, "Ctrl-C has to work"
    keyboard.stop()
    assert modes(sys.stdin.fileno()) == before


def test_lines_are_read_while_they_are_typed(keyboard_end: int) -> None:
    keyboard = LineKeyboard()
    keyboard.start()
    os.write(keyboard_end, b"/wh")
    assert keyboard.wait(10) and keyboard.line() == "/wh"
    os.write(keyboard_end, b"y 3\rand th")
    while keyboard.line() != "and th":
        assert keyboard.wait(10)
    assert keyboard.entered() == ["/why 3"] and keyboard.entered() == []
    keyboard.stop()
    assert keyboard.unfinished() == "and th" and keyboard.unfinished() == ""


def test_what_is_typed_after_the_end_stays_for_the_next_reader(keyboard_end: int) -> None:
    keyboard = LineKeyboard()
    keyboard.start()
    keyboard.stop()
    os.write(keyboard_end, b"later\n")
    assert not keyboard.wait(0.2)
    assert sys.stdin.readline() == "later\n"


def test_whoever_waits_for_keys_goes_on_at_the_end(keyboard_end: int) -> None:
    keyboard = LineKeyboard()
    keyboard.start()
    waiting = threading.Thread(target=keyboard.wait, args=(60,))
    waiting.start()
    time.sleep(0.1)
    keyboard.rest()
    waiting.join(10)
    assert not waiting.is_alive()
    keyboard.stop()


def test_a_terminal_that_is_gone_does_not_make_the_reader_spin(keyboard_end: int) -> None:
    keyboard = LineKeyboard()
    keyboard.start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    assert not keyboard.wait(0.3)
    began = time.process_time()
    assert not keyboard.wait(1.0)
    assert time.process_time() - began < 0.5
    keyboard.stop()


def test_without_a_terminal_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lines").write_text("/trials\n")
    with (tmp_path / "lines").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        keyboard = LineKeyboard()
        keyboard.start()
        assert not keyboard.wait(0.1)
        assert keyboard.line() is None and keyboard.entered() == []
        keyboard.stop()
        assert stdin.readline() == "/trials\n"
