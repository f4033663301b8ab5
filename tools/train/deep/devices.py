"""The device that torch really computes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def torch_device(wanted: str, tell: Callable[[str], None] = lambda _: None) -> str:
    """Return `wanted` ("cpu", "cuda" or "mps") where torch can compute on it, else "cpu"; `tell` says so then.

    To be called in the process that trains: on an accelerator it starts the driver.
    """
    if wanted == "cpu":
        return wanted
    import torch

    available: dict[str, Any] = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    try:
        if available[wanted]():
            torch.ones(1, device=wanted).add_(1)
            return wanted
        why = "it sees none"
    except RuntimeError as error:
        why = str(error).strip().splitlines()[0][:200]
    tell(f"torch can't compute on {wanted} ({why}), so the CPU does; `automl-gpt doctor` says more")
    return "cpu"
