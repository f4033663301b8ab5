"""CSV and its like, read by pyarrow: a small file at once, a large one in batches that never stand in memory twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import QuotingError, UserError
from automl_gpt.tools.data.sniff import Format, ragged_line, sniff

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Texts that stand for a missing value, whatever the column."""
STREAM_FROM = 200_000_000
"""Bytes of text from which a file is read in batches, and its numbers are kept in 4 bytes."""
_BLOCK, _BLOCK_WHOLE, _BLOCK_MOST = 1 << 22, 1 << 20, 1 << 30
"""Bytes of text that are parsed at once: of a stream, of a small file, and for rows that are longer."""
_TOGETHER = 32
_CONVERSION = re.compile(r"In CSV column #(\d+): .*?conversion error to (\w+)", re.DOTALL)


def read_delimited(path: Path, exact: frozenset[str]) -> tuple[Any, list[str]]:
    """Read a delimited file into an Arrow table, and say what was noticed.

    Columns of a large file are narrowed to float32 and int32 unless they are named in `exact`. Raises UserError with
    file, line and the mend where rows are ragged, or there are none.
    """
    form = sniff(path)
    try:
        table = _read(path, form, exact)
    except _NotUtf8:
        form = sniff(path, encoding="latin-1")
        table = _read(path, form, exact)
    if table.num_rows == 0:
        raise UserError(f"{path}: has column names and no rows")
    notes = [f"{path.name} is not UTF-8; it was read as Latin-1"] if form.encoding == "latin-1" else []
    if form.decimal == ",":
        notes.append(f"{path.name} writes decimals with a comma")
    return table, notes


class _NotUtf8(Exception):
    """The bytes are no UTF-8, seen only behind the sample."""


def _read(path: Path, form: Format, exact: frozenset[str]) -> Any:
    import pyarrow as pa

    size = path.stat().st_size * (5 if path.suffix.lower() == ".gz" else 1)
    try:
        table = _read_whole(path, form) if size < STREAM_FROM else _read_stream(path, form, exact)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _in_words(error, path, form) from error
    except UnicodeDecodeError as error:
        raise _NotUtf8 from error
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: can't be read: {str(error).splitlines()[0]}") from error
    if any(pa.types.is_binary(field.type) for field in table.schema):
        raise _NotUtf8
    return table


def _options(form: Format, types: dict[str, Any] | None = None, block: int | None = None) -> dict[str, Any]:
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(
            column_names=list(form.names), skip_rows=form.header_lines, encoding=form.encoding, block_size=block
        ),
        "parse_options": csv.ParseOptions(delimiter=form.delimiter, newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            null_values=list(MISSING), strings_can_be_null=True, decimal_point=form.decimal, column_types=types
        ),
    }


def _read_whole(path: Path, form: Format) -> Any:
    from pyarrow import csv

    def read(block: int) -> Any:
        return csv.read_csv(str(path), **_options(form, block=block))

    return with_block(_BLOCK_WHOLE, read)


def with_block(block: int, read: Callable[[int], Any]) -> Any:
    """Read with blocks of so many bytes, which grow until the longest row fits into one."""
    import pyarrow as pa

    while True:
        try:
            return read(block)
        except pa.ArrowInvalid as error:
            if "block" not in str(error) or block >= _BLOCK_MOST:
                raise
            block *= 4


def _read_stream(path: Path, form: Format, exact: frozenset[str]) -> Any:
    """Read in batches with the types of the first one, starting anew with a wider type where a later cell needs it."""
    import pyarrow as pa

    wider: dict[str, Any] = {}
    while True:
        try:
            return with_block(_BLOCK, partial(_batches, path, form, wider, exact))
        except pa.ArrowInvalid as error:
            found = _CONVERSION.search(str(error))
            if found is None or int(found[1]) >= len(form.names):
                raise
            name = form.names[int(found[1])]
            # Whole numbers may turn into decimals further down; whatever else fails is text.
            first_try = found[2].startswith("int") and name not in wider
            wider[name] = pa.float64() if first_try else pa.string()


def _batches(path: Path, form: Format, wider: dict[str, Any], exact: frozenset[str], block: int) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    # An all-empty first block tells nothing of a column's type: read as text, it is judged later as a whole.
    with csv.open_csv(str(path), **_options(form, wider, block)) as reader:
        empty = {field.name: pa.string() for field in reader.schema if pa.types.is_null(field.type)}
        if not empty:
            return _collect(reader, exact)
    return _batches(path, form, {**empty, **wider}, exact, block)


def _collect(reader: Any, exact: frozenset[str]) -> Any:
    import pyarrow as pa

    whole: list[list[Any]] = [[] for _ in reader.schema]
    pieces: list[list[Any]] = [[] for _ in reader.schema]
    for number, batch in enumerate(reader, 1):
        for i, field in enumerate(reader.schema):
            column = batch.column(i)
            pieces[i].append(column if field.name in exact else _narrow(column))
        if number % _TOGETHER == 0:
            _put_together(pieces, whole)
    _put_together(pieces, whole)
    columns = [pa.chunked_array(_alike(parts)) for parts in whole]
    return pa.table(columns, names=list(reader.schema.names))


def _put_together(pieces: list[list[Any]], whole: list[list[Any]]) -> None:
    """Join small pieces into large ones: memory of large ones goes back to the system as soon as they are dropped."""
    import pyarrow as pa

    for small, large in zip(pieces, whole, strict=True):
        if small:
            large.append(pa.concat_arrays(_alike(small)))
            small.clear()


def _narrow(column: Any) -> Any:
    """Halve a column of numbers: its precision is that of the matrix that models see anyway."""
    import pyarrow as pa
    from pyarrow.compute import call_function

    if pa.types.is_float64(column.type):
        return column.cast(pa.float32(), safe=False)
    if pa.types.is_int64(column.type) and len(column) > column.null_count:
        extremes = call_function("min_max", [column]).as_py()
        if max(-extremes["min"], extremes["max"]) < 2**31:
            return column.cast(pa.int32())
    return column


def _alike(parts: list[Any]) -> list[Any]:
    import pyarrow as pa

    if len({part.type for part in parts}) > 1:
        return [part.cast(pa.int64()) for part in parts]
    return parts


def _in_words(error: Exception, path: Path, form: Format) -> UserError:
    text = " ".join(str(error).split())
    if "UTF8" in text or "utf-8" in text.lower():
        raise _NotUtf8 from error
    if "Expected" in text and "columns" in text:
        found = ragged_line(path, form)
        if found:
            line, cells = found
            return UserError(
                f"{path}:{line}: {cells} cells where the header has {len(form.names)} (delimiter {form.delimiter!r}); "
                "mend that line"
            )
    return QuotingError(f"{path}: not readable as a table: {text[:160]}", f"{path}: not readable as a table")
