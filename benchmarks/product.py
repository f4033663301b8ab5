"""The product as a person uses it: through its command line, in a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("automl-gpt")


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, output, and seconds of wall clock from start to end of the process."""

    code: int
    out: str
    err: str
    wall: float

    def json(self) -> Any:
        """Return what the command printed with --json; RuntimeError with its last words where it failed."""
        if self.code != 0:
            raise RuntimeError(f"exit code {self.code}: {(self.err.strip() or 'nothing said').splitlines()[-1]}")
        return json.loads(self.out)


def environment(home: Path, threads: int | None = None) -> dict[str, str]:
    """Return the environment of a fresh installation: an empty home, no keys, no store of a team."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and k != "AUTOML_GPT_STORE"}
    return {**kept, "AUTOML_GPT_HOME": str(home), **({"OMP_NUM_THREADS": str(threads)} if threads else {})}


def timed(
    command: list[str | Path],
    env: dict[str, str] | None = None,
    cores: int | None = None,
    timeout: float | None = None,
) -> Done:
    """Run a command, tied to the first `cores` cores where the system can do that; a timeout is exit code 124."""
    began = time.monotonic()
    with _on_cores(cores):
        process = subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return Done(124, out, f"{err}\nnot done after {timeout:.0f} s", time.monotonic() - began)
    return Done(process.returncode, out, err, time.monotonic() - began)


@contextlib.contextmanager
def _on_cores(count: int | None) -> Any:
    """Tie this process, and thus what it starts meanwhile, to some cores."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def automl_gpt(*arguments: str | Path, home: Path, cores: int | None = None, timeout: float | None = None) -> Done:
    """Run `automl-gpt ARGUMENTS` in a home."""
    return timed([PROGRAM, *arguments], environment(home), cores, timeout)


def revision() -> str:
    """Return the commit that is measured, with `+` where files differ from it; empty outside a checkout."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
