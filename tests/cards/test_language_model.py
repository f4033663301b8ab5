"""Language Model Cards: read with the line of what is wrong, found by name, and true only where they hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from automl_gpt.cards.errors import CardError, UserError
from automl_gpt.cards.language_model import LanguageModelCard, card_stem, price_card_text, same_server
from automl_gpt.cards.library import (
    SHIPPED,
    data_cards,
    find_any_card,
    find_card,
    language_model_card,
    language_model_cards,
    model_cards,
)
from automl_gpt.cards.prices import price_card, price_file, save_price
from automl_gpt.cards.reader import parse_data_card, parse_language_model_card

FILE = Path("c.yaml")
GOOD = "name: openai:x\ninput_usd: 1\noutput_usd: 4\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: openai:x\ninput_usd: 1\n", None, "output_usd: is missing"),
        (GOOD + "inputs_usd: 3\n", 4, "did you mean 'input_usd'?"),
        (GOOD + "cached_input_usd: 2\n", None, "cached_input_usd 2 is above input_usd 1"),
        (GOOD + "cached_input_usd: -1\n", 4, "must be at least 0"),
        (GOOD + "context: 0\n", 4, "must be above 0"),
        (GOOD + "output: lots\n", 4, "whole number"),
        (GOOD + "tools: maybe\n", 4, "true or false"),
        (GOOD + "as_of: yesterday\n", 4, "a day like 2025-08-07"),
        (GOOD + "as_of: 2025\n", 4, "a day like 2025-08-07"),
        (GOOD + "base_url: 'http://'\n", 4, "the address of a server"),
        (GOOD + "base_url: http://[1/v1\n", 4, "the address of a server"),
        ("name: x\ninput_usd: 1\noutput_usd: 4\n", 1, "PROVIDER:MODEL"),
        ("name: 'openai:x y'\ninput_usd: 1\noutput_usd: 4\n", 1, "PROVIDER:MODEL"),
        ("name: openai:x\ninput_usd: .nan\noutput_usd: 4\n", 2, "input_usd"),
        ("name: openai:x\ninput_usd: .inf\noutput_usd: 4\n", 2, "finite"),
        ("name: openai:x\ninput_usd: free\noutput_usd: 4\n", 2, "must be a number"),
    ],
)
def test_a_wrong_card_is_told_in_one_line_with_its_place(text: str, line: int | None, words: str) -> None:
    with pytest.raises(CardError) as caught:
        parse_language_model_card(text, FILE)
    message = str(caught.value)
    assert message.startswith("c.yaml" + (f":{line}:" if line else ":"))
    assert words in message and "\n" not in message


def test_every_shipped_card_is_whole_stands_under_its_name_and_holds_at_its_providers_server() -> None:
    cards = language_model_cards()
    assert len(cards) >= 8
    for name, card in cards.items():
        assert (SHIPPED / "llms" / f"{card_stem(name)}.yaml").is_file(), name
        assert all((card.description, card.source, card.context, card.output, card.tools)), name
        assert card.as_of is not None and card.as_of <= date.today()
        assert card.input_usd < card.output_usd and (card.output or 0) < (card.context or 0)
        assert price_card(name, None) == card


def test_a_call_costs_its_tokens_and_cached_ones_less_where_a_price_is_given_for_them() -> None:
    card = parse_language_model_card(GOOD)
    assert card.cost(1_000_000, 900_000, 500_000) == 3.0
    cheaper = card.model_copy(update={"cached_input_usd": 0.5})
    assert cheaper.cost(1_000_000, 400_000, 0) == pytest.approx(0.8)
    assert cheaper.cost(100, 10**9, 0) == pytest.approx(cheaper.cost(100, 100, 0))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("api.openai.com", "https://API.openai.com:443/v1", True),
        ("http://localhost:8000/v1", "localhost:8000", True),
        ("http://localhost:8000/v1", "localhost", True),
        ("http://localhost:8000/v1", "http://localhost:8001/v1", False),
        ("http://[::1]:80/", "[::1]", True),
        ("api.openai.com", "api.openai.com.evil.example", False),
        ("api.openai.com", "https://api.openai.com@evil.example/v1", False),
        ("", "", False),
        ("a:99999", "a:99999", False),
    ],
)
def test_servers_are_told_apart_by_host_and_port(one: str, other: str, same: bool) -> None:
    assert same_server(one, other) is same
    assert same_server(other, one) is same


def test_a_shipped_price_holds_at_the_providers_own_server_alone(tmp_path: Path) -> None:
    name = "openai:gpt-4o-mini"
    assert price_card(name, "api.openai.com", tmp_path) == language_model_card(name)
    for endpoint in ("localhost:8000", "https://my.proxy/v1", ""):
        assert price_card(name, endpoint, tmp_path) is None
    assert price_card("openai:none", None, tmp_path) is None


def test_a_persons_price_holds_where_their_card_says_or_else_anywhere(tmp_path: Path) -> None:
    name = "openai:gpt-4o-mini"
    save_price(tmp_path, name, 1, 2, base_url="http://proxy:8000/v1")
    there = price_card(name, "proxy:8000", tmp_path)
    assert there is not None and there.input_usd == 1
    assert price_card(name, "other", tmp_path) is None
    assert price_card(name, None, tmp_path) == language_model_card(name)
    save_price(tmp_path, name, 3, 4)
    anywhere = [price_card(name, endpoint, tmp_path) for endpoint in ("other", None, "", "proxy:8000")]
    assert [card.input_usd for card in anywhere if card] == [3, 3, 3, 1]


def test_a_price_is_stored_as_a_card_that_can_be_read_and_is_replaced_with_all_else_kept(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "cards"
    file = save_price(folder, "ollama:org/llama:8b", 1e-5, 0)
    assert file.name == "ollama-org-llama-8b.yaml"
    card = language_model_card("ollama:org/llama:8b", folder)
    assert card == LanguageModelCard(
        name="ollama:org/llama:8b", input_usd=1e-5, output_usd=0, as_of=date.today(), source="told by the person"
    )
    file.write_text(file.read_text() + "context: 8192\ntools: false\ncached_input_usd: 0.000001\n")
    assert save_price(folder, "ollama:org/llama:8b", 0.5, 1.5) == file
    again = language_model_card("ollama:org/llama:8b", folder)
    assert again is not None and (again.input_usd, again.output_usd, again.cached_input_usd) == (0.5, 1.5, None)
    assert (again.context, again.tools) == (8192, False)
    assert sorted(folder.iterdir()) == [file]


def test_a_price_never_overwrites_another_card(tmp_path: Path) -> None:
    (tmp_path / "a-b-c.yaml").write_text("source: a.csv\ntarget: b\n")
    first, second = (save_price(tmp_path, name, 1, 1) for name in ("a:b/c", "a:b-c"))
    assert (first.name, second.name) == ("a-b-c-2.yaml", "a-b-c-3.yaml")
    assert price_file(tmp_path, "a:b-c") == second
    assert set(language_model_cards(tmp_path)) >= {"a:b/c", "a:b-c"} and "a-b-c" in data_cards(tmp_path)


@pytest.mark.parametrize(
    ("name", "price", "words"),
    [("x", 1.0, "PROVIDER:MODEL"), ("a:x", -1.0, "at least 0"), ("a:x", float("nan"), "finite")],
)
def test_a_wrong_price_is_told_and_not_stored(tmp_path: Path, name: str, price: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        save_price(tmp_path, name, price, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_price_that_cannot_be_stored_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        save_price(tmp_path / "file", "a:x", 1, 1)


def test_the_text_of_a_price_card_quotes_what_yaml_would_misread() -> None:
    card = parse_language_model_card(price_card_text("a:#b:{c}", 1, 2, base_url="http://h:1/v1"))
    assert (card.name, card.base_url, card.as_of) == ("a:#b:{c}", "http://h:1/v1", date.today())


def test_the_card_of_a_language_model_is_no_data_card_and_no_model_card(tmp_path: Path) -> None:
    file = save_price(tmp_path, "openai:mine", 1, 2)
    for given in ("openai:mine", "openai-mine", file):
        with pytest.raises(
            UserError, match=r"no Data Card: name the data here, and the model with --controller openai:mine"
        ):
            find_card(given, tmp_path)
        assert find_any_card(given, tmp_path)[1] == file
    assert not {"openai:mine", "openai:gpt-5"} & {*data_cards(tmp_path), *model_cards(tmp_path)}
    with pytest.raises(CardError, match="this is a Language Model Card"):
        parse_data_card(file.read_text())


def test_the_persons_card_wins_over_the_shipped_one_of_the_same_model(tmp_path: Path) -> None:
    save_price(tmp_path, "openai:gpt-5", 7, 8)
    card = language_model_card("openai:gpt-5", tmp_path)
    assert card is not None and card.input_usd == 7
    assert language_model_card("openai:none", tmp_path) is None
