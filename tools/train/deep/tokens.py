"""Tokenizers made on the spot for networks without weights, and texts as compact arrays of token ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 2000
"""Texts that are tokenized at a time."""


def train_tokenizer(texts: Iterable[str], vocabulary: int = 8000, *, lowercase: bool = True) -> Any:
    """Learn byte-pair pieces of words (Sennrich et al., 2016) from texts; a `PreTrainedTokenizerFast` as BERT has one.

    Same texts, same tokenizer (the library's WordPiece breaks ties by chance). A word begins with U+2581. Single texts
    become [CLS] a [SEP], pairs [CLS] a [SEP] b [SEP]; token types are set.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer: Any = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    words = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), words])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer: Any = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, show_progress=False, limit_alphabet=vocabulary // 2
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


class Tokens:
    """Token ids of many texts as flat arrays, so that a million of them cost what their numbers do.

    A map-style dataset: item i is {"input_ids": ids, "token_type_ids": types (where the tokenizer has them)}.
    """

    def __init__(self, tokenizer: Any, texts: list[str], pairs: list[str] | None, max_length: int) -> None:
        found: dict[str, list[NDArray[np.int32]]] = {}
        for start in range(0, len(texts), CHUNK):
            part = None if pairs is None else pairs[start : start + CHUNK]
            coded = tokenizer(
                texts[start : start + CHUNK],
                part,
                truncation=True,
                max_length=max_length,
                return_attention_mask=False,
                verbose=False,
            )
            for name, rows in coded.items():
                found.setdefault(name, []).extend(np.asarray(row, dtype=np.int32) for row in rows)
        self.lengths: list[int] = [len(row) for row in found.get("input_ids", [])]
        self._ends = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        self._flat = {name: np.concatenate(rows) for name, rows in found.items() if rows}

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.lengths)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return the ids of one text."""
        start, end = self._ends[row], self._ends[row + 1]
        return {name: flat[start:end] for name, flat in self._flat.items()}


def padded(tokenizer: Any, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return items as one batch of tensors of shape (items, longest), with the attention mask."""
    import torch

    longest = max(len(item["input_ids"]) for item in items)
    fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0)}
    batch: dict[str, Any] = {}
    for name in items[0]:
        if name in fill:
            array = np.full((len(items), longest), fill[name], dtype=np.int64)
            for row, item in enumerate(items):
                array[row, : len(item[name])] = item[name]
            batch[name] = torch.from_numpy(array)
    mask = np.arange(longest)[None, :] < np.array([len(item["input_ids"]) for item in items])[:, None]
    batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
    return batch


def by_length(lengths: list[int], batch: int) -> Iterator[list[int]]:
    """Yield the rows in batches of like length, the longest first, so that what does not fit shows at once."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    for start in range(0, len(order), batch):
        yield order[start : start + batch]
