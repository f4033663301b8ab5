from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.deep.tagging import TaggingTrainer, read_windows, tags, training_rows, weighted_loss
from automl_gpt.tools.train.deep.tokens import train_tokenizer
from automl_gpt.tools.train.deep.windows import IGNORED, Reader
from tests.tools.train.answers_made import data_of, fitted, pieces, sentences

SMALL = {
    "learning_rate": 5e-3, "epochs": 4, "batch_size": 16, "weight_decay": 0.0, "warmup": 0.1, "class_weight": "none",
    "max_length": 64, "hidden_size": 64, "layers": 1, "vocabulary": 1000,
}  # fmt: skip


def small_reader(max_length: int = 16) -> Reader:
    return Reader(pieces("ab", "cd"), max_length, max_length // 4, typed=False)


def labelled(read: Reader, words: list[str], codes: list[int]) -> list[tuple[str, int]]:
    part = ({"tokens": [words]}, [{"tags": codes}])
    (item,) = training_rows(data_of("token-classification", part, part), read)
    return list(zip(read.tokenizer.convert_ids_to_tokens(item["input_ids"]), item["labels"].tolist(), strict=True))


def test_only_the_first_part_of_each_word_has_a_label() -> None:
    read = small_reader()
    assert labelled(read, ["ab", "abcd", "cd"], [3, 1, 2]) == [
        ("[CLS]", IGNORED), ("ab", 3), ("ab", 1), ("##c", IGNORED), ("##d", IGNORED), ("cd", 2), ("[SEP]", IGNORED)
    ]  # fmt: skip


def test_words_that_hold_blanks_or_nothing_keep_the_others_in_their_places() -> None:
    read = small_reader()
    told = labelled(read, ["ab", "", "cd ab", "cd"], [1, 2, 3, 4])
    assert [code for _, code in told if code != IGNORED] == [1, 3, 4]
    assert [(token, code) for token, code in told if code == 4] == [("cd", 4)] and told[-2] == ("cd", 4)


@pytest.mark.parametrize("count", [1, 5, 13, 40, 97])
@pytest.mark.parametrize("max_length", [8, 16, 64])
def test_every_word_is_read_once_at_its_first_token_in_a_window_that_shows_its_surroundings(
    count: int, max_length: int
) -> None:
    read = small_reader(max_length)
    draw = np.random.default_rng(count)
    words = ["".join(draw.choice(list("abcdef"), draw.integers(1, 6))) for _ in range(count)]
    windows = read_windows(read, [words])
    assert sorted(int(n) for window in windows for n in window.marks if n >= 0) == list(range(count))
    for window in windows:
        assert len(window) <= max_length
        tokens = read.tokenizer.convert_ids_to_tokens(window.inputs["input_ids"])
        for token, number in zip(tokens, window.marks, strict=True):
            assert number < 0 or (words[number].startswith(token) and not token.startswith("##"))
    if len(windows) > 2:
        inner = windows[1].marks
        assert inner[1] < 0 and inner[-2] < 0, "the words at the borders count in the neighbours"


class Echo(torch.nn.Module):
    """Says of each token whether it is a certain one."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.token, self.place = token, torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: Any, **_: Any) -> Any:
        hit = (input_ids == self.token).float()
        return SimpleNamespace(logits=torch.stack([1 - hit, hit, torch.zeros_like(hit)], dim=-1))


def test_each_word_gets_the_tag_of_its_first_token_and_one_without_tokens_the_usual_tag() -> None:
    read = small_reader(8)
    model = Echo(read.tokenizer.convert_tokens_to_ids("cd"))
    rows = [["ab", "cd", "abcd", "cdab", ""] * 6, [], ["cd"]]
    said = tags(model, Examples(Dataset.from_dict({"tokens": rows})), read, usual=2)
    assert [record["tags"] for record in said] == [[0, 1, 0, 1, 2] * 6, [], [1]]


def test_weights_of_tags_and_rows_are_those_of_the_cross_entropy() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 3, generator=draw)
    labels = torch.tensor([[0, 1, IGNORED, 2, 0], [1, IGNORED, IGNORED, 0, 0]])

    def model(**_: Any) -> Any:
        return SimpleNamespace(logits=logits)

    batch = {"input_ids": labels, "labels": labels}
    plain = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
    assert weighted_loss(None)(model, dict(batch)).item() == pytest.approx(plain.item())
    ones = dict(batch) | {"weight": torch.tensor([1.0, 0.0])}
    first = cross_entropy(logits[0], labels[0], ignore_index=IGNORED, reduction="sum") / 7
    assert weighted_loss(None)(model, ones).item() == pytest.approx(first.item())
    counts = np.array([4, 2, 1])
    share = torch.tensor([7 / 12, 7 / 6, 7 / 3])
    wanted = cross_entropy(logits.flatten(0, 1), labels.flatten(), share, ignore_index=IGNORED, reduction="sum") / 7
    assert weighted_loss(counts)(model, dict(batch)).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_small_encoder_learns_tags_and_is_the_same_again_and_when_it_is_loaded(tmp_path: Path) -> None:
    data, trainer = sentences(), TaggingTrainer("token_scratch")
    (model, rows), (_, again) = fitted(trainer, data, SMALL), fitted(trainer, data, SMALL)
    prediction = model.predict(data.x_valid)
    trivial = fitted(BaselineTrainer(), data, {})[0].predict(data.x_valid)
    assert data.score_valid(trivial) < 0.1 and data.score_valid(prediction) > 0.6
    assert rows == again and model.best_step in [row[0] for row in rows]
    model.save(tmp_path)
    loaded = trainer.load(tmp_path)
    assert list(loaded.predict(data.x_valid)) == list(prediction)
    assert '"B-PER"' in (tmp_path / "config.json").read_text()


def test_given_weights_get_a_head_with_the_tags_of_the_data(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    data = sentences(48)
    tokenizer = train_tokenizer((" ".join(words) for words in data.x.column("tokens")), 300)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    trainer = TaggingTrainer("token_encoder")
    how = {name: value for name, value in SMALL.items() if name in trainer.reads}
    how |= {"training": "frozen", "epochs": 1, "class_weight": "balanced"}
    model, rows = fitted(trainer, replace(data, source=str(tmp_path), weight=np.linspace(0.5, 1.5, 48)), how)
    assert rows
    assert [len(record["tags"]) for record in model.predict(data.x_valid)] == [
        len(words) for words in data.x_valid.column("tokens")
    ]


def test_rows_without_tags_are_told() -> None:
    data = sentences(20)
    with pytest.raises(ToolError, match="no tagged words"):
        fitted(TaggingTrainer("token_scratch"), replace(data, x=data.x[:0], y=records([])), SMALL)


@pytest.mark.parametrize("trim", [True, False])
def test_tokens_that_begin_with_the_blank_before_a_word_or_are_parts_of_a_character_are_the_words(trim: bool) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made: Any = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["ab cd"] * 3, trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=["<s>", "</s>"])
    )
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=trim)
    read = Reader(PreTrainedTokenizerFast(tokenizer_object=made, pad_token="</s>"), 32, 8, typed=False)
    words = ["ab", "日本", "cd", "x"]
    (window,) = read_windows(read, [words])
    tokens = read.tokenizer.convert_ids_to_tokens(window.inputs["input_ids"])
    marked = [(int(number), token) for number, token in zip(window.marks, tokens, strict=True) if number >= 0]
    assert [number for number, _ in marked] == [0, 1, 2, 3]
    # The blank is a token of its own where no longer one was learnt; it belongs to no word.
    assert [token for _, token in marked][::2] == ["ab", "Ġcd"] and marked[3][1] == "x"
