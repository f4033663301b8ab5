"""From a folder of weights to the text of a Model Card: which trainer can use them, for which tasks, at what cost."""

from __future__ import annotations

import math
import re
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.reader import parse_model_card, read_text
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.train.deep.card_costs import Size, megabytes, rounded, seconds, size_of
from automl_gpt.tools.train.deep.weights import load_config
from automl_gpt.tools.train.deep.weights_folder import HUB, find_weights, read_config, tensors, weight_files

TEMPLATES = Path(__file__).parent / "cards"
"""The search space of each trainer that begins with given weights, as a Model Card."""
Family = Literal["text encoder", "encoder-decoder of texts", "decoder of texts", "network of pictures", "detector"]
TRAINERS: dict[Family, dict[str, str]] = {
    "text encoder": {
        "classification": "text_encoder",
        "regression": "text_encoder",
        "token-classification": "token_encoder",
        "question-answering": "qa_encoder",
        "retrieval": "bi_encoder",
    },
    "encoder-decoder of texts": {"text-generation": "seq2seq"},
    "decoder of texts": {"text-generation": "causal_lm"},
    "network of pictures": {"classification": "image_encoder", "regression": "image_encoder"},
    "detector": {"detection": "detector"},
}
"""The trainer of each task that weights of a family can be trained for, the commonest first."""
HEADS = {
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
}
"""Heads of a text encoder that tell what it is for."""
PLAIN_NAMES = ("model", "weights", "checkpoint", "final", "best", "output")
"""Folders that are called so are told apart by the folder around them."""
LARGE = 500_000_000
"""Weights of more parameters are trained by adapters, unless the person wants it otherwise."""
MOST_OF_README = 300


def draft_model_card(source: str, task: str | None = None, name: str | None = None) -> str:
    """Return the text of a Model Card for weights, a folder or a hub id; it reads back as a valid card.

    Raises UserError in one line where the weights can't be used, or can't be trained for the task.
    """
    folder = find_weights(source)
    config = read_config(folder, source)
    files = weight_files(folder, config, source)
    shapes = {key: shape for file in files for key, shape in tensors(file, source).items()}
    loaded = load_config(source)
    trainer = _trainer(config, task, source)
    document = _read_template(trainer)
    document["name"] = _name(name or _folder_name(source, folder), source)
    _fit_space(trainer, document["search_space"], loaded, shapes)
    _add_origin(document, source, folder, _architecture(config), sum(map(math.prod, shapes.values())))
    card = parse_model_card(_render(document))
    _add_costs(document, card, size_of(loaded, sum(map(math.prod, shapes.values())), card.modality == "text"))
    text = _render(document)
    parse_model_card(text)
    return text


def _trainer(config: dict[str, Any], task: str | None, source: str) -> str:
    kind = config["model_type"]
    family = family_of(kind)
    if family is None:
        raise UserError(
            f"{source}: weights of the architecture {kind!r} can't be trained here: what can be are encoders and "
            "generators of texts, networks that classify pictures, and detectors"
        )
    trainers = TRAINERS[family]
    if task is None:
        task = next((t for end, t in HEADS.items() if _architecture(config).endswith(end)), None)
    task = task if task is not None else next(iter(trainers))
    if task not in trainers:
        raise UserError(
            f"{source}: {kind!r} is a {family}, which can't do {task}; --task may be: {', '.join(trainers)}"
        )
    return trainers[task]


def family_of(kind: str) -> Family | None:
    """Return what weights of a model_type are, by the networks that transformers has for it; None where of no use."""
    from transformers.models.auto import modeling_auto

    known: Any = modeling_auto

    def has(*networks: str) -> bool:
        return any(kind in getattr(known, f"MODEL_FOR_{network}_MAPPING_NAMES") for network in networks)

    if has("SPEECH_SEQ_2_SEQ", "CTC"):
        return None
    if has("IMAGE_CLASSIFICATION"):
        return "network of pictures"
    if has("OBJECT_DETECTION"):
        return "detector"
    if has("SEQ_TO_SEQ_CAUSAL_LM"):
        return "encoder-decoder of texts"
    if has("MASKED_LM", "TEXT_ENCODING"):
        return "text encoder"
    return "decoder of texts" if has("CAUSAL_LM") else None


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else str(config["model_type"])


# -------------------------------------------------------------------------------------------------------- search space


def _read_template(trainer: str) -> CommentedMap:
    document: Any = _yaml().load(read_text(TEMPLATES / f"{trainer}.yaml"))
    return document


