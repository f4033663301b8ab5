from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.examples import records
from automl_gpt.tools.evaluate.answer_metrics import bert_score, normalise
from automl_gpt.tools.evaluate.bootstrap import interval, weighted_score
from automl_gpt.tools.evaluate.metrics import METRICS, fitting, score
from automl_gpt.tools.train.protocol import ANSWER_TASKS

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
LABELS = ("cell", "star")
CASES = [(task, name) for task in ANSWER_TASKS for name in fitting(task)]
WORDS = ("the", "quick", "brown", "fox,", "jumps", "over", "a", "lazy", "dog", "while", "(seven)", "wizards", ".")


def texts(rng: Any, words: int = 8) -> str:
    return " ".join(["tea", *rng.choice(WORDS, rng.integers(1, words))])


def tagged(rng: Any) -> tuple[Any, Any]:
    length = rng.integers(1, 12)
    true = rng.integers(0, 5, length)
    return {"tags": true.tolist()}, {"tags": np.where(rng.random(length) < 0.6, true, 0).tolist()}


def boxed(rng: Any) -> tuple[Any, Any]:
    boxes = rng.uniform(5, 60, (rng.integers(1, 4), 4)).round(1)
    codes = rng.integers(0, 2, len(boxes)).tolist()
    true = {"boxes": boxes.tolist(), "labels": codes, "width": 128, "height": 128}
    near = (boxes + rng.normal(0, 3, boxes.shape)).round(1)
    return true, {"boxes": near.tolist(), "labels": codes, "scores": rng.random(len(boxes)).tolist()}


def asked(rng: Any) -> tuple[Any, Any]:
    answers = [texts(rng) for _ in range(rng.integers(0, 3))]
    said = rng.choice([*answers, texts(rng), ""])
    return {"answers": answers, "starts": [0] * len(answers)}, {"text": str(said), "start": 0, "score": 0.5}


def written(rng: Any) -> tuple[Any, Any]:
    wanted = [texts(rng) for _ in range(rng.integers(1, 3))]
    return {"texts": wanted}, {"text": str(rng.choice([*wanted, texts(rng)]))}


def found(rng: Any) -> tuple[Any, Any]:
    ranked = rng.permutation(200)[:100].tolist()
    return {"passages": rng.integers(0, 200, 2).tolist()}, {"ranked": ranked, "scores": [1.0] * 100}


MADE: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "token-classification": tagged, "detection": boxed, "question-answering": asked, "text-generation": written,
    "retrieval": found,
}  # fmt: skip


def problem(task: str, rows: int = 60) -> tuple[Any, Any, tuple[str, ...]]:
    rng = np.random.default_rng(5)
    y, p = zip(*(MADE[task](rng) for _ in range(rows)), strict=True)
    return records(y), records(p), TAGS if task == "token-classification" else LABELS


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_weight_of_two_counts_a_row_twice_for_every_metric(task: str, name: str) -> None:
    y, p, labels = problem(task)
    times = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    value = score(METRICS[name], y[rows], p[rows], labels=labels)
    statistic = weighted_score(METRICS[name], y, p, labels=labels)
    assert 0 < value < METRICS[name].best
    assert statistic(times.astype(np.float64)) == pytest.approx(value, abs=1e-9)
    if task != "detection":
        weighted = score(METRICS[name], y, p, times.astype(np.float64), labels=labels)
        assert weighted == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_the_correct_answers_score_best_and_the_interval_holds_the_score(task: str, name: str) -> None:
    y, p, labels = problem(task)
    low, high = interval(METRICS[name], y, p, labels=labels)
    assert low < score(METRICS[name], y, p, labels=labels) < high
    assert (low, high) == interval(METRICS[name], y, p, labels=labels)
    perfect = {
        "token-classification": lambda r: r,
        "detection": lambda r: {**r, "scores": [0.9] * len(r["boxes"])},
        "question-answering": lambda r: {"text": [*r["answers"], ""][0]},
        "text-generation": lambda r: {"text": r["texts"][-1]},
        "retrieval": lambda r: {"ranked": r["passages"]},
    }[task]
    best = score(METRICS[name], y, records(perfect(r) for r in y), labels=labels)
    assert best == pytest.approx(METRICS[name].best, abs=1e-6)


