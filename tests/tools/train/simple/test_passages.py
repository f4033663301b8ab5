from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.simple.passages import RANKED, passages_of, ranked, read_passages, write_passages
from tests.tools.train.search import search


def test_the_best_come_first_and_of_equals_the_earlier_one() -> None:
    scores = np.array([[0.5, 2.0, 0.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    first, second = ranked(scores)
    assert first == {"ranked": [1, 3, 0, 2, 4], "scores": [2.0, 2.0, 0.5, 0.0, -1.0]}
    assert second["ranked"] == [0, 1, 2, 3, 4]


def test_no_more_than_a_hundred_are_ranked_and_equals_at_the_end_by_number() -> None:
    scores = np.zeros((1, 300), dtype=np.float32)
    scores[0, 250:] = 1.0
    (found,) = ranked(scores)
    assert found["ranked"] == [*range(250, 300), *range(RANKED - 50)]


def test_what_does_not_reach_the_bar_is_not_ranked() -> None:
    (found,) = ranked(np.array([[0.0, 3.0, 0.0]], dtype=np.float32), least=0.0)
    assert found == {"ranked": [1], "scores": [3.0]}


def test_passages_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ["one\nwith a line break", "日本 é", "\u2028 a separator that some readers take for a line"]
    write_passages(tmp_path, texts)
    assert read_passages(tmp_path) == texts


def test_missing_passages_and_questions_are_told() -> None:
    data = search(rows=20)
    with pytest.raises(ToolError, match="no passages to search"):
        passages_of(replace(data, passages=None))
    with pytest.raises(ToolError, match="no training rows"):
        passages_of(replace(data, x=data.x[:0], y=data.y[:0]))
