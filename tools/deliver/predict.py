"""Predict the rows of a file with a delivered model: CSV, TSV, Parquet or JSONL in, the same out."""

from __future__ import annotations

import csv
import gzip
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, Field

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.data.read import DATA_SUFFIXES, JSON_SUFFIXES, PARQUET_SUFFIXES, data_suffix, read_table
from automl_gpt.tools.deliver.bundle import Bundle, load_bundle


@dataclass(frozen=True)
class Predicted:
    """So many rows were predicted into a file; `notes` say what was remarkable about the input."""

    rows: int
    out: Path
    notes: tuple[str, ...] = ()


def predict_file(model_folder: Path, file: Path, out: Path | None = None, threads: int = 1) -> Predicted:
    """Predict the rows of a file and write a file of the same format, a row for each row, in the same order.

    It holds the predictions alone: `prediction`, and one `probability_CLASS` per class. Columns of the input may come
    in any order and among others; the target is ignored. `out` defaults to FILE with `.predictions` before its suffix.
    The input is never overwritten. Raises UserError in one line.
    """
    bundle = load_bundle(model_folder)
    place = _place(file, out)
    table = read_table(file)
    notes = [finding.text for finding in table.findings] + _column_notes(bundle, list(table.frame.columns))
    misfits: list[str] = []
    predictions = bundle.predict(table.frame, threads, misfits)
    _write(predictions, place, _suffix(place) or _suffix(file) or ".csv")
    return Predicted(len(predictions), place, tuple(notes + list(dict.fromkeys(misfits))))


def model_folder(name: str, context: Context) -> Path:
    """Return the folder of a delivered model: a folder as it is named, else that of a run.

    A model names the run that it works in, or what the person named; ToolError for anything else.
    """
    if context.journal is not None and (name == context.run or (context.named and Path(name) in context.named)):
        folder = context.journal.run_folder(name) / "model"
        if folder.is_dir():
            return folder
    place = context.readable(name)
    if place.is_dir() or context.journal is None or context.for_model:
        return place
    return context.journal.run_folder(context.journal.find(name)) / "model"


def _output(wanted: str | None, file: Path, context: Context) -> Path | None:
    """Return where to write: beside the input by default, in the run's folder where a model calls."""
    if wanted is None and context.for_model:
        wanted = default_out(file).name
    return context.writable(wanted) if wanted is not None else None


def _column_notes(bundle: Bundle, columns: list[str]) -> list[str]:
    wanted, target = list(bundle.encoder.inputs), bundle.manifest.target
    notes: list[str] = []
    if target in columns and target not in wanted:
        notes.append(f"the column {target!r} is what the model predicts: it was not looked at")
    extra = [name for name in columns if name not in wanted and name != target]
    if extra:
        shown = ", ".join(map(repr, extra[:5])) + (", …" if len(extra) > 5 else "")
        notes.append(f"{len(extra)} column{'s' if len(extra) > 1 else ''} not used by the model: {shown}")
    if [name for name in columns if name in wanted] != wanted and set(wanted) <= set(columns):
        notes.append("the columns come in another order than in training; they were matched by name")
    return notes


def _place(file: Path, out: Path | None) -> Path:
    """Return where to write; UserError where that is the input, or can't be a file."""
    place = out if out is not None else default_out(file)
    if place.resolve() == file.resolve() or (place.exists() and file.exists() and place.samefile(file)):
        raise UserError(f"{place}: is the input itself; name another file with --out")
    if place.is_dir():
        raise UserError(f"{place}: is a folder; name a file with --out")
    if not place.parent.is_dir():
        raise UserError(f"{place}: there is no folder {place.parent}; make it first")
    return place


def default_out(file: Path) -> Path:
    """Return FILE with `.predictions` before its suffix: rows.csv.gz becomes rows.predictions.csv.gz."""
    zipped = file.suffix.lower() == ".gz"
    inner = Path(file.stem) if zipped else Path(file.name)
    return file.with_name(f"{inner.stem}.predictions{inner.suffix}{file.suffix if zipped else ''}")


def _suffix(path: Path) -> str:
    """Return the kind of file that a name asks for; empty where it asks for none that is known."""
    suffix = data_suffix(path)
    return suffix if suffix in DATA_SUFFIXES else ""


def _write(predictions: Any, place: Path, suffix: str) -> None:
    """Write beside the place, then put it there: a reader never sees half a file."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        if suffix in PARQUET_SUFFIXES:
            predictions.to_parquet(fresh, index=False)
        else:
            zipped = place.suffix.lower() == ".gz"
            with gzip.open(fresh, "wb", compresslevel=6) if zipped else fresh.open("wb") as sink:
                _write_text(predictions, sink, suffix)
        fresh.replace(place)
    except OSError as error:
        raise UserError(f"{place}: can't be written ({error.strerror or error})") from error
    finally:
        fresh.unlink(missing_ok=True)


def _write_text(predictions: Any, sink: IO[bytes] | gzip.GzipFile, suffix: str) -> None:
    if suffix in JSON_SUFFIXES:
        text = io.TextIOWrapper(sink, encoding="utf-8", newline="")  # pyright: ignore[reportArgumentType]
        predictions.to_json(text, orient="records", lines=True, force_ascii=False, double_precision=15)
        text.flush()
        text.detach()
        return
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    delimiter = "\t" if suffix == ".tsv" else ","
    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(predictions.columns)
    sink.write(header.getvalue().encode())
    options: Any = arrow_csv.WriteOptions(include_header=False, delimiter=delimiter)
    arrow_csv.write_csv(pa.Table.from_pandas(predictions, preserve_index=False), sink, options)


class PredictArguments(BaseModel):
    """What the tool `predict` takes."""

    model: str = Field(description="a run, or the folder of a delivered model")
    file: str = Field(description="new rows: CSV, TSV, Parquet or JSONL, also .gz")
    out: str | None = Field(
        default=None, description="file to write; default: FILE with .predictions before its suffix"
    )


class PredictionsWritten(BaseModel):
    """Where the predictions are, how many rows, and what was remarkable about the input."""

    rows: int
    out: str
    notes: tuple[str, ...]


@tool("predict", PredictArguments, inspects=False)
def predict(arguments: PredictArguments, context: Context) -> PredictionsWritten:
    """Predict the rows of a file with a delivered model and write the predictions to a file of the same format."""
    file = context.readable(arguments.file)
    out = _output(arguments.out or None, file, context)
    done = predict_file(model_folder(arguments.model, context), file, out, context.threads)
    return PredictionsWritten(rows=done.rows, out=str(done.out), notes=done.notes)
