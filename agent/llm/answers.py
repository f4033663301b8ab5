"""What a language model's answer asks for: tool calls, from its calls or from JSON in its text.

What can be mended without a guess is mended; else ToolError tells the model what was expected. Whether arguments are
right, in range and of existing models is for the validator to say.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from automl_gpt.agent.decisions import ToolCall
from automl_gpt.agent.llm.coercion import WRAPPERS, as_object, fits, fitted, needed, properties
from automl_gpt.agent.llm.exchange import Answer, Mode, Offer
from automl_gpt.agent.llm.loose_json import find_objects
from automl_gpt.agent.prompts.quoting import cleaned, cut
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.journal.events import Call
from automl_gpt.tools.journal.redact import redact

JOINED = {"propose_hyperparameters": "configurations", "predict_log": "predictions"}
"""Decisions whose several calls are one, and the list that is joined."""
QUOTED = 80
"""Characters of an answer that a refusal of it quotes."""
_NAMES = ("tool", "name", "function", "tool_name")
_CUT = "the answer was cut at the token limit; answer shorter"
_THOUGHT = "</think>"
_NESTED = 2  # {"tool_calls": [{"function": {…}}]}


def read_calls(answer: Answer, offer: Offer, mode: Mode) -> list[ToolCall]:
    """Return the calls of an answer: one of the decision's own tool, or such of inspecting tools.

    In a conversation, where the offer has no own tool, prose is an answer too, and no call. Raises ToolError, in words
    for the model, where an answer holds no call that could be meant.
    """
    if answer.refusal or answer.finish == "content_filter":
        words = f": {_begin(answer.refusal)}" if answer.refusal else " by the server's content filter"
        raise ToolError(f"the answer was refused{words}; {_expected(offer, mode)} was expected")
    if answer.calls:
        return _of_calls(answer, offer)
    if not answer.text.strip():
        raise ToolError(_CUT if _is_cut(answer) else f"the answer is empty; {_expected(offer, mode)} was expected")
    return _of_text(answer, offer, mode)


def _is_cut(answer: Answer) -> bool:
    return answer.finish == "length"


def _expected(offer: Offer, mode: Mode) -> str:
    if offer.own is None:
        return "an answer"
    if mode == "tools":
        return f"a call of {offer.own}"
    return f'one JSON object {{"tool": "{offer.own}", "arguments": {{…}}}}'


def _begin(text: str) -> str:
    return f'"{cut(cleaned(redact(text[: 5 * QUOTED])), QUOTED)}"'


# ------------------------------------------------------------------------------------------------------ tool calls


def _of_calls(answer: Answer, offer: Offer) -> list[ToolCall]:
    calls: list[ToolCall] = []
    wrong: list[tuple[bool, ToolError]] = []
    for call in answer.calls:
        try:
            name = _tool(call.name, offer)
            calls += [_call(name, arguments, offer) for arguments in _arguments(call, name, offer, _is_cut(answer))]
        except ToolError as error:
            wrong.append((_plain(call.name) == offer.own, error))
    calls = list({_key(call): call for call in calls}.values())
    own = [call for call in calls if call.name == offer.own]
    own_wrong = [error for is_own, error in wrong if is_own]
    if own and (_is_cut(answer) or not own_wrong):
        return [_joined(own)]
    if wrong:
        raise (own_wrong or [error for _, error in wrong])[0]
    return calls


def _key(call: ToolCall) -> str:
    return json.dumps([call.name, call.arguments], sort_keys=True)


def _plain(name: str) -> str:
    return name.strip().removeprefix("functions.")


def _tool(name: str, offer: Offer) -> str:
    """Return the name of an offered tool, without the name space that some models put before it."""
    plain = _plain(name)
    if plain in offer.schemas:
        return plain
    near = difflib.get_close_matches(plain.lower()[:100], offer.schemas, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ToolError(f"there is no tool {_begin(name)} here; there are: {', '.join(offer.schemas)}{hint}")


def _arguments(call: Call, name: str, offer: Offer, is_cut: bool) -> list[dict[str, Any]]:
    """Return the arguments of a call; of several where a server ran the arguments of several into one text."""
    if not call.raw:
        if is_cut and not call.arguments and needed(_schema(name, offer)):
            raise ToolError(_CUT)
        return [call.arguments]
    quoted = as_object(call.raw) if call.raw.lstrip().startswith('"') else None
    if quoted is not None:
        return [quoted]
    found = find_objects(call.raw, is_cut)
    if found.objects and found.broken is None:
        return found.objects
    if is_cut:
        raise ToolError(_CUT)
    why = found.broken or f"they begin {_begin(call.raw)}"
    raise ToolError(f"the arguments of {name} are no JSON object: {why}")


def _call(name: str, arguments: dict[str, Any], offer: Offer) -> ToolCall:
    return ToolCall(name, fitted(arguments, _schema(name, offer)))


def _schema(name: str, offer: Offer) -> dict[str, Any]:
    return offer.schemas[name].get("parameters") or {}


def _joined(calls: list[ToolCall]) -> ToolCall:
    if len(calls) == 1:
        return calls[0]
    name = calls[0].name
    if name not in JOINED:
        raise ToolError(f"one call of {name}, not {len(calls)}")
    parts: list[Any] = []
    arguments: dict[str, Any] = {}
    for call in calls:
        part = call.arguments.get(JOINED[name], [])
        parts += cast(list[Any], part) if isinstance(part, list) else [part]
        arguments |= call.arguments
    return ToolCall(name, {**arguments, JOINED[name]: parts})


# ------------------------------------------------------------------------------------------------------ JSON in text


def _of_text(answer: Answer, offer: Offer, mode: Mode) -> list[ToolCall]:
    said = answer.text.rpartition(_THOUGHT)[2]
    found = find_objects(said if "{" in said else answer.text, _is_cut(answer))
    asked = [pair for read in found.objects for pair in _asked(read, offer)]
    calls = [_call(name, arguments, offer) for name, arguments in asked if name in offer.schemas]
    own = [call for call in calls if call.name == offer.own]
    fit = [call for call in own if fits(call.arguments, _schema(call.name, offer))]
    meant = next(iter([*fit, *own, *calls]), None) or _nearly(found.objects, offer)
    if meant is not None:
        return [meant]
    if offer.own is None:
        return []
    if _is_cut(answer):
        raise ToolError(_CUT)
    for name, _ in asked:
        _tool(name, offer)
    why = f"its JSON breaks: {found.broken}" if found.broken else f"the answer begins {_begin(answer.text)}"
    raise ToolError(f"{_expected(offer, mode)} was expected; {why}")


def _asked(read: dict[str, Any], offer: Offer, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the calls that an object is: name and arguments in any of the forms that models know."""
    if offer.own is not None and fits(fitted(read, _schema(offer.own, offer)), _schema(offer.own, offer)):
        yield offer.own, read
        return
    within = [read.get("function"), *_list(read.get("tool_calls"))]
    if depth < _NESTED:
        for inner in within:
            if isinstance(inner, dict):
                yield from _asked(cast(dict[str, Any], inner), offer, depth + 1)
    name = next((value for key in _NAMES if isinstance(value := read.get(key), str)), None)
    if name is not None:
        yield _plain(name), _of_named(read)
    for key, value in read.items() if len(read) == 1 else ():
        if key in offer.schemas and isinstance(value, dict):
            yield key, cast(dict[str, Any], value)


def _of_named(read: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments beside a tool's name, or what else stands beside it."""
    for key in WRAPPERS:
        if key in read:
            arguments = as_object(read[key] or "{}")
            return {key: read[key]} if arguments is None else arguments
    return {key: value for key, value in read.items() if key not in _NAMES and key not in ("id", "type")}


def _list(value: object) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def _nearly(objects: Iterable[dict[str, Any]], offer: Offer) -> ToolCall | None:
    """Return the first object with a field of the own tool: the validator says why it does not fit."""
    if offer.own is None:
        return None
    schema = _schema(offer.own, offer)
    calls = (_call(offer.own, read, offer) for read in objects)
    return next((call for call in calls if call.arguments.keys() & properties(schema).keys()), None)
