"""What is read from a language model's answers: any form of a call that can be meant, and ToolError for the rest."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automl_gpt.agent.decisions import DECISIONS, ToolCall
from automl_gpt.agent.llm.answers import read_calls
from automl_gpt.agent.llm.coercion import fitted
from automl_gpt.agent.llm.exchange import Answer, Mode, Offer
from automl_gpt.agent.llm.loose_json import Broken, find_objects, read_value
from automl_gpt.agent.prompts.offering import LOOK_UPS, compact
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.journal.events import Call
from automl_gpt.tools.toolbox import TOOLBOX

CONFIGURATION = {"model": "trees", "hyperparameters": {"depth": 3, "rate": 0.1}, "reason": "small"}
PREDICTION = {
    **{"trial": 3, "checkpoints": [{"step": 1, "valid": 0.7, "low": 0.6, "high": 0.8}], "value": 0.8, "low": 0.7},
    **{"high": 0.9, "seconds": 2.5, "megabytes": 90.0, "train": True, "reason": "as before"},
}
GOOD: dict[str, dict[str, Any]] = {
    "assign_model": {"models": ["trees", "linear"], "reason": "they fit"},
    "propose_hyperparameters": {"configurations": [CONFIGURATION]},
    "predict_log": {"predictions": [PREDICTION]},
    "revise": {"action": "continue", "models": [], "reason": "still rising"},
    "finish": {"ensemble": True, "reason": "done"},
}


@cache
def offer(own: str | None) -> Offer:
    """What the product offers: the decision's own tool and its look-ups."""
    models = {own: DECISIONS[own]} if own else {}
    models |= {name: TOOLBOX[name].arguments for name in LOOK_UPS[own or "propose_hyperparameters"]}
    return Offer(own, {n: {"name": n, "parameters": compact(m.model_json_schema())} for n, m in models.items()})


def calls(own: str, *made: Call | tuple[str, dict[str, Any]], finish: str = "tool_calls") -> list[ToolCall]:
    whole = tuple(c if isinstance(c, Call) else Call(name=c[0], arguments=c[1]) for c in made)
    return read_calls(Answer(calls=whole, finish=finish), offer(own), "tools")


def said(own: str | None, text: str, mode: Mode = "json", finish: str = "stop") -> list[ToolCall]:
    return read_calls(Answer(text=text, finish=finish), offer(own), mode)


def raw(own: str, text: str, finish: str = "tool_calls") -> list[ToolCall]:
    return calls(own, Call(name=own, raw=text), finish=finish)


# -------------------------------------------------------------------------------------------------------- tool calls


@pytest.mark.parametrize("own", GOOD)
def test_a_good_call_is_taken_as_it_is(own: str) -> None:
    assert calls(own, (own, GOOD[own])) == [ToolCall(own, GOOD[own])]


def test_look_ups_are_all_taken_and_the_same_one_once() -> None:
    wanted = [("similar_runs", {}), ("show_trials", {}), ("similar_runs", {})]
    assert [call.name for call in calls("revise", *wanted)] == ["similar_runs", "show_trials"]


def test_the_decision_counts_and_the_look_ups_beside_it_do_not() -> None:
    made = calls("revise", ("show_trials", {}), ("revise", GOOD["revise"]), ("no_such_tool", {}))
    assert made == [ToolCall("revise", GOOD["revise"])]


def test_one_decision_that_is_called_twice_is_one() -> None:
    assert calls("finish", ("finish", GOOD["finish"]), ("finish", GOOD["finish"])) == [
        ToolCall("finish", GOOD["finish"])
    ]


@pytest.mark.parametrize(
    ("own", "key", "item"),
    [("propose_hyperparameters", "configurations", CONFIGURATION), ("predict_log", "predictions", PREDICTION)],
)
def test_several_proposals_and_several_predictions_are_joined(own: str, key: str, item: dict[str, Any]) -> None:
    other = {**item, "reason": "another"}
    assert calls(own, (own, {key: [item]}), (own, {key: other})) == [ToolCall(own, {key: [item, other]})]


