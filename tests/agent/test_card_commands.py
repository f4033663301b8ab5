"""`cards list | show | check` know the cards of language models."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from automl_gpt.agent.card_commands import check_card, list_cards, show_card
from automl_gpt.cards.errors import CardError
from automl_gpt.cards.prices import save_price


def test_the_list_names_language_models_with_their_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    save_price(tmp_path, "ollama:mine", 0, 0)
    list_cards(tmp_path, Console(file=io.StringIO()))
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "language model" in lines["openai:gpt-4o-mini"] and "0.15 USD in, 0.6 USD out" in lines["openai:gpt-4o-mini"]
    assert "2025-08-07" in lines["openai:gpt-4o-mini"] and "0 USD in" in lines["ollama:mine"]
    assert " data " in lines["iris"] and " model " in lines["xgboost"]


def test_a_card_of_a_language_model_is_shown_and_checked(tmp_path: Path) -> None:
    said = io.StringIO()
    file = save_price(tmp_path, "ollama:mine", 0.25, 1)
    assert show_card("ollama:mine", tmp_path) == file.read_text().rstrip()
    assert "output_usd: 2\n" in show_card("openai:gpt-5-mini", tmp_path)
    check_card(file, tmp_path, Console(file=said, width=500))
    assert "the Language Model Card ollama:mine is right: 0.25 USD in, 1 USD out" in said.getvalue()
    file.write_text(file.read_text() + "contxt: 4\n")
    with pytest.raises(CardError, match="did you mean 'context'"):
        check_card(file, tmp_path, Console(file=said))