def _fit_space(trainer: str, space: CommentedMap, config: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    """Narrow a search space to what the weights allow, and set defaults that suit their size."""
    longest = getattr(config, "max_position_embeddings", None)
    if "max_length" in space and isinstance(longest, int) and longest > 0:
        _cap(space["max_length"], longest - longest % 8)
    if "image_size" in space:
        _nearest(space["image_size"], getattr(getattr(config, "vision_config", config), "image_size", None))
    parameters = sum(map(math.prod, shapes.values()))
    if not any(len(shape) == 2 for key, shape in shapes.items() if "classifier" not in key):
        space["training"]["choices"].remove("lora")
        del space["lora_rank"]
    elif parameters > LARGE:
        space["training"]["default"], space["learning_rate"]["default"] = "lora", 0.00003
    elif trainer in TRAINERS["text encoder"].values():
        space["learning_rate"]["default"] = _usual_rate(getattr(config, "hidden_size", 768))


def _usual_rate(width: int) -> float:
    """Return the usual step size of fine-tuning a text encoder: the wider it is, the smaller."""
    return 0.0001 if width < 768 else 0.00005 if width < 1024 else 0.00002


def _cap(whole: CommentedMap, most: int) -> None:
    whole["high"] = max(whole["low"], min(whole["high"], most))
    whole["default"] = min(whole["default"], whole["high"])


def _nearest(choice: CommentedMap, size: object) -> None:
    """Let pictures have the size with which the weights were trained, or that nearest to it."""
    side = size[0] if isinstance(size, list | tuple) and size else size
    if isinstance(side, int):
        sides: list[int] = list(choice["choices"])
        choice["default"] = min(sides, key=lambda one: abs(one - side))


# ---------------------------------------------------------------------------------------------------- what is told


def _folder_name(source: str, folder: Path) -> str:
    if _of_hub(source):
        return source.removeprefix(HUB).rpartition("/")[2]
    place = folder.resolve()
    plain = place.name in PLAIN_NAMES or place.name.startswith("checkpoint-")
    return place.parent.name if plain and place.parent.name else place.name


def _of_hub(source: str) -> bool:
    return source.startswith(HUB) or not Path(source).expanduser().is_dir()


def _name(text: str, source: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")[:80]
    if not name:
        raise UserError(f"{source}: {text!r} is no name for a Model Card: give one with --name")
    return name


def _add_origin(document: CommentedMap, source: str, folder: Path, architecture: str, parameters: int) -> None:
    told, license_name = read_readme(folder / "README.md")
    template = " ".join(str(document["description"]).split())
    document["description"] = " ".join(filter(None, [told, template]))
    document["architecture"] = f"{architecture}, {parameters / 1e6:.3g} million parameters"
    name = source if source.startswith(HUB) else f"{HUB}{source}"
    document["source"] = name if _of_hub(source) else str(folder.resolve())
    if license_name:
        document["license"] = license_name


def read_readme(file: Path) -> tuple[str, str | None]:
    """Return the first paragraph of a README, as plain text, and the licence that its front matter names."""
    if not file.is_file():
        return "", None
    text = file.read_text(encoding="utf-8", errors="replace")[:200_000]
    found = re.match(r"\A---\s*\n(.*?)\n---\s*\n", text, re.DOTALL)
    license_name = _license(found.group(1)) if found else None
    return _first_paragraph(text[found.end() :] if found else text), license_name


def _license(front_matter: str) -> str | None:
    try:
        facts: Any = YAML(typ="safe", pure=True).load(front_matter)
    except YAMLError:
        return None
    named = facts.get("license_name") or facts.get("license") if isinstance(facts, dict) else None
    return str(named)[:100] if isinstance(named, str) and named.strip() else None


def _first_paragraph(text: str) -> str:
    for part in re.split(r"\n\s*\n", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)):
        lines = [line.strip() for line in part.splitlines() if not re.match(r"\s*(#|!?\[!|<|\||```|---)", line)]
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(lines))
        plain = re.sub(r"[*_`]{1,3}(\S[^*_`]*)[*_`]{1,3}", r"\1", plain)
        plain = " ".join("".join(filter(str.isprintable, plain)).split())
        if len(plain) > 20:
            return plain if len(plain) <= MOST_OF_README else plain[: MOST_OF_README - 1].rsplit(" ", 1)[0] + "…"
    return ""


def _add_costs(document: CommentedMap, card: ModelCard, size: Size) -> None:
    costs = document["resources"]
    costs["seconds"], costs["megabytes"] = rounded(seconds(card, size)), rounded(megabytes(card, size))
    remark = "seconds and megabytes are estimated from the number of parameters; trials measure what it is"
    document.yaml_set_comment_before_after_key("resources", before=remark)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 10_000
    yaml.preserve_quotes = True
    return yaml


def _render(document: CommentedMap) -> str:
    stream = StringIO()
    _yaml().dump(document, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()
