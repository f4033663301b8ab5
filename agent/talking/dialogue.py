"""The request of a conversation: the paragraphs that decisions read too, the last turns, the person's words, the tools.

The stable parts come first. Everything is fitted to the model's context; what is looked up has room of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from automl_gpt.agent import prompts
from automl_gpt.agent.decisions import Situation, ToolCall
from automl_gpt.agent.llm.exchange import Abilities, Offer, Query
from automl_gpt.agent.prompts.examples import rank_trials
from automl_gpt.agent.prompts.fitting import ANSWER_SHARE, SLACK, Detail, detailed, most, newest, tokens
from automl_gpt.agent.prompts.looked import look_ups
from automl_gpt.agent.prompts.offering import compact, form
from automl_gpt.agent.prompts.quoting import cut, spoken
from automl_gpt.agent.talking.acts import ACTS
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.events import Message
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.toolbox import TOOLBOX
from automl_gpt.tools.tune.search.assignment import eligible

ANSWER_TOKENS = 600
LONGEST = 4000
"""Tokens of a request without look-ups, at the most."""
LARGE_CONTEXT = 6000
SPARED = ("profile_data", "similar_runs", "suggest_hyperparameters", "set_metric", "write_report", "use_controller")
"""What is not offered in a context smaller than that: commands do it, or the paragraphs tell it."""
LOOKED = 600, 6000
"""Tokens that are kept for results, and that they may take."""
CARDS_SHARE, TURNS_SHARE = 0.45, 0.25
"""Of what is left beside rules, tools and words: the shares of the cards and of earlier turns. Trials get the rest."""
TURNS = 8
"""Earlier messages of the dialogue that are shown at most."""
WORDS_LENGTH, TURN_LENGTH = 2000, 500
"""Characters of the person's words, and of an earlier message."""
TRIALS_SHOWN = 12
_NUMBER = re.compile(r"\d{1,6}")


@dataclass
class Exchange:
    """What is said and done for one message of the person. `looked` are calls with their results, in order.

    `earlier` is the dialogue before, `problem` why the model's last answer was refused, `draft` that answer.
    """

    state: RunState
    words: str
    earlier: Sequence[e.Said | e.Replied]
    driving: bool = False
    seconds_left: float | None = None
    looked: list[tuple[ToolCall, BaseModel]] = field(default_factory=list[tuple[ToolCall, BaseModel]])
    draft: str = ""
    problem: str = ""


def conversation_offer(abilities: Abilities) -> Offer:
    """Return the tools of a conversation: those that look, and the acts; where the context is small, the main ones."""
    small = abilities.context < LARGE_CONTEXT
    return Offer(None, {name: schema for name, schema in _schemas().items() if not small or name not in SPARED})


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    offered = [(t.name, t.description.split(":")[0], t.arguments) for t in TOOLBOX.values() if t.inspects]
    offered += [(act.name, act.description, act.arguments) for act in ACTS]
    return {name: _function(name, text, arguments) for name, text, arguments in offered}


def _function(name: str, description: str, arguments: type[BaseModel]) -> dict[str, Any]:
    parameters = compact(arguments.model_json_schema())
    parameters.pop("description", None)
    return {"name": name, "description": description, "parameters": parameters}


def conversation_query(exchange: Exchange, abilities: Abilities) -> Query:
    """Return all that is sent: rules, paragraphs, earlier turns, the person's words, then each look-up as a pair."""
    functions = tuple(conversation_offer(abilities).schemas.values()) if abilities.tools else ()
    answer = max(1, min(ANSWER_TOKENS, abilities.output, int(abilities.context * ANSWER_SHARE)))
    context = max(0, int(abilities.context * (1 - SLACK)) - answer)
    room = min(LONGEST, context - LOOKED[0]) - tokens(_serialised(functions))
    messages = _fitted(exchange, abilities, room)
    used = sum(tokens(m.text) for m in messages) + tokens(_serialised(functions))
    messages += _results(exchange, abilities, max(0, min(LOOKED[1], context - used)))
    return Query("conversation", abilities.mode, tuple(messages), functions, answer, abilities.context)


