"""Data sets of the hub: a folder laid out as one is read; offline, one line says what to do."""

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value, config

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.corpus.hub import open_hub
from automl_gpt.tools.corpus.read import read


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def test_an_id_that_can_not_be_reached_says_to_download_the_files() -> None:
    with pytest.raises(UserError) as caught:
        open_hub("hub:nobody/nothing:plain")
    assert str(caught.value) == (
        "source hub:nobody/nothing:plain: no connection to the hub: download the files and name their path"
    )


def test_a_folder_of_parquet_parts_is_read_by_its_parts_and_label_names(tmp_path: Path) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    part = Dataset.from_dict({"text": ["so so", "well done"], "label": [0, 1]}, features=features)
    hidden = Dataset.from_dict({"text": ["what is it"], "label": [-1]}, features=features)
    (tmp_path / "reviews").mkdir()
    for name, rows in DatasetDict({"train": part, "validation": part, "test": hidden}).items():
        rows.to_parquet(tmp_path / "reviews" / f"{name}-00000-of-00001.parquet")
    raw = read(DataCard(source="hub:reviews", target="label", modality="text"), tmp_path)
    assert list(raw.train.answers) == ["bad", "good"]
    assert raw.valid is not None
    assert raw.test is None
    assert [f.text for f in raw.findings] == ["1 row left out: the answer is missing: hub:reviews test row 1"]


def test_coded_tags_get_the_names_that_the_hub_knows(tmp_path: Path) -> None:
    features = Features({"tokens": List(Value("string")), "ner": List(ClassLabel(names=["O", "PER", "LOC"]))})
    rows = Dataset.from_dict({"tokens": [["Ada", "sat"], ["London"]], "ner": [[1, 0], [2]]}, features=features)
    (tmp_path / "news").mkdir()
    rows.to_parquet(tmp_path / "news" / "train-00000-of-00001.parquet")
    card = DataCard(source="hub:news", target="ner", modality="text", task="token-classification")
    raw = read(card, tmp_path)
    assert raw.labels == ("O", "LOC", "PER")
    assert raw.train.answers == [{"tags": [2, 0]}, {"tags": [1]}]


def test_a_folder_that_holds_no_data_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="source hub:empty can't be loaded") as caught:
        open_hub("hub:empty", tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="needs the id of a data set"):
        open_hub("hub:")


def test_a_hub_that_is_not_there_is_asked_once_and_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def refuse(self: object, address: str, **_: object) -> None:
        asked.append(address)
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("httpx2.Client.head", refuse)
    with pytest.raises(UserError, match="no connection to the hub"):
        open_hub("hub:nobody/nothing")
    assert (len(asked), *capfd.readouterr()) == (1, "", "")
    assert config.HF_HUB_OFFLINE is False
