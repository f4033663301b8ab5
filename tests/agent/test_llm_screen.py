"""What a person sees of a language model's work: lines, answers, a status while it thinks, who decided what."""

from __future__ import annotations

import io
import random
import re
import runpy
import threading
from pathlib import Path
from typing import Any

import pexpect
import pytest
from rich.cells import cell_len
from rich.console import Console

from automl_gpt.agent import screen as s
from automl_gpt.agent.ledger import Usage
from automl_gpt.agent.screen.budgets import money_words, usd
from automl_gpt.agent.screen.live import LiveView, typed_line
from automl_gpt.agent.screen.reply import Reply
from automl_gpt.agent.screen.text import UNICODE, faithful
from automl_gpt.agent.screen.thinking import Thought
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

HERE = Path(__file__).parent
RECORDED: dict[str, Any] = runpy.run_path(str(HERE / "recorded_run.py"))
TERMINAL: dict[str, Any] = runpy.run_path(str(HERE / "test_chat.py"))
recorded, conversing, HOSTILE = RECORDED["recorded"], RECORDED["conversing"], RECORDED["HOSTILE"]
SCRIPT, CONTROL_C = TERMINAL["SCRIPT"], "\x03"
MODEL = "openai:gpt-x"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(width: int = 60, terminal: bool = False, encoding: str = "utf-8") -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True, newline="")
    return Console(
        file=stream, width=width, height=40, force_terminal=terminal, highlight=False,
        color_system="standard" if terminal else None, _environ={},
    )  # fmt: skip


def written(on: Console) -> str:
    raw: Any = on.file
    return raw.buffer.getvalue().decode(raw.encoding)


@pytest.fixture
def state() -> RunState:
    events: list[e.Event] = recorded()
    found = RunState("loans-1", events[0], events[0].request)  # type: ignore[arg-type]
    for event in events[1:]:
        found.apply(event)
    return found


def shown(state: RunState, *events: e.Event, terminal: bool = False, width: int = 60) -> str:
    """What is printed of some events that happen now."""
    on = console(width, terminal)
    with s.Screen(on, live=terminal) as screen:
        for event in events:
            state.apply(event)
            screen.show(event, state)
    return written(on)


# ------------------------------------------------------------------------------------------------------------- lines


def test_a_failure_is_its_own_words_in_yellow_and_a_quick_answer_is_silent(state: RunState) -> None:
    asked, _, again, failed, _ = conversing(MODEL)
    quick = e.LLMAnswered(call=1, seconds=9)
    assert shown(state, asked, quick, again, failed) == f"{MODEL}: too many requests; asked again in 2 s\n"
    assert "\x1b[33mopenai:gpt-x: too many" in shown(state, failed, terminal=True)


def test_a_slow_answer_gets_a_line(state: RunState) -> None:
    asked, answered, *_ = conversing(MODEL)
    assert shown(state, asked, answered) == f"{MODEL}: answered after 12 s\n"


def test_a_switch_tells_who_decides_now_and_why(state: RunState) -> None:
    there = e.ControllerSwitched(to="builtin", reason="no connection")
    back = e.ControllerSwitched(to=MODEL, reason="it answers again")
    assert shown(state, back) == f"{MODEL} decides: it answers again\n"
    assert shown(state, there, back).splitlines() == [
        "now the built-in controller decides: no connection",
        f"{MODEL} decides again: it answers again",
    ]


def test_a_request_that_fails_again_for_the_same_reason_gets_no_second_line(state: RunState) -> None:
    asked, *_ = conversing(MODEL)
    other = asked.model_copy(update={"messages": (), "call": 3})
    tried = [asked.model_copy(update={"call": 1}), asked.model_copy(update={"call": 2}), other]
    failed = [e.LLMAnswered(call=number, failure="network", words="nothing answers") for number in (1, 2, 3)]
    told = [shown(state, question, answer) for question, answer in zip(tried, failed, strict=True)]
    assert told == ["nothing answers\n", "", "nothing answers\n"]


