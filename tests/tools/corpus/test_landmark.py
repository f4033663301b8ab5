"""The landmark: near 1 where a simple model sees the answer, near 0 where there is nothing, and never of test rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from PIL import Image

from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.corpus.landmark import landmark
from automl_gpt.tools.corpus.picture_parts import picture_dataset
from automl_gpt.tools.corpus.prepare import prepare
from tests.tools.corpus.pictures_made import packed

ROWS = np.arange(400)
WORDS = np.array(["red", "green", "blue", "and", "or", "with", "of"])


def texts(y: np.ndarray, told: bool) -> Examples:
    """Sentences of random words, with one that tells the class where `told`."""
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS[3:], 8)) + (f" {WORDS[code]}" if told else "") for code in y]
    return Examples(Dataset.from_dict({"text": lines}))


def test_texts_that_tell_their_class_are_near_1_and_others_near_0() -> None:
    y = np.random.default_rng(1).integers(0, 3, len(ROWS))
    good, none = (landmark(texts(y, told), y, 3, ROWS) for told in (True, False))
    assert good is not None and good > 0.95
    assert none is not None and abs(none) < 0.2
    assert landmark(texts(y, True), y, 3, ROWS) == good


def test_of_a_pair_of_texts_shared_words_count() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, len(ROWS))
    first = [" ".join(rng.choice(list("abcdefghijklmn"), 4, replace=False)) for _ in y]
    other = [
        line if same else " ".join(rng.choice(list("opqrstuvwxyz"), 4)) for line, same in zip(first, y, strict=True)
    ]
    found = landmark(Examples(Dataset.from_dict({"text": first, "pair": other})), y, 2, ROWS)
    assert found is not None and found > 0.9


def test_values_that_words_tell_are_explained() -> None:
    y = np.random.default_rng(3).integers(0, 3, len(ROWS)).astype(float)
    found = landmark(texts(y.astype(int), True), y, 0, ROWS)
    assert found is not None and found > 0.7


@pytest.mark.parametrize("side", [12, 900])
def test_pictures_whose_colour_tells_their_class_are_near_1(side: int) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 120)
    colours = [(200, 40, 40) if code else (40, 40, 200) for code in y]
    noise = [Image.fromarray(rng.integers(0, 60, (12, 12, 3), dtype=np.uint8)) for _ in y]
    shown = [
        Image.blend(Image.new("RGB", (12, 12), c), n, 0.5).resize((side, side))
        for c, n in zip(colours, noise, strict=True)
    ]
    found = landmark(Examples(picture_dataset([packed(one) for one in shown])), y, 2, np.arange(len(y)))
    assert found is not None and found > 0.9


def test_other_tasks_and_too_few_rows_have_none() -> None:
    y = np.arange(400) % 2
    assert landmark(texts(y, True), records({"texts": ["a"]} for _ in y), 0, ROWS) is None
    assert landmark(texts(y, True), y, 2, ROWS[:10]) is None
    assert landmark(texts(y, True), np.zeros(400, dtype=int), 2, ROWS) is None


def test_a_profile_of_texts_has_it_and_test_rows_do_not_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)

    def part(name: str, count: int, told: bool) -> None:
        y = rng.integers(0, 2, count)
        lines = [f'"{" ".join(rng.choice(list("abcdefghijklmnop"), 6))} {WORDS[c] if told else ""}",{c}' for c in y]
        (tmp_path / name).write_text("text,label\n" + "\n".join(lines) + "\n")

    part("train.csv", 300, told=True)
    part("test.csv", 300, told=False)
    sources = {"train": "train.csv", "test": "test.csv"}
    card = DataCard.model_validate({"modality": "text", "source": sources, "target": "label"})
    found = prepare(card, tmp_path, tmp_path / "out").meta.landmark
    assert found is not None and found > 0.95
