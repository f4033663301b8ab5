"""What a controller's prompt says, read from its text alone, as a language model would have to read it."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tests.servers.reply import Received, said

Value = bool | int | float | str
_QUOTED = re.compile(r"««.*?»»")
_NUMBER = r"-?[\d.]+(?:e[+-]?\d+)?"
_SPACE = re.compile(r"(?P<name>\S+) (?P<range>.+) =(?P<default>\S+?)(?: if (?P<on>\S+?)=(?P<values>\S+))?")
_BOUNDS = re.compile(rf"(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})(?P<int> int)?(?P<log> log)?")
_LIMIT = re.compile(r"- (?P<parameter>\S+?)(?: of (?P<model>\S+?))?: (?P<rule>only .+|at .+|\S+ to \S+)")


@dataclass(frozen=True)
class Space:
    """The range of one hyperparameter: `choices`, or numbers from `low` to `high`; it counts only `when` another has
    one of some values.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    log: bool = False
    choices: tuple[Value, ...] = ()
    when: tuple[str, tuple[Value, ...]] | None = None

    def draw(self, rng: random.Random) -> Value:
        """Return a value, every one as likely as the other."""
        if self.choices:
            return rng.choice(self.choices)
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        value = min(max(float(f"{value:.4g}"), self.low), self.high)
        return round(value) if self.whole else value


class Prompt:
    """The paragraphs of one request."""

    def __init__(self, request: Received) -> None:
        self.request = request
        self.text = request.text

    @cached_property
    def decision(self) -> str | None:
        """The decision that is asked for; None in a conversation."""
        found = re.findall(r"^## Decision: (\w+)", self.text, re.MULTILINE)
        return found[-1] if found else None

    @property
    def json_mode(self) -> bool:
        """Whether the answer is to be JSON in text."""
        return not self.request.get("tools")

    @property
    def offered(self) -> list[str]:
        """The names of the tools that may be called, in either mode."""
        if self.json_mode:
            return list(dict.fromkeys(re.findall(r'^\{"tool": "(\w+)", "arguments": ', self.text, re.MULTILINE)))
        return [tool["function"]["name"] for tool in self.request["tools"]]

    @property
    def looked(self) -> bool:
        """Whether something was looked up for this decision."""
        results = (m for m in self.request["messages"] if m["role"] in ("tool", "user"))
        return any(m["role"] == "tool" or said(m).startswith("Result of ") for m in results)

    @property
    def eligible(self) -> list[str]:
        """The models that may be assigned."""
        return _names(self._found(r"Eligible: (.+?)\.?$"))

    @property
    def assigned(self) -> list[str]:
        """The models that configurations may be proposed of: those whose cards are shown."""
        return [line.partition(":")[0].split()[0] for line in self._cards]

    @property
    def count(self) -> int:
        """How many configurations are asked for."""
        return int(self._found(r"^Propose (\d+)") or 1)

    @property
    def trials(self) -> list[int]:
        """The numbers of the trials whose logs are to be predicted."""
        question = self.text.rpartition("## Decision: predict_log")[2]
        return [int(number) for number in re.findall(r"^- trial (\d+): ", question, re.MULTILINE)]

    @property
    def ended(self) -> int:
        """The highest number of a trial in the table."""
        return max(map(int, re.findall(r"^(\d+) \| ", self.text, re.MULTILINE)), default=0)

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return "(minimize)" not in (self._found(r"^metric: (.+)") or "")

    @property
    def best(self) -> float | None:
        """The best score so far."""
        found = self._found(rf"^Best so far: .* with ({_NUMBER})")
        return float(found.rstrip(".")) if found else None

    @property
    def target_deviation(self) -> float | None:
        """The standard deviation of a regression's target."""
        found = self._found(rf"^target: mean \S+, standard deviation ({_NUMBER})")
        return float(found) if found else None

    @cached_property
    def spaces(self) -> dict[str, list[Space]]:
        """The search space of each model whose card shows one, within the limits that the person set."""
        found: dict[str, list[Space]] = {}
        for line in self._cards:
            head, colon, ranges = line.partition(": ")
            if colon:
                found[head.split()[0]] = [_space(part.strip()) for part in ranges.split(";")]
        return {model: [self._limited(model, space) for space in spaces] for model, spaces in found.items()}

    @property
    def _cards(self) -> list[str]:
        section = self.text.partition("## Model Cards")[2].partition("\n## ")[0]
        return [_QUOTED.sub("", line[2:]) for line in section.splitlines() if line.startswith("- ")]

    def _limited(self, model: str, space: Space) -> Space:
        for limit in _LIMIT.finditer(self.text.partition("limits that code enforces:")[2].partition("\n## ")[0]):
            if limit["parameter"] == space.name and limit["model"] in (None, model):
                space = _narrowed(space, limit["rule"])
        return space

    def _found(self, pattern: str) -> str | None:
        found = re.findall(pattern, self.text, re.MULTILINE)
        return found[-1] if found else None


def _names(listed: str | None) -> list[str]:
    return [name.strip() for name in (listed or "").split(",") if name.strip()]


def _value(text: str) -> Value:
    if text in ("True", "False"):
        return text == "True"
    try:
        return json.loads(text) if re.fullmatch(_NUMBER, text) else text
    except ValueError:
        return text


def _space(text: str) -> Space:
    found = _SPACE.fullmatch(text)
    assert found is not None, f"the prompt shows no range in {text!r}"
    when = (found["on"], tuple(map(_value, found["values"].split("|")))) if found["on"] else None
    bounds = _BOUNDS.fullmatch(found["range"])
    if bounds is None:
        return Space(found["name"], choices=tuple(map(_value, found["range"].split("|"))), when=when)
    whole, log = bounds["int"] is not None, bounds["log"] is not None
    return Space(found["name"], float(bounds["low"]), float(bounds["high"]), whole, log, when=when)


def _narrowed(space: Space, rule: str) -> Space:
    if rule.startswith("only "):
        return replace(space, choices=tuple(map(_value, _names(rule[5:]))))
    low, high = _bounds(rule)
    return replace(space, low=max(space.low, low), high=min(space.high, high))


def _bounds(rule: str) -> tuple[float, float]:
    if rule.startswith("at least "):
        return float(rule[9:]), math.inf
    if rule.startswith("at most "):
        return -math.inf, float(rule[8:])
    low, _, high = rule.partition(" to ")
    return float(low), float(high)


def drawn(spaces: list[Space], rng: random.Random) -> dict[str, Value]:
    """Return a configuration that lies within its search space, conditions included."""
    values: dict[str, Value] = {}
    for space in spaces:
        if space.when is None or values.get(space.when[0]) in space.when[1]:
            values[space.name] = space.draw(rng)
    return values


def arguments_of(call: tuple[str, Mapping[str, Any] | str]) -> dict[str, Any]:
    """The arguments of a scripted call as an object."""
    given = call[1]
    return dict(json.loads(given) if isinstance(given, str) else given)
