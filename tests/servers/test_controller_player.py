"""The player of whole runs: from a prompt alone it decides what the validator takes, by tool call and by JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from automl_gpt.agent.decisions import DECISIONS, Decision, Situation, ToolCall
from automl_gpt.agent.llm.exchange import Abilities, Query
from automl_gpt.agent.prompts import query
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.toolbox import TOOLBOX
from tests.agent.long_run import LLM, at, decisions
from tests.servers.controller_player import SPOILS, player
from tests.servers.openai_server import FAULTS, Received, Reply
from tests.servers.read_prompt import Prompt

TOOLS, JSON = Abilities(context=32_000), Abilities(context=32_000, tools=False)
SMALL = Abilities(context=4096, output=1024)


def received(asked: Query) -> Received:
    """A query as it goes over the wire."""
    messages = [{"role": m.role, "content": m.text} for m in asked.messages]
    tools: list[Any] = [{"type": "function", "function": schema} for schema in asked.tools]
    return Received({"messages": messages, **({"tools": tools} if tools else {})}, {}, "/v1/chat/completions")


def answered(play: Callable[[Received], Reply], situation: Situation, abilities: Abilities = TOOLS) -> ToolCall:
    """The one call that a player makes."""
    reply = play(received(query(situation, abilities)))
    if abilities.tools:
        ((name, given),) = reply.calls
        return ToolCall(name, json.loads(given) if isinstance(given, str) else dict(given))
    assert not reply.calls
    written = json.loads(reply.text)
    assert set(written) == {"tool", "arguments"}
    return ToolCall(written["tool"], written["arguments"])


def events_of(call: ToolCall, situation: Situation) -> list[e.Event]:
    return validate(call, situation, LLM, lambda number: number)


@pytest.mark.parametrize("abilities", [TOOLS, JSON, SMALL], ids=["tools", "json", "4k"])
def test_every_decision_of_a_long_run_is_valid(abilities: Abilities) -> None:
    play, seen = player(), set[str]()
    for situation in decisions(20):
        events = events_of(answered(play, situation, abilities), situation)
        assert len(events) == max(len(situation.trials), situation.count if "propose" in situation.decision else 1)
        seen.add(situation.decision)
    assert seen == set(DECISIONS)


def test_proposals_differ_each_time_and_are_the_same_for_the_same_seed() -> None:
    situation = at(4, "propose_hyperparameters")
    first, again, other = player(seed=1), player(seed=1), player(seed=2)
    drawn = [answered(first, situation).arguments for _ in range(5)]
    assert len({json.dumps(d, sort_keys=True) for d in drawn}) == 5
    assert answered(again, situation).arguments == drawn[0] != answered(other, situation).arguments


def test_limits_that_the_person_set_are_kept() -> None:
    limits = (
        e.Limit(parameter="learning_rate", high=0.05),
        e.Limit(parameter="num_leaves", model="lightgbm", low=10, high=12),
    )
    situation = at(4, "propose_hyperparameters", limits=limits)
    spaces = {s.name: s for s in Prompt(received(query(situation, TOOLS))).spaces["lightgbm"]}
    assert spaces["learning_rate"].high == 0.05
    assert (spaces["num_leaves"].low, spaces["num_leaves"].high) == (10, 12)


def test_a_repeating_player_is_refused() -> None:
    situation = at(8, "propose_hyperparameters")
    play = player(repeat=True)
    first = answered(play, situation)
    assert answered(play, situation).arguments["configurations"][0]["hyperparameters"] == {}
    with pytest.raises(ToolError, match=r"is trial \d+"):
        for event in events_of(first, situation):
            situation.state.apply(event)
        events_of(answered(play, situation), situation)


@pytest.mark.parametrize("abilities", [TOOLS, JSON], ids=["tools", "json"])
@pytest.mark.parametrize("decision", sorted(DECISIONS))
def test_a_curious_player_looks_up_once_and_then_decides(decision: Decision, abilities: Abilities) -> None:
    play, situation = player(lookups=True), at(8, decision)
    call = answered(play, situation, abilities)
    result = TOOLBOX[call.name].arguments.model_validate(call.arguments)
    situation.looked.append((call, result))
    assert answered(play, situation, abilities).name == decision


def test_a_player_ends_the_run_when_it_is_told_to() -> None:
    assert answered(player(finish_after=8), at(4, "revise")).arguments["action"] == "continue"
    assert answered(player(finish_after=8), at(8, "revise")).arguments["action"] == "finish"


def test_a_player_fails_at_the_chosen_requests() -> None:
    play, situation = player(faults={1: "rate_limited", 2: Reply("mine"), 3: "twice"}), at(8, "finish")
    replies = [play(received(query(situation, TOOLS))) for _ in range(4)]
    assert replies[:2] == [FAULTS["rate_limited"], Reply("mine")]
    assert [len(r.calls) for r in replies[2:]] == [2, 1]


@pytest.mark.parametrize("decision", sorted(DECISIONS))
@pytest.mark.parametrize("spoil", sorted(SPOILS))
def test_a_spoiled_call_is_another_one_and_can_be_written_in_both_modes(spoil: str, decision: Decision) -> None:
    situation = at(8, decision)
    for abilities in (TOOLS, JSON):
        sound, spoiled = (p(received(query(situation, abilities))) for p in (player(), player(faults={1: spoil})))
        harmless = {"far_off", "numbers_as_text", "not_a_number", "other_model"}
        assert spoiled != sound or spoil in harmless
        assert spoiled.text or spoiled.calls


def test_a_conversation_is_answered_in_words() -> None:
    asked = Received({"messages": [{"role": "user", "content": "why did trial 7 overfit?"}]}, {}, "")
    assert player()(asked).text == "You said: why did trial 7 overfit?"


def test_another_talker_may_answer_it() -> None:
    def talk(_: Received) -> Reply:
        return Reply("it did not")

    assert player(talk=talk)(Received({"messages": []}, {}, "")) == Reply("it did not")