def test_several_different_calls_of_another_decision_are_refused() -> None:
    with pytest.raises(ToolError, match="one call of finish, not 2"):
        calls("finish", ("finish", {"ensemble": True}), ("finish", {"ensemble": False}))


def test_an_unknown_tool_is_refused_with_those_there_are_and_the_nearest() -> None:
    with pytest.raises(
        ToolError, match=r"no tool \"propose_hyperparams\".*there are: propose.*did you mean propose_hyp"
    ):
        calls("propose_hyperparameters", ("propose_hyperparams", {}))


def test_a_name_space_before_a_tool_is_no_part_of_its_name() -> None:
    assert calls("finish", (" functions.finish", GOOD["finish"])) == [ToolCall("finish", GOOD["finish"])]


@pytest.mark.parametrize("wrapper", ["arguments", "parameters", "input"])
@pytest.mark.parametrize("written", [lambda value: value, json.dumps, lambda value: json.dumps(json.dumps(value))])
def test_arguments_that_are_wrapped_once_more_are_unwrapped(wrapper: str, written: Any) -> None:
    for own, good in GOOD.items():
        assert calls(own, (own, {wrapper: written(good)})) == [ToolCall(own, good)]
        assert calls(own, (own, {"name": own, wrapper: written(good)})) == [ToolCall(own, good)]


def test_arguments_that_are_a_json_text_in_json_are_read() -> None:
    assert raw("revise", json.dumps(json.dumps(GOOD["revise"]))) == [ToolCall("revise", GOOD["revise"])]


def test_arguments_of_two_calls_run_into_one_text_are_two() -> None:
    text = "".join(json.dumps({"predictions": [{**PREDICTION, "trial": n}]}) for n in (3, 4))
    [call] = raw("predict_log", text)
    assert [p["trial"] for p in call.arguments["predictions"]] == [3, 4]


def test_arguments_that_cannot_be_read_are_refused_with_the_place() -> None:
    with pytest.raises(ToolError, match=r"arguments of revise are no JSON object: .* at character 12: 'maybe\}'"):
        raw("revise", '{"action": maybe}')
    with pytest.raises(ToolError, match=r'no JSON object: they begin "continue"'):
        raw("revise", "continue")


def test_the_inner_part_of_broken_arguments_is_not_taken_for_them() -> None:
    with pytest.raises(ToolError, match="no JSON object"):
        raw("finish", '{"a": 1 2, "b": {"ensemble": false}}')


def test_a_broken_look_up_beside_a_whole_decision_does_not_matter() -> None:
    made = calls("finish", Call(name="show_trials", raw="{"), ("finish", GOOD["finish"]))
    assert made == [ToolCall("finish", GOOD["finish"])]
    with pytest.raises(ToolError, match="show_trials"):
        calls("finish", Call(name="show_trials", raw="{"))


def test_a_broken_decision_beside_a_whole_one_is_refused() -> None:
    with pytest.raises(ToolError, match="no JSON object"):
        calls("finish", ("finish", {"ensemble": True}), Call(name="finish", raw='{"ensemble": no}'))


def test_what_was_cut_at_the_token_limit_is_said_to_be() -> None:
    cut = json.dumps(GOOD["predict_log"])
    for end in range(1, len(cut)):
        with pytest.raises(ToolError, match="cut at the token limit; answer shorter"):
            raw("predict_log", cut[:end], finish="length")
    with pytest.raises(ToolError, match="cut at the token limit"):
        calls("revise", ("revise", {}), finish="length")
    assert raw("predict_log", cut, finish="length") == [ToolCall("predict_log", GOOD["predict_log"])]


