"""Files of rows as Arrow tables: CSV in batches that never stand in memory twice, Parquet, JSON; nested values stay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.tools.corpus.json_rows import read_json
from automl_gpt.tools.corpus.spill import one_table
from automl_gpt.tools.data.delimited import MISSING, read_delimited, with_block
from automl_gpt.tools.data.read import JSON_SUFFIXES, PARQUET_SUFFIXES, data_suffix
from automl_gpt.tools.data.sniff import Format, check_names, sniff

_BLOCK = 1 << 22
_HEAD = 2_000
Load = Callable[[Sequence[str], Collection[str]], Any]


@dataclass(frozen=True)
class Source:
    """One part of a data set before it is read as a whole.

    `head` is an Arrow table of its first rows. `load(columns, texts)` returns a table of some columns, of which those
    in `texts` are text (`large_string`) whatever they look like. `tags` are the names of coded labels, by column.
    `unit` is what one of the rows is called, `numbers` are theirs where they don't just count from 1.
    """

    name: str
    head: Any
    load: Load
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    unit: str = "row"
    numbers: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.head.column_names)


def open_rows(path: Path) -> Source:
    """Open a file of rows; UserError in one line where there is none, or it can't be read as rows."""
    need_file(path)
    suffix = data_suffix(path)
    if suffix in PARQUET_SUFFIXES:
        return _parquet(path)
    if suffix in JSON_SUFFIXES:
        return in_memory(path.name, read_json(path))
    return _delimited(path)


def need_file(path: Path) -> None:
    """Raise UserError, with the nearest name, where a file is not there."""
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file of rows in it")
    if path.exists():
        return
    if not path.parent.is_dir():
        raise UserError(f"{path}: no such file (the folder {path.parent} does not exist either)")
    close = nearest(path.name, sorted(file.name for file in path.parent.iterdir() if file.is_file())[:1000], limit=3)
    raise UserError(f"{path}: no such file" + (f", did you mean {' or '.join(close)}?" if close else ""))


def in_memory(name: str, table: Any, **more: Any) -> Source:
    """Return a source of a table that is read already."""
    if table.num_rows == 0:
        raise UserError(f"{name}: has no rows")

    def load(columns: Sequence[str], texts: Collection[str]) -> Any:
        return _as_text(table.select(list(columns)), texts, name)

    return Source(name, table.slice(0, _HEAD), load, **more)


# ------------------------------------------------------------------------------------------------------------ Parquet


def _parquet(path: Path) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file: Any = pq.ParquetFile(str(path), memory_map=True)
        head = next(file.iter_batches(batch_size=_HEAD), None)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not readable as Parquet: {str(error).splitlines()[0][:160]}") from error
    if head is None:
        raise UserError(f"{path}: has no rows")
    check_names(list(head.schema.names), path)

    def load(columns: Sequence[str], texts: Collection[str]) -> Any:
        try:
            return _as_text(file.read(columns=list(columns)).select(list(columns)), texts, path.name)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path}: not readable as Parquet: {str(error).splitlines()[0][:160]}") from error

    return Source(path.name, pa.Table.from_batches([head]), load)


# ---------------------------------------------------------------------------------------------------------------- CSV


def _delimited(path: Path) -> Source:
    """Open a delimited file; what the quick way can't read, or can't explain, `read_delimited` does."""
    import pyarrow as pa

    form = sniff(path)
    try:
        head = _first(path, form)
    except (pa.ArrowException, OSError, EOFError):
        return _whole(path)
    if head.num_rows == 0:
        raise UserError(f"{path}: has column names and no rows")

    def load(columns: Sequence[str], texts: Collection[str]) -> Any:
        try:
            table = _stream(path, form, columns, texts)
        except (pa.ArrowException, OSError, EOFError):
            table = _whole(path, form, columns).load(columns, texts)
        return _as_text(table, texts, path.name)

    return Source(path.name, head, load, notes=_notes(path, form))


def _whole(path: Path, form: Format | None = None, exact: Collection[str] = ()) -> Source:
    table, notes = read_delimited(path, frozenset(exact))
    known = () if form is None else _notes(path, form)
    return in_memory(path.name, table, notes=tuple(note for note in notes if note not in known))


def _notes(path: Path, form: Format) -> tuple[str, ...]:
    return (f"{path.name} is not UTF-8; it was read as Latin-1",) if form.encoding == "latin-1" else ()


def _reader(path: Path, form: Format, block: int, columns: Sequence[str], texts: Collection[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    return csv.open_csv(
        str(path),
        read_options=csv.ReadOptions(
            column_names=list(form.names),
            skip_rows=form.header_lines,
            encoding=form.encoding,
            block_size=block,
            use_threads=False,
        ),
        parse_options=csv.ParseOptions(delimiter=form.delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            null_values=list(MISSING),
            strings_can_be_null=True,
            decimal_point=form.decimal,
            include_columns=list(columns) or None,
            column_types=dict.fromkeys(texts, pa.large_string()),
        ),
    )


def _first(path: Path, form: Format) -> Any:
    import pyarrow as pa

    def read(block: int) -> Any:
        with _reader(path, form, block, (), ()) as reader:
            batch = next(iter(reader), None)
            return reader.schema.empty_table() if batch is None else pa.Table.from_batches([batch])

    head = with_block(_BLOCK, read)
    if any(pa.types.is_binary(one.type) for one in head.schema):
        raise pa.ArrowInvalid("not UTF-8")
    return head.slice(0, _HEAD)


def _stream(path: Path, form: Format, columns: Sequence[str], texts: Collection[str]) -> Any:
    import pyarrow as pa

    def read(block: int) -> Any:
        with _reader(path, form, block, columns, texts) as reader:
            if any(pa.types.is_null(one.type) for one in reader.schema):
                raise pa.ArrowTypeError("a column that is empty at first")
            return one_table(iter(reader), reader.schema)

    table = with_block(_BLOCK, read)
    if any(pa.types.is_binary(one.type) for one in table.schema):
        raise pa.ArrowInvalid("not UTF-8")
    return table


# --------------------------------------------------------------------------------------------------------------- text


def _as_text(table: Any, texts: Collection[str], where: str) -> Any:
    """Turn columns into `large_string`; long ones are not copied."""
    import pyarrow as pa

    for at, one in enumerate(table.schema):
        if one.name not in texts or pa.types.is_large_string(one.type):
            continue
        if pa.types.is_nested(one.type) or pa.types.is_binary(one.type):
            raise UserError(f"{where}: column {one.name!r} holds {one.type}, not text: name another one under `inputs`")
        table = table.set_column(at, one.name, table.column(at).cast(pa.large_string()))
    return table
