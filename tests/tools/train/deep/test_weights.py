"""Weights: what is loaded from a folder or the hub's cache, and the one line that says why others are not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)
from transformers.utils import logging

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.train.deep.tokens import train_tokenizer
from automl_gpt.tools.train.deep.weights import (
    check_weights,
    load_config,
    load_image_processor,
    load_model,
    load_tokenizer,
)

TEXTS = ["the cat sat on the mat", "a dog ate the bone", "birds sing in the morning"] * 3
VOCABULARY = 60


def bert() -> Any:
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertModel(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=32, **size))


def vit() -> Any:
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return ViTModel(ViTConfig(image_size=16, patch_size=8, **size))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    bert().save_pretrained(folder / "bert")
    bert().save_pretrained(folder / "shards", max_shard_size="8KB")
    vit().save_pretrained(folder / "vit")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder / "vit")
    train_tokenizer(TEXTS, VOCABULARY).save_pretrained(folder / "bert")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the weights of a text encoder, to be spoilt."""
    shutil.copytree(made / "bert", tmp_path / "mine")
    return tmp_path / "mine"


def refusal(act: Callable[[], Any]) -> str:
    """What a person is told: one line that names what it is about."""
    with pytest.raises(UserError) as error:
        act()
    text = str(error.value)
    assert "\n" not in text and len(text) < 500
    return text


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


# ----------------------------------------------------------------------------------------------------- what is loaded


@pytest.mark.parametrize("name", ["bert", "shards"])
def test_the_body_has_the_folder_s_weights_and_the_head_the_wanted_size(made: Path, name: str) -> None:
    model = load_model(str(made / name), AutoModelForSequenceClassification, num_labels=5)
    assert model.classifier.out_features == 5
    for key, value in bert().state_dict().items():
        assert torch.equal(model.bert.state_dict()[key], value)


def test_changes_reach_the_config_also_those_that_it_did_not_name(made: Path) -> None:
    config = load_config(str(made / "bert"), num_labels=3, problem_type="regression", of_ours=1)
    assert (config.num_labels, config.problem_type, config.of_ours) == (3, "regression", 1)


def test_weights_stored_in_half_precision_are_trained_in_full(tmp_path: Path) -> None:
    bert().half().save_pretrained(tmp_path)
    assert {p.dtype for p in load_model(str(tmp_path), AutoModel).parameters()} == {torch.float32}


def test_a_tokenizer_and_an_image_processor_are_loaded(made: Path) -> None:
    tokenizer = load_tokenizer(str(made / "bert"), load_model(str(made / "bert"), AutoModel))
    assert (
        tokenizer.is_fast and tokenizer("The cat").input_ids == train_tokenizer(TEXTS, VOCABULARY)("The cat").input_ids
    )
    assert isinstance(load_image_processor(str(made / "vit")), ViTImageProcessorPil)


