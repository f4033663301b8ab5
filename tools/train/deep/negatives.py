"""Which passage a question learns from, and which ones it has to be told apart from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.protocol import Target
from automl_gpt.tools.train.simple.bm25 import Index


@dataclass(frozen=True)
class Matches:
    """Numbers of passages for each question: the one it learns, all that are right, and hard negatives.

    `rows` are the questions that have a right one: the others can't be learnt from (their own one is -1).
    """

    rows: list[int]
    own: list[int]
    right: list[frozenset[int]]
    hard: list[list[int]]


def matches(questions: Sequence[str], y: Target, passages: Sequence[str], negatives: int) -> Matches:
    """Choose passages as Karpukhin et al. (2020) do, by BM25.

    Of several right passages (many hold the answer's words by chance) the highest ranked one is learnt; hard negatives
    are the highest ranked ones that are not right. ToolError where no question has a right one.
    """
    right = [frozenset(record["passages"]) for record in y]
    rows = [row for row, numbers in enumerate(right) if numbers]
    if not rows:
        raise ToolError("no training question has a passage that answers it: nothing can be learnt")
    own, hard = [min(numbers, default=-1) for numbers in right], [list[int]() for _ in right]
    index: Index | None = None
    for row in rows:
        numbers = right[row]
        if len(numbers) == 1 and not negatives:
            continue
        # 0.9 and 0.4 are what Karpukhin et al. found best for questions (k1 and b of Lucene).
        index = index or Index.of(passages, 0.9, 0.4, "word")
        scores = index.scores(questions[row])
        own[row] = max(sorted(numbers), key=lambda number: scores[number])
        best = np.argsort(-scores, kind="stable")[: negatives + len(numbers)].tolist()
        hard[row] = [number for number in best if number not in numbers][:negatives]
    return Matches(rows, own, right, hard)
