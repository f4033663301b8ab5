"""The tools of one request to a language model: the decision's own one first, then what may be looked up before.

Schemas go out short: no titles, references or defaults, and no limits: where one counts, a refusal names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from automl_gpt.agent.decisions import DECISIONS, Decision, Situation
from automl_gpt.agent.llm.exchange import Abilities, Offer
from automl_gpt.agent.prompts.fitting import room
from automl_gpt.tools.toolbox import TOOLBOX

LOOK_UPS: dict[Decision, tuple[str, ...]] = {
    "assign_model": ("similar_runs",),
    "propose_hyperparameters": ("similar_runs", "suggest_hyperparameters", "forecast_log", "show_trials"),
    "predict_log": ("similar_runs", "compare_logs", "show_trials"),
    "revise": ("similar_runs", "compare_logs", "show_trials"),
    "finish": ("compare_logs", "show_trials"),
}
"""What may be looked up before each decision. The profile stands in the prompt. While logs are predicted, the built-in
forecast of them is withheld: the two are compared, and a copy would be worth nothing."""
_KEPT = ("type", "description", "enum", "properties", "required", "items")


def items_of(situation: Situation) -> int:
    """Return how many trials or configurations a decision's answer is about."""
    return len(situation.trials) if situation.decision == "predict_log" else situation.count


def offer(situation: Situation, abilities: Abilities, lookups: bool = True) -> Offer:
    """Return the tools of a decision; its own one alone where the context is small, or `lookups` are used up."""
    decision = situation.decision
    names: list[str] = [decision]
    if lookups and room(decision, items_of(situation), abilities).looks:
        names += LOOK_UPS[decision]
    return Offer(decision, {name: json.loads(_function(name)) for name in names})


@cache
def _function(name: str) -> str:
    """Return the schema of a decision or a look-up as JSON: built once, since pydantic takes its time."""
    own = next((model for decision, model in DECISIONS.items() if decision == name), None)
    text = " ".join((own.__doc__ or "").split()) if own else TOOLBOX[name].description.split(":")[0]
    parameters = compact((own or TOOLBOX[name].arguments).model_json_schema())
    parameters.pop("description", None)
    return json.dumps({"name": name, "description": text, "parameters": parameters})


def compact(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its references put in place and without what a model does not need."""
    return _compact(schema, schema.get("$defs", {}), ())


def _compact(schema: Mapping[str, Any], known: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    if reference:
        if reference in within or reference not in known:
            return {"type": "object"}
        return _compact(known[reference], known, (*within, reference))
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _compact({**kinds[0], **rest} if len(kinds) == 1 else rest, known, within)
    short = {key: schema[key] for key in _KEPT if key in schema}
    if "properties" in schema:
        short["properties"] = {name: _compact(part, known, within) for name, part in schema["properties"].items()}
    if "items" in schema:
        short["items"] = _compact(schema["items"], known, within)
        short["items"].pop("description", None)
    return short


def form(schema: Mapping[str, Any]) -> str:
    """Return the form of a compact schema's values on one line: what a model without tool calls is shown."""
    kind = schema.get("type", "value")
    if schema.get("properties"):
        needed = schema.get("required", ())
        parts = [f'"{n}": {_field(part, n in needed)}' for n, part in schema["properties"].items()]
        return "{" + ", ".join(parts) + "}"
    if kind == "array" and schema.get("items", {}).get("properties"):
        return f"[{form(schema['items'])}, …]"
    return _field(schema, True)


def _field(schema: Mapping[str, Any], needed: bool) -> str:
    if schema.get("properties") or schema.get("items", {}).get("properties"):
        return form(schema)
    kind = str(schema.get("type", "value"))
    if "enum" in schema:
        kind = " | ".join(json.dumps(value) for value in schema["enum"])
    words = ", ".join(part for part in (kind, "" if needed else "optional") if part)
    about = schema.get("description")
    text = f"<{words}: {about}>" if about else f"<{words}>"
    return {"array": f"[{text}, …]".replace("<array", "<string"), "object": "{" + text + "}"}.get(kind, text)
