"""From a card to prepared texts: what can't be used is named, copies stay on one side, nothing is lost on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.prepared import open_passages, open_prepared, open_test
from automl_gpt.tools.data.report import Profile

WORDS = np.array(
    [
        "the",
        "a",
        "one",
        "my",
        "your",
        "old",
        "new",
        "red",
        "blue",
        "dog",
        "cat",
        "card",
        "bank",
        "money",
        "house",
        "sees",
        "takes",
        "sends",
        "loses",
        "likes",
    ]
)


def texts(count: int, seed: int = 0, words: int = 8) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)) + f" {i}" for i in range(count)]


def reviews(count: int = 200, seed: int = 0) -> pd.DataFrame:
    said = texts(count, seed)
    return pd.DataFrame({"text": said, "label": np.where(np.arange(count) % 3 == 0, "bad", "good")})


def prepared(folder: Path, *frames: pd.DataFrame, **card: Any) -> Profile:
    names = ("train", "test", "valid")[: len(frames)]
    for name, frame in zip(names, frames, strict=True):
        frame.to_csv(folder / f"{name}.csv", index=False)
    source: Any = "train.csv" if len(frames) == 1 else {name: f"{name}.csv" for name in names}
    given = {"modality": "text", "source": source, "target": "label", **card}
    return prepare(DataCard.model_validate(given), folder, folder / "out")


def told(profile: Profile) -> list[str]:
    return [finding.text for finding in profile.findings]


def test_every_row_is_in_one_part_with_its_own_answer(tmp_path: Path) -> None:
    frame = reviews()
    profile = prepared(tmp_path, frame)
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    answer = dict(zip(frame["text"], frame["label"], strict=True))
    seen = [
        *zip(data.rows.x.column("text"), data.rows.y, strict=True),
        *zip(test.x.column("text"), test.y, strict=True),
    ]
    assert sorted(text for text, _ in seen) == sorted(frame["text"])
    assert all(data.layout.labels[code] == answer[text] for text, code in seen)
    assert (profile.task, profile.rows_train, profile.rows_test) == ("binary", len(data.rows.y), len(test.y))
    assert (np.diff(data.fold) >= 0).all()
    assert len(data.validation(0).y) == profile.rows_valid
    assert profile.findings == ()
    assert profile.features == 9


def test_the_same_data_are_divided_alike_and_have_the_same_fingerprint(tmp_path: Path) -> None:
    first = prepared(tmp_path, reviews())
    rows = open_test(tmp_path / "out").x.column("text")
    assert prepared(tmp_path, reviews()) == first
    assert open_test(tmp_path / "out").x.column("text") == rows
    other = reviews()
    other.loc[0, "label"] = "good"
    assert prepared(tmp_path, other).fingerprint != first.fingerprint


def test_empty_texts_and_missing_answers_are_counted_named_and_left_out(tmp_path: Path) -> None:
    frame = reviews(50)
    frame.loc[[3, 7, 8, 11], "text"] = [None, "   ", "\t", "\u2003"]
    frame.loc[[8, 20], "label"] = None
    profile = prepared(tmp_path, frame)
    assert profile.rows == 45
    assert told(profile) == [
        "4 rows left out: text is empty: train.csv rows 4, 8, 9, …",
        "1 row left out: the answer is missing: train.csv row 21",
    ]


def test_a_text_of_more_than_a_million_characters_is_cut_and_told(tmp_path: Path) -> None:
    frame = reviews(30)
    frame.loc[4, "text"] = "word " * 300_000
    profile = prepared(tmp_path, frame)
    assert told(profile) == ["1 text of more than 1,000,000 characters cut to that: train.csv row 5"]
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    assert max(map(len, data.rows.x.column("text") + test.x.column("text"))) == 1_000_000


def test_copies_and_near_copies_stay_on_one_side(tmp_path: Path) -> None:
    frame = reviews(150)
    long = texts(40, seed=5, words=30)
    more = pd.DataFrame({"text": [t + s for t in long for s in ("", ".", "!", " ")], "label": ["bad", "good"] * 80})
    prepared(tmp_path, pd.concat([frame, more]))
    kept = {text.rstrip(".! ") for text in open_prepared(tmp_path / "out").rows.x.column("text")}
    tested = {text.rstrip(".! ") for text in open_test(tmp_path / "out").x.column("text")}
    assert tested & set(long)
    assert not kept & tested


def test_rows_of_a_given_test_file_that_training_holds_are_told_and_not_scored(tmp_path: Path) -> None:
    test = pd.concat([reviews(60, seed=9), reviews(200).iloc[:5]])
    profile = prepared(tmp_path, reviews(200), test)
    assert profile.rows_test == 60
    assert "5 test rows are not scored: training holds a copy or near-copy of them" in told(profile)


def test_validation_rows_that_training_holds_do_not_judge(tmp_path: Path) -> None:
    train, valid = reviews(100), reviews(60, seed=1)
    both = pd.concat([valid, train[:7]])
    profile = prepared(tmp_path, train, reviews(40, seed=2), both)
    assert "7 validation rows judge no trial: training holds a copy or near-copy of them" in told(profile)
    data = open_prepared(tmp_path / "out")
    judging = data.rows.x.column("text")
    assert profile.rows_valid == 60
    assert set(train["text"][:7]).isdisjoint(text for text, fold in zip(judging, data.fold, strict=True) if fold >= 0)


def test_copies_with_different_answers_are_named(tmp_path: Path) -> None:
    frame = reviews(40)
    frame.loc[5, ["text", "label"]] = [frame.loc[0, "text"].upper(), "good"]
    assert "1 examples occur with more than one answer, such as train.csv row 1 and train.csv row 6" in told(
        prepared(tmp_path, frame)
    )


def test_pairs_are_two_long_columns_and_other_columns_are_left_out_with_a_note(tmp_path: Path) -> None:
    frame = reviews(60).assign(source="gj04", second=texts(60, seed=4))
    profile = prepared(tmp_path, frame)
    assert [column.name for column in profile.columns] == ["text", "second"]
    assert open_prepared(tmp_path / "out").rows.x.roles == ("text", "pair")
    assert told(profile) == [
        "read 'text' as text and 'second' as pair; left out: 'source' (`inputs` of the card would change it)"
    ]


def test_inputs_of_the_card_say_which_column_is_which(tmp_path: Path) -> None:
    frame = reviews(60).assign(second=texts(60, seed=4), third=texts(60, seed=5))
    with pytest.raises(
        UserError, match=r"name the column of text and pair; train\.csv has text in: text, second, third"
    ):
        prepared(tmp_path, frame)
    prepared(tmp_path, frame, inputs=["third", "text"])
    assert open_prepared(tmp_path / "out").layout.encoder == {"columns": {"text": "third", "pair": "text"}}
    prepared(tmp_path, frame, inputs={"text": {"role": "pair"}, "second": {"role": "text"}})
    assert open_prepared(tmp_path / "out").layout.encoder == {"columns": {"pair": "text", "text": "second"}}
    prepared(tmp_path, frame, drop=["second", "third"])
    assert open_prepared(tmp_path / "out").rows.x.roles == ("text",)


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ({"target": "lable"}, "target: train.csv has no column 'lable', did you mean 'label'"),
        ({"target": None}, "card: target: name the column"),
        ({"inputs": ["txt"]}, r"card: inputs.txt: train.csv has no column 'txt'"),
        ({"inputs": {"text": {"role": "image"}}}, "card: inputs.text.role: image is none of text, pair"),
        ({"label_space": ["good", "fine"]}, "label_space lacks values that target 'label' has: 'bad'"),
        ({"group": "who"}, "group: train.csv has no column 'who'"),
        ({"task": "detection"}, "needs modality: image"),
        ({"task": "regression"}, "task regression does not fit target 'label'"),
        ({"task": "token-classification"}, "name the column of the tokens"),
    ],
)
def test_a_card_that_does_not_fit_the_data_says_so_in_one_line(tmp_path: Path, card: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        prepared(tmp_path, reviews(40), **card)
    assert "\n" not in str(caught.value)


def test_labels_of_the_card_that_are_not_in_the_data_are_told(tmp_path: Path) -> None:
    profile = prepared(tmp_path, reviews(), label_space=["bad", "good", "fine"])
    assert told(profile) == ["labels of the label space that never occur, so can't be learnt: fine"]


def test_numbers_are_predicted_as_numbers(tmp_path: Path) -> None:
    frame = reviews().assign(label=np.linspace(0, 1, 200))
    profile = prepared(tmp_path, frame)
    assert profile.task == "regression"
    assert profile.target_mean == pytest.approx(0.5, abs=0.05)


def test_groups_weights_and_times_of_the_card_are_kept(tmp_path: Path) -> None:
    frame = reviews().assign(
        who=np.arange(200) // 10, much=np.arange(200) / 100, day=pd.date_range("2020-01-01", periods=200)
    )
    prepared(tmp_path, frame, group="who", weight="much")
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    much, who = (dict(zip(frame["text"], frame[name], strict=True)) for name in ("much", "who"))
    assert data.rows.weight is not None
    assert data.rows.weight.tolist() == [much[text] for text in data.rows.x.column("text")]
    assert not {who[t] for t in data.rows.x.column("text")} & {who[t] for t in test.x.column("text")}
    profile = prepared(tmp_path, frame, time="day")
    assert sorted(open_test(tmp_path / "out").x.column("text")) == sorted(frame["text"].iloc[160:])
    assert profile.split.startswith("test: the last 20% in time")


def test_texts_to_generate_may_have_several_references_and_keep_their_digits(tmp_path: Path) -> None:
    rows = [{"text": said, "to": [f"00{i}", f"{i}"] if i % 2 else f"0{i}"} for i, said in enumerate(texts(40))]
    rows[3]["to"] = []
    (tmp_path / "g.jsonl").write_text("\n".join(map(json.dumps, rows)))
    profile = prepared(tmp_path, task="text-generation", source="g.jsonl", target="to")
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    given = {str(row["text"]): row["to"] if isinstance(row["to"], list) else [row["to"]] for row in rows}
    seen = [
        *zip(data.rows.x.column("text"), data.rows.y, strict=True),
        *zip(test.x.column("text"), test.y, strict=True),
    ]
    assert all(record == {"texts": given[text]} for text, record in seen)
    assert profile.rows == 39
    assert told(profile)[-1] == "1 row left out: the answer is missing: g.jsonl row 4"


def test_paragraphs_of_questions_do_not_straddle_the_division(tmp_path: Path) -> None:
    rows = [
        {"question": f"what is {i} in {n}", "context": said, "answers": said.split()[i]}
        for n, said in enumerate(texts(40, words=20))
        for i in range(4)
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    prepared(tmp_path, task="question-answering", source="q.jsonl", target=None)
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    assert not set(data.rows.x.column("context")) & set(test.x.column("context"))
    record, context = data.rows.y[0], data.rows.x.column("context")[0]
    assert context[record["starts"][0] :].startswith(record["answers"][0])


def test_passages_are_stored_beside_the_questions(tmp_path: Path) -> None:
    contexts = texts(30)
    rows = [{"question": f"who is number {i}", "context": said} for i, said in enumerate(contexts)]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    profile = prepared(tmp_path, task="retrieval", source="q.jsonl", target=None)
    assert open_passages(tmp_path / "out").column("text") == contexts
    assert profile.passages == 30
    data = open_prepared(tmp_path / "out")
    number = int(data.rows.x.column("question")[0].split()[-1])
    assert data.rows.y[0] == {"passages": [number]}