def test_entities_are_scored_as_by_seqeval() -> None:
    from seqeval.metrics import f1_score

    y, p, _ = problem("token-classification", 200)
    named = [[[TAGS[code] for code in record["tags"]] for record in part] for part in (y, p)]
    assert score(METRICS["f1_entities"], y, p, labels=TAGS) == pytest.approx(f1_score(*named))


def test_texts_are_scored_as_by_sacrebleu_and_rouge_score_with_several_references() -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.chrf import CHRF

    y, p, _ = problem("text-generation")
    said = [record["text"] for record in p]
    streams: list[Any] = [[r["texts"][i] if i < len(r["texts"]) else None for r in y] for i in range(2)]
    assert score(METRICS["chrf"], y, p) == pytest.approx(CHRF(word_order=2).corpus_score(said, streams).score)
    each = [RougeScorer(["rougeL"]).score_multi(r["texts"], s)["rougeL"].fmeasure for r, s in zip(y, said, strict=True)]
    assert score(METRICS["rouge_l"], y, p) == pytest.approx(np.mean(each))


def test_answers_are_normalised_by_the_rules_of_squad() -> None:
    assert normalise("  The Cat's,\thats -- an\u00a0A-Team!") == "cats hats ateam"
    assert normalise("the theatre") == "theatre"


@pytest.mark.parametrize(
    ("answers", "said", "exact", "f1"),
    [
        (["the Denver Broncos!"], "denver broncos", 1, 1),
        (["the cat sat"], "cat sat down", 0, 0.8),
        (["one", "one two three"], "two one", 0, 0.8),
        (["cat cat"], "cat", 0, 2 / 3),
        (["dog"], "cat", 0, 0),
        ([], "", 1, 1),
        ([], "cat", 0, 0),
        (["cat"], "", 0, 0),
        (["the"], "a", 1, 1),
    ],
)
def test_answers_are_scored_by_the_rules_of_squad(answers: list[str], said: str, exact: float, f1: float) -> None:
    y, p = records([{"answers": answers, "starts": []}]), records([{"text": said}])
    assert score(METRICS["qa_exact_match"], y, p) == exact
    assert score(METRICS["qa_f1"], y, p) == pytest.approx(f1)


def test_ranks_are_scored_by_the_first_correct_passage() -> None:
    y = records([{"passages": [7]}, {"passages": [1, 2]}, {"passages": [9]}, {"passages": []}])
    p = records({"ranked": [5, 7, 1, 2], "scores": []} for _ in y)
    values = {name: score(METRICS[name], y, p) for name in fitting("retrieval")}
    third = 1 / 3
    assert values == pytest.approx(
        {"mrr": (1 / 2 + third) / 3, "recall_at_1": 0, "recall_at_5": 2 * third, "recall_at_20": 2 * third,
         "recall_at_100": 2 * third}
    )  # fmt: skip


def test_tags_are_counted_token_by_token() -> None:
    y, p = records([{"tags": [0, 1, 2]}, {"tags": [3]}]), records([{"tags": [0, 1, 0]}, {"tags": [3]}])
    assert score(METRICS["token_accuracy"], y, p, labels=TAGS) == 0.75


def test_more_boxes_than_can_be_matched_again_and_again_have_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p, labels = problem("detection", 10)
    assert not np.isnan(interval(METRICS["map50"], y, p, labels=labels)).any()
    monkeypatch.setattr("automl_gpt.tools.evaluate.bootstrap.MOST_BOXES", 100)
    assert np.isnan(interval(METRICS["map50"], y, p, labels=labels)).all()


@pytest.mark.parametrize("name", [name for _, name in CASES])
def test_no_rows_have_no_score(name: str) -> None:
    assert np.isnan(score(METRICS[name], records([]), records([]), labels=LABELS))


def encoder(folder: Path) -> Path:
    """A tiny encoder with random weights and its tokenizer."""
    from transformers import BertConfig, BertModel

    from automl_gpt.tools.train.deep.tokens import train_tokenizer

    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 60)
    size: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_bert_score_is_one_for_the_reference_and_less_for_another_text(tmp_path: Path) -> None:
    place = encoder(tmp_path / "encoder")
    y = records([{"texts": ["the lazy dog", "a quick fox"]}])
    assert bert_score(y, records([{"text": "a quick fox"}]), place) == pytest.approx(1, abs=1e-5)
    assert bert_score(y, records([{"text": "wizards"}]), place) < 0.99


def test_an_encoder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        bert_score(records([{"texts": ["a"]}]), records([{"text": "a"}]), tmp_path / "nowhere")
