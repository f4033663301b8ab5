from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.simple.bm25 import BM25Trainer, Index, units
from tests.tools.train.deep.word_problem import Log
from tests.tools.train.problems import card
from tests.tools.train.search import THINGS, search

DEFAULT = card("bm25").default()


def questions(*texts: str) -> Examples:
    return Examples(Dataset.from_dict({"question": list(texts)}))


def test_scores_are_those_of_the_formula() -> None:
    passages = ["a b b", "b c", "c c c d"]
    found = Index.of(passages, 1.2, 0.75, "word").scores("b")
    mean, inverse = 3.0, np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    by_hand = [inverse * n / (n + 1.2 * (0.25 + 0.75 * words / mean)) for n, words in ((2, 3), (1, 2))]
    assert found == pytest.approx([*by_hand, 0.0], rel=1e-5)


def test_words_are_told_apart_without_case_and_trigrams_find_parts_of_them() -> None:
    assert units("The Cat's HAT, 2", "word") == ["the", "cat", "s", "hat", "2"]
    assert units("Hats ab", "trigram") == ["hat", "ats", "ab"]
    unspaced = ["你好世界今天", "完全不同的话"]
    assert Index.of(unspaced, 1.2, 0.75, "word").scores("世界今").max() == 0
    assert Index.of(unspaced, 1.2, 0.75, "trigram").scores("世界今").argmax() == 0


def test_a_passage_is_found_by_its_rare_word_and_logged_once() -> None:
    data, log = search(foreign=False), Log()
    model = BM25Trainer().fit(data, DEFAULT, log)
    assert [step for step, _ in log.rows] == [1] and log.rows[0][1] == 1.0
    found = model.predict(questions("thing7"))[0]
    assert found["ranked"] == [7] and found["scores"][0] > 0


def test_a_question_without_a_known_word_finds_nothing() -> None:
    model = BM25Trainer().fit(search(rows=20), DEFAULT, Log())
    found = model.predict(questions("ding3", "", "?!"))
    assert [record["ranked"] for record in found] == [[], [], []]


@pytest.mark.parametrize("unit", ["word", "trigram"])
def test_a_saved_index_ranks_the_same_and_holds_no_pickle(unit: str, tmp_path: Path) -> None:
    data = search(foreign=False)
    model = BM25Trainer().fit(data, DEFAULT | {"unit": unit}, Log())
    model.save(tmp_path)
    loaded = BM25Trainer().load(tmp_path)
    assert list(loaded.predict(data.x_valid)) == list(model.predict(data.x_valid))
    assert len(loaded.passages) == THINGS
    assert not any(f.read_bytes()[:1] == b"\x80" for f in tmp_path.rglob("*") if f.is_file())
    assert len(loaded.predict(data.x_valid[:0])) == 0


def test_passages_without_a_single_word_are_no_trouble() -> None:
    data = search(rows=20)
    blank = replace(data, passages=Examples(Dataset.from_dict({"text": ["...", "!", "?"] * 8})))
    assert BM25Trainer().fit(blank, DEFAULT, Log()).predict(questions("a"))[0]["ranked"] == []
