"""A player of whole runs: it reads what a controller is asked, and decides validly, by tool call or by JSON in text.

OpenAIServer(player()) drives a run to its end; options make it look things up, repeat itself, stop early, or fail at
chosen requests.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.servers.faults import FAULTS
from tests.servers.read_prompt import Prompt, arguments_of, drawn
from tests.servers.reply import Received, Reply

LOOK_UPS: dict[str, dict[str, Any]] = {
    "similar_runs": {"limit": 3},
    "show_trials": {"order": "best", "count": 5},
    "suggest_hyperparameters": {"count": 1},
}
"""What the player looks up where it may, the first that is offered."""


def talk(request: Received) -> Reply:
    """Answer a person in words."""
    last = next((m for m in reversed(request["messages"]) if m["role"] == "user"), {"content": ""})
    return Reply(f"You said: {str(last['content'])[-200:]}")


@dataclass
class Player:
    """Plays a controller. See `player`."""

    seed: int = 0
    lookups: bool = False
    repeat: bool = False
    models: Sequence[str] | None = None
    finish_after: int | None = None
    ensemble: bool = True
    talk: Callable[[Received], Reply] = talk
    faults: Mapping[int, str | Reply] = field(default_factory=dict[int, "str | Reply"])
    reply: Reply = field(default_factory=Reply)
    asked: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def __call__(self, request: Received) -> Reply:
        self.asked += 1
        fault = self.faults.get(self.asked)
        if isinstance(fault, Reply) or fault in FAULTS:
            return fault if isinstance(fault, Reply) else FAULTS[fault]
        prompt = Prompt(request)
        if prompt.decision is None:
            return self.talk(request)
        reply = self._decided(prompt)
        if fault is not None:
            reply = SPOILS[fault](reply)
        return reply.as_json() if prompt.json_mode else reply

    def _decided(self, prompt: Prompt) -> Reply:
        name = prompt.decision or ""
        assert name in prompt.offered, f"{name} is asked for, but offered are {prompt.offered}"
        look_up = next((n for n in LOOK_UPS if n in prompt.offered), None)
        if self.lookups and look_up and not prompt.looked:
            return replace(self.reply, calls=[(look_up, LOOK_UPS[look_up])])
        arguments = {
            "assign_model": self._assign,
            "propose_hyperparameters": self._propose,
            "predict_log": self._predict,
            "revise": self._revise,
            "finish": self._finish,
        }[name](prompt)
        return replace(self.reply, calls=[(name, arguments)])

    def _assign(self, prompt: Prompt) -> dict[str, Any]:
        return {"models": list(self.models or prompt.eligible[:3]), "reason": "the first ones that may be assigned"}

    def _propose(self, prompt: Prompt) -> dict[str, Any]:
        models = [m for m in prompt.assigned if m in prompt.spaces] or prompt.assigned
        return {"configurations": [self._configuration(prompt, models, i) for i in range(prompt.count)]}

    def _configuration(self, prompt: Prompt, models: list[str], index: int) -> dict[str, Any]:
        model = models[index % len(models)]
        values = {} if self.repeat else drawn(prompt.spaces.get(model, []), self._rng)
        return {"model": model, "hyperparameters": values, "reason": f"draw {self.asked}.{index + 1}"}

    def _predict(self, prompt: Prompt) -> dict[str, Any]:
        return {"predictions": [prediction(number, prompt) for number in prompt.trials]}

    def _revise(self, prompt: Prompt) -> dict[str, Any]:
        if self.finish_after is not None and prompt.ended >= self.finish_after:
            return {"action": "finish", "reason": f"{prompt.ended} trials are enough"}
        return {"action": "continue", "reason": "more trials may still help"}

    def _finish(self, prompt: Prompt) -> dict[str, Any]:
        return {"ensemble": self.ensemble, "reason": f"after {prompt.ended} trials"}


def prediction(number: int, prompt: Prompt) -> dict[str, Any]:
    """Expect of a trial what the best one reached, within a tenth of it, after a slower start."""
    usual = 0.7 if prompt.maximize else (prompt.target_deviation or 0.5)
    value = usual if prompt.best is None else prompt.best
    width = 0.1 * abs(value) or 0.01
    start = value - width if prompt.maximize else value + width
    return {
        "trial": number,
        "checkpoints": [
            {"step": 5, "valid": start, "low": start - width, "high": start + width},
            {"step": 50, "valid": value, "low": value - width, "high": value + width},
        ],
        "value": value,
        "low": value - width,
        "high": value + width,
        "seconds": 1.0,
        "megabytes": 150.0,
        "train": True,
        "reason": "as good as the best so far",
    }


def player(**options: Any) -> Player:
    """Return a play function for whole runs.

    seed: of what is proposed, which differs each time. lookups: look something up before each decision. repeat:
    propose the defaults again and again. models: to be assigned, instead of the first three. finish_after: end the run
    once that many trials are known. ensemble: the last decision. talk: answers a conversation. faults: by the number
    of the request, from 1, a name of FAULTS or SPOILS, or a reply. reply: what a decision's reply has beside its call,
    such as text, usage or delays.
    """
    return Player(**options)


def _spoiled(change: Callable[[dict[str, Any]], Any]) -> Callable[[Reply], Reply]:
    """Make a spoiler of the arguments of a reply's one call."""

    def spoil(reply: Reply) -> Reply:
        ((name, given),) = reply.calls
        changed = change(arguments_of((name, given)))
        return replace(reply, calls=[(name, changed if isinstance(changed, dict) else str(changed))])

    return spoil


