"""Pictures as a column: of paths in a table, or embedded in Parquet and in the data sets of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_pictures import SUFFIXES, Stored, check_pictures, counted, first_few, left_out
from automl_gpt.tools.corpus.hub import load_hub
from automl_gpt.tools.corpus.picture_parts import as_pictures, picture_part
from automl_gpt.tools.corpus.raw import RawExamples, RawPart, RowNames, only
from automl_gpt.tools.data.load import need_column
from automl_gpt.tools.data.read import PARQUET_SUFFIXES, data_suffix, read_table
from automl_gpt.tools.data.report import Finding

_LOOKED_AT = 200


@dataclass
class _Rows:
    """An Arrow table, what it is called, where its paths start, and the names of coded labels by column."""

    table: Any
    where: str
    base: Path
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def values(self, column: str) -> list[Any]:
        """Return a column as Python values, labels by their names; None where there is none."""
        values = self.table[column].to_pylist()
        names = self.names.get(column)
        if names is None:
            return [None if isinstance(v, float) and np.isnan(v) else v for v in values]
        return [names[code] if code is not None and code >= 0 else None for code in values]


def read_picture_tables(card: DataCard, paths: dict[str, Path]) -> RawExamples:
    """Read tables with a column of paths, relative to the table's file, or of pictures embedded in Parquet."""
    findings: list[Finding] = []
    parts = {part: _open_table(path, findings) for part, path in paths.items()}
    if card.target is None:
        raise UserError(f"card: target: is missing; name the column to predict: {_listed(parts['train'])}")
    return _examples(card, parts, card.target, findings)


def read_hub_pictures(card: DataCard, source: str, base: Path | None) -> RawExamples:
    """Read a data set of the hub, or a folder laid out like one: its picture column and its labels."""
    parts = {part: _from_dataset(f"{source} {part}", dataset) for part, dataset in load_hub(source, base).items()}
    train = parts["train"]
    labelled = list(train.names)
    if card.target is None and len(labelled) != 1:
        raise UserError(f"card: target: is missing; name the column to predict: {_listed(train)}")
    return _examples(card, parts, card.target or labelled[0], [])


def _open_table(path: Path, findings: list[Finding]) -> _Rows:
    import pyarrow as pa
    from pyarrow import parquet

    if data_suffix(path) in PARQUET_SUFFIXES:
        try:
            return _Rows(parquet.read_table(path, memory_map=True), path.name, path.absolute().parent)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path}: can't be read: {str(error).splitlines()[0]}") from error
    read = read_table(path)
    findings += read.findings
    return _Rows(pa.Table.from_pandas(read.frame, preserve_index=False), path.name, path.absolute().parent)


def _from_dataset(where: str, dataset: Any) -> _Rows:
    from datasets import ClassLabel

    names = {name: list(f.names) for name, f in dataset.features.items() if isinstance(f, ClassLabel)}
    return _Rows(dataset.data.table, where, Path(), names)


def _listed(rows: _Rows) -> str:
    return ", ".join(rows.table.column_names)


def _examples(card: DataCard, parts: dict[str, _Rows], target: str, findings: list[Finding]) -> RawExamples:
    if card.task not in (None, "classification", "regression"):
        raise UserError(f"card: task: {card.task} can't be learnt from a table of pictures; name a COCO file")
    need_column(parts["train"].table.column_names, target, "card: target", parts["train"].where)
    image = _image_column(card, parts["train"], target)
    read: dict[str, RawPart] = {}
    for part, rows in parts.items():
        _need_columns(card, rows, image, target)
        if (found := _read_part(card, rows, image, target, findings)) is not None:
            read[part] = found
    if "train" not in read:
        raise UserError(f"{parts['train'].where}: target {target!r} has no value in any row")
    _tell_unused(card, parts["train"], {image, target}, findings)
    labels = tuple(parts["train"].names.get(target, ()))
    columns = {"image": image}
    return RawExamples(
        read["train"], read.get("valid"), read.get("test"), target, card.task, labels, columns, None, findings
    )


def _need_columns(card: DataCard, rows: _Rows, image: str, target: str) -> None:
    for field_name, column in {**_beside(card), "target": target, "inputs": image}.items():
        need_column(rows.table.column_names, column, f"card: {field_name}", rows.where)


