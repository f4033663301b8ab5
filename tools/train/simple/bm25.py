"""BM25 (Robertson and Zaragoza, 2009): passages ranked by the words that they share with the question."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.progress import SAMPLE
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import real, word
from automl_gpt.tools.train.simple.passages import passages_of, ranked, read_passages, write_passages

FOLDER, UNIT = "bm25", "unit.json"
_WORD = re.compile(r"\w+")


def units(text: str, unit: str) -> list[str]:
    """Return the words of a text without case, or the trigrams of its words: for inflected or unspaced languages."""
    words: list[str] = _WORD.findall(text.casefold())
    if unit == "word":
        return words
    return [w[i : i + 3] for w in words for i in range(max(1, len(w) - 2))]


class Index:
    """Passages by their words, as `bm25s` (Lù, 2024) keeps them."""

    def __init__(self, bm25: Any, unit: str) -> None:
        self.bm25, self.unit = bm25, unit

    @classmethod
    def of(cls, passages: Sequence[str], k1: float, b: float, unit: str) -> Index:
        """Index passages: `k1` saturates repeated words, `b` discounts long passages."""
        import bm25s

        bm25: Any = bm25s.BM25(k1=k1, b=b)
        corpus = [units(text, unit) for text in passages]
        # The library refuses a corpus without a single word; the empty one is in no question.
        bm25.index(corpus if any(corpus) else [[""], *corpus[1:]], show_progress=False)
        return cls(bm25, unit)

    def scores(self, question: str) -> NDArray[np.float32]:
        """Return the score of each passage for a question; 0 where they share no word."""
        known = self.bm25.get_tokens_ids(units(question, self.unit))
        if not known:
            return np.zeros(self.bm25.scores["num_docs"], dtype=np.float32)
        return self.bm25.get_scores_from_ids(known)


class BM25Model:
    """An index of the passages; those without a word of the question are not ranked."""

    best_step = 1

    def __init__(self, index: Index, passages: list[str]) -> None:
        self.index, self.passages = index, passages

    def predict(self, x: Examples) -> Prediction:
        """Rank the passages for each question."""
        return records(
            record
            for question in x.column("question")
            for record in ranked(self.index.scores(question)[None, :], least=0.0)
        )

    def save(self, folder: Path) -> None:
        """Write the index (arrays and JSON) and the passages."""
        self.index.bm25.save(str(folder / FOLDER), show_progress=False)
        (folder / FOLDER / UNIT).write_text(json.dumps(self.index.unit), encoding="utf-8")
        write_passages(folder, self.passages)


class BM25Trainer:
    """Indexes the passages and logs one row."""

    name = "bm25"
    step_name = "iteration"
    package = "bm25s"
    reads = frozenset({"k1", "b", "unit"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> BM25Model:
        """Index; ToolError where there are no passages."""
        chosen = real(hyperparameters, "k1"), real(hyperparameters, "b"), word(hyperparameters, "unit")
        passages = passages_of(data)
        model = BM25Model(Index.of(passages, *chosen), passages)
        sample = slice(0, SAMPLE)
        train = data.score_train(model.predict(data.x[sample]), sample)
        emit(1, train, data.score_valid(model.predict(data.x_valid)))
        return model

    def load(self, folder: Path) -> BM25Model:
        """Read an index that was saved."""
        import bm25s

        bm25: Any = bm25s.BM25.load(str(folder / FOLDER), show_progress=False)
        unit = json.loads((folder / FOLDER / UNIT).read_text(encoding="utf-8"))
        return BM25Model(Index(bm25, unit), read_passages(folder))
