"""What the product recalls of trials that a benchmark made: kept in a store of their own, asked for as a run asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.experience.recall import Question, recall
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.past import PastSet, PastTrial
from automl_gpt.tools.journal.store import open_journal

Finished = Sequence[tuple[Hyperparameters, float]]
"""Configurations with their scores."""


def made_trials(one: PastSet, model: str, finished: Finished) -> list[PastTrial]:
    """Return trials of a model on a data set as the store has them; a second each."""
    return [
        PastTrial(one.fingerprint, one.metric, model, h, value, 1.0, None, (), one.name, imported=True)
        for h, value in finished
    ]


def recalled(
    name: str, task: str, metric: str, meta: MetaFeatures, known: Mapping[PastSet, Sequence[PastTrial]]
) -> list[SimilarTrial]:
    """Return what a run on some data is reminded of, out of these trials alone."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        journal = open_journal(f"sqlite:///{home / 'journal.db'}", home)
        try:
            with journal.database.writing() as connection:
                for one, trials in known.items():
                    past.keep_set(connection, one)
                    past.keep_trials(connection, trials, 0.0)
            return recall(journal, Question(name, task, metric, meta, "", ""), with_shipped=False)
        finally:
            journal.close()
