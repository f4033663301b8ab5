"""One file of rows into a pandas table: CSV, TSV, Parquet, JSONL, the text ones also as .gz."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.tools.corpus.json_rows import read_json
from automl_gpt.tools.data.delimited import MISSING, read_delimited
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.sniff import check_names, open_bytes

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
DATA_SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES + JSON_SUFFIXES
_BIG = 50_000_000
"""Cells from which Parquet's numbers are narrowed to 4 bytes, as those of a large CSV are."""


@dataclass
class RawTable:
    """The rows of one file as they stand there, and what was noticed. Strings are of pandas' `str` type."""

    frame: Any
    findings: list[Finding]


def read_table(path: Path, exact: frozenset[str] = frozenset()) -> RawTable:
    """Read a file of rows into numbers, booleans, datetimes and text.

    Infinite values become missing. `exact` names columns that keep 8 bytes in a large file (target, weight). Raises
    UserError in one line where there is no such file, or it can't be read as a table.
    """
    suffix = data_suffix(path)
    if not path.exists():
        raise UserError(f"{path}: no such file{_nearest_files(path)}")
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file of rows in it")
    if suffix in PARQUET_SUFFIXES:
        table, notes = _read_parquet(path, exact), []
    elif suffix in JSON_SUFFIXES:
        table, notes = _read_jsonl(path), []
    else:
        table, notes = read_delimited(path, exact)
    if table.num_rows == 0:
        raise UserError(f"{path}: has no rows")
    findings = [Finding(level="note", text=note) for note in notes]
    return RawTable(_to_pandas([table], findings), findings)


def data_suffix(path: Path) -> str:
    """Return the kind of a data file, without .gz; UserError where it is none that can be read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".xlsx", ".xls", ".ods"):
        raise UserError(f"{path}: a spreadsheet: save it as CSV")
    if suffix in (".zip", ".bz2", ".xz", ".zst", ".7z"):
        raise UserError(f"{path}: unpack it first; of compressed files only .gz is read")
    return suffix


def _nearest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (the folder {folder} does not exist either)"
    close = nearest(path.name, sorted(file.name for file in folder.iterdir() if file.is_file())[:1000], limit=3)
    return f", did you mean {' or '.join(close)}?" if close else ""


def _read_parquet(path: Path, exact: frozenset[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(str(path))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not readable as Parquet: {str(error).splitlines()[0][:160]}") from error
    check_names(list(table.schema.names), path)
    if table.num_rows * table.num_columns < _BIG:
        return table
    for i, field in enumerate(table.schema):
        if pa.types.is_float64(field.type) and field.name not in exact:
            table = table.set_column(i, field.name, table.column(i).cast(pa.float32(), safe=False))
    return table


def _read_jsonl(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    try:
        options = arrow_json.ReadOptions(block_size=1 << 26)
        table = arrow_json.read_json(str(path), read_options=options)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        if data_suffix(path) == ".json" and _is_list(path):
            return read_json(path)
        # Arrow stops at the first column of mixed types; line by line each line can be named, and mixed types be text.
        return _read_json_lines(path)
    return table


def _is_list(path: Path) -> bool:
    """Say whether a file is one JSON list of objects, rather than one object a line."""
    try:
        with open_bytes(path) as file:
            return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    except (OSError, EOFError, zlib.error):
        return False


def _read_json_lines(path: Path) -> Any:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    rows.append(_json_object(line, path, number))
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    if not rows:
        raise UserError(f"{path}: the file is empty: one JSON object a line is needed")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _json_column([row.get(name) for row in rows]) for name in names})


def _json_object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{number}: not JSON: one object a line is needed") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}:{number}: one JSON object a line is needed, such as {{'column': value}}")
    return value


def _json_column(values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        if all(value is None or type(value) in (int, float) for value in values):
            return pa.array([None if value is None else _as_float(value) for value in values], pa.float64())
        return pa.array(
            [None if value is None else value if isinstance(value, str) else json.dumps(value) for value in values]
        )


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


# ---------------------------------------------------------------------------------------------------- Arrow to pandas


def _to_pandas(holder: list[Any], findings: list[Finding]) -> Any:
    """Turn an Arrow table into pandas column by column; `holder` gives it up, so that no second copy stays alive."""
    import pandas as pd

    table = holder.pop()
    names, columns = [str(name) for name in table.schema.names], table.columns
    del table
    series: dict[str, Any] = {}
    for i, name in enumerate(names):
        column, columns[i] = columns[i], None
        series[name] = _column(name, column, findings)
        del column
    release_memory()
    return pd.DataFrame(series, copy=False)


def release_memory() -> None:
    """Give memory that Arrow has freed back to the system at once; it would keep it for its next table."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _column(name: str, column: Any, findings: list[Finding]) -> Any:
    import pandas as pd
    import pyarrow as pa

    column = _plain(column)
    kind = column.type
    if pa.types.is_boolean(kind):
        return column.to_pandas() if column.null_count == 0 else column.to_pandas().astype("boolean")
    if pa.types.is_timestamp(kind):
        values = column.cast(pa.timestamp("us"), safe=False).to_pandas()
        return values.dt.tz_localize(None) if getattr(values.dt, "tz", None) is not None else values
    if pa.types.is_null(kind):
        return pd.Series(np.full(len(column), np.nan))
    values = column.to_pandas(split_blocks=True, self_destruct=True)
    if pa.types.is_floating(kind):
        return _finite(name, values, findings)
    return values


def _plain(column: Any) -> Any:
    """Bring the many types of Arrow to five: boolean, integer, floating, timestamp (UTC), string."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp(kind.unit))
    if pa.types.is_time(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _trimmed(column)
    known = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp, pa.types.is_null)
    return column if any(test(kind) for test in known) else _as_json_text(column)


def _as_json_text(column: Any) -> Any:
    import pyarrow as pa

    values = [None if v is None else json.dumps(v, default=str, sort_keys=True) for v in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())])


def _trimmed(column: Any) -> Any:
    """Strip blanks around text, and see that what stands for a missing value is one."""
    import pyarrow as pa
    from pyarrow.compute import SetLookupOptions, call_function

    column = call_function("utf8_trim_whitespace", [column])
    options = SetLookupOptions(value_set=pa.array(MISSING, column.type))
    missing = call_function("is_in", [column], options)
    return call_function("if_else", [missing, pa.scalar(None, column.type), column])


def _finite(name: str, values: Any, findings: list[Finding]) -> Any:
    """Make infinite values missing, in place; a number beyond 4 bytes counts as infinite, as models would see it."""
    import pandas as pd

    array = values.to_numpy()
    limit = np.finfo(np.float32).max
    with np.errstate(invalid="ignore"):
        infinite = (array > limit) | (array < -limit)
    count = int(infinite.sum())
    if count == 0:
        return values
    array = np.array(array)
    array[infinite] = np.nan
    text = f"{count} infinite or too large values (above 3.4e38) were taken as missing"
    findings.append(Finding(level="warning", column=name, text=text))
    return pd.Series(array, name=values.name)
