"""What a language model costs where it is asked, and a person's own prices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.language_model import LanguageModelCard, card_stem, price_card_text
from automl_gpt.cards.library import language_model_cards, user_card_files
from automl_gpt.cards.reader import parse_language_model_card, read_card


def price_card(name: str, endpoint: str | None, user_folder: Path | None = None) -> LanguageModelCard | None:
    """Return the card whose price holds for a model (PROVIDER:MODEL) at a server; None where no price is known.

    `endpoint` is a host, host:port or address; None means the provider's own server. A user's card that names the
    server comes first, then a user's card that names none, which holds anywhere, then the shipped one.
    """
    own = [card for _, card in _own_cards(user_folder) if card.name == name]
    for card in sorted(own, key=lambda card: card.base_url is None):
        if card.base_url is None or card.holds_at(endpoint):
            return card
    shipped = language_model_cards().get(name)
    return shipped if shipped is not None and shipped.holds_at(endpoint) else None


def save_price(user_folder: Path, name: str, input_usd: float, output_usd: float, base_url: str | None = None) -> Path:
    """Store a price, in USD per million tokens, as a card in the user's folder, and return its file.

    A card for the same model and server gets the new price and keeps all else that it says. Raises UserError where the
    price or the name is wrong, or the file can't be written.
    """
    file, old = _place(user_folder, name, base_url)
    stale = {"name", "input_usd", "output_usd", "cached_input_usd", "as_of", "source", "base_url"}
    kept = old.model_dump(mode="json", exclude_unset=True, exclude=stale) if old else {}
    text = price_card_text(name, input_usd, output_usd, base_url, kept)
    parse_language_model_card(text)
    try:
        user_folder.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise UserError(f"{file}: can't be written: {error.strerror or error}") from error
    return file


def price_file(user_folder: Path, name: str) -> Path:
    """Return the file that a new card of a language model is to have."""
    return _place(user_folder, name, None)[0]


def _place(folder: Path, name: str, base_url: str | None) -> tuple[Path, LanguageModelCard | None]:
    """Return where a price is stored: the card of the same model and server, else a file that does not exist yet."""
    for file, card in _own_cards(folder):
        if (card.name, card.base_url) == (name, base_url):
            return file, card
    stem = card_stem(name)
    names = (folder / f"{stem}{'' if number == 1 else f'-{number}'}.yaml" for number in count(1))
    return next(file for file in names if not file.exists()), None


def _own_cards(folder: Path | None) -> Iterator[tuple[Path, LanguageModelCard]]:
    for file in user_card_files(folder):
        card = read_card(file)
        if isinstance(card, LanguageModelCard):
            yield file, card
