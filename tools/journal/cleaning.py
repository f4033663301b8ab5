"""Frees the disk of what finished runs no longer need: prepared data and the folders of their trials.

The delivered model, the report and the journal stay. What goes is first moved aside, so that a kill leaves either the
whole of a folder or nothing under its old name; the next cleaning takes what was left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.journal.lease import driven_runs
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.journal.summary import RunSummary

_ASIDE = ".cleaned"
_RESUMABLE = ("running", "interrupted")


class Dispensable(NamedTuple):
    """What one finished run no longer needs: folders, and the bytes that they take."""

    run: str
    folders: tuple[Path, ...]
    size: int


class Cleaned(NamedTuple):
    """What a cleaning freed: bytes, and the runs that it freed them from."""

    freed: int
    runs: tuple[str, ...]


def dispensable(journal: Journal, keep: Callable[[RunSummary], bool] | None = None) -> list[Dispensable]:
    """List what `clean` would delete. Runs that can be resumed, or for which `keep` says so, are left out."""
    found: list[Dispensable] = []
    for summary in _finished(journal, keep):
        folders = _unneeded(journal.run_folder(summary.run), summary)
        if folders:
            found.append(Dispensable(summary.run, folders, sum(map(size_of, folders))))
    return found


def clean(journal: Journal, keep: Callable[[RunSummary], bool] | None = None) -> Cleaned:
    """Delete what finished runs no longer need; a run that a session drives is left alone. May raise StoreError."""
    freed, cleaned = 0, list[str]()
    for summary in _finished(journal, keep):
        folder = journal.run_folder(summary.run)
        unneeded = _unneeded(folder, summary)
        if not unneeded or _is_driven(journal, summary.run):
            continue
        freed += sum(map(size_of, unneeded))
        _delete(folder, unneeded)
        cleaned.append(summary.run)
    return Cleaned(freed, tuple(cleaned))


def _is_driven(journal: Journal, run: str) -> bool:
    """Say whether a session has the run's lease. Taking it ourselves would need space, which a full disk has not."""
    with journal.database.reading() as connection:
        return run in driven_runs(connection, journal.database.now(connection))


def _finished(journal: Journal, keep: Callable[[RunSummary], bool] | None) -> list[RunSummary]:
    finished = [summary for summary in journal.runs() if summary.status not in _RESUMABLE]
    return [summary for summary in finished if keep is None or not keep(summary)]


def size_of(path: Path) -> int:
    """Return the bytes of the files in a folder; a link counts as itself, and what vanishes meanwhile as nothing."""
    if path.is_symlink() or not path.is_dir():
        return _length(path)
    return sum(_length(Path(root) / name) for root, _, names in os.walk(path) for name in names)


def _length(file: Path) -> int:
    try:
        return file.lstat().st_size
    except FileNotFoundError:
        return 0


def _unneeded(folder: Path, summary: RunSummary) -> tuple[Path, ...]:
    """Return prepared data and trials' folders, but for those that the delivered model stands in or links to."""
    delivered = Path(summary.artifact) if summary.artifact else folder / "model"
    if summary.status != "no_trials" and not delivered.exists():
        return _existing([folder / _ASIDE])
    needed = [delivered.resolve(), *_links(delivered)]
    candidates = [folder / _ASIDE, folder / "data", *_trial_folders(folder)]
    return tuple(f for f in _existing(candidates) if not any(n.is_relative_to(f.resolve()) for n in needed))


def _trial_folders(folder: Path) -> list[Path]:
    trials = folder / "trials"
    return sorted(trials.iterdir()) if trials.is_dir() else []


def _existing(folders: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(f for f in folders if f.is_symlink() or f.exists())


def _links(delivered: Path) -> list[Path]:
    return [p.resolve() for p in delivered.rglob("*") if p.is_symlink()] if delivered.is_dir() else []


def _delete(folder: Path, unneeded: Iterable[Path]) -> None:
    aside = folder / _ASIDE
    try:
        aside.mkdir(exist_ok=True)
        for path in unneeded:
            if path != aside:
                path.rename(_free_name(aside, path.name))
        shutil.rmtree(aside)
    except FileNotFoundError:
        return  # another cleaning is at the same run, and what it leaves the next one takes
    except OSError as error:
        raise StoreError(f"{folder} can't be cleaned: {error.strerror or error}") from error


def _free_name(aside: Path, name: str) -> Path:
    """Return a place for a folder; one of the same name may be left of a cleaning that was killed."""
    number = 0
    while (aside / f"{name}.{number}").exists():
        number += 1
    return aside / f"{name}.{number}"