def test_of_calls_that_were_cut_the_whole_ones_count() -> None:
    whole = ("propose_hyperparameters", {"configurations": [CONFIGURATION]})
    made = calls(whole[0], whole, Call(name=whole[0], raw='{"configurations": [{"mo'), finish="length")
    assert made == [ToolCall(*whole)]


def test_brackets_that_only_lack_their_end_are_closed_where_the_model_ended_by_itself() -> None:
    for own, good in GOOD.items():
        assert raw(own, json.dumps(good).rstrip("]}")) == [ToolCall(own, good)]
    with pytest.raises(ToolError, match="does not end"):
        raw("revise", '{"action": "continue", "reason": "sti')


def test_a_refusal_is_said_to_be_one() -> None:
    with pytest.raises(ToolError, match='refused: "I can\'t help with that"; a call of finish'):
        read_calls(Answer(refusal="I can't help with that"), offer("finish"), "tools")
    with pytest.raises(ToolError, match="refused by the server's content filter"):
        read_calls(Answer(text="{}", finish="content_filter"), offer("finish"), "json")


# ------------------------------------------------------------------------------------------------------ JSON in text

WRAPPED = [
    "{}",
    "```json\n{}\n```",
    "Let me see {{braces}} and {{a: b}}.\n```\n{}\n```\nThat's it; don't you think?",
    "<tool_call>\n{}\n</tool_call>",
    'First {{"this": "is nothing"}}, then: {}',
    '<think>{{"tool": "finish", "arguments": {{"reason": "a draft"}}}}</think> {}',
    "[{}]",
]
FORMS = [
    lambda name, arguments: {"tool": name, "arguments": arguments},
    lambda name, arguments: {"name": name, "parameters": arguments},
    lambda name, arguments: {"name": name, "arguments": json.dumps(arguments)},
    lambda name, arguments: {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}},
    lambda name, arguments: {"function": name, "arguments": arguments},
    lambda name, arguments: {"tool_calls": [{"id": "1", "function": {"name": name, "arguments": arguments}}]},
    lambda name, arguments: {name: arguments},
    lambda name, arguments: {"tool": name, **arguments},
    lambda name, arguments: arguments,
]


@pytest.mark.parametrize("around", WRAPPED)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["json", "tools"])
def test_a_call_in_the_text_is_found_whatever_its_form_and_whatever_stands_around_it(
    around: str, form: Any, mode: Mode
) -> None:
    for own, good in GOOD.items():
        assert said(own, around.format(json.dumps(form(own, good))), mode) == [ToolCall(own, good)]


def test_a_look_up_in_the_text_is_a_call() -> None:
    assert said("revise", '{"tool": "show_trials", "arguments": {}}') == [ToolCall("show_trials", {})]


def test_of_several_objects_the_first_that_fits_counts() -> None:
    text = '{"tool": "revise", "arguments": {"action": "stop"}} no: {0} or {1}'.replace(
        "{0}", json.dumps(GOOD["revise"])
    )
    assert said("revise", text.replace("{1}", '{"action": "finish", "reason": "x"}')) == [
        ToolCall("revise", GOOD["revise"])
    ]


def test_what_nearly_fits_is_handed_to_the_validator() -> None:
    assert said("revise", '{"action": "continue"}') == [ToolCall("revise", {"action": "continue"})]


def test_prose_is_refused_with_what_was_expected_and_its_beginning() -> None:
    with pytest.raises(ToolError) as refused:
        said("finish", "I think that we should finish now.\n" + "Because… " * 40, mode="tools")
    assert 'a call of finish was expected; the answer begins "I think that we should finish now. B' in str(
        refused.value
    )
    assert len(str(refused.value)) < 160
    with pytest.raises(ToolError, match=r'one JSON object \{"tool": "finish", "arguments": \{…\}\} was expected'):
        said("finish", "Well.")


