"""Where weights lie, a folder or the hub, and what is wrong with them: found out before anything is loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError

HUB = "hub:"
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
DOWNLOADED = ("*.json", "*.txt", "*.model", "*.jinja", "*.spm", WEIGHTS, "model-*.safetensors", "README.md")
"""What is fetched of a hub's repository: neither pickles nor code, nor the same weights in other formats."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
OTHER_FORMATS = (".h5", ".msgpack", ".onnx", ".gguf", ".tflite")
UNFINISHED = ("*.incomplete", "*.part", "*.crdownload", ".cache/huggingface/download/*.incomplete")
POINTER = b"version https://git-lfs"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_DEEP = "pip install 'automl-gpt[deep]'"


def find_weights(source: str) -> Path:
    """Return the folder of weights: a local one, or that of a hub id (`hub:ID`, `ORGANISATION/NAME`), downloaded.

    Raises UserError where there is neither, or the hub can't be reached and they were not downloaded before.
    """
    folder = Path(source).expanduser()
    if source.startswith(HUB):
        return _downloaded(source.removeprefix(HUB), source)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(f"{source}: weights are a folder with {CONFIG} and {WEIGHTS}, not one file: name the folder")
    if not _HUB_ID.fullmatch(source):
        raise UserError(
            f"{source}: there is no such folder of weights (those of the hub are written hub:ORGANISATION/NAME)"
        )
    return _downloaded(source, source)


def is_weights(path: Path) -> bool:
    """Say whether a path is a folder that holds weights or what belongs to them, whole or not, rather than data."""
    if not path.is_dir():
        return False
    endings = (".safetensors", INDEX, "adapter_config.json", *PICKLES, *OTHER_FORMATS)
    if any(entry.name.endswith(endings) for entry in path.iterdir()):
        return True
    config = path / CONFIG
    return config.is_file() and any(f'"{key}"' in _text(config) for key in ("model_type", "architectures"))


def read_config(folder: Path, source: str) -> dict[str, Any]:
    """Return what config.json says; UserError where there is none, or it can't be that of weights to train."""
    file = folder / CONFIG
    if not file.is_file():
        raise UserError(f"{source}: {_no_config(folder)}")
    config = _json(file, source)
    if not isinstance(config.get("model_type"), str):
        raise UserError(
            f"{source}: {CONFIG} names no model_type: name the folder that transformers' save_pretrained wrote"
        )
    if config.get("quantization_config"):
        raise UserError(
            f"{source}: its weights are quantised, which can't be trained on: name those before quantisation"
        )
    return config


def weight_files(folder: Path, config: dict[str, Any], source: str) -> list[Path]:
    """Return the safetensors files of the weights, each of them whole; UserError where they are not, or pickles."""
    named = config.get("transformers_weights") or (WEIGHTS if (folder / WEIGHTS).is_file() else INDEX)
    file = folder / _plain(named, source)
    if not file.is_file():
        raise UserError(f"{source}: {_no_weights(folder)}")
    files = _shards(file, source) if file.name.endswith(".json") else [file]
    for one in files:
        tensors(one, source)
    return files


