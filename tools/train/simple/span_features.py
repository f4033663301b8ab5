"""Words of a passage as numbers, those that depend on the question too, and spans of words as sums of them.

A word has D features. A span of words from `first` on has 5 D + `most`: those of its first word, its last word, the
words before and behind it, the mean over its words, and which length it has. So the score of every span under a linear
model is a sum of a few numbers per word, and all spans of a passage are scored at once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WORD = re.compile(r"[぀-ヿ一-鿿฀-๿]|\w+(?:[-'’.,]\w+)*|[^\w\s]")
"""Words with what joins their parts, single signs, and single characters of scripts that put no blanks."""
STEM = 6
"""Words that begin with the same letters count as the same in question and passage."""
COMMON = 40
"""Frequent words of passages that are features."""
KINDS = 24
"""Frequent words of questions that have weights of their own."""
NEAR = (3, 10)
"""Words on either side within which those of the question count as near."""
SHAPES = 10
BY_QUESTION = 3 + len(NEAR)
BLOCKS = 5


@dataclass(frozen=True)
class Vocabulary:
    """Inverse document frequencies of stems among sentences, common words of passages, frequent words of questions."""

    weights: dict[str, float]
    rarest: float
    common: dict[str, int]
    asked: dict[str, int]

    @property
    def width(self) -> int:
        """Number of features of a word."""
        return SHAPES + BY_QUESTION + COMMON

    def features(self, most: int) -> int:
        """Number of features of a span of at most so many words."""
        return BLOCKS * self.width + most

    def weight(self, one: str) -> float:
        """Return the inverse document frequency of a word; of one that was never seen that of the rarest."""
        return self.weights.get(stem(one), self.rarest)

    def kinds(self, question: Sequence[str]) -> Floats:
        """Return which weights count for a question: the general ones first, then those of its frequent words."""
        active = np.zeros(1 + KINDS)
        active[0] = 1.0
        active[[1 + self.asked[one] for one in {w.lower() for w in question} if one in self.asked]] = 1.0
        return active


class Passage:
    """A text's words: where they begin and end, in which sentence they stand, and their features."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        found = list(WORD.finditer(text))
        self.text, self.vocabulary = text, vocabulary
        self.begins = np.array([m.start() for m in found], dtype=np.int64)
        self.ends = np.array([m.end() for m in found], dtype=np.int64)
        words = [m[0] for m in found]
        self.sentences = sentence_numbers(text, words, self.ends)
        self.stems = [stem(one) for one in words]
        self.weights = np.array([vocabulary.weight(one) if one[0].isalnum() else 0.0 for one in words])
        self.own = _own_features(words, self.sentences, self.weights / vocabulary.rarest, vocabulary)

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.stems)

    def asked(self, question: Sequence[str]) -> Floats:
        """Return the words' features, shape (words, D), given a question."""
        stems = {stem(one): self.vocabulary.weight(one) for one in question if one[0].isalnum()}
        known = np.array([one in stems for one in self.stems])
        total = sum(stems.values()) or 1.0
        share = np.zeros(int(self.sentences[-1]) + 1)
        seen: set[tuple[int, str]] = set()
        for at in np.flatnonzero(known):
            key = (int(self.sentences[at]), self.stems[at])
            if key not in seen:
                seen.add(key)
                share[key[0]] += stems[key[1]] / total
        matched = np.concatenate([[0.0], np.cumsum(known * self.weights)]) / total
        place, last = np.arange(len(self)), len(self)
        near = [matched[np.minimum(place + by + 1, last)] - matched[np.maximum(place - by, 0)] for by in NEAR]
        told = [known, share[self.sentences], self.sentences == share.argmax(), *near]
        return np.column_stack([self.own, *told])

    def best(self, question: Sequence[str], weights: Floats, most: int) -> tuple[int, int, float, float]:
        """Return the first word, the number of words, the score and the share of probability of the best span.

        No words where there are none.
        """
        listed = self.scores(question, weights, most)
        if not listed:
            return 0, 0, -math.inf, 0.0
        words = max(range(len(listed)), key=lambda i: float(listed[i].max()))
        first, score = int(listed[words].argmax()), float(listed[words].max())
        total = sum(float(np.exp(scores - score).sum()) for scores in listed)
        return first, words + 1, score, 1.0 / total

    def scores(self, question: Sequence[str], weights: Floats, most: int) -> list[Floats]:
        """Return for each number of words, from 1 to `most`, the scores of spans by their first word.

        -inf where a span goes over the end of a sentence.
        """
        if not len(self):
            return []
        blocks = weights[: BLOCKS * self.vocabulary.width].reshape(BLOCKS, -1)
        first, last, before, behind, inner = blocks @ np.pad(self.asked(question), ((1, 1), (0, 0))).T
        sums = np.concatenate([[0.0], np.cumsum(inner[1:-1])])
        found: list[Floats] = []
        for words in range(1, min(most, len(self)) + 1):
            spans = len(self) - words + 1
            score = first[1 : spans + 1] + last[words : words + spans] + before[:spans] + behind[words + 1 :]
            score += (sums[words:] - sums[:spans]) / words + weights[BLOCKS * self.vocabulary.width + words - 1]
            within = self.sentences[:spans] == self.sentences[words - 1 :]
            found.append(np.where(within, score, -np.inf))
        return found

    def span_features(
        self, question: Sequence[str], firsts: NDArray[np.intp], words: NDArray[np.intp], most: int
    ) -> Floats:
        """Return the features of some spans, shape (spans, 5 D + most)."""
        asked = np.pad(self.asked(question), ((1, 1), (0, 0)))
        sums = np.cumsum(asked, axis=0)
        mean = (sums[firsts + words] - sums[firsts]) / words[:, None]
        lengths = np.eye(most)[words - 1]
        return np.hstack(
            [asked[firsts + 1], asked[firsts + words], asked[firsts], asked[firsts + words + 1], mean, lengths]
        )


