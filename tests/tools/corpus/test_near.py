"""Copies and near-copies of texts: found where they are, nothing else merged."""

from itertools import combinations

import numpy as np
import pytest
from datasets import Dataset

from automl_gpt.tools.corpus import near_text
from automl_gpt.tools.corpus.copies import Copies
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.near import near_copies
from automl_gpt.tools.corpus.shingles import band_keys, jaccard

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
SENTENCE = "I have been waiting for my new card for more than two weeks now and nothing came, what shall I do"


def random_texts(count: int, seed: int = 0, words: int = 12) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)) for _ in range(count)]


def copies(*texts: str, **columns: list[str]) -> Copies:
    return near_copies(Examples(Dataset.from_dict({"text": list(texts), **columns} if texts else columns)), "binary")


def sets_index(a: str, b: str) -> float:
    first, second = ({t[i : i + 5] for i in range(len(t) - 4)} for t in (a, b))
    return len(first & second) / len(first | second)


def test_case_and_white_space_make_no_difference_to_copies_but_to_their_hashes() -> None:
    found = copies("So it goes", "so  it\tgoes ", "so it went")
    assert found.exact.tolist() == found.near.tolist()
    assert found.exact[0] == found.exact[1] != found.exact[2]
    assert len(set(found.hashes.tolist())) == 3


def test_a_changed_sign_in_a_long_text_is_a_near_copy_and_another_text_is_none() -> None:
    found = copies(SENTENCE, SENTENCE + "?", SENTENCE.replace("two weeks", "a year and a day"), *random_texts(50))
    assert found.near[0] == found.near[1]
    assert found.exact[0] != found.exact[1]
    assert len(np.unique(found.near)) == 52


def test_short_texts_are_never_near_copies() -> None:
    found = copies(
        "extraordinarily unconvincing performances throughout", "extraordinarily unconvincing performances throughout!"
    )
    assert found.near[0] != found.near[1]


def test_near_copies_are_the_pairs_that_all_comparisons_find() -> None:
    texts = random_texts(60, seed=1, words=30)
    texts += [text.replace("dog", "dogs", 1) for text in texts[:30]] + [text[4:] for text in texts[30:60]]
    near = copies(*texts).near
    alike = {(i, j) for i, j in combinations(range(len(texts)), 2) if sets_index(texts[i], texts[j]) >= near_text.ALIKE}
    together = {(i, j) for i, j in combinations(range(len(texts)), 2) if near[i] == near[j]}
    assert len(alike) > 30
    assert len(alike & together) >= 0.97 * len(alike)
    assert together == alike & together


def test_the_index_of_shingles_is_that_of_python_sets_whatever_the_alphabet() -> None:
    texts = [
        "ein schöner Satz von Wörtern",
        "ein schöner Satz mit Wörtern",
        "дом на холме у реки",
        "дом на холме у моря",
        "一二三四五六七八九",
        "一二三四五六七八十",
    ]
    pairs = np.array([[0, 1], [2, 3], [4, 5], [0, 2], [1, 1]])
    expected = [sets_index(texts[i], texts[j]) for i, j in pairs]
    np.testing.assert_allclose(jaccard(texts, pairs), expected)


def test_bands_agree_about_as_often_as_the_index_says() -> None:
    letters = np.random.default_rng(2).integers(97, 123, (600, 200))
    changed = letters.copy()
    changed[:, 100:105] = np.random.default_rng(3).integers(97, 123, (600, 5))
    texts, others = (["".join(map(chr, row)) for row in rows] for rows in (letters, changed))
    index = jaccard(texts + others, np.column_stack([np.arange(600), np.arange(600) + 600]))
    agree = (band_keys(texts) == band_keys(others)).mean(axis=0)
    assert 0.9 < index.mean() < 0.93
    assert abs(agree.mean() - (index**5).mean()) < 0.04
    assert (band_keys(texts)[:, :-1] == band_keys(texts)[:, 1:]).mean() < 0.01


def test_pairs_are_copies_only_where_both_texts_are() -> None:
    premise = [SENTENCE, SENTENCE + "!", SENTENCE]
    found = copies(*premise, pair=["a card is late", "A card is late", "a bank is closed"])
    assert found.near[0] == found.near[1] != found.near[2]
    assert len(np.unique(found.exact)) == 3


def test_questions_of_one_context_belong_together_and_are_no_copies() -> None:
    contexts = random_texts(30, words=40)
    data = {"question": [f"what is number {i}" for i in range(60)], "context": contexts + [c + "." for c in contexts]}
    found = near_copies(Examples(Dataset.from_dict(data)), "question-answering")
    assert len(np.unique(found.near)) == 60
    assert found.twin.tolist()[:30] == found.twin.tolist()[30:]
    few = {"question": data["question"], "context": contexts[:3] * 20}
    found = near_copies(Examples(Dataset.from_dict(few)), "question-answering")
    assert found.together is None
    assert "fewer than 20 contexts" in found.note


def test_lists_of_words_are_compared_as_texts() -> None:
    data = {"tokens": [["So", "it", "goes"], ["so", "it", "goes"], ["so", "it", "went"]]}
    found = near_copies(Examples(Dataset.from_dict(data)), "token-classification")
    assert found.exact[0] == found.exact[1] != found.exact[2]


def test_of_too_much_text_only_copies_are_looked_for_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_text, "MOST_BYTES", 100)
    found = copies(SENTENCE, SENTENCE + "?", SENTENCE)
    assert found.near[0] == found.near[2] != found.near[1]
    assert "no near-copies" in found.note


def test_the_same_rows_give_the_same_codes_through_portions_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = random_texts(300, seed=3)
    texts += [text + " here" for text in texts[::3]]
    whole = copies(*texts)
    for name, size in (("_ROWS", 7), ("_PAIRS", 5), ("_CHARACTERS", 100)):
        monkeypatch.setattr(near_text, name, size)
    parts = copies(*texts)
    assert (whole.near == parts.near).all()
    assert (whole.hashes == parts.hashes).all()
