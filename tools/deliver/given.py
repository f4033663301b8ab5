"""What a person hands in to be predicted: a table, SQuAD's JSON, a picture, a folder of pictures, COCO's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.rows import open_rows
from automl_gpt.tools.corpus.tree import is_picture, open_tree
from automl_gpt.tools.data.read import DATA_SUFFIXES, data_suffix, read_table
from automl_gpt.tools.data.sniff import open_bytes
from automl_gpt.tools.deliver.bundle import Manifest
from automl_gpt.tools.deliver.inputs import find_columns


@dataclass(frozen=True)
class Given:
    """A pandas table of raw rows, and what tells its rows apart where that is no table itself.

    `names` are columns that go before the predictions: `file` or `id`. `kind` is the kind of file that holds the
    predictions by default. `categories` are the ids of a COCO file's categories by name.
    """

    frame: Any
    kind: str
    names: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    notes: tuple[str, ...] = ()
    base: Path | None = None
    categories: dict[str, Any] = field(default_factory=dict[str, Any])


def read_given(manifest: Manifest, path: Path) -> Given:
    """Read what a model shall predict; pictures stay files. Raises UserError in one line where that is not possible."""
    if manifest.modality == "tabular":
        table = read_table(path)
        return Given(table.frame, kind_of(path), notes=tuple(finding.text for finding in table.findings))
    return _pictures(manifest, path) if manifest.modality == "image" else _texts(manifest, path)


def kind_of(path: Path) -> str:
    """Return the kind of file that a name asks for; empty where it asks for none that is known."""
    suffix = data_suffix(path)
    return suffix if suffix in DATA_SUFFIXES else ""


def _texts(manifest: Manifest, path: Path) -> Given:
    given = _rows(manifest, path)
    ids = _squad_ids(path) if manifest.task == "question-answering" and kind_of(path) == ".json" else []
    if len(ids) != len(given.frame):
        return given
    return Given(given.frame, ".json", {"id": ids}, given.notes)


def _rows(manifest: Manifest, path: Path) -> Given:
    """Read the columns of a table that the model looks at; texts are texts whatever they look like."""

    source = open_rows(path)
    columns = find_columns(source.columns, manifest.columns)
    texts = [name for role, name in columns.items() if role not in ("tokens", "image")]
    frame = source.load(list(dict.fromkeys(columns.values())), texts).to_pandas()
    return Given(frame, kind_of(path), notes=source.notes, base=path.absolute().parent)


def _squad_ids(path: Path) -> list[Any]:
    """Return the ids of the questions of a SQuAD file, in order; none where it is no such file or one has no id."""

    with open_bytes(path) as file:
        try:
            whole: Any = json.loads(file.read().decode("utf-8-sig"))
            return [q["id"] for a in whole["data"] for p in a["paragraphs"] for q in p["qas"]]
        except (ValueError, KeyError, TypeError):
            return []


# ------------------------------------------------------------------------------------------------------------ pictures


def _pictures(manifest: Manifest, path: Path) -> Given:

    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.is_dir():
        return _folder(manifest, path)
    if is_picture(path.name):
        return _listed(manifest, [path.name], path.absolute().parent)
    if kind_of(path) == ".json" and (given := _coco(manifest, path)) is not None:
        return given
    return _rows(manifest, path)


def _folder(manifest: Manifest, path: Path) -> Given:

    with open_tree(path) as tree:
        names = [name for name in tree.files if is_picture(name)]
    if not names:
        raise UserError(f"{path}: holds no pictures: name a folder of pictures, a picture, or a table of their paths")
    return _listed(manifest, names, path.absolute())


def _listed(manifest: Manifest, names: list[str], base: Path) -> Given:
    import pandas as pd

    return Given(pd.DataFrame({manifest.columns["image"]: names}), ".csv", {"file": names}, base=base)


def _coco(manifest: Manifest, path: Path) -> Given | None:
    """Read the pictures of a COCO file, with or without annotations; None where it is none."""
    try:
        whole: Any = json.loads(path.read_bytes().decode("utf-8-sig"))
        images = [(image["id"], str(image["file_name"])) for image in whole["images"]]
        categories = {str(one["name"]): one["id"] for one in whole.get("categories") or []}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    base = path.absolute().parent
    files = [name if (base / name).is_file() else f"images/{name}" for _, name in images]
    given = _listed(manifest, files, base)
    names = {"id": [number for number, _ in images], "file": [name for _, name in images]}
    return Given(given.frame, ".json", names, base=base, categories=categories)
