"""The cards of the README are right, and those of texts and pictures fit data as it describes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.reader import parse_data_card, parse_language_model_card
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.preparation import prepare
from tests.tools.corpus.pictures_made import class_folders, coco

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BLOCKS = [dedent(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
CARDS = [parse_data_card(block) for block in BLOCKS if "source:" in block]
BESIDE_TABLES = [card for card in CARDS if card.modality != "tabular"]
ROWS = 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the cards name, a few rows each."""
    folder = tmp_path_factory.mktemp("data")
    words = [" ".join(np.random.default_rng(i).permutation(list("abcdefgh"))) + f" {i}" for i in range(4 * ROWS)]
    for part, start in (("train", 0), ("test", 2 * ROWS)):
        rows = [f"{words[start + i]},{words[start + ROWS + i]},{i % 2}" for i in range(ROWS)]
        (folder / f"{part}.csv").write_text("\n".join(["premise,hypothesis,label", *rows]) + "\n")
    (folder / "dates.csv").write_text("written,normalised\n" + "".join(f"May {i},05-{i:02}\n" for i in range(1, ROWS)))
    (folder / "news.conll").write_text("".join(f"Ada{i} B-PER\nsat O\n\n" for i in range(ROWS)))
    class_folders(folder / "shapes", each=ROWS)
    for seed, part in enumerate(("train", "val", "test")):
        coco(folder / f"instances_{part}.json", [[(5, 5, 10, 10)]] * 12, seed=100 * seed)
    asked = [{"question": f"what is {text}?", "answers": [text.split()[0]]} for text in words]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (folder / "passages.txt").write_text("\n".join(words[:40]))
    answers = [[{"text": text.split()[0], "answer_start": 0}] for text in words]
    paragraphs = [
        {"context": text, "qas": [{"id": text, "question": f"what is {text}?", "answers": answer}]}
        for text, answer in zip(words, answers, strict=True)
    ]
    (folder / "questions.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return folder


def test_every_task_has_a_card_in_the_readme() -> None:
    assert [card.task for card in BESIDE_TABLES] == [
        None,
        None,
        "detection",
        "token-classification",
        "question-answering",
        "text-generation",
        "retrieval",
    ]
    assert len(CARDS) == len(BLOCKS) - 1
    assert parse_language_model_card(BLOCKS[-1]).input_usd == 0.15


@pytest.mark.parametrize("card", BESIDE_TABLES, ids=lambda card: f"{card.modality} {card.task}")
def test_a_card_of_the_readme_fits_such_data(card: DataCard, data: Path, tmp_path: Path) -> None:
    profile = prepare(card, data, tmp_path / "prepared")
    assert profile.rows >= ROWS - 1
    assert [finding.text for finding in profile.findings if "left out:" in finding.text] == []


def test_the_readme_names_every_shipped_model_of_texts_and_pictures() -> None:
    table = README[README.index("| task | seconds") :].split("\n\n")[0]
    shipped = {card.name for card in model_cards().values() if card.modality in ("text", "image")}
    assert set(re.findall(r"`(\w+)`", table)) == shipped
