"""The files that a person named: what a language model may touch for them, and nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from automl_gpt.cards.schema import DataCard

LONGEST = 1000
_QUOTED = re.compile(r"""(["'`“”„«»‘’])(?P<name>[^"'`“”„«»‘’\n]{1,1000})["'`“”«»‘’]""")
_AROUND = "\"'`“”„«»‘’<>()[]{},;:!?"
_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,9}$")


def named_files(texts: Iterable[str]) -> tuple[Path, ...]:
    """Return the files that texts name, by a path or a name with a suffix; folders are none, so that nobody opens a
    whole tree by the way.

    A file may not be there yet: then it can only be written.
    """
    found = (Path(name) for text in texts for name in _names(text) if _is_file(name))
    return tuple(dict.fromkeys(found))


def card_files(card: DataCard | None, file: Path | None, base: Path | None) -> tuple[Path, ...]:
    """Return the files of a Data Card: its own, and those of its data, relative to `base`."""
    source = card.source if card else ""
    parts = [source] if isinstance(source, str) else [source.train, source.valid, source.test]
    places = [(base or Path()) / part for part in parts if part]
    return tuple(path for path in ([file] if file else []) + places if _exists(path))


def _names(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        name = match["name"].strip()
        if _is_file(name):  # an apostrophe begins no name
            text = text.replace(match.group(), " ", 1)
            yield name
    for piece in text.split():
        yield piece.lstrip(_AROUND).rstrip(_AROUND + ".")


def _is_file(name: str) -> bool:
    path = Path(name)
    new = _SUFFIX.search(path.name) is not None and not _is_there(path)
    return new or (_exists(path) and ("/" in name or "\\" in name or "." in name))


def _exists(path: Path) -> bool:
    try:
        return len(str(path)) <= LONGEST and path.expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _is_there(path: Path) -> bool:
    try:
        return len(str(path)) > LONGEST or path.expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return True
