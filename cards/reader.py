"""From YAML text to cards: every problem is one CardError that names file, line, field and the mend.

YAML is read as version 1.2, so `no` is text. Aliases, tags and duplicate keys are refused: a card is plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from automl_gpt.cards.errors import CardError, UserError
from automl_gpt.cards.explain import Problem, explain
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.schema import DataCard, ModelCard

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MODEL_KEYS = frozenset({"trainer", "search_space"})
"""Keys that only a Model Card has."""
PRICE_KEYS = frozenset({"input_usd", "output_usd", "cached_input_usd"})
"""Keys that only a Language Model Card has."""

Card = DataCard | ModelCard | LanguageModelCard
C = TypeVar("C", DataCard, ModelCard, LanguageModelCard)
_Path = tuple[str | int, ...]


def read_data_card(path: Path) -> DataCard:
    """Read a Data Card from a file; CardError where it is wrong, UserError where there is no such file."""
    return parse_data_card(read_text(path), path)


def read_model_card(path: Path) -> ModelCard:
    """Read a Model Card from a file; CardError where it is wrong, UserError where there is no such file."""
    return parse_model_card(read_text(path), path)


def read_card(path: Path) -> Card:
    """Read a card of any kind: one with a trainer or a search space is a Model Card, one with a price a language
    model's.
    """
    document = _parse(read_text(path), path)
    keys = set(document.data)
    if MODEL_KEYS & keys:
        return _validate(ModelCard, document, path)
    if PRICE_KEYS & keys:
        return _validate(LanguageModelCard, document, path)
    return _validate(DataCard, document, path)


def parse_data_card(text: str, file: Path | None = None) -> DataCard:
    """Read a Data Card from text; `file` is what an error names."""
    document = _parse(text, file)
    if MODEL_KEYS & set(document.data):
        raise CardError("this is a Model Card (it has a trainer or a search space); a Data Card is needed here", file)
    if PRICE_KEYS & set(document.data):
        raise CardError("this is a Language Model Card (it has a price); a Data Card is needed here", file)
    return _validate(DataCard, document, file)


def parse_language_model_card(text: str, file: Path | None = None) -> LanguageModelCard:
    """Read a Language Model Card from text; `file` is what an error names."""
    return _validate(LanguageModelCard, _parse(text, file), file)


def parse_model_card(text: str, file: Path | None = None) -> ModelCard:
    """Read a Model Card from text; `file` is what an error names."""
    document = _parse(text, file)
    if "target" in document.data or not MODEL_KEYS & set(document.data):
        raise CardError("this is no Model Card: one has a trainer and a search space", file)
    return _validate(ModelCard, document, file)


def read_text(path: Path) -> str:
    """Return the text of a card's file: UTF-8, with or without a byte order mark, of at most a megabyte."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CardError(f"larger than {MAX_BYTES // 1_000_000} MB: this is no card", path)
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CardError("not UTF-8 text: save the card as UTF-8", path, line) from error


# ---------------------------------------------------------------------------------------------------- YAML to values


@dataclass
class _Document:
    """The values of a YAML text, and the line (from 1) on which each of them stands, by its path."""

    data: dict[str, Any]
    lines: dict[_Path, int] = field(default_factory=dict)


def _parse(text: str, file: Path | None) -> _Document:
    try:
        _refuse_bombs(text, file)
        root: Any = _yaml().compose(StringIO(text))  # pyright: ignore[reportArgumentType] - a stream is fine
    except MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from error
    except YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        raise CardError("holds a character that YAML does not allow: save it as plain text", file, line) from error
    if root is None:
        raise CardError("empty: a card needs at least `source:` and `target:`", file)
    if not isinstance(root, MappingNode):
        raise CardError("a card is a list of `key: value` lines; this is something else", file, _line(root))
    document = _Document({})
    document.data = _value(root, (), document, file)
    return document


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _refuse_bombs(text: str, file: Path | None) -> None:
    """Walk the flat stream of events, which costs no recursion, before anything is built of it."""
    depth = 0
    for event in _yaml().parse(StringIO(text)):
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None:
            raise CardError("aliases are not allowed in cards: write the value out", file, line)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise CardError(f"nested deeper than {MAX_DEPTH} levels: this is no card", file, line)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _value(node: Any, path: _Path, document: _Document, file: Path | None) -> Any:
    document.lines.setdefault(path, _line(node))
    if isinstance(node, ScalarNode):
        return _scalar(node, path, file)
    if not str(node.tag).startswith("tag:yaml.org,2002:"):
        raise CardError(f"the tag {node.tag} is not allowed in cards: leave it out", file, _line(node), _dotted(path))
    if isinstance(node, SequenceNode):
        return [_value(child, (*path, i), document, file) for i, child in enumerate(node.value)]
    return _mapping(node, path, document, file)


