"""What a person names is found on the disk before it is looked for among the cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_gpt.agent.desk import Desk
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, ModelCard
from tests.tools.corpus.pictures_made import class_folders


def test_a_folder_of_pictures_is_drafted_and_its_source_counts_from_beside_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "cards")
    card = desk.read(str(class_folders(tmp_path / "pets")))
    assert isinstance(card, DataCard) and (card.modality, card.source) == ("image", "pets")
    assert (desk.base, desk.data_file) == (tmp_path, None)


def test_a_folder_of_weights_is_a_candidate_model(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=20, **size)).save_pretrained(tmp_path / "tiny")
    desk = Desk(tmp_path / "cards")
    card = desk.read(str(tmp_path / "tiny"))
    assert isinstance(card, ModelCard) and card.source == str(tmp_path / "tiny")
    assert card.name in [one.name for one in desk.candidates()] and desk.data_card is None


def test_a_card_is_found_by_its_name_although_a_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "iris")
    card = Desk(tmp_path / "cards").read("iris")
    assert isinstance(card, DataCard) and card.source == "sklearn:iris"
    drafted = Desk(tmp_path / "cards").read("./iris")
    assert isinstance(drafted, DataCard) and drafted.modality == "image"


def test_a_folder_without_data_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data found"):
        Desk(tmp_path / "cards").read(str(tmp_path))
