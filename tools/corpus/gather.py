"""The parts of raw examples below each other: answers, encoded target, groups, weights, times, the fingerprint."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.copies import Copies, Index
from automl_gpt.tools.corpus.examples import records
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.target import TargetColumn, group_codes, read_target, read_weight
from automl_gpt.tools.data.values import as_numbers, as_text_alike, as_times, kind_of, time_format
from automl_gpt.tools.train.protocol import ANSWER_TASKS, TaskKind


def all_answers(raw: RawExamples) -> Any:
    """Return the answers of all parts: a list where readers gave lists, else a pandas column."""
    import pandas as pd

    given = [part.answers for _, part in raw.parts()]
    if all(isinstance(answers, list) for answers in given):
        return [answer for answers in given for answer in answers]
    return _below([pd.Series(answers) for answers in given])


def _below(tables: list[Any]) -> Any:
    """Put columns below each other; one that is numbers here and text there becomes text."""
    import pandas as pd

    if len({kind_of(table) for table in tables if table.notna().any()}) > 1:
        tables = [as_text_alike(table) for table in tables]
    return pd.concat(tables, ignore_index=True)


def encoded_target(
    card: DataCard, raw: RawExamples, answers: Any, findings: list[Finding]
) -> tuple[TargetColumn, TaskKind, tuple[Any, ...]]:
    """Return the encoded target, the kind of task that it makes, and its labels."""
    import pandas as pd

    if raw.task in ANSWER_TASKS:
        kind: Any = raw.task
        return TargetColumn("regression", records(answers)), kind, raw.labels
    known = card.model_copy(update={"task": raw.task}) if raw.task else card
    if known.label_space is None and raw.labels and all(isinstance(answer, str) for answer in answers):
        known = known.model_copy(update={"label_space": raw.labels})
    target = read_target(pd.Series(answers, name=raw.target), known, findings)
    return target, target.task, target.labels


def _values(raw: RawExamples, name: Literal["group", "weight", "time"], absent: Any = None) -> Any:
    """Return a column that the card names, of all parts; None where it names none."""
    import pandas as pd

    if getattr(raw.train, name) is None:
        return None
    given = [(getattr(part, name), len(part)) for _, part in raw.parts()]
    tables = [pd.Series([absent] * size if values is None else values) for values, size in given]
    return _below(tables).rename(getattr(tables[0], "name", None) or name)


def group_of(raw: RawExamples) -> Index | None:
    """Return the code of each row's group; None where the card names no such column."""
    values = _values(raw, "group")
    return None if values is None else group_codes(values)


def weight_of(raw: RawExamples) -> NDArray[np.float64] | None:
    """Return the weights of rows; None where the card names no such column."""
    values = _values(raw, "weight", 1.0)
    return None if values is None else read_weight(values)


def time_of(raw: RawExamples) -> NDArray[np.int64] | None:
    """Return the order of rows in time, those without a time first; None where the card names no such column."""
    values = _values(raw, "time")
    if values is None:
        return None
    if kind_of(values) == "number":
        ranks: Any = np.unique(np.nan_to_num(as_numbers(values)[0], nan=-np.inf), return_inverse=True)[1]
        return ranks.astype(np.int64)
    form, share = ("", 1.0) if kind_of(values) == "datetime" else time_format(values.iloc[:2000])
    if share < 0.9:
        raise UserError(
            f"card: time: column {values.name!r} holds no points in time that can be read; ISO 8601 always can"
        )
    return as_times(values, form)[0].to_numpy(dtype="datetime64[us]").astype(np.int64)


def fingerprint(copies: Copies, answers: Any, part: NDArray[np.int8]) -> str:
    """Return a hash of all inputs, answers and parts."""
    from pandas.core.util.hashing import hash_pandas_object

    digest = hashlib.blake2b(digest_size=16)
    digest.update(copies.hashes.tobytes() + part.tobytes())
    if not isinstance(answers, list):
        digest.update(hash_pandas_object(answers, index=False).to_numpy().tobytes())
        return digest.hexdigest()
    for answer in answers:
        digest.update(repr(answer).encode() + b"\0")
    return digest.hexdigest()
