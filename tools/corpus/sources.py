"""The parts that a Data Card's source names, opened: files of rows, CoNLL, or a data set of the hub."""

from __future__ import annotations

from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Sources
from automl_gpt.tools.corpus.conll import is_conll, open_conll
from automl_gpt.tools.corpus.hub import SCHEME, open_hub
from automl_gpt.tools.corpus.rows import Source, open_rows

Parts = dict[str, Source]
"""Sources by part: train, and valid and test where there are."""


def open_parts(card: DataCard, base: Path | None) -> Parts:
    """Open what a card's source names; relative paths start at `base`. Raises UserError in one line."""
    if isinstance(card.source, str):
        if card.source.startswith(SCHEME):
            return open_hub(card.source, base)
        return {"train": _open(card, card.source, base)}
    return {name: _open(card, path, base) for name, path in _paths(card.source).items()}


def place(path: str, base: Path | None) -> Path:
    """Return the path of a file that a card names."""
    return (base or Path()) / Path(path).expanduser()


def _paths(sources: Sources) -> dict[str, str]:
    named = {"train": sources.train, "valid": sources.valid, "test": sources.test}
    return {name: path for name, path in named.items() if path is not None}


def _open(card: DataCard, name: str, base: Path | None) -> Source:
    scheme = name.partition(":")[0]
    if scheme in ("hub", "sklearn", "openml"):
        raise UserError(f"source {name!r}: texts are read from files, or as a whole from hub:ID")
    path = place(name, base)
    return open_conll(path) if card.task == "token-classification" and is_conll(path) else open_rows(path)
