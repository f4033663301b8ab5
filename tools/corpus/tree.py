"""The files below a folder or in a zip, as names relative to it, and how each is fetched; nothing is unpacked."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.check_pictures import SUFFIXES, Stored

MAX_MEMBER = 500_000_000
MAX_ZIP = 4_000_000_000
"""Bytes that a picture in a zip, and all of them, may have unpacked: they are held in memory until they are stored."""


@dataclass
class Tree:
    """Names of files and folders, sorted, without hidden ones. Use it as a context: a zip stays open meanwhile."""

    path: Path
    files: list[str]
    folders: list[str]
    archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Tree:
        """Return the tree itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the zip."""
        if self.archive is not None:
            self.archive.close()

    def fetch(self, name: str) -> Stored:
        """Return a file's absolute path, or its bytes in a zip: none where it is damaged or too large to open."""
        if self.archive is None:
            return str(self.path.absolute() / name)
        try:
            info = self.archive.getinfo(name)
            # It never reads more than the size that stands in its header.
            return self.archive.read(info) if info.file_size <= MAX_MEMBER else b""
        except Exception:  # a wrong checksum, an unknown method, a broken stream: as many kinds of errors
            return b""


def open_tree(path: Path) -> Tree:
    """List a folder or a zip. Raises UserError where it can't be read, or is too large to be read packed."""
    if path.is_dir():
        return _folder(path)
    try:
        return _zip(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: can't be read as a zip: {error}") from error


def is_picture(name: str) -> bool:
    """Say whether a file is called like a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _folder(path: Path) -> Tree:
    files: list[str] = []
    folders: list[str] = []
    for place, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if not _hidden(name))
        here = PurePosixPath(Path(place).relative_to(path).as_posix())
        files += [str(here / name) for name in sorted(names) if not _hidden(name)]
        folders += [str(here / name) for name in inner]
    return Tree(path, files, folders)


def _zip(path: Path) -> Tree:
    archive = zipfile.ZipFile(path)
    shown = [info for info in archive.infolist() if not any(map(_hidden, PurePosixPath(info.filename).parts))]
    if any(info.flag_bits & 1 for info in shown):
        raise UserError(f"{path}: is encrypted: unpack it first, and name the folder")
    size = sum(info.file_size for info in shown if is_picture(info.filename))
    if size > MAX_ZIP:
        raise UserError(f"{path}: holds {size / 1e9:.1f} GB of pictures: unpack it first, and name the folder")
    files = sorted({info.filename for info in shown if not info.is_dir()})
    folders = {str(PurePosixPath(info.filename)) for info in shown if info.is_dir()}
    folders |= {str(parent) for file in files for parent in PurePosixPath(file).parents}
    return Tree(path, files, sorted(folders - {"."}), archive)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
