"""The cards at hand: what a person named, drafted or pasted for the next run."""

from __future__ import annotations

import re
from pathlib import Path

from automl_gpt.cards.library import find_card, model_cards
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.data.card import draft_card

CARD_ENDINGS = (".yaml", ".yml")
NAME_LENGTH = 40


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
        """Read a card by path or name, or draft a Data Card for a data file."""
        path = Path(name).expanduser()
        if path.is_file() and path.suffix.lower() not in CARD_ENDINGS:
            return self.draft(path, None)
        card, file = find_card(name, self.folder)
        if isinstance(card, ModelCard):
            self.add(card)
        else:
            card = _named(card, file)
            self.data_card, self.data_file, self.base = card, file, file.parent
        return card

    def add(self, card: ModelCard) -> None:
        """Take a Model Card as a candidate; an earlier one of the same name makes room for it."""
        self.model_cards = [*[c for c in self.model_cards if c.name != card.name], card]

    def draft(self, file: Path, target: str | None) -> DataCard:
        """Draft a Data Card for a data file; UserError where the file or the target is wrong."""
        return self._take(draft_card(file, target), file.resolve().parent)

    def paste(self, text: str) -> DataCard:
        """Take a Data Card from text; paths in it are relative to the working folder."""
        return self._take(text, Path.cwd())

    def candidates(self) -> list[ModelCard]:
        """Return the next run's Model Cards: shipped, from the person's folder, named ones; of one name the latter."""
        cards = model_cards(self.folder) | {card.name: card for card in self.model_cards}
        return list(cards.values())

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
