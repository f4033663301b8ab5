"""Arguments of a tool call made to fit its schema where that loses nothing.

A number written as text, 3.0 for 3, one object for a list of one, a list or object written as JSON text, null for what
may be left out. Nothing else: what is out of range stays, and the validator refuses it with the range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from automl_gpt.agent.llm.loose_json import Broken, read_value

WRAPPERS = ("arguments", "parameters", "args", "input", "kwargs")
"""Names under which models put the arguments once more."""
_NUMBER = re.compile(r"[-+]?(?:\d{1,300}\.?\d{0,300}|\.\d{1,300})(?:[eE][-+]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d{1,300}", re.ASCII)
_EXACT = 2**53
"""Up to here every whole number is a float of its own."""


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schemas of an object's fields by name."""
    return cast(Mapping[str, Any], schema.get("properties") or {})


def needed(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields that an object can't do without."""
    return tuple(schema.get("required") or ())


def fits(arguments: object, schema: Mapping[str, Any]) -> bool:
    """Say whether a value has all fields that the schema needs and no other ones, and at least one."""
    if not isinstance(arguments, dict) or not arguments:
        return False
    return arguments.keys() <= properties(schema).keys() and all(name in arguments for name in needed(schema))


def fitted(arguments: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments unwrapped and coerced."""
    return cast(dict[str, Any], _coerced(_unwrapped(arguments, schema), schema))


def as_object(value: object) -> dict[str, Any] | None:
    """Return an object, also one that is written as JSON text, even twice; None where the value is neither."""
    for _ in range(2):
        value = _written(value, "{", '"') if isinstance(value, str) else value
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def _unwrapped(arguments: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    known = properties(schema).keys()
    if arguments.keys() <= known:
        return arguments
    for name in WRAPPERS:
        inner = as_object(arguments.get(name)) if name not in known else None
        if inner is not None and inner.keys() <= known and not arguments.keys() & known:
            return inner
    return arguments


def _coerced(value: Any, schema: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            return _object(value, schema)
        case "array":
            return _array(value, schema.get("items") or {})
        case "integer":
            return _integer(value)
        case "number":
            return _number(value)
        case _:
            return value


def _object(value: Any, schema: Mapping[str, Any]) -> Any:
    read = as_object(value)
    if read is None:
        return value
    known, must = properties(schema), needed(schema)
    kept = {name: part for name, part in read.items() if part is not None or name not in known or name in must}
    return {name: _coerced(part, known.get(name, {})) for name, part in kept.items()}


def _array(value: Any, items: Mapping[str, Any]) -> Any:
    read = _written(value, "[") if isinstance(value, str) else value
    one = as_object(read) if items.get("type") == "object" else None
    listed = [one] if one is not None else read
    return [_coerced(item, items) for item in cast(list[Any], listed)] if isinstance(listed, list) else value


def _written(text: str, *beginnings: str) -> Any:
    """Return what stands in a text as JSON, where it begins with one of those; else the text itself."""
    if not text.lstrip().startswith(beginnings):
        return text
    try:
        return read_value(text.strip())
    except Broken:
        return text


def _number(value: Any) -> Any:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        return value
    return int(value) if _WHOLE.fullmatch(value.strip()) else float(value)


def _integer(value: Any) -> Any:
    number = _number(value)
    if isinstance(number, float) and number.is_integer() and abs(number) < _EXACT:
        return int(number)
    return number if isinstance(number, int) else value
