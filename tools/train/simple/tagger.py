"""Tags from words, their neighbours and shapes: hashed features (Weinberger et al., 2009), logistic regression."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.progress import SAMPLE
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import real, whole, word

FILE, ABOUT = "tagger.npz", "tagger.json"
BITS = 18
"""Features are hashed to 2^BITS columns."""
ROWS = 20_000
"""Sentences whose features are held at once when tags are predicted."""
BEFORE, AFTER = ["<", "<"], [">", ">"]
"""What stands around a sentence."""


class TaggerModel:
    """Coefficients of shape (columns, tags) and intercepts of shape (tags,)."""

    def __init__(self, coefficients: NDArray[np.float32], intercepts: NDArray[np.float32], best_step: int) -> None:
        self.coefficients, self.intercepts, self.best_step = coefficients, intercepts, best_step

    def predict(self, x: Examples) -> Prediction:
        """Return one tag for each word of each row."""
        listed: list[dict[str, Any]] = []
        for begin in range(0, len(x), ROWS):
            sentences = x[begin : begin + ROWS].column("tokens")
            listed += self.of_features(hashed(sentences), sentences)
        return records(listed)

    def of_features(self, features: Any, sentences: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """Return the tags of sentences whose features, one row per word, are known already."""
        codes = np.asarray(features @ self.coefficients + self.intercepts).argmax(axis=1)
        ends = np.cumsum([len(words) for words in sentences])
        return [{"tags": part.tolist()} for part in np.split(codes, ends[:-1])] if len(ends) else []

    def save(self, folder: Path) -> None:
        """Write the coefficients as compressed arrays, the step as JSON."""
        arrays = {"coefficients": self.coefficients, "intercepts": self.intercepts}
        np.savez_compressed(folder / FILE, allow_pickle=False, **arrays)
        (folder / ABOUT).write_text(json.dumps({"best_step": self.best_step}), encoding="utf-8")


class TaggerTrainer:
    """Passes over the words several times by stochastic gradient descent, and keeps the best pass."""

    name = "word_tagger"
    step_name = "epoch"
    package = "sklearn"
    reads = frozenset({"alpha", "epochs", "class_weight"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> TaggerModel:
        """Fit the tagger, logging after each pass; ToolError where there are no tagged words."""
        alpha, epochs = real(hyperparameters, "alpha"), whole(hyperparameters, "epochs")
        tags = np.array([code for record in data.y for code in record["tags"]], dtype=np.int64)
        if not len(tags):
            raise ToolError("there are no tagged words in the training rows: nothing can be fitted")
        weight = _word_weights(data, tags, word(hyperparameters, "class_weight") == "balanced")
        sentences, sentences_valid = data.x.column("tokens"), data.x_valid.column("tokens")
        features, features_valid = hashed(sentences), hashed(sentences_valid)
        some = sentences[:SAMPLE]
        words = sum(map(len, some))
        best, best_score = None, float("nan")
        for step, model in enumerate(_passes(features, tags, weight, alpha, data), 1):
            valid = data.score_valid(records(model.of_features(features_valid, sentences_valid)))
            train = data.score_train(records(model.of_features(features[:words], some)), slice(len(some)))
            if best is None or data.metric.better(valid, best_score):
                best, best_score = model, valid
            if not emit(step, train, valid) or step == epochs:
                break
        assert best is not None, "a step was logged"
        return best

    def load(self, folder: Path) -> TaggerModel:
        """Read a tagger that was saved."""
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return TaggerModel(arrays["coefficients"], arrays["intercepts"], about["best_step"])


def _passes(
    features: Any, tags: NDArray[np.int64], weight: NDArray[np.float64], alpha: float, data: FitData
) -> Iterator[TaggerModel]:
    """Yield the tagger after each pass, with averaged coefficients (Polyak and Juditsky, 1992), without an end."""
    from sklearn.linear_model import SGDClassifier

    present = np.unique(tags)
    if len(present) == 1:
        while True:
            yield _placed(np.zeros((features.shape[1], 1)), np.zeros(1), present, data, 1)
    fitted: Any = SGDClassifier(loss="log_loss", alpha=alpha, average=True, n_jobs=data.threads)
    step = 0
    while True:
        fitted.set_params(random_state=(data.seed + step) % 2**31)
        step += 1
        fitted.partial_fit(features, tags, classes=present, sample_weight=weight)
        both = len(present) == 2
        coefficients = np.vstack([-fitted.coef_, fitted.coef_]) if both else fitted.coef_
        intercepts = np.concatenate([-fitted.intercept_, fitted.intercept_]) if both else fitted.intercept_
        yield _placed(coefficients.T, intercepts, present, data, step)


def _placed(coefficients: Any, intercepts: Any, present: NDArray[np.int64], data: FitData, step: int) -> TaggerModel:
    """Return the tagger with a column for every tag; those that do not occur in training are never chosen."""
    tags = max(len(data.labels), int(present[-1]) + 1)
    whole_coefficients = np.zeros((len(coefficients), tags), dtype=np.float32)
    whole_intercepts = np.full(tags, np.finfo(np.float32).min, dtype=np.float32)
    whole_coefficients[:, present], whole_intercepts[present] = coefficients, intercepts
    return TaggerModel(whole_coefficients, whole_intercepts, step)


def _word_weights(data: FitData, tags: NDArray[np.int64], balanced: bool) -> NDArray[np.float64]:
    weight = np.ones(len(tags))
    if data.weight is not None:
        rows = np.repeat(data.weight, [len(record["tags"]) for record in data.y])
        weight = rows / (rows.mean() or 1.0)
    if balanced:
        counts = np.bincount(tags)
        weight = weight * len(tags) / (np.count_nonzero(counts) * counts[tags])
    return weight


# ------------------------------------------------------------------------------------------------------------- features


def hashed(sentences: Sequence[Sequence[str]]) -> Any:
    """Return the features of all words as a sparse matrix of shape (words, 2^BITS)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction import FeatureHasher

    if not any(sentences):
        return csr_matrix((0, 2**BITS))
    hasher: Any = FeatureHasher(2**BITS, input_type="string")
    return hasher.transform(one for words in sentences for one in word_features(words))


def word_features(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the features of each word: itself, its ends and shape, and those of two words on either side."""
    plain = [*BEFORE, *(one.lower() for one in words), *AFTER]
    shapes = [*BEFORE, *map(shape, words), *AFTER]
    for at in range(2, len(plain) - 2):
        one = plain[at]
        yield [
            "bias",
            "w=" + one,
            "s=" + shapes[at],
            *(f"p{n}={one[:n]}" for n in (1, 2, 3)),
            *(f"e{n}={one[-n:]}" for n in (1, 2, 3, 4)),
            *(f"w{by:+d}={plain[at + by]}" for by in (-2, -1, 1, 2)),
            *(f"s{by:+d}={shapes[at + by]}" for by in (-1, 1)),
            f"w-1w={plain[at - 1]} {one}",
            f"ww+1={one} {plain[at + 1]}",
            f"sss={shapes[at - 1]} {shapes[at]} {shapes[at + 1]}",
        ]


def shape(one: str) -> str:
    """Return a word's shape: X for runs of capitals, x for runs of other letters, 0 for runs of digits."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in one]
    return "".join(c for c, before in zip(kinds, ["", *kinds], strict=False) if c != before)