def stem(one: str) -> str:
    """Return what a word has in common with its inflections."""
    return one.lower()[:STEM]


def read_words(text: str) -> list[str]:
    """Return the words and signs of a text."""
    return WORD.findall(text)


def sentence_numbers(text: str, words: Sequence[str], ends: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each word the number of its sentence: one ends at . ! ? before a blank and no small letter."""
    numbers, now = np.zeros(len(words), dtype=np.intp), 0
    for at, one in enumerate(words):
        numbers[at] = now
        behind = text[ends[at] : ends[at] + 1]
        following = words[at + 1][0] if at + 1 < len(words) else ""
        now += behind == "\n" or (one in ".!?。؟।" and not behind.strip() and not following.islower())
    return numbers


def learn_vocabulary(contexts: Iterable[str], questions: Iterable[str]) -> Vocabulary:
    """Count stems by sentence, and words of passages and questions by text."""
    sentences, stems = 0, Counter[str]()
    common = Counter[str]()
    for text in contexts:
        ends = np.array([m.end() for m in WORD.finditer(text)], dtype=np.int64)
        words = read_words(text)
        common.update({one.lower() for one in words})
        numbers = sentence_numbers(text, words, ends)
        stems.update(one for _, one in {(int(n), stem(w)) for n, w in zip(numbers, words, strict=True)})
        sentences += int(numbers[-1]) + 1 if len(numbers) else 0
    asked = Counter(one for text in questions for one in {w.lower() for w in read_words(text)} if one[0].isalpha())
    # Three digits are all that they are good for, and a third of the saved file.
    weights = {one: round(math.log(1 + sentences / count), 3) for one, count in stems.items() if count > 1}
    return Vocabulary(weights, math.log(1 + max(1, sentences)), _numbered(common, COMMON), _numbered(asked, KINDS))


def _numbered(counts: Counter[str], most: int) -> dict[str, int]:
    ranked = sorted(counts, key=lambda one: (-counts[one], one))[:most]
    return {one: i for i, one in enumerate(ranked)}


def _own_features(words: Sequence[str], sentences: NDArray[np.intp], weights: Floats, vocabulary: Vocabulary) -> Floats:
    """Return what is known of words without a question: shape (words, SHAPES + COMMON)."""
    own = np.zeros((len(words), SHAPES + COMMON))
    for at, one in enumerate(words):
        begins = at == 0 or sentences[at] != sentences[at - 1]
        own[at, :SHAPES] = (
            one[0].isupper() and not begins,
            one[0].isupper(),
            one.isupper() and len(one) > 1,
            one[0].isdigit(),
            one.isdigit() and len(one) == 4,
            one[0].islower(),
            not one[0].isalnum(),
            len(one) > 7,
            weights[at],
            begins,
        )
        if (number := vocabulary.common.get(one.lower())) is not None:
            own[at, SHAPES + number] = 1.0
    return own
