"""The server side: a process that has imported the libraries once, and forks itself for every task.

Run as `python -m automl_gpt.tools.process.server FD`. Over the control socket FD it gets the descriptor of a task's
channel, forks, and answers with the pid; it reports how children ended. When the control socket closes, it ends; when a
task's channel closes, that task ends. So nothing trains on after its session is gone, however that session died.

With `--spare` it does not fork, but runs the one task itself: for systems on which forking a loaded process is unsafe.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.tools.process.channel import NETWORKS, Channel
from automl_gpt.tools.process.link import Link
from automl_gpt.tools.process.tasks import TASKS

PRELOAD = (
    "numpy", "pandas", "pyarrow.csv", "pyarrow.parquet", "pyarrow.json", "sklearn.ensemble", "sklearn.linear_model",
    "sklearn.neighbors", "sklearn.neural_network", "sklearn.compose", "sklearn.preprocessing", "sklearn.impute",
    "sklearn.pipeline", "sklearn.metrics", "sklearn.model_selection", "sklearn.feature_extraction.text", "lightgbm",
    "xgboost", "sqlalchemy", "threadpoolctl", "psutil", "skops.io", "jinja2",
    "matplotlib.backends.backend_svg", "optuna.importance",
)  # fmt: skip

PRELOAD_NETWORKS = ("datasets", "transformers.trainer", "peft", "safetensors.torch", "PIL.Image")


def preload(names: tuple[str, ...] = PRELOAD) -> None:
    """Import what the tasks will need, so that no task pays for it again; a missing optional library is left out."""
    for name in names:
        with contextlib.suppress(ImportError):
            __import__(name)


def run_task(channel: Channel) -> NoReturn:
    """Carry out the one request that comes over the channel, send its result or its failure, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = Link(channel)
    link.wait_for_request()
    _redirect(link.request.get("log"))
    code = 0
    try:
        task: Callable[[dict[str, Any], Link], dict[str, Any]] = TASKS[link.request["task"]]
        link.send({"kind": "result", "result": task(link.request["arguments"], link)})
    except (UserError, ToolError) as error:
        link.send({"kind": "refused", "problem": str(error)})
    except MemoryError:
        link.send({"kind": "failed", "problem": "out of memory", "memory": True})
    except BaseException as error:
        text = " ".join(str(error).split())[:300]
        link.send({"kind": "failed", "problem": f"{type(error).__name__}: {text}", "trace": traceback.format_exc()})
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _redirect(log: str | None) -> None:
    """Let what libraries print go to a file (or nowhere), never to the person's terminal."""
    target = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)


def serve(control: socket.socket) -> None:
    """Fork a child for every descriptor that comes over the control socket, until that socket closes."""
    answers = Channel(control)
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([control], [], [], 0.05 if children else None)
        _report_ended(children, answers)
        if not ready:
            continue
        received = _receive(control)
        if received is None:
            return
        if received == NETWORKS:
            preload(PRELOAD_NETWORKS)
            continue
        descriptor = int(received)
        pid = os.fork()
        if pid == 0:
            control.close()
            with contextlib.suppress(OSError):
                os.nice(5)
            run_task(Channel(socket.socket(fileno=descriptor)))
        os.close(descriptor)
        children.add(pid)
        answers.send({"kind": "forked", "pid": pid})


def _report_ended(children: set[int], answers: Channel) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            answers.send({"kind": "ended", "pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _receive(control: socket.socket) -> int | bytes | None:
    """Return the descriptor of a task's channel, the word to preload networks, or None where the session is gone."""
    received = array.array("i")
    size = received.itemsize
    try:
        data, ancillary, _, _ = control.recvmsg(1, socket.CMSG_LEN(size))
    except ConnectionResetError:
        return None
    if not data:
        return None
    if data == NETWORKS:
        return NETWORKS
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(payload[:size])
    return received[0]


def main(arguments: list[str]) -> None:
    """Run the server, or with `--spare` one task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(arguments[0]))
    preload()
    if "--networks" in arguments:
        preload(PRELOAD_NETWORKS)
    if "--spare" in arguments:
        run_task(Channel(connection))
    serve(connection)


if __name__ == "__main__":
    main(sys.argv[1:])