def test_a_switch_does_not_repeat_the_failure_that_led_to_it(state: RunState) -> None:
    asked, *_ = conversing(MODEL)
    failed = e.LLMAnswered(call=1, failure="timeout", words="gpt-x gave no answer in 3 s")
    away = e.ControllerSwitched(to="builtin", reason=f"{failed.words}; gpt-x is tried again in 10 s")
    assert shown(state, asked, failed, away).splitlines() == [
        "gpt-x gave no answer in 3 s",
        "now the built-in controller decides; gpt-x is tried again in 10 s",
    ]


@pytest.mark.parametrize(
    ("what", "share", "limit", "line", "style"),
    [
        ("tokens", 0.8, 20000, "tokens: 80% of 20,000 used", "33"),
        ("seconds", 0.5, 600, "time: 50% of 10:00 min used", "2"),
        ("cost_usd", 1.0, 0.5, "money: 100% of 0.5 USD used", "33"),
    ],
)  # fmt: skip
def test_a_budget_warning_is_one_line_dim_at_half(
    state: RunState, what: Any, share: float, limit: float, line: str, style: str
) -> None:
    warned = e.BudgetWarned(what=what, share=share, used=share * limit, limit=limit)
    assert shown(state, warned, terminal=True).startswith(f"\x1b[{style}m{line}")


def test_what_is_only_for_the_journal_is_not_printed(state: RunState) -> None:
    prediction = state.trials[3].prediction
    assert prediction is not None
    shadow = e.ShadowPredicted(trial=3, log=prediction.log, value=0.5, low=0.4, high=0.6, seconds=1)
    assert shown(state, shadow, e.DecisionAsked(decision="revise", by=MODEL), conversing(MODEL)[0]) == ""


def test_hostile_words_of_a_failure_neither_style_nor_steer(state: RunState) -> None:
    text = shown(state, e.LLMAnswered(call=1, failure="x", words=f"a\x1b[2Jb [bold]{HOSTILE}"), terminal=True)
    assert "[bold][red]pa?[31mid" in text and "\x1b[2J" not in text and "\x07" not in text


# ----------------------------------------------------------------------------------------------------------- answers

ANSWER = "# Why\n\nTrial **7** overfits:\n\n- *train* 0.99\n- valid 0.80\n\n```python\nx  =  1\n```\n"


def test_an_answer_is_markdown_on_a_terminal_and_the_plain_words_in_a_pipe(state: RunState) -> None:
    said = e.Replied(text=ANSWER, by=MODEL)
    assert shown(state, said) == f"{MODEL}:\n{ANSWER}"
    on_terminal = ESCAPE.sub("", shown(state, said, terminal=True))
    assert "**" not in on_terminal and "```" not in on_terminal and "#" not in on_terminal
    assert "Trial 7 overfits" in on_terminal and "• train 0.99" in on_terminal
    assert max(cell_len(line) for line in on_terminal.splitlines()) <= 60


def test_a_link_shows_where_it_leads_and_no_terminal_link_is_made(state: RunState) -> None:
    text = shown(state, e.Replied(text="see [the docs](https://evil.example/x)", by=MODEL), terminal=True)
    assert "the docs (https://evil.example/x)" in ESCAPE.sub("", text)
    assert "\x1b]8" not in text


def test_html_in_an_answer_is_text_like_any_other(state: RunState) -> None:
    text = ESCAPE.sub(
        "", shown(state, e.Replied(text="a <b>c</b> </kbd>\n\n<div>\nd\n</div>", by=MODEL), terminal=True)
    )
    assert "a <b>c</b> </kbd>" in text and "<div>" in text


def test_escapes_in_an_answer_do_not_reach_the_terminal(state: RunState) -> None:
    text = shown(
        state, e.Replied(text="a\x1b]0;title\x07b\x1b[2J\x9b31mc\u202ed\r\x08e `\x1b[31m`", by=MODEL), terminal=True
    )
    rest = ESCAPE.sub("", text.replace("\x1b]", "BAD"))
    assert "BAD" not in rest and not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", rest)
    assert "\x1b[2J" not in text


