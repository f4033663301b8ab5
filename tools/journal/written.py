"""An event as it is written: without secrets, and so that it can be read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pydantic import ValidationError

from automl_gpt.tools.journal.derive import as_text
from automl_gpt.tools.journal.events import EVENT, Event
from automl_gpt.tools.journal.redact import REDACTED, redact

Path = tuple[Any, ...]


def written(event: Event) -> tuple[str, Event]:
    """Return the body of an event for the journal, and the event as it will be read from there.

    The rows of a log hold numbers alone, and there are many: they are written as they are. Where a secret is also a
    word that the journal can't be read without (a password "finished"), it stays in that place alone.
    """
    whole = event.model_dump()
    body = as_text(whole)
    if event.kind == "rows_logged" or (clean := redact(body)) == body:
        return body, event
    read = _read(clean)
    if read is not None:
        return clean, read
    return _piece_by_piece(event, whole)


def _piece_by_piece(event: Event, whole: dict[str, Any]) -> tuple[str, Event]:
    """Redact every text without which the whole can still be read; names that allow no brackets get none."""
    for path, text in list(_texts(whole, ())):
        clean = redact(text)
        for instead in (clean, clean.replace(REDACTED, REDACTED.strip("[]"))) if clean != text else ():
            candidate = cast(dict[str, Any], _with(whole, path, instead))
            read = _read(as_text(candidate))
            if read is not None:
                whole, event = candidate, read
                break
    return as_text(whole), event


def _read(body: str) -> Event | None:
    try:
        return EVENT.validate_json(body)
    except ValidationError:
        return None


def _items(part: Any) -> list[tuple[Any, Any]]:
    """Return the parts of a dict, list or tuple with their keys or places; nothing for any other value."""
    if isinstance(part, dict):
        return list(cast(dict[Any, Any], part).items())
    return list(enumerate(cast(list[Any], part))) if isinstance(part, list | tuple) else []


def _texts(part: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(part, str):
        yield path, part
    for key, value in _items(part):
        yield from _texts(value, (*path, key))


def _with(part: Any, path: Path, value: str) -> Any:
    """Return a copy of nested dicts and lists with one value exchanged."""
    if not path:
        return value
    changed = [(key, _with(inner, path[1:], value) if key == path[0] else inner) for key, inner in _items(part)]
    return dict(changed) if isinstance(part, dict) else [inner for _, inner in changed]
