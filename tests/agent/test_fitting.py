"""How long prompts are: within 3,000 tokens and every context, and mostly the same from one decision to the next."""

from __future__ import annotations

import json

import pytest

from automl_gpt.agent import prompts
from automl_gpt.agent.decisions import DECISIONS, Situation, ToolCall
from automl_gpt.agent.llm.exchange import Abilities, Query
from automl_gpt.agent.prompts.examples import choose_examples
from automl_gpt.agent.prompts.fitting import LONGEST, answer_tokens, newest, room, shortened, tokens
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.experience import Similar
from tests.agent.long_run import at, decisions

BOTH = pytest.mark.parametrize("tools", [True, False], ids=["tools", "json"])


def serialised(query: Query) -> str:
    """The request in the order in which it is read: tools, system, user."""
    tools = json.dumps(query.tools, ensure_ascii=False) if query.tools else ""
    return tools + "".join(message.text for message in query.messages)


def in_common(before: str, after: str) -> float:
    """The share of a text that is the same from its start on as in an earlier one."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    return same / len(after)


# ------------------------------------------------------------------------------------------------- the figures promised


@BOTH
@pytest.mark.parametrize("context", [4096, 8192, 128_000])
def test_no_prompt_of_a_run_with_eight_models_is_longer_than_3000_tokens(context: int, tools: bool) -> None:
    abilities = Abilities(context=context, tools=tools)
    for asked in decisions(30):
        query = prompts.query(asked, abilities)
        assert tokens(serialised(query)) <= LONGEST == 3000


@BOTH
@pytest.mark.parametrize("context", [4096, 8192])
def test_70_percent_of_every_prompt_are_those_of_the_previous_one_of_its_kind(context: int, tools: bool) -> None:
    before: dict[str, str] = {}
    shares: list[float] = []
    for asked in decisions(30):
        text = serialised(prompts.query(asked, Abilities(context=context, tools=tools)))
        if asked.decision in before:
            shares.append(in_common(before[asked.decision], text))
        before[asked.decision] = text
    assert len(shares) > 15
    assert min(shares) >= 0.7


@BOTH
@pytest.mark.parametrize("context", [2048, 3000, 4096, 6000, 8192])
def test_request_and_answer_fit_in_the_context_together(context: int, tools: bool) -> None:
    abilities = Abilities(context=context, tools=tools)
    for asked in decisions(12):
        asked.problem = "rate = 99 is not legal; legal: 0.001 to 1"
        query = prompts.query(asked, abilities)
        assert tokens(serialised(query)) + query.tokens_out <= context


@BOTH
def test_much_experience_and_many_words_still_fit_in_4k(tools: bool) -> None:
    asked = at(20, "propose_hyperparameters", require="as small as it can be " * 40)
    for i in range(40):
        asked.state.apply(e.Said(text=f"wish {i}: " + "smaller learning rates please " * 9))
    text = prompts.query(asked, Abilities(context=4096, tools=tools))
    assert tokens(serialised(text)) + text.tokens_out <= 4096
    assert "wish 39" in serialised(text)
    assert "wish 0:" not in serialised(text)


@pytest.mark.parametrize("context", [0, 1, 256, 700, 1024])
@pytest.mark.parametrize("decision", list(DECISIONS))
def test_in_a_hopeless_context_question_rules_and_own_tool_remain(decision: str, context: int) -> None:
    query = prompts.query(at(8, decision), Abilities(context=context))
    text = serialised(query)
    assert f"## Decision: {decision}" in text
    assert "never an instruction" in text
    assert [tool["name"] for tool in query.tools] == [decision]
    assert query.tokens_out >= 1


# ------------------------------------------------------------------------------------------------- what goes first


def test_in_a_small_context_look_ups_go_before_the_data_do() -> None:
    asked = at(12, "propose_hyperparameters")
    small, large = (prompts.query(asked, Abilities(context=c)) for c in (4096, 8192))
    assert len(small.tools) == 1 < len(large.tools)
    assert small.messages[1].text.count("- ««") >= large.messages[1].text.count("- ««") >= 14


@BOTH
@pytest.mark.parametrize("context", [4096, 8192])
@pytest.mark.parametrize("decision", list(DECISIONS))
def test_4k_hold_all_columns_with_statistics_all_rules_and_a_table(decision: str, context: int, tools: bool) -> None:
    text = serialised(prompts.query(at(20, decision), Abilities(context=context, tools=tools)))
    assert text.count(" levels") == 8 and text.count(", sd ") == 6
    assert "The test split is evaluated once" in text
    assert decision == "assign_model" or text.count(" | sampler") >= 2


def test_less_context_never_tells_more_of_the_cards() -> None:
    asked = at(12, "predict_log")
    lengths = [
        len(prompts.query(asked, Abilities(context=c)).messages[1].text.partition("## Request")[0])
        for c in (1500, 2048, 2600, 3200, 4096)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1] / 2


@pytest.mark.parametrize("context", [2048, 4096, 8192])
@pytest.mark.parametrize("decision", ["propose_hyperparameters", "predict_log", "revise"])
def test_the_stable_part_is_the_same_all_through_a_run(decision: str, context: int) -> None:
    told = {
        prompts.query(asked, Abilities(context=context)).messages[1].text.partition("\n\n## Request")[0]
        for asked in decisions(30)
        if asked.decision == decision
    }
    assert len(told) == 1


# ------------------------------------------------------------------------------------------------------------ look-ups


@BOTH
@pytest.mark.parametrize("context", [2048, 4096, 5000, 8192])
def test_results_of_look_ups_fit_the_newest_first(context: int, tools: bool) -> None:
    asked = at(12, "propose_hyperparameters")
    found = Similar(trials=tuple(choose_examples(asked.state, asked, 40)))
    asked.looked = [(ToolCall("similar_runs", {"limit": i}), found) for i in range(1, 25)]
    query = prompts.query(asked, Abilities(context=context, tools=tools))
    assert tokens(serialised(query)) + query.tokens_out <= context
    limits = [call.arguments["limit"] for m in query.messages for call in m.calls]
    if tools and context > 4096:
        assert limits[-1] == 24
        assert limits == sorted(limits)


def test_an_answer_about_more_trials_may_be_longer_within_bounds() -> None:
    wide = Abilities(context=32_000, output=8000)
    lengths = [answer_tokens("predict_log", n, wide) for n in (1, 4, 50)]
    assert lengths == [300, 840, 1500]
    assert answer_tokens("predict_log", 4, Abilities(output=500)) == 500
    assert answer_tokens("predict_log", 4, Abilities(context=2000)) == 600


# ----------------------------------------------------------------------------------------------------------- the parts


def test_tokens_are_rather_overestimated() -> None:
    assert tokens("") == 0
    assert tokens("a" * 32) == 10
    assert tokens("数据" * 10) > 10


def test_the_newest_texts_get_their_length_first() -> None:
    assert newest([5, 5, 5], 12) == [2, 5, 5]
    assert newest([5, 5, 5], 4) == [0, 0, 4]
    assert newest([], 4) == []


def test_a_text_is_shortened_until_it_fits_or_left_out() -> None:
    assert tokens(shortened(lambda n: "x" * n, 2000, 200)) <= 200
    assert len(shortened(lambda n: "x" * n, 2000, 200)) > 400
    assert shortened(lambda n: "x" * n, 2000, 10) == ""


def test_look_ups_are_offered_where_their_results_find_room() -> None:
    offered = {c: room("predict_log", 4, Abilities(context=c)).looks for c in (2048, 4096, 5000, 8192)}
    assert offered == {2048: False, 4096: False, 5000: True, 8192: True}


def test_the_shape_of_a_request_depends_on_the_decision_and_not_on_how_many_trials_are_asked_for() -> None:
    few, many = (room("predict_log", n, Abilities(context=4096)) for n in (1, 4))
    assert few == many


def test_a_situation_without_any_trial_or_experience_fits_too() -> None:
    asked = at(0, "assign_model")
    asked.state.experience = None
    bare = Situation("assign_model", asked.state, asked.eligible)
    assert tokens(serialised(prompts.query(bare, Abilities()))) < LONGEST
