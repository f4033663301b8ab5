"""The session's side: start the server once, hand out tasks, watch their memory, end them."""

from __future__ import annotations

import array
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.process.channel import NETWORKS, Channel, Message

FORKS = sys.platform.startswith("linux")
"""Whether tasks are forks of one server. Elsewhere each is a process of its own, started ahead of its task."""


ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""One thread until a task asks for more; threads that wait without spinning, which on cores shared with other work cost
trials ten times their time; and libraries that keep to themselves."""


class TaskFailed(Exception):
    """A task's process broke: a defect of ours or of a library; `trace` is its traceback where there is one."""

    def __init__(self, problem: str, trace: str = "") -> None:
        super().__init__(problem)
        self.trace = trace


class Task:
    """One running task: its channel, its process, the most memory that it was seen to use."""

    def __init__(self, channel: Channel, pid: int) -> None:
        self.channel, self.pid = channel, pid
        self.peak = 0

    def ask_to_stop(self) -> None:
        """Ask for an early end that keeps what was reached."""
        self.channel.send({"kind": "stop"})

    def kill(self) -> None:
        """End the process at once."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self.channel.close()

    def memory(self) -> int:
        """Return the bytes that the process holds now (resident set), and remember the peak; 0 once it is gone."""
        import psutil

        try:
            now = int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0
        self.peak = max(self.peak, now)
        return now


class Server:
    """A preloaded process that forks for every task. Use as a context manager, or call `close`."""

    def __init__(self, *, forks: bool = FORKS) -> None:
        self._forks = forks
        self._ended: dict[int, int] = {}
        self._networks = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._process, self._control = self._launch([] if forks else ["--spare"])
        self._answers = Channel(self._control)
        self._spares: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _launch(self, extra: list[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **ENVIRONMENT}
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "automl_gpt.tools.process.server",
                str(theirs.fileno()),
                *extra,
                *(["--networks"] if self._networks else []),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=environment,
            start_new_session=True,
        )
        theirs.close()
        return process, ours

    def preload_networks(self) -> None:
        """Have what networks need imported once, for all later tasks; takes seconds, and is not waited for."""
        if self._networks:
            return
        self._networks = True
        if self._forks:
            self._control.send(NETWORKS)
        else:
            self._process.kill()
            self._process, self._control = self._launch(["--spare"])

    def submit(self, task: str, arguments: dict[str, Any], log: Path | None = None) -> Task:
        """Start a task in a process of its own; what its libraries print goes to the log."""
        running = self._fork() if self._forks else self._use_spare()
        running.channel.send({"task": task, "arguments": arguments, "log": str(log) if log else None})
        return running

    def call(self, task: str, arguments: dict[str, Any], log: Path | None = None, seconds: float | None = None) -> Any:
        """Carry a task out and return its result; UserError and ToolError come back as they were raised.

        TaskFailed where the process broke, TimeoutError after `seconds`.
        """
        return self.result(self.submit(task, arguments, log), seconds)

    def result(self, running: Task, seconds: float | None = None) -> Any:
        """Wait for the result of a task that was submitted; raises as `call` does."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                for message in wait([running], None if until is None else until - time.monotonic())[running]:
                    if message["kind"] == "result":
                        return message["result"]
                    if message["kind"] == "refused":
                        raise UserError(message["problem"])
                    if message["kind"] == "failed":
                        raise TaskFailed(message["problem"], message.get("trace", ""))
                if running.channel.closed:
                    raise TaskFailed(self.how_ended(running))
                if until is not None and time.monotonic() > until:
                    raise TimeoutError(f"the task took more than {seconds:.0f} s")
        finally:
            running.kill()

    def how_ended(self, task: Task) -> str:
        """Say how a process ended whose channel closed without a result."""
        code = self._exit_code(task.pid)
        if code is None:
            return "the process ended without a result"
        if code < 0:
            return f"the process was ended by {signal.Signals(-code).name}"
        return f"the process ended with code {code}"

    def close(self) -> None:
        """End the server; its tasks end with their channels."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _fork(self) -> Task:
        ours, theirs = socket.socketpair()
        descriptor = array.array("i", [theirs.fileno()])
        try:
            self._control.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise TaskFailed(f"the worker server is gone: {self._last_words()}") from error
        theirs.close()
        return Task(Channel(ours), self._await_pid())

    def _await_pid(self) -> int:
        pid: int | None = None
        while pid is None:
            for message in self._answers.receive():
                if message["kind"] == "forked":
                    pid = int(message["pid"])
                else:
                    self._ended[message["pid"]] = message["code"]
            if self._answers.closed:
                raise TaskFailed(f"the worker server is gone: {self._last_words()}")
        return pid

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with code {code}"

    def _use_spare(self) -> Task:
        task = Task(Channel(self._control), self._process.pid)
        self._spares.append(self._process)
        self._process, self._control = self._launch(["--spare"])
        return task

    def _exit_code(self, pid: int) -> int | None:
        for spare in self._spares:
            if spare.pid == pid:
                return spare.wait(timeout=5)
        until = time.monotonic() + 1.0
        while pid not in self._ended and time.monotonic() < until:
            with selectors.DefaultSelector() as selector:
                selector.register(self._control, selectors.EVENT_READ)
                if selector.select(0.1):
                    self._ended.update({m["pid"]: m["code"] for m in self._answers.receive() if m["kind"] == "ended"})
        return self._ended.get(pid)


def wait(tasks: list[Task], seconds: float | None) -> dict[Task, list[Message]]:
    """Wait until any task has something to say (or its process ended), at most `seconds`; return all messages."""
    with selectors.DefaultSelector() as selector:
        for task in tasks:
            if not task.channel.closed:
                selector.register(task.channel, selectors.EVENT_READ, task)
        ready = {key.data for key, _ in selector.select(None if seconds is None else max(0.0, seconds))}
    return {task: task.channel.receive() if task in ready else [] for task in tasks}
