"""Doctor's checks of the machine, the journal, the network and the terminal, each with its mend."""

from __future__ import annotations

import io
import shutil
import socket
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from automl_gpt.tools.process import doctor, machine
from automl_gpt.tools.process.doctor import Check

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no setting of the hub."""
    for name in (*doctor.PROXIES, "NO_PROXY", "HF_HUB_OFFLINE", "HF_ENDPOINT", "OPENAI_API_KEY", *doctor.THREADS):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_this_python_is_new_enough_and_an_old_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_python().level == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    assert doctor.check_python().mend == "install Python 3.11 or newer"


@pytest.mark.parametrize(("free", "level"), [(60e9, "ok"), (2e9, "warn"), (1e8, "bad")])
def test_little_space_and_memory_are_told(free: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1e12, 0, free))
    monkeypatch.setattr(machine, "memory", lambda: free)
    checks = [*doctor.check_space(), doctor.check_memory()]
    assert [check.level for check in checks] == [level] * 3
    assert all(bool(check.mend) == (level != "ok") for check in checks)


def test_a_home_that_is_not_there_yet_is_fine_and_is_not_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_GPT_HOME", str(home / "not" / "yet"))
    assert [check.level for check in (doctor.check_home(), doctor.check_store())] == ["ok", "ok"]
    assert "will be made" in doctor.check_store().text
    assert list(home.iterdir()) == []


def test_a_home_that_can_t_be_written_to_is_bad(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("AUTOML_GPT_HOME", str(home / "file"))
    check = doctor.check_home()
    assert check.level == "bad" and "set AUTOML_GPT_HOME" in check.mend


def test_a_journal_that_does_not_answer_is_bad_and_its_password_stays_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("AUTOML_GPT_STORE", f"postgresql://me:hunter2@{address}/runs")
    check = doctor.check_store()
    assert check.level == "bad" and "hunter2" not in f"{check}"
    (home / "journal.db").write_text("this is no database, but long enough to be looked at" * 20)
    monkeypatch.delenv("AUTOML_GPT_STORE")
    assert doctor.check_store().level == "bad"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server in place of the hub, and the paths that it was asked for."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_hub_that_answers_is_fine_and_is_not_asked_when_offline(
    hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor.check_hub() == Check("hub", "ok", "127.0.0.1 can be reached")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in doctor.check_hub().text
    assert len(hub) == 1


def test_a_hub_that_can_t_be_reached_is_only_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "HUB_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://someone:secret@127.0.0.1:{silent.getsockname()[1]}")
        check = doctor.check_hub()
    assert check.level == "warn" and "127.0.0.1 can't be reached" in check.text and "secret" not in f"{check}"
    assert doctor.healthy([check])


def test_proxies_are_named_without_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_proxies().text == "no proxy is set"
    monkeypatch.setenv("https_proxy", "http://me:hunter2@proxy:3128")
    check = doctor.check_proxies()
    assert check.level == "warn" and "https_proxy" in check.text and "hunter2" not in f"{check}"
    monkeypatch.setenv("NO_PROXY", "localhost, 127.0.0.1,.example.org")
    assert doctor.check_proxies() == Check("proxy", "ok", "set: https_proxy")


@pytest.mark.parametrize(("key", "level"), [("sk-abc", "ok"), ("sk-abc\n", "warn"), ("'sk-abc'", "warn")])
def test_a_key_is_never_shown(key: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not set" in doctor.check_key().text
    monkeypatch.setenv("OPENAI_API_KEY", key)
    check = doctor.check_key()
    assert check.level == level and "abc" not in f"{check}"


def test_an_output_that_is_not_unicode_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert "PYTHONIOENCODING" in doctor.check_terminal().mend
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert doctor.check_terminal().text == "no terminal: plain text, utf-8"


@pytest.mark.parametrize(("columns", "level"), [("70", "warn"), ("120", "ok")])
def test_a_narrow_terminal_is_told(columns: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", columns)
    check = doctor.check_terminal()
    assert check.level == level and check.text.startswith(f"{columns} x ")


@pytest.mark.parametrize(("value", "level"), [("1", "ok"), ("2", "ok"), ("3", "warn"), ("many", "warn"), ("0", "warn")])
def test_more_threads_than_cores_are_told(value: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    check = doctor.check_threads()
    assert check.level == level and f"2 cores, OMP_NUM_THREADS={value}" in check.text
    assert check.mend == ("" if level == "ok" else "unset OMP_NUM_THREADS")