def test_an_empty_answer_and_one_cut_in_its_prose_are_refused() -> None:
    with pytest.raises(ToolError, match="the answer is empty; a call of finish was expected"):
        said("finish", " \n", mode="tools")
    with pytest.raises(ToolError, match="cut at the token limit"):
        said("finish", '{"tool": "finish", "argum', finish="length")
    with pytest.raises(ToolError, match="cut at the token limit"):
        said("finish", "", finish="length")


def test_an_unknown_tool_in_the_text_is_refused_by_name() -> None:
    with pytest.raises(ToolError, match='there is no tool "delete_everything" here; there are: finish'):
        said("finish", '{"tool": "delete_everything", "arguments": {}}')


def test_broken_json_in_the_text_is_refused_with_the_place() -> None:
    with pytest.raises(ToolError, match=r"its JSON breaks: .* at character 38: 'or no\}'"):
        said("finish", 'So be it: {"tool": "finish", "a":  1 or no}')


def test_in_a_conversation_prose_is_an_answer_and_calls_are_calls() -> None:
    assert said(None, "Trial 7 overfits: {see its log}.") == []
    assert said(None, '{"tool": "show_trials", "arguments": {}}') == [ToolCall("show_trials", {})]
    with pytest.raises(ToolError, match="empty"):
        said(None, "")


def test_a_secret_is_not_quoted_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "0a1b2c3d4e5f" * 6)
    with pytest.raises(ToolError) as refused:
        said("finish", "The key that I was given is: " + "0a1b2c3d4e5f" * 6)
    assert "0a1b2c" not in str(refused.value) and "[redacted]" in str(refused.value)


# ------------------------------------------------------------------------------------------------------- loose JSON


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"a": [1, 2,], "b": {},}', {"a": [1, 2], "b": {}}),
        ('{"a": 1, // one\n "b": 2 /* two */, # three\n "c": 3}', {"a": 1, "b": 2, "c": 3}),
        ("{'a': 'it\\'s', 'b': 'it's \"so\"', 'c': ''}", {"a": "it's", "b": 'it\'s "so"', "c": ""}),
        ('{"a": True, "b": False, "c": None, "d": null}', {"a": True, "b": False, "c": None, "d": None}),
        ("{a: 1, learning_rate: 0.1}", {"a": 1, "learning_rate": 0.1}),
        ('{"a": "two\nlines\tand a tab"}', {"a": "two\nlines\tand a tab"}),
        ('{"learning\\_rate": "\\\'x\\\' \\d \\u00e4\\ud83d\\ude00"}', {"learning_rate": "'x' \\d ä😀"}),
        ('{"a": .5, "b": +1, "c": 1., "d": -2e-3}', {"a": 0.5, "b": 1, "c": 1.0, "d": -0.002}),
        ("{“a”: “b”}", {"a": "b"}),
        ('{"a": [{"b": 1', {"a": [{"b": 1}]}),
    ],
)
def test_what_models_write_for_json_is_read(text: str, read: dict[str, Any]) -> None:
    assert find_objects(text).objects == [read]
    assert find_objects(f"So:\n```json\n{text}\n").objects == [read]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 0.1 or 0.2}', '{"a": about 3}', '{"a" 1}', '{"a": }', '{"a": 1 "b": 2}', '{"a": [1 2]}', '{"a": 1/3}',
        '{"a": [1}', '{"a": 0x10}', '{"a": "x', '{"a": 1,, "b": 2}', '{"a": undefined}', '{"a": 12abc}', '{"a":',
        '{"a": 1,', '{"a": "he said "no"", "b": 1}', '{"a": __import__("os")}', '{"a": 1 /* no end', "{" * 2000,
        '{"a": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    found = find_objects(text)
    assert found.objects == [] and found.broken is not None
    with pytest.raises(Broken):
        read_value(text)


def test_nan_and_infinity_stay_what_they_are_for_the_validator_to_refuse() -> None:
    [read] = find_objects('{"a": NaN, "b": -Infinity}').objects
    assert math.isnan(read["a"]) and read["b"] == -math.inf
    assert raw("predict_log", json.dumps({"predictions": [{**PREDICTION, "value": math.inf}]}).replace("{", "{ ", 1))


