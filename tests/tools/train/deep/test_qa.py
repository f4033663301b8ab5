from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.deep.qa import (
    LONGEST,
    QATrainer,
    answer_tokens,
    answers,
    best_span,
    read_windows,
    training_rows,
    weighted_loss,
)
from automl_gpt.tools.train.deep.tokens import train_tokenizer
from automl_gpt.tools.train.deep.windows import Reader
from tests.tools.train.answers_made import data_of, fitted, pieces, questions

SMALL = {
    "learning_rate": 3e-3, "epochs": 5, "batch_size": 16, "weight_decay": 0.0, "warmup": 0.1,
    "max_length": 64, "stride": 16, "hidden_size": 32, "layers": 1, "vocabulary": 1000,
}  # fmt: skip
CONTEXT = " ".join(f"{a}{b}" for a in "abcdefghijkl" for b in "uvwxyz")


def small_reader(max_length: int = 32, stride: int = 8) -> Reader:
    return Reader(pieces(*CONTEXT.split(), "who", "is", "it", "the", "cat"), max_length, stride, typed=True)


def one_row(context: str, answer: str, start: int | None = None) -> Any:
    told = {"answers": [answer], "starts": [context.index(answer) if start is None else start]}
    part = ({"question": ["who is it?"], "context": [context]}, [told])
    return data_of("question-answering", part, part)


def spoken(read: Reader, item: dict[str, Any]) -> str:
    return read.tokenizer.decode(item["input_ids"][item["start_positions"] : item["end_positions"] + 1])


def test_each_window_points_to_the_answer_or_else_to_its_first_token() -> None:
    read = small_reader()
    rows = training_rows(one_row(CONTEXT, "dx dy"), read)
    told = [spoken(read, item) for item in rows]
    # 32 tokens less [CLS] who is it ? [SEP] [SEP] leave 25 of the context's 72, of which 8 are shared.
    assert len(rows) == 4
    assert set(told) == {"[CLS]", "dx dy"}
    for item, text in zip(rows, told, strict=True):
        assert (text == "dx dy") == ("dx dy" in read.tokenizer.decode(item["input_ids"]))


def test_an_answer_of_which_a_window_holds_a_part_is_not_in_that_window() -> None:
    read = small_reader()
    windows = read_windows(read, ["who is it?"], [CONTEXT])
    begin = CONTEXT.index("bx")
    tokens = [answer_tokens(w, begin, len(CONTEXT) - 3, read.tokenizer.cls_token_id) for w in windows]
    assert set(tokens) == {(0, 0)}


def test_an_answer_within_words_gets_the_tokens_that_touch_it_and_blanks_around_it_none() -> None:
    read = small_reader(48, 16)
    rows = training_rows(one_row("the unbelievable cat sat", " cat "), read)
    assert [spoken(read, item) for item in rows] == ["cat"]
    inner = training_rows(one_row("the unbelievable cat sat", "believable"), read)
    assert spoken(read, inner[0]).replace("##", "").replace(" ", "") == "believable"


def test_a_question_that_is_too_long_is_cut_so_that_the_context_has_room() -> None:
    read = small_reader(40, 8)
    windows = read_windows(read, ["who is it? " * 50], [CONTEXT])
    assert all(len(window) <= 40 for window in windows)
    assert set().union(*({tuple(m) for m in w.marks if m[0] >= 0} for w in windows)) == {
        (i, i + 2) for i in range(0, len(CONTEXT), 3)
    }


def test_the_best_span_never_ends_before_it_begins_and_is_not_too_long() -> None:
    start, end = np.full(60, -9.0), np.full(60, -9.0)
    start[40], end[5], end[43] = 0.0, 0.0, -1.0
    assert best_span(start, end) == (40, 43, -1.0)
    far_start, far_end = np.full(60, -9.0), np.full(60, -9.0)
    far_start[0], far_end[LONGEST] = 0.0, 0.0
    first, last, _ = best_span(far_start, far_end)
    assert last - first < LONGEST


class Pointer(torch.nn.Module):
    """Points to one token wherever it stands, and by less to the first token."""

    def __init__(self, token: int, strength: float = 9.0, null: float = 2.0) -> None:
        super().__init__()
        self.token, self.strength, self.null = token, strength, null
        self.place = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: Any, **_: Any) -> Any:
        logits = self.strength * (input_ids == self.token).float()
        logits[:, 0] = self.null
        return SimpleNamespace(start_logits=logits, end_logits=logits)


def asked(context: str, question: str = "who is it?") -> Examples:
    return Examples(Dataset.from_dict({"question": [question], "context": [context]}))


def test_the_best_span_of_all_windows_is_told_as_it_stands_in_the_context() -> None:
    read = small_reader()
    context = "  " + CONTEXT.replace("fx", "FX")
    model = Pointer(read.tokenizer.convert_tokens_to_ids("fx"))
    (said,) = answers(model, asked(context), read, unanswerable=True)
    assert (said["text"], said["start"]) == ("FX", context.index("FX"))
    assert 0.9 < said["score"] <= 1.0


