"""From a Data Card to prepared data and their profile: load, infer, check, split, encode, write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.check import Inspection, apply_card, check_columns
from automl_gpt.tools.data.compare import check_drift, check_groups, twins, unseen_test_rows
from automl_gpt.tools.data.encode import Encoder
from automl_gpt.tools.data.infer import Column, infer_columns
from automl_gpt.tools.data.load import RawTables, load
from automl_gpt.tools.data.prepared import Layout, Part, write_part
from automl_gpt.tools.data.read import release_memory
from automl_gpt.tools.data.report import Finding, Profile
from automl_gpt.tools.data.split import Folds, Rows, cut_folds, cut_test, split_kind
from automl_gpt.tools.data.statistics import landmarks, meta_features, profile_columns
from automl_gpt.tools.data.target import TargetColumn, group_codes, read_target, read_weight
from automl_gpt.tools.data.values import as_numbers, as_text_alike, as_times, kind_of, level_text, time_format

Index = NDArray[np.intp]
MIN_ROWS = 10
FEW_ROWS = 50
"""Below so many training rows scores are mostly chance, and the profile says so."""


@dataclass
class _Work:
    """All rows of all parts in one table, and what has been found out about them."""

    card: DataCard
    frame: Any
    target_name: str
    fingerprint: str
    target: TargetColumn
    rows: Rows
    weight: NDArray[np.float64] | None
    inspection: Inspection
    apart: frozenset[str] | None
    """Columns in which no two rows on different sides of the division are identical."""


def prepare(card: DataCard, base_dir: Path | None, folder: Path, core_seconds: float | None = None) -> Profile:
    """Load, check, divide and encode a data set; write it into `folder` (see `prepared`); return its profile.

    The division rests on the fingerprint of the data, never on a run's seed; `core_seconds` (time limit x cores, None
    for no limit) only says how many folds there is time for. Raises UserError in one line where the data or the card
    can't be used.
    """
    profile = _prepare(card, base_dir, folder, core_seconds)
    release_memory()
    return profile


def _prepare(card: DataCard, base_dir: Path | None, folder: Path, core_seconds: float | None) -> Profile:
    work = _work(card, load(card, base_dir))
    names = apply_card(card, [str(name) for name in work.frame.columns], work.inspection)
    train, test, test_words = cut_test(work.rows, card, work.fingerprint)
    table = np.flatnonzero(work.rows.part == 0)
    # The training file says what a column is; what does not fit in another file is missing there.
    own = work.frame if len(table) == len(work.frame) else work.frame.iloc[table]
    columns = infer_columns(own, names, card, work.inspection.findings)
    del own
    check_columns(work.frame, columns, work.target, train, table, work.inspection)
    inputs = {name: column for name, column in columns.items() if name not in work.inspection.dropped}
    _need_inputs(inputs, work)
    compared = [*inputs, work.target_name]
    if work.apart != frozenset(compared):
        test = unseen_test_rows(work.frame, compared, train, test, work.inspection)
    _check_parts(work, inputs, train, test)
    folds = cut_folds(train, work.rows, card, work.fingerprint, len(inputs), core_seconds)
    encoder = Encoder.fit(work.frame, inputs.values(), np.sort(train))
    profile = _profile(work, columns, encoder, folds, test, f"{test_words}; {folds.words}")
    _write(folder, work, encoder, folds, test)
    return profile


# ------------------------------------------------------------------------------------------------------ rows and roles


def _work(card: DataCard, raw: RawTables) -> _Work:
    inspection = Inspection(findings=list(raw.findings))
    frame, part = _joined(raw)
    name, fingerprint = raw.target, raw.fingerprint
    frame, part = _with_target(frame, part, name, inspection)
    for given in ("test", "valid"):
        number = {"valid": 1, "test": 2}[given]
        if getattr(raw, given) is not None and not (part == number).any():
            raise UserError(f"source.{given}: no row of it has a value of the target {name!r}")
    if len(frame) < MIN_ROWS:
        raise UserError(f"{len(frame)} rows with a target are too few to learn from: at least {MIN_ROWS} are needed")
    apply_card(card, [str(column) for column in frame.columns], Inspection())  # its errors come before the target's
    target = read_target(frame[name], card, inspection.findings)
    group = group_codes(frame[card.group]) if card.group else None
    time = _time(frame[card.time]) if card.time else None
    weight = read_weight(frame[card.weight]) if card.weight else None
    alike = [column for column in map(str, frame.columns) if column not in card.drop]
    twin, apart = twins(frame, alike) if part.max() == 0 and not (card.group or card.time) else (None, False)
    rows = Rows(part, target.strata, group, time, twin)
    return _Work(card, frame, name, fingerprint, target, rows, weight, inspection, frozenset(alike) if apart else None)


def _joined(raw: RawTables) -> tuple[Any, NDArray[np.int8]]:
    """Put the parts below each other; a column that is numbers here and text there becomes text."""
    import pandas as pd

    parts = [(0, raw.train), (1, raw.valid), (2, raw.test)]
    frames = [(number, frame) for number, frame in parts if frame is not None]
    part = np.repeat(np.array([n for n, _ in frames], dtype=np.int8), [len(frame) for _, frame in frames])
    raw.train = None
    if len(frames) == 1:
        return frames[0][1], part
    tables = [frame for _, frame in frames]
    for name in tables[0].columns:
        if len({kind_of(table[name]) for table in tables if table[name].notna().any()}) > 1:
            tables = [table.assign(**{name: as_text_alike(table[name])}) for table in tables]
    return pd.concat(tables, ignore_index=True), part


def _with_target(frame: Any, part: NDArray[np.int8], name: str, inspection: Inspection) -> tuple[Any, NDArray[np.int8]]:
    known = frame[name].notna().to_numpy()
    if not known.any():
        raise UserError(f"target {name!r} has no value in any row")
    lost = int((~known).sum())
    if lost:
        text = f"{lost} rows left out: the target is missing there"
        inspection.findings.append(Finding(level="warning", column=name, text=text))
        frame, part = frame[known].reset_index(drop=True), part[known]
    return frame, part


def _time(series: Any) -> NDArray[np.int64]:
    """Return the order of rows in time; those without a time come first, so that none of them is tested."""
    name = str(series.name)
    if kind_of(series) == "number":
        values = as_numbers(series)[0]
        ranks = np.unique(np.nan_to_num(values, nan=-np.inf), return_inverse=True)[1]
        return ranks.astype(np.int64)
    form, share = ("", 1.0) if kind_of(series) == "datetime" else time_format(series.iloc[:2000])
    if share < 0.9:
        raise UserError(f"card: time: column {name!r} holds no points in time that can be read; ISO 8601 always can")
    times, _ = as_times(series, form)
    return times.to_numpy(dtype="datetime64[us]").astype(np.int64)


def _need_inputs(inputs: dict[str, Column], work: _Work) -> None:
    if inputs:
        return
    reasons = "; ".join(f"{name}: {why}" for name, why in list(work.inspection.dropped.items())[:3])
    only = f" ({reasons})" if reasons else ": the target is the only column"
    raise UserError(f"no column is left as an input{only}; name some under `inputs`, or check the delimiter")


def _check_parts(work: _Work, inputs: dict[str, Column], train: Index, test: Index) -> None:
    if work.rows.part.max() == 2:
        check_drift(work.frame, list(inputs.values()), train, test, work.inspection)
    check_groups(work.rows.group, train, test, work.inspection)
    if len(train) < FEW_ROWS:
        work.inspection.warn(f"only {len(train)} training rows: differences between models are mostly chance")
    if work.target.task != "regression" and np.count_nonzero(work.target.counts(train)) < 2:
        raise UserError(f"target {work.target_name!r} has one class only in the training rows: nothing can be learnt")


# ------------------------------------------------------------------------------------------------------- what comes out


def _profile(
    work: _Work, columns: dict[str, Column], encoder: Encoder, folds: Folds, test: Index, words: str
) -> Profile:
    rows, target = np.sort(folds.rows), work.target
    profiles = profile_columns(work.frame, rows, columns, work.inspection.dropped, work.target_name, work.card)
    features = encoder.features
    y = target.y[rows]
    facts: dict[str, Any] = {"target_mean": float(y.mean()), "target_std": float(y.std())}
    if target.task != "regression":
        counts = tuple(int(count) for count in target.counts(rows))
        facts = {"labels": tuple(map(level_text, target.labels)), "class_counts": counts}
    return Profile(
        name=work.card.name or work.target_name,
        fingerprint=work.fingerprint,
        task=target.task,
        target=work.target_name,
        rows=len(work.frame),
        rows_train=len(rows),
        rows_test=len(test),
        folds=folds.count,
        rows_valid=int((folds.fold >= 0).sum()),
        split=words,
        columns=profiles,
        features=len(features),
        inferred=_inferred(work, [columns[name] for name in encoder.inputs], folds),
        findings=tuple(work.inspection.findings),
        meta=meta_features(profiles, target, rows, landmarks(work.frame, encoder, target, rows)),
        megabytes=(len(rows) + len(test)) * len(features) * 4 / 1e6,
        **facts,
    )


def _inferred(work: _Work, inputs: list[Column], folds: Folds) -> tuple[str, ...]:
    lines = list(work.target.inferred)
    if work.card.split is None:
        given = bool(work.rows.part.max() == 2)
        lines.append(
            f"split: {split_kind(work.card, given)}, {folds.words.removeprefix('validation: ')} for validation"
        )
    lines += [f"{column.name}: {column.type} ({column.why})" for column in inputs if not column.declared]
    return tuple(lines)


def _write(folder: Path, work: _Work, encoder: Encoder, folds: Folds, test: Index) -> None:
    """Write both parts, then the layout: where that stands, the rest is complete."""
    target = work.target
    layout = Layout(
        fingerprint=work.fingerprint,
        task=target.task,
        target=work.target_name,
        labels=target.labels,
        positive=target.positive,
        features=encoder.features,
        folds=folds.count,
        rows_train=len(folds.rows),
        rows_test=len(test),
        encoder=encoder.state(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write_rows(folder / "test.arrow", work, encoder, test, np.full(len(test), -1, dtype=np.int8))
    _write_rows(folder / "train.arrow", work, encoder, folds.rows, folds.fold)
    temporary = folder / f"prepared.json.{os.getpid()}.tmp"
    temporary.write_text(layout.model_dump_json(), encoding="utf-8")
    temporary.replace(folder / "prepared.json")


def _write_rows(path: Path, work: _Work, encoder: Encoder, rows: Index, fold: NDArray[np.int8]) -> None:
    weight = None if work.weight is None else work.weight[rows]
    part = Part(encoder.transform(work.frame, rows), work.target.y[rows], weight)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    write_part(temporary, part, fold)
    temporary.replace(path)