def test_a_number_at_the_end_of_a_cut_text_may_be_a_part_of_one() -> None:
    assert find_objects('{"a": 1', cut=True).objects == []
    assert find_objects('{"a": {"b": 1}', cut=True).objects == []


# -------------------------------------------------------------------------------------------------------- coercions


def test_arguments_are_made_to_fit_where_that_loses_nothing() -> None:
    given_ = {**PREDICTION, "trial": "3", "value": "0.8", "seconds": 2, "checkpoints": None}
    given_["checkpoints"] = {"step": 1.0, "valid": "7e-1", "low": 0.6, "high": 0.8}
    assert calls("predict_log", ("predict_log", {"predictions": given_})) == [
        ToolCall("predict_log", {"predictions": [{**PREDICTION, "seconds": 2}]})
    ]


def test_a_list_that_is_written_as_json_text_is_read() -> None:
    arguments = {"configurations": json.dumps([{**CONFIGURATION, "hyperparameters": json.dumps({"depth": 3})}])}
    [call] = calls("propose_hyperparameters", ("propose_hyperparameters", arguments))
    assert call.arguments == {"configurations": [{**CONFIGURATION, "hyperparameters": {"depth": 3}}]}


def test_null_stands_for_a_field_that_may_be_left_out() -> None:
    schema = offer("revise").schemas["revise"]["parameters"]
    assert fitted({"action": "continue", "models": None, "reason": None}, schema) == {
        "action": "continue",
        "reason": None,
    }


@pytest.mark.parametrize("value", ["about 3", "1,5", "", " ", "0x3", 3.5, True, [3], {"a": 3}, "٣", "1_0", "nan"])
def test_what_is_no_whole_number_stays_as_it_is(value: object) -> None:
    arguments = {"predictions": [{**PREDICTION, "trial": value}]}
    [call] = calls("predict_log", ("predict_log", arguments))
    assert call.arguments["predictions"][0]["trial"] is value


@pytest.mark.parametrize("value", [-5, 0, 1e300, 10**30])
def test_what_is_out_of_range_is_not_clamped(value: float) -> None:
    [call] = calls("predict_log", ("predict_log", {"predictions": [{**PREDICTION, "seconds": value}]}))
    assert call.arguments["predictions"][0]["seconds"] == value


# -------------------------------------------------------------------------------------------------------- properties

STEADY = settings(derandomize=True, database=None, deadline=None)
"""The same examples in every run, and no limit on the time of one: the machine may be busy."""

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXTS, v, max_size=4), max_leaves=12)


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a compact schema."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("properties"):
        must = set(schema.get("required", ()))
        parts = {name: of_schema(part) for name, part in schema["properties"].items()}
        need = {name: part for name, part in parts.items() if name in must}
        return st.fixed_dictionaries(need, optional={n: p for n, p in parts.items() if n not in must})
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": TEXTS,
        "integer": st.integers(-(2**60), 2**60),
        "number": NUMBERS,
        "boolean": st.booleans(),
        "object": st.dictionaries(TEXTS, st.booleans() | NUMBERS | TEXTS, max_size=3),
    }
    if schema.get("type") == "array":
        return st.lists(of_schema(schema["items"]), max_size=3)
    return kinds[schema["type"]]


DECIDED = st.one_of(st.tuples(st.just(own), of_schema(offer(own).schemas[own]["parameters"])) for own in GOOD)
PROSE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters='{}"“'), max_size=40)
ROUGH = st.lists(
    st.sampled_from([*"{}[]\":,\\\n'`/*#-.eE0 ", "“", "null", "NaN", '{"tool":', '"finish"', "```json", "<tool_call>"])
    | st.text(max_size=3)
).map("".join)


def python_words(text: object) -> str:
    return repr(text)