def tensors(file: Path, source: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each tensor of a safetensors file; UserError where the file is not whole."""
    _refuse_pointer(file, source)
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise UserError(f"{source}: weights need packages that are not installed: {_DEEP}") from error
    try:
        with safe_open(file, framework="numpy") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{source}: {file.name} is cut short or damaged: download it again") from error


# ------------------------------------------------------------------------------------------------------------ the hub


def _downloaded(name: str, source: str) -> Path:
    """Return the folder of a hub id in the hub's own cache, downloading what is not there yet."""
    try:
        from huggingface_hub import constants, errors, snapshot_download
        from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    except ImportError as error:
        raise UserError(f"{source}: the hub needs packages that are not installed: {_DEEP}") from error
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        return Path(snapshot_download(name, allow_patterns=list(DOWNLOADED), ignore_patterns=["*/*"]))
    except errors.GatedRepoError as error:
        page = f"{constants.ENDPOINT}/{name}"
        raise UserError(f"{source}: accept its licence at {page}, then log in with `hf auth login`") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise UserError(
            f"{source}: there is no such folder, and the hub has no such weights (or keeps them private)"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise UserError(f"{source}: {_unreachable(source, constants.HF_HUB_OFFLINE)}") from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise UserError(f"{source}: can't be downloaded: {first_line(error)}") from error
    finally:
        if shown:
            enable_progress_bars()


def _unreachable(source: str, offline: bool) -> str:
    why = "HF_HUB_OFFLINE is set" if offline else "the hub can't be reached"
    folder = "" if source.startswith(HUB) else "there is no such folder, and as an id of the hub "
    mend = "unset it, or " if offline else "connect, or "
    return f"{folder}it was not downloaded before, and {why}: {mend}copy the weights here and name their folder"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, which may be long."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:300]


# ------------------------------------------------------------------------------------------------------- what is wrong


def _no_config(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        return "it holds an adapter alone: merge it into the weights that it was trained for, and name the merged ones"
    if inner := sorted(file.parent for file in folder.glob(f"*/{CONFIG}") if '"model_type"' in _text(file)):
        return f"no {CONFIG} in it: did you mean {inner[0]}?"
    return f"no {CONFIG} in it: name the folder that transformers' save_pretrained wrote" + _unfinished(folder)


def _no_weights(folder: Path) -> str:
    if unfinished := _unfinished(folder):
        return f"no {WEIGHTS} in it{unfinished}"
    names = sorted(file.name for file in folder.iterdir())
    if pickles := [name for name in names if name.endswith(PICKLES) and name != "training_args.bin"]:
        return (
            f"{pickles[0]} is a pickle, which could run any code when it is read: convert it where you trust it, with "
            "transformers' AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER), which writes safetensors"
        )
    if other := [name for name in names if name.endswith(OTHER_FORMATS)]:
        return f"{other[0]} is of another library: name a folder with {WEIGHTS}"
    return f"no {WEIGHTS} in it: name the folder that transformers' save_pretrained wrote"


def _unfinished(folder: Path) -> str:
    found = sorted(file.name for pattern in UNFINISHED for file in folder.glob(pattern))
    return f": its download did not end ({found[0]} is left): download it again" if found else ""


def _plain(name: object, source: str) -> str:
    """Return a file's name that a file of the weights gives: safetensors, and within the folder."""
    allowed = (
        isinstance(name, str) and Path(name).name == name and name.endswith((".safetensors", ".safetensors.index.json"))
    )
    if not allowed:
        raise UserError(
            f"{source}: it names {str(name)[:80]!r} as its weights: only safetensors files of the folder are read"
        )
    return str(name)


def _shards(index: Path, source: str) -> list[Path]:
    shards = _json(index, source).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{source}: {index.name} names no weights: download it again")
    files = [index.with_name(_plain(name, source)) for name in sorted(set(map(str, shards.values())))]
    if absent := [file.name for file in files if not file.is_file()]:
        raise UserError(
            f"{source}: {absent[0]} is missing ({len(absent)} of {len(files)} parts are): download it again"
        )
    return files


def _json(file: Path, source: str) -> dict[str, Any]:
    _refuse_pointer(file, source)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: {file.name} can't be read as JSON: download it again") from error
    if not isinstance(value, dict):
        raise UserError(f"{source}: {file.name} is no JSON object: download it again")
    return value


def _refuse_pointer(file: Path, source: str) -> None:
    """Refuse what git leaves of a large file where Git LFS was not installed."""
    try:
        with file.open("rb") as opened:
            start = opened.read(len(POINTER))
    except OSError as error:
        raise UserError(f"{source}: {file.name} can't be read: {error.strerror or error}") from error
    if start == POINTER:
        raise UserError(f"{source}: {file.name} is a Git LFS pointer, not the file: run `git lfs pull` in its folder")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
