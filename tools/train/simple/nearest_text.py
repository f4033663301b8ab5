"""The nearest training text answers: its answer is copied, word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.progress import SAMPLE
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.simple.tfidf import Vectors, fit_vectors, read_vectors

KNOWN, ANSWERS, IDF = "texts.npz", "answers.jsonl", "idf.npz"
BLOCK = 4_000_000
"""So many similarities are held at once."""


class NearestTextModel:
    """TF-IDF rows of the training texts (rows, features) and their answers; the largest dot product wins."""

    best_step = 1

    def __init__(self, vectors: Vectors, known: Any, answers: list[str]) -> None:
        self.vectors, self.known, self.answers = vectors, known, answers

    def predict(self, x: Examples) -> Prediction:
        """Copy the answer of the nearest text, of the first one among equally near ones."""
        rows, size = self.vectors(x).astype(np.float32), max(1, BLOCK // len(self.answers))
        nearest = [
            int(place)
            for start in range(0, len(x), size)
            for place in (rows[start : start + size] @ self.known.T).toarray().argmax(axis=1)
        ]
        return records({"text": self.answers[place]} for place in nearest)

    def save(self, folder: Path) -> None:
        """Write the vocabularies, the rows and the answers, one JSON string a line."""
        from scipy.sparse import save_npz

        np.savez(folder / IDF, allow_pickle=False, **self.vectors.save(folder))
        save_npz(folder / KNOWN, self.known)
        lines = [json.dumps(text, ensure_ascii=False) for text in self.answers]
        (folder / ANSWERS).write_text("\n".join(lines), encoding="utf-8")


class NearestTextTrainer:
    """Remembers the training texts and logs one row."""

    name = "nearest_text"
    step_name = "iteration"
    package = "sklearn"
    reads = frozenset({"ngrams", "characters", "features"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> NearestTextModel:
        """Remember; ToolError where there are no rows."""
        if not len(data.y):
            raise ToolError("there are no training rows: nothing can be fitted")
        vectors = fit_vectors(data.x, hyperparameters)
        answers = [record["texts"][0] for record in data.y]
        model = NearestTextModel(vectors, vectors(data.x).astype(np.float32), answers)
        sample = slice(0, SAMPLE)
        train = data.score_train(model.predict(data.x[sample]), sample)
        emit(1, train, data.score_valid(model.predict(data.x_valid)))
        return model

    def load(self, folder: Path) -> NearestTextModel:
        """Read a model that was saved."""
        from scipy.sparse import load_npz

        with np.load(folder / IDF, allow_pickle=False) as arrays:
            vectors = read_vectors(folder, arrays)
        lines = (folder / ANSWERS).read_text(encoding="utf-8").split("\n")
        return NearestTextModel(vectors, load_npz(folder / KNOWN).tocsr(), [json.loads(line) for line in lines])
