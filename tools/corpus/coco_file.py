"""One COCO file as it stands: its lists, looked through for what no picture or box can be without."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.check_pictures import counted, first_few
from automl_gpt.tools.data.report import Finding

_FIELDS = ("images", "annotations", "categories")
_MEND = "a COCO file is one object with the lists images, annotations and categories"


@dataclass
class LeftOut:
    """What can't be used, by the reason, as a person would name it."""

    by_reason: dict[tuple[str, str], list[object]] = field(default_factory=dict[tuple[str, str], list[object]])

    def add(self, noun: str, reason: str, what: object) -> None:
        """Count and name one thing."""
        self.by_reason.setdefault((noun, reason), []).append(what)

    def box(self, reason: str, annotation: dict[str, Any]) -> None:
        """Count a box that is left out; its annotation's id is its name."""
        self.add("box", f"left out ({reason}; by annotation id)", annotation.get("id", "without id"))

    def findings(self, path: Path) -> list[Finding]:
        """Say how many there are of each reason, and name the first few."""
        return [
            Finding(
                level="note" if any(word in reason for word in NOTED) else "warning",
                text=f"{path.name}: {counted(len(named), noun)} {reason}: {first_few(named)}",
            )
            for (noun, reason), named in self.by_reason.items()
        ]


CROWD, COPIES = "of a crowd", "the same as another"
NOTED = (CROWD, COPIES)


@dataclass
class CocoFile:
    """Categories by id, the file names and claimed sizes of pictures by id, and annotations by the id of a picture."""

    path: Path
    categories: dict[Any, str]
    images: dict[Any, dict[str, Any]]
    annotations: dict[Any, list[dict[str, Any]]]
    left_out: LeftOut


def is_coco(path: Path) -> bool:
    """Say whether a JSON file starts as one object, which rows of a table never do alone."""
    with path.open("rb") as stream:
        head = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and (b"\n" not in head.strip() or not _parses(head.split(b"\n", 1)[0]))


def _parses(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def load_coco(path: Path) -> CocoFile:
    """Read a COCO file. Raises UserError, naming the field, where it is none, or its ids can't be told apart."""
    whole = _load(path)
    left_out = LeftOut()
    images = _images(path, whole["images"], left_out)
    file = CocoFile(path, _categories(path, whole["categories"]), images, {}, left_out)
    seen: set[Any] = set()
    for one in whole["annotations"]:
        if not isinstance(one, dict):
            raise UserError(f"{path}: annotations: holds {type(one).__name__} where an object belongs")
        if one.get("id") in seen:
            left_out.add("annotation id", "used more than once (all are kept)", one["id"])
        seen.add(one.get("id"))
        _file_annotation(file, one)
    return file


def _load(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error
    if not isinstance(whole, dict):
        raise UserError(f"{path}: is no COCO file: {_MEND}")
    for name in _FIELDS:
        if not isinstance(whole.get(name), list):
            raise UserError(f"{path}: {name}: {'is no list' if name in whole else 'is missing'}; {_MEND}")
    if not whole["images"]:
        raise UserError(f"{path}: images: is empty")
    return whole


def _categories(path: Path, entries: list[Any]) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _is_id(entry.get("id")) or not isinstance(entry.get("name"), str):
            raise UserError(f"{path}: categories: each needs an id and a name, unlike {json.dumps(entry)[:80]}")
        if entry["id"] in found or entry["name"] in found.values():
            raise UserError(f"{path}: categories: {entry['name']!r} (id {entry['id']}) repeats an id or a name")
        found[entry["id"]] = entry["name"]
    if not found:
        raise UserError(f"{path}: categories: is empty; name at least one kind of object")
    return dict(sorted(found.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _images(path: Path, entries: list[Any], left_out: LeftOut) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _is_id(entry.get("id")) or not isinstance(entry.get("file_name"), str):
            raise UserError(f"{path}: images: each needs an id and a file_name, unlike {json.dumps(entry)[:80]}")
        if entry["id"] in found:
            left_out.add("picture", "left out (another has the same id)", entry["file_name"])
        else:
            found[entry["id"]] = entry
    return found


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)


def _file_annotation(file: CocoFile, one: dict[str, Any]) -> None:
    """File an annotation under its picture, or leave it out."""
    box = one.get("bbox")
    if not _is_id(one.get("image_id")) or one["image_id"] not in file.images:
        file.left_out.box("image_id of no picture", one)
    elif not _is_id(one.get("category_id")) or one["category_id"] not in file.categories:
        file.left_out.box("category_id of no category", one)
    elif one.get("iscrowd"):
        file.left_out.box(CROWD, one)
    elif not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        file.left_out.box("bbox isn't four numbers", one)
    else:
        file.annotations.setdefault(one["image_id"], []).append(one)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
