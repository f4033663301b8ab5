"""What this machine offers: cores, memory and an accelerator, as far as this process may use them."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use: its affinity, cut by a container's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _words(_CGROUP / "cpu.max")
    if len(quota) == 2 and quota[0] != "max":
        usable = min(usable, max(1, math.ceil(int(quota[0]) / int(quota[1]))))
    return usable


def memory() -> int:
    """Return the bytes of memory that are free to use, cut by a container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = _words(_CGROUP / "memory.max"), _words(_CGROUP / "memory.current")
    if limit and used and limit[0] != "max":
        free = min(free, max(0, int(limit[0]) - int(used[0])))
    return free


def device() -> str:
    """Return "cuda" where an NVIDIA device is visible, else "cpu"; a library that can't use it stays on the CPU."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if Path("/dev/nvidia0").exists() and not hidden else "cpu"


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []
