"""Windows: token ids of texts, long ones in overlapping pieces that an encoder can read; and batches of windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.deep.tokens import by_length, padded

BATCH = 32
"""Windows that are answered at once."""
ROWS = 512
"""Examples whose windows are held at once while a model answers."""
IGNORED = -100
"""A label that the loss passes over."""
LONGEST = 512
"""Tokens at a time of models that don't say how many they can read."""
Item = dict[str, Any]
"""What the model reads of one window: integer arrays of shape (tokens,), and numbers."""


@dataclass(frozen=True)
class Window:
    """A piece of an example's text. `marks` says of each token what the task needs to know, in its first dimension."""

    row: int
    inputs: dict[str, NDArray[np.int64]]
    marks: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.inputs["input_ids"])


@dataclass(frozen=True)
class Reader:
    """A tokenizer, the tokens of a window, how many of them it shares with the next, and whether types are told."""

    tokenizer: Any
    max_length: int
    stride: int
    typed: bool

    def __call__(self, *texts: list[str], truncation: str) -> Any:
        """Return the windows of texts or pairs as the tokenizer gives them, with `offset_mapping`.

        `truncation` names what is cut into windows, as the tokenizer calls it.
        """
        return self.tokenizer(
            *texts,
            truncation=truncation,
            max_length=self.max_length,
            stride=self.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_token_type_ids=self.typed,
            return_attention_mask=False,
        )

    def inputs(self, encoded: Any, window: int) -> dict[str, NDArray[np.int64]]:
        """Return what the model reads of a window, without padding."""
        names = ("input_ids", "token_type_ids") if self.typed else ("input_ids",)
        return {name: np.array(encoded[name][window], dtype=np.int64) for name in names}

    def pad(self, items: list[Item]) -> dict[str, Any]:
        """Return a batch: arrays of shape (windows, longest) padded on the right, numbers as (windows,)."""
        import torch

        batch = padded(self.tokenizer, items)
        for name, first in items[0].items():
            if np.ndim(first) == 0:
                batch[name] = torch.tensor([item[name] for item in items])
            elif name not in batch:
                rows = [torch.from_numpy(item[name]) for item in items]
                batch[name] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED)
        return batch


def reader(tokenizer: Any, model: Any, max_length: int, stride: int) -> Reader:
    """Return how texts are read for a model: windows of so many tokens, of which each shares some with the next."""
    return Reader(tokenizer, max_length, stride, (getattr(model.config, "type_vocab_size", 0) or 0) > 1)


def positions(model: Any) -> int:
    """Return the tokens that a model can read at a time."""
    most = getattr(model.config, "max_position_embeddings", None) or LONGEST
    # RoBERTa and its kin count positions from behind the padding's index.
    return most - (2 if model.config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0)


def outputs(model: Any, windows: Sequence[Window], read: Reader) -> Iterator[tuple[list[Window], Any]]:
    """Yield some windows at a time, those of like length together, and the model's output for them."""
    device = next(model.parameters()).device
    for rows in by_length([len(window) for window in windows], BATCH):
        some = [windows[row] for row in rows]
        batch = read.pad([window.inputs for window in some])
        yield some, model(**{name: values.to(device) for name, values in batch.items()})


def in_chunks(rows: int) -> Iterator[range]:
    """Yield the numbers of the rows, some at a time."""
    for begin in range(0, rows, ROWS):
        yield range(begin, min(rows, begin + ROWS))
