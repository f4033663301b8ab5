"""What a delimited text file looks like, judged from its beginning: encoding, delimiter, column names, decimal mark."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import IO

from automl_gpt.cards.errors import UserError

SAMPLE = 1 << 18
"""Bytes at the beginning of a file that the judgement rests on."""
DELIMITERS = (",", ";", "\t", "|")
_SIGNATURES = {
    b"PK\x03\x04": "a zip or Excel file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"\x89PNG": "an image",
    b"PAR1": "a Parquet file: name it .parquet",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "compressed: name it .gz",
}


@dataclass(frozen=True)
class Format:
    """How a delimited file is written. `names` are its column names, in order, trimmed and none of them empty."""

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    decimal: str = "."
    header_lines: int = 1


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, unpacked where its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def sniff(path: Path, encoding: str | None = None) -> Format:
    """Judge a delimited file; UserError where it is empty, no text, or names a column twice."""
    sample, whole = _beginning(path)
    encoding = encoding or _encoding(sample, whole)
    text = sample.decode(encoding, errors="ignore").lstrip("\ufeff")
    if not text.strip():
        raise UserError(f"{path}: the file is empty: it needs a line of column names and rows below it")
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    delimiter = _delimiter(lines[:200])
    reader = csv.reader(StringIO("\n".join(lines) + "\n"), delimiter=delimiter)
    header = next((row for row in reader if row), [])
    names = _column_names(header, path)
    return Format(encoding, delimiter, names, _decimal(lines[1:200], delimiter), reader.line_num)


def _beginning(path: Path) -> tuple[bytes, bool]:
    try:
        with open_bytes(path) as file:
            sample = file.read(SAMPLE)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    for signature, what in _SIGNATURES.items():
        if sample.startswith(signature):
            raise UserError(f"{path}: this is {what}; CSV, TSV, Parquet or JSONL is needed")
    return sample, len(sample) < SAMPLE


def _encoding(sample: bytes, whole: bool) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        # A sample may end in the middle of a character; anything else that fails is another encoding.
        return "utf-8" if not whole and error.start >= len(sample) - 4 else "latin-1"
    return "utf-8"


def _delimiter(lines: list[str]) -> str:
    """Return the candidate that divides most lines into the same number of cells, and into most cells."""
    best, best_score = ",", (0.0, 0)
    for candidate in DELIMITERS:
        counts = [_outside_quotes(line, candidate) for line in lines if line.strip()]
        expected = counts[0] if counts else 0
        if expected == 0:
            continue
        share = sum(count == expected for count in counts) / len(counts)
        if (round(share, 1), expected) > best_score:
            best, best_score = candidate, (round(share, 1), expected)
    return best


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[::2])


def _decimal(lines: list[str], delimiter: str) -> str:
    """A decimal comma can stand only where the comma does not divide cells."""
    if delimiter == ",":
        return "."
    cells = Counter(
        "," if re.fullmatch(r"\s*[+-]?\d*,\d+\s*", cell) else "."
        for line in lines
        for cell in line.split(delimiter)
        if re.fullmatch(r"\s*[+-]?\d*[.,]\d+\s*", cell)
    )
    return "," if cells[","] > cells["."] else "."


def _column_names(header: list[str], path: Path) -> tuple[str, ...]:
    names = [name.strip() or f"unnamed_{i}" for i, name in enumerate(header, 1)]
    check_names(names, path)
    return tuple(names)


def check_names(names: list[str], path: Path) -> None:
    """Raise UserError where a column name stands more than once."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:5])) + (", …" if len(twice) > 5 else "")
        raise UserError(f"{path}:1: duplicate column names: {shown}; give each column a name of its own")


def ragged_line(path: Path, form: Format) -> tuple[int, int] | None:
    """Return line and number of cells of the first row that is not as wide as the header; None where all are."""
    with open_bytes(path) as raw:
        lines = (line.decode(form.encoding, errors="replace") for line in raw)
        for number, cells in _rows(lines, form.delimiter):
            if cells and cells != len(form.names):
                return number, cells
    return None


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, int]]:
    reader = csv.reader(lines, delimiter=delimiter)
    start = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            return
        yield start, len(row)
        start = reader.line_num + 1
