"""Copies and near-copies among examples: rows that belong on one side of a division."""

from __future__ import annotations

from automl_gpt.tools.corpus.copies import Copies
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.near_pictures import near_pictures
from automl_gpt.tools.corpus.near_text import near_texts
from automl_gpt.tools.train.protocol import TaskKind


def near_copies(examples: Examples, kind: TaskKind) -> Copies:
    """Find rows whose inputs are the same, or nearly so."""
    return near_pictures(examples) if "image" in examples.roles else near_texts(examples, kind)
