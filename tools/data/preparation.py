"""Prepare any data set: tables as matrices, texts and pictures as examples."""

from __future__ import annotations

from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus import prepare as corpus
from automl_gpt.tools.corpus.picture_parts import source_paths
from automl_gpt.tools.corpus.recognise import obvious
from automl_gpt.tools.data import profile as table
from automl_gpt.tools.data.report import Profile


def prepare(card: DataCard, base_dir: Path | None, folder: Path, core_seconds: float | None = None) -> Profile:
    """Load, check, divide and write a data set into `folder` (see `prepared`), and return its profile.

    UserError in one line where the data or the card can't be used, or packages for texts and pictures are missing.
    """
    _check_modality(card, base_dir)
    if card.modality == "tabular":
        return table.prepare(card, base_dir, folder, core_seconds)
    try:
        import datasets as _  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"modality {card.modality} needs packages that are not installed: pip install 'automl-gpt[deep]'"
        ) from error
    return corpus.prepare(card, base_dir, folder, core_seconds)


def _check_modality(card: DataCard, base: Path | None) -> None:
    """Raise UserError where a source is plainly of another modality or task than the card says."""
    for name in source_paths(card).values():
        path = (base or Path()) / Path(name).expanduser()
        found = obvious(path) if path.exists() else None
        if found is None:
            continue
        if found.modality != card.modality:
            also = f" and `task: {found.task}`" if found.task not in (card.task, "classification") else ""
            raise UserError(
                f"card: modality: {path} holds {found.what}, no {_KINDS[card.modality]}: write "
                f"`modality: {found.modality}`{also} (`automl-gpt cards new {path}` writes such a card)"
            )
        if card.task is None and card.target is None and card.modality == "text":
            raise UserError(f"card: task: {path} holds {found.what}: write `task: {found.task}`")


_KINDS = {"tabular": "table", "text": "rows of texts", "image": "pictures"}
