"""Where cards are found: the shipped ones beside this file, the user's own folder, or a path."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.cards.reader import read_card
from automl_gpt.cards.schema import DataCard, ModelCard

SHIPPED = Path(__file__).parent
SUFFIXES = (".yaml", ".yml")
C = TypeVar("C", DataCard, ModelCard)


class FoundCard(NamedTuple):
    """A card and the file that it was read from; paths in its `source` are relative to that file's folder."""

    card: DataCard | ModelCard
    file: Path


def data_cards(user_folder: Path | None = None) -> dict[str, DataCard]:
    """Return the Data Cards by name: shipped ones, then the user's (which win where names are equal)."""
    return {name: found.card for name, found in _found(user_folder).items() if isinstance(found.card, DataCard)}


def model_cards(user_folder: Path | None = None) -> dict[str, ModelCard]:
    """Return the Model Cards by name: shipped ones, then the user's (which win where names are equal)."""
    return {name: found.card for name, found in _found(user_folder).items() if isinstance(found.card, ModelCard)}


def find_card(name_or_path: str | Path, user_folder: Path | None = None) -> FoundCard:
    """Return the card of a path to a YAML file, or of the name of a shipped or a user's card.

    Raises UserError, with the nearest names, where there is none; CardError where the card is wrong.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in SUFFIXES or path.is_file():
        if not path.exists():
            raise UserError(f"{path}: no such file{_nearest_files(path)}")
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"{path}: a card is a .yaml file; `automl-gpt cards new {path}` writes one for a data file")
        return FoundCard(read_card(path), path)
    name = str(name_or_path)
    for file in reversed(_files(user_folder)):
        if file.stem == name:
            return FoundCard(_read(file), file)
    found = _found(user_folder)
    if name in found:
        return found[name]
    close = nearest(name, list(found), limit=3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`automl-gpt cards list` shows those there are"
    raise UserError(f"no card is called {name!r}, {hint}")


def shipped_card_files() -> list[Path]:
    """Return the files of all shipped cards."""
    return [file for folder in ("data", "models") for file in _yaml_files(SHIPPED / folder)]


def _files(user_folder: Path | None) -> list[Path]:
    return shipped_card_files() + (_yaml_files(user_folder) if user_folder is not None else [])


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _found(user_folder: Path | None) -> dict[str, FoundCard]:
    found: dict[str, FoundCard] = {}
    for file in _files(user_folder):
        card = _read(file)
        found[card.name or file.stem] = FoundCard(card, file)
    return found


def _read(file: Path) -> DataCard | ModelCard:
    return _read_shipped(file) if SHIPPED in file.parents else read_card(file)


@cache
def _read_shipped(file: Path) -> DataCard | ModelCard:
    return read_card(file)


def _nearest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (the folder {folder} does not exist either)"
    close = nearest(path.name, [file.name for file in _yaml_files(folder)], limit=3)
    return f", did you mean {' or '.join(close)}?" if close else ""
