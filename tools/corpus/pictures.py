"""Read the pictures that a Data Card's source names: folders or a zip, a table of paths, IDX, COCO, or the hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.coco import coco_files, read_coco
from automl_gpt.tools.corpus.coco_file import is_coco
from automl_gpt.tools.corpus.folders import read_folders
from automl_gpt.tools.corpus.hub import SCHEME
from automl_gpt.tools.corpus.idx import image_files, read_idx
from automl_gpt.tools.corpus.picture_parts import source_paths
from automl_gpt.tools.corpus.picture_rows import read_hub_pictures, read_picture_tables
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.data.read import DATA_SUFFIXES

_PACKED = (".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
Read = Callable[[DataCard, dict[str, Path]], RawExamples]


def read_pictures(card: DataCard, base: Path | None = None) -> RawExamples:
    """Read pictures with their classes, values or boxes; relative paths start at `base`.

    What can't be used is left out and told in the findings. Raises UserError in one line where nothing can.
    """
    sources = source_paths(card)
    if any(source.startswith(SCHEME) for source in sources.values()):
        if len(sources) > 1:
            raise UserError("card: source: name a data set of the hub once; its parts are known")
        return read_hub_pictures(card, sources["train"], base)
    paths = {part: _there((base or Path()) / Path(source).expanduser()) for part, source in sources.items()}
    read, paths = _reader(paths)
    return read(card, paths)


def _there(path: Path) -> Path:
    if path.exists():
        return path
    around = sorted(p.name for p in path.parent.iterdir())[:1000] if path.parent.is_dir() else []
    close = nearest(path.name, around, limit=3)
    raise UserError(f"{path}: no such file or folder" + (f", did you mean {' or '.join(close)}?" if close else ""))


def _reader(paths: dict[str, Path]) -> tuple[Read, dict[str, Path]]:
    """Return what reads such sources, and the files that it shall read."""
    if len(paths) == 1 and paths["train"].is_dir() and (coco := coco_files(paths["train"])):
        return _with_train(read_coco, paths["train"], coco)
    readers = {part: _reader_of(path) for part, path in paths.items()}
    if len(set(readers.values())) > 1:
        named = ", ".join(path.name for path in paths.values())
        raise UserError(f"card: source: its parts must be of one kind, unlike {named}")
    return readers["train"], paths


def _with_train(read: Read, folder: Path, files: dict[str, Path]) -> tuple[Read, dict[str, Path]]:
    if "train" not in files:
        raise UserError(f"{folder}: holds COCO files and none for training (train/_annotations.coco.json)")
    return read, files


def _reader_of(path: Path) -> Read:
    name = path.name.lower()
    if image_files(path):
        return read_idx
    if path.is_dir() or name.endswith(".zip"):
        return read_folders
    if name.endswith(_PACKED) or name.endswith(".tar.gz"):
        raise UserError(f"{path}: unpack it first, or pack its folder as .zip")
    if name.endswith(".json") and is_coco(path):
        return read_coco
    if name.removesuffix(".gz").endswith(DATA_SUFFIXES):
        return read_picture_tables
    raise UserError(
        f"{path}: holds no data set of pictures: name a folder or a zip of class folders, a table with a column of "
        "paths (CSV, JSONL, Parquet), a COCO file (.json) or IDX files"
    )
