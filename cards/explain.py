"""From a pydantic error to one line in plain words that says what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a list of `key: value` lines",
    "model": "a list of `key: value` lines",
    "tuple": "a list",
    "list": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong: in words, where pydantic saw it, and the key that is missing there (if one is)."""

    text: str
    location: tuple[str | int, ...]
    missing: tuple[str, ...] = ()


def nearest(name: str, legal: list[str], limit: int = 1) -> list[str]:
    """Return the legal names that look most like the given one, whatever their case."""
    by_fold: dict[str, str] = {}
    for candidate in legal:
        by_fold.setdefault(candidate.casefold(), candidate)
    return [by_fold[match] for match in get_close_matches(name.casefold(), list(by_fold), n=limit, cutoff=0.5)]


def suggestion(name: str, legal: list[str], what: str) -> str:
    """Return the mend for an unknown name: the nearest legal one, or all (at most twelve) that there are."""
    close = nearest(name, legal)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"{what}: {', '.join(legal[:12])}" + (", …" if len(legal) > 12 else "") if legal else f"there are no {what}"


def explain(error: ValidationError, model: type[BaseModel]) -> Problem:
    """Pick the error that a person should mend first, and say it in plain words."""
    errors: list[Any] = list(error.errors(include_url=False))
    errors.sort(key=_urgency)
    first = errors[0]
    location: tuple[str | int, ...] = tuple(first["loc"])
    kind = str(first["type"])
    if kind == "extra_forbidden":
        key = str(location[-1])
        return Problem(f"unknown key, {suggestion(key, _legal_keys(model, location), 'legal keys')}", location)
    if kind == "missing":
        return Problem("is missing", location[:-1], (str(location[-1]),))
    alternatives = [e for e in errors if e["loc"][:-1] == location[:-1] and str(e["type"]).endswith("_type")]
    if len(alternatives) > 1 and first in alternatives:
        words = list(dict.fromkeys(_needed(str(e["type"])) for e in alternatives))
        return Problem(f"must be {' or '.join(words)}, not {_shown(first['input'])}", location)
    return Problem(_in_words(first), location)


def _urgency(error: Any) -> tuple[int, int]:
    """Order errors: an unknown key explains a missing one; of a union, the branch that came furthest is meant."""
    return {"extra_forbidden": 0, "missing": 2}.get(str(error["type"]), 1), -len(error["loc"])


def _needed(kind: str) -> str:
    word = kind.partition("_")[0]
    return _KINDS.get(word, word)


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "`key: value` lines"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…'"


def _in_words(error: Any) -> str:
    kind, context, value = str(error["type"]), error.get("ctx") or {}, error["input"]
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    if kind in ("literal_error", "union_tag_invalid"):
        return _choice(str(context.get("expected") or context.get("expected_tags")), value, context)
    if kind == "union_tag_not_found":
        return "needs `type:` float, int or categorical"
    return _bound(kind, value, context) or _misfit(kind, value) or _as_pydantic_says(error)


def _bound(kind: str, value: object, context: dict[str, Any]) -> str:
    if kind in _BOUNDS:
        key, word = _BOUNDS[kind]
        return f"must be {word} {context[key]:g}, not {_shown(value)}"
    if kind == "too_short":
        return f"needs at least {context['min_length']} value{'s' if context['min_length'] > 1 else ''}"
    return ""


def _misfit(kind: str, value: object) -> str:
    if kind == "string_pattern_mismatch":
        return f"{_shown(value)} may hold only letters, digits, '_', '.', '-'"
    if kind.partition("_")[0] in _KINDS and kind.rpartition("_")[2] in ("type", "parsing", "float"):
        quote = ": put it into quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        return f"must be {_needed(kind)}, not {_shown(value)}{quote}"
    return ""


def _as_pydantic_says(error: Any) -> str:
    text = str(error["msg"])
    return text[:1].lower() + text[1:]


def _choice(expected: str, value: object, context: dict[str, Any]) -> str:
    legal = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
    given = context.get("tag", value)
    close = nearest(str(given), legal)
    hint = f", did you mean {close[0]!r}?" if close else ""
    return f"must be one of {', '.join(legal)}, not {_shown(given)}{hint}"


def _legal_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Follow a location through the fields' types to the models that may stand there, and return their keys."""
    models: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        followed = [
            m for one in models if part in one.model_fields for m in _models(one.model_fields[str(part)].annotation)
        ]
        narrowed = [one for one in models if part in (one.__name__, *_tags(one))]
        models = followed or narrowed or models
    return list(dict.fromkeys(key for one in models for key in one.model_fields))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()
