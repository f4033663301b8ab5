"""Weights from a folder or the hub: safetensors alone, no remote code, and one clear line where they can't be used."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.train.deep.weights_folder import find_weights, first_line, read_config, weight_files

VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "source.spm", "tekken.json",
)  # fmt: skip
"""Files of which one at least holds a tokenizer's vocabulary; without any, transformers makes up an empty one."""
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def check_weights(source: str) -> str:
    """Return the folder of the weights, downloading those of the hub, once their files are there and whole.

    Raises UserError in one line; loads neither the weights nor torch, so it can be called early.
    """
    folder = find_weights(source)
    weight_files(folder, read_config(folder, source), source)
    return str(folder)


def load_model(source: str, auto: Any, **changes: Any) -> Any:
    """Load a model of an `Auto...` class of transformers from a folder or a hub id; `changes` go into its config.

    Layers that the weights lack (a new head) are initialised at random; numbers are float32. Raises UserError in one
    line where the weights are not there, not whole, pickles, of code of their own, or of another architecture.
    """
    folder = check_weights(source)
    with _told(source), _quiet():
        import torch

        config = load_config(source, **changes)
        _need_architecture(config, auto, source)
        model, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    _need_body(model, report, source)
    return model


def load_config(source: str, **changes: Any) -> Any:
    """Load the configuration of weights, with changes; UserError where transformers does not know its model_type."""
    folder = find_weights(source)
    kind = read_config(folder, source)["model_type"]
    with _told(source), _quiet():
        from transformers import CONFIG_MAPPING, AutoConfig

        if kind not in CONFIG_MAPPING:
            raise UserError(f"{source}: {_unknown_kind(folder, kind, source)}")
        load: Any = AutoConfig.from_pretrained
        config, rest = load(
            folder, return_unused_kwargs=True, local_files_only=True, trust_remote_code=False, **changes
        )
        for name, value in rest.items():
            setattr(config, name, value)
    return config


def load_tokenizer(source: str, model: Any = None) -> Any:
    """Load the fast tokenizer of a folder or hub id; UserError where there is none, or it does not fit `model`."""
    folder = find_weights(source)
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise UserError(
            f"{source}: no tokenizer in it ({VOCABULARIES[0]}): save that of its origin beside the weights, with "
            "AutoTokenizer.from_pretrained(ORIGIN).save_pretrained(FOLDER)"
        )
    with _told(source), _quiet():
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise UserError(f"{source}: its tokenizer has no fast version, which is needed here: name other weights")
    if model is not None:
        _need_embeddings(tokenizer, model, source)
    return tokenizer


def load_image_processor(source: str) -> Any:
    """Load the image processor of a folder or hub id: the one that works with Pillow, the same on every machine."""
    folder = find_weights(source)
    if not any((folder / name).is_file() for name in PROCESSORS):
        raise UserError(
            f"{source}: no {PROCESSORS[0]} in it: save that of its origin beside the weights, with "
            "AutoImageProcessor.from_pretrained(ORIGIN).save_pretrained(FOLDER)"
        )
    with _told(source), _quiet():
        from transformers import AutoImageProcessor

        return AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True, trust_remote_code=False)


# ------------------------------------------------------------------------------------------------------------- refusals


def _unknown_kind(folder: Path, kind: str, source: str) -> str:
    if "auto_map" in read_config(folder, source):
        return f"its architecture {kind!r} needs code that comes with it, which is never run here: name other weights"
    from transformers import __version__

    return (
        f"transformers {__version__} does not know the architecture {kind!r} of its config.json: name other weights, "
        "or a newer transformers may know it (pip install -U transformers)"
    )


def _need_architecture(config: Any, auto: Any, source: str) -> None:
    """Refuse weights of an architecture that has no network for what is asked."""
    if type(config) not in auto._model_mapping:
        wanted = re.sub(
            r"(?<=[a-z])(?=[A-Z])", " ", auto.__name__.removeprefix("AutoModel").removeprefix("For")
        ).lower()
        raise UserError(
            f"{source}: its architecture {config.model_type!r} can't do {wanted or 'this'}: name other weights, or let "
            "`automl-gpt cards new` write the Model Card that fits these"
        )


def _need_body(model: Any, report: Any, source: str) -> None:
    """Refuse weights of which more than half of the network, its head aside, would be left at random."""
    prefix = f"{model.base_model_prefix}." if hasattr(model, model.base_model_prefix) else ""
    body = {name for name, _ in model.named_parameters() if name.startswith(prefix)}
    lost = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])} & body
    if 2 * len(lost) > len(body):
        raise UserError(
            f"{source}: its weights are not those that config.json describes ({len(lost)} of {len(body)} tensors "
            "are missing or of another size): put the config.json back with which they were saved"
        )


def _need_embeddings(tokenizer: Any, model: Any, source: str) -> None:
    known, embedded = max(tokenizer.get_vocab().values()) + 1, model.get_input_embeddings().weight.shape[0]
    if known > embedded:
        raise UserError(
            f"{source}: its tokenizer knows {known:,} tokens, its weights {embedded:,}: put back the tokenizer with "
            "which they were trained"
        )


@contextmanager
def _told(source: str) -> Generator[None]:
    """Say in one line what a library refuses: files of others may be wrong in any way."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except ImportError as error:
        raise UserError(f"{source}: {first_line(error)} (`automl-gpt doctor` tells what is missing)") from error
    except Exception as error:
        raise UserError(f"{source}: can't be loaded: {first_line(error)}") from error


@contextmanager
def _quiet() -> Generator[None]:
    """Keep transformers' advice and progress bars off the person's terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