def test_whatever_a_model_writes_can_be_shown() -> None:
    chance = random.Random(0)
    pieces = ["*", "_", "`", "```", "[", "]( ", ")", "!", "<", ">", "</kbd>", "<kbd>", "#", "-", "1.", "|", "a", "\\"]
    pieces += ["&amp;", "~~", "http://x", "[red]", "[/red]", "\u00e9", "\u6570"]
    pieces += ["\n", "\n\n", "    ", "\t", "|-|-|\n", "\x00", "\x1b[31m"]
    for _ in range(400):
        on = console(terminal=True)
        on.print(Reply("".join(chance.choices(pieces, k=chance.randrange(60)))))
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", ESCAPE.sub("", written(on)))


def test_an_endless_answer_is_cut() -> None:
    on = console()
    on.print(Reply("word " * 1_000_000))
    assert len(written(on)) < 30_000 and "4,980,000 more characters" in written(on)


def test_ascii_outputs_get_the_plain_words() -> None:
    on = console(terminal=True, encoding="ascii")
    s.Screen(on, live=False).print(Reply("- one\n- two"))
    assert written(on) == "- one\n- two\n"


def test_words_are_kept_blank_for_blank() -> None:
    assert faithful("a  b\n\n\tc \x1b[1m\r\nd") == ["a  b", "", "    c ?[1m", "d"]


# --------------------------------------------------------------------------------------------------- while it thinks


def test_a_status_shows_who_thinks_and_the_end_of_what_came_and_leaves_nothing(state: RunState) -> None:
    on = console(terminal=True)
    with s.Screen(on, live=True) as screen:
        screen.show(conversing(MODEL)[0], state)
        screen.thinking(MODEL, "x" * 5000 + "\nthe last \x1b[31mwords")
        screen.stage._status._live.refresh()  # type: ignore[union-attr]
        screen.thinking(MODEL, "")
        end = len(written(on))
        screen.print("after")
    text = ESCAPE.sub("", written(on)[:end])
    assert re.search(r"openai:gpt-x decides … 0\.\d s", text)
    assert "the last ?[31mwords" in text and "\x1b[31mwords" not in written(on)
    assert max(cell_len(line) for line in re.split(r"[\r\n]", text)) < 60
    assert written(on)[end:] == "after\n"


def test_on_a_pipe_and_on_a_dumb_terminal_nobody_is_seen_thinking(state: RunState) -> None:
    on = console()
    with s.Screen(on, live=True) as screen:
        screen.thinking(MODEL, "words")
        screen.thinking(MODEL, "")
    assert written(on) == ""


def test_an_answer_to_the_person_is_told_from_a_decision(state: RunState) -> None:
    asked = conversing(MODEL)[0].model_copy(update={"purpose": "conversation"})
    assert "openai:gpt-x answers …" in ESCAPE.sub("", shown(state, asked, terminal=True))


def test_in_the_live_view_the_thought_stands_in_a_line_of_its_own(state: RunState) -> None:
    on, thought = console(terminal=True), Thought(UNICODE)
    view = LiveView(on, UNICODE, lambda: 5.0, thought)
    view._picture.draw(state, 60, 39)
    counts = set[int]()
    for who, text in (("", ""), (MODEL, "text"), ("provider:" + "x" * 100, "text")):
        thought.hear(who, text)
        with on.capture() as captured:
            on.print(view._picture)
        lines = ESCAPE.sub("", captured.get()).splitlines()
        assert (" decides … 0." in lines[2]) == bool(who) and cell_len(lines[2]) < 60
        counts.add(len(lines))
    assert len(counts) == 1


def test_the_view_ends_cleanly_while_its_clock_ticks_and_others_print(state: RunState) -> None:
    on = console(terminal=True)
    before = threading.active_count()
    with s.Screen(on, live=True) as screen:
        screen.stage.start(state)
        for number in range(50):
            screen.print(f"line {number}")
            screen.thinking(MODEL, f"text {number}")
    assert threading.active_count() == before
    assert all(f"line {number}" in written(on) for number in range(50))
    assert written(on).rstrip().endswith("\x1b[2K"), "nothing of the view is left"


