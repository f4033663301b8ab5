"""What a person sees and does in the chat where a language model decides; the session is a pretended one."""

from __future__ import annotations

import io
import re
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console

from automl_gpt.agent import Session
from automl_gpt.agent.chat import converse
from automl_gpt.agent.commands import COMMANDS, carry_out
from automl_gpt.agent.commands.limits import limit_of
from automl_gpt.agent.commands.reasons import refusals
from automl_gpt.agent.completion import CommandCompleter
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.person import Pipe
from automl_gpt.agent.talking.replying import Replying
from automl_gpt.cards.errors import PriceUnknown, UserError
from automl_gpt.cards.prices import price_card
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import check_limits

FakeSession: Any = runpy.run_path(str(Path(__file__).with_name("fake_session.py")))["FakeSession"]
MODEL = "openai:gpt-x"


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Let a chat read some lines; return what it said. `converse` answers plain words, as a language model would."""
    monkeypatch.chdir(tmp_path)

    def said(lines: str, converse_: Callable[[str], bool] | None = None, width: int = 100) -> str:
        console = Console(file=io.StringIO(), width=width, highlight=False, _environ={})
        person = Pipe(io.StringIO(lines), lambda text: console.print(text, soft_wrap=True))
        if converse_ is not None:
            monkeypatch.setattr(Replying, "answer", lambda _self, words: converse_(words))
        converse(Conversation(FakeSession(0), console, person))
        return console.file.getvalue()  # type: ignore[attr-defined]

    return said


RUN = f"/data iris\n/controller {MODEL}\n/plan\n"


def test_the_controller_can_be_shown_changed_and_taken_back(talk: Callable[..., str]) -> None:
    seen = talk(f"/controller\n/controller {MODEL}\n/undo\n/controller\n/controller oracle\n")
    assert re.findall(r"^controller (\S+)", seen, re.MULTILINE) == ["builtin", MODEL, "builtin"]
    assert f"controller {MODEL} at models.example" in seen
    assert "it is sent the cards and statistics, never rows; /prompt shows every word" in seen
    assert "there is no controller 'oracle'" in seen


def test_failures_and_switches_are_one_line_each(talk: Callable[..., str]) -> None:
    lines = talk(RUN).splitlines()
    assert f"{MODEL}: too many requests; asked again in 2 s" in lines
    assert "now the built-in controller decides: too many requests" in lines
    assert f"{MODEL}: answered after 12 s" in lines


def test_the_plan_tells_who_is_asked_where_and_what_it_has_cost(talk: Callable[..., str]) -> None:
    seen = talk(RUN)
    assert re.search(rf"^asks +{MODEL} at models\.example", seen, re.MULTILINE)
    assert re.search(r"^so far +2 calls, 1,880 tokens, unknown price", seen, re.MULTILINE)
    assert "asks" not in talk("/data iris\n/plan\n")


def test_cost_tells_time_tokens_money_and_calls(talk: Callable[..., str]) -> None:
    seen = talk(RUN + "/cost\n")
    assert re.search(r"^time +3\.0 s; 9:57 min of 10:00 min left", seen, re.MULTILINE)
    assert re.search(r"^tokens +1,800 in, 80 out", seen, re.MULTILINE)
    assert re.search(r"^money +unknown price", seen, re.MULTILINE)
    assert re.search(r"^calls +2 calls, answered in 0\.0 s", seen, re.MULTILINE)
    assert "tokens  none: no language model was asked" in talk("/data iris\n/plan\n/cost\n")
    assert "there is no run yet" in talk("/cost\n")


def test_cost_per_trial_counts_the_ended_ones(talk: Callable[..., str]) -> None:
    seen = talk(RUN + "/go\nalways\n/cost\n")
    assert re.search(r"^used +19 s, 7 trials; 2 calls, 1,880 tokens, unknown price", seen, re.MULTILINE)
    assert re.search(r"^per trial +269 tokens, unknown price, 0\.4 s \(7 ended\)", seen, re.MULTILINE)


def test_a_request_is_shown_word_for_word_with_its_tools(talk: Callable[..., str]) -> None:
    seen = talk(RUN + "/prompt sent 1\n")
    assert f"request 1 to {MODEL} at models.example: assign_model" in seen
    assert "\n  Two   blanks stay.\n" in seen
    assert "The column ««[red]pa?[31mid[/red]?back»»" in seen
    assert '{"type": "function", "function": {"name": "assign_model", "parameters": {"type": "object"}}}' in seen
    assert "\x1b" not in seen
    assert "there is no request 9; requests: 1 to 2" in talk(RUN + "/prompt sent 9\n")
    assert "request 2 to" in talk(RUN + "/prompt sent\n")


def test_where_nothing_was_sent_that_is_said(talk: Callable[..., str]) -> None:
    assert "nothing was sent; the built-in controller sends nothing" in talk("/data iris\n/plan\n/prompt sent\n")


def test_a_replay_names_each_difference_or_says_that_all_is_the_same(talk: Callable[..., str]) -> None:
    assert "same: 3 requests and 2 decisions replayed: all the same" in talk("/replay same\n")
    assert "call 2: the table of trials differs\n" in talk("/data iris\n/plan\n/replay\n")


def test_always_is_asked_once_in_a_session_and_a_no_only_for_this_time(talk: Callable[..., str]) -> None:
    seen = talk("/data iris\n/go\na\n/data iris\n/go\n/quit\n")
    assert seen.count("Train? ") == 1 and seen.count("predict      /predict FILE") == 2
    again = talk("/data iris\n/go\nno\n/go\nyes\n/data iris\n/go\nno\n/quit\n")
    assert again.count("Train? ") == 3


def test_a_plan_can_be_edited_through_a_pipe(talk: Callable[..., str]) -> None:
    seen = talk("/data iris\n/go\ne\n1 rounds=9999\n1 rounds=77\nno\n/why 91\n/show 91\n")
    assert "baseline: rounds = 9999 is not legal; legal: 1 to 500" in seen
    assert "taken back: trial 1" in seen
    assert "(by person)" in seen and "rounds 77" in seen


def test_plain_words_go_to_the_language_model_where_one_converses(talk: Callable[..., str]) -> None:
    heard: list[str] = []
    seen = talk("why did trial 7 overfit?\n/metric accuracy\n", lambda words: not heard.append(words))
    assert heard == ["why did trial 7 overfit?"]
    assert "metric accuracy" in seen and "understood" not in seen


def test_where_no_model_answers_the_fixed_rules_do(talk: Callable[..., str]) -> None:
    assert "understood: budget in seconds 300" in talk("5 minutes\n", lambda _words: False)


def test_a_limit_in_plain_words_is_enforced_and_shown(talk: Callable[..., str]) -> None:
    seen = talk("rounds at most 50, only models under 2 MB\n/limit\n/limit none\n")
    assert "understood: limit rounds at most 50; models of at most 2 MB" in seen
    assert re.search(r"limits +rounds at most 50 *\n +model at most 2 MB", seen)
    assert re.search(r"limits +none", seen)


def test_the_help_fits_who_reads_the_words(talk: Callable[..., str]) -> None:
    with_model = talk(f"/controller {MODEL}\n/help\n", lambda _words: True)
    assert f"just write what you want, in any language: {MODEL} reads it" in with_model
    assert "no language model" not in with_model
    assert "The built-in controller is no language model" in talk("/help\n", lambda _words: True)


def test_help_in_60_columns_is_not_wider(talk: Callable[..., str]) -> None:
    seen = talk(f"/controller {MODEL}\n/help\n", lambda _words: True, width=60)
    table = [line for line in seen.splitlines() if line.startswith("/")]
    assert len(table) >= len(COMMANDS) and max(map(len, table)) <= 60


def test_completion_offers_controllers_limits_and_what_was_sent() -> None:
    completer = CommandCompleter(FakeSession(0))

    def offered(text: str) -> list[str]:
        return [c.text for c in completer.get_completions(Document(text), CompleteEvent())]

    assert offered("/controller bu") == ["builtin"] and offered("/controller openai") == ["openai:"]
    assert offered("/prompt se") == ["sent"]
    assert offered("/limit ro") == ["rounds"] and offered("/limit si") == ["size"]


class Teller:
    """A person at a terminal who answers every question with the same words."""

    present, begun = True, ""

    def __init__(self, answer: str | None) -> None:
        self.answer, self.questions = answer, list[str]()

    def read(self) -> str | None:
        return None

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        self.questions.append(question)
        return self.answer


@pytest.mark.parametrize("answer", ["0.25 2", "0.25 / $2", None, "cheap", "1", "-1 2", "nan 2"])
def test_a_money_cap_asks_for_a_price_that_nobody_knows(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    teller, console = Teller(answer), Console(file=io.StringIO(), width=100, _environ={})
    with Session() as session:
        chat = Conversation(session, console, teller)
        carry_out(chat, "/budget 1 USD")
        if answer is not None and answer.startswith("0.25"):
            carry_out(chat, "/controller openai:own")
            card = price_card("openai:own", "http://127.0.0.1:9/v1", home / "cards")
            assert card is not None and (card.input_usd, card.output_usd) == (0.25, 2)
            carry_out(chat, "/budget 2 USD")
        else:
            with pytest.raises(PriceUnknown, match=r"write .*openai-own\.yaml"):
                carry_out(chat, "/controller openai:own")
            assert session.request.controller == "builtin"
    assert len(teller.questions) == 1 and "openai:own at http://127.0.0.1:9/v1 costs" in teller.questions[0]


# ----------------------------------------------------------------------------------------------- what runs meanwhile


@pytest.fixture
def busy(tmp_path: Path) -> tuple[Conversation, io.StringIO]:
    """A conversation while its run trains."""
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False, _environ={})
    conversation = Conversation(FakeSession(0), console, Pipe(io.StringIO(""), console.print))
    converse(conversation)
    assert conversation.hear is not None
    conversation.hear("/data iris")
    conversation.hear("/plan")
    conversation.training = True
    return conversation, out


@pytest.mark.parametrize(
    "line",
    ["/go", "/data iris", "iris", "/resume x", "/quit", "/plan", "/predict a.csv", "/replay", "train"],
)
def test_while_a_run_trains_what_would_disturb_it_is_refused(busy: tuple[Conversation, io.StringIO], line: str) -> None:
    conversation, out = busy
    assert conversation.hear is not None
    conversation.hear(line)
    assert "stop first: Ctrl-C" in out.getvalue() and not conversation.leaving


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/trials", "baseline"), ("/why 1", "reason 1"), ("/cost", "tokens"),
        ("/budget 20 trials", "budget 10:00 min, 20"),
        ("/show 1", "trial 1"), ("/limit rounds <= 9", "rounds at most 9"), ("/trials x", "baseline"),
        ("/show 9", "there is no trial 9"),
    ],
)  # fmt: skip
def test_while_a_run_trains_one_can_look_and_wish(
    busy: tuple[Conversation, io.StringIO], line: str, answer: str
) -> None:
    conversation, out = busy
    assert conversation.hear is not None
    conversation.hear(line)
    assert answer in out.getvalue()


def test_the_word_stop_stops_the_training(busy: tuple[Conversation, io.StringIO]) -> None:
    conversation, _ = busy
    assert conversation.hear is not None
    conversation.hear("stop")
    assert conversation.session.stopping.is_set()  # type: ignore[attr-defined]


def test_a_pasted_data_card_waits_too(busy: tuple[Conversation, io.StringIO]) -> None:
    conversation, out = busy
    assert conversation.hear is not None
    conversation.hear("source: a.csv\ntarget: y")
    assert "stop first: Ctrl-C" in out.getvalue()


def test_what_costs_something_is_asked_for_until_the_person_says_always() -> None:
    console = Console(file=io.StringIO(), width=80, _environ={})
    person = Pipe(io.StringIO("no\ny\nalways\n"), console.print)
    conversation = Conversation(FakeSession(0), console, person)
    assert [conversation.allows("predict new.csv?") for _ in range(5)] == [False, True, True, True, True]
    assert "predict new.csv? [y]es / [n]o / [a]lways no" in console.file.getvalue()  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------ limits


def card(name: str, **space: dict[str, Any]) -> ModelCard:
    fields = {"name": name, "tasks": ["classification"], "trainer": name, "search_space": space}
    return ModelCard.model_validate({**fields, "resources": {"seconds": 1.0}})


CARDS = (
    card(
        "boosted",
        learning_rate={"type": "float", "low": 0.001, "high": 1.0, "default": 0.1},
        max_depth={"type": "int", "low": 1, "high": 12, "default": 6},
        kind={"type": "categorical", "choices": ["gbtree", "dart", 32], "default": "dart"},
    ),
    card("forest", max_depth={"type": "int", "low": 1, "high": 40, "default": 6}),
)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("learning_rate 0.01..0.1", {"parameter": "learning_rate", "low": 0.01, "high": 0.1}),
        ("learning_rate 1e-3 to .1", {"parameter": "learning_rate", "low": 0.001, "high": 0.1}),
        ("max_depth <= 6", {"parameter": "max_depth", "high": 6}),
        ("max_depth<=6", {"parameter": "max_depth", "high": 6}),
        ("max_depth ≥ 3", {"parameter": "max_depth", "low": 3}),
        ("forest max_depth >=3", {"parameter": "max_depth", "model": "forest", "low": 3}),
        ("forest max_depth 3", {"parameter": "max_depth", "model": "forest", "choices": (3,)}),
        ("kind GBTREE, 32", {"parameter": "kind", "choices": ("gbtree", 32)}),
        ("kind = dart", {"parameter": "kind", "choices": ("dart",)}),
    ],
)
def test_a_limit_is_read_from_words(text: str, limit: dict[str, Any]) -> None:
    fields = limit_of(text, e.Request(), CARDS)
    assert fields == {"limits": (e.Limit.model_validate(limit),)}
    check_limits(e.Request(**fields), CARDS)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("size 1MB", {"megabytes": 1.0}), ("size <= 500 kB", {"megabytes": 0.5}), ("size none", {"megabytes": None}),
        ("speed 0.5s", {"seconds_per_1000": 0.5}), ("speed 20 ms", {"seconds_per_1000": 0.02}),
        ("none", {"limits": (), "megabytes": None, "seconds_per_1000": None}),
    ],
)  # fmt: skip
def test_size_speed_and_none_are_limits_too(text: str, fields: dict[str, Any]) -> None:
    assert limit_of(text, e.Request(), CARDS) == fields


def test_the_limit_of_one_hyperparameter_can_be_lifted() -> None:
    now = e.Request(limits=(e.Limit(parameter="kind", choices=("dart",)), e.Limit(parameter="max_depth", high=6)))
    assert limit_of("max_depth none", now, CARDS) == {"limits": now.limits[:1]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_depth", "is no limit; write /limit learning_rate"), ("forest", "is no limit"), ("<= 6", "is no limit"),
        ("max_depth 9..3", "9 is above 3: swap them"), ("max_depth < 6", "write <= and the last value that is allowed"),
        ("size huge", "is no size; write /limit size 1MB"), ("speed fast", "is no speed"), ("x" * 5000, "is no limit"),
    ],
)  # fmt: skip
def test_words_that_are_no_limit_get_one_line_with_examples(text: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        limit_of(text, e.Request(), CARDS)
    assert told in str(raised.value) and len(str(raised.value)) < 300


# ------------------------------------------------------------------------------------------------- refused answers


def proposed(number: int, by: str = MODEL) -> e.TrialProposed:
    return e.TrialProposed(trial=number, model="boosted", hyperparameters={}, reason="", by=by, seed=0)


def refused(problem: str) -> e.DecisionRefused:
    return e.DecisionRefused(decision="propose_hyperparameters", problem=problem, by=MODEL)


def test_refused_answers_belong_to_the_trials_of_their_decision_alone() -> None:
    asked = e.DecisionAsked(decision="propose_hyperparameters", count=2, by=MODEL)
    events: list[e.Event] = [
        asked, refused("depth 99"), asked, proposed(1), proposed(2), e.TrialStarted(trial=1, worker=0, at_seconds=0),
        asked, proposed(3), asked, refused("prose"), refused("prose again"), proposed(4, "builtin"),
    ]  # fmt: skip
    words = [[text for _, text in refusals(events, number)] for number in (1, 2, 3, 4)]
    assert words == [
        [f"refused: depth 99 (by {MODEL})"], [f"refused: depth 99 (by {MODEL})"], [],
        [f"refused: prose (by {MODEL})", f"refused: prose again (by {MODEL})"],
    ]  # fmt: skip


def test_a_request_that_failed_is_a_reason_too() -> None:
    asked = e.LLMAsked(
        call=1, purpose="propose_hyperparameters", model=MODEL, mode="tools", context_tokens=9, output_tokens=9,
        prompt_version="1", messages=(), tokens_in=1, tokens_out=1,
    )  # fmt: skip
    failed = e.LLMAnswered(call=1, failure="timeout", words=f"{MODEL}: no answer in 60 s")
    found = refusals([asked, failed, proposed(1, "builtin")], 1)
    assert found == [("propose_hyperparameters", f"before: {MODEL}: no answer in 60 s")]


def test_why_tells_model_proposer_and_predictor(talk: Callable[..., str]) -> None:
    seen = talk("/data iris\n/plan\n/why 1\n")
    assert re.search(r"^model +baseline", seen, re.MULTILINE)
    assert re.search(r"^proposed +reason 1 \(by builtin\)", seen, re.MULTILINE)
    assert re.search(r"^predicted +like its neighbours \(by builtin\)", seen, re.MULTILINE)


def test_what_is_entered_while_a_model_thinks_is_heard_at_once(
    busy: tuple[Conversation, io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, out = busy
    typed = [["/why 1", " "]]
    monkeypatch.setattr(conversation.screen, "typed", lambda: typed.pop() if typed else [])
    assert conversation.session.on_text is not None
    conversation.session.on_text(MODEL, "I think")
    assert out.getvalue().count("you> /why 1") == 1 and "reason 1" in out.getvalue()


def test_what_is_entered_too_late_is_the_next_message(
    busy: tuple[Conversation, io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, out = busy
    monkeypatch.setattr(conversation.screen, "typed", lambda: ["/budget 3m", ""])
    with conversation.busy():
        pass
    assert conversation.next_message() == "/budget 3m" and "you> /budget 3m" in out.getvalue()
    assert conversation.next_message() is None
