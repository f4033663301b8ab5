"""The network within a delivered model, made such that other programs need nothing but it and its reader.

What a trainer keeps beside its weights goes into them: the unit of a regression's target, the pictures' size and
colours. What can't go into them is told in notes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.deliver.bundle import Bundle, BundleMember, Manifest, fold_folder
from automl_gpt.tools.train.deep.encoders import FILE as ABOUT
from automl_gpt.tools.train.deep.weights import load_image_processor, load_model, load_tokenizer
from automl_gpt.tools.train.deep.weights_folder import CONFIG
from automl_gpt.tools.train.goal import read_goal

LUMA = 0.299, 0.587, 0.114
"""Shares of red, green and blue in grey (ITU-R BT.601), as pictures were turned grey for training."""


@dataclass(frozen=True)
class DeliveredNetwork:
    """One network of transformers, in evaluation mode, and its reader: a tokenizer or an image processor.

    `about` is what else is needed to feed it: `max_length` of texts, the ids `before` and behind (`separator`) a
    prompt. `arguments` are what it is called with besides its inputs. `exact` says whether it predicts just what the
    delivered model does.
    """

    manifest: Manifest
    member: BundleMember
    model: Any
    reader: Any
    about: Mapping[str, Any]
    exact: bool
    notes: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


def open_network(bundle: Bundle) -> DeliveredNetwork:
    """Load the network of the heaviest member that has one, of its first fold.

    Raises UserError where the delivered model holds no network, or packages are missing.
    """
    manifest = bundle.manifest
    networks = [m for m in manifest.members if (fold_folder(bundle.folder, m.trial, 0) / CONFIG).is_file()]
    if not networks:
        kinds = ", ".join(dict.fromkeys(m.model for m in manifest.members))
        raise UserError(
            f"{bundle.folder}: no network is in this model ({kinds}), and only networks can be exported: copy the "
            "folder itself, which `automl-gpt predict` uses anywhere"
        )
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise UserError("networks need packages that are not installed: pip install 'automl-gpt[deep]'")
    member = max(networks, key=lambda m: m.weight)
    place, notes = fold_folder(bundle.folder, member.trial, 0), _parts(manifest, member)
    model = load_model(str(place), auto_class(manifest, place)).eval()
    if manifest.modality == "text":
        return _of_texts(manifest, member, model, place, notes)
    return _of_pictures(manifest, member, model, place, notes)


def _parts(manifest: Manifest, member: BundleMember) -> list[str]:
    """Say what of the delivered model the network is not."""
    notes: list[str] = []
    if len(manifest.members) > 1:
        notes.append(
            f"the delivered model mixes {len(manifest.members)} trials; this is the network of trial {member.trial} "
            f"({member.model}) alone, whose weight there is {member.weight:.2f}"
        )
    if member.folds > 1:
        notes.append(f"trial {member.trial} is the mean of {member.folds} networks, one per fold; this is the first")
    if manifest.decision_weights:
        factors = ", ".join(f"{x} {w:.3g}" for x, w in zip(manifest.labels, manifest.decision_weights, strict=True))
        notes.append(f"the delivered model multiplies the probabilities before it says a label ({factors})")
    return notes


def auto_class(manifest: Manifest, folder: Path) -> Any:
    """Return the `Auto...` class of transformers that reads the network of a task."""
    import transformers

    if manifest.task == "text-generation":
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return transformers.AutoModelForSeq2SeqLM if config.get("is_encoder_decoder") else _causal()
    names = {
        "token-classification": "AutoModelForTokenClassification",
        "question-answering": "AutoModelForQuestionAnswering",
        "detection": "AutoModelForObjectDetection",
        "retrieval": "AutoModel",
    }
    kind = "Sequence" if manifest.modality == "text" else "Image"
    return getattr(transformers, names.get(manifest.task, f"AutoModelFor{kind}Classification"))


def _causal() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM


# -------------------------------------------------------------------------------------------------------------- texts


def _of_texts(manifest: Manifest, member: BundleMember, model: Any, place: Path, notes: list[str]) -> DeliveredNetwork:
    about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(str(place), model)
    tokenizer.model_max_length = about["max_length"]
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    exact = not notes
    if manifest.task == "regression":
        notes += _in_unit(model, about["center"], about["scale"])
    return DeliveredNetwork(manifest, member, model, tokenizer, about, exact, tuple(notes))


def _in_unit(model: Any, center: float, scale: float) -> list[str]:
    """Put the target's unit into the last layer: output x `scale` + `center`; a note where it takes no such change."""
    import torch

    linear: list[Any] = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    if not linear or linear[-1].out_features != 1 or linear[-1].bias is None:
        return [f"its output has to be multiplied by {scale!r}, then {center!r} has to be added"]
    with torch.no_grad():
        linear[-1].weight.mul_(scale)
        linear[-1].bias.mul_(scale).add_(center)
    return []


# ----------------------------------------------------------------------------------------------------------- pictures


def _of_pictures(
    manifest: Manifest, member: BundleMember, model: Any, place: Path, notes: list[str]
) -> DeliveredNetwork:
    processor = load_image_processor(str(place))
    processor.do_convert_rgb = True
    exact, arguments = not notes, dict[str, Any]()
    if manifest.task != "detection":
        model, arguments = _at_side(_in_colour(model, processor), processor.size["height"])
        goal = read_goal(place)
        notes += [f"it has to be called with {name}={value}" for name, value in arguments.items()]
        if not goal.classes:
            notes += _in_unit(model, goal.center, goal.scale)
            notes += ["its output is log(1 + value): the value is exp(output) - 1"] if goal.log else []
    return DeliveredNetwork(manifest, member, model, processor, {}, exact, tuple(notes), arguments)


def _in_colour(model: Any, processor: Any) -> Any:
    """Return a network that takes RGB though it was trained on one grey channel: the first filters take its shares."""
    import torch

    if len(processor.image_mean) == 3:
        return model
    convolution = next(name for name, part in model.named_modules() if isinstance(part, torch.nn.Conv2d))
    state = model.state_dict()
    state[f"{convolution}.weight"] = state[f"{convolution}.weight"] * torch.tensor(LUMA).view(1, 3, 1, 1)
    processor.image_mean, processor.image_std = processor.image_mean * 3, processor.image_std * 3
    return _remade(model, state, num_channels=3)


def _at_side(model: Any, side: int) -> tuple[Any, dict[str, Any]]:
    """Return a network whose places are those of pictures of this side, as they were interpolated in training.

    Where its architecture keeps its places otherwise than ViT does, it is called with arguments that interpolate.
    """
    import torch

    if getattr(model.config, "image_size", side) in (side, [side, side]):
        return model, {}
    found = [(name, part) for name, part in model.named_modules() if hasattr(part, "interpolate_pos_encoding")]
    places: list[Any] = [getattr(part, "position_embeddings", None) for _, part in found]
    if not all(isinstance(one, torch.nn.Parameter) and one.ndim == 3 for one in places):
        return model, {"interpolate_pos_encoding": True}
    state = model.state_dict()
    for (name, part), old in zip(found, places, strict=True):
        with torch.no_grad():
            state[f"{name}.position_embeddings"] = part.interpolate_pos_encoding(old[:, :1], side, side)
    return _remade(model, state, image_size=side), {}


def _remade(model: Any, state: dict[str, Any], **changes: Any) -> Any:
    config = copy.deepcopy(model.config)
    for name, value in changes.items():
        setattr(config, name, value)
    fresh = type(model)(config)
    fresh.load_state_dict(state)
    return fresh.eval()
