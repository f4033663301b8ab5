"""Detection from COCO files: pictures, and the boxes of the objects in them (Lin et al., "Microsoft COCO", 2014)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import QuotingError, UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.check_pictures import Checked, check_pictures, first_few
from automl_gpt.tools.corpus.coco_file import COPIES, CocoFile, LeftOut, load_coco
from automl_gpt.tools.corpus.picture_parts import no_columns, picture_part
from automl_gpt.tools.corpus.raw import RawExamples, RawPart
from automl_gpt.tools.data.report import Finding

ROBOFLOW = "_annotations.coco.json"
_FOLDERS = {"train": ("train",), "valid": ("valid", "val"), "test": ("test",)}
_EDGE = 1.0
"""Pixels by which a box may stand out of its picture without a word: roundings do."""


def coco_files(folder: Path) -> dict[str, Path]:
    """Return the COCO files of a folder as Roboflow exports it, by part; none where it is no such folder."""
    return {
        part: folder / name / ROBOFLOW
        for part, names in _FOLDERS.items()
        for name in names
        if (folder / name / ROBOFLOW).is_file()
    }


def read_coco(card: DataCard, paths: dict[str, Path]) -> RawExamples:
    """Read one COCO file for each part. The labels are the training file's categories in the order of their ids."""
    no_columns(card, "COCO files")
    if card.task not in (None, "detection"):
        raise UserError(f"card: task: {card.task} does not fit a COCO file, which is for detection")
    files = {part: load_coco(path) for part, path in paths.items()}
    labels = tuple(files["train"].categories.values())
    findings = _label_findings(card, labels)
    parts = {part: _read_part(file, labels, findings) for part, file in files.items()}
    _tell_absent(labels, parts["train"], findings)
    return RawExamples(
        parts["train"],
        parts.get("valid"),
        parts.get("test"),
        target=card.target or "objects",
        task="detection",
        labels=labels,
        columns={"image": "image"},
        findings=findings,
    )


def _label_findings(card: DataCard, labels: tuple[str, ...]) -> list[Finding]:
    if card.label_space is None:
        return []
    space = tuple(map(str, card.label_space))
    foreign = [label for label in labels if label not in space]
    if foreign:
        text = "card: label_space lacks categories that the COCO file has"
        raise QuotingError(f"{text}: {first_few(foreign)}", text)
    absent = [label for label in space if label not in labels]
    text = f"labels of the label space that the COCO file lacks, so can't be learnt: {first_few(absent)}"
    return [Finding(level="warning", text=text)] if absent else []


def _tell_absent(labels: tuple[str, ...], train: RawPart, findings: list[Finding]) -> None:
    seen = {code for answer in train.answers for code in answer["labels"]}
    absent = [label for code, label in enumerate(labels) if code not in seen]
    if absent:
        text = f"categories without a box to learn from, so never found: {first_few(absent)}"
        findings.append(Finding(level="warning", text=text))


def _read_part(file: CocoFile, labels: tuple[str, ...], findings: list[Finding]) -> RawPart:
    codes = _codes(file, labels)
    ids = list(file.images)
    names = [str(file.images[key]["file_name"]) for key in ids]
    stored = _stored(file.path, names)
    checked = check_pictures(stored)
    if all(one.problem == "absent" for one in checked):
        raise UserError(f"{file.path}: images: none is there, such as {stored[0]}; put them beside the file")
    fitting = [i for i, key in enumerate(ids) if _fits(file.images[key], checked[i], file.left_out)]
    answers = [_record(file, ids[i], checked[i], codes) for i in fitting]
    part_findings: list[Finding] = []
    part = picture_part(
        [stored[i] for i in fitting], answers, [names[i] for i in fitting], part_findings, [checked[i] for i in fitting]
    )
    findings += part_findings + file.left_out.findings(file.path) + _about_boxes(file.path, part)
    return part


def _codes(file: CocoFile, labels: tuple[str, ...]) -> dict[Any, int]:
    """Return the code of each category id; files may number the same categories differently."""
    foreign = [name for name in file.categories.values() if name not in labels]
    if foreign:
        raise UserError(f"{file.path}: categories: the training file lacks {first_few(map(repr, foreign))}")
    return {key: labels.index(name) for key, name in file.categories.items()}


def _stored(path: Path, names: list[str]) -> list[str]:
    """Return where each picture is: beside the file, in images beside or above it, or in a folder called like it."""
    base = path.absolute().parent
    last = path.stem.rsplit("_", 1)[-1]
    above = base.parent
    folders = [base, base / "images", base / last, above / "images", above / last, above / "images" / last]
    folders = [folder for folder in folders if folder.is_dir()]
    return [_first_there([folder / name for folder in folders]) for name in names]


def _first_there(candidates: list[Path]) -> str:
    return str(next((file for file in candidates if file.is_file()), candidates[0]))


def _fits(image: dict[str, Any], checked: Checked, left_out: LeftOut) -> bool:
    """Say whether a picture has the size that its boxes were drawn on; unusable ones are told elsewhere."""
    claimed = (image.get("width"), image.get("height"))
    if checked.problem is not None or None in claimed or claimed == (checked.width, checked.height):
        return True
    name = f"{image['file_name']} ({checked.width} x {checked.height}, not {claimed[0]} x {claimed[1]})"
    left_out.add("picture", "left out (not of the size that the file says)", name)
    return False


def _record(file: CocoFile, key: Any, checked: Checked, codes: dict[Any, int]) -> dict[str, Any]:
    boxes: list[list[float]] = []
    labels: list[int] = []
    seen: set[tuple[float, ...]] = set()
    for annotation in file.annotations.get(key, ()) if checked.problem is None else ():
        box = _clipped(annotation, checked, file.left_out)
        if box is None:
            continue
        code = codes[annotation["category_id"]]
        if (code, *box) in seen:
            file.left_out.box(COPIES, annotation)
            continue
        seen.add((code, *box))
        boxes.append(box)
        labels.append(code)
    return {"boxes": boxes, "labels": labels, "width": checked.width, "height": checked.height}


def _clipped(annotation: dict[str, Any], picture: Checked, left_out: LeftOut) -> list[float] | None:
    """Return x, y, width and height of the part of a box that lies within its picture; None where there is none."""
    x, y, width, height = map(float, annotation["bbox"])
    if width <= 0 or height <= 0:
        left_out.box("no area", annotation)
        return None
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, float(picture.width)), min(y + height, float(picture.height))
    if right <= left or bottom <= top:
        left_out.box("outside the picture", annotation)
        return None
    if max(left - x, top - y, x + width - right, y + height - bottom) > _EDGE:
        left_out.add("box", "cut at the edge of the picture (by annotation id)", annotation.get("id", "without id"))
    return [left, top, right - left, bottom - top]


def _about_boxes(path: Path, part: RawPart) -> list[Finding]:
    empty = sum(not answer["boxes"] for answer in part.answers)
    if empty == len(part):
        raise UserError(f"{path}: annotations: no picture has a box that can be used")
    text = f"{path.name}: {empty} of {len(part)} pictures show no object"
    return [Finding(level="note", text=text)] if empty else []
