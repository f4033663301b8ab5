"""The cards at hand: what a person named, drafted or pasted for the next run."""

from __future__ import annotations

import re
from pathlib import Path

from automl_gpt.cards.library import data_cards, find_card, model_cards
from automl_gpt.cards.reader import parse_data_card, parse_model_card
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.data.card import draft_card
from automl_gpt.tools.train.deep.card import draft_model_card
from automl_gpt.tools.train.deep.weights import check_weights
from automl_gpt.tools.train.deep.weights_folder import is_weights

CARD_ENDINGS = (".yaml", ".yml")
NAME_LENGTH = 40


def is_data(path: Path) -> bool:
    """Say whether a path is that of data rather than of a card: a folder, or a file that is no YAML."""
    return path.is_dir() or (path.is_file() and path.suffix.lower() not in CARD_ENDINGS)


class Desk:
    """One Data Card, and Model Cards beside the shipped ones. `folder` is where a person's own cards lie.

    `data_file` is the Data Card's file, None for one that was drafted or pasted; `base` is the folder that its paths
    are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_card: DataCard | None = None
        self.data_file: Path | None = None
        self.base: Path | None = None
        self.model_cards: list[ModelCard] = []

    def read(self, name: str) -> DataCard | ModelCard:
        """Read a card by path or name, or draft one: a Data Card for data, a Model Card for a folder of weights."""
        path = Path(name).expanduser()
        if is_weights(path):
            card = parse_model_card(draft_model_card(str(path)))
            self.add(card)
            return card
        if is_data(path) and not (path.is_dir() and name in data_cards(self.folder)):
            return self.draft(path, None)
        card, file = find_card(name, self.folder)
        if isinstance(card, ModelCard):
            card = _with_weights(card, file.parent)
            self.add(card)
        else:
            card = _named(card, file)
            self.data_card, self.data_file, self.base = card, file, file.parent
        return card

    def add(self, card: ModelCard) -> None:
        """Take a Model Card as a candidate; an earlier one of the same name makes room for it."""
        self.model_cards = [*[c for c in self.model_cards if c.name != card.name], card]

    def draft(self, file: Path, target: str | None) -> DataCard:
        """Draft a Data Card for a data file or folder; UserError where the file or the target is wrong."""
        return self._take(draft_card(file, target), file.absolute().parent)

    def paste(self, text: str) -> DataCard:
        """Take a Data Card from text; paths in it are relative to the working folder."""
        return self._take(text, Path.cwd())

    def candidates(self) -> list[ModelCard]:
        """Return the next run's Model Cards: shipped, from the person's folder, named ones; of one name the latter.

        Where the data are known, those for other kinds of data are left out, but for the ones that were named.
        """
        named = {card.name: card for card in self.model_cards}
        fits = {"any", self.data_card.modality} if self.data_card else None
        shipped = {n: c for n, c in model_cards(self.folder).items() if fits is None or c.modality in fits}
        return list((shipped | named).values())

    def put_back(self, card: DataCard, file: Path | None) -> None:
        """Lay the Data Card of a resumed run on the desk."""
        self.data_card, self.data_file = card, file
        self.base = file.parent if file else Path.cwd()

    def _take(self, text: str, base: Path) -> DataCard:
        card = parse_data_card(text)
        self.data_card, self.data_file, self.base = card, None, base
        return card


def _named(card: DataCard, file: Path) -> DataCard:
    """Give a card without a name that of its file."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", file.stem)[:NAME_LENGTH].strip("-")
    return card if card.name or not stem else card.model_copy(update={"name": stem})


def _with_weights(card: ModelCard, base: Path) -> ModelCard:
    """Return the card with its weights' folder whole; UserError where they can't be used."""
    if card.source is None:
        return card
    place = base / Path(card.source).expanduser()
    source = str(place.resolve()) if place.is_dir() else card.source
    check_weights(source)
    return card.model_copy(update={"source": source})