def _mapping(node: Any, path: _Path, document: _Document, file: Path | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, child in node.value:
        if not isinstance(key, ScalarNode):
            raise CardError("a key must be plain text", file, _line(key), _dotted(path))
        name = str(key.value)
        if name in values:
            raise CardError("stands here twice: keep one", file, _line(key), _dotted((*path, name)))
        document.lines[(*path, name)] = _line(key)
        values[name] = _value(child, (*path, name), document, file)
    return values


def _scalar(node: Any, path: _Path, file: Path | None) -> Any:
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    constructor: Any = _yaml().constructor
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return constructor.construct_yaml_bool(node)
            case "int":
                return constructor.construct_yaml_int(node)
            case "float":
                return constructor.construct_yaml_float(node)
            case "str" | "timestamp" | "merge" | "value":
                return str(node.value)
            case _:
                raise CardError(
                    f"the tag {node.tag} is not allowed in cards: leave it out", file, _line(node), _dotted(path)
                )
    except ValueError as error:
        raise CardError("a number that can't be read", file, _line(node), _dotted(path)) from error


def _syntax_error(error: MarkedYAMLError, text: str, file: Path | None) -> CardError:
    unclosed = "unexpected end of stream" in str(error.problem)
    mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
    number = int(mark.line) + 1 if mark is not None else None
    lines = text.splitlines()
    line = lines[number - 1] if number is not None and number <= len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    problem = str(error.problem or "not readable as YAML").replace("\n", " ")
    if "\t" in indent or "\\t" in problem or "\t" in problem:
        return CardError("a tab where YAML needs spaces: replace it by spaces", file, number)
    mends = (
        (
            "mapping values are not allowed",
            "bad indentation, or a `: ` inside a value: indent evenly, or quote the value",
        ),
        ("could not find expected ':'", "a `:` is missing after the key on this line or the one before"),
        ("found another document", "more than one document: a card is one, remove the `---` in the middle"),
        ("expected <block end>", "bad indentation: keys of one level must start in the same column"),
        ("expected ',' or", "a bracket is not closed, or a comma is missing"),
        ("unexpected end of stream", "a quote or bracket is not closed"),
    )
    for start, mend in mends:
        if start in problem:
            return CardError(mend, file, number)
    return CardError(f"not readable as YAML: {problem}", file, number)


# --------------------------------------------------------------------------------------------------- values to cards


def _validate(model: type[C], document: _Document, file: Path | None) -> C:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problem = explain(error, model)
        path = _known_part(problem, document.data)
        raise CardError(
            problem.text, file, _nearest_line(path, document), _dotted((*path, *problem.missing))
        ) from error


def _known_part(problem: Problem, data: Any) -> _Path:
    """Keep of a pydantic location what stands in the card: it names union branches too, which nobody wrote."""
    path: list[str | int] = []
    for part in problem.location:
        inside: dict[Any, Any] = (
            dict(enumerate(data)) if isinstance(data, list) else data if isinstance(data, dict) else {}
        )
        if part in inside:
            data = inside[part]
            path.append(part)
    return tuple(path)


def _nearest_line(path: _Path, document: _Document) -> int | None:
    for length in range(len(path), 0, -1):
        if path[:length] in document.lines:
            return document.lines[path[:length]]
    return None


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))
