"""A drafted Data Card reads back as what was inferred."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.reader import parse_data_card, read_data_card
from automl_gpt.tools.base import Context
from automl_gpt.tools.data.card import MadeDataCard, MakeDataCard, draft_card, guess_target, make_data_card
from automl_gpt.tools.data.profile import prepare


def write_table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    frame = pd.DataFrame(
        {
            "id": np.arange(200),
            "age": np.where(np.arange(200) % 4 == 0, np.nan, rng.normal(size=200)),
            "1": rng.choice(["no", "off: #x"], 200),
            "odd: #name\n'": rng.choice(list("abc"), 200),
            "copy": np.where(y == 1, "p", "n"),
            "label": np.where(y == 1, "yes", "no"),
            "last": rng.normal(size=200),
        }
    )
    frame.to_csv(folder / "my data.csv", index=False)
    return folder / "my data.csv"


def test_a_drafted_card_reads_back_and_prepares(tmp_path: Path) -> None:
    text = draft_card(write_table(tmp_path))
    card = parse_data_card(text)
    assert (card.name, card.source, card.target) == ("my_data", "my data.csv", "label")
    assert (card.task, card.label_space, card.positive_class, card.metric) == (
        "classification", ("no", "yes"), "yes", "roc_auc",
    )  # fmt: skip
    assert set(card.drop) == {"id", "copy"}
    assert card.inputs is not None
    assert {name: column.type for name, column in card.inputs.items()}["age"] == "number"
    assert "25.0% missing" in text
    assert "guessed" in text
    profile = prepare(card, tmp_path, tmp_path / "out")
    assert profile.features == 4


def test_the_likeliest_target_is_proposed() -> None:
    assert guess_target(["a", "Class", "b"]) == "Class"
    assert guess_target(["a", "b"]) == "b"


def test_a_wrong_target_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'label'"):
        draft_card(write_table(tmp_path), "labels")


def test_the_tool_writes_the_card_and_never_over_another(tmp_path: Path) -> None:
    data = write_table(tmp_path)
    made = make_data_card.function(MakeDataCard(data_file=data, target="last"), Context(tmp_path))
    assert isinstance(made, MadeDataCard)
    assert read_data_card(Path(made.file)).task == "regression"
    with pytest.raises(UserError, match="exists already"):
        make_data_card.function(MakeDataCard(data_file=data), Context(tmp_path))


def test_a_card_in_another_folder_names_the_whole_path(tmp_path: Path) -> None:
    data = write_table(tmp_path)
    assert parse_data_card(draft_card(data, folder=tmp_path / "cards")).source == str(data.resolve())
