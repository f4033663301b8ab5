"""Read what a Data Card's source names, by modality, task and format, into raw examples."""

from __future__ import annotations

from pathlib import Path

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.pictures import read_pictures
from automl_gpt.tools.corpus.questions import read_questions
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.corpus.retrieval import read_retrieval
from automl_gpt.tools.corpus.sources import open_parts
from automl_gpt.tools.corpus.tags import read_tagged
from automl_gpt.tools.corpus.texts import read_generated, read_labelled


def read(card: DataCard, base: Path | None = None) -> RawExamples:
    """Read texts or pictures; relative paths start at `base`. Raises UserError in one line."""
    if card.modality == "image":
        return read_pictures(card, base)
    if card.task == "detection":
        raise UserError("task 'detection' does not fit texts: it needs modality: image")
    parts = open_parts(card, base)
    match card.task:
        case "token-classification":
            return read_tagged(card, parts)
        case "question-answering":
            return read_questions(card, parts)
        case "text-generation":
            return read_generated(card, parts)
        case "retrieval":
            return read_retrieval(card, parts, base)
        case _:
            return read_labelled(card, parts)
