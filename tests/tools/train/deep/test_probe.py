"""A new head on given weights begins as what a linear model makes of them, in every way of training."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.tools.train.deep import engine, probe
from automl_gpt.tools.train.deep.network import Network
from automl_gpt.tools.train.deep.probe import begin_as_probe
from automl_gpt.tools.train.deep.text import TextTrainer
from automl_gpt.tools.train.deep.tokens import train_tokenizer
from automl_gpt.tools.train.protocol import FitData
from tests.tools.train.deep.word_problem import GIVEN, Log, word_problem

ROWS, WIDTH = 200, 6


def network(classes: int, rows: int = ROWS, weighted: bool = False) -> tuple[Network, FitData, np.ndarray]:
    """A frozen map of numbers with a head of zeros on it, and answers that are linear in what reaches the head."""
    import torch

    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, (rows, WIDTH)).astype(np.float32)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(WIDTH, WIDTH), torch.nn.Dropout(0.9), torch.nn.Linear(WIDTH, max(classes, 1))
    )
    torch.nn.init.zeros_(model[2].weight)
    beneath = model[0](torch.tensor(x)).detach().numpy()
    scores = beneath @ rng.normal(0, 1, (WIDTH, max(classes, 1)))
    y = scores.argmax(axis=1) if classes else (scores[:, 0] - scores[:, 0].mean()) / scores[:, 0].std()

    def collate(items: list[int]) -> dict[str, object]:
        batch: dict[str, object] = {"x": torch.tensor(x[items]), "labels": torch.tensor(y[items])}
        return {**batch, "weight": torch.ones(len(items))} if weighted else batch

    made = Network(
        model=model,
        rows=range(rows),
        collate=collate,  # type: ignore[arg-type]
        predict=lambda model, examples: np.zeros(0),
        probed=lambda model, batch: model(batch["x"]),
    )
    data = FitData(
        x=None, y=y, weight=None, x_valid=None, y_valid=y, weight_valid=None, features=(),
        task="multiclass" if classes else "regression", classes=classes, metric=None,  # type: ignore[arg-type]
        score=lambda *_: 0.0,
    )  # fmt: skip
    return made, data, x


def said(made: Network, x: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return made.model.eval()(torch.tensor(x)).numpy()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_head_of_classes_begins_where_a_linear_model_ends(classes: int) -> None:
    made, data, x = network(classes, weighted=classes == 3)
    assert begin_as_probe(made, data, "cpu")
    assert np.mean(said(made, x).argmax(axis=1) == data.y) > 0.7


def test_the_head_of_values_does_too() -> None:
    made, data, x = network(0)
    assert begin_as_probe(made, data, "cpu")
    assert np.corrcoef(said(made, x)[:, 0], data.y)[0, 1] > 0.97


def test_a_class_that_no_row_shows_is_no_answer() -> None:
    made, data, x = network(3)
    assert begin_as_probe(made, replace(data, classes=3, y=np.minimum(data.y, 1)), "cpu")
    few, some, _ = network(3)
    few.collate, whole = (lambda items: {**whole(items), "labels": whole(items)["labels"].clamp(max=1)}), few.collate
    assert begin_as_probe(few, some, "cpu")
    assert not np.any(said(few, x).argmax(axis=1) == 2)


def test_with_too_few_rows_or_no_such_layer_the_head_stays() -> None:
    made, data, x = network(2, rows=probe.FEWEST - 1)
    assert not begin_as_probe(made, data, "cpu")
    made, data, x = network(2)
    assert not begin_as_probe(made, replace(data, classes=7), "cpu")
    assert np.ptp(said(made, x), axis=0).max() == 0.0


def test_the_same_seed_looks_at_the_same_rows_and_a_deadline_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ROWS", 100)
    monkeypatch.setattr(probe, "BATCH", 40)
    heads = []
    for _ in range(2):
        made, data, _ = network(2)
        begin_as_probe(made, data, "cpu")
        heads.append(made.model[2].weight.detach().numpy())
    assert np.array_equal(*heads)
    hurried, data, _ = network(2)
    seen: list[int] = []
    hurried.probed = lambda model, batch: seen.append(len(batch["x"])) or model(batch["x"])
    assert begin_as_probe(hurried, replace(data, deadline=time.monotonic() - 1.0), "cpu") == (seen[0] >= probe.FEWEST)
    assert len(seen) == 1


def test_given_weights_of_texts_begin_so_and_a_resumed_training_does_not_probe_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = train_tokenizer(word_problem(3).x.column("text"), 120)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(tmp_path / "weights")
    tokenizer.save_pretrained(tmp_path / "weights")
    probed: list[bool] = []
    real = engine.begin_as_probe
    monkeypatch.setattr(engine, "begin_as_probe", lambda *given: probed.append(real(*given)))
    data = word_problem(source=str(tmp_path / "weights"), scratch=tmp_path / "scratch")
    TextTrainer("text_encoder").fit(data, dict(GIVEN), Log())
    assert probed == [True]
    TextTrainer("text_encoder").fit(data, dict(GIVEN), Log())
    assert probed == [True] * (2 if not any((tmp_path / "scratch").glob("checkpoint-*")) else 1)


def test_a_probe_that_does_not_fit_into_the_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made, data, _ = network(2)

    def full(*_: object) -> bool:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(engine, "begin_as_probe", full)
    engine._probe(made, data)

    def broken(*_: object) -> bool:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(engine, "begin_as_probe", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine._probe(made, data)
