"""Which weights of a network learn: all of them, low-rank adapters (Hu et al., 2021, "LoRA"), or its head alone."""

from __future__ import annotations

from typing import Any, Literal

from automl_gpt.cards.errors import ToolError

ALPHA = 2
"""The adapters' scale as a multiple of their rank."""
DROPOUT = 0.05


def adapt(model: Any, how: Literal["full", "lora", "frozen"], heads: tuple[str, ...], rank: int) -> Any:
    """Return the model with the weights that learn marked; with adapters it is a `PeftModel`.

    `heads` are parts of the names of parameters that learn in every mode. ToolError where there is nothing to adapt.
    """
    if how == "full":
        return model
    if how == "frozen":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = _in_head(name, heads)
        if not any(p.requires_grad for p in model.parameters()):
            raise ToolError("this network has no head of its own, so nothing is left to learn: training lora or full")
        return model
    return _with_adapters(model, heads, rank)


def merged(model: Any) -> Any:
    """Return a plain model: adapters are added to the weights that they adapt."""
    return model.merge_and_unload() if is_adapted(model) else model


def is_adapted(model: Any) -> bool:
    """Say whether a model has adapters."""
    return hasattr(model, "merge_and_unload")


def learning(model: Any) -> dict[str, Any]:
    """Return the parameters that learn, and the buffers that training changes (running means), by name."""
    found = {name: p for name, p in model.named_parameters() if p.requires_grad}
    kept = {name: b for name, b in model.named_buffers() if name in model.state_dict()}
    return found | kept


def _with_adapters(model: Any, heads: tuple[str, ...], rank: int) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    # The layer that says words often shares its weights with the one that reads them: added adapters would part them.
    words = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    linear = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | Conv1D) and m is not words]
    names = [name for name, _ in linear]
    targets = [name for name in names if not _in_head(name, heads)]
    if not targets:
        raise ToolError("this network has no linear layers for adapters: training full or frozen")
    config = LoraConfig(
        r=rank,
        lora_alpha=ALPHA * rank,
        lora_dropout=DROPOUT,
        target_modules=targets,
        # GPT-2's layers hold their weights the other way round.
        fan_in_fan_out=all(isinstance(module, Conv1D) for _, module in linear),
    )
    adapted = get_peft_model(model, config)
    # As `modules_to_save` they could not be lists of modules, which the heads of detectors are.
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad = parameter.requires_grad or _in_head(name, heads)
    return adapted


def _in_head(name: str, heads: tuple[str, ...]) -> bool:
    return any(head in name for head in heads)
