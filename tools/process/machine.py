"""What this machine offers: cores, memory and an accelerator, as far as this process may use them."""

from __future__ import annotations

import math
import os
import platform
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_DEVICES = Path("/dev")
_WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")
"""Windows shows its NVIDIA device to Linux by this driver, not by a file of its own."""


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
    """Return "cuda" where an NVIDIA device is visible, "mps" on Apple's own chips, else "cpu".

    No library is asked, since that costs seconds; one that can't use the device stays on the CPU.
    """
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if nvidia() and not hidden else "cpu"


def nvidia() -> bool:
    """Say whether this machine shows an NVIDIA device, hidden from this process or not."""
    return any(_DEVICES.glob("nvidia[0-9]*")) or _WSL_DRIVER.exists()


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []
