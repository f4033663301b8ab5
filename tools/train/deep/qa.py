"""Extractive question answering: where in the context the answer begins and ends (Devlin et al., 2019, section 4.2).

Contexts that are too long are read in overlapping windows. Questions without an answer point to the first token, as
the same paper does for SQuAD 2.0 (section 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.deep.encoders import at_random, given, save, saved
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.deep.text import heads
from automl_gpt.tools.train.deep.windows import Item, Reader, Window, in_chunks, outputs, positions, reader
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import whole

LONGEST = 30
"""Tokens of the longest answer that is given."""
LEAST_LENGTH = 48
"""Tokens of the smallest window that a question and a part of a context fit into."""
LEAST_STEP = 16
"""Tokens by which a window goes on at least: what a question and the overlap leave of it."""
NOWHERE: dict[str, Any] = {"text": "", "start": -1}
"""The answer to a question without one, less its score."""


class QAModel:
    """An encoder with two outputs per token. `unanswerable` says whether it may find that there is no answer."""

    def __init__(self, model: Any, read: Reader, unanswerable: bool, best_step: int) -> None:
        self.model, self.read, self.unanswerable, self.best_step = model, read, unanswerable, best_step

    def predict(self, x: Examples) -> Prediction:
        """Return for each row the best span of the context: its exact text, where it starts, its probability."""
        import torch

        with torch.inference_mode():
            return answers(self.model, x, self.read, self.unanswerable)

    def save(self, folder: Path) -> None:
        """Write a folder of transformers, and how texts are read."""
        about = {"max_length": self.read.max_length, "stride": self.read.stride}
        about |= {"unanswerable": self.unanswerable, "best_step": self.best_step}
        save(folder, self.model, self.read.tokenizer, about)


class QATrainer:
    """Fine-tunes given weights (`qa_encoder`), or trains a small encoder from scratch (`qa_scratch`)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: Literal["qa_encoder", "qa_scratch"]) -> None:
        self.name: str = name
        own = ADAPTING if name == "qa_encoder" else frozenset({"hidden_size", "layers", "vocabulary"})
        self.reads = TRAINING | own | {"max_length", "stride"}

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> QAModel:
        """Fit the network; ToolError where there are no rows or no room for a window."""
        if len(data.y) == 0:
            raise ToolError("there are no training rows: nothing can be fitted")
        seed(data)
        how = recipe(hyperparameters)
        model, tokenizer = self._network(data, hyperparameters)
        read = reader(tokenizer, model, *_reach(hyperparameters, model))
        unanswerable = any(not record["answers"] for record in data.y)
        rows = training_rows(data, read)
        network = Network(
            model=model,
            rows=rows,
            collate=read.pad,
            predict=lambda trained, x: answers(trained, x, read, unanswerable),
            heads=heads(model),
            lengths=[len(item["input_ids"]) for item in rows],
            loss=None if data.weight is None else weighted_loss,
        )
        trained = train(network, how, data, emit)
        return QAModel(trained.model, read, unanswerable, trained.best_step)

    def load(self, folder: Path) -> QAModel:
        """Read a network that was saved."""
        from transformers import AutoModelForQuestionAnswering

        model, tokenizer, about = saved(folder, AutoModelForQuestionAnswering)
        read = reader(tokenizer, model, about["max_length"], about["stride"])
        return QAModel(model, read, about["unanswerable"], about["best_step"])

    def _network(self, data: FitData, hyperparameters: Hyperparameters) -> tuple[Any, Any]:
        from transformers import AutoModelForQuestionAnswering

        if self.name == "qa_encoder":
            return given(data, AutoModelForQuestionAnswering)
        texts = data.x.column("question") + sorted(set(data.x.column("context")))
        return at_random(AutoModelForQuestionAnswering, texts, hyperparameters)


