"""Encoders with a head: from given weights, or small BERTs at random; saved as folders of transformers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.deep.tokens import train_tokenizer
from automl_gpt.tools.train.deep.weights import load_model, load_tokenizer
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.settings import whole

FILE = "about.json"
HEAD_SIZE = 32
"""Hidden units of each attention head of an encoder made at random."""


def given(data: FitData, auto: Any, **changes: Any) -> tuple[Any, Any]:
    """Return the model of an `Auto...` class with the Model Card's weights and a new head, and its tokenizer."""
    if data.source is None:
        raise ToolError("this model needs weights: a Model Card whose `source` is a folder or a hub id")
    model = load_model(data.source, auto, **changes)
    return model, load_tokenizer(data.source, model)


def at_random(auto: Any, texts: Iterable[str], hyperparameters: Hyperparameters, **changes: Any) -> tuple[Any, Any]:
    """Return a small BERT (Devlin et al., 2019) at random of an `Auto...` class, and a tokenizer learnt from texts."""
    from transformers import BertConfig

    tokenizer = train_tokenizer(texts, whole(hyperparameters, "vocabulary"))
    hidden = whole(hyperparameters, "hidden_size")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=whole(hyperparameters, "layers"),
        num_attention_heads=max(1, hidden // HEAD_SIZE),
        intermediate_size=4 * hidden,
        max_position_embeddings=whole(hyperparameters, "max_length"),
        pad_token_id=tokenizer.pad_token_id,
        **changes,
    )
    return auto.from_config(config), tokenizer


def heads(model: Any) -> tuple[str, ...]:
    """Return the names of the parts that stand on the encoder and have parameters of their own."""
    parts: Iterator[tuple[str, Any]] = model.named_children()
    found = (name for name, part in parts if name != model.base_model_prefix and any(True for _ in part.parameters()))
    return tuple(found)


def save(folder: Path, model: Any, tokenizer: Any, about: dict[str, Any]) -> None:
    """Write the weights (safetensors), the tokenizer, and what else the model's `predict` needs."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the screen is somebody else's
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / FILE).write_text(json.dumps(about), encoding="utf-8")


def saved(folder: Path, auto: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Read what `save` wrote: the model, in evaluation mode, the tokenizer, and the rest."""
    model = load_model(str(folder), auto).eval()
    return model, load_tokenizer(str(folder), model), json.loads((folder / FILE).read_text(encoding="utf-8"))
