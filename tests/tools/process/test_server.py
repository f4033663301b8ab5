"""Processes of their own: results, refusals and crashes come back; nothing outlives its session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.process.client import FORKS, Server, Task, TaskFailed, wait

CARD = {"source": "sklearn:iris"}


def prepare(folder: Path, **card: object) -> dict[str, object]:
    return {"card": {**CARD, **card}, "base": None, "folder": str(folder), "core_seconds": None}


@pytest.fixture(
    scope="module", params=[True, False] if FORKS else [False], ids=lambda forks: "fork" if forks else "spare"
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(forks=request.param) as started:
        yield started


def gone(pid: int, seconds: float = 90.0) -> bool:
    """Whether a process ends, one that still imports after that; a zombie counts as ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_task_gives_back_its_result(server: Server, tmp_path: Path) -> None:
    assert server.call("prepare", prepare(tmp_path))["rows"] == 150
    assert (tmp_path / "prepared.json").is_file()


def test_what_the_person_can_mend_comes_back_as_their_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        server.call("prepare", prepare(tmp_path, source=str(tmp_path / "absent.csv"), target="y"))


def test_a_defect_comes_back_with_its_trace(server: Server) -> None:
    with pytest.raises(TaskFailed) as failure:
        server.call("prepare", {})
    assert "KeyError" in str(failure.value) and "prepare_task" in failure.value.trace


def busy(server: Server) -> Task:
    """A task that waits for a request which never comes whole."""
    task = server._fork() if server._forks else server._use_spare()  # pyright: ignore
    assert psutil.pid_exists(task.pid)
    return task


def test_a_killed_process_is_told_by_its_signal(server: Server) -> None:
    task = busy(server)
    os.kill(task.pid, signal.SIGKILL)
    while not task.channel.closed:
        wait([task], 5.0)
    assert server.how_ended(task) == "the process was ended by SIGKILL"


def test_a_task_ends_when_its_channel_closes(server: Server) -> None:
    task = busy(server)
    task.channel.close()
    assert gone(task.pid)


def test_everything_ends_with_a_session_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from automl_gpt.tools.process.client import Server\n"
        "server = Server()\n"
        "task = server._fork() if server._forks else server._use_spare()\n"
        "print(server._process.pid, task.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    session = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    pids = [int(pid) for pid in session.stdout.readline().split()]
    assert len(pids) == 2
    session.kill()
    session.wait()
    assert all(gone(pid) for pid in pids)
