from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.deep.negatives import matches
from automl_gpt.tools.train.deep.retrieval import DenseRetriever, RetrievalTrainer, contrast, nearest, pooled
from automl_gpt.tools.train.simple.bm25 import BM25Trainer
from automl_gpt.tools.train.simple.passages import read_passages
from tests.tools.train.deep.word_problem import Log
from tests.tools.train.problems import card
from tests.tools.train.search import THINGS, search

SCRATCH = {
    "max_length": 24,
    "temperature": 0.1,
    "hard_negatives": 0,
    "vocabulary": 1000,
    "hidden_size": 64,
    "layers": 1,
    "learning_rate": 0.003,
    "epochs": 5,
    "batch_size": 16,
    "weight_decay": 0.01,
    "warmup": 0.1,
}
GIVEN = {name: value for name, value in SCRATCH.items() if name not in ("vocabulary", "hidden_size", "layers")} | {
    "training": "full",
    "epochs": 1,
    "learning_rate": 0.0005,
}


@pytest.fixture(scope="module")
def made() -> tuple[DenseRetriever, Log]:
    """A retriever, trained from nothing."""
    log = Log()
    return RetrievalTrainer("bi_encoder_scratch").fit(search(), SCRATCH, log), log


@pytest.fixture(scope="module")
def weights(made: tuple[DenseRetriever, Log], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same as a folder of weights."""
    folder = tmp_path_factory.mktemp("weights")
    made[0].save(folder)
    return str(folder)


class Bag(torch.nn.Module):
    """States that are given by the ids: what a mean and a cosine of them are is known by hand."""

    table = torch.tensor([[9.0, 9.0], [3.0, 0.0], [0.0, 4.0], [1.0, 1.0]])

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return type("Output", (), {"last_hidden_state": self.table[input_ids]})


def test_the_mean_leaves_out_the_padding_and_has_length_one() -> None:
    found = pooled(Bag(), torch.tensor([[1, 2, 0], [2, 2, 2]]), torch.tensor([[1, 1, 0], [1, 1, 1]]))
    assert found.numpy() == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]))


def test_the_loss_is_the_cross_entropy_of_the_own_passage_without_the_blocked_ones() -> None:
    one = torch.ones((2, 1), dtype=torch.int64)
    batch = {
        "input_ids": torch.tensor([[1], [2]]),
        "attention_mask": one,
        "passage_ids": torch.tensor([[1], [2], [3]]),
        "passage_mask": torch.ones((3, 1), dtype=torch.int64),
        "blocked": torch.tensor([[False, False, True], [False, False, False]]),
    }
    half = np.sqrt(0.5)
    first = -np.log(np.exp(1 / 0.5) / (np.exp(1 / 0.5) + np.exp(0)))
    second = -np.log(np.exp(1 / 0.5) / (np.exp(0) + np.exp(1 / 0.5) + np.exp(half / 0.5)))
    assert contrast(Bag(), batch, 0.5).item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_of_several_right_passages_the_one_that_words_rank_first_is_learnt() -> None:
    passages = ["the cat", "a cat sat on the red mat", "red mats", "dogs"]
    y = records([{"passages": [0, 1]}, {"passages": []}, {"passages": [3]}])
    found = matches(["which cat sat there", "who", "red cat"], y, passages, 2)
    assert found.rows == [0, 2]
    assert found.own == [1, -1, 3] and found.right[0] == {0, 1}
    assert found.hard[0] == [2, 3] and found.hard[1] == [] and 3 not in found.hard[2] and len(found.hard[2]) == 2


def test_a_right_passage_of_a_question_is_never_its_negative(weights: str) -> None:
    from automl_gpt.tools.train.deep.retrieval import Encoder, _Batch

    data = search(rows=20)
    tokenizer = RetrievalTrainer("bi_encoder").load(Path(weights)).encoder.tokenizer
    encoder = Encoder(tokenizer, 24)
    passages = data.passages.column("text")
    y = records([{"passages": [5, 6]}, {"passages": [6]}, {"passages": [5]}])
    asked = ["thing5", "thing6", "ding5"]
    found = matches(asked, y, passages, 1)
    batch = _Batch(encoder, encoder.ids(asked), encoder.ids(passages), found)([0, 1, 2])
    assert found.own == [5, 6, 5]
    assert batch["blocked"][:, :3].tolist() == [[False, True, True], [False, False, False], [True, False, False]]
    assert not batch["blocked"][:, 3:].any() and batch["passage_ids"].shape[0] == 6


def test_questions_without_a_right_passage_are_left_out_and_told_where_there_are_no_others() -> None:
    with pytest.raises(ToolError, match="no training question has a passage"):
        matches(["a"], records([{"passages": []}]), ["b"], 0)


def test_ranking_in_blocks_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    from automl_gpt.tools.train.deep import retrieval

    draw = np.random.default_rng(0)
    questions, passages = (draw.normal(size=(n, 8)).astype(np.float32) for n in (7, 30))
    whole = nearest(questions, passages)
    monkeypatch.setattr(retrieval, "BLOCK", 60)
    assert [r["ranked"] for r in nearest(questions, passages)] == [r["ranked"] for r in whole]
    assert whole[2]["ranked"] == np.argsort(-(passages @ questions[2])).tolist()


def test_names_are_learnt_that_share_no_word_with_their_passages(made: tuple[DenseRetriever, Log]) -> None:
    model, log = made
    data = search()
    words = data.score_valid(BM25Trainer().fit(data, card("bm25").default(), Log()).predict(data.x_valid))
    score = data.score_valid(model.predict(data.x_valid))
    assert words < 0.2 and score > 0.6
    assert dict(log.rows)[model.best_step] == pytest.approx(score, abs=1e-6)


def test_the_same_seed_gives_the_same_log_and_ranking() -> None:
    data, short, logs = search(rows=60), SCRATCH | {"epochs": 1, "hard_negatives": 1}, [Log(), Log()]
    one, two = (RetrievalTrainer("bi_encoder_scratch").fit(data, short, log) for log in logs)
    assert logs[0].rows == logs[1].rows
    assert list(one.predict(data.x_valid)) == list(two.predict(data.x_valid))


def test_a_saved_retriever_ranks_the_same_without_the_data(made: tuple[DenseRetriever, Log], weights: str) -> None:
    data, folder = search(), Path(weights)
    loaded = RetrievalTrainer("bi_encoder_scratch").load(folder)
    assert list(loaded.predict(data.x_valid)) == list(made[0].predict(data.x_valid))
    assert loaded.best_step == made[0].best_step and len(read_passages(folder)) == len(loaded.passages) == THINGS
    assert {f.suffix for f in folder.rglob("*") if f.is_file()} <= {".json", ".jsonl", ".npz", ".safetensors"}
    assert len(loaded.predict(data.x_valid[:0])) == 0


@pytest.mark.parametrize("training", ["full", "lora"])
def test_given_weights_go_on_from_what_they_know(training: str, weights: str, tmp_path: Path) -> None:
    told: list[str] = []
    data, log = search(rows=48, source=weights, tell=told.append), Log()
    how = GIVEN | {"training": training, "max_length": 400} | ({"lora_rank": 4} if training == "lora" else {})
    model = RetrievalTrainer("bi_encoder").fit(data, how, log)
    assert log.rows[0][1] > 0.5
    assert model.encoder.max_length == 24 and any("max_length is 24" in text for text in told)
    model.save(tmp_path)
    assert list(RetrievalTrainer("bi_encoder").load(tmp_path).predict(data.x_valid)) == list(
        model.predict(data.x_valid)
    )


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path, weights: str) -> None:
    from transformers import T5Config, T5Model

    tokenizer = RetrievalTrainer("bi_encoder").load(Path(weights)).encoder.tokenizer
    T5Model(
        T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=32, num_heads=2, num_layers=1)
    ).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="encoder with a decoder"):
        RetrievalTrainer("bi_encoder").fit(search(rows=20, source=str(tmp_path)), GIVEN, Log())


@pytest.mark.parametrize("name", ["bi_encoder", "bi_encoder_scratch"])
def test_a_missing_hyperparameter_and_missing_passages_are_told(name: Any, weights: str) -> None:
    data = search(rows=20, source=weights)
    with pytest.raises(ToolError, match=r"hyperparameter '.*' is missing"):
        RetrievalTrainer(name).fit(data, {}, Log())
    with pytest.raises(ToolError, match="no passages"):
        RetrievalTrainer(name).fit(
            replace(data, passages=Examples(Dataset.from_dict({"text": []}))), SCRATCH | GIVEN, Log()
        )