def _serialised(functions: Sequence[dict[str, Any]]) -> str:
    return json.dumps(functions, ensure_ascii=False, separators=(",", ":")) if functions else ""


def _fitted(exchange: Exchange, abilities: Abilities, room: int) -> list[Message]:
    """Return the system's message, the paragraphs, the earlier turns and the words, in about so many tokens."""
    state, words = exchange.state, spoken(exchange.words, WORDS_LENGTH)
    rules = prompts.conversation(_forms(abilities), brief=room < LONGEST / 2)
    asked, now = prompts.request(state), prompts.now(state, exchange.driving, exchange.seconds_left)
    left = max(0, room - tokens(rules) - tokens(words) - tokens(asked) - tokens(now))
    detail = detailed(lambda d: _cards(state, d), int(CARDS_SHARE * left))
    cards = _cards(state, detail)
    turns = _turns(exchange.earlier, int(TURNS_SHARE * left))
    left -= tokens(cards) + sum(tokens(turn.text) for turn in turns)
    ranked, total = _trials(exchange), sum(not trial.withdrawn for trial in state.ordered())
    table = most(lambda count: prompts.trials(state, ranked[:count], total), len(ranked), left)
    paragraphs = "\n\n".join(part for part in (cards, asked, table, now) if part)
    ends = [Message(role="system", text=rules), Message(role="user", text=paragraphs)]
    return [*ends, *turns, Message(role="user", text=words)]


def _forms(abilities: Abilities) -> list[dict[str, str]]:
    """Return the forms of the tools for a model that takes no tool calls; none for others."""
    if abilities.tools:
        return []
    schemas = conversation_offer(abilities).schemas.values()
    return [{"name": s["name"], "form": _form(s["parameters"]), "description": s["description"]} for s in schemas]


def _form(parameters: dict[str, Any]) -> str:
    return form(parameters) if parameters.get("properties") else "{}"


def _cards(state: RunState, detail: Detail) -> str:
    about = Situation("propose_hyperparameters" if state.assigned else "assign_model", state, eligible(state))
    return f"{prompts.data_card(state, detail)}\n\n{prompts.model_cards(about, detail)}"


def _trials(exchange: Exchange) -> list[Trial]:
    """Return the trials to show: those whose numbers the person names first, then the most useful ones."""
    state = exchange.state
    numbers = dict.fromkeys(int(number) for number in _NUMBER.findall(exchange.words))
    named = [state.trials[number] for number in numbers if number in state.trials]
    others = rank_trials(state, Situation("revise", state), TRIALS_SHOWN)
    return [*named, *(trial for trial in others if trial not in named)][:TRIALS_SHOWN]


def _turns(earlier: Sequence[e.Said | e.Replied], quota: int) -> list[Message]:
    """Return the newest of the earlier messages that fit."""
    turns = [_turn(event) for event in earlier[-TURNS:]]
    shares = newest([tokens(turn.text) for turn in turns], quota)
    return [turn for turn, share in zip(turns, shares, strict=True) if share == tokens(turn.text)]


def _turn(event: e.Said | e.Replied) -> Message:
    if isinstance(event, e.Said):
        return Message(role="user", text=spoken(event.text, TURN_LENGTH))
    return Message(role="assistant", text=cut(event.text, TURN_LENGTH))


def _results(exchange: Exchange, abilities: Abilities, quota: int) -> list[Message]:
    """Return what was looked up and done, then why the last answer was refused."""
    about = Situation("revise", exchange.state, looked=exchange.looked)
    messages = look_ups(about, abilities, quota)
    if exchange.problem:
        messages += [Message(role="assistant", text=cut(exchange.draft, TURN_LENGTH))] if exchange.draft else []
        messages.append(Message(role="user", text=prompts.refused(exchange.problem)))
    return messages
