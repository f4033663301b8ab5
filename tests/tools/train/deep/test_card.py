"""A Model Card written from a folder of weights: the trainer that can use them, a search space and costs that fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.reader import parse_model_card, read_model_card
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.train.deep.card import TEMPLATES, TRAINERS, draft_model_card, family_of, read_readme
from automl_gpt.tools.train.deep.card_costs import Size, megabytes, rounded, seconds, size_of
from automl_gpt.tools.train.deep.causal import CausalTrainer
from automl_gpt.tools.train.deep.detection import DetectorTrainer
from automl_gpt.tools.train.deep.image import ImageTrainer
from automl_gpt.tools.train.deep.qa import QATrainer
from automl_gpt.tools.train.deep.retrieval import RetrievalTrainer
from automl_gpt.tools.train.deep.seq2seq import Seq2SeqTrainer
from automl_gpt.tools.train.deep.tagging import TaggingTrainer
from automl_gpt.tools.train.deep.text import TextTrainer
from automl_gpt.tools.train.protocol import Trainer

SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
BERT = SMALL | {"vocab_size": 100}
TEMPLATE_FILES = sorted(TEMPLATES.glob("*.yaml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights for each kind of network."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    bert, resnet = hf.BertConfig(**BERT, max_position_embeddings=68), {"hidden_sizes": [4, 8], "depths": [1, 1]}
    t5 = hf.T5Config(vocab_size=50, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    networks = {
        "bert": hf.BertModel(bert),
        "tagger": hf.BertForTokenClassification(bert),
        "answerer": hf.BertForQuestionAnswering(bert),
        "t5": hf.T5ForConditionalGeneration(t5),
        "gpt2": hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=50, n_positions=40, n_embd=8, n_layer=1, n_head=2)),
        "vit": hf.ViTModel(hf.ViTConfig(**SMALL, image_size=96)),
        "resnet": hf.ResNetModel(hf.ResNetConfig(**resnet, embedding_size=4, layer_type="basic")),
        "yolos": hf.YolosForObjectDetection(hf.YolosConfig(**SMALL, image_size=[320, 320], num_detection_tokens=2)),
    }
    for name, network in networks.items():
        network.save_pretrained(folder / name)
    return folder


def card_of(folder: Path, **how: Any) -> ModelCard:
    return parse_model_card(draft_model_card(str(folder), **how))


# ----------------------------------------------------------------------------------------------------- the templates


@pytest.mark.parametrize("file", TEMPLATE_FILES, ids=lambda file: file.stem)
def test_a_template_is_a_card_of_the_trainer_of_its_name(file: Path) -> None:
    card = read_model_card(file)
    assert card.name == card.trainer == file.stem and card.source is None
    assert card.resources.slower_with == "epochs" and card.resources.interruptible
    stages = {name for name, space in card.search_space.items() if space.stage == "processing"}
    texts = {"max_length", "max_target_length", "stride", "hard_negatives"}
    assert stages and stages <= texts | {"image_size", "augmentation", "class_weight"}


def test_there_is_a_template_for_every_trainer_of_given_weights_and_no_other() -> None:
    assert {file.stem for file in TEMPLATE_FILES} == {name for names in TRAINERS.values() for name in names.values()}


@pytest.mark.parametrize("file", TEMPLATE_FILES, ids=lambda file: file.stem)
def test_a_template_names_exactly_what_its_trainer_reads(file: Path) -> None:
    trainers: list[Trainer] = [
        TextTrainer("text_encoder"),
        TaggingTrainer("token_encoder"),
        QATrainer("qa_encoder"),
        RetrievalTrainer("bi_encoder"),
        Seq2SeqTrainer("seq2seq"),
        CausalTrainer("causal_lm"),
        ImageTrainer("image_encoder"),
        DetectorTrainer(),
    ]
    assert set(read_model_card(file).search_space) == {one.name: one.reads for one in trainers}[file.stem]


# --------------------------------------------------------------------------------------------------------- the choice


@pytest.mark.parametrize(
    ("name", "trainer", "modality", "tasks"),
    [
        ("bert", "text_encoder", "text", ("classification", "regression")),
        ("tagger", "token_encoder", "text", ("token-classification",)),
        ("answerer", "qa_encoder", "text", ("question-answering",)),
        ("t5", "seq2seq", "text", ("text-generation",)),
        ("gpt2", "causal_lm", "text", ("text-generation",)),
        ("vit", "image_encoder", "image", ("classification", "regression")),
        ("resnet", "image_encoder", "image", ("classification", "regression")),
        ("yolos", "detector", "image", ("detection",)),
    ],
)
def test_weights_go_to_the_trainer_that_can_use_them(
    made: Path, name: str, trainer: str, modality: str, tasks: tuple[str, ...]
) -> None:
    card = card_of(made / name)
    assert (card.name, card.trainer, card.modality, card.tasks) == (name, trainer, modality, tasks)
    assert card.source == str(made / name)
    card.default()


@pytest.mark.parametrize(
    ("task", "trainer"),
    [
        ("regression", "text_encoder"),
        ("token-classification", "token_encoder"),
        ("question-answering", "qa_encoder"),
        ("retrieval", "bi_encoder"),
    ],
)
def test_a_task_may_be_asked_for(made: Path, task: str, trainer: str) -> None:
    card = card_of(made / "tagger", task=task)
    assert card.trainer == trainer and task in card.tasks


def test_a_task_that_the_weights_can_t_do_is_refused_with_those_that_they_can(made: Path) -> None:
    with pytest.raises(
        UserError, match="'vit' is a network of pictures, which can't do text-generation; --task may be: c"
    ):
        draft_model_card(str(made / "vit"), task="text-generation")
    with pytest.raises(UserError, match="can't do nonsense; --task may be: classification, regression, token-"):
        draft_model_card(str(made / "bert"), task="nonsense")


def test_weights_of_speech_are_refused(tmp_path: Path) -> None:
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    speech = hf.Wav2Vec2Config(**size, conv_dim=[8], conv_stride=[2], conv_kernel=[2], num_conv_pos_embedding_groups=2)
    hf.Wav2Vec2Model(speech).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="'wav2vec2' can't be trained here"):
        draft_model_card(str(tmp_path))


def test_well_known_architectures_are_sorted_into_families() -> None:
    families = {
        "text encoder": [
            "distilbert",
            "roberta",
            "xlm-roberta",
            "modernbert",
            "deberta-v2",
            "albert",
            "electra",
            "mpnet",
        ],
        "encoder-decoder of texts": ["t5", "bart", "mbart", "marian", "pegasus"],
        "decoder of texts": ["gpt2", "llama", "qwen2", "opt"],
        "network of pictures": ["swin", "convnext", "beit", "dinov2", "mobilenet_v2", "clip"],
        "detector": ["detr", "rt_detr", "rt_detr_v2", "d_fine", "yolos"],
    }
    found = {family: [kind for kind in kinds if family_of(kind) == family] for family, kinds in families.items()}
    assert found == families and family_of("whisper") is None


# --------------------------------------------------------------------------------------------------- the search space


def test_texts_are_not_longer_than_the_weights_can_read(made: Path) -> None:
    for name in ("bert", "gpt2"):
        space = card_of(made / name).search_space["max_length"]
        assert space.type == "int" and space.high == {"bert": 64, "gpt2": 40}[name] and space.default <= space.high


def test_pictures_have_the_size_of_the_weights(made: Path) -> None:
    assert card_of(made / "vit").default()["image_size"] == 96
    assert card_of(made / "yolos").default()["image_size"] == 320


def test_adapters_are_offered_where_there_are_layers_to_adapt(made: Path) -> None:
    assert "lora_rank" in card_of(made / "vit").search_space
    card = card_of(made / "resnet")
    assert "lora_rank" not in card.search_space and card.search_space["training"].legal() == "one of full, frozen"


# ------------------------------------------------------------------------------------------------------ what is told


README = """---
language: en
license: apache-2.0
tags: [a, b]
---
<img src="x.png">

