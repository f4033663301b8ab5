"""What lies at a path, judged from names and beginnings: texts or pictures of a known form, or rows of a table."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Modality, Task
from automl_gpt.tools.corpus.coco import coco_files
from automl_gpt.tools.corpus.coco_file import is_coco
from automl_gpt.tools.corpus.conll import SUFFIXES as CONLL_SUFFIXES
from automl_gpt.tools.corpus.conll import is_conll
from automl_gpt.tools.corpus.folders import PARTS, lay_out
from automl_gpt.tools.corpus.idx import image_files
from automl_gpt.tools.corpus.tree import is_picture, open_tree
from automl_gpt.tools.data.read import DATA_SUFFIXES
from automl_gpt.tools.data.sniff import open_bytes

Form = Literal["class folders", "IDX", "COCO", "SQuAD", "CoNLL", "rows"]
_TAG = re.compile(r"O|[BIESLU][-_]\S+")
_LINES = 200
_BESIDE = ("meta.json", "info.json", "dataset_infos.json", "dataset_info.json", "config.json", "package.json")
"""JSON files that tell of data and hold none."""


@dataclass(frozen=True)
class Found:
    """What was recognised: its form, and the paths that a Data Card would name as its source, by part."""

    form: Form
    paths: dict[str, Path]

    @property
    def modality(self) -> Modality | None:
        """The modality of the form; None of rows, which their columns tell."""
        return {"CoNLL": "text", "SQuAD": "text", "rows": None}.get(self.form, "image")  # type: ignore[return-value]

    @property
    def task(self) -> Task | None:
        """What the form is made for; None of rows."""
        tasks: dict[Form, Task] = {
            "class folders": "classification",
            "IDX": "classification",
            "COCO": "detection",
            "SQuAD": "question-answering",
            "CoNLL": "token-classification",
        }
        return tasks.get(self.form)

    @property
    def what(self) -> str:
        """The form in words, as in `PATH holds ...`."""
        words: dict[Form, str] = {
            "class folders": "pictures in folders of classes",
            "IDX": "pictures in IDX files",
            "COCO": "boxes in pictures (COCO)",
            "SQuAD": "questions and their contexts (SQuAD)",
            "CoNLL": "words and their tags (CoNLL)",
            "rows": "rows",
        }
        return words[self.form]


def recognise(path: Path) -> Found:
    """Say what lies at a path; UserError in one line where it is a folder or an archive without data."""
    if path.is_dir():
        return _in_folder(path)
    return Found(_form_of(path), {"train": path})


def obvious(path: Path) -> Found | None:
    """Say what lies at a path where its own look tells; None for rows, and for what is not known.

    Unlike `recognise` it looks into a folder only until it sees a picture, and reads no JSON of rows.
    """
    if not path.is_dir():
        form = _form_of(path)
    elif coco_files(path):
        form = "COCO"
    elif image_files(path):
        form = "IDX"
    else:
        form = "class folders" if _holds_pictures(path) else "rows"
    return None if form == "rows" else Found(form, {"train": path})


def _holds_pictures(folder: Path) -> bool:
    return any(is_picture(name) for _, _, names in os.walk(folder) for name in names)


def _form_of(file: Path) -> Form:
    name = file.name.lower()
    if image_files(file):
        return "IDX"
    if not file.is_file():
        return "rows"
    if name.endswith(".zip"):
        with open_tree(file) as tree:
            return "class folders" if any(map(is_picture, tree.files)) else "rows"
    if name.removesuffix(".gz").endswith(".json"):
        return _json_form(file)
    return "CoNLL" if is_conll(file) and _holds_tags(file) else "rows"


def _json_form(file: Path) -> Form:
    """Tell COCO and SQuAD, which are one object each, from rows; large files of rows are not read as a whole."""
    if not _is_one_object(file):
        return "rows"
    raw = _read(file)
    if b'"annotations"' in raw and b'"images"' in raw:
        return "COCO"
    return "SQuAD" if b'"paragraphs"' in raw and b'"data"' in raw else "rows"


def _is_one_object(file: Path) -> bool:
    return is_coco(file) if file.suffix.lower() == ".json" else _read(file, 4096).lstrip().startswith(b"{")


def _read(file: Path, most: int = -1) -> bytes:
    try:
        with open_bytes(file) as stream:
            return stream.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file}: can't be read: {error}") from error


def _holds_tags(file: Path) -> bool:
    """Say whether lines are words with tags: by the file's name, or, of a plain .txt, by what most of them end in."""
    if not file.name.lower().removesuffix(".gz").endswith(".txt"):
        return True
    lines = _read(file, 1 << 16).decode("utf-8", errors="replace").splitlines()[:_LINES]
    cells = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    tagged = sum(len(words) > 1 and _TAG.fullmatch(words[-1]) is not None for words in cells)
    return bool(cells) and tagged > 0.9 * len(cells)


# -------------------------------------------------------------------------------------------------------------- folders


def _in_folder(folder: Path) -> Found:
    if coco_files(folder):
        return Found("COCO", {"train": folder})
    if image_files(folder):
        return Found("IDX", {"train": folder})
    parts = _parts(_data_files(folder))
    form = _form_of(parts["train"]) if parts else "rows"
    if form == "COCO" or (parts and not _has_classes(folder)):
        return Found(form, parts)
    if _has_classes(folder):
        return Found("class folders", {"train": folder})
    raise UserError(f"{folder}: {_nothing_known(folder)}")


def _nothing_known(folder: Path) -> str:
    named = [file.name for file in _data_files(folder)]
    if named:
        return f"holds no file called train: name one of {', '.join(named[:5])}" + (", …" if len(named) > 5 else "")
    return (
        "no data found: a folder needs pictures in folders of classes, IDX or COCO files, or files of rows called "
        "train, valid and test"
    )


def _data_files(folder: Path) -> list[Path]:
    suffixes = (*DATA_SUFFIXES, *CONLL_SUFFIXES, ".zip")
    files = (file for file in sorted(folder.iterdir()) if file.is_file() and file.name.lower() not in _BESIDE)
    return [file for file in files if file.name.lower().removesuffix(".gz").endswith(suffixes)]


def _parts(files: list[Path]) -> dict[str, Path]:
    """Return files by the part that their names tell, or one file alone as train; none where there is no train."""
    if len(files) == 1 and files[0].suffix.lower() != ".txt":
        return {"train": files[0]}
    found = {part: file for part, words in PARTS.items() if (file := _called(files, words)) is not None}
    return found if "train" in found else {}


def _called(files: Iterable[Path], words: Iterable[str]) -> Path | None:
    """Return the file called like one of some words (train.csv), or the only one with such a word (x_train.csv)."""
    stems = {file: file.name.lower().split(".")[0] for file in files}
    exact = [file for file, stem in stems.items() if stem in words]
    within = [file for file, stem in stems.items() if set(re.split(r"[^a-z]+", stem)) & set(words)]
    return exact[0] if exact else within[0] if len(within) == 1 else None


def _has_classes(folder: Path) -> bool:
    """Say whether pictures stand in two folders of classes at least."""
    with open_tree(folder) as tree:
        if not any(map(is_picture, tree.files)):
            return False
        laid = lay_out(tree, divided=True)
    parts = {word for words in PARTS.values() for word in words}
    labels = {label for _, label in laid.rows.get("train", ())}
    return len(labels) > 1 and not {label.lower() for label in labels} <= parts