def test_a_question_clears_the_stage_and_the_view_comes_back(state: RunState) -> None:
    on = console(terminal=True)
    with s.Screen(on, live=True) as screen:
        screen.stage.start(state)
        with screen.aside():
            assert not screen.stage.live
        assert screen.stage.live
    assert not screen.stage.live


def test_the_line_that_is_typed_shows_its_end() -> None:
    assert typed_line("abc", 30).plain == "you> abc "
    long = typed_line("数据" * 40 + "end", 30).plain
    assert long.startswith("you> ") and long.endswith("end ") and cell_len(long) <= 31


# ------------------------------------------------------------------------------------------ who decided, and the cost


@pytest.fixture
def mixed(state: RunState) -> RunState:
    """The run as if a language model had proposed trial 3, and predicted trial 2."""
    state.trials[3].proposal = state.trials[3].proposal.model_copy(update={"by": MODEL})
    prediction = state.trials[2].prediction
    assert prediction is not None
    state.trials[2].prediction = prediction.model_copy(update={"by": MODEL})
    return state


def test_a_wide_table_tells_who_proposed_and_who_predicted(mixed: RunState) -> None:
    on = console(120)
    on.print(s.trials_table(mixed, 120))
    lines = written(on).splitlines()
    assert lines[0].split()[-1] == "by"
    assert lines[2].split()[-1] == "builtin" and lines[3].split()[-1] == "builtin/gpt-x"
    assert lines[4].split()[-1] == "gpt-x/builtin"


@pytest.mark.parametrize("width", [60, 80, 96, 120])
def test_the_table_with_who_is_not_wider_than_it_may_be(mixed: RunState, width: int) -> None:
    on = console(400)
    on.print(s.trials_table(mixed, width))
    assert max(cell_len(line.rstrip()) for line in written(on).splitlines()) <= width


def test_a_run_of_the_built_in_controller_alone_needs_no_such_column(state: RunState) -> None:
    on = console(120)
    on.print(s.trials_table(state, 120))
    assert written(on).splitlines()[0].split()[-1] == "status"


def test_the_scorecard_sets_the_built_in_forecasts_beside_the_models(state: RunState) -> None:
    card = e.Scorecard(
        trials=12, mae=0.02, coverage=0.8, rank_correlation=0.5, verdict="The built-in ones were better.",
        shadow_trials=10, shadow_mae=0.01, shadow_coverage=0.9, shadow_rank_correlation=0.7,
    )  # fmt: skip
    on = console(120)
    on.print(s.scorecard_panel(card))
    text = written(on)
    assert re.search(
        r"built-in +its own forecasts of 10 trials that the language model predicted: mean error 0\.0100, "
        r"coverage 90%, rank\s+correlation 0\.70",
        text,
    )
    assert "The built-in ones were better." in text
    on = console(60)
    on.print(s.scorecard_panel(card.model_copy(update={"shadow_trials": 0})))
    assert "built-in  " not in written(on)


def test_money_is_known_in_part_or_not_at_all() -> None:
    assert money_words(Usage(calls=2, cost_usd=0.0123)) == "0.012 USD"
    assert money_words(Usage(calls=2, cost_usd=0.0), 0.5) == "0.00 USD of 0.5 USD"
    assert money_words(Usage(calls=2, cost_usd=None)) == "unknown price"
    known = money_words(Usage(calls=2, cost_usd=None, known_usd=0.25), 2.0)
    assert known == "unknown price; 0.25 USD of 2.00 USD for the calls with a known price"
    assert usd(1234.5) == "1,234.50 USD"


# ------------------------------------------------------------------------------------------------- in a real terminal


@pytest.fixture
def at_terminal(tmp_path: Path) -> Any:
    """Open chats with the pretended session in terminals of their own."""
    opened: list[Any] = []

    def open_chat(delay: str, width: int = 60, *cards: str) -> Any:
        opened.append(TERMINAL["Terminal"](tmp_path, width, SCRIPT, delay, *cards))
        return opened[-1]

    yield open_chat
    for chat in opened:
        chat.child.close(force=True)


