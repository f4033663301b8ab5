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
from automl_gpt.tools.train.protocol import ANSWER_TASKS, FitData
from tests.tools.train.answers_made import data_of, fitted


def problem(task: Any) -> FitData:
    if task == "token-classification":
        train = ({"tokens": [["a", "b"], ["c"]]}, [{"tags": [1, 1]}, {"tags": [0]}])
        return data_of(
            task, train, ({"tokens": [["x", "y", "z"], []]}, [{"tags": [1, 0, 1]}, {"tags": []}]), ("O", "B")
        )
    if task == "question-answering":
        told = [{"answers": ["red"], "starts": [0]}, {"answers": ["red"], "starts": [4]}, {"answers": [], "starts": []}]
        train = ({"question": ["q"] * 3, "context": ["red", "is  red", "blue"]}, told)
        contexts = ["it is red", " one two  three four five six", ""]
        return data_of(task, train, ({"question": ["q"] * 3, "context": contexts}, told))
    if task == "text-generation":
        rows = [{"texts": ["yes", "no"]}, {"texts": ["yes"]}, {"texts": ["no"]}]
        return data_of(task, ({"text": ["a", "b", "c"]}, rows), ({"text": ["d"]}, [{"texts": ["yes"]}]))
    if task == "retrieval":
        rows = [{"passages": [2]}, {"passages": [2, 1]}]
        passages = Examples(Dataset.from_dict({"text": ["p", "q", "r", "s"]}))
        return data_of(task, ({"question": ["a", "b"]}, rows), ({"question": ["c"]}, rows[:1]), passages=passages)
    rows = [{"boxes": [[0.0, 0.0, 2.0, 2.0]], "labels": [0], "width": 4, "height": 4}]
    return data_of(task, ({"image": ["x"]}, rows), ({"image": ["y"]}, rows), ("ball",))


ANSWERS: dict[str, list[dict[str, Any]]] = {
    "token-classification": [{"tags": [1, 1, 1]}, {"tags": []}],
    "question-answering": [
        {"text": "red", "start": 6, "score": 1.0},
        {"text": "one two  three four five", "start": 1, "score": 0.0},
        {"text": "", "start": -1, "score": 0.0},
    ],
    "text-generation": [{"text": "yes"}],
    "retrieval": [{"ranked": [2, 1, 0, 3], "scores": [2 / 3, 1 / 3, 0.0, 0.0]}],
    "detection": [{"boxes": [], "labels": [], "scores": []}],
}


@pytest.mark.parametrize("task", ANSWER_TASKS)
def test_the_baseline_gives_the_most_frequent_answer_and_is_the_same_when_it_is_loaded(
    task: Any, tmp_path: Path
) -> None:
    data, trainer = problem(task), BaselineTrainer()
    model, rows = fitted(trainer, data, {})
    assert list(model.predict(data.x_valid)) == ANSWERS[task]
    assert len(rows) == 1 and rows[0][0] == model.best_step == 1 and np.isfinite(rows[0][2])
    model.save(tmp_path)
    assert list(trainer.load(tmp_path).predict(data.x_valid)) == ANSWERS[task]


def test_the_weights_of_rows_decide_what_is_most_frequent() -> None:
    data = problem("text-generation")
    model, _ = fitted(BaselineTrainer(), replace(data, weight=np.array([1.0, 1.0, 3.0])), {})
    assert model.predict(data.x_valid)[0] == {"text": "no"}


def test_where_most_questions_have_no_answer_none_is_given() -> None:
    data = problem("question-answering")
    none = replace(data, y=records([{"answers": [], "starts": []}] * 3))
    assert {record["text"] for record in fitted(BaselineTrainer(), none, {})[0].predict(data.x_valid)} == {""}


def test_training_rows_without_anything_to_count_are_told() -> None:
    data = problem("token-classification")
    with pytest.raises(ToolError, match="no tagged words"):
        fitted(BaselineTrainer(), replace(data, y=records([{"tags": []}] * 2)), {})
