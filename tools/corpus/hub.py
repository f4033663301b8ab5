"""Data sets of the Hugging Face hub, or folders laid out as they are, through `datasets`: no code of theirs runs."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.rows import Source, in_memory
from automl_gpt.tools.corpus.store import quiet

SCHEME = "hub:"
_SECONDS = 4.0
_PARTS = {"train": "train", "valid": "valid", "validation": "valid", "dev": "valid", "test": "test"}


def load_hub(source: str, base: Path | None = None) -> dict[str, Any]:
    """Load `hub:ID` or `hub:ID:CONFIG` as parts: train, and valid and test where there are.

    An ID that is a folder (relative to `base`) is read from there. UserError in one line where it can't be had.
    """
    import datasets

    identity, _, config = source.removeprefix(SCHEME).partition(":")
    if not identity:
        raise UserError("source hub: needs the id of a data set, for example hub:stanfordnlp/sst2")
    folder = (base or Path()) / Path(identity).expanduser()
    quiet()
    datasets.logging.set_verbosity_error()
    asked = nullcontext() if folder.is_dir() or reachable() else _offline()
    try:
        with asked:
            found: Any = datasets.load_dataset(str(folder) if folder.is_dir() else identity, config or None)
    except Exception as error:  # what `datasets` raises depends on the format, the network and the hub
        raise _in_words(source, folder.is_dir(), error) from error
    parts = {_PARTS[name]: part for name, part in found.items() if name in _PARTS}
    if "train" not in parts:
        raise UserError(f"source {source}: has no part called train, only {', '.join(found)}")
    return parts


def reachable(seconds: float = _SECONDS) -> bool:
    """Ask the hub once whether it is there: left to itself, the library tries for half a minute, and says so."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answers: list[int] = []

    def ask() -> None:
        with suppress(Exception):  # whatever its client raises: it is not there
            answers.append(get_session().head(constants.ENDPOINT, timeout=seconds).status_code)

    # In a thread, because looking up a name keeps to no time limit of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds + 1)
    return bool(answers)


@contextmanager
def _offline() -> Generator[None]:
    """Let what was downloaded before be used without asking the hub."""
    from datasets import config
    from huggingface_hub import constants

    places: tuple[Any, Any] = (config, constants)
    before = [place.HF_HUB_OFFLINE for place in places]
    for place in places:
        place.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def open_hub(source: str, base: Path | None = None) -> dict[str, Source]:
    """Open a data set of the hub as rows, part by part. Coded labels are told by their names."""
    return {name: _source(f"{source} {name}", part) for name, part in load_hub(source, base).items()}


def _in_words(source: str, local: bool, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:160]
    if isinstance(error, ConnectionError | TimeoutError) or "offline" in reason.lower():
        return UserError(f"source {source}: no connection to the hub: download the files and name their path")
    if "config name" in reason.lower():
        return UserError(f"source {source}: name one of its configurations, as hub:ID:CONFIG ({reason})")
    mend = "check the files in that folder" if local else "check the id, or download the files and name their path"
    return UserError(f"source {source} can't be loaded ({type(error).__name__}: {reason}): {mend}")


def _source(name: str, part: Any) -> Source:
    from datasets import ClassLabel

    tags: dict[str, tuple[str, ...]] = {}
    table = part.with_format("arrow")[:]
    for column, feature in part.features.items():
        inner = getattr(feature, "feature", None)
        if isinstance(feature, ClassLabel):
            table = _named(table, column, feature.names)
        elif isinstance(inner, ClassLabel):
            tags[column] = tuple(inner.names)
    return in_memory(name, table, tags=tags)


def _named(table: Any, column: str, names: Sequence[str]) -> Any:
    """Write labels by their names; a negative code, which hides the answers of a test part, becomes missing."""
    import pyarrow as pa
    from pyarrow.compute import call_function

    codes = table[column]
    known = call_function("if_else", [call_function("less", [codes, pa.scalar(0)]), pa.scalar(None, codes.type), codes])
    labels = call_function("take", [pa.array(names, pa.large_string()), known])
    return table.set_column(table.column_names.index(column), column, labels)
