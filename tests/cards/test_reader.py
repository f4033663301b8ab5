"""Every wrong card gets one line that names file, line, field and the mend."""

from pathlib import Path

import pytest

from automl_gpt.cards.errors import CardError, UserError
from automl_gpt.cards.reader import parse_data_card, parse_model_card, read_data_card, read_model_card

FILE = Path("c.yaml")
GOOD = "source: a.csv\ntarget: b\n"
MODEL = """name: m
tasks: [classification]
trainer: t
resources: {seconds: 1}
search_space:
"""


def problem_of(text: str) -> str:
    with pytest.raises(CardError) as caught:
        parse_data_card(text, FILE)
    message = str(caught.value)
    assert "\n" not in message
    assert "Value error" not in message
    assert "http" not in message
    return message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "empty"),
        ("just words", 1, "key: value"),
        ("- a\n- b\n", 1, "key: value"),
        (GOOD + "\tdrop: [x]\n", 3, "tab"),
        ("source: a\n  target: b\n", 2, "indent"),
        (GOOD + "metrik: auc\n", 3, "did you mean 'metric'?"),
        (GOOD + "split:\n  kind: random\n  fold: 3\n", 5, "split.fold: unknown key, did you mean 'folds'?"),
        ("source: {train: a, tset: b}\ntarget: c\n", 1, "did you mean 'test'?"),
        ("source: 5\ntarget: b\n", 1, "source: must be text"),
        (GOOD + "label_space: [[1], 2]\n", 3, "label_space.0: must be"),
        (GOOD + "inputs: [{a: 1}]\n", 3, "column names"),
        (GOOD + "inputs: {a: numbr}\n", 3, "did you mean 'number'?"),
        (GOOD + "task: classificaton\n", 3, "did you mean 'classification'?"),
        (GOOD + "split: {kind: random, test: 1.5}\n", 3, "below 0.9"),
        (GOOD + "source: c\n", 3, "stands here twice"),
        ("source: 'a\n", 1, "not closed"),
        ("source: !!python/name:os.system x\ntarget: b\n", 1, "not allowed"),
        ("source: a\x07\ntarget: b\n", 1, "character"),
        (GOOD + "---\nsource: c\n", 3, "more than one document"),
        ("source: a\n", None, "target is missing"),
        ("target: b\n", None, "source: is missing"),
        (GOOD + "label_space: [0, " + "1" * 5000 + "]\n", 3, "number"),
    ],
)
def test_a_wrong_card_is_told_in_one_line_with_its_place(text: str, line: int | None, words: str) -> None:
    message = problem_of(text)
    assert message.startswith("c.yaml" + (f":{line}:" if line else ":"))
    assert words in message


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert "aliases are not allowed" in problem_of(bomb)


@pytest.mark.parametrize("depth", [30, 50_000])
def test_deep_nesting_is_refused_without_recursion(depth: int) -> None:
    assert "nested deeper" in problem_of("a: " + "[" * depth)


def test_no_and_dates_stay_text() -> None:
    card = parse_data_card("source: 2020-01-01\ntarget: no\nlabel_space: [no, yes]\n")
    assert (card.source, card.target, card.label_space) == ("2020-01-01", "no", ("no", "yes"))


def test_labels_keep_their_types() -> None:
    assert parse_data_card(GOOD + "label_space: [0, 1.5, true, x]\n").label_space == (0, 1.5, True, "x")


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("{type: int, low: 5, high: 1, default: 3}", "low 5 is above high 1"),
        ("{type: int, low: 1, hgh: 4, default: 3}", "did you mean 'high'?"),
        ("{type: flot, low: 1, high: 4, default: 3}", "did you mean 'float'?"),
        ("{low: 1, high: 4, default: 3}", "needs `type:`"),
        ("{type: int, low: 1.5, high: 4, default: 3}", "whole number"),
        ("{type: float, low: 0, high: 4, default: 3, log: true}", "log scale needs low above 0"),
    ],
)
def test_a_wrong_search_space_is_told_with_its_line(space: str, words: str) -> None:
    with pytest.raises(CardError) as caught:
        parse_model_card(MODEL + f"  depth: {space}\n", FILE)
    assert str(caught.value).startswith("c.yaml:6: search_space.depth")
    assert words in str(caught.value)


def test_a_card_of_the_other_kind_is_named_as_such() -> None:
    assert "this is a Model Card" in problem_of(MODEL + "  a: {type: int, low: 1, high: 2, default: 1}\n")
    with pytest.raises(CardError, match="no Model Card"):
        parse_model_card(GOOD)


def test_files_that_are_no_text_or_too_large_or_missing_are_told(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes("source: a\ntarget: é\n".encode("latin-1"))
    with pytest.raises(CardError, match=r"c.yaml:2: not UTF-8"):
        read_data_card(file)
    file.write_text("#" * 1_000_001)
    with pytest.raises(CardError, match="larger than 1 MB"):
        read_model_card(file)
    with pytest.raises(UserError, match="can't be read"):
        read_data_card(tmp_path / "none.yaml")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_data_card(file).target == "b"
