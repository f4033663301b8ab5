"""The YAML of a drafted Data Card: keys in their usual order, each inferred one with a comment that says why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from automl_gpt.cards.schema import Scalar
from automl_gpt.tools.corpus.draft import Draft
from automl_gpt.tools.evaluate.metrics import default_metric
from automl_gpt.tools.train.protocol import TaskKind

MAX_LABELS = 50
LONGEST = 100
"""Characters of a comment behind a value."""


def begin(name: str) -> CommentedMap:
    """Return a card with a name, and a description to be written."""
    document = CommentedMap()
    document["name"] = name
    document["description"] = ""
    document.yaml_add_eol_comment("say what a row is, and where the data come from", "description")
    return document


def add_source(document: CommentedMap, paths: dict[str, Path], folder: Path) -> None:
    """Name the data: one path, or one for each part; relative to the card's folder where they stand in it."""
    named = {part: _relative(path, folder) for part, path in paths.items()}
    if len(named) == 1:
        document["source"] = next(iter(named.values()))
        return
    parts = CommentedMap(named)
    parts.fa.set_flow_style()
    document["source"] = parts


def _relative(path: Path, folder: Path) -> str:
    place, around = path.absolute(), folder.absolute()
    return place.relative_to(around).as_posix() if place.is_relative_to(around) else str(place)


def add_draft(document: CommentedMap, draft: Draft, paths: dict[str, Path], folder: Path) -> None:
    """Add all that a draft of texts or pictures says."""
    document["modality"] = draft.modality
    comment(document, "modality", [draft.why.get("modality", "")])
    document["task"] = draft.task
    comment(document, "task", [draft.why.get("task", "")])
    add_source(document, paths, folder)
    if draft.target is not None:
        document["target"] = draft.target
        comment(document, "target", [draft.why.get("target", "")])
    add_labels(document, draft.labels, draft.why.get("label_space", ""))
    document["metric"] = default_metric(_kind(draft), draft.modality).name
    document.yaml_add_eol_comment("proposed for such a task", "metric")
    if draft.inputs:
        document["inputs"] = CommentedMap({name: _flow({"role": role}) for name, role in draft.inputs.items()})
    if draft.drop:
        document["drop"] = CommentedMap(draft.drop)
        document.yaml_set_comment_before_after_key("drop", before="left out, each with the reason")
    add_notes(document, draft.notes)


def _kind(draft: Draft) -> TaskKind:
    if draft.task == "classification":
        return "binary" if len(draft.labels) == 2 else "multiclass"
    return draft.task


def _flow(values: dict[str, str]) -> CommentedMap:
    made = CommentedMap(values)
    made.fa.set_flow_style()
    return made


def add_labels(document: CommentedMap, labels: Sequence[Scalar], why: str) -> None:
    """List the classes where there are few enough to be read."""
    if not 2 <= len(labels) <= MAX_LABELS:
        return
    listed = CommentedSeq(labels)
    listed.fa.set_flow_style()
    document["label_space"] = listed
    comment(document, "label_space", [why])


def add_notes(document: CommentedMap, notes: Iterable[str]) -> None:
    """Say at the head of the card what was noticed."""
    lines = [" ".join(note.split()) for note in notes if note.strip()]
    if lines:
        document.yaml_set_start_comment("What was noticed:\n" + "\n".join(lines))


def comment(document: CommentedMap, key: str, lines: Iterable[str]) -> None:
    """Set a comment behind a value; a long one is cut."""
    text = " ".join(" ".join(lines).split())
    if text:
        document.yaml_add_eol_comment(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", key)


def render(document: CommentedMap) -> str:
    """Return the card as text."""
    yaml = YAML()
    yaml.width = 10_000
    stream = StringIO()
    yaml.dump(document, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()