def _reach(hyperparameters: Hyperparameters, model: Any) -> tuple[int, int]:
    """Return the tokens of a window, as many as the model can read at the most, and how many the next one shares."""
    length = min(whole(hyperparameters, "max_length"), positions(model))
    if length < LEAST_LENGTH:
        raise ToolError(f"windows of {length} tokens have no room for a question and a context: {LEAST_LENGTH} have")
    return length, min(whole(hyperparameters, "stride"), length // 3)


# --------------------------------------------------------------------------------------------------------- what is read


def read_windows(read: Reader, questions: Sequence[str], contexts: Sequence[str]) -> list[Window]:
    """Return the windows of some rows; `marks` of shape (tokens, 2) are characters of the context, -1 for no such.

    A question that would leave the context no room is cut.
    """
    asked = [_short(read, question.strip()) for question in questions]
    encoded = read(asked, list(contexts), truncation="only_second")
    windows: list[Window] = []
    for i, row in enumerate(encoded["overflow_to_sample_mapping"]):
        marks = np.array(encoded["offset_mapping"][i], dtype=np.int64)
        marks[np.array([part != 1 for part in encoded.sequence_ids(i)])] = -1
        windows.append(Window(row, read.inputs(encoded, i), marks))
    return windows


def _short(read: Reader, question: str) -> str:
    most = read.max_length - read.stride - LEAST_STEP - read.tokenizer.num_special_tokens_to_add(pair=True)
    if len(question.encode()) <= most:
        return question
    told = read.tokenizer(
        question, add_special_tokens=False, truncation=True, max_length=most, return_offsets_mapping=True
    )
    return question[: told["offset_mapping"][-1][1]]


def training_rows(data: FitData, read: Reader) -> list[Item]:
    """Return the windows of the training rows with the places of their (first) answers."""
    items: list[Item] = []
    nothing = read.tokenizer.cls_token_id
    mean = 1.0 if data.weight is None else float(data.weight.mean()) or 1.0
    for rows in in_chunks(len(data.y)):
        questions, contexts = (data.x.batch(rows, role) for role in ("question", "context"))
        for window in read_windows(read, questions, contexts):
            begin, end = _characters(data.y[rows[window.row]])
            first, last = answer_tokens(window, begin, end, nothing)
            item: Item = window.inputs | {"start_positions": first, "end_positions": last}
            if data.weight is not None:
                item["weight"] = float(data.weight[rows[window.row]]) / mean
            items.append(item)
    return items


def _characters(record: dict[str, Any]) -> tuple[int, int]:
    """Return where the first answer begins and ends, less white space around it; -1, -1 where there is none."""
    if not record["answers"]:
        return -1, -1
    text, start = str(record["answers"][0]), int(record["starts"][0])
    begin = start + len(text) - len(text.lstrip())
    return begin, begin + len(text.strip())


def answer_tokens(window: Window, begin: int, end: int, nothing: int | None) -> tuple[int, int]:
    """Return the first and last token of an answer; the token `nothing`, where the window does not hold all of it."""
    null = _place(window, nothing)
    own = np.flatnonzero(window.marks[:, 0] >= 0)
    if begin < 0 or not len(own) or window.marks[own[0], 0] > begin or window.marks[own[-1], 1] < end:
        return null, null
    hit = own[(window.marks[own, 1] > begin) & (window.marks[own, 0] < end)]
    return (int(hit[0]), int(hit[-1])) if len(hit) else (null, null)


def _place(window: Window, nothing: int | None) -> int:
    where = np.flatnonzero(window.inputs["input_ids"] == nothing)
    return int(where[0]) if len(where) else 0


def weighted_loss(model: Any, batch: dict[str, Any]) -> Any:
    """Return the mean cross-entropy of both places, each window with its row's weight."""
    from torch.nn.functional import cross_entropy

    told = {
        name: values for name, values in batch.items() if name not in ("weight", "start_positions", "end_positions")
    }
    output = model(**told)
    losses = [
        cross_entropy(logits, batch[f"{name}_positions"], reduction="none")
        for name, logits in (("start", output.start_logits), ("end", output.end_logits))
    ]
    return (batch["weight"] * (losses[0] + losses[1]) / 2).mean()


# ----------------------------------------------------------------------------------------------------- what is answered


@dataclass
class _Found:
    score: float = -math.inf
    begin: int = -1
    end: int = -1
    nothing: float = math.inf


def answers(model: Any, x: Examples, read: Reader, unanswerable: bool) -> Prediction:
    """Answer each row by the most probable span of all its windows; by none where that is likelier in every window."""
    listed: list[dict[str, Any]] = []
    for rows in in_chunks(len(x)):
        questions, contexts = x.batch(rows, "question"), x.batch(rows, "context")
        found = [_Found() for _ in rows]
        for some, output in outputs(model, read_windows(read, questions, contexts), read):
            _note(found, some, output, read.tokenizer.cls_token_id)
        listed += [_record(one, context, unanswerable) for one, context in zip(found, contexts, strict=True)]
    return records(listed)


def _note(found: list[_Found], windows: Sequence[Window], output: Any, nothing: int | None) -> None:
    start, end = (logits.float().cpu().numpy() for logits in (output.start_logits, output.end_logits))
    for line, window in enumerate(windows):
        null, own = _place(window, nothing), window.marks[:, 0] >= 0
        begins, ends = (_log_share(logits[line, : len(window)], own, null) for logits in (start, end))
        one = found[window.row]
        one.nothing = min(one.nothing, float(begins[null] + ends[null]))
        first, last, score = best_span(np.where(own, begins, -np.inf), np.where(own, ends, -np.inf))
        if score > one.score:
            one.score, one.begin, one.end = score, int(window.marks[first, 0]), int(window.marks[last, 1])


def _log_share(logits: NDArray[np.float32], own: NDArray[np.bool_], null: int) -> NDArray[np.float64]:
    """Return log-probabilities among the context's tokens and the one that says that there is no answer."""
    from scipy.special import logsumexp

    able = own.copy()
    able[null] = True
    values = np.where(able, logits.astype(np.float64), -np.inf)
    return values - logsumexp(values)


def best_span(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[int, int, float]:
    """Return the first and last token and the score of the best span of at most LONGEST tokens; the first if tied."""
    best = (0, 0, -math.inf)
    for more in range(min(LONGEST, len(start))):
        together = start[: len(start) - more] + end[more:]
        at = int(together.argmax())
        if together[at] > best[2]:
            best = (at, at + more, float(together[at]))
    return best


def _record(one: _Found, context: str, unanswerable: bool) -> dict[str, Any]:
    text = context[one.begin : one.end].strip() if one.begin >= 0 else ""
    if not text or (unanswerable and one.nothing > one.score):
        return NOWHERE | {"score": math.exp(min(0.0, one.nothing))}
    return {"text": text, "start": context.index(text, one.begin), "score": math.exp(one.score)}
