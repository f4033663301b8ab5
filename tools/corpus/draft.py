"""What a Data Card would say of texts and pictures: modality, task, target, roles and labels, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Modality, Role, Scalar, Task
from automl_gpt.tools.corpus.check_pictures import counted, first_few
from automl_gpt.tools.corpus.coco import coco_files
from automl_gpt.tools.corpus.coco_file import load_coco
from automl_gpt.tools.corpus.columns import is_long, is_text, plan
from automl_gpt.tools.corpus.conll import open_conll
from automl_gpt.tools.corpus.folders import PARTS, lay_out
from automl_gpt.tools.corpus.idx import read_idx
from automl_gpt.tools.corpus.picture_rows import embedded, holds_paths
from automl_gpt.tools.corpus.recognise import Found
from automl_gpt.tools.corpus.rows import Source, open_rows
from automl_gpt.tools.corpus.texts import is_nested
from automl_gpt.tools.corpus.tree import open_tree
from automl_gpt.tools.data.values import level_text

ANSWERS = ("answers", "answer")
ROLES: dict[Task, tuple[tuple[Role, ...], tuple[Role, ...]]] = {
    "text-generation": (("text",), ()),
    "token-classification": (("tokens",), ()),
    "question-answering": (("question", "context"), ()),
    "retrieval": (("question",), ("context",)),
}
"""The roles that columns of a task must have, and may have."""
_SHOWN = 20


@dataclass
class Draft:
    """What a card would say. `why` gives reasons by the field of the card, `notes` are told at its head.

    `target` is None where the source knows its own; `labels` are all classes, `counts` how often each is to be learnt.
    """

    modality: Modality
    task: Task
    target: str | None = None
    inputs: dict[str, Role] = field(default_factory=dict[str, Role])
    drop: dict[str, str] = field(default_factory=dict[str, str])
    labels: tuple[Scalar, ...] = ()
    counts: tuple[int, ...] = ()
    why: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])


def draft_found(found: Found, target: str | None = None, task: Task | None = None) -> Draft | None:
    """Draft what lies at recognised paths; None for rows that numbers, categories and plain text make a table.

    UserError where the person's target or task is not possible there.
    """
    if found.form == "rows":
        return _rows(found.paths, target, task)
    if task is not None and task != found.task and not (found.form == "SQuAD" and task == "retrieval"):
        raise UserError(f"{found.paths['train']}: holds {found.what}: --task {task} can't be learnt from them")
    if target is not None:
        raise UserError(f"{found.paths['train']}: holds {found.what}, which have no columns: leave --target out")
    match found.form:
        case "class folders":
            return _folders(found.paths["train"])
        case "IDX":
            return _idx(found.paths)
        case "COCO":
            return _coco(found.paths)
        case "CoNLL":
            return _conll(found.paths)
        case _:
            return _squad(found.paths, task or "question-answering")


# ------------------------------------------------------------------------------------------------------------- pictures


def _folders(path: Path) -> Draft:
    with open_tree(path) as tree:
        laid = lay_out(tree, divided=True)
    if not laid.rows.get("train"):
        raise UserError(f"{path}: holds no pictures in folders of classes (CLASS/picture.jpg)")
    counts = Counter(label for _, label in laid.rows["train"])
    sizes = {part: len(laid.rows[part]) for part in PARTS if part in laid.rows}
    notes = [", ".join(f"{part}: {counted(size, 'picture')}" for part, size in sizes.items())]
    if laid.stray:
        text = f"{counted(len(laid.stray), 'picture')} in no folder of a class, so left out"
        notes.append(f"{text}: {first_few(laid.stray)}")
    why = {"modality": "pictures in folders", "task": "the classes are the names of the folders"}
    return _of_classes("image", counts, sorted(laid.labels), why, notes)


def _idx(paths: dict[str, Path]) -> Draft:
    raw = read_idx(DataCard(modality="image", source="-"), paths)
    counts: Counter[Scalar] = Counter(raw.train.answers)
    labels = {label for _, part in raw.parts() for label in part.answers}
    names = {0: "train", 1: "valid", 2: "test"}
    notes = [", ".join(f"{names[number]}: {counted(len(part), 'picture')}" for number, part in raw.parts())]
    why = {"modality": "IDX files", "task": "each picture has a label", "label_space": "names instead, in this order"}
    return _of_classes("image", counts, sorted(labels), why, notes)


def _coco(paths: dict[str, Path]) -> Draft:
    files = coco_files(paths["train"]) if paths["train"].is_dir() else paths
    loaded = {part: load_coco(file) for part, file in files.items()}
    if "train" not in loaded:
        raise UserError(f"{paths['train']}: holds COCO files and none for training")
    first = loaded["train"]
    boxes = Counter(first.categories[one["category_id"]] for own in first.annotations.values() for one in own)
    notes = [", ".join(f"{part}: {counted(len(file.images), 'picture')}" for part, file in loaded.items())]
    why = {"modality": "a COCO file", "task": "it lists the boxes of objects"}
    draft = _of_classes("image", boxes, list(first.categories.values()), why, notes, "detection")
    draft.why["label_space"] = "boxes of each: " + ", ".join(map(str, draft.counts[:_SHOWN]))
    return draft


def _of_classes(
    modality: Modality,
    counts: Counter[Any],
    labels: Sequence[Scalar],
    why: dict[str, str],
    notes: list[str],
    task: Task = "classification",
) -> Draft:
    shown = tuple(counts.get(label, 0) for label in labels)
    reasons = [why.pop("label_space", ""), "rows of each: " + ", ".join(map(str, shown[:_SHOWN]))]
    why = {**why, "label_space": "; ".join(filter(None, reasons))}
    return Draft(modality, task, labels=tuple(labels), counts=shown, why=why, notes=notes)


# ---------------------------------------------------------------------------------------------------------------- texts


def _squad(paths: dict[str, Path], task: Task) -> Draft:
    sizes = {part: open_rows(path).load(["question"], ()).num_rows for part, path in paths.items()}
    why = {"modality": "a SQuAD file", "task": "its questions are answered in its contexts"}
    if task == "retrieval":
        why["task"] = "its contexts are the passages to search"
    return Draft("text", task, why=why, notes=[", ".join(f"{part}: {n:,} questions" for part, n in sizes.items())])


def _conll(paths: dict[str, Path]) -> Draft:
    opened = {part: open_conll(path) for part, path in paths.items()}
    tags = sorted({tag for own in opened["train"].head["tags"].to_pylist() for tag in own})
    numbers = {part: source.numbers for part, source in opened.items()}
    notes = [
        ", ".join(f"{part}: {len(of):,} sentences" for part, of in numbers.items() if of is not None),
        f"tags: {', '.join(tags[:_SHOWN])}" + (", …" if len(tags) > _SHOWN else ""),
    ]
    return Draft("text", "token-classification", why={"modality": "a CoNLL file", "task": "a tag a word"}, notes=notes)


# ----------------------------------------------------------------------------------------------------------------- rows


def _rows(paths: dict[str, Path], target: str | None, task: Task | None) -> Draft | None:
    """Draft rows with pictures, lists or records in them, or of a task that tables don't have."""
    source = open_rows(paths["train"])
    image = _image_column(source, paths["train"].absolute().parent, target)
    if image is not None and task in (None, "classification", "regression"):
        return Draft("image", task or "classification", target, {image: "image"}, why={"modality": _seen(image)})
    found = task if task in ROLES else _task_of(source, target) if task is None else None
    if found is None:
        return None
    answers = target or _answers(source, found)
    if answers is None:
        raise UserError(f"{paths['train']}: name the column of the answers with --target: {', '.join(source.columns)}")
    draft = Draft("text", found, answers, why={"modality": "columns of text", "task": _TASKS.get(found, "")})
    _give_roles(draft, source)
    return draft


