"""Work on all cores, in processes with one thread each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress

from automl_gpt.tools.process.machine import cores

T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], items: Sequence[T], label: str, console: Console) -> list[R]:
    """Return what a function of a module says of each item, in their order, and show how far it is."""
    found: list[R] = []
    context: Any = multiprocessing.get_context("spawn")
    with Progress(console=console, transient=True) as progress:
        done = progress.add_task(label, total=len(items))
        with context.Pool(min(cores(), max(1, len(items))), _one_thread) as pool:
            for result in pool.imap(function, items):
                found.append(result)
                progress.advance(done)
    return found


def _one_thread() -> None:
    import scipy.linalg  # noqa: F401  # its threads can be limited only once it is there
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
