"""Checkpoints of a trial: `transformers`' own folders, with the log so far and the best weights beside them.

A checkpoint counts once its `progress.json` stands, which is written last: one that a kill cut off is not used.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel

BEST, LEARNING, PROGRESS = "best.safetensors", "learning.safetensors", "progress.json"
KEPT = 2


class LoggedRow(BaseModel):
    """One row of the log as it was handed out."""

    step: int
    valid: float | None
    more: dict[str, float]
    seconds: float


class Saved(BaseModel):
    """What a checkpoint knows besides weights and optimiser: the log, the best step, how far the training was.

    `idle` counts the evaluations since then that were no better, `batch` is the number of examples that were found to
    fit into memory at a time; `loss` is the sum of the training losses since the step `told`, of which no row
    tells yet.
    """

    step: int
    progress: float
    best_step: int
    best_value: float | None
    idle: int
    rows: list[LoggedRow]
    batch: int
    told: int = 0
    loss: float = 0.0


def latest(folder: Path) -> tuple[Path, Saved] | None:
    """Return the newest complete checkpoint in a folder; None where there is none."""
    found: list[tuple[int, Path]] = []
    for place in folder.glob("checkpoint-*"):
        number = place.name.rpartition("-")[2]
        if number.isdecimal() and (place / PROGRESS).is_file():
            found.append((int(number), place))
    for _, place in sorted(found, reverse=True):
        try:
            return place, Saved.model_validate_json((place / PROGRESS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return None


def complete(checkpoint: Path, saved: Saved, best: Path) -> None:
    """Add to a checkpoint what makes it whole: the best weights so far (a link costs nothing), then the record."""
    if best.is_file():
        link(best, checkpoint / BEST)
    fresh = checkpoint / f"{PROGRESS}.{os.getpid()}"
    fresh.write_text(saved.model_dump_json(), encoding="utf-8")
    fresh.replace(checkpoint / PROGRESS)


def prune(folder: Path) -> None:
    """Delete all but the newest checkpoints, cut-off ones first among them."""
    places = sorted(folder.glob("checkpoint-*"), key=lambda p: p.stat().st_mtime, reverse=True)
    whole = [p for p in places if (p / PROGRESS).is_file()]
    for place in places:
        if place not in whole[:KEPT]:
            shutil.rmtree(place, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """Hard-link a finished file; copy it where links are not possible."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def write_weights(tensors: dict[str, Any], path: Path) -> None:
    """Write weights beside the place, then put them there: a link to the old file keeps the old weights."""
    from safetensors.torch import save_file

    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}, str(fresh))
    fresh.replace(path)


def read_weights(path: Path, tensors: dict[str, Any]) -> None:
    """Copy weights that were written into the tensors of the same names."""
    import torch
    from safetensors.torch import load_file

    with torch.no_grad():
        for name, value in load_file(str(path)).items():
            tensors[name].copy_(value)
