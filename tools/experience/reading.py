"""Reads a file of experience line by line, in bounded memory: what can be used, and what is wrong with the rest."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ValidationError

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.record import FORMAT, LINE, VERSION, DataLine, TrialLine

LONGEST_LINE = 1_000_000
MOST_SETS = 5_000
"""Data sets that are kept in mind: a trial stands not farther than so many of them after its own."""
_MADE_BY = "`automl-gpt experience export FILE` writes one"


@dataclass(frozen=True)
class Problem:
    """A line that can't be used, and why: file, line, field and the mend in one sentence."""

    text: str


Told = tuple[DataLine, TrialLine]
"""A trial and the data set that it was trained on."""


def read(file: Path) -> Iterator[Told | Problem]:
    """Yield each trial with its data set, and for each line that can't be used the problem with it.

    Gzip is recognised by its first bytes. Raises UserError where the file as a whole is none of ours: missing, empty,
    without the header, of a later version.
    """
    with _open(file) as stream:
        lines = _lines(stream)
        _check_header(file, next(lines, None))
        sets: dict[str, DataLine] = {}
        for number, line in lines:
            if line is None:
                yield Problem(f"{file}:{number}: the file ends early here: copy it again")
                return
            found = _parse(line, sets) if line.strip() else None
            if isinstance(found, str):
                yield Problem(f"{file}:{number}: {found}")
            elif found is not None:
                yield found


def _open(file: Path) -> IO[bytes]:
    try:
        zipped = file.open("rb").read(2) == b"\x1f\x8b"
        return gzip.open(file, "rb") if zipped else file.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise UserError(f"{file}: can't be read ({error.strerror or type(error).__name__}): name a file") from error


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield numbered lines; None in the place of one where the file breaks off. Of one too long its beginning."""
    buffered, number = io.BufferedReader(stream), 0  # type: ignore[arg-type]
    while True:
        number += 1
        try:
            line = buffered.readline(LONGEST_LINE)
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = buffered.readline(LONGEST_LINE)
        except (EOFError, OSError, zlib.error):
            yield number, None
            return
        if not line:
            return
        yield number, line


def _check_header(file: Path, first: tuple[int, bytes | None] | None) -> None:
    if first is None or first[1] is None:
        raise UserError(f"{file}: is empty: {_MADE_BY}")
    try:
        header: Any = json.loads(first[1])
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"{file}:1: format: this is no file of experience: {_MADE_BY}")
    version = header.get("version")
    if version != VERSION:
        mend = "upgrade automl-gpt" if isinstance(version, int) and version > VERSION else "export it again"
        raise UserError(f"{file}:1: version: {version!r} can't be read here, {VERSION} can: {mend}")


def _parse(line: bytes, sets: dict[str, DataLine]) -> Told | str | None:
    """Return a trial with its data set, or what is wrong with the line; None for a data set, which is noted."""
    try:
        item = LINE.validate_json(line)
    except ValidationError as error:
        return _first(error)
    if isinstance(item, DataLine):
        sets.pop(item.data, None)
        sets[item.data] = item
        if len(sets) > MOST_SETS:
            del sets[next(iter(sets))]
        return None
    one = sets.get(item.data)
    if one is None:
        return f"data: no line before this one tells of the data set {item.data[:40]!r}: put it before its trials"
    return _wrong(item) or (one, item)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "the line is damaged (no JSON): export or copy the file again"
    place = ".".join(map(str, first["loc"][1:]))  # the first part is the kind of the line
    return f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}: correct or remove the line"


def _wrong(trial: TrialLine) -> str:
    """Say what makes a well-formed trial useless; empty where nothing does."""
    metric = METRICS.get(trial.metric)
    if metric is None:
        return ""
    if metric.direction != trial.direction:
        return f"direction: {metric.name} is to {metric.direction}, not to {trial.direction}: correct the line"
    beyond = trial.value * metric.sign > metric.best * metric.sign + 1e-9
    return f"value: {trial.value:g} is better than {metric.name} can be ({metric.best:g}): correct it" if beyond else ""


def as_line(record: BaseModel) -> str:
    """Write a record as a line, NaN and infinities as strings."""
    from pydantic_core import to_json

    return to_json(record.model_dump(mode="python"), inf_nan_mode="strings").decode() + "\n"
