"""Pictures in folders named after their classes, on the disk or in a zip: FOLDER/CLASS/picture.jpg.

Parts may stand above the classes: FOLDER/train/CLASS/picture.jpg, with valid (val, validation, dev) and test beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_pictures import counted, first_few
from automl_gpt.tools.corpus.picture_parts import no_columns, picture_part
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.corpus.tree import Tree, is_picture, open_tree
from automl_gpt.tools.data.report import Finding

PARTS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing"),
}
Names = tuple[str, ...]


@dataclass
class Laid:
    """Where pictures belong: file and class of each by part, all classes, and the files that belong nowhere."""

    rows: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    labels: set[str] = field(default_factory=set[str])
    stray: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])


def read_folders(card: DataCard, paths: dict[str, Path]) -> RawExamples:
    """Read pictures by the folders that they stand in; the classes are the folders' names."""
    no_columns(card, "folders of pictures")
    if card.task not in (None, "classification"):
        raise UserError(f"card: task: {card.task} can't be learnt from folders of classes; name a table or a COCO file")
    findings: list[Finding] = []
    parts: dict[str, RawPart] = {}
    labels: set[str] = set()
    for part, path in paths.items():
        with open_tree(path) as tree:
            laid = lay_out(tree, divided=len(paths) == 1)
            _tell(tree, laid, findings)
            labels |= laid.labels
            for inner, rows in laid.rows.items():
                parts[inner if len(paths) == 1 else part] = _read_rows(tree, rows, findings)
    _tell_unlearnt(parts, findings)
    return RawExamples(
        parts["train"],
        parts.get("valid"),
        parts.get("test"),
        target=card.target or "class",
        task="classification",
        labels=tuple(sorted(labels)),
        columns={"image": "image"},
        findings=findings,
    )


def lay_out(tree: Tree, divided: bool) -> Laid:
    """Find each picture's part and class; without `divided` a folder called train is a class like others."""
    pictures = [PurePosixPath(name).parts for name in tree.files if is_picture(name)]
    around = _around(pictures)
    pictures = [names[len(around) :] for names in pictures]
    parts = _parts(pictures) if divided else {}
    laid = Laid(others=[name for name in tree.files if not is_picture(name)])
    for names in pictures:
        part, label = _place(names, parts)
        file = "/".join((*around, *names))
        if label is None:
            laid.stray.append(file)
        else:
            laid.rows.setdefault(part, []).append((file, label))
    laid.labels = {label for rows in laid.rows.values() for _, label in rows} | _empty(tree, around, parts)
    return laid


def _around(pictures: list[Names]) -> Names:
    """Return the folders that stand around all the pictures, besides their own."""
    around: Names = ()
    while pictures and all(len(names) > len(around) + 2 for names in pictures):
        tops = {names[: len(around) + 1] for names in pictures}
        if len(tops) > 1:
            break
        around = tops.pop()
    return around


def _parts(pictures: list[Names]) -> dict[str, str]:
    """Return the part of each folder that is called so, where there are training rows by class, and other parts."""
    tops = {names[0] for names in pictures if len(names) > 1}
    found = {top: part for top in tops for part, words in PARTS.items() if top.lower() in words}
    by_class = any(found.get(names[0]) == "train" and len(names) > 2 for names in pictures)
    return found if by_class and len(set(found.values())) > 1 else {}


def _place(names: Names, parts: dict[str, str]) -> tuple[str, str | None]:
    """Return a picture's part and class (None: it stands in no folder of a class)."""
    if not parts:
        return "train", names[0] if len(names) > 1 else None
    part = parts.get(names[0])
    return (part, names[1]) if part and len(names) > 2 else ("train", None)


def _empty(tree: Tree, around: Names, parts: dict[str, str]) -> set[str]:
    """Return the names of folders where classes stand, whether or not there are pictures in them."""
    folders = [PurePosixPath(name).parts for name in tree.folders]
    inner = [names[len(around) :] for names in folders if names[: len(around)] == around]
    if not parts:
        return {names[0] for names in inner if len(names) == 1}
    return {names[1] for names in inner if len(names) == 2 and names[0] in parts}


def _tell(tree: Tree, laid: Laid, findings: list[Finding]) -> None:
    if "train" not in laid.rows:
        tables = [name for name in laid.others if name.lower().endswith((".csv", ".tsv", ".jsonl", ".parquet"))]
        mend = f"name the table {tree.path / tables[0]}" if tables and tree.archive is None else "sort them so"
        found = f"{len(laid.stray)} pictures" if laid.stray else "no pictures"
        raise UserError(f"{tree.path}: holds {found} in folders of classes (CLASS/picture.jpg): {mend} as source")
    if laid.stray:
        text = f"{counted(len(laid.stray), 'picture')} left out (no folder tells the class)"
        findings.append(Finding(level="warning", text=f"{text}: {first_few(laid.stray)}"))
    if laid.others:
        text = f"{counted(len(laid.others), 'file')} ignored (no picture by the name): {first_few(laid.others)}"
        findings.append(Finding(level="note", text=text))


def _read_rows(tree: Tree, rows: list[tuple[str, str]], findings: list[Finding]) -> RawPart:
    names, labels = [name for name, _ in rows], [label for _, label in rows]
    return picture_part([tree.fetch(name) for name in names], labels, names, findings)


def _tell_unlearnt(parts: dict[str, RawPart], findings: list[Finding]) -> None:
    known = set(parts["train"].answers)
    foreign = sorted({label for part in parts.values() for label in part.answers} - known)
    if foreign:
        text = f"classes without training pictures, so never predicted: {first_few(foreign)}"
        findings.append(Finding(level="warning", text=text))
