"""Words with tags: lists in rows and files of CoNLL give the same; sentences that don't fit are named and left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.raw import RawExamples
from automl_gpt.tools.corpus.read import read

CONLL = """-DOCSTART- -X- O

# text = Ada sat
Ada NNP B-PER
sat VBD O

# NN O
London NNP B-LOC
"""


def read_tags(folder: Path, content: str, name: str = "t.jsonl", **card: Any) -> RawExamples:
    (folder / name).write_text(content, encoding="utf-8")
    given = {"modality": "text", "task": "token-classification", "source": name, **card}
    return read(DataCard.model_validate(given), folder)


def lines(*rows: tuple[Any, Any]) -> str:
    return "\n".join(json.dumps({"tokens": tokens, "tags": tags}) for tokens, tags in rows)


def test_conll_and_lists_of_words_give_the_same_codes_of_sorted_labels(tmp_path: Path) -> None:
    one = read_tags(tmp_path, CONLL, "t.conll")
    two = read_tags(tmp_path, lines((["Ada", "sat"], ["B-PER", "O"]), (["#", "London"], ["O", "B-LOC"])))
    for raw in (one, two):
        assert raw.labels == ("O", "B-LOC", "B-PER")
        assert raw.train.answers == [{"tags": [2, 0]}, {"tags": [0, 1]}]
        assert raw.train.dataset["tokens"][:] == [["Ada", "sat"], ["#", "London"]]
    assert list(one.train.names or ()) == ["t.conll line 4", "t.conll line 7"]


def test_a_conll_file_may_be_divided_by_tabs_with_blanks_in_its_words(tmp_path: Path) -> None:
    raw = read_tags(tmp_path, "New York\tB-LOC\nsleeps\tO\n", "t.bio")
    assert raw.train.dataset["tokens"][:] == [["New York", "sleeps"]]


def test_tags_that_are_numbers_get_the_names_of_the_cards_label_space(tmp_path: Path) -> None:
    rows = lines((["Ada", "sat"], [1, 0]), (["London"], [2]))
    raw = read_tags(tmp_path, rows, target="tags", label_space=["O", "PER", "LOC"])
    assert raw.labels == ("O", "LOC", "PER")
    assert raw.train.answers == [{"tags": [2, 0]}, {"tags": [1]}]
    assert read_tags(tmp_path, rows).labels == ("0", "1", "2")
    with pytest.raises(UserError, match="has the tag 2, and names are known of 0 to 1"):
        read_tags(tmp_path, rows, label_space=["O", "PER"])


def test_sentences_that_do_not_fit_are_counted_named_and_left_out(tmp_path: Path) -> None:
    rows = lines((["a", "b"], ["O", "X"]), (["a"], ["O", "O"]), ([], []), (["a"], None), (["a", None], ["O", "O"]))
    raw = read_tags(tmp_path, rows)
    assert len(raw.train) == 1
    assert [finding.text for finding in raw.findings] == [
        "1 row left out: no words: t.jsonl row 3",
        "1 row left out: the tags are missing: t.jsonl row 4",
        "1 row left out: another number of tags than of words: t.jsonl row 2",
        "1 row left out: a word or tag is missing: t.jsonl row 5",
    ]


def test_a_word_of_conll_without_a_tag_leaves_its_sentence_out_by_its_line(tmp_path: Path) -> None:
    raw = read_tags(tmp_path, "Ada PER\nsat\n\nLondon LOC\n", "t.txt")
    assert len(raw.train) == 1
    assert raw.findings[0].text == "1 row left out: another number of tags than of words: t.txt line 1"


def test_labels_and_the_cards_label_space_are_compared(tmp_path: Path) -> None:
    raw = read_tags(tmp_path, CONLL, "t.conll", label_space=["O", "B-PER", "B-LOC", "B-ORG"])
    assert [finding.text for finding in raw.findings] == [
        "labels of the label space that never occur, so can't be learnt: B-ORG"
    ]
    with pytest.raises(UserError, match="label_space lacks values that target 'tags' has: 'B-LOC'"):
        read_tags(tmp_path, CONLL, "t.conll", label_space=["O", "B-PER"])


def test_text_where_lists_are_needed_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="column 'tokens' holds string, not lists"):
        read_tags(tmp_path, lines(("Ada sat", "PER O")))
    with pytest.raises(UserError, match="no line holds a word and its tag"):
        read_tags(tmp_path, "Ada\nsat\n", "t.txt")
