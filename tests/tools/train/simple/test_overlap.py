from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.simple.overlap import OverlapTrainer
from automl_gpt.tools.train.simple.span_features import (
    BLOCKS,
    Passage,
    learn_vocabulary,
    read_words,
    sentence_numbers,
)
from tests.tools.train.answers_made import data_of, fitted, questions
from tests.tools.train.problems import card

HOW = {"most_words": 4, "penalty": 3.0}
TOWNS = ["Rome", "Paris", "Oslo", "Lima", "Bonn", "Kyiv", "Bern", "Cairo"]
THINGS = ["bridge", "museum", "harbour", "theatre", "library", "castle", "market", "garden"]


def towns(rows: int = 120) -> FitData:
    """Make passages of three sentences with a year and a town each; the question's thing says which sentence counts."""
    draw = np.random.default_rng(0)

    def part(count: int) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
        asked, contexts, answers = list[str](), list[str](), list[dict[str, Any]]()
        for _ in range(count):
            things, places = (draw.choice(names, 3, replace=False) for names in (THINGS, TOWNS))
            years = draw.choice(np.arange(1700, 2000), 3, replace=False)
            sentences = [f"The {a} of {b} opened in {c}." for a, b, c in zip(things, places, years, strict=True)]
            which, when = int(draw.integers(3)), bool(draw.integers(2))
            text = " ".join(sentences)
            answer = str(years[which]) if when else str(places[which])
            asked.append(f"{'When did' if when else 'Where is'} the {things[which]} open?")
            contexts.append(text)
            answers.append({"answers": [answer], "starts": [text.index(answer)]})
        return {"question": asked, "context": contexts}, answers

    return data_of("question-answering", part(rows), part(40))


def test_the_sentence_of_the_questions_words_and_the_kind_of_answer_are_found_again_and_when_loaded(
    tmp_path: Path,
) -> None:
    data, trainer = towns(), OverlapTrainer()
    (model, rows), (_, again) = fitted(trainer, data, HOW), fitted(trainer, data, HOW)
    prediction = model.predict(data.x_valid)
    trivial = fitted(BaselineTrainer(), data, {})[0].predict(data.x_valid)
    assert data.score_valid(prediction) > 0.9 > 0.3 > data.score_valid(trivial)
    assert rows == again and len(rows) == 1 and rows[0][2] == pytest.approx(data.score_valid(prediction))
    for record, context in zip(prediction, data.x_valid.column("context"), strict=True):
        assert context[record["start"] :].startswith(record["text"]) and 0 <= record["score"] <= 1
    model.save(tmp_path)
    assert list(trainer.load(tmp_path).predict(data.x_valid)) == list(prediction)
    assert not any(file.read_bytes()[:1] == b"\x80" for file in tmp_path.iterdir())


def test_no_answer_is_given_where_none_looks_right_and_the_data_know_of_such() -> None:
    data = questions(200, unanswerable=0.5)
    model, _ = fitted(OverlapTrainer(), data, HOW)
    said = np.array([bool(record["text"]) for record in model.predict(data.x_valid)])
    able = np.array([bool(record["answers"]) for record in data.y_valid])
    assert (said == able).mean() > 0.9
    always, _ = fitted(OverlapTrainer(), questions(100), HOW)
    assert all(record["text"] for record in always.predict(data.x_valid))


def test_scores_of_all_spans_are_those_of_their_features() -> None:
    text = "Rome is old. The bridge of Lima opened in 1876, they say."
    vocabulary = learn_vocabulary([text], ["where is the bridge?"])
    passage, asked = Passage(text, vocabulary), read_words("When did the bridge open?")
    weights = np.random.default_rng(0).normal(size=vocabulary.features(3))
    scores = passage.scores(asked, weights, 3)
    for words, found in enumerate(scores, 1):
        firsts = np.flatnonzero(np.isfinite(found))
        features = passage.span_features(asked, firsts, np.full(len(firsts), words), 3)
        assert features.shape[1] == BLOCKS * vocabulary.width + 3
        assert np.allclose(features @ weights, found[firsts])
    # 4 and 11 words and signs in two sentences: no span goes over the border.
    assert [int(np.isfinite(found).sum()) for found in scores] == [15, 13, 11]
    first, words, best, share = passage.best(asked, weights, 3)
    assert share == pytest.approx(1 / sum(np.exp(found - best).sum() for found in scores))
    assert best == max(found.max() for found in scores) == scores[words - 1][first]


def test_sentences_end_at_full_stops_before_capitals_and_at_line_ends() -> None:
    text = "It is 3.5 m. high. Is it? Yes\nno e.g. this"
    words = read_words(text)
    ends = np.cumsum([0] * len(words))
    position = 0
    for at, one in enumerate(words):
        position = text.index(one, position) + len(one)
        ends[at] = position
    numbers = sentence_numbers(text, words, ends)
    groups = [[w for w, n in zip(words, numbers, strict=True) if n == k] for k in range(int(numbers[-1]) + 1)]
    assert groups == [
        ["It", "is", "3.5", "m", ".", "high", "."],
        ["Is", "it", "?"],
        ["Yes"],
        ["no", "e.g", ".", "this"],
    ]


def test_empty_contexts_and_no_rows_are_no_trouble() -> None:
    model, _ = fitted(OverlapTrainer(), towns(40), HOW)
    rows = Examples(Dataset.from_dict({"question": ["", "who?"], "context": ["Rome", ""]}))
    assert [record["text"] for record in model.predict(rows)] == ["Rome", ""]
    assert len(model.predict(rows[:0])) == 0


def test_rows_without_an_answer_to_learn_from_are_told() -> None:
    data = towns(20)
    with pytest.raises(ToolError, match="no training row has an answer of at most 4 words"):
        fitted(OverlapTrainer(), replace(data, y=records([{"answers": [], "starts": []}] * 20)), HOW)


def test_a_row_without_weight_is_not_learnt_from() -> None:
    data = towns(40)
    wrong = records({"answers": [c[4:7]], "starts": [4]} for c in data.x.column("context"))
    both = Examples(Dataset.from_dict({n: data.x.column(n) * 2 for n in ("question", "context")}))
    y = np.concatenate([data.y, wrong])
    weighed = replace(data, x=both, y=y, weight=np.repeat([1.0, 0.0], 40))
    score = data.score_valid(fitted(OverlapTrainer(), weighed, HOW)[0].predict(data.x_valid))
    unweighed = data.score_valid(fitted(OverlapTrainer(), replace(data, x=both, y=y), HOW)[0].predict(data.x_valid))
    assert score > unweighed + 0.1


def test_the_search_space_is_what_is_read() -> None:
    assert set(card("sentence_overlap").search_space) == OverlapTrainer.reads