def _beside(card: DataCard) -> dict[str, str]:
    """Return the columns that divide and weigh the rows, by the card's field."""
    return {name: column for name in ("group", "weight", "time") if (column := getattr(card, name))}


def _image_column(card: DataCard, rows: _Rows, target: str) -> str:
    """Return the column whose role is image, else the only one that holds pictures or paths of pictures."""
    given = [name for name, known in (card.inputs or {}).items() if known.role == "image"]
    if len(given) == 1:
        need_column(rows.table.column_names, given[0], "card: inputs", rows.where)
        return given[0]
    names = [name for name in rows.table.column_names if name != target and name not in card.drop]
    found = [name for name in names if embedded(rows.table.schema.field(name).type)]
    found = found or [name for name in names if holds_paths(rows.table[name])]
    if len(found) != 1:
        many = "several columns hold" if found else "no column holds"
        mend = "name it under inputs, as `inputs: {COLUMN: {role: image}}`"
        raise UserError(f"{rows.where}: {many} paths of pictures (of {', '.join(found or names)}): {mend}")
    return found[0]


def embedded(kind: Any) -> bool:
    """Say whether an Arrow type is one of embedded pictures: bytes, or a record with them."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def holds_paths(column: Any) -> bool:
    """Say whether the first values of a column are called as pictures are."""
    values = column.slice(0, _LOOKED_AT).to_pylist()
    texts = [value for value in values if isinstance(value, str)]
    return bool(texts) and sum(Path(text).suffix.lower() in SUFFIXES for text in texts) > 0.9 * len(texts)


def _read_part(card: DataCard, rows: _Rows, image: str, target: str, findings: list[Finding]) -> RawPart | None:
    """Return the rows with an answer and a usable picture; None where no row has an answer."""
    answers = rows.values(target)
    known = np.array([i for i, answer in enumerate(answers) if answer is not None], dtype=np.intp)
    if len(known) < len(answers):
        text = f"{rows.where}: {counted(len(answers) - len(known), 'row')} left out (no value of {target!r})"
        findings.append(Finding(level="warning", text=text))
    if not len(known):
        return None
    beside = {name: only(rows.values(column), known) for name, column in _beside(card).items()}
    answers = [answers[i] for i in known]
    if embedded(rows.table.schema.field(image).type):
        return _embedded_part(rows, image, known, answers, beside, findings)
    names = [str(path) for path in rows.table[image].take(known).to_pylist()]
    stored = [str(rows.base / name) for name in names]
    return picture_part(stored, answers, names, findings, beside=beside)


def _embedded_part(
    rows: _Rows, image: str, known: Any, answers: list[Any], beside: dict[str, Any], findings: list[Finding]
) -> RawPart:
    """Return rows of embedded pictures: where they are mapped from a file, they stay there."""
    import pyarrow as pa
    from datasets import Image

    column = pa.chunked_array([Image().cast_storage(chunk) for chunk in rows.table[image].chunks], Image.pa_type)
    checked = check_pictures(_stored(column, known))
    findings += left_out(checked, RowNames(rows.where, known + 1))
    kept = np.array([i for i, one in enumerate(checked) if one.problem is None], dtype=np.intp)
    if not len(kept):
        raise UserError(f"{rows.where}: column {image!r} holds no picture that can be used")
    dataset = as_pictures(column)
    if len(kept) < len(dataset):
        dataset = dataset.select(known[kept])
    more = {name: only(values, kept) for name, values in beside.items()}
    return RawPart(dataset, only(answers, kept), RowNames(rows.where, known[kept] + 1), **more)


def _stored(column: Any, known: Any) -> Iterator[Stored]:
    for i in known:
        one = column[int(i)].as_py() or {}
        yield one.get("bytes") or one.get("path") or b""


def _tell_unused(card: DataCard, rows: _Rows, used: set[str], findings: list[Finding]) -> None:
    named = {*used, *_beside(card).values(), *card.drop}
    unused = [name for name in rows.table.column_names if name not in named]
    if unused:
        findings.append(Finding(level="note", text=f"columns that are not used: {first_few(unused)}"))
