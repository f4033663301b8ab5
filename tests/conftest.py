"""What holds for every test: one thread, no keys, no network, a home folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# These are read while the libraries are imported, so they have to stand before any test module is collected.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"
for _name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
    os.environ[_name] = "false"
for _name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE"))]:
    del os.environ[_name]
os.environ.pop("AUTOML_GPT_STORE", None)


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures of modules and sessions, which run before those of a test, out of the person's own home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_GPT_HOME", str(tmp_path_factory.mktemp("session_home")))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AUTOML_GPT_HOME of this test, an empty folder."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("AUTOML_GPT_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines: no test may reach a model or a hub."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise RuntimeError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """Find a program that a test drives; where it is absent, the test is skipped, in CI it fails."""

    def find(program: str) -> str:
        found = shutil.which(program) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))), None)
        if found is None and os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        if found is None:
            pytest.skip(f"{program} is not installed")
        return str(found)

    return find
