"""Cards are found by name and by path, the user's own before the shipped ones."""

from pathlib import Path

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import data_cards, find_card, model_cards
from automl_gpt.cards.schema import DataCard


def test_every_shipped_data_card_loads_and_says_what_it_is() -> None:
    cards = data_cards()
    assert set(cards) == {"adult", "breast_cancer", "diabetes", "digits", "iris", "wine"}
    for name, card in cards.items():
        assert card.name == name
        assert all((card.description, card.task, card.metric, card.license, card.notes)), name


def test_a_card_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("source: a.csv\ntarget: b\n")
    assert find_card("iris").file.name == "iris.yaml"
    assert find_card(file).file == file
    assert find_card("own", tmp_path).file == file


def test_the_users_card_wins_over_a_shipped_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: iris\nsource: a.csv\ntarget: b\n")
    assert data_cards(tmp_path)["iris"].target == "b"
    (tmp_path / "iris.yaml").write_text("source: a.csv\ntarget: c\n")
    found = find_card("iris", tmp_path).card
    assert isinstance(found, DataCard)
    assert found.target == "c"


def test_model_cards_and_data_cards_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "name: m\ntasks: [regression]\ntrainer: t\nresources: {seconds: 1}\n"
        "search_space:\n  a: {type: int, low: 1, high: 2, default: 1}\n"
    )
    assert "m" in model_cards(tmp_path)
    assert "m" not in data_cards(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"), [("irsi", "did you mean iris"), ("qqq", "cards list"), ("x.yaml", "no such file")]
)
def test_an_unknown_card_is_told_with_the_nearest_names(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_card(name)


def test_a_data_file_is_no_card_and_the_mend_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="cards new"):
        find_card(file)
