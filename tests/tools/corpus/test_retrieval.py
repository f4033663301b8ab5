"""Open questions: passages are the contexts or a file's; right ones are a question's own or hold an answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.answers import holding
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.corpus.read import read

PASSAGES = ["The Moon was left in December 1972.", "Ada Lovelace wrote notes.", "Nobody wrote anything in 1973."]


def read_open(folder: Path, rows: list[dict[str, Any]], **card: Any) -> RawExamples:
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "p.txt").write_text("\n".join(PASSAGES) + "\n\n")
    (folder / "p.jsonl").write_text(
        "\n".join(json.dumps({"title": f"t{i}", "text": p}) for i, p in enumerate(PASSAGES))
    )
    given = {"modality": "text", "task": "retrieval", "source": "q.jsonl", **card}
    return read(DataCard.model_validate(given), folder)


ASKED = [
    {"question": "when was the last time on the moon", "answer": ["14 December 1972", "december 1972"]},
    {"question": "who wrote notes", "answer": ["ADA Lovelace"]},
    {"question": "who sang", "answer": ["Bob"]},
]


@pytest.mark.parametrize("name", ["p.txt", "p.jsonl"])
def test_passages_that_hold_an_answer_are_the_right_ones(tmp_path: Path, name: str) -> None:
    raw = read_open(tmp_path, ASKED, target="answer", passages=name)
    assert raw.passages == PASSAGES
    assert raw.train.answers == [{"passages": [0]}, {"passages": [1]}]
    assert raw.train.dataset.column_names == ["question"]
    assert "1 row left out: no passage holds an answer, so they can't be scored: q.jsonl row 3" in [
        finding.text for finding in raw.findings
    ]


def test_answers_are_compared_by_whole_words_without_regard_to_case_and_accents_form() -> None:
    passages = ["In 1972 they left.", "In 19723 they left.", "Caf\u00e9 Noir", "the cat sat", "cat the sat"]
    wanted = [["1972"], ["cafe\u0301 noir"], ["the CAT"], [""], ["left.", "sat"]]
    assert holding(wanted, passages) == [[0], [2], [3], [], [0, 1, 3, 4]]


def test_without_a_file_the_different_contexts_are_searched_and_a_questions_own_is_right(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}", "context": PASSAGES[i % 2], "answers": ["in"]} for i in range(4)]
    raw = read_open(tmp_path, rows)
    assert raw.passages == PASSAGES[:2]
    assert raw.train.answers == [{"passages": [0]}, {"passages": [1]}, {"passages": [0]}, {"passages": [1]}]


def test_questions_and_contexts_need_no_answers(tmp_path: Path) -> None:
    raw = read_open(tmp_path, [{"question": f"q{i}", "context": PASSAGES[i]} for i in range(3)])
    assert raw.train.answers == [{"passages": [i]} for i in range(3)]


def test_parts_share_the_passages(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"question": "who", "context": PASSAGES[2]}))
    rows = [{"question": f"q{i}", "context": PASSAGES[i]} for i in range(2)]
    raw = read_open(tmp_path, rows, source={"train": "q.jsonl", "test": "t.jsonl"})
    assert raw.passages == PASSAGES
    assert raw.test is not None
    assert raw.test.answers == [{"passages": [2]}]


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="card: passages: name the file"):
        read_open(tmp_path, ASKED, target="answer")
    with pytest.raises(UserError, match="no question has a passage that holds its answer"):
        read_open(tmp_path, ASKED[2:], target="answer", passages="p.txt")
    with pytest.raises(UserError, match=r"p\.tx: no such file, did you mean p\.txt"):
        read_open(tmp_path, ASKED, target="answer", passages="p.tx")
    (tmp_path / "two.csv").write_text("one,other\na b,c d\n")
    with pytest.raises(UserError, match=r"two\.csv needs a column called text; it has: one, other"):
        read_open(tmp_path, ASKED, target="answer", passages="two.csv")
