"""Predict rows with a delivered model: CSV, TSV, Parquet or JSONL in, the same out; pictures and SQuAD's JSON, too."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, Field

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.corpus.tree import is_picture
from automl_gpt.tools.data.read import JSON_SUFFIXES, PARQUET_SUFFIXES
from automl_gpt.tools.deliver.bundle import Bundle, load_bundle
from automl_gpt.tools.deliver.given import kind_of, read_given
from automl_gpt.tools.deliver.results import as_json, draw_boxes


@dataclass(frozen=True)
class Predicted:
    """So many rows were predicted into a file; `notes` say what was remarkable about the input."""

    rows: int
    out: Path
    notes: tuple[str, ...] = ()


def predict_file(
    model_folder: Path, file: Path, out: Path | None = None, threads: int = 1, pictures: Path | None = None
) -> Predicted:
    """Predict the rows of a file and write a file of the same format, a row for each row, in the same order.

    It holds the predictions alone: `prediction`, one `probability_CLASS` per class, and what else `Bundle.predict`
    gives. Columns of the input may come in any order and among others; the target is ignored. For models of pictures
    FILE may be a picture or a folder of them (a CSV with their names comes out), a table of their paths or a COCO file,
    for questions a SQuAD file; where the output is a .json file, it has the form that COCO's and SQuAD's programs read.
    `pictures` is a folder for pictures with the boxes that were found.

    `out` defaults to FILE with `.predictions` before its suffix. The input is never overwritten. Raises UserError in
    one line.
    """
    bundle = load_bundle(model_folder)
    place = out or default_out(file)
    _check_place(place, file)
    given = read_given(bundle.manifest, file)
    notes = [*given.notes, *_column_notes(bundle, list(map(str, given.frame.columns)))]
    misfits: list[str] = []
    predictions = bundle.predict(given.frame, threads, misfits, given.base)
    for number, (name, values) in enumerate(given.names.items()):
        predictions.insert(number, name, values)
    kind = kind_of(place) or given.kind or ".csv"
    _write(predictions, place, kind, as_json(bundle.manifest, given, predictions) if kind == ".json" else None)
    if pictures is not None:
        misfits.append(f"{draw_boxes(bundle.manifest, given, predictions, pictures)} pictures drawn in {pictures}")
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
    if bundle.manifest.modality != "tabular":
        return []  # only the columns that the model looks at were read
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


def _check_place(place: Path, file: Path) -> None:
    """Raise UserError where the place to write is the input, or can't be a file."""
    if place.resolve() == file.resolve() or (place.exists() and file.exists() and place.samefile(file)):
        raise UserError(f"{place}: is the input itself; name another file with --out")
    if place.is_dir():
        raise UserError(f"{place}: is a folder; name a file with --out")
    if not place.parent.is_dir():
        raise UserError(f"{place}: there is no folder {place.parent}; make it first")


def default_out(file: Path) -> Path:
    """Return FILE with `.predictions` before its suffix: rows.csv.gz becomes rows.predictions.csv.gz.

    What is no file of rows, a folder or a picture, gets the suffix .csv.
    """
    if file.is_dir():
        return file.absolute().with_name(f"{file.absolute().name}.predictions.csv")
    if is_picture(file.name):
        return file.with_name(f"{file.stem}.predictions.csv")
    zipped = file.suffix.lower() == ".gz"
    inner = Path(file.stem) if zipped else Path(file.name)
    return file.with_name(f"{inner.stem}.predictions{inner.suffix}{file.suffix if zipped else ''}")


def _write(predictions: Any, place: Path, suffix: str, whole: str | None) -> None:
    """Write beside the place, then put it there: a reader never sees half a file. `whole` is the content, if given."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        if suffix in PARQUET_SUFFIXES:
            predictions.to_parquet(fresh, index=False)
        else:
            zipped = place.suffix.lower() == ".gz"
            with gzip.open(fresh, "wb", compresslevel=6) if zipped else fresh.open("wb") as sink:
                if whole is None:
                    _write_text(predictions, sink, suffix)
                else:
                    sink.write(whole.encode())
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

    predictions = predictions.assign(**{name: _flat(predictions[name]) for name in predictions.columns})
    delimiter = "\t" if suffix == ".tsv" else ","
    if len(predictions.columns) == 1 and predictions["prediction"].isna().any():
        # Arrow would write an empty line, which readers of CSV skip; pandas quotes it.
        predictions.to_csv(sink, index=False, sep=delimiter, lineterminator="\n")
        return
    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(predictions.columns)
    sink.write(header.getvalue().encode())
    options: Any = arrow_csv.WriteOptions(include_header=False, delimiter=delimiter)
    arrow_csv.write_csv(pa.Table.from_pandas(predictions, preserve_index=False), sink, options)


def _flat(column: Any) -> Any:
    """Return a column with lists as JSON, for a cell of CSV holds no list."""
    if column.dtype != object or not any(isinstance(value, list) for value in column):
        return column
    return [None if value is None else json.dumps(value, ensure_ascii=False) for value in column]


class PredictArguments(BaseModel):
    """What the tool `predict` takes."""

    model: str = Field(description="a run, or the folder of a delivered model")
    file: str = Field(
        description="new rows: CSV, TSV, Parquet or JSONL, also .gz; a picture, a folder of them; SQuAD or COCO JSON"
    )
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
