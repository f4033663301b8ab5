"""From a Data Card to prepared examples and their profile: read, divide, write."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Split
from automl_gpt.tools.corpus.check_pictures import picture_sizes
from automl_gpt.tools.corpus.copies import Copies
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.gather import all_answers, encoded_target, fingerprint, group_of, time_of, weight_of
from automl_gpt.tools.corpus.landmark import landmark
from automl_gpt.tools.corpus.near import near_copies
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.corpus.read import read
from automl_gpt.tools.corpus.store import write_examples, write_passages
from automl_gpt.tools.data.prepared import Layout
from automl_gpt.tools.data.report import ColumnProfile, Finding, MetaFeatures, Profile
from automl_gpt.tools.data.split import Folds, Rows, cut_folds, cut_test
from automl_gpt.tools.data.target import TargetColumn
from automl_gpt.tools.data.values import level_text
from automl_gpt.tools.train.protocol import ANSWER_TASKS, TaskKind

Index = NDArray[np.intp]
MIN_ROWS = 10
MOST_VALID = 5_000
"""More validation rows are left out: each evaluation of a network costs, and differences are told apart by fewer."""


@dataclass
class _Work:
    card: DataCard
    raw: RawExamples
    examples: Examples
    target: TargetColumn
    kind: TaskKind
    labels: tuple[Any, ...]
    rows: Rows
    near: Index
    weight: NDArray[np.float64] | None
    fingerprint: str
    findings: list[Finding]


def prepare(card: DataCard, base_dir: Path | None, folder: Path, core_seconds: float | None = None) -> Profile:
    """Read, check and divide texts or pictures; write them into `folder` (see `prepared`); return their profile.

    The division rests on the fingerprint of the data, never on a run's seed. One validation split judges, unless the
    card asks for folds. Raises UserError in one line where the data or the card can't be used.
    """
    del core_seconds  # folds of networks are never worth their time here
    work = _work(card, read(card, base_dir))
    card = card if card.split and card.split.folds else _one_fold(card)
    train, test, test_words = cut_test(work.rows, card, work.fingerprint)
    test = _unseen(work, train, test)
    folds = _capped(_honest(cut_folds(train, work.rows, card, work.fingerprint, 1, None), work), work)
    profile = _profile(work, folds, test, f"{test_words}; {folds.words}")
    _write(folder, work, folds, test)
    return profile


def _one_fold(card: DataCard) -> DataCard:
    split = card.split or Split(kind="time" if card.time else "group" if card.group else "random")
    if card.split is None and not isinstance(card.source, str) and card.source.test is not None:
        split = Split(kind="given")
    return card.model_copy(update={"split": split.model_copy(update={"folds": 1})})


# ------------------------------------------------------------------------------------------------------ rows and roles


def _work(card: DataCard, raw: RawExamples) -> _Work:
    from datasets import concatenate_datasets

    findings = list(raw.findings)
    parts = raw.parts()
    total = sum(len(p) for _, p in parts)
    if total < MIN_ROWS:
        raise UserError(f"{total} usable rows are too few to learn from: at least {MIN_ROWS} are needed")
    answers = all_answers(raw)
    examples = Examples(concatenate_datasets([p.dataset for _, p in parts]))
    part = np.repeat(np.array([n for n, _ in parts], dtype=np.int8), [len(p) for _, p in parts])
    target, kind, labels = encoded_target(card, raw, answers, findings)
    copies = near_copies(examples, kind)
    findings += _told(copies, raw, part, target, kind)
    rows = Rows(part, target.strata if kind not in ANSWER_TASKS else None, group_of(raw), time_of(raw), copies.twin)
    return _Work(
        card,
        raw,
        examples,
        target,
        kind,
        labels,
        rows,
        copies.near,
        weight_of(raw),
        fingerprint(copies, answers, part),
        findings,
    )


def _told(
    copies: Copies, raw: RawExamples, part: NDArray[np.int8], target: TargetColumn, kind: TaskKind
) -> list[Finding]:
    """Say how many rows are copies, of how many copies the answers differ, and what given parts share."""
    found = [Finding(level="note", text=copies.note)] if copies.note else []
    exact = len(copies.exact) - 1 - int(copies.exact.max())
    if exact:
        found.append(Finding(level="note", text=f"{exact} rows repeat another one word for word"))
    if kind not in ANSWER_TASKS and exact:
        found += _clashes(copies, raw, target)
    for given, others, name in ((part == 1, part == 0, "validation"), (part == 2, part != 2, "test")):
        shared = int(np.isin(copies.near[given], copies.near[others]).sum()) if given.any() else 0
        if shared:
            text = f"{shared} of {int(given.sum())} {name} rows are copies or near-copies of rows in the other files"
            found.append(Finding(level="warning", text=text))
    return found


def _clashes(copies: Copies, raw: RawExamples, target: TargetColumn) -> list[Finding]:
    """Say how many examples occur with different answers, and name one of them."""
    repeated = np.flatnonzero(np.bincount(copies.exact)[copies.exact] > 1)
    both, first = np.unique(np.column_stack([copies.exact, target.y])[repeated], axis=0, return_index=True)
    codes, counts = np.unique(both[:, 0], return_counts=True)
    clash = codes[counts > 1]
    if not len(clash):
        return []
    pair = [_name(raw, int(row)) for row in repeated[first[both[:, 0] == clash[0]][:2]]]
    where = f", such as {pair[0]} and {pair[1]}" if all(pair) else ""
    return [Finding(level="warning", text=f"{len(clash)} examples occur with more than one answer{where}")]


def _name(raw: RawExamples, row: int) -> str:
    """Return what a person would call a row, counted through all parts."""
    for _, part in raw.parts():
        if row < len(part):
            return part.names[row] if part.names is not None else ""
        row -= len(part)
    return ""


def _unseen(work: _Work, train: Index, test: Index) -> Index:
    """Leave out rows of a given test file of which training holds a copy or near-copy: they would flatter."""
    kept = test[~np.isin(work.near[test], work.near[train])]
    if len(kept) < len(test) and len(kept) >= MIN_ROWS:
        text = f"{len(test) - len(kept)} test rows are not scored: training holds a copy or near-copy of them"
        work.findings.append(Finding(level="leak", text=text))
        return kept
    return test


def _honest(folds: Folds, work: _Work) -> Folds:
    """Leave out validation rows of which training holds a copy or near-copy: whoever remembers most would win."""
    near, training = work.near[folds.rows], folds.fold < 0
    seen = ~training & np.isin(near, near[training])
    validating = int((~training & ~seen).sum())
    if folds.count > 1 or not seen.any() or validating < MIN_ROWS:
        return folds
    text = f"{int(seen.sum())} validation rows judge no trial: training holds a copy or near-copy of them"
    work.findings.append(Finding(level="leak", text=text))
    return Folds(folds.rows[~seen], folds.fold[~seen], folds.count, folds.words)


def _capped(folds: Folds, work: _Work) -> Folds:
    validating = np.flatnonzero(folds.fold >= 0)
    if folds.count > 1 or len(validating) <= MOST_VALID:
        return folds
    key = int.from_bytes(bytes.fromhex(work.fingerprint)[:8], "big")
    kept = np.sort(np.random.default_rng(key).permutation(validating)[:MOST_VALID])
    text = (
        f"{len(validating) - MOST_VALID} of {len(validating)} validation rows are left out: {MOST_VALID} judge a trial"
    )
    work.findings.append(Finding(level="note", text=text))
    order = np.concatenate([np.flatnonzero(folds.fold < 0), kept])
    return Folds(folds.rows[order], folds.fold[order], folds.count, folds.words)


# ------------------------------------------------------------------------------------------------------- what comes out


def _profile(work: _Work, folds: Folds, test: Index, words: str) -> Profile:
    rows = np.sort(folds.rows)
    some = work.examples[rows[:: max(1, len(rows) // 2000)]]
    columns, width = _columns(work, some)
    facts: dict[str, Any] = {}
    counts: tuple[int, ...] = ()
    if work.kind in ("binary", "multiclass"):
        counts = tuple(int(c) for c in work.target.counts(rows))
        facts = {"labels": tuple(map(level_text, work.labels)), "class_counts": counts}
    elif work.kind == "regression":
        y = work.target.y[rows]
        facts = {"target_mean": float(y.mean()), "target_std": float(y.std())}
    elif work.labels:
        counts = _label_counts(work, rows)
        facts = {"labels": tuple(map(str, work.labels)), "class_counts": counts}
    return Profile(
        name=work.card.name or work.raw.target,
        fingerprint=work.fingerprint,
        modality=work.card.modality,
        task=work.kind,
        target=work.raw.target,
        rows=len(work.examples),
        rows_train=len(rows),
        rows_test=len(test),
        folds=folds.count,
        rows_valid=int((folds.fold >= 0).sum()),
        split=words,
        columns=columns,
        features=width,
        inferred=tuple(work.target.inferred),
        findings=tuple(work.findings),
        meta=_meta(work, rows, width, counts),
        passages=len(work.raw.passages or ()),
        **facts,
    )


def _label_counts(work: _Work, rows: Index) -> tuple[int, ...]:
    counts: Counter[int] = Counter()
    for record in work.target.y[rows]:
        counts.update(record.get("labels") or record.get("tags") or ())
    return tuple(counts.get(code, 0) for code in range(len(work.labels)))


def _columns(work: _Work, some: Examples) -> tuple[tuple[ColumnProfile, ...], int]:
    """Return the columns with the lengths of their texts in words (pictures: sides in pixels), and words per row."""
    profiles: list[ColumnProfile] = []
    words = 0.0
    for role in some.roles:
        if role == "image":
            sizes = np.sqrt(picture_sizes(some).prod(axis=1))
        else:
            values = some.column(role)
            sizes = np.array([len(v.split()) if isinstance(v, str) else len(v) for v in values], dtype=float)
            words += float(sizes.mean())
        given = (work.card.inputs or {}).get(work.raw.columns.get(role, role))
        profiles.append(
            ColumnProfile(
                name=work.raw.columns.get(role, role),
                type="text",
                role="input",
                missing=0.0,
                distinct=len(work.examples),
                minimum=float(sizes.min()),
                maximum=float(sizes.max()),
                mean=float(sizes.mean()),
                std=float(sizes.std()),
                meaning=given.meaning if given else "",
            )
        )
    return tuple(profiles), max(1, round(words))


def _meta(work: _Work, rows: Index, width: int, counts: tuple[int, ...]) -> MetaFeatures:
    share = np.array([c for c in counts if c > 0], dtype=float)
    share = share / share.sum() if len(share) else share
    return MetaFeatures(
        modality=work.card.modality,
        rows=len(rows),
        columns=width,
        numeric=0,
        categorical=0,
        classes=len(work.labels),
        class_entropy=max(0.0, float(-(share * np.log2(share)).sum())) if len(share) else 0.0,
        minority_share=float(share.min()) if len(share) else 0.0,
        missing=0.0,
        landmark=landmark(work.examples, work.target.y, len(work.labels), rows),
    )


def _write(folder: Path, work: _Work, folds: Folds, test: Index) -> None:
    """Write both parts, then the layout: where that stands, the rest is complete."""
    layout = Layout(
        fingerprint=work.fingerprint,
        modality=work.card.modality,
        task=work.kind,
        target=work.raw.target,
        labels=work.labels,
        positive=work.target.positive,
        folds=folds.count,
        rows_train=len(folds.rows),
        rows_test=len(test),
        encoder={"columns": work.raw.columns},
    )
    folder.mkdir(parents=True, exist_ok=True)
    if work.raw.passages is not None:
        write_passages(folder / "passages.arrow", work.raw.passages)
    fold = np.full(len(work.examples), -1, dtype=np.int8)
    fold[folds.rows] = folds.fold
    for name, rows in (("test", test), ("train", folds.rows)):
        write_examples(folder / f"{name}.arrow", work.examples, work.target.y, work.weight, fold, rows)
    temporary = folder / f"prepared.json.{os.getpid()}.tmp"
    temporary.write_text(layout.model_dump_json(), encoding="utf-8")
    temporary.replace(folder / "prepared.json")
