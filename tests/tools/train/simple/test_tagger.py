from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.simple.tagger import TaggerTrainer, shape, word_features
from tests.tools.train.answers_made import fitted, sentences
from tests.tools.train.problems import card

HOW = {"alpha": 1e-5, "epochs": 4, "class_weight": "none"}


def test_the_tagger_learns_from_words_and_their_neighbours_and_is_the_same_again_and_when_loaded(
    tmp_path: Path,
) -> None:
    data, trainer = sentences(), TaggerTrainer()
    (model, rows), (_, again) = fitted(trainer, data, HOW), fitted(trainer, data, HOW)
    prediction = model.predict(data.x_valid)
    trivial = fitted(BaselineTrainer(), data, {})[0].predict(data.x_valid)
    assert data.score_valid(prediction) > 0.95 > 0.1 > data.score_valid(trivial)
    assert rows == again and [row[0] for row in rows] == [1, 2, 3, 4]
    assert {row[0]: row[2] for row in rows}[model.best_step] == pytest.approx(data.score_valid(prediction))
    model.save(tmp_path)
    loaded = trainer.load(tmp_path)
    assert list(loaded.predict(data.x_valid)) == list(prediction) and loaded.best_step == model.best_step
    assert not any(file.read_bytes()[:1] == b"\x80" for file in tmp_path.iterdir())


def test_the_features_of_a_word_hold_its_neighbours_on_either_side() -> None:
    features = [set(one) for one in word_features(["In", "Rome", "2024"])]
    assert {"w=rome", "w-1=in", "w-2=<", "w+1=2024", "w+2=>", "s=Xx", "s+1=0", "e2=me"} <= features[1]
    assert {"w-1=<", "w+2=2024"} <= features[0]


def test_the_shape_of_a_word_has_one_sign_for_each_run() -> None:
    assert [shape(one) for one in ("McDonald's", "USA", "3,000", "", "né")] == ["XxXx'x", "X", "0,0", "", "x"]


@pytest.mark.parametrize("tags", [[0], [0, 3]])
def test_one_or_two_tags_in_training_are_enough_and_others_are_never_given(tags: list[int]) -> None:
    data = sentences(30)
    y = records({"tags": [code if code in tags else 0 for code in record["tags"]]} for record in data.y)
    model, _ = fitted(TaggerTrainer(), replace(data, y=y), HOW)
    assert {code for record in model.predict(data.x_valid) for code in record["tags"]} == set(tags)


def test_weights_pull_towards_heavy_rows_and_balanced_ones_towards_rare_tags() -> None:
    data = sentences(60)
    words = Examples(Dataset.from_dict({"tokens": [["word"]] * 10}))
    rare = replace(data, x=words, y=records([{"tags": [0]}] * 9 + [{"tags": [1]}]))
    one = words[:1]
    assert fitted(TaggerTrainer(), rare, HOW)[0].predict(one)[0]["tags"] == [0]
    heavy = replace(rare, weight=np.array([1.0] * 9 + [50.0]))
    assert fitted(TaggerTrainer(), heavy, HOW)[0].predict(one)[0]["tags"] == [1]
    rare = replace(rare, x=words[[0] * 10], weight=np.array([1.0] * 9 + [1.5]))
    assert fitted(TaggerTrainer(), rare, HOW | {"class_weight": "balanced"})[0].predict(one)[0]["tags"] == [1]


def test_sentences_without_words_and_no_sentences_are_no_trouble() -> None:
    data = sentences(30)
    model, _ = fitted(TaggerTrainer(), data, HOW)
    rows = Examples(Dataset.from_dict({"tokens": [["Ann1", "Lee"], [], ["w1"]]}))
    assert [record["tags"] for record in model.predict(rows)] == [[1, 2], [], [0]]
    assert len(model.predict(rows[:0])) == 0
    assert [record["tags"] for record in model.predict(rows[[1]])] == [[]]


def test_rows_without_tags_are_told() -> None:
    data = sentences(20)
    with pytest.raises(ToolError, match="no tagged words"):
        fitted(TaggerTrainer(), replace(data, x=data.x[:0], y=records([])), HOW)


def test_the_search_space_is_what_is_read() -> None:
    assert set(card("word_tagger").search_space) == TaggerTrainer.reads
