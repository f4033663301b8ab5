"""From raw rows of texts or pictures to the examples that models of them take, as far as they can be used."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Role
from automl_gpt.tools.corpus.check_pictures import check_pictures
from automl_gpt.tools.corpus.check_texts import LONGEST
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.picture_parts import picture_dataset
from automl_gpt.tools.train.protocol import TaskKind

ROWS = {"text": 10_000, "image": 1_000}
"""Rows that are looked at and predicted at a time, so that memory does not grow with the input."""


INPUTS: dict[TaskKind, tuple[Role, ...]] = {
    **dict.fromkeys(("binary", "multiclass", "regression"), ("text", "pair", "image")),
    "token-classification": ("tokens",),
    "detection": ("image",),
    "question-answering": ("question", "context"),
    "text-generation": ("text",),
    "retrieval": ("question",),
}
"""What models of each task are fed, by role."""


@dataclass(frozen=True)
class Chunk:
    """Some rows in a row: how many there are, which of them can be predicted, those as examples, why the others not."""

    count: int
    usable: NDArray[np.intp]
    examples: Examples
    problems: tuple[str, ...] = ()


def find_columns(names: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return which column of a table plays each role: that of training, else that called like the role, else the only.

    `columns` are the names in training, by role. UserError names those that are missing.
    """
    found = {role: name if name in names else role for role, name in columns.items()}
    missing = [name for role, name in columns.items() if found[role] not in names]
    if missing and len(columns) == 1 and len(names) == 1:
        return {role: names[0] for role in columns}
    if missing:
        listed = ", ".join(map(repr, missing))
        known = "; it has: " + ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
        raise UserError(
            f"missing column{'s' if len(missing) > 1 else ''} {listed}: the model was trained on them{known}"
        )
    return found


def chunks(frame: Any, columns: Mapping[str, str], base: Path | None = None) -> Iterator[Chunk]:
    """Read a pandas table piece by piece; `columns` are its columns by role.

    A text is a string; words are a list of strings, its JSON, or a string with spaces between them; a picture is the
    path of a file (relative ones start at `base`), its bytes, or a Pillow picture. Rows that lack one of them, or whose
    picture can't be used, are no examples.
    """
    size = ROWS["image" if "image" in columns else "text"]
    for start in range(0, len(frame), size):
        part = frame.iloc[start : start + size]
        yield _pictures(_values(part, columns["image"]), base) if "image" in columns else _texts(part, columns)


def _values(part: Any, name: str) -> list[Any]:
    """Return a column as it stands, None for what is missing."""
    column = part[name].astype(object)
    return list(column.where(column.notna(), None))


def _texts(part: Any, columns: Mapping[str, str]) -> Chunk:
    from datasets import Dataset

    values = {role: [_READ[role](value) for value in _values(part, name)] for role, name in columns.items()}
    usable = [i for i in range(len(part)) if all(column[i] for column in values.values())]
    dataset = Dataset.from_dict({role: [column[i] for i in usable] for role, column in values.items()})
    empty = ["no words" if "tokens" in columns else "no text"] * (len(part) - len(usable))
    return Chunk(len(part), np.array(usable, dtype=np.intp), Examples(dataset), tuple(empty))


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text[:LONGEST] if text.strip() else ""


def _words(value: Any) -> list[str]:
    if isinstance(value, list | tuple | np.ndarray):
        listed: Any = value
        return [str(word) for word in listed]
    text = _text(value)
    try:
        told = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        told = None
    return [str(word) for word in told] if isinstance(told, list) else text.split()


_READ: dict[str, Any] = {
    **dict.fromkeys(("text", "pair", "question", "context"), _text),
    "tokens": _words,
}


def _pictures(values: list[Any], base: Path | None) -> Chunk:

    stored = [_stored(value, base) for value in values]
    checked = check_pictures([b"" if one is None else one for one in stored])
    usable = [i for i, one in enumerate(checked) if one.problem is None]
    dataset = picture_dataset([stored[i] or b"" for i in usable])
    problems = tuple(f"{one.problem} picture" for one in checked if one.problem is not None)
    return Chunk(len(values), np.array(usable, dtype=np.intp), Examples(dataset), problems)


def _stored(value: Any, base: Path | None) -> str | bytes | None:
    """Return a picture as it is stored: the absolute path of a file, or bytes; None where there is none."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str | Path):
        return str((base or Path()).absolute() / str(value).strip()) if str(value).strip() else None
    if isinstance(value, Mapping):
        told: Mapping[str, Any] = value
        return told.get("bytes") or _stored(told.get("path"), base)
    if hasattr(value, "save"):  # a Pillow picture
        file = io.BytesIO()
        value.save(file, "PNG")
        return file.getvalue()
    return None
