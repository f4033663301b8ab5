"""Arrow batches as one table: few in memory, many in a file that is mapped, so that a large source needs no memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

HELD = 32_000_000
"""Bytes of batches that stay in memory; where there are more, all go into the file."""


def one_table(batches: Iterator[Any], schema: Any) -> Any:
    """Put record batches of one schema into one table. OSError where the disk has no space for them."""
    import pyarrow as pa

    held: list[Any] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size > HELD:
            return _mapped(chain(_given_up(held), batches), schema)
    return pa.Table.from_batches(held, schema)


def _given_up(held: list[Any]) -> Iterator[Any]:
    """Hand batches over without keeping them."""
    while held:
        yield held.pop(0)


def _mapped(batches: Iterator[Any], schema: Any) -> Any:
    """Write batches into a nameless temporary file, which goes when the table does, and map it."""
    import pyarrow as pa

    handle, name = tempfile.mkstemp(prefix="automl_gpt-", suffix=".arrow")
    os.close(handle)
    try:
        with pa.OSFile(name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(name)).read_all()
    finally:
        with suppress(PermissionError):  # Windows keeps a file that is mapped
            Path(name).unlink()