def _each(value: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    """Change every value within an object; `change` is told the key that it stands under."""
    if isinstance(value, dict):
        return {k: _each(v, change, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_each(v, change, key) for v in value]
    return change(key, value)


def _far_off(_: str, value: Any) -> Any:
    return value * -1e9 - 1e9 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _other_model(key: str, value: Any) -> Any:
    return "forest_of_9000_trees" if key in ("model", "models") else value


def _half(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments)
    return text[: len(text) // 2]


def _in_prose(reply: Reply) -> Reply:
    written = reply.as_json().text
    return replace(reply, calls=(), text=f"Sure! Here is my decision:\n```json\n{written}\n```\nI hope it helps.")


SPOILS: dict[str, Callable[[Reply], Reply]] = {
    "half_json": _spoiled(_half),
    "trailing_comma": _spoiled(lambda a: json.dumps(a)[:-1] + ",}"),
    "single_quotes": _spoiled(repr),
    "arguments_as_text": _spoiled(lambda a: json.dumps(json.dumps(a))),
    "arguments_as_list": _spoiled(lambda a: json.dumps([a])),
    "nothing": _spoiled(lambda _: ""),
    "other_types": _spoiled(lambda a: _each(a, lambda _, v: [v])),
    "numbers_as_text": _spoiled(lambda a: _each(a, lambda _, v: str(v) if isinstance(v, int | float) else v)),
    "far_off": _spoiled(lambda a: _each(a, _far_off)),
    "not_a_number": _spoiled(lambda a: json.dumps(_each(a, lambda _, v: float("nan") if isinstance(v, float) else v))),
    "other_model": _spoiled(lambda a: _each(a, _other_model)),
    "extra_argument": _spoiled(lambda a: {**a, "budget_hours": 1000}),
    "missing_argument": _spoiled(lambda a: dict(list(a.items())[1:])),
    "other_tool": lambda reply: replace(reply, calls=[("order_pizza", reply.calls[0][1])]),
    "twice": lambda reply: replace(reply, calls=[*reply.calls, *reply.calls]),
    "and_more": lambda reply: replace(reply, calls=[*reply.calls, ("finish", {}), ("assign_model", {"models": []})]),
    "in_prose": _in_prose,
    "cut_short": lambda reply: replace(_spoiled(_half)(reply), finish="length"),
}
"""Ways to spoil the call that is asked for, whichever it is."""
