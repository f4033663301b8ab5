"""Answers without a network: words of the passage that stand near those of the question, and look like an answer.

Every span of a sentence is scored by a linear model on features of its first and last word, its neighbours and its
inner words, and on the share of the question's TF-IDF weight in its sentence: the sliding window of Richardson et al.
(2013) and the log-linear model of Rajpurkar et al. (2016, "SQuAD", section 5), made small. Weights hang on frequent
words of the question, so that `who` may ask for capitals and `when` for digits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.progress import SAMPLE
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import real, whole
from automl_gpt.tools.train.simple.span_features import Passage, Vocabulary, learn_vocabulary, read_words

FILE, ABOUT = "spans.npz", "spans.json"
QUESTIONS = 3_000
"""At most this many questions are learnt from."""
WRONG = 12
"""Wrong spans at random that are set against each right one, and as many that a first model takes for right."""
ITERATIONS = 60
THRESHOLDS = 40
Span = tuple[str, int, float, float]
"""A span's text, where it starts, its score under the model, its share of the probability of all spans."""


class OverlapModel:
    """Weights of shape (1 + KINDS, features), and the score below which nothing is answered."""

    best_step = 1

    def __init__(self, vocabulary: Vocabulary, weights: NDArray[np.float64], most_words: int, least: float) -> None:
        self.vocabulary, self.weights, self.most_words, self.least = vocabulary, weights, most_words, least

    def predict(self, x: Examples) -> Prediction:
        """Return for each row the span with the highest score."""
        return self.judged(self.scored(x))

    def judged(self, found: list[Span]) -> Prediction:
        """Return the answers of spans with their scores: none where the score is too low."""
        return records(self._record(*one) for one in found)

    def scored(self, x: Examples) -> list[Span]:
        """Return for each row the best span."""
        passages: dict[str, Passage] = {}
        found: list[Span] = []
        for question, context in zip(x.column("question"), x.column("context"), strict=True):
            if context not in passages:
                passages[context] = Passage(context, self.vocabulary)
            found.append(self._best(question, passages[context]))
        return found

    def _best(self, question: str, passage: Passage) -> Span:
        asked = read_words(question)
        weights = self.vocabulary.kinds(asked) @ self.weights
        first, words, score, share = passage.best(asked, weights, self.most_words)
        if not words:
            return "", -1, -np.inf, 0.0
        begin, end = passage.begins[first], passage.ends[first + words - 1]
        return passage.text[begin:end], int(begin), score, share

    def _record(self, text: str, start: int, score: float, share: float) -> dict[str, Any]:
        if score < self.least or start < 0:
            return {"text": "", "start": -1, "score": 0.0}
        return {"text": text, "start": start, "score": share}

    def save(self, folder: Path) -> None:
        """Write the weights as an array, the words as JSON."""
        np.savez(folder / FILE, allow_pickle=False, weights=self.weights)
        least = None if np.isinf(self.least) else self.least
        about = {"vocabulary": asdict(self.vocabulary), "most_words": self.most_words, "least": least}
        (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


class OverlapTrainer:
    """Sets right spans against wrong ones twice, the second time against those that the first model fell for."""

    name = "sentence_overlap"
    step_name = "iteration"
    package = "scipy"
    reads = frozenset({"most_words", "penalty"})

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> OverlapModel:
        """Fit the weights and log one row; ToolError where no answer can be learnt from."""
        most, penalty = whole(hyperparameters, "most_words"), real(hyperparameters, "penalty")
        draw = np.random.default_rng(data.seed)
        contexts = data.x.column("context")
        vocabulary = learn_vocabulary(dict.fromkeys(contexts), data.x.column("question"))
        cases = _cases(data, vocabulary, most, np.sort(draw.permutation(len(data.y))[:QUESTIONS]))
        if not cases:
            raise ToolError(f"no training row has an answer of at most {most} words: nothing can be fitted")
        model = OverlapModel(vocabulary, np.zeros((0, 0)), most, -np.inf)
        for _ in range(2):
            model.weights = _fitted(cases, model, penalty / len(cases), draw)
        some = data.x[: min(SAMPLE, len(data.y))]
        if any(not record["answers"] for record in data.y):
            model.least = _threshold(model, some, data)
        train = data.score_train(model.predict(some), slice(len(some)))
        emit(1, train, data.score_valid(model.predict(data.x_valid)))
        return model

    def load(self, folder: Path) -> OverlapModel:
        """Read a model that was saved."""
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        least = -np.inf if about["least"] is None else float(about["least"])
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return OverlapModel(Vocabulary(**about["vocabulary"]), arrays["weights"], about["most_words"], least)


@dataclass(frozen=True)
class _Case:
    """A question, its passage, the first word and the number of words of its answer, and the row's weight."""

    asked: Sequence[str]
    passage: Passage
    first: int
    words: int
    weight: float


def _cases(data: FitData, vocabulary: Vocabulary, most: int, rows: NDArray[np.intp]) -> list[_Case]:
    passages: dict[str, Passage] = {}
    cases: list[_Case] = []
    told = data.x[rows]
    for row, question, context in zip(rows, told.column("question"), told.column("context"), strict=True):
        record = data.y[row]
        if not record["answers"]:
            continue
        if context not in passages:
            passages[context] = Passage(context, vocabulary)
        passage, begin = passages[context], int(record["starts"][0])
        hit = np.flatnonzero((passage.ends > begin) & (passage.begins < begin + len(record["answers"][0])))
        if 0 < len(hit) <= most:
            weight = 1.0 if data.weight is None else float(data.weight[row])
            cases.append(_Case(read_words(question), passage, int(hit[0]), len(hit), weight))
    return cases


def _fitted(cases: list[_Case], model: OverlapModel, penalty: float, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return the weights under which the right spans stand out among wrong ones, some of which `model` falls for.

    A conditional logit (McFadden, 1974): the probability of a span is its softmax among those of its question.
    """
    from scipy.optimize import minimize
    from scipy.sparse import csr_matrix, diags, hstack, vstack

    parts: list[Any] = []
    kinds: list[NDArray[np.float64]] = []
    for case in cases:
        firsts, words = _spans(case, model, draw)
        parts.append(
            csr_matrix(case.passage.span_features(case.asked, firsts, words, model.most_words), dtype=np.float32)
        )
        kinds += [model.vocabulary.kinds(case.asked)] * len(firsts)
    spans, active = vstack(parts), np.array(kinds, dtype=np.float32)
    x: Any = hstack([diags(column) @ spans for column in active.T], format="csr")
    counts = np.array([part.shape[0] for part in parts])
    weight = np.array([case.weight for case in cases])
    begin = np.zeros(x.shape[1]) if not len(model.weights) else model.weights.ravel()
    loss = _conditional_logit(x, counts, weight / weight.sum(), penalty)
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return found.x.reshape(active.shape[1], -1)


def _conditional_logit(x: Any, counts: NDArray[np.intp], weight: NDArray[np.float64], penalty: float) -> Any:
    """Return the loss and its gradient as a function of the weights; of each question the first span is right."""
    right = np.concatenate([[0], np.cumsum(counts)[:-1]])
    transposed = x.T.tocsr()

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = x @ w
        share = np.exp(scores - np.repeat(np.maximum.reduceat(scores, right), counts))
        share /= np.repeat(np.add.reduceat(share, right), counts)
        value = -(weight * np.log(np.maximum(share[right], 1e-300))).sum() + penalty / 2 * (w @ w)
        share *= np.repeat(weight, counts)
        share[right] -= weight
        return float(value), transposed @ share + penalty * w

    return loss


def _spans(case: _Case, model: OverlapModel, draw: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first words and the numbers of words of the right span, and then of wrong ones."""
    able = _all_spans(case, model)
    chosen = draw.permutation(len(able))[:WRONG]
    if len(model.weights):
        chosen = np.union1d(chosen, np.argsort(-able[:, 2], kind="stable")[:WRONG])
    wrong = able[chosen]
    firsts = np.concatenate([[case.first], wrong[:, 0].astype(np.intp)])
    return firsts, np.concatenate([[case.words], wrong[:, 1].astype(np.intp)])


def _all_spans(case: _Case, model: OverlapModel) -> NDArray[np.float64]:
    """Return first word, number of words and score of all wrong spans that stay within a sentence."""
    passage, most = case.passage, model.most_words
    weights = np.zeros(model.vocabulary.features(most))
    if len(model.weights):
        weights = model.vocabulary.kinds(case.asked) @ model.weights
    able = [
        np.column_stack([np.arange(len(scores)), np.full(len(scores), words), scores])
        for words, scores in enumerate(passage.scores(case.asked, weights, most), 1)
    ]
    listed: NDArray[np.float64] = np.concatenate(able, dtype=np.float64)
    right = (listed[:, 0] == case.first) & (listed[:, 1] == case.words)
    return listed[np.isfinite(listed[:, 2]) & ~right]


def _threshold(model: OverlapModel, some: Examples, data: FitData) -> float:
    """Return the score below which it pays to say that there is no answer, by the run's metric on training rows."""
    found = model.scored(some)
    scores = np.array([score for _, _, score, _ in found])
    finite = scores[np.isfinite(scores)]
    best, chosen = data.metric.sign * -np.inf, -np.inf
    for least in [-np.inf, *np.quantile(finite, np.linspace(0, 1, THRESHOLDS)), np.inf]:
        model.least = float(least)
        value = data.score_train(model.judged(found), slice(len(some)))
        if data.metric.better(value, best):
            best, chosen = value, float(least)
    return chosen