_TASKS: dict[Task, str] = {
    "token-classification": "lists of words, and a tag for each",
    "question-answering": "questions, contexts and answers",
    "text-generation": "the target is text, different in most rows",
    "retrieval": "the passages are searched for the answer",
}


def _seen(image: str) -> str:
    return f"column {image!r} holds pictures"


def _image_column(source: Source, base: Path, target: str | None) -> str | None:
    """Return the column of embedded pictures, or that of paths to pictures that are there."""
    head = source.head
    columns = [name for name in head.column_names if name != target]
    found = [name for name in columns if embedded(head.schema.field(name).type)]
    for name in columns:
        if is_text(head.schema.field(name).type) and holds_paths(head[name]):
            some = head[name].slice(0, 20).to_pylist()
            found += [name] if any((base / path).is_file() for path in some if path) else []
    return found[0] if len(found) == 1 else None


def _task_of(source: Source, target: str | None) -> Task | None:
    """Return the task that nested columns or columns of questions and contexts are for."""
    columns, schema = source.columns, source.head.schema
    given = target if target in columns else next((name for name in ANSWERS if name in columns), None)
    if {"question", "context"} <= set(columns) and given in ANSWERS:
        return "question-answering"
    lists = [name for name in columns if _is_list(schema.field(name).type)]
    if len(lists) >= 2 and (target is None or target in lists):
        return "token-classification"
    if given in lists and any(is_text(schema.field(name).type) for name in columns):
        return "text-generation"
    return None


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _answers(source: Source, task: Task) -> str | None:
    """Return the likeliest column of the answers."""
    columns = source.columns
    lists = [name for name in columns if is_nested(source.head.schema.field(name).type)]
    if task == "token-classification":
        named = [name for name in lists if name.lower().endswith(("tags", "labels"))]
        return (named or [name for name in lists if name != "tokens"] or [None])[-1]
    known = next((name for name in ANSWERS if name in columns), None)
    if task == "retrieval" and known is None:
        return "context" if "context" in columns else None
    return known or (columns[-1] if task == "text-generation" else None)