def test_one_can_type_while_it_trains_and_the_answer_comes_above_the_view(at_terminal: Any) -> None:
    chat = at_terminal("0.2", 60, "iris")
    chat.type("/go\r", "[a]lways")
    chat.type("y\r", "running")
    chat.type("/wh\x7fhy 1", "you> /why 1")
    chat.type("\r", "reason 1")
    chat.type("grüße\x15/go\r", "stop first: Ctrl-C")
    chat.type("/bud", "you> /bud")
    lines = chat.screen.display
    assert [i for i, line in enumerate(lines) if "you> /bud" in line][-1] > [
        i for i, line in enumerate(lines) if "roc_auc best" in line
    ][-1]
    chat.child.send(CONTROL_C)
    chat.expect("stopped; /go goes on")
    chat.expect("you> /bud")
    chat.type("get 9m\r", "budget 9:00 min")
    chat.type("\x15/quit\r", "/quit")
    chat.child.expect(pexpect.EOF)


def test_the_word_stop_typed_meanwhile_stops_the_training(at_terminal: Any) -> None:
    chat = at_terminal("0.2", 60, "iris")
    chat.type("/go\r", "[a]lways")
    chat.type("y\r", "running")
    chat.type("stop\r", "stopped; /go goes on")


def test_an_edit_is_prefilled_in_place(at_terminal: Any) -> None:
    chat = at_terminal("0", 60, "iris")
    chat.type("/go\r", "[a]lways")
    chat.type("e\r", "trial to edit [1]:")
    chat.type("\r", "trial 1 baseline: rounds=41")
    chat.type("\x7f\x7f9999\r", "not legal; legal: 1 to 500")
    chat.expect("trial 1 baseline: rounds=9999")
    chat.type("\x7f\x7f\r", "taken back: trial 1")
    chat.type("no\r", "not trained; the plan is kept")
    assert max(map(cell_len, chat.shown().splitlines())) <= 60


def test_a_model_is_seen_deciding_before_anything_trains(at_terminal: Any) -> None:
    chat = at_terminal("0.3")
    chat.type("/data iris\r", "/go trains")
    chat.type(f"/controller {MODEL}\r", "controller openai:gpt-x at models.example")
    chat.type("/go\r", "openai:gpt-x decides …")
    chat.expect("I look at the ?[31mcards")
    chat.expect("now the built-in controller decides")
    chat.expect("Train? [y]es / [e]dit / [n]o / [a]lways")
    assert "decides …" not in chat.shown() and "I look at" not in chat.shown()


@pytest.mark.parametrize("doing", ["prompting", "thinking"])
def test_a_request_to_end_is_heard_where_nothing_trains_too(at_terminal: Any, doing: str) -> None:
    chat = at_terminal("0.5", 60, "iris")
    chat.expect("/go trains")
    if doing == "thinking":
        chat.type(f"/controller {MODEL}\r/plan\r", "openai:gpt-x decides …")
    chat.child.kill(15)
    chat.child.expect(pexpect.EOF)
    chat.child.wait()
    assert chat.child.exitstatus == 130
    if doing == "thinking":
        assert chat.raw.count("?25l") > 0 and chat.child.before.count("?25h") > 0


def test_what_is_typed_while_a_model_thinks_stands_on_the_screen_once(at_terminal: Any) -> None:
    chat = at_terminal("0.2", 60, "iris")
    chat.type(f"/controller {MODEL}\r", "controller openai:gpt-x at models.example")
    chat.type("/plan\r", "openai:gpt-x decides …")
    chat.type("/budget 7m\r", "budget 7:00 min")
    assert chat.shown().count("/budget 7m") == 1


def test_a_request_of_the_system_to_end_leaves_a_sound_terminal(at_terminal: Any) -> None:
    chat = at_terminal("0.2", 60, "iris")
    chat.type("/go\r", "[a]lways")
    chat.type("y\r", "you> ")
    chat.expect("running")
    chat.child.kill(15)
    chat.expect("is kept: automl-gpt resume")
    chat.child.expect(pexpect.EOF)
    chat.child.wait()
    assert chat.child.exitstatus == 130
