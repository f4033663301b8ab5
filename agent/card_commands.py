"""`automl-gpt cards list | show | check | new`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.library import data_cards, find_any_card, language_model_cards, model_cards
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.data.card import draft_card
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.train.deep.card import draft_model_card
from automl_gpt.tools.train.deep.weights import check_weights
from automl_gpt.tools.train.deep.weights_folder import HUB, is_weights
from automl_gpt.tools.train.registry import trainer


def list_cards(folder: Path, console: Console) -> None:
    """List all cards: shipped ones, and those in the person's folder."""
    table = Table("card", "kind", "about", box=None, pad_edge=False)
    for card in data_cards(folder).values():
        table.add_row(Text(card.name), "data", Text(_first_sentence(card.description)))
    for card in model_cards(folder).values():
        table.add_row(Text(card.name), "model", Text(_first_sentence(card.description)))
    for card in language_model_cards(folder).values():
        table.add_row(Text(card.name), "language model", Text(card.price()))
    Console(highlight=False).print(table)
    console.print(f"your own cards are looked for in {folder}", markup=False)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".")


def show_card(name: str, folder: Path) -> str:
    """Return a card's text, as it stands in its file."""
    _, file = find_any_card(name, folder)
    return file.read_text(encoding="utf-8").rstrip()


def check_card(file: Path, folder: Path, console: Console) -> None:
    """Check a card; of a Data Card its data too, of a Model Card that its trainer reads what it names."""
    card, path = find_any_card(str(file), folder)
    if isinstance(card, LanguageModelCard):
        console.print(f"{path}: the Language Model Card {card.name} is right: {card.price()}", markup=False)
        return
    if isinstance(card, ModelCard):
        known = trainer(card.trainer).reads
        for name in card.search_space:
            if name not in known:
                reads = ", ".join(sorted(known))
                raise UserError(
                    f"{path}: search_space.{name}: the trainer {card.trainer} does not read it; it reads: {reads}"
                )
        if card.source is not None:
            check_weights(card.source)
        console.print(f"{path}: the Model Card {card.name} is right", markup=False)
        return
    _check_data(card, path, console)


def _check_data(card: DataCard, path: Path, console: Console) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        profile = prepare(card, path.parent, Path(scratch))
    metric_for(card.metric, profile.task, profile.modality)
    for text in profile.inferred:
        console.print(f"inferred: {text}", markup=False)
    for finding in profile.findings:
        console.print(f"{finding.level}: {finding.text}", markup=False)
    rows = f"{profile.rows} rows, {profile.features} features, {profile.task}"
    console.print(f"{path}: the Data Card is right: {rows}", markup=False)


def new_card(
    file: Path, target: str | None, out: Path | None, task: str | None = None, name: str | None = None
) -> Path:
    """Write a Data Card for data, a file or a folder, beside them, or a Model Card for weights: a folder, or `hub:ID`.

    UserError where the card exists already, or an option is for cards of the other kind.
    """
    weights = is_weights(file) or str(file).startswith(HUB)
    if weights and target is not None:
        raise UserError(f"--target is for data, and {file} is a folder of weights: leave it out")
    path = out or _beside(file)
    if path.exists():
        raise UserError(f"{path} exists already: name another file with --out, or remove it")
    if weights:
        text = draft_model_card(str(file), task, name)
    else:
        text = draft_card(file, target, name, folder=path.parent, task=task)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error
    return path


def _beside(file: Path) -> Path:
    """Return the card's file: beside the data or the weights; in the working folder for those of the hub."""
    if str(file).startswith(HUB):
        return Path(f"{file.name.removeprefix(HUB)}.yaml")
    place = file.resolve() if file.is_dir() else file
    return place.with_name(f"{place.name if file.is_dir() else place.name.split('.')[0]}.yaml")