def _give_roles(draft: Draft, source: Source) -> None:
    """Name the columns of the roles; where that stays open, say at the head of the card what to write."""
    card = DataCard(modality="text", task=draft.task, source="-", target=draft.target)
    required, optional = ROLES[draft.task]
    try:
        draft.inputs = {c: _role(role) for role, c in plan(card, {"train": source}, required, optional).roles.items()}
    except UserError as error:
        if draft.target not in source.columns:
            raise
        draft.notes.append(f"to be done: {str(error).removeprefix('card: ')}")
    if draft.task == "retrieval" and "context" not in draft.inputs.values():
        draft.notes.append("to be done: `passages: FILE` names the passages to search")
    if draft.task == "text-generation" and _is_list(source.head.schema.field(draft.target).type):
        draft.why["task"] = "any of several texts is right; `task: retrieval` with `passages: FILE` would look them up"


def _role(name: str) -> Role:
    return next(role for required, optional in ROLES.values() for role in (*required, *optional) if role == name)


# ---------------------------------------------------------------------------------------------- plain columns of text


def text_columns(frame: Any, columns: Iterable[str]) -> list[str]:
    """Return the columns that hold texts: various, and of several words each."""
    return [name for name in columns if _holds_texts(frame[name])]


def is_answer(series: Any) -> bool:
    """Say whether a column holds texts that differ in most rows: answers to write, and no classes."""
    return _holds_texts(series) and series.nunique() > 0.5 * len(series)


def _holds_texts(series: Any) -> bool:
    from pandas.api import types

    if types.is_numeric_dtype(series.dtype) or types.is_datetime64_any_dtype(series.dtype):
        return False
    some = series.dropna().iloc[:2000]
    return is_long([level_text(value) for value in some])