def test_tokens_of_the_question_are_never_the_answer() -> None:
    read = small_reader()
    (said,) = answers(Pointer(read.tokenizer.convert_tokens_to_ids("who")), asked(CONTEXT), read, unanswerable=False)
    assert said["text"] in CONTEXT and said["text"]


def test_there_is_no_answer_only_where_no_window_has_one_and_the_data_know_of_such() -> None:
    read = small_reader()
    model = Pointer(read.tokenizer.convert_tokens_to_ids("fx"), null=5.0)
    without = CONTEXT.replace("fx", "ax")
    (said,) = answers(model, asked(without), read, unanswerable=True)
    assert (said["text"], said["start"]) == ("", -1) and 0.5 < said["score"] <= 1.0
    assert answers(model, asked(without), read, unanswerable=False)[0]["text"]
    assert answers(model, asked(CONTEXT), read, unanswerable=True)[0]["text"] == "fx"


def test_an_empty_context_has_no_answer_and_no_rows_have_none() -> None:
    read = small_reader()
    assert answers(Pointer(7), asked(""), read, unanswerable=False)[0]["text"] == ""
    none = Examples(Dataset.from_dict({"question": ["a"], "context": ["b"]}))[:0]
    assert len(answers(Pointer(7), none, read, unanswerable=False)) == 0


def test_the_loss_of_equal_weights_is_the_models_own_and_a_row_without_weight_adds_nothing() -> None:
    from transformers import BertConfig, BertForQuestionAnswering

    torch.manual_seed(0)
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    model = BertForQuestionAnswering(config).eval()
    batch = {"input_ids": torch.arange(20).reshape(2, 10), "start_positions": torch.tensor([1, 2])}
    batch["end_positions"] = torch.tensor([3, 2])
    assert weighted_loss(model, batch | {"weight": torch.ones(2)}).item() == pytest.approx(model(**batch).loss.item())
    first = {name: values[:1] for name, values in batch.items()}
    half = weighted_loss(model, batch | {"weight": torch.tensor([1.0, 0.0])}).item()
    assert 2 * half == pytest.approx(model(**first).loss.item())


def test_a_small_encoder_learns_where_answers_stand_and_is_the_same_again_and_when_it_is_loaded(tmp_path: Path) -> None:
    data, trainer = questions(), QATrainer("qa_scratch")
    (model, rows), (_, again) = fitted(trainer, data, SMALL), fitted(trainer, data, SMALL)
    prediction = model.predict(data.x_valid)
    trivial = fitted(BaselineTrainer(), data, {})[0].predict(data.x_valid)
    assert data.score_valid(prediction) > max(0.8, data.score_valid(trivial) + 0.3)
    assert rows == again and model.best_step in [row[0] for row in rows]
    for record, context in zip(prediction, data.x_valid.column("context"), strict=True):
        assert context[record["start"] :].startswith(record["text"])
    model.save(tmp_path)
    assert list(trainer.load(tmp_path).predict(data.x_valid)) == list(prediction)
    assert not list(tmp_path.rglob("*.bin")) and (tmp_path / "model.safetensors").is_file()


def test_unanswerable_questions_are_told_from_others() -> None:
    data = questions(240, unanswerable=0.5)
    model, _ = fitted(QATrainer("qa_scratch"), data, SMALL)
    said = np.array([bool(record["text"]) for record in model.predict(data.x_valid)])
    able = np.array([bool(record["answers"]) for record in data.y_valid])
    assert (said == able).mean() > 0.85


def test_given_weights_are_fine_tuned_and_no_weights_or_no_room_are_told(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForQuestionAnswering

    data = questions(48)
    tokenizer = train_tokenizer(data.x.column("context") + data.x.column("question"), 300)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=96,
    )  # fmt: skip
    BertForQuestionAnswering(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    trainer = QATrainer("qa_encoder")
    how = {name: value for name, value in SMALL.items() if name in trainer.reads} | {"training": "full", "epochs": 1}
    with pytest.raises(ToolError, match="needs weights"):
        fitted(trainer, data, how)
    wide, rows = fitted(trainer, replace(data, source=str(tmp_path)), how | {"max_length": 256, "stride": 64})
    assert rows and len(wide.predict(data.x_valid)) == 40
    assert (wide.read.max_length, wide.read.stride) == (96, 32)
    with pytest.raises(ToolError, match="windows of 40 tokens have no room"):
        fitted(trainer, replace(data, source=str(tmp_path)), how | {"max_length": 40})
    with pytest.raises(ToolError, match="no training rows"):
        fitted(trainer, replace(data, x=data.x[:0], y=records([])), how)
