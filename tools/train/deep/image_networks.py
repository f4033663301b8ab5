"""Networks for pictures: given weights, or small ones from a configuration at random."""

from __future__ import annotations

from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.train.deep.weights import load_image_processor, load_model
from automl_gpt.tools.train.settings import real, whole

GIVEN = "image_encoder"
"""The trainer that begins with weights."""
ARCHITECTURE: dict[str, frozenset[str]] = {
    GIVEN: frozenset(),
    "resnet_small": frozenset({"width", "blocks", "stages"}),
    "convnext_small": frozenset({"width", "blocks", "stages", "patch_size", "drop_path"}),
    "vit_small": frozenset({"hidden_size", "layers", "grid", "dropout"}),
}
"""The hyperparameters that `at_random` reads, by trainer."""
HEAD = 32
"""Width of an attention head."""


def given(source: str | None, answers: dict[str, Any]) -> tuple[Any, Any]:
    """Return a network with the Model Card's weights and a new head, and the image processor that belongs to it.

    `answers` are the parts of its configuration that say what it answers. UserError where the weights can't be used.
    """
    from transformers import AutoModelForImageClassification

    if source is None:
        raise ToolError("this model needs weights: `source` of its Model Card names a folder or a hub id")
    return load_model(source, AutoModelForImageClassification, **answers), load_image_processor(source)


def at_random(name: str, channels: int, hyperparameters: Hyperparameters, answers: dict[str, Any]) -> Any:
    """Return a network of a trainer's architecture with random weights; the caller seeds torch."""
    from transformers import AutoModelForImageClassification

    make = {"resnet_small": _resnet, "convnext_small": _convnext, "vit_small": _vit}[name]
    return AutoModelForImageClassification.from_config(make(hyperparameters, {"num_channels": channels, **answers}))


def _resnet(hyperparameters: Hyperparameters, more: dict[str, Any]) -> Any:
    """Describe a ResNet of basic blocks (He et al., 2016), whose first stage sees a quarter of the picture's side."""
    from transformers import ResNetConfig

    widths = _widths(hyperparameters)
    return ResNetConfig(
        embedding_size=widths[0],
        hidden_sizes=widths,
        depths=[whole(hyperparameters, "blocks")] * len(widths),
        layer_type="basic",
        **more,
    )


def _convnext(hyperparameters: Hyperparameters, more: dict[str, Any]) -> Any:
    """Describe a ConvNeXt (Liu et al., 2022), whose patches may be as small as two pixels."""
    from transformers import ConvNextConfig

    widths = _widths(hyperparameters)
    return ConvNextConfig(
        patch_size=whole(hyperparameters, "patch_size"),
        num_stages=len(widths),
        hidden_sizes=widths,
        depths=[whole(hyperparameters, "blocks")] * len(widths),
        drop_path_rate=real(hyperparameters, "drop_path"),
        # Scales that begin at 1e-6 need far longer trainings than small networks get.
        layer_scale_init_value=0.1,
        **more,
    )


def _vit(hyperparameters: Hyperparameters, more: dict[str, Any]) -> Any:
    """Describe a vision transformer (Dosovitskiy et al., 2021) of `grid` x `grid` patches at any picture size."""
    from transformers import ViTConfig

    side, hidden = whole(hyperparameters, "image_size"), whole(hyperparameters, "hidden_size")
    dropout = real(hyperparameters, "dropout")
    return ViTConfig(
        image_size=side,
        patch_size=side // whole(hyperparameters, "grid"),
        hidden_size=hidden,
        num_hidden_layers=whole(hyperparameters, "layers"),
        num_attention_heads=hidden // HEAD,
        intermediate_size=4 * hidden,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **more,
    )


def _widths(hyperparameters: Hyperparameters) -> list[int]:
    """Return the channels of each stage: twice those of the one before it."""
    return [whole(hyperparameters, "width") * 2**stage for stage in range(whole(hyperparameters, "stages"))]
