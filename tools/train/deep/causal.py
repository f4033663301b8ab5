"""Text generation by a decoder alone (Radford et al., 2019): prompt, separator, answer, end of sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.deep.byte_pairs import byte_pair_tokenizer
from automl_gpt.tools.train.deep.encoders import HEAD_SIZE, given, saved
from automl_gpt.tools.train.deep.engine import seed
from automl_gpt.tools.train.deep.generation import (
    IGNORED,
    LENGTHS,
    Ids,
    Pair,
    Sequences,
    TextFormat,
    TextGenerator,
    cut_with_end,
    end_token,
    fit_generator,
    padded,
)
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING
from automl_gpt.tools.train.protocol import Emit, FitData
from automl_gpt.tools.train.settings import whole


@dataclass(frozen=True)
class PromptAndAnswer(TextFormat):
    """One sequence of both; `before` stands in front of each prompt, `separator` between it and the answer."""

    before: tuple[int, ...]
    separator: tuple[int, ...]

    def prompts(self, texts: Sequence[str]) -> Sequences:
        """Return all that stands before the answer; a text that is too long loses its end."""
        return Sequences(
            [*self.before, *ids[: self.max_length], *self.separator] for ids in self.ids(texts, special=False)
        )

    def answers(self, texts: Sequence[str]) -> Sequences:
        """Return the ids of answers with their end of sequence."""
        end = end_token(self.tokenizer)
        return Sequences(cut_with_end(ids, end, self.max_target_length) for ids in self.ids(texts, special=False))

    def collate(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return a batch, padded on the right; the model itself shifts the labels by one."""
        ids, mask = padded([np.concatenate(pair) for pair in pairs], self.tokenizer.pad_token_id)
        labels = ids.masked_fill(mask == 0, IGNORED)
        for row, (prompt, _) in enumerate(pairs):
            labels[row, : len(prompt)] = IGNORED
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def generated(self, model: Any, prompts: Sequence[Ids]) -> Any:
        """Answer prompts, which are padded on the left: every answer begins in the same column."""
        ids, mask = padded(prompts, self.tokenizer.pad_token_id, left=True)
        found = model.generate(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
        return found[:, ids.shape[1] :]

    def state(self) -> dict[str, Any]:
        """Return the limits and the ids around the prompt."""
        return {
            "max_length": self.max_length,
            "max_target_length": self.max_target_length,
            "before": list(self.before),
            "separator": list(self.separator),
        }


class CausalTrainer:
    """A decoder with weights of its own (`causal_lm`), or a small Llama from random ones (`causal_scratch`)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: Literal["causal_lm", "causal_scratch"]) -> None:
        self.name: str = name
        self._scratch = name == "causal_scratch"
        own = {"vocabulary", "hidden_size", "layers"} if self._scratch else ADAPTING
        self.reads = TRAINING | LENGTHS | own

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> TextGenerator:
        """Train; ToolError where it diverges or a hyperparameter is missing, UserError where weights can't be used."""
        lengths = whole(hyperparameters, "max_length"), whole(hyperparameters, "max_target_length")
        if self._scratch:
            tokenizer = byte_pair_tokenizer(data, whole(hyperparameters, "vocabulary"))
            form = PromptAndAnswer(tokenizer, *lengths, before=(), separator=(tokenizer.sep_token_id,))
            seed(data)
            model = small_llama(form, hyperparameters)
        else:
            model, tokenizer = given(data, _auto())
            form = _framed(_with_padding(tokenizer), lengths)
            form = replace(form, max_length=_room(model.config, form, data))
        return fit_generator(model, form, data, hyperparameters, emit)

    def load(self, folder: Path) -> TextGenerator:
        """Read a network that was saved."""
        model, tokenizer, state = saved(folder, _auto())
        form = PromptAndAnswer(
            _with_padding(tokenizer),
            state["max_length"],
            state["max_target_length"],
            before=tuple(state["before"]),
            separator=tuple(state["separator"]),
        )
        return TextGenerator(model, form, state["best_step"])


def _auto() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM


def _with_padding(tokenizer: Any) -> Any:
    if tokenizer.pad_token_id is None:
        # Labels are ignored by their place, never by their id, so that the end of sequence may serve as padding.
        tokenizer.pad_token_id = end_token(tokenizer)
    return tokenizer


def _framed(tokenizer: Any, lengths: tuple[int, int]) -> PromptAndAnswer:
    """Return the format for given weights: a line break separates, as in the text that such models have read."""
    plain = PromptAndAnswer(tokenizer, *lengths, before=(), separator=())
    begin = tokenizer.bos_token_id
    framed = plain.ids(["a"], special=True)[0]
    before = (begin,) if begin is not None and framed[0] == begin else ()
    return replace(plain, before=before, separator=tuple(plain.ids(["\n"], special=False)[0]))


def _room(config: Any, form: PromptAndAnswer, data: FitData) -> int:
    """Return the tokens that a prompt may have, so that an answer fits behind it."""
    places = getattr(config, "max_position_embeddings", None) or 10**9
    room = places - form.max_target_length - len(form.before) - len(form.separator)
    if room < 1:
        raise ToolError(
            f"max_target_length = {form.max_target_length} leaves no room: the weights have {places} places"
        )
    if room < form.max_length:
        data.tell(f"max_length is {room}: these weights have {places} places for prompt and answer")
    return min(form.max_length, room)


def small_llama(form: PromptAndAnswer, hyperparameters: Hyperparameters) -> Any:
    """Return a Llama (Touvron et al., 2023) with random weights, and one table for input and output."""
    from transformers import LlamaConfig, LlamaForCausalLM

    size = whole(hyperparameters, "hidden_size")
    config = LlamaConfig(
        vocab_size=len(form.tokenizer),
        hidden_size=size,
        intermediate_size=2 * size,
        num_hidden_layers=whole(hyperparameters, "layers"),
        num_attention_heads=max(1, size // HEAD_SIZE),
        max_position_embeddings=form.max_length + form.max_target_length + len(form.separator),
        tie_word_embeddings=True,
        pad_token_id=form.tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=form.tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)
