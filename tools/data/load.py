"""From a Data Card's source to raw tables, and the fingerprint of what stands in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import suggestion
from automl_gpt.cards.schema import DataCard, Sources
from automl_gpt.tools.data.read import RawTable, read_table
from automl_gpt.tools.data.report import Finding

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
"""The data sets that scikit-learn carries within itself."""
SCHEMES = ("sklearn", "openml", "hub")


@dataclass
class RawTables:
    """The parts of a data set as pandas tables of the same columns; `target` is the column to predict.

    `fingerprint` is a hash of column names, types and the contents of all rows.
    """

    train: Any
    valid: Any | None
    test: Any | None
    target: str
    fingerprint: str = ""
    findings: list[Finding] = field(default_factory=list)


def load(card: DataCard, base: Path | None = None) -> RawTables:
    """Load what a card's source names; relative paths start at `base` (the card's folder; None: the current one).

    Raises UserError in one line where a file is missing or unreadable, or lacks the target.
    """
    findings: list[Finding] = []
    parts = {name: reader() for name, reader in _readers(card, base).items()}
    frames: dict[str, Any] = {}
    target = card.target or "target"
    for name, (table, where) in parts.items():
        _need_target(list(table.frame.columns), target, where)
        frames[name] = table.frame
        findings += [f for f in table.findings if f not in findings]
    parts.clear()
    for name in ("valid", "test"):
        if name in frames:
            frames[name] = _same_columns(frames["train"], frames[name], name, findings)
    tables = RawTables(frames["train"], frames.get("valid"), frames.get("test"), target, findings=findings)
    tables.fingerprint = fingerprint([tables.train, tables.valid, tables.test])
    return tables


def fingerprint(frames: list[Any]) -> str:
    """Return a hash of names, types and contents of tables (None for a part that there is not)."""
    from pandas.core.util.hashing import hash_pandas_object

    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(b"|part|")
        if frame is None:
            continue
        for name in frame.columns:
            column = frame[name]
            digest.update(f"|{name}|{column.dtype}|".encode())
            digest.update(hash_pandas_object(column, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _readers(card: DataCard, base: Path | None) -> dict[str, Callable[[], tuple[RawTable, str]]]:
    if card.modality != "tabular":
        raise UserError(f"modality {card.modality!r} is not available yet: tables are (modality: tabular)")
    if card.task not in (None, "classification", "regression"):
        raise UserError(f"task {card.task!r} does not fit a table: classification or regression does")
    if isinstance(card.source, Sources):
        exact = _exact(card)
        paths = {"train": card.source.train, "valid": card.source.valid, "test": card.source.test}
        return {name: _file_reader(path, base, exact) for name, path in paths.items() if path is not None}
    scheme, _, name = card.source.partition(":")
    match scheme:
        case "sklearn":
            return {"train": lambda: (_bundled(name), card.source if isinstance(card.source, str) else name)}
        case "openml":
            return {"train": lambda: (_openml(name), f"openml:{name}")}
        case "hub":
            raise UserError(f"source hub:{name} is not available for tables: download the file and name its path")
        case _:
            return {"train": _file_reader(card.source, base, _exact(card))}


def _exact(card: DataCard) -> frozenset[str]:
    return frozenset(column for column in (card.target, card.weight, card.time) if column)


def _file_reader(source: str, base: Path | None, exact: frozenset[str]) -> Callable[[], tuple[RawTable, str]]:
    scheme = source.partition(":")[0]
    if scheme in SCHEMES:
        raise UserError(f"source {source!r}: train, valid and test must be files")
    path = Path(source).expanduser()
    if not path.is_absolute() and base is not None:
        path = base / path
    return lambda: (read_table(path, exact), str(path))


def _bundled(name: str) -> RawTable:
    import sklearn.datasets

    if name not in BUNDLED:
        raise UserError(
            f"source sklearn:{name}: scikit-learn carries no such data, {suggestion(name, list(BUNDLED), 'it has')}"
        )
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    return RawTable(frame, [])


def _openml(name: str) -> RawTable:
    import warnings

    from sklearn.datasets import fetch_openml

    if not name:
        raise UserError("source openml: needs a number or a name, for example openml:1590")
    which: dict[str, Any] = {"data_id": int(name)} if name.isdecimal() else {"name": name, "version": "active"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each failed attempt; the last one's error says it all
            bunch: Any = fetch_openml(**which, as_frame=True, parser="pandas", n_retries=1)
    except (OSError, ValueError, KeyError) as error:
        # URLError and HTTPError are OSErrors; an unknown or withdrawn set is a ValueError.
        reason = " ".join(str(getattr(error, "reason", error)).split())[:120]
        mend = "check the network and the number, or download the file and name its path as `source`"
        raise UserError(f"source openml:{name} can't be fetched ({reason}): {mend}") from error
    return RawTable(_without_categories(bunch.frame), [])


def _without_categories(frame: Any) -> Any:
    """OpenML declares categories; here they are inferred from plain values, as those of any other source."""
    import pandas as pd

    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            frame[name] = _plain_values(column)
        elif column.dtype.kind == "O":
            frame[name] = column.astype("str").where(column.notna())
    return frame


def _plain_values(column: Any) -> Any:
    from pandas.api import types

    kind = column.cat.categories.dtype
    if types.is_numeric_dtype(kind):
        return column.astype("float64" if column.isna().any() else kind)
    return column.astype("str").where(column.notna())


def need_column(columns: list[str], name: str, what: str, where: str = "the data") -> None:
    """Raise UserError, with the nearest name, where a column that the card names is not in the data."""
    if name not in columns:
        raise UserError(f"{what}: {where} has no column {name!r}, {suggestion(name, columns, 'its columns')}")


def _need_target(columns: list[str], target: str, where: str) -> None:
    if target in columns:
        return
    if len(columns) == 1:
        mend = "the delimiter must be one of , ; tab |"
        raise UserError(f"{where}: target {target!r} not found: the file has a single column {columns[0]!r}; {mend}")
    if all(_is_number(name) for name in columns):
        raise UserError(
            f"{where}:1: target {target!r} not found: the first line holds numbers, not column names; add names"
        )
    need_column(columns, target, "target", where)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _same_columns(train: Any, other: Any, part: str, findings: list[Finding]) -> Any:
    lacking = [name for name in train.columns if name not in other.columns]
    if lacking:
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        raise UserError(f"source.{part}: lacks columns that train has: {shown}")
    extra = [name for name in other.columns if name not in train.columns]
    if extra:
        text = f"{len(extra)} columns of the {part} file are not in the training file and are ignored"
        findings.append(Finding(level="note", text=text))
    return other[list(train.columns)]
