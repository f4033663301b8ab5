"""Finds cards: the shipped ones, those in the user's folder, or a path."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import nearest
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.reader import Card, read_card
from automl_gpt.cards.schema import DataCard, ModelCard

SHIPPED = Path(__file__).parent
SUFFIXES = (".yaml", ".yml")
FOLDERS: dict[type[Card], str] = {DataCard: "data", ModelCard: "models", LanguageModelCard: "llms"}
"""Where the shipped cards of each kind stand."""
C = TypeVar("C", DataCard, ModelCard, LanguageModelCard)


class FoundCard(NamedTuple):
    """A card and the file that it was read from; paths in its `source` are relative to that file's folder."""

    card: DataCard | ModelCard
    file: Path


def data_cards(user_folder: Path | None = None) -> dict[str, DataCard]:
    """Return the Data Cards by name: shipped ones, then the user's (which win where names are equal)."""
    return _by_name(DataCard, user_folder)


def model_cards(user_folder: Path | None = None) -> dict[str, ModelCard]:
    """Return the Model Cards by name: shipped ones, then the user's (which win where names are equal)."""
    return _by_name(ModelCard, user_folder)


def language_model_cards(user_folder: Path | None = None) -> dict[str, LanguageModelCard]:
    """Return the Language Model Cards by name: shipped ones, then the user's (which win where names are equal)."""
    return _by_name(LanguageModelCard, user_folder)


def language_model_card(name: str, user_folder: Path | None = None) -> LanguageModelCard | None:
    """Return the card of a language model (PROVIDER:MODEL), the user's before the shipped one; None without one."""
    return language_model_cards(user_folder).get(name)


def find_card(name_or_path: str | Path, user_folder: Path | None = None) -> FoundCard:
    """Return the Data or Model Card of a path to a YAML file, or of the name of a shipped or a user's card.

    Raises UserError, with the nearest names, where there is none or it is a language model's; CardError where the card
    is wrong.
    """
    card, file = find_any_card(name_or_path, user_folder)
    if isinstance(card, LanguageModelCard):
        raise UserError(
            f"{name_or_path} is the card of a language model, no Data Card: name the data here, and the model with "
            f"--controller {card.name}"
        )
    return FoundCard(card, file)


def find_any_card(name_or_path: str | Path, user_folder: Path | None = None) -> tuple[Card, Path]:
    """Return a card of any kind with its file, as `find_card` does."""
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in SUFFIXES or path.is_file():
        if not path.exists():
            raise UserError(f"{path}: no such file{_nearest_files(path)}")
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"{path}: a card is a .yaml file; `automl-gpt cards new {path}` writes one for a data file")
        return read_card(path), path
    name = str(name_or_path)
    files = shipped_card_files() + user_card_files(user_folder)
    for file in reversed(files):
        if file.stem == name:
            return _read(file), file
    found = {card.name or file.stem: (card, file) for file in files for card in (_read(file),)}
    if name in found:
        return found[name]
    close = nearest(name, list(found), limit=3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`automl-gpt cards list` shows those there are"
    raise UserError(f"no card is called {name!r}, {hint}")


def shipped_card_files() -> list[Path]:
    """Return the files of all shipped cards."""
    return [file for folder in FOLDERS.values() for file in _yaml_files(SHIPPED / folder)]


def user_card_files(user_folder: Path | None) -> list[Path]:
    """Return the files in a user's folder of cards; none where there is no such folder."""
    return _yaml_files(user_folder) if user_folder is not None else []


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _by_name(kind: type[C], user_folder: Path | None) -> dict[str, C]:
    """Return the cards of a kind by name; of the shipped ones, only those of that kind are read."""
    files = _yaml_files(SHIPPED / FOLDERS[kind]) + user_card_files(user_folder)
    read = [(file, _read(file)) for file in files]
    return {card.name or file.stem: card for file, card in read if isinstance(card, kind)}


def _read(file: Path) -> Card:
    return _read_shipped(file) if SHIPPED in file.parents else read_card(file)


@cache
def _read_shipped(file: Path) -> Card:
    return read_card(file)


def _nearest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (the folder {folder} does not exist either)"
    close = nearest(path.name, [file.name for file in _yaml_files(folder)], limit=3)
    return f", did you mean {' or '.join(close)}?" if close else ""
