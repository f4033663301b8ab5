"""Small problems whose answers are records: spans behind a marker, tags of words and of words behind others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import Dataset

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.evaluate.metrics import default_metric, score
from automl_gpt.tools.train.protocol import FitData, Model, TaskKind, Trainer

LABELS = ("O", "B-PER", "I-PER", "B-DATE")


def pieces(*words: str) -> Any:
    """Make BERT's tokenizer with these words and the letters a to z, at the beginning of a word and within it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *words, *letters, *(f"##{letter}" for letter in letters), "?"]
    tokenizer: Any = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def data_of(task: TaskKind, train: Any, valid: Any, labels: tuple[str, ...] = (), **more: Any) -> FitData:
    """Make the data of a fit from (columns, records) of both parts."""
    metric = default_metric(task)
    (x, y), (x_valid, y_valid) = ((Examples(Dataset.from_dict(c)), records(r)) for c, r in (train, valid))
    facts: dict[str, Any] = {"weight": None, "weight_valid": None, "features": (), "classes": 0, "labels": labels}
    return FitData(
        x=x,
        y=y,
        x_valid=x_valid,
        y_valid=y_valid,
        task=task,
        metric=metric,
        score=lambda y, prediction, weight: score(metric, y, prediction, weight, labels=labels),
        **facts | more,
    )


def questions(rows: int = 160, unanswerable: float = 0.0, seed: int = 0) -> FitData:
    """Make contexts in which one word answers, behind `mark`; in some, where asked for, there is neither."""
    draw = np.random.default_rng(seed)

    def part(count: int) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
        contexts, answers = [], list[dict[str, Any]]()
        for _ in range(count):
            words = [f"w{n}" for n in draw.integers(0, 30, 12)]
            place, answer = int(draw.integers(0, 10)), str(draw.choice(["Alpha", "Beta", "Gamma"]))
            answerable = draw.random() >= unanswerable
            if answerable:
                words[place : place + 2] = ["mark", answer]
            contexts.append(" ".join(words))
            start = contexts[-1].index("mark ") + 5 if answerable else -1
            answers.append({"answers": [answer], "starts": [start]} if answerable else {"answers": [], "starts": []})
        return {"question": ["what follows the mark?"] * count, "context": contexts}, answers

    return data_of("question-answering", part(rows), part(40))


def sentences(rows: int = 160, seed: int = 0) -> FitData:
    """Make sentences in which `Ann` begins a name, years are dates, and `Lee` is of a name only behind Ann."""
    draw = np.random.default_rng(seed)

    def part(count: int) -> tuple[dict[str, list[list[str]]], list[dict[str, Any]]]:
        tokens, tags = list[list[str]](), list[dict[str, Any]]()
        for _ in range(count):
            words, codes = list[str](), list[int]()
            while len(words) < 10:
                kind, number = int(draw.integers(4)), int(draw.integers(20))
                words += [[f"Ann{number}", "Lee"], [f"{1980 + number}"], [f"w{number}"], ["of", "Lee"]][kind]
                codes += [[1, 2], [3], [0], [0, 0]][kind]
            tokens.append(words)
            tags.append({"tags": codes})
        return {"tokens": tokens}, tags

    return data_of("token-classification", part(rows), part(40), LABELS)


def fitted(trainer: Trainer, data: FitData, hyperparameters: Hyperparameters) -> tuple[Model, list[tuple[Any, ...]]]:
    """Fit to the end; return the model and what it logged: steps, scores and losses."""
    logged: list[tuple[Any, ...]] = []

    def emit(
        step: int, train: float, valid: float, more: Mapping[str, float] | None = None, seconds: float | None = None
    ) -> bool:
        logged.append((step, repr(train), valid, (more or {}).get("train_loss")))
        return True

    return trainer.fit(data, hyperparameters, emit), logged