def test_nothing_is_said_while_loading(made: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()  # a training before this one has switched it off
    level = logging.get_verbosity()
    load_model(str(made / "bert"), AutoModelForSequenceClassification, num_labels=5)
    load_tokenizer(str(made / "bert"))
    load_image_processor(str(made / "vit"))
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == level and logging.is_progress_bar_enabled()


def test_checking_weights_loads_no_torch(made: Path) -> None:
    code = (
        "import sys; from automl_gpt.tools.train.deep.weights import check_weights; print(check_weights(sys.argv[1]));"
    )
    code += "print('torch' in sys.modules, 'transformers' in sys.modules)"
    command = [sys.executable, "-c", code, str(made / "shards")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [str(made / "shards"), "False False"]


# ----------------------------------------------------------------------------------------------------- what is refused


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(lambda: check_weights(str(tmp_path / "none")))


def test_a_file_instead_of_its_folder(folder: Path) -> None:
    assert "name the folder" in refusal(lambda: check_weights(str(folder / "model.safetensors")))


def test_a_folder_without_config_is_told_where_one_is(folder: Path) -> None:
    assert f"did you mean {folder}?" in refusal(lambda: check_weights(str(folder.parent)))
    (folder / "config.json").unlink()
    assert "no config.json in it" in refusal(lambda: check_weights(str(folder)))
    (folder / "adapter_config.json").write_text("{}")
    assert "merge it" in refusal(lambda: check_weights(str(folder)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "can't be read as JSON"),
        ("[]", "no JSON object"),
        ("{}", "names no model_type"),
        ('{"model_type": "bert", "quantization_config": {"bits": 4}}', "quantised"),
        (
            '{"model_type": "bert", "transformers_weights": "../other.safetensors"}',
            "only safetensors files of the folder",
        ),
        ('{"model_type": "bert", "transformers_weights": "adapter_model.bin"}', "only safetensors files of the folder"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
    ids=["cut", "list", "empty", "quantised", "outside", "pickle", "pointer"],
)
def test_a_config_that_can_t_be_used(folder: Path, text: str, said: str) -> None:
    (folder / "config.json").write_text(text)
    assert said in refusal(lambda: check_weights(str(folder)))


def test_an_architecture_that_transformers_does_not_know(folder: Path) -> None:
    change_config(folder, model_type="brandnew")
    assert "does not know the architecture 'brandnew'" in refusal(lambda: load_model(str(folder), AutoModel))
    change_config(folder, auto_map={"AutoModel": "modeling_brandnew.Brandnew"})
    (folder / "modeling_brandnew.py").write_text("raise SystemExit('their code ran')")
    assert "needs code that comes with it" in refusal(lambda: load_model(str(folder), AutoModel))


def test_code_beside_weights_of_a_known_architecture_is_not_run(folder: Path) -> None:
    change_config(folder, auto_map={"AutoModel": "modeling_mine.Mine", "AutoConfig": "modeling_mine.MineConfig"})
    (folder / "modeling_mine.py").write_text("raise SystemExit('their code ran')")
    assert isinstance(load_model(str(folder), AutoModel), BertModel)


def test_weights_of_another_architecture_than_is_asked_for(made: Path) -> None:
    asked = [("vit", AutoModelForSequenceClassification), ("bert", AutoModelForImageClassification)]
    for name, auto in [*asked, ("bert", AutoModelForSeq2SeqLM)]:
        assert "can't do" in refusal(lambda name=name, auto=auto: load_model(str(made / name), auto))


def test_weights_that_are_not_those_of_the_config(folder: Path, made: Path) -> None:
    shutil.copy(made / "vit" / "model.safetensors", folder)
    assert "not those that config.json describes" in refusal(lambda: load_model(str(folder), AutoModel))


def test_weights_of_other_sizes_than_the_config_says(folder: Path) -> None:
    change_config(folder, hidden_size=32)
    assert "of another size" in refusal(lambda: load_model(str(folder), AutoModelForSequenceClassification))


def test_a_config_with_values_that_make_no_network(folder: Path) -> None:
    change_config(folder, num_attention_heads=3)
    assert "can't be loaded" in refusal(lambda: load_model(str(folder), AutoModel))


def test_weights_whose_download_was_cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for size in (0, 5, 200, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:size])
        assert "cut short or damaged: download it again" in refusal(lambda: check_weights(str(folder)))


def test_weights_whose_download_did_not_end(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.safetensors.incomplete")
    assert "its download did not end" in refusal(lambda: check_weights(str(folder)))


def test_weights_that_are_a_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in refusal(lambda: check_weights(str(folder)))


def test_shards_of_which_one_is_absent(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "shards", tmp_path / "mine")
    shards = sorted((tmp_path / "mine").glob("model-*"))
    assert len(shards) > 2
    shards[1].unlink()
    said = refusal(lambda: check_weights(str(tmp_path / "mine")))
    assert f"{shards[1].name} is missing (1 of {len(shards)} parts" in said


def test_pickles_are_never_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(bert().state_dict(), folder / "pytorch_model.bin")
    said = refusal(lambda: load_model(str(folder), AutoModel))
    assert "pytorch_model.bin is a pickle" in said and "save_pretrained" in said


def test_weights_of_another_library(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    assert "of another library" in refusal(lambda: check_weights(str(folder)))


def test_a_tokenizer_that_is_missing_or_does_not_fit(folder: Path) -> None:
    train_tokenizer(TEXTS, VOCABULARY + 5).save_pretrained(folder)
    load_tokenizer(str(folder))
    small = BertModel(BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    assert "its weights 20" in refusal(lambda: load_tokenizer(str(folder), small))
    (folder / "tokenizer.json").write_text("{}")
    assert "can't be loaded" in refusal(lambda: load_tokenizer(str(folder)))
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer in it" in refusal(lambda: load_tokenizer(str(folder)))


def test_a_tokenizer_without_a_fast_version(folder: Path) -> None:
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("")
    assert "no fast version" in refusal(lambda: load_tokenizer(str(folder)))


def test_an_image_processor_that_is_missing(folder: Path) -> None:
    assert "no preprocessor_config.json in it" in refusal(lambda: load_image_processor(str(folder)))


# ------------------------------------------------------------------------------------------------------------- the hub


HUB_CODE = """
import sys
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.train.deep.weights import check_weights
try:
    print(check_weights(sys.argv[1]))
except UserError as error:
    print(error)
"""


def from_hub(source: str, cache: Path, **environment: str) -> str:
    """What `check_weights` returns or says, in a process whose hub has nothing but that cache."""
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    command = [sys.executable, "-c", HUB_CODE, source]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cache, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_hub_id_that_was_never_downloaded_says_why_it_can_t_be_now(tmp_path: Path) -> None:
    offline = from_hub("hub:someone/something", tmp_path, HF_HUB_OFFLINE="1")
    assert offline.startswith("hub:someone/something: ") and "HF_HUB_OFFLINE is set: unset it, or copy" in offline
    nowhere = from_hub("someone/something", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert "there is no such folder" in nowhere and "the hub can't be reached: connect, or copy" in nowhere
    assert "no such weights" in from_hub("hub:not an id", tmp_path)


def test_weights_of_the_hub_that_were_downloaded_before_are_found_offline(made: Path, tmp_path: Path) -> None:
    repository = tmp_path / "models--someone--something"
    shutil.copytree(made / "bert", repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    for source in ("hub:someone/something", "someone/something"):
        assert from_hub(source, tmp_path, HF_HUB_OFFLINE="1") == str(repository / "snapshots" / ("0" * 40))
    (repository / "snapshots" / ("0" * 40) / "model.safetensors").unlink()
    assert "no model.safetensors in it" in from_hub("hub:someone/something", tmp_path, HF_HUB_OFFLINE="1")


def test_a_local_folder_goes_before_a_hub_id(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "bert", tmp_path / "someone" / "something")
    assert from_hub("someone/something", tmp_path, HF_HUB_OFFLINE="1") == "someone/something"
