from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.simple import nearest_text
from automl_gpt.tools.train.simple.nearest_text import NearestTextTrainer
from tests.tools.train.deep.translation import translation
from tests.tools.train.deep.word_problem import Log
from tests.tools.train.problems import card

DEFAULT = card("nearest_text").default()


def texts(*lines: str) -> Examples:
    return Examples(Dataset.from_dict({"text": list(lines)}))


def test_the_answer_of_the_nearest_text_is_copied() -> None:
    data = replace(
        translation(rows=3),
        x=texts("the red house", "a green tree", "a blue sea"),
        y=records([{"texts": ["Haus", "Heim"]}, {"texts": ["Baum"]}, {"texts": ["zwei\nZeilen"]}]),
    )
    model = NearestTextTrainer().fit(data, DEFAULT, Log())
    found = model.predict(texts("red houses", "the greenest trees", "blue"))
    assert [record["text"] for record in found] == ["Haus", "Baum", "zwei\nZeilen"]


def test_one_row_is_logged_and_the_task_is_solved_where_texts_repeat() -> None:
    log = Log()
    NearestTextTrainer().fit(translation(), DEFAULT, log)
    assert [step for step, _ in log.rows] == [1] and log.rows[0][1] > 90


def test_a_saved_memory_answers_the_same_in_blocks_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = translation()
    model = NearestTextTrainer().fit(data, DEFAULT, Log())
    model.save(tmp_path)
    loaded = NearestTextTrainer().load(tmp_path)
    expected = list(model.predict(data.x_valid))
    monkeypatch.setattr(nearest_text, "BLOCK", 1)
    assert list(loaded.predict(data.x_valid)) == expected
    assert len(loaded.predict(data.x_valid[:0])) == 0
    assert not any(f.read_bytes()[:1] == b"\x80" for f in tmp_path.rglob("*"))


def test_no_rows_are_told() -> None:
    data = translation(rows=4)
    with pytest.raises(ToolError, match="no training rows"):
        NearestTextTrainer().fit(replace(data, x=data.x[:0], y=data.y[:0]), DEFAULT, Log())
