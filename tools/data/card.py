"""From data to the text of a Data Card: what is inferred is written down, with comments that say why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml.comments import CommentedMap

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import suggestion
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard, Role, Task
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.corpus.draft import Draft, draft_found, is_answer, text_columns
from automl_gpt.tools.corpus.recognise import Found, recognise
from automl_gpt.tools.corpus.rows import open_rows
from automl_gpt.tools.data.card_text import add_draft, add_labels, add_notes, add_source, begin, comment, render
from automl_gpt.tools.data.check import Inspection, check_columns
from automl_gpt.tools.data.infer import Column, infer_columns
from automl_gpt.tools.data.load import need_column
from automl_gpt.tools.data.read import read_table
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.target import TargetColumn, read_target
from automl_gpt.tools.evaluate.metrics import default_metric

_LIKELY = ("target", "label", "class", "y", "outcome")
_TEXT_ROLES: tuple[Role, ...] = ("text", "pair")
_GUESSED = "guessed: change it if it is another column"


def guess_target(columns: list[str]) -> str:
    """Return the likeliest target: a column called so, else the last one."""
    by_fold = {column.casefold(): column for column in columns}
    return next((by_fold[name] for name in _LIKELY if name in by_fold), columns[-1])


def draft_card(
    data: Path, target: str | None = None, name: str | None = None, folder: Path | None = None, task: str | None = None
) -> str:
    """Return the text of a Data Card for a data file or folder; it reads back as a valid card.

    Folders of classes, IDX, COCO, SQuAD and CoNLL files, and rows whose only inputs are long texts or pictures, get the
    modality that fits; other rows are a table. `source` is relative to `folder`, where the card will stand (None:
    beside the data). Raises UserError in one line where data, target or task can't be used.
    """
    wanted = _need_task(task)
    found = recognise(data)
    draft = draft_found(found, target, wanted)
    document = begin(_name(name or _stem(data)))
    place = folder if folder is not None else data.absolute().parent
    if draft is None:
        _add_rows(document, _read_rows(found, target, wanted), place)
    elif found.form == "rows" and draft.modality == "image":
        add_draft(document, _with_answers(draft, found, wanted), found.paths, place)
    else:
        add_draft(document, draft, found.paths, place)
    text = render(document)
    parse_data_card(text)
    return text


def _stem(data: Path) -> str:
    return (data.name or data.resolve().name).split(".")[0]


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.")[:80] or "data"


def _need_task(name: str | None) -> Task | None:
    tasks: tuple[Task, ...] = get_args(Task)
    if name is None or name in tasks:
        return name  # pyright: ignore[reportReturnType]
    raise UserError(f"--task {name}: there is no such task, {suggestion(name, list(tasks), 'there are')}")


def _with_answers(draft: Draft, found: Found, task: Task | None) -> Draft:
    """Complete a draft of a table of pictures by what its target holds."""
    source = open_rows(found.paths["train"])
    columns = [column for column in source.columns if column not in draft.inputs]
    target = draft.target or guess_target(columns or source.columns)
    need_column(source.columns, target, "target", source.name)
    series: Any = source.load([target], ()).column(0).to_pandas().dropna()
    card = DataCard(source="-", target=target, task=task)
    read = read_target(series.rename(target), card, [])
    why = {**draft.why, **_reasons(read), "target": "" if draft.target else _GUESSED}
    kind: Task = "regression" if read.task == "regression" else "classification"
    return replace(draft, target=target, task=kind, labels=read.labels, why=why)


def _reasons(target: TargetColumn) -> dict[str, str]:
    """Return why the task is what it is, and how many rows each class has."""
    told = target.inferred[0].removeprefix("task: ") if target.inferred else ""
    counts = target.counts(np.arange(len(target.y))) if target.labels else ()
    return {"task": told, "label_space": "rows of each: " + ", ".join(map(str, counts))}


# ----------------------------------------------------------------------------------------------------------------- rows


@dataclass
class _Rows:
    """Training rows with a target, the targets of all parts (theirs first), and the files that have one."""

    card: DataCard
    frame: Any
    targets: Any
    paths: dict[str, Path]
    guessed: bool
    lost: int
    inspection: Inspection = field(default_factory=Inspection)

    @property
    def target(self) -> str:
        """The column to predict."""
        return self.card.target or ""

    @property
    def about_target(self) -> str:
        """What is to be said of it."""
        lost = f"missing in {self.lost} rows, which are left out" if self.lost else ""
        return "; ".join(filter(None, [_GUESSED if self.guessed else "", lost]))


def _read_rows(found: Found, target: str | None, task: Task | None) -> _Rows:
    import pandas as pd

    table = read_table(found.paths["train"])
    columns = [str(column) for column in table.frame.columns]
    chosen = target or _likeliest(table.frame, columns)
    need_column(columns, chosen, "target", str(found.paths["train"]))
    frame = table.frame[table.frame[chosen].notna()].reset_index(drop=True)
    if not len(frame):
        raise UserError(f"target {chosen!r} has no value in any row")
    card = DataCard(source="-", target=chosen, task=task)
    rows = _Rows(card, frame, frame[chosen], found.paths, target is None, len(table.frame) - len(frame))
    rows.inspection.findings += table.findings
    others = {part: read_table(path).frame for part, path in found.paths.items() if part != "train"}
    lacking = [part for part, other in others.items() if chosen not in other.columns]
    for part in lacking:
        text = f"{found.paths[part].name} has no column {chosen!r}, so it is no part of `source`"
        rows.inspection.findings.append(Finding(level="note", text=text))
    rows.paths = {part: path for part, path in found.paths.items() if part not in lacking}
    given = [other[chosen].dropna() for part, other in others.items() if part not in lacking]
    if given:
        rows.targets = pd.concat([rows.targets, *given], ignore_index=True)
    return rows


def _likeliest(frame: Any, columns: list[str]) -> str:
    """Return the likeliest target; where that is the only column of long texts, the last one that has classes."""
    guessed = guess_target(columns)
    if not is_answer(frame[guessed]) or text_columns(frame, columns) != [guessed]:
        return guessed
    classes = [name for name in columns if name != guessed and frame[name].nunique() <= len(frame) / 2]
    return classes[-1] if classes else guessed


def _add_rows(document: CommentedMap, rows: _Rows, folder: Path) -> None:
    """Add what rows are: texts where they have nothing else to learn from, else a table."""
    generated = _generated(rows)
    if generated is not None:
        add_draft(document, generated, rows.paths, folder)
        return
    inspection, frame = rows.inspection, rows.frame
    target = read_target(rows.targets, rows.card, inspection.findings)
    names = [str(column) for column in frame.columns if column != rows.target]
    columns = infer_columns(frame, names, rows.card, inspection.findings)
    every = np.arange(len(frame))
    check_columns(frame, columns, target, every, every, inspection)
    texts = text_columns(frame, [name for name in columns if name not in inspection.dropped])
    if _only_texts(texts, columns, inspection):
        add_draft(document, _texts(rows, texts, target), rows.paths, folder)
        return
    add_source(document, rows.paths, folder)
    _add_target(document, rows, target)
    _add_columns(document, frame, columns, inspection)
    add_notes(document, [*_told(inspection), *_beside_texts(texts)])


def _generated(rows: _Rows) -> Draft | None:
    """Draft texts that are answered by texts; None where the target is none of these."""
    if rows.card.task is not None or not is_answer(rows.frame[rows.target]):
        return None
    texts = text_columns(rows.frame, [str(name) for name in rows.frame.columns if name != rows.target])
    if not texts:
        return None
    why = {"modality": "columns of text", "task": "the target is text, different in most rows"}
    draft = Draft("text", "text-generation", rows.target, why={**why, "target": rows.about_target})
    if len(texts) == 1:
        draft.inputs = {texts[0]: "text"}
    else:
        draft.notes.append(f"to be done: name one of {', '.join(texts)} as `inputs: {{COLUMN: {{role: text}}}}`")
    return draft


def _only_texts(texts: list[str], columns: dict[str, Column], inspection: Inspection) -> bool:
    return len(texts) in (1, 2) and set(texts) == set(columns) - set(inspection.dropped)


def _texts(rows: _Rows, texts: list[str], target: TargetColumn) -> Draft:
    """Draft texts, or pairs of them, that have a class or a value."""
    why = {"modality": "the only inputs are texts of several words", **_reasons(target), "target": rows.about_target}
    return Draft(
        "text",
        "regression" if target.task == "regression" else "classification",
        rows.target,
        dict(zip(texts, _TEXT_ROLES, strict=False)),
        rows.inspection.dropped,
        target.labels,
        why=why,
        notes=_told(rows.inspection),
    )


def _beside_texts(texts: list[str]) -> list[str]:
    if not texts:
        return []
    shown = ", ".join(texts[:3]) + (", …" if len(texts) > 3 else "")
    return [
        f"a table, because there are inputs besides texts ({shown}), of which the words are counted; `modality: text` "
        f"and `inputs: {{{texts[0]}: {{role: text}}}}` instead of those below would train on texts alone"
    ]


def _add_target(document: CommentedMap, rows: _Rows, target: TargetColumn) -> None:
    document["target"] = rows.target
    comment(document, "target", [rows.about_target])
    document["task"] = "regression" if target.task == "regression" else "classification"
    why = _reasons(target)
    comment(document, "task", [why["task"]])
    add_labels(document, target.labels, why["label_space"])
    if target.positive is not None:
        document["positive_class"] = target.labels[target.positive]
    document["metric"] = default_metric(target.task).name
    document.yaml_add_eol_comment("proposed for such a task", "metric")


def _add_columns(document: CommentedMap, frame: Any, columns: dict[str, Column], inspection: Inspection) -> None:
    inputs, dropped = CommentedMap(), CommentedMap()
    for name, column in columns.items():
        if name in inspection.dropped:
            dropped[name] = inspection.dropped[name]
            continue
        inputs[name] = column.type
        missing = float(frame[name].isna().mean())
        remark = column.why + (f"; {missing:.1%} missing" if missing else "")
        inputs.yaml_add_eol_comment(remark, name)
    if inputs:
        document["inputs"] = inputs
    if dropped:
        document["drop"] = dropped
        document.yaml_set_comment_before_after_key("drop", before="left out, each with the reason")


def _told(inspection: Inspection) -> list[str]:
    told = [f for f in inspection.findings if f.column is None or f.column not in inspection.dropped]
    return [f"{f.level}: {f.column + ': ' if f.column else ''}{f.text}" for f in told]


# ----------------------------------------------------------------------------------------------------------------- tool


class MakeDataCard(BaseModel):
    """What to write a Data Card for."""

    model_config = ConfigDict(extra="forbid")
    data_file: Path = Field(
        description="a file of rows (CSV, TSV, Parquet, JSONL), a folder or .zip of class folders, a COCO, SQuAD, "
        "CoNLL or IDX file"
    )
    target: str | None = Field(default=None, description="the column to predict; guessed where it is left out")
    task: str | None = Field(default=None, description="the task, where it is not the one that the data suggest")
    out: Path | None = Field(default=None, description="the card's file; by default NAME.yaml beside the data")


class MadeDataCard(BaseModel):
    """The card that was written; a model is not given the text: `profile_data` shows it what is in the data."""

    model_config = ConfigDict(frozen=True)
    file: str
    target: str
    text: str


def _without_text(made: MadeDataCard) -> MadeDataCard:
    """Leave out the text, which quotes labels of few rows: a model profiles the card instead."""
    return made.model_copy(update={"text": ""})


@tool("make_data_card", MakeDataCard, inspects=False, for_model=_without_text)
def make_data_card(arguments: MakeDataCard, context: Context) -> MadeDataCard:
    """Write a Data Card for data: modality, column types, labels, missing values, a metric, and what was inferred."""
    data = context.readable(arguments.data_file)
    folder = context.directory if context.for_model else data.absolute().parent
    file = context.writable(arguments.out or folder / (_name(_stem(data)) + ".yaml"))
    if file.exists():
        raise UserError(f"{file}: exists already; remove it, or name another file")
    text = draft_card(data, arguments.target, folder=file.parent, task=arguments.task)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: can't be written: {error.strerror or error}") from error
    return MadeDataCard(file=str(file), target=parse_data_card(text).target or "", text=text)
