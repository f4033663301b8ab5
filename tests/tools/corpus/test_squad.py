"""Questions with contexts: SQuAD's own files, the same as rows, answers found in their context or told to be not."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.answers import located
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.corpus.read import read

CONTEXT = "Ada Lovelace wrote notes. Notes on an engine, wrote Ada."


def article(*qas: dict[str, Any]) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "Ada", "paragraphs": [{"context": CONTEXT, "qas": list(qas)}]}]}


def asked(question: str, *answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    return {
        "question": question,
        "id": question,
        "answers": [{"text": t, "answer_start": s} for t, s in answers],
        **more,
    }


def read_file(folder: Path, content: Any, name: str = "q.json", **card: Any) -> RawExamples:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    given = {"modality": "text", "task": "question-answering", "source": name, **card}
    return read(DataCard.model_validate(given), folder)


@pytest.mark.parametrize("name", ["q.json", "q.json.gz"])
def test_questions_of_a_squad_file_come_with_context_answers_and_starts(tmp_path: Path, name: str) -> None:
    raw = read_file(tmp_path, article(asked("Who?", ("Ada", 0), ("Ada Lovelace", 0)), asked("Who else?")), name)
    assert raw.train.dataset[0] == {"question": "Who?", "context": CONTEXT}
    assert raw.train.answers == [{"answers": ["Ada", "Ada Lovelace"], "starts": [0, 0]}, {"answers": [], "starts": []}]
    assert raw.target == "answers"
    assert raw.findings == []


def test_an_impossible_question_has_no_answers_though_plausible_ones_stand_there(tmp_path: Path) -> None:
    raw = read_file(tmp_path, article(asked("Who?", ("Ada", 0)), asked("Where?", ("Ada", 0), is_impossible=True)))
    assert [record["answers"] for record in raw.train.answers] == [["Ada"], []]


def test_a_wrong_start_is_mended_by_the_nearest_place_where_the_answer_stands() -> None:
    assert located([("Ada", 50)], CONTEXT) == {"answers": ["Ada"], "starts": [52]}
    assert located([("Ada", None)], CONTEXT) == {"answers": ["Ada"], "starts": [0]}
    assert located([("engine", -3)], CONTEXT) == {"answers": ["engine"], "starts": [CONTEXT.index("engine")]}


def test_letters_of_another_case_are_found_and_written_as_the_context_does() -> None:
    assert located([("ADA LOVELACE", None), ("ada lovelace", None)], CONTEXT) == {
        "answers": ["Ada Lovelace"],
        "starts": [0],
    }


def test_an_answer_is_found_as_a_whole_word_where_it_stands_as_one() -> None:
    assert located([("note", None)], "notes, then a note") == {"answers": ["note"], "starts": [14]}
    assert located([("not", None)], "notes") == {"answers": ["not"], "starts": [0]}


def test_questions_whose_answer_is_not_in_the_context_are_left_out_and_named(tmp_path: Path) -> None:
    raw = read_file(
        tmp_path, article(asked("Who?", ("Ada", 0)), asked("When?", ("1843", 3)), asked("What?", ("notes", 19)))
    )
    assert raw.train.dataset["question"][:] == ["Who?", "What?"]
    assert [finding.text for finding in raw.findings] == [
        "1 row left out: the answer is not in the context: q.json row 2"
    ]
    assert list(raw.train.names or ()) == ["q.json row 1", "q.json row 3"]


def test_one_of_two_answers_that_is_not_in_the_context_is_told_and_the_other_kept(tmp_path: Path) -> None:
    raw = read_file(tmp_path, article(asked("Who?", ("Ada", 0), ("Babbage", 9))))
    assert raw.train.answers == [{"answers": ["Ada"], "starts": [0]}]
    assert [f.text for f in raw.findings] == ["1 rows have further answers that are not in the context: q.json row 1"]


def test_rows_of_the_hub_form_and_of_plain_answers_give_the_same(tmp_path: Path) -> None:
    hub = {"question": "Who?", "context": CONTEXT, "answers": {"text": ["Ada"], "answer_start": [0]}}
    plain = {"question": "Who?", "context": CONTEXT, "reply": "Ada"}
    first = read_file(tmp_path, json.dumps(hub), "hub.jsonl")
    second = read_file(
        tmp_path, f"question,context,reply\nWho?,{CONTEXT.replace(',', ';')},Ada\n", "p.csv", target="reply"
    )
    third = read_file(tmp_path, json.dumps(plain), "plain.jsonl", target="reply")
    assert first.train.answers == second.train.answers == third.train.answers == [{"answers": ["Ada"], "starts": [0]}]


def test_columns_of_other_names_are_read_by_their_roles(tmp_path: Path) -> None:
    row = {"q": "Who?", "doc": CONTEXT, "a": "Ada"}
    roles = {"q": {"role": "question"}, "doc": {"role": "context"}}
    raw = read_file(tmp_path, json.dumps(row), "r.jsonl", target="a", inputs=roles)
    assert raw.train.dataset[0] == {"question": "Who?", "context": CONTEXT}
    assert raw.columns == {"question": "q", "context": "doc"}
    with pytest.raises(UserError, match="card: inputs: name the column of the question"):
        read_file(tmp_path, json.dumps(row), "r.jsonl", target="a")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"data": [{"paragraphs": [{"qas": []}]}]}, r"data\[0\].paragraphs\[0\]: lacks 'context'"),
        ({"data": [{"title": "x"}]}, r"data\[0\]: lacks 'paragraphs'"),
        (article({"question": "Who?"}), r"qas\[0\]: lacks 'answers'"),
        (article({"question": 3, "answers": []}), r"qas\[0\]: 'question' must be text"),
        (article({"question": "Who?", "answers": [{"text": "Ada"}]}), "answers: lacks 'answer_start'"),
        ({"data": [3]}, r"data\[0\]: no JSON object"),
        ({"data": []}, "the file is empty"),
    ],
)
def test_a_file_that_is_not_quite_squad_names_the_place(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_file(tmp_path, content)


def test_where_no_answer_is_in_its_context_nothing_can_be_learnt(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"q\.json: no row can be used: 1 row left out: the answer is not in the context"
    ):
        read_file(tmp_path, article(asked("When?", ("1843", 3))))
