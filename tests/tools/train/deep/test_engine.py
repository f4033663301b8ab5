"""The training loop of networks: the same log again, also resumed; what learns and what does not; memory and time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.deep import session
from automl_gpt.tools.train.deep.adapt import adapt, learning, merged
from automl_gpt.tools.train.deep.checkpoints import latest
from automl_gpt.tools.train.deep.pace import EVALUATIONS, Pace, learning_rate_factor
from automl_gpt.tools.train.deep.text import TextTrainer
from tests.tools.train.deep.word_problem import GIVEN, SCRATCH, Log, word_problem


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights of an encoder."""
    import torch
    from transformers import BertConfig, BertModel

    from automl_gpt.tools.train.deep.tokens import train_tokenizer

    folder = tmp_path_factory.mktemp("weights")
    tokenizer = train_tokenizer(word_problem(3).x.column("text"), 120)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings this short are judged by a few rows: none of them ends early by luck."""
    monkeypatch.setattr(session, "PATIENCE", 99)


def scratch(tmp_path: Path, log: Log, **more: Any) -> Any:
    return TextTrainer("text_scratch").fit(word_problem(scratch=tmp_path, **more), dict(SCRATCH), log)


def test_a_network_learns_and_logs_losses_speed_and_memory() -> None:
    log = Log()
    model = TextTrainer("text_scratch").fit(word_problem(), dict(SCRATCH), log)
    assert log.rows[-1][1] > 0.95 > 0.7 > log.rows[0][1]
    assert log.more[-1]["train_loss"] < log.more[0]["train_loss"]
    assert all({"train_loss", "valid_loss", "per_second", "megabytes"} <= more.keys() for more in log.more)
    assert model.best_step in [step for step, _ in log.rows]
    assert log.rows[-1][0] == 30  # 160 rows in batches of 16, three times


def test_the_same_seed_gives_the_same_log_and_predictions(tmp_path: Path) -> None:
    first, second = Log(), Log()
    one, two = scratch(tmp_path / "a", first), scratch(tmp_path / "b", second)
    x = word_problem().x_valid
    assert first.rows == second.rows and np.array_equal(one.predict(x), two.predict(x))
    other = Log()
    scratch(tmp_path / "c", other, seed=4)
    assert other.more[0]["train_loss"] != first.more[0]["train_loss"]


def test_a_killed_training_goes_on_from_its_checkpoint_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(session, "SAVE_SHARE", 0.0)
    whole, cut, resumed = Log(), Log(fail=9), Log()
    expected = scratch(tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        scratch(tmp_path / "cut", cut)
    found = latest(tmp_path / "cut")
    assert found is not None and 0 < found[1].step < whole.rows[-1][0]
    got = scratch(tmp_path / "cut", resumed)
    assert resumed.rows == whole.rows
    losses = [[more["train_loss"] for more in log.more] for log in (resumed, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    again = [seconds for seconds in resumed.seconds if seconds is not None]
    assert len(again) == len(found[1].rows) > 3 and again == sorted(again)
    x = word_problem().x_valid
    assert got.best_step == expected.best_step and np.array_equal(got.predict(x), expected.predict(x))


def test_adapters_and_their_head_go_on_from_a_checkpoint(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(session, "SAVE_SHARE", 0.0)
    how = {**GIVEN, "training": "lora", "lora_rank": 4}

    def fit(folder: str, log: Log) -> Any:
        data = word_problem(source=str(weights), scratch=tmp_path / folder, metric="log_loss")
        return TextTrainer("text_encoder").fit(data, dict(how), log)

    whole, resumed = Log(), Log()
    expected = fit("whole", whole)
    with pytest.raises(KeyboardInterrupt):
        fit("cut", Log(fail=8))
    got = fit("cut", resumed)
    assert resumed.rows == whole.rows
    x = word_problem().x_valid
    assert np.array_equal(got.predict(x), expected.predict(x))


def test_a_checkpoint_that_a_kill_cut_off_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(session, "SAVE_SHARE", 0.0)
    with pytest.raises(KeyboardInterrupt):
        scratch(tmp_path, Log(fail=8))
    found = latest(tmp_path)
    assert found is not None
    (tmp_path / "checkpoint-999").mkdir()
    (tmp_path / "checkpoint-999" / "model.safetensors").write_bytes(b"half")
    assert latest(tmp_path) == found
    (found[0] / "progress.json").write_text('{"step"', encoding="utf-8")
    older = latest(tmp_path)
    assert older is None or older[1].step < found[1].step


def test_adapters_alone_learn_and_are_added_to_the_weights(weights: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    original = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=2)
    model = adapt(original, "lora", ("classifier",), 4)
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert names and all("lora_" in name or "classifier" in name for name in names)
    share = sum(p.numel() for p in learning(model).values()) / sum(p.numel() for p in model.parameters())
    assert share < 0.5
    log = Log()
    data = word_problem(source=str(weights))
    fitted = TextTrainer("text_encoder").fit(
        data, {**GIVEN, "training": "lora", "lora_rank": 8, "learning_rate": 0.001, "epochs": 6}, log
    )
    assert log.rows[-1][1] > 0.9
    saved = fitted.model.state_dict()
    assert not any("lora" in name for name in saved)
    embedding = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(
        saved[embedding], AutoModelForSequenceClassification.from_pretrained(weights).state_dict()[embedding]
    )


def test_adapters_fit_layers_that_hold_their_weights_the_other_way_round() -> None:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    original = GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=8, n_embd=16, n_layer=1, n_head=2)).eval()
    ids = torch.arange(6)[None]
    before = original(input_ids=ids).logits.detach()
    model = adapt(original, "lora", (), 2)
    learned = learning(model)
    assert len(learned) == 8 and all("lora_" in name for name in learned)  # two adapters for each of four layers
    for parameter in learned.values():
        torch.nn.init.normal_(parameter, std=0.2)
    adapted = model.eval()(input_ids=ids).logits.detach()
    assert not torch.allclose(adapted, before, atol=0.01)
    assert torch.allclose(merged(model)(input_ids=ids).logits, adapted, atol=1e-4)


def test_a_frozen_encoder_keeps_all_its_weights_but_the_head(weights: Path) -> None:
    import torch
    from transformers import AutoModel

    log = Log()
    fitted = TextTrainer("text_encoder").fit(
        word_problem(source=str(weights)), {**GIVEN, "training": "frozen", "learning_rate": 0.0003, "epochs": 6}, log
    )
    original = AutoModel.from_pretrained(weights).state_dict()
    kept = fitted.model.base_model.state_dict()
    same = [name for name in original if torch.equal(original[name], kept[name])]
    assert {name for name in original if name not in same} <= {"pooler.dense.weight", "pooler.dense.bias"}
    assert len(same) > 20 and len({more["train_loss"] for more in log.more}) == len(log.more)


def test_a_batch_that_does_not_fit_is_halved_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    data = word_problem(scratch=tmp_path, metric="log_loss", tell=told.append)
    from automl_gpt.tools.train.deep import engine, text

    network = text._network  # type: ignore[attr-defined]

    def narrow(*arguments: Any) -> engine.Network:
        made = network(*arguments)
        inner = made.collate

        def collate(items: list[Any]) -> Any:
            if len(items) > 4:
                raise RuntimeError("CUDA out of memory: tried to allocate 2 GiB")
            return inner(items)

        made.collate = collate
        return made

    log = Log()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text, "_network", narrow)
        TextTrainer("text_scratch").fit(data, {**SCRATCH, "epochs": 1}, log)
    assert [t.split(" do not fit")[0] for t in told] == ["16 examples at a time", "8 examples at a time"]
    assert log.rows[-1][0] == 10  # as many steps as with the whole batch


def test_what_does_not_fit_one_example_at_a_time_is_refused(tmp_path: Path) -> None:
    from automl_gpt.tools.train.deep import text

    def never(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    made = text._network  # type: ignore[attr-defined]

    def broken(*arguments: Any) -> Any:
        network = made(*arguments)
        network.collate = never
        return network

    with pytest.MonkeyPatch.context() as patched, pytest.raises(ToolError, match="one example at a time"):
        patched.setattr(text, "_network", broken)
        TextTrainer("text_scratch").fit(word_problem(scratch=tmp_path), dict(SCRATCH), Log())


def test_a_training_that_diverges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="diverged"):
        TextTrainer("text_scratch").fit(
            word_problem(scratch=tmp_path, metric="log_loss"), {**SCRATCH, "learning_rate": 1e30}, Log()
        )


def test_a_deadline_ends_the_training_with_the_learning_rate_at_zero(tmp_path: Path) -> None:
    log = Log()
    data = word_problem(scratch=tmp_path, deadline=time.monotonic() + 4.0)
    model = TextTrainer("text_scratch").fit(data, {**SCRATCH, "epochs": 5000}, log)
    assert 0 < log.rows[-1][0] < 50_000 and model.best_step > 0


def test_the_person_ends_a_training_and_gets_the_best_so_far(tmp_path: Path) -> None:
    log = Log(stop=4)
    model = scratch(tmp_path, log)
    assert len(log.rows) == 4 and model.best_step in [step for step, _ in log.rows]


def test_the_pace_follows_the_steps_without_a_deadline_and_the_clock_with_one() -> None:
    free = Pace(steps=240)
    due = [step for step in range(1, 241) if free.due(step)]
    assert due[0] == 5 and due[-1] == 240 and len(due) == EVALUATIONS + 1
    late = Pace(steps=1000, deadline=time.monotonic() - 1.0)
    assert late.progress(1) == 1.0 and late.due(1)
    resumed = Pace(steps=240)
    resumed.resume(121, resumed.progress(121))
    assert [step for step in range(122, 241) if resumed.due(step)] == [step for step in due if step > 121]


def test_training_ends_early_enough_for_what_is_predicted_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("automl_gpt.tools.train.deep.pace.time.monotonic", lambda: now[0])

    def seconds_of_training(later: float) -> float:
        pace = Pace(steps=10**9, deadline=200.0, later=later, began=100.0, evaluated_at=100.0)
        pace.evaluated(2.0)
        return next(s for s in range(101) if not now.__setitem__(0, 100.0 + s) and pace.progress(1) >= 1.0)

    assert seconds_of_training(0.0) == 95  # 2.5 evaluations before the deadline
    assert seconds_of_training(5.0) == 85
    assert seconds_of_training(1000.0) == 70  # no more than a quarter is given up


@pytest.mark.parametrize(("progress", "factor"), [(0.05, 0.5), (0.1, 1.0), (0.55, 0.5), (1.0, 0.0)])
def test_the_learning_rate_rises_and_falls_in_straight_lines(progress: float, factor: float) -> None:
    assert learning_rate_factor(progress, 0.1) == pytest.approx(factor)
