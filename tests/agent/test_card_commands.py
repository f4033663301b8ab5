"""`cards list | show | check` know the cards of language models; `cards new` writes those of data and of weights."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from automl_gpt.agent.card_commands import check_card, list_cards, new_card, show_card
from automl_gpt.cards.errors import CardError, UserError
from automl_gpt.cards.prices import save_price
from automl_gpt.cards.reader import read_data_card, read_model_card
from tests.tools.corpus.pictures_made import class_folders


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


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of weights of a tiny text encoder."""
    from transformers import BertConfig, BertModel

    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=20, **size)).save_pretrained(tmp_path / "tiny_bert")
    return tmp_path / "tiny_bert"


def test_a_model_card_for_weights_is_written_beside_them_and_is_right(weights: Path) -> None:
    said = io.StringIO()
    path = new_card(weights, None, None)
    assert path == weights.with_name("tiny_bert.yaml")
    check_card(path, weights.parent, Console(file=said, width=500))
    assert said.getvalue() == f"{path}: the Model Card tiny_bert is right\n"
    with pytest.raises(UserError, match="exists already"):
        new_card(weights, None, None)
    other = new_card(weights, None, weights.parent / "other.yaml", task="regression", name="mine")
    assert read_model_card(other).name == "mine"


def test_a_model_card_whose_weights_are_gone_is_wrong(weights: Path) -> None:
    path = new_card(weights, None, None)
    (weights / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors in it"):
        check_card(path, weights.parent, Console(file=io.StringIO()))


def test_options_for_data_and_for_weights_are_not_mixed_up(weights: Path) -> None:
    table = weights.parent / "table.csv"
    table.write_text("a,b\n" + "1,x\n2,y\n" * 20)
    with pytest.raises(UserError, match="--target is for data"):
        new_card(weights, "label", None)
    with pytest.raises(UserError, match="task regression does not fit target 'b'"):
        new_card(table, None, None, task="regression")
    assert "name: mine" in new_card(table, "b", None, name="mine").read_text()


def test_a_data_card_for_a_folder_stands_beside_it_and_is_right(tmp_path: Path) -> None:
    said = io.StringIO()
    class_folders(tmp_path / "pets")
    path = new_card(tmp_path / "pets", None, None)
    assert path == tmp_path / "pets.yaml"
    check_card(path, tmp_path, Console(file=said, width=500))
    assert f"{path}: the Data Card is right: 12 rows" in said.getvalue()
    (tmp_path / "cards").mkdir()
    other = new_card(tmp_path / "pets", None, tmp_path / "cards" / "other.yaml", task="classification", name="other")
    assert read_data_card(other).source == str(tmp_path / "pets")


def test_a_card_of_pictures_without_a_modality_is_told_what_to_write(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets")
    card = tmp_path / "pets.yaml"
    card.write_text("source: pets\n")
    with pytest.raises(CardError, match="write `modality: image`"):
        check_card(card, tmp_path, Console(file=io.StringIO()))
    card.write_text("source: pets\ntarget: label\n")
    with pytest.raises(UserError, match="holds pictures in folders of classes, no table: write `modality: image`"):
        check_card(card, tmp_path, Console(file=io.StringIO()))


def test_a_model_card_is_written_from_the_command_line(weights: Path) -> None:
    command = [sys.executable, "-m", "automl_gpt.agent.cli", "cards", "new", "tiny_bert", "--task", "retrieval"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=weights.parent, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    card = read_model_card(Path(done.stdout.strip()))
    assert (card.trainer, card.tasks, card.source) == ("bi_encoder", ("retrieval",), str(weights))
    config = json.loads((weights / "config.json").read_text())
    (weights / "config.json").write_text(json.dumps(config | {"model_type": "unheard_of"}))
    done = subprocess.run(
        [*command, "--out", "x.yaml"], capture_output=True, text=True, cwd=weights.parent, check=False
    )
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "does not know the architecture 'unheard_of'" in done.stderr
