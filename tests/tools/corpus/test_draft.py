"""A drafted card of texts or pictures says what was inferred, reads back, and its data can be prepared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.card import draft_card
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.report import Profile
from tests.tools.corpus.pictures_made import class_folders, coco, idx_pair, saved

WORDS = ["the", "a", "good", "bad", "film", "plot", "was", "is", "never", "slow", "fast", "we", "saw", "it", "and"]
BOX = (5.0, 5.0, 10.0, 10.0)


def sentences(count: int, seed: int = 0, length: int = 7) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, length)) + f" {number}" for number in range(count)]


def drafted(data: Path, **more: Any) -> tuple[DataCard, str]:
    text = draft_card(data, **more)
    return parse_data_card(text), text


def prepared(card: DataCard, base: Path) -> Profile:
    return prepare(card, base, base / "prepared")


def table(folder: Path, name: str = "reviews.csv", rows: int = 60, **columns: Any) -> Path:
    labels = np.where(np.arange(rows) % 3 == 0, "bad", "good")
    pd.DataFrame({"review": sentences(rows), "label": labels, **columns}).to_csv(folder / name, index=False)
    return folder / name


# ------------------------------------------------------------------------------------------------------------- pictures


def test_class_folders_become_pictures_with_their_classes(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets", each=8)
    card, text = drafted(tmp_path / "pets")
    assert (card.name, card.modality, card.task, card.source) == ("pets", "image", "classification", "pets")
    assert (card.target, card.label_space, card.metric) == (None, ("cat", "dog"), "accuracy")
    assert "rows of each: 8, 8" in text and "the classes are the names of the folders" in text
    assert prepared(card, tmp_path).rows == 16


def test_a_zip_and_parts_within_a_folder_are_drafted_alike(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train", each=8)
    class_folders(tmp_path / "pets" / "test", each=5, seed=500)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "pets")
    for name in ("pets", "packed.zip"):
        card, text = drafted(tmp_path / name)
        assert card.label_space == ("cat", "dog") and "train: 16 pictures, test: 10 pictures" in text
        assert prepared(card, tmp_path).rows_test == 10


def test_coco_files_become_detection_with_the_number_of_boxes(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for part, count in (("train", 12), ("val", 10)):
        coco(tmp_path / "set" / f"{part}.json", [[BOX, (1.0, 1.0, 8.0, 8.0)]] * count, seed=count)
    card, text = drafted(tmp_path / "set")
    assert (card.modality, card.task, card.metric) == ("image", "detection", "map")
    assert "boxes of each: 12, 12" in text and card.label_space == ("dot", "cell")
    profile = prepared(card, tmp_path)
    assert (profile.task, profile.rows) == ("detection", 22)
    alone, _ = drafted(tmp_path / "set" / "train.json")
    assert alone.source == "train.json"


def test_idx_files_become_pictures_with_codes_as_classes(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    idx_pair(tmp_path / "digits", rows=30)
    idx_pair(tmp_path / "digits", part="t10k", rows=12, seed=1)
    card, text = drafted(tmp_path / "digits")
    assert (card.modality, card.label_space) == ("image", (0, 1, 2))
    assert "train: 30 pictures, test: 12 pictures" in text and "names instead, in this order" in text
    assert prepared(card, tmp_path).rows_test == 12


def test_a_column_of_pictures_makes_a_table_one_of_pictures(tmp_path: Path) -> None:
    rows = [(saved(tmp_path / "files" / f"{i}.jpg", i).relative_to(tmp_path), "ab"[i % 2], i / 7) for i in range(12)]
    pd.DataFrame(rows, columns=["file", "label", "weight"]).to_csv(tmp_path / "pictures.csv", index=False)
    card, _ = drafted(tmp_path / "pictures.csv", target="label")
    assert (card.modality, card.task, card.label_space) == ("image", "classification", ("a", "b"))
    assert card.inputs is not None and card.inputs["file"].role == "image"
    assert prepared(card, tmp_path).rows == 12
    assert drafted(tmp_path / "pictures.csv", target="weight")[0].task == "regression"
    shutil.rmtree(tmp_path / "files")
    assert drafted(tmp_path / "pictures.csv", target="label")[0].modality == "tabular"


# ---------------------------------------------------------------------------------------------------------------- texts


def test_rows_of_one_long_text_become_texts(tmp_path: Path) -> None:
    card, text = drafted(table(tmp_path, number=np.arange(60)), target="label")
    assert (card.modality, card.task, card.metric) == ("text", "classification", "accuracy")
    assert card.inputs is not None and card.inputs["review"].role == "text"
    assert card.drop["number"].startswith("an identifier")
    assert "modality: text # the only inputs are texts of several words" in text
    assert prepared(card, tmp_path).labels == ("bad", "good")


def test_two_long_texts_become_a_pair_and_a_number_a_value(tmp_path: Path) -> None:
    columns = {"reply": sentences(60, seed=1), "label": np.random.default_rng(0).normal(size=60)}
    card, _ = drafted(table(tmp_path, **columns))
    assert card.inputs is not None
    assert [info.role for info in card.inputs.values()] == ["text", "pair"]
    assert (card.task, card.metric) == ("regression", "rmse")
    assert prepared(card, tmp_path).task == "regression"


def test_texts_beside_numbers_stay_a_table_and_it_says_so(tmp_path: Path) -> None:
    card, text = drafted(table(tmp_path, stars=np.random.default_rng(0).normal(size=60)))
    assert card.modality == "tabular" and card.inputs is not None
    assert card.inputs["review"].type == "text"
    assert "a table, because there are inputs besides texts (review), of which the words are counted" in text


def test_a_target_of_texts_becomes_generation(tmp_path: Path) -> None:
    pd.DataFrame({"prompt": sentences(40), "reply": sentences(40, 1)}).to_csv(tmp_path / "d.csv", index=False)
    card, text = drafted(tmp_path / "d.csv")
    assert (card.task, card.target, card.metric) == ("text-generation", "reply", "chrf")
    assert "the target is text, different in most rows" in text
    assert prepared(card, tmp_path).task == "text-generation"


def test_the_only_text_is_no_likely_target(tmp_path: Path) -> None:
    frame = pd.DataFrame({"topic": list("abcd") * 15, "body": sentences(60)})
    frame.to_csv(tmp_path / "d.csv", index=False)
    card, _ = drafted(tmp_path / "d.csv")
    assert (card.target, card.task, card.modality) == ("topic", "classification", "text")


def test_files_called_train_and_test_are_parts_and_one_without_a_target_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    table(tmp_path / "set", "train.csv")
    table(tmp_path / "set", "dev.csv", rows=30, label=["good", "other"] * 15)
    pd.DataFrame({"review": sentences(20)}).to_csv(tmp_path / "set" / "test.csv", index=False)
    card, text = drafted(tmp_path / "set")
    assert not isinstance(card.source, str)
    assert (card.source.train, card.source.valid, card.source.test) == ("set/train.csv", "set/dev.csv", None)
    assert card.label_space == ("bad", "good", "other")
    assert "test.csv has no column 'label', so it is no part of `source`" in text
    assert prepared(card, tmp_path).rows == 90


def squad(count: int = 12) -> dict[str, Any]:
    contexts = sentences(count, length=30)
    qas = [
        [{"id": str(i), "question": f"What is it {i}?", "answers": [{"text": c.split()[0], "answer_start": 0}]}]
        for i, c in enumerate(contexts)
    ]
    return {"data": [{"paragraphs": [{"context": c, "qas": q} for c, q in zip(contexts, qas, strict=True)]}]}


def test_squad_files_become_question_answering_or_retrieval(tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text(json.dumps(squad()))
    card, text = drafted(tmp_path / "questions.json")
    assert (card.modality, card.task, card.target, card.metric) == ("text", "question-answering", None, "qa_f1")
    assert "12 questions" in text and prepared(card, tmp_path).task == "question-answering"
    card, _ = drafted(tmp_path / "questions.json", task="retrieval")
    assert (card.task, prepared(card, tmp_path).passages) == ("retrieval", 12)


def test_conll_files_become_token_classification(tmp_path: Path) -> None:
    (tmp_path / "news.conll").write_text("".join(f"Ada{i} B-PER\nsat O\n\n" for i in range(12)))
    card, text = drafted(tmp_path / "news.conll")
    assert (card.task, card.metric) == ("token-classification", "f1_entities")
    assert "12 sentences" in text and "tags: B-PER, O" in text
    assert prepared(card, tmp_path).labels == ("O", "B-PER")


LISTS = {"words": ["Ada", "sat"], "ner_tags": ["PER", "O"]}
ASKED = {"question": "who sat here?", "context": "Ada sat here.", "answers": {"text": ["Ada"], "answer_start": [0]}}


@pytest.mark.parametrize(
    ("row", "more", "task", "roles"),
    [
        (LISTS, {"target": "ner_tags"}, "token-classification", {}),
        (LISTS | {"tokens": ["Ada", "sat"]}, {}, "token-classification", {"tokens": "tokens"}),
        (ASKED, {}, "question-answering", {"question": "question", "context": "context"}),
        ({"question": "who sat here?", "answer": ["Ada", "Bo"]}, {}, "text-generation", {"question": "text"}),
        (
            {"question": "who sat?", "answer": ["Ada"]},
            {"task": "retrieval"},
            "retrieval",
            {"question": "question"},
        ),
    ],
    ids=["tags", "tokens", "answers", "several texts", "retrieval"],
)
def test_nested_rows_tell_their_task(
    tmp_path: Path, row: dict[str, Any], more: dict[str, Any], task: str, roles: dict[str, str]
) -> None:
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps(row) for _ in range(12)) + "\n")
    card, text = drafted(tmp_path / "d.jsonl", **more)
    assert (card.modality, card.task) == ("text", task)
    assert {name: info.role for name, info in (card.inputs or {}).items()} == roles
    assert ("to be done" in text) == (task == "retrieval" or not roles)


# ------------------------------------------------------------------------------------------------------------ what not


@pytest.mark.parametrize(
    ("make", "more", "told"),
    [
        (lambda f: class_folders(f / "pets", each=1), {"task": "detection"}, "--task detection can't be learnt"),
        (lambda f: class_folders(f / "pets", each=1), {"target": "label"}, "leave --target out"),
        (table, {"task": "sentiment"}, "--task sentiment: there is no such task"),
        (table, {"target": "labell"}, "did you mean 'label'"),
        (table, {"task": "question-answering"}, "name the column of the answers with --target"),
    ],
    ids=["task", "target", "no task", "no column", "no answers"],
)
def test_what_can_not_be_drafted_is_one_line(
    tmp_path: Path, make: Callable[[Path], Path], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        draft_card(make(tmp_path), **more)
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("modality", "task", "mend"),
    [
        ("tabular", None, "write `modality: image`"),
        ("text", None, "write `modality: image`"),
        ("tabular", "json", "write `modality: text` and `task: question-answering`"),
        ("text", "json", "write `task: question-answering`"),
    ],
)
def test_a_card_of_the_wrong_modality_is_told_the_right_one(
    tmp_path: Path, modality: str, task: str | None, mend: str
) -> None:
    (tmp_path / "questions.json").write_text(json.dumps(squad()))
    class_folders(tmp_path / "pets", each=1)
    source = "questions.json" if task else "pets"
    target = "label" if modality == "tabular" else None
    card = DataCard.model_validate({"source": source, "modality": modality, "target": target})
    with pytest.raises(UserError) as caught:
        prepared(card, tmp_path)
    assert mend in str(caught.value) and "\n" not in str(caught.value)