SPELLINGS = [
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False, indent=2),
    lambda value: json.dumps(value, separators=(",", ":")),
    python_words,
]


@settings(STEADY, max_examples=200)
@given(value=VALUES, spelling=st.sampled_from(SPELLINGS))
@example(value={"a": "'", "b": '"', "c": "'\"\\"}, spelling=python_words)
@example(value={"a": 1e22, "b": -0.0, "c": "\x7f\xa0\u2028"}, spelling=python_words)
def test_every_json_value_is_read_as_it_was_written(value: Any, spelling: Any) -> None:
    assert json.dumps(read_value(spelling(value))) == json.dumps(value)


@settings(STEADY, max_examples=80)
@given(
    decided=DECIDED, form=st.sampled_from(FORMS[:-1]), spelling=st.sampled_from(SPELLINGS[:3]),
    fence=st.sampled_from(["{}", "```json\n{}\n```", "<tool_call>{}</tool_call>"]), before=PROSE, after=PROSE,
)  # fmt: skip
def test_every_decision_survives_its_way_through_prose(
    decided: tuple[str, dict[str, Any]], form: Any, spelling: Any, fence: str, before: str, after: str
) -> None:
    own, arguments = decided
    text = f"{before}\n{fence.replace('{}', spelling(form(own, arguments)))}\n{after}"
    # An object with nothing but a tool's name is a call only where it says so.
    [call] = said(own, text)
    assert json.dumps(call.arguments, sort_keys=True) == json.dumps(arguments, sort_keys=True)


@settings(STEADY, max_examples=80)
@given(decided=DECIDED, spelling=st.sampled_from(SPELLINGS))
def test_every_decision_survives_as_a_call_that_is_no_json_yet(
    decided: tuple[str, dict[str, Any]], spelling: Any
) -> None:
    own, arguments = decided
    [call] = raw(own, spelling(arguments) or "{}")
    assert call == ToolCall(own, arguments)


FIELDS = st.sampled_from(["configurations", "models", "trial", "action", "reason", "arguments", "input", "extra"])


@settings(STEADY, max_examples=200)
@given(read=st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=3)), own=st.sampled_from([*GOOD]))
def test_coercion_invents_no_field_and_a_second_time_changes_nothing(read: dict[str, Any], own: str) -> None:
    schema = offer(own).schemas[own]["parameters"]
    once = fitted(read, schema)
    assert fitted(once, schema) == once
    within = [value.keys() for value in read.values() if isinstance(value, dict)]
    assert any(once.keys() <= keys for keys in (read.keys(), *within))


@settings(STEADY, max_examples=300)
@given(
    text=ROUGH | st.text(), own=st.sampled_from([*GOOD, None]), mode=st.sampled_from(["json", "tools"]),
    finish=st.sampled_from(["stop", "length", "tool_calls", ""]), as_call=st.booleans(),
)  # fmt: skip
def test_any_text_gives_calls_or_a_tool_error(
    text: str, own: str | None, mode: Mode, finish: str, as_call: bool
) -> None:
    made = (Call.model_construct(name=own or "show_trials", raw=text, arguments={}),) if as_call else ()
    try:
        read = read_calls(Answer(text=text, calls=made, finish=finish), offer(own), mode)
    except ToolError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert all(call.name in offer(own).schemas for call in read)


@pytest.mark.parametrize(
    "unit", ["{", '"', '{"a":', '[{"a":', '{"', "{'", '{"a":1,/*', "{#", "{a:{b:1,c", '{"a":1}', '{"arguments":"', "1"]
)
def test_the_longest_answers_are_read_within_seconds(unit: str) -> None:
    text = '{"predictions": [' + (unit * 400_000)[:400_000]
    since = time.monotonic()
    with suppress(ToolError):
        said("predict_log", text)
    with suppress(ToolError):
        raw("predict_log", text)
    assert time.monotonic() - since < 20
