"""A small RT-DETR (Zhao et al., "DETRs beat YOLOs on real-time object detection", 2024) with random weights."""

from __future__ import annotations

from typing import Any

LEAST_QUERIES, MOST_QUERIES = 50, 300
DENOISING = 50
"""True boxes with noise that the decoder mends in training besides: about so many, and each box at least once."""
STRIDES = (8, 16, 32)


def build_rtdetr(
    labels: tuple[str, ...],
    *,
    width: int,
    hidden_size: int,
    decoder_layers: int,
    most_boxes: int,
    side: int,
) -> Any:
    """Build the network: a ResNet of `width` to 8 `width` channels, one encoder layer, some decoder layers.

    It looks for twice as many boxes as the fullest training picture holds.
    """
    from transformers import RTDetrConfig, RTDetrForObjectDetection

    names = dict(enumerate(labels))
    config = RTDetrConfig(
        backbone_config=_backbone(width),
        freeze_backbone_batch_norms=False,
        encoder_hidden_dim=hidden_size,
        encoder_in_channels=[2 * width, 4 * width, 8 * width],
        encoder_layers=1,
        encoder_ffn_dim=2 * hidden_size,
        encoder_attention_heads=4,
        d_model=hidden_size,
        num_queries=min(queries(most_boxes), sum((side // stride) ** 2 for stride in STRIDES)),
        decoder_in_channels=[hidden_size] * 3,
        decoder_ffn_dim=2 * hidden_size,
        decoder_layers=decoder_layers,
        decoder_attention_heads=4,
        num_denoising=DENOISING,
        id2label=names,
        label2id={name: code for code, name in names.items()},
    )
    model: Any = RTDetrForObjectDetection(config)
    start_afresh(model)
    return model


def queries(most_boxes: int) -> int:
    """Return how many boxes the network looks for."""
    return max(LEAST_QUERIES, min(MOST_QUERIES, 2 * most_boxes))


def start_afresh(model: Any) -> None:
    """Give plain layers PyTorch's own initial weights.

    Those that transformers draws suit weights that are loaded over them: normalisation layers that begin around zero
    let next to nothing through, and training from scratch takes several times as many steps. The layers whose initial
    weights the paper prescribes (scores, boxes, places of attention) keep them.
    """
    from torch import nn

    prescribed = ("class_embed", "bbox_embed", "enc_score_head", "sampling_offsets", "attention_weights")
    for name, layer in model.named_modules():
        plain = isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm2d)
        if plain and not any(part in name for part in prescribed):
            layer.reset_parameters()


def _backbone(width: int) -> Any:
    from transformers import ResNetConfig

    stages: Any = {"out_features": ["stage2", "stage3", "stage4"]}
    return ResNetConfig(
        layer_type="basic",
        embedding_size=width,
        hidden_sizes=[width, 2 * width, 4 * width, 8 * width],
        depths=[1, 1, 1, 1],
        **stages,
    )
