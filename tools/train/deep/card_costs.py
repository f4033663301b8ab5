"""What training given weights will cost, estimated from their size before any of it is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from automl_gpt.cards.schema import ModelCard

FLOPS = 5e10
"""Operations per second of one thread. On a core of a server (float32, AVX-512) BERT, ViT, ConvNeXt and ResNet reached
5.5e10 to 1e11."""
EVALUATING = 1.5
"""Seconds of a fit over those of its training steps: it is evaluated a dozen times, on a quarter as many rows."""
ROWS, WORDS = 10_000, 20
TOKENS_PER_WORD, SPECIAL_TOKENS = 1.4, 2
ANSWER_TOKENS = 30
PASSAGE_TOKENS = 150
PATCH = 16
"""Pixels of a side that one position of a network of pictures covers, as in ViT. Networks of several stages use their
weights as often within a tenth to a quarter: ResNet-50 160, ConvNeXt-T 157, RT-DETR 198 times per 224 x 224 pixels."""
BASE_MEGABYTES = 800
"""A process with torch, transformers and the libraries for tables."""
FLOAT = 4
ACTIVATION = 160
"""Bytes kept for the backward pass per token, layer and unit of its width: measured with MiniLM."""


@dataclass(frozen=True)
class Size:
    """How large weights are: parameters, those of them that are a table of tokens, width, layers, pixels of a patch."""

    parameters: int
    table: int
    width: int
    layers: int
    patch: int = PATCH


def size_of(config: Any, parameters: int, tokens: bool) -> Size:
    """Return the size of weights by their configuration; `tokens` says whether they read texts."""
    inner = config.get_text_config() if tokens else getattr(config, "vision_config", config)
    width = _number(inner, "hidden_size")
    return Size(
        parameters=parameters,
        table=min(width * _number(inner, "vocab_size"), parameters) if tokens else 0,
        width=width,
        layers=_number(inner, "num_hidden_layers"),
        patch=_number(inner, "patch_size") if _has_plain_patches(inner) else PATCH,
    )


def _number(config: Any, name: str) -> int:
    value = getattr(config, name, 0)
    return value if isinstance(value, int) and value > 0 else 0


def _has_plain_patches(config: Any) -> bool:
    """Say whether all layers see one grid of patches; networks of several stages have a list of depths."""
    return _number(config, "patch_size") > 0 and not hasattr(config, "depths")


def positions(card: ModelCard, size: Size) -> float:
    """Return the tokens or patches of one row of 20 words, or picture, in the default configuration."""
    default = card.default()
    if "image_size" in default:
        return (float(default["image_size"]) / size.patch) ** 2
    tokens = min(WORDS * TOKENS_PER_WORD + SPECIAL_TOKENS, float(default["max_length"]))
    passages = 1 + int(default["hard_negatives"]) if "hard_negatives" in default else 0
    return tokens + (ANSWER_TOKENS if "max_target_length" in default else 0) + passages * PASSAGE_TOKENS


def seconds(card: ModelCard, size: Size) -> float:
    """Return the seconds of a fit of 10,000 rows of 20 words, or pictures: one thread, the default configuration.

    6 x weights x positions x rows x epochs operations (Kaplan et al., 2020, section 2.1) at `FLOPS`, x `EVALUATING`.
    Weights leaves out the table of tokens, which is only looked up, unless it also predicts tokens. Adapters save the
    gradients of the weights: 4 in place of 6; a frozen body is only computed: 2.
    """
    default = card.default()
    weights = size.parameters - (0 if "max_target_length" in default else size.table)
    passes = {"full": 6, "lora": 4, "frozen": 2}[str(default["training"])]
    training = passes * weights * positions(card, size) * ROWS * float(default["epochs"]) / FLOPS
    return EVALUATING * training


def megabytes(card: ModelCard, size: Size) -> float:
    """Return the memory of a fit: the process, the weights, their activations.

    Where all weights learn, their gradients, AdamW's two moments and the best step's copy are added.
    """
    default = card.default()
    copies = 5 if default["training"] == "full" else 1
    kept = ACTIVATION * float(default["batch_size"]) * positions(card, size) * size.width * size.layers
    return BASE_MEGABYTES + (copies * FLOAT * size.parameters + kept) / 1e6


def rounded(value: float) -> int:
    """Return an estimate with two digits, since more would feign that it is known."""
    digits = max(0, math.floor(math.log10(max(value, 1.0))) - 1)
    return max(1, round(value / 10**digits) * 10**digits)