# A model

[![badge](https://x/y.svg)](https://x)

This **small** encoder of [Example](https://example.org) reads `English` texts, and no others.

## Usage
"""


def test_the_description_and_the_licence_are_those_of_the_readme(made: Path, tmp_path: Path) -> None:
    (made / "bert" / "README.md").write_text(README)
    card = card_of(made / "bert", name="mine")
    assert card.name == "mine" and card.license == "apache-2.0"
    assert card.description.startswith("This small encoder of Example reads English texts, and no others. A pretrained")
    assert card.architecture.startswith("BertModel, 0.00") and card.architecture.endswith("million parameters")


@pytest.mark.parametrize(
    "text", ["", "---\n", "---\nlicense: [\n---\n", "---\n- a\n---\n", "# only a title\n", "\x00\x01\x02 not text"]
)
def test_a_readme_that_tells_nothing_is_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text)
    assert read_readme(tmp_path / "README.md") == ("", None)


def test_a_readme_can_t_break_the_card(made: Path) -> None:
    (made / "gpt2" / "README.md").write_text("trainer: evil\x07 # 'quoted\": {a}\nsearch_space: and a long line\n" * 20)
    card = card_of(made / "gpt2")
    assert card.trainer == "causal_lm" and "\n" not in card.description and "\x07" not in card.description


@pytest.mark.parametrize("plain", ["model", "checkpoint-120"])
def test_a_folder_with_a_name_that_says_nothing_is_called_after_the_one_around_it(
    made: Path, tmp_path: Path, plain: str
) -> None:
    (tmp_path / "my encoder").mkdir()
    (tmp_path / "my encoder" / plain).symlink_to(made / "bert")
    copied = tmp_path / "my encoder" / "copy" / plain
    copied.mkdir(parents=True)
    for file in (made / "bert").iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    assert card_of(copied).name == "copy"


# --------------------------------------------------------------------------------------------------------- the costs


def test_the_estimate_for_minilm_is_near_what_it_took() -> None:
    """One epoch of 2,000 texts of 11 tokens took 35 s with one thread, and 1.3 GB."""
    config = hf.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    size = size_of(config, 22_713_216, tokens=True)
    assert size == Size(22_713_216, 384 * 30522, 384, 6)
    card = read_model_card(TEMPLATES / "text_encoder.yaml")
    measured = 35 * 5 * 3 * (30 / 13)
    assert 0.5 < seconds(card, size) / measured < 2
    assert 1000 < megabytes(card, size) < 2000


def test_costs_grow_with_the_network_and_adapters_save_memory() -> None:
    card = read_model_card(TEMPLATES / "text_encoder.yaml")
    small, large = Size(10_000_000, 0, 256, 4), Size(100_000_000, 0, 768, 12)
    assert seconds(card, large) == pytest.approx(10 * seconds(card, small))
    adapters = card.search_space["training"].model_copy(update={"default": "lora"})
    light = card.model_copy(update={"search_space": card.search_space | {"training": adapters}})
    assert megabytes(light, large) < megabytes(card, large) - 1000 and seconds(light, large) < seconds(card, large)


def test_a_vision_transformer_costs_by_its_patches_and_other_networks_as_if_of_16_pixels() -> None:
    card = read_model_card(TEMPLATES / "image_encoder.yaml")
    fine = size_of(hf.ViTConfig(patch_size=8), 1_000_000, tokens=False)
    assert seconds(card, fine) == pytest.approx(4 * seconds(card, Size(1_000_000, 0, 768, 12)))
    assert size_of(hf.SwinConfig(patch_size=4), 1_000_000, tokens=False).patch == 16


def test_an_estimate_has_two_digits() -> None:
    assert [rounded(value) for value in (0.2, 7.6, 94.4, 1234, 98765)] == [1, 8, 94, 1200, 99000]
