"""TF-IDF of words and characters with a linear model: seconds of training, and often hard to beat on topics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.goal import Goal, read_goal, take_aim
from automl_gpt.tools.train.linear import LinearSolver
from automl_gpt.tools.train.progress import Progress, checkpoints
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import real, whole, word

VOCABULARY, WEIGHTS = "vocabulary.json", "tfidf.npz"
MOST_ITERATIONS = 100
CHARACTERS = (2, 5)
"""Lengths of the pieces of words that are counted besides words."""


class Vectors:
    """Turns texts into sparse rows of TF-IDF (Spärck Jones, 1972), words and pieces of words side by side.

    A pair of texts becomes both, and the words that they share.
    """

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __call__(self, x: Examples) -> Any:
        """Return a sparse float64 matrix of shape (rows, features)."""
        from scipy.sparse import csr_matrix, hstack

        texts = x.column("text")
        if not texts:
            return csr_matrix((0, self.width("pair" in x.roles)))
        blocks = [part.transform(texts) for part in self.parts]
        if "pair" in x.roles:
            others = [part.transform(x.column("pair")) for part in self.parts]
            blocks += [*others, *(a.multiply(b) for a, b in zip(blocks, others, strict=True))]
        return hstack(blocks).tocsr()

    def width(self, pairs: bool) -> int:
        """Return the number of features."""
        return sum(len(part.vocabulary_) for part in self.parts) * (3 if pairs else 1)

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        """Write the vocabularies, and return what belongs beside the weights."""
        told = [
            {
                "analyzer": p.analyzer,
                "range": list(p.ngram_range),
                "words": sorted(p.vocabulary_, key=p.vocabulary_.get),
            }
            for p in self.parts
        ]
        (folder / VOCABULARY).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        return {f"idf_{i}": part.idf_ for i, part in enumerate(self.parts)}


def fit_vectors(x: Examples, hyperparameters: Hyperparameters) -> Vectors:
    """Learn the vocabularies of the training texts."""
    texts = x.column("text") + (x.column("pair") if "pair" in x.roles else [])
    most = whole(hyperparameters, "features")
    wanted = [("word", (1, whole(hyperparameters, "ngrams")))]
    if word(hyperparameters, "characters") == "yes":
        wanted.append(("char_wb", CHARACTERS))
    return Vectors([_fitted(analyzer, span, most, texts) for analyzer, span in wanted])


def _vectorizer(analyzer: str, span: tuple[int, int], **more: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Single characters are words, too: "I", "?" and most of Chinese are none of them for the default.
    pattern = {"token_pattern": r"(?u)\w+|[^\w\s]"} if analyzer == "word" else {}
    return TfidfVectorizer(analyzer=analyzer, ngram_range=span, sublinear_tf=True, **pattern, **more)


def _fitted(analyzer: str, span: tuple[int, int], most: int, texts: list[str]) -> Any:
    rare = 2 if len(texts) >= 1000 else 1
    return _vectorizer(analyzer, span, min_df=rare, max_features=most).fit(texts)


def read_vectors(folder: Path, arrays: Any) -> Vectors:
    """Read vocabularies that were saved."""
    parts: list[Any] = []
    for i, told in enumerate(json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))):
        vocabulary = {w: place for place, w in enumerate(told["words"])}
        part = _vectorizer(told["analyzer"], tuple(told["range"]), vocabulary=vocabulary)
        part.idf_ = arrays[f"idf_{i}"]
        parts.append(part)
    return Vectors(parts)


class TfidfModel:
    """Weights (features, outputs) and offsets (outputs,) over TF-IDF."""

    def __init__(
        self, vectors: Vectors, weights: NDArray[np.float32], offsets: NDArray[np.float64], goal: Goal, best_step: int
    ) -> None:
        self.vectors, self.weights, self.offsets = vectors, weights, offsets
        self.goal, self.best_step = goal, best_step

    def predict(self, x: Examples) -> Prediction:
        """Return probabilities (rows, classes), or values (rows,)."""
        return self.of_vectors(self.vectors(x))

    def of_vectors(self, x: Any) -> Prediction:
        """Predict rows that are vectors already."""
        return self.goal.of_logits(np.asarray(x @ self.weights, dtype=np.float64) + self.offsets)

    def save(self, folder: Path) -> None:
        """Write vocabularies, weights and the goal."""
        more = self.vectors.save(folder)
        np.savez_compressed(folder / WEIGHTS, allow_pickle=False, weights=self.weights, offsets=self.offsets, **more)
        self.goal.save(folder, self.best_step)


class TfidfTrainer:
    """Logistic regression by L-BFGS, or ridge regression; logged at growing numbers of iterations, the best kept."""

    name = "tfidf_linear"
    step_name = "iteration"
    package = "sklearn"
    reads = frozenset({"ngrams", "characters", "features", "penalty", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> TfidfModel:
        """Fit the model; ToolError where the rows hold one class or the fit diverges."""
        aim = take_aim(data, hyperparameters)
        vectors = fit_vectors(data.x, hyperparameters)
        progress = Progress(data, emit, by_labels=True)
        x, x_valid = vectors(data.x), vectors(data.x_valid)
        solver = LinearSolver(x, aim, real(hyperparameters, "penalty"), data.seed)
        best: TfidfModel | None = None
        for step in checkpoints(MOST_ITERATIONS, ratio=1.6):
            weights, offsets = solver.solve(step)
            last = TfidfModel(vectors, weights.astype(np.float32), offsets, aim.goal, step)
            go_on = progress.log(step, last.of_vectors(x[progress.sample]), last.of_vectors(x_valid))
            best = last if progress.best_step == step or best is None else best
            if not go_on or solver.converged or step > max(20, 3 * progress.best_step):
                break
        progress.need_best()
        assert best is not None, "a step was logged"
        return best

    def load(self, folder: Path) -> TfidfModel:
        """Read a model that was saved."""
        goal = read_goal(folder)
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            vectors = read_vectors(folder, arrays)
            return TfidfModel(vectors, arrays["weights"], arrays["offsets"], goal, goal.best_step)
