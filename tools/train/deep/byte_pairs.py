"""A tokenizer for text generation without weights: byte-level, so that it can read and write every text."""

from __future__ import annotations

from typing import Any

from automl_gpt.tools.train.deep.generation import first_texts
from automl_gpt.tools.train.protocol import FitData


def byte_pair_tokenizer(data: FitData, vocabulary: int) -> Any:
    """Learn byte-level BPE (Sennrich et al., 2016) from prompts and answers; single bytes where 256 tokens are asked.

    No text is unknown to it, digits stay single, and decoding gives back each text as it was. Same texts, same
    tokenizer. Its special tokens are <pad> (0), </s> (1) and <sep> (2).
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer: Any = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<sep>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer: Any = trainers.BpeTrainer(
        vocab_size=max(vocabulary, len(alphabet)) + len(special),
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([*data.x.column("text"), *first_texts(data.y)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", sep_token="<sep>", model_max_length=10**9
    )
