"""What passes between a run and a language model, as events: what is asked, sent, answered, and what it costs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from automl_gpt.tools.journal.record import Record


class DecisionAsked(Record):
    """A decision is asked for: with what follows, all that it needs to be asked again in a replay.

    `trials` are those to predict, `count` the configurations wanted, `seconds_left` what training may still take,
    `problem` why the last answer was refused.
    """

    kind: Literal["decision_asked"] = "decision_asked"
    decision: str
    trials: tuple[int, ...] = ()
    count: int = 1
    seconds_left: float | None = None
    problem: str | None = None
    by: str


class Call(Record):
    """A tool call of a language model. `raw` is what stood in place of arguments that are no JSON object."""

    id: str = ""
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    raw: str = ""


class Message(Record):
    """One message of a conversation with a language model; `call_id` says which call a tool's message answers."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str = ""


class LLMAsked(Record):
    """A request that is about to be sent to a language model, word for word. Calls count from 1 within the run.

    `purpose` is a decision or `conversation`. In `mode` json, the schema stands in the text, and no tools are sent.
    `tokens_in` is our estimate, `tokens_out` the most that is asked for, `cost_usd` the most that both may cost (None:
    no price is known). `context_tokens` is the context that the messages were fitted to, `output_tokens` the most that
    the model can answer.
    """

    kind: Literal["llm_asked"] = "llm_asked"
    call: int
    purpose: str
    model: str
    mode: Literal["tools", "json"]
    context_tokens: int
    output_tokens: int
    prompt_version: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    tokens_in: int
    tokens_out: int
    cost_usd: float | None = None
    at_seconds: float = 0.0


class LLMAnswered(Record):
    """How a request to a language model ended. `failure` names the kind of failure, `words` is its line for the person.

    `counted`: the token figures are the server's, not our estimate. `finish` is the server's reason for the end (stop,
    tool_calls, length, content_filter). `seconds` is the whole time, `first_seconds` that to the first token.
    """

    kind: Literal["llm_answered"] = "llm_answered"
    call: int
    model: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    counted: bool = False
    cost_usd: float | None = None
    seconds: float = 0.0
    first_seconds: float | None = None
    failure: str = ""
    words: str = ""


class ControllerSwitched(Record):
    """Somebody else decides from now on: the built-in controller while a language model fails, or the model again."""

    kind: Literal["controller_switched"] = "controller_switched"
    to: str
    reason: str


class BudgetWarned(Record):
    """So much of a budget is used: `share` is 0.5, 0.8 or 1."""

    kind: Literal["budget_warned"] = "budget_warned"
    what: Literal["seconds", "tokens", "cost_usd"]
    share: float
    used: float
    limit: float


class Replied(Record):
    """What a language model answered to the person's words."""

    kind: Literal["replied"] = "replied"
    text: str
    by: str
