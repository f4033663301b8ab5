"""What encoder-decoder and decoder-only generators share: ids of prompts and answers, greedy generation, the model.

The loss counts the answer's tokens alone, its end of sequence among them, so that generation learns to stop. An answer
that is cut at the limit has no end of sequence: a model shall not learn to stop in the middle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.deep.encoders import save
from automl_gpt.tools.train.deep.engine import train
from automl_gpt.tools.train.deep.network import Network, recipe
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction, Target

IGNORED = -100
"""The label that no loss counts."""
BATCH_TOKENS = 16_384
MOST_PROMPTS, LEAST_PROMPTS = 256, 64
"""Prompts that are answered at once: as many as hold so many tokens, within these bounds."""
LENGTHS = frozenset({"max_length", "max_target_length"})
Ids = NDArray[np.int32]
Pair = tuple[Ids, Ids]
"""The ids of a prompt and of its answer."""


class Sequences:
    """Token ids of many texts in one flat array."""

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        parts = [np.asarray(ids, dtype=np.int32) for ids in sequences]
        self.lengths = np.array([len(part) for part in parts], dtype=np.int64)
        self._flat = np.concatenate([*parts, np.empty(0, dtype=np.int32)])
        self._ends = np.cumsum(self.lengths)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.lengths)

    def __getitem__(self, row: int) -> Ids:
        """Return the ids of one text."""
        return self._flat[self._ends[row] - self.lengths[row] : self._ends[row]]


class Pairs:
    """Prompts and answers as a map-style dataset."""

    def __init__(self, prompts: Sequences, answers: Sequences) -> None:
        self.prompts, self.answers = prompts, answers

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.prompts)

    def __getitem__(self, row: int) -> Pair:
        """Return one pair."""
        return self.prompts[row], self.answers[row]


@dataclass(frozen=True)
class TextFormat(ABC):
    """How texts become ids, and pairs of them a batch. Limits are in tokens; longer texts are cut.

    Special tokens within a text ("<pad>", "</s>") are spelt out like other text: data may hold such words.
    """

    tokenizer: Any
    max_length: int
    max_target_length: int

    @abstractmethod
    def prompts(self, texts: Sequence[str]) -> Sequences:
        """Return the ids that the model is given."""

    @abstractmethod
    def answers(self, texts: Sequence[str]) -> Sequences:
        """Return the ids that the model shall generate, end of sequence included where the answer is whole."""

    @abstractmethod
    def collate(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return a batch for training: ids, mask, and labels that ignore all but the answers."""

    @abstractmethod
    def generated(self, model: Any, prompts: Sequence[Ids]) -> Any:
        """Answer a batch of prompts: ids of shape (prompts, tokens) without the prompts."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what `load` needs besides the tokenizer."""

    def ids(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the ids of whole texts, with or without the special tokens that the tokenizer puts around them."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=special, split_special_tokens=True, verbose=False)
        return encoded["input_ids"]

    def decoded(self, ids: Any) -> list[str]:
        """Return the texts of ids of shape (rows, tokens)."""
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class TextGenerator:
    """A network that answers texts with texts, greedily."""

    def __init__(self, model: Any, form: TextFormat, best_step: int) -> None:
        self.model, self.form, self.best_step = model.eval(), form, best_step

    def predict(self, x: Examples) -> Prediction:
        """Generate a text for each example."""
        return answered(self.model, self.form, x)

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer as transformers reads them, and the limits."""
        save(folder, self.model, self.form.tokenizer, self.form.state() | {"best_step": self.best_step})


def fit_generator(
    model: Any, form: TextFormat, data: FitData, hyperparameters: Hyperparameters, emit: Emit
) -> TextGenerator:
    """Train a network on pairs of texts; it generates no more tokens than the longest training answer has."""
    how = recipe(hyperparameters)
    answers = form.answers(first_texts(data.y))
    _tell_cut(data, form, answers)
    pairs = Pairs(form.prompts(data.x.column("text")), answers)
    model.generation_config = greedy(model, form.tokenizer, int(answers.lengths.max()))
    network = Network(
        model=model,
        rows=pairs,
        collate=form.collate,
        predict=lambda current, x: answered(current, form, x),
        lengths=(pairs.prompts.lengths + answers.lengths).tolist(),
    )
    trained = train(network, how, data, emit)
    return TextGenerator(trained.model, form, trained.best_step)


def first_texts(y: Target) -> list[str]:
    """Return the first correct text of each record; ToolError where there are no rows."""
    if not len(y):
        raise ToolError("there are no training rows: nothing can be fitted")
    return [record["texts"][0] for record in y]


def _tell_cut(data: FitData, form: TextFormat, answers: Sequences) -> None:
    end = end_token(form.tokenizer)
    cut = sum(
        int(answers[row].tolist()[-1:] != [end])
        for row in np.flatnonzero(answers.lengths >= form.max_target_length).tolist()
    )
    if cut:
        limit = form.max_target_length
        data.tell(f"{cut} of {len(answers)} answers are cut at max_target_length = {limit} tokens")


def end_token(tokenizer: Any) -> int:
    """Return the id that ends a sequence; UserError where the tokenizer has none."""
    for token in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return int(token)
    raise UserError("the tokenizer of the weights has no end-of-sequence token: generation could never stop")


def cut_with_end(ids: list[int], end: int, limit: int) -> list[int]:
    """Return ids with an end of sequence, or the first ones where that is more than the limit."""
    whole = ids if ids[-1:] == [end] else [*ids, end]
    return whole if len(whole) <= limit else ids[:limit]


def greedy(model: Any, tokenizer: Any, limit: int) -> Any:
    """Return how the model generates: the likeliest token each time, at most `limit` of them.

    What else weights bring along (beams, penalties, shortest lengths) would act against the answers that they learn.
    """
    from transformers import GenerationConfig

    own = model.generation_config
    start = own.decoder_start_token_id
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=limit,
        eos_token_id=end_token(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=own.bos_token_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None) if start is None else start,
        forced_bos_token_id=own.forced_bos_token_id,
    )


def answered(model: Any, form: TextFormat, x: Examples) -> Prediction:
    """Generate an answer for each example, prompts of like length together."""
    import torch

    prompts = form.prompts(x.column("text"))
    texts = [""] * len(prompts)
    with torch.no_grad():
        for rows in batches(prompts.lengths):
            found = form.decoded(form.generated(model, [prompts[row] for row in rows]))
            for row, text in zip(rows, found, strict=True):
                texts[row] = text
    return records({"text": text} for text in texts)


def batches(lengths: NDArray[np.int64]) -> list[list[int]]:
    """Return rows in batches of like length, the longest first: what does not fit into the memory fails at once."""
    order = np.argsort(-lengths, kind="stable").tolist()
    found: list[list[int]] = []
    while order:
        size = int(np.clip(BATCH_TOKENS // max(1, int(lengths[order[0]])), LEAST_PROMPTS, MOST_PROMPTS))
        found.append(order[:size])
        order = order[size:]
    return found


def padded(sequences: Sequence[Ids], value: int, *, left: bool = False) -> tuple[Any, Any]:
    """Return ids and mask, int64 tensors of shape (rows, longest), with `value` where a row is shorter."""
    import torch

    width = max(len(ids) for ids in sequences)
    ids = np.full((len(sequences), width), value, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, own in enumerate(sequences):
        place = slice(width - len(own), width) if left else slice(0, len(own))
        ids[row, place], mask[row, place] = own, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
