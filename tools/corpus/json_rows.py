"""Rows of JSON: one object a line, one list of objects, or the paragraphs of SQuAD; lists and objects stay as such."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.squad import is_squad, squad_rows
from automl_gpt.tools.data.sniff import open_bytes
from automl_gpt.tools.data.values import level_text

_BATCH = 20_000
Row = dict[str, Any]


def read_json(path: Path) -> Any:
    """Read a file of JSON into an Arrow table; UserError names the line that is none, or what is missing."""
    import pyarrow as pa

    try:
        with open_bytes(path) as file:
            tables = [_table(list(rows)) for rows in _batches(_rows(file, path))]
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    if not tables:
        raise UserError(f"{path}: the file is empty: one JSON object a line is needed")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowException, TypeError):
        return _together(tables)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(file: IO[bytes], path: Path) -> Iterator[Row]:
    first = next((line for line in file if line.strip()), b"")
    opening = first.decode("utf-8-sig", errors="replace").lstrip()[:1]
    if opening == "[" or (opening == "{" and _parsed(first) is None):
        yield from _document(first + file.read(), path)
        return
    whole = _parsed(first)
    if isinstance(whole, dict) and is_squad(whole) and not file.read().strip():
        yield from squad_rows(whole, path)
        return
    file.seek(0)
    for number, line in enumerate(file, 1):
        if line.strip():
            yield _object(line, path, number)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _document(text: bytes, path: Path) -> Iterator[Row]:
    """Read one document: a list of objects, or SQuAD. Where it is neither, its first line is to blame."""
    try:
        whole: Any = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise UserError(f"{path}: JSON nested too deeply") from error
    if isinstance(whole, dict) and is_squad(whole):
        return squad_rows(whole, path)
    if not isinstance(whole, list):
        raise UserError(f"{path}: a JSON object that is no SQuAD file: a list of objects, or one a line, is needed")
    for number, row in enumerate(whole, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: entry {number} is no JSON object, such as {{'column': value}}")
    return iter(whole)


def _object(line: bytes, path: Path, number: int) -> Row:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{number}: not JSON: one object a line is needed") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}:{number}: one JSON object a line is needed, such as {{'column': value}}")
    return value


# --------------------------------------------------------------------------------------------------------- into Arrow


def _table(rows: list[Row]) -> Any:
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({_legible(name): _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> Any:
    """Make an Arrow array; of values of several kinds lists, or else text."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except UnicodeEncodeError:
        return _array([_legible(value) for value in values])
    except (pa.ArrowException, OverflowError):
        if any(isinstance(value, list) for value in values) and not any(isinstance(value, dict) for value in values):
            values = [value if value is None or isinstance(value, list) else [value] for value in values]
            return _array_or_text(values)
        return pa.array([None if value is None else _text(value) for value in values], pa.large_string())


def _array_or_text(values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([value and [_text(one) for one in value] for value in values], pa.list_(pa.large_string()))


def _legible(value: Any) -> Any:
    """Replace halves of surrogate pairs, which JSON can escape and no encoding can write."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(value, list):
        return [_legible(one) for one in value]
    return {name: _legible(one) for name, one in value.items()} if isinstance(value, dict) else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _legible(value)
    return json.dumps(value, ensure_ascii=True) if isinstance(value, dict | list) else level_text(value)


def _together(tables: list[Any]) -> Any:
    """Put tables below each other of which a column is of one type here and of another there."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    columns: Row = {}
    for name in names:
        values: list[Any] = []
        for table in tables:
            values += table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
        columns[name] = _array(values)
    return pa.table(columns)
