"""What was looked up for a decision, as messages: each call with its quoted and cut result."""

from __future__ import annotations

import json

from automl_gpt.agent.decisions import Situation
from automl_gpt.agent.llm.exchange import Abilities
from automl_gpt.agent.prompts.fitting import newest, shortened, tokens
from automl_gpt.agent.prompts.quoting import quoted, word
from automl_gpt.tools.journal.events import Call, Message

RESULT_LENGTH = 2000
"""Characters of a result that are shown at most."""
PAIR_TOKENS = 16
"""What two messages cost beside their text."""


def look_ups(situation: Situation, abilities: Abilities, quota: int) -> list[Message]:
    """Return the look-ups as pairs of messages, in order; where room is short, the oldest are cut or left out."""
    calls = [
        Call(id=f"look_{i}", name=call.name, arguments=call.arguments)
        for i, (call, _) in enumerate(situation.looked, start=1)
    ]
    results = [result.model_dump_json() for _, result in situation.looked]
    sizes = [tokens(quoted(r, RESULT_LENGTH)) + _overhead(c) for c, r in zip(calls, results, strict=True)]
    messages: list[Message] = []
    for call, result, share in zip(calls, results, newest(sizes, quota), strict=True):
        shown = shortened(lambda n, r=result: quoted(r, n), RESULT_LENGTH, share - _overhead(call))
        if shown:
            messages += _pair(call, shown, abilities)
    return messages


def _overhead(call: Call) -> int:
    return PAIR_TOKENS + tokens(2 * call.name + json.dumps(call.arguments))


def _pair(call: Call, result: str, abilities: Abilities) -> list[Message]:
    if abilities.tools:
        asked = Message(role="assistant", text="", calls=(call,))
        return [asked, Message(role="tool", text=result, call_id=call.id)]
    text = json.dumps({"tool": call.name, "arguments": call.arguments}, ensure_ascii=False)
    return [Message(role="assistant", text=text), Message(role="user", text=f"Result of {word(call.name)}: {result}")]
