"""From a data file to the text of a Data Card: what is inferred is written down, with comments that say why."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.data.check import Inspection, check_columns
from automl_gpt.tools.data.infer import Column, infer_columns
from automl_gpt.tools.data.load import need_column
from automl_gpt.tools.data.read import RawTable, read_table
from automl_gpt.tools.data.target import TargetColumn, read_target
from automl_gpt.tools.evaluate.metrics import default_metric

_LIKELY = ("target", "label", "class", "y", "outcome")
MAX_LABELS = 50


def guess_target(columns: list[str]) -> str:
    """Return the likeliest target: a column called so, else the last one."""
    by_fold = {column.casefold(): column for column in columns}
    return next((by_fold[name] for name in _LIKELY if name in by_fold), columns[-1])


def draft_card(data_file: Path, target: str | None = None, name: str | None = None, folder: Path | None = None) -> str:
    """Return the text of a Data Card for a data file; it reads back as a valid card.

    `source` is relative to `folder`, where the card will stand (None: beside the data file). Raises UserError in one
    line where the file or the target can't be used.
    """
    table = read_table(data_file)
    columns = [str(column) for column in table.frame.columns]
    guessed = target is None
    target = target or guess_target(columns)
    need_column(columns, target, "target", str(data_file))
    card = DataCard(
        source=_relative(data_file, folder), target=target, name=_name(name or data_file.name.split(".")[0])
    )
    text = _render(_document(card, table, guessed))
    parse_data_card(text)
    return text


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.")[:80] or "data"


def _relative(data_file: Path, folder: Path | None) -> str:
    if folder is None or folder.resolve() == data_file.parent.resolve():
        return data_file.name
    return str(data_file.resolve())


def _document(card: DataCard, table: RawTable, guessed: bool) -> CommentedMap:
    inspection = Inspection(findings=list(table.findings))
    frame = table.frame[table.frame[card.target].notna()].reset_index(drop=True)
    if not len(frame):
        raise UserError(f"target {card.target!r} has no value in any row")
    target = read_target(frame[card.target], card, inspection.findings)
    names = [str(column) for column in frame.columns if column != card.target]
    columns = infer_columns(frame, names, card, inspection.findings)
    every = np.arange(len(frame))
    check_columns(frame, columns, target, every, every, inspection)
    document = CommentedMap()
    document["name"] = card.name
    document["description"] = ""
    document.yaml_add_eol_comment("say what a row is, and where the data come from", "description")
    document["source"] = card.source
    _add_target(document, card, target, guessed, len(table.frame) - len(frame))
    _add_columns(document, frame, columns, inspection)
    _add_findings(document, inspection)
    return document


def _add_target(document: CommentedMap, card: DataCard, target: TargetColumn, guessed: bool, lost: int) -> None:
    document["target"] = card.target
    remarks = ["guessed: change it if it is another column"] if guessed else []
    remarks += [f"missing in {lost} rows, which are left out"] if lost else []
    if remarks:
        document.yaml_add_eol_comment("; ".join(remarks), "target")
    document["task"] = "regression" if target.task == "regression" else "classification"
    _comment(document, "task", [line.removeprefix("task: ") for line in target.inferred[:1]])
    if 0 < len(target.labels) <= MAX_LABELS:
        labels = CommentedSeq(target.labels)
        labels.fa.set_flow_style()
        document["label_space"] = labels
        counts = target.counts(np.arange(len(target.y)))
        _comment(document, "label_space", ["rows of each: " + ", ".join(map(str, counts))])
    if target.positive is not None:
        document["positive_class"] = target.labels[target.positive]
    document["metric"] = default_metric(target.task).name
    document.yaml_add_eol_comment("proposed for such a task", "metric")


def _comment(document: CommentedMap, key: str, lines: list[str]) -> None:
    text = " ".join(lines)
    if text:
        document.yaml_add_eol_comment(text if len(text) <= 100 else text[:99] + "…", key)


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


def _add_findings(document: CommentedMap, inspection: Inspection) -> None:
    told = [f for f in inspection.findings if f.column is None or f.column not in inspection.dropped]
    if told:
        lines = [" ".join(f"{f.level}: {f.column + ': ' if f.column else ''}{f.text}".split()) for f in told]
        document.yaml_set_start_comment("What was noticed:\n" + "\n".join(lines))


def _render(document: CommentedMap) -> str:
    yaml = YAML()
    yaml.width = 10_000
    stream = StringIO()
    yaml.dump(document, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()


class MakeDataCard(BaseModel):
    """What to write a Data Card for."""

    model_config = ConfigDict(extra="forbid")
    data_file: Path = Field(description="a file of rows: CSV, TSV, Parquet or JSONL")
    target: str | None = Field(default=None, description="the column to predict; guessed where it is left out")
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
    """Write a Data Card for a data file: column types, labels, missing values, a metric, and what was inferred."""
    data = context.readable(arguments.data_file)
    folder = context.directory if context.for_model else data.parent
    file = context.writable(arguments.out or folder / (_name(data.name.split(".")[0]) + ".yaml"))
    if file.exists():
        raise UserError(f"{file}: exists already; remove it, or name another file")
    text = draft_card(data, arguments.target, folder=file.parent)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: can't be written: {error.strerror or error}") from error
    return MadeDataCard(file=str(file), target=parse_data_card(text).target or "", text=text)
