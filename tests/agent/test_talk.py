"""The conversation with a language model: over a real socket, through the real client, on real runs."""

from __future__ import annotations

import _thread
import io
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from automl_gpt.agent import Session, prompts
from automl_gpt.agent.chat import converse
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.decisions import Waiting
from automl_gpt.agent.llm.exchange import Abilities
from automl_gpt.agent.person import Pipe
from automl_gpt.agent.prompts.fitting import tokens
from automl_gpt.agent.talking.dialogue import Exchange, conversation_query
from automl_gpt.agent.talking.named import named_files
from automl_gpt.agent.talking.replying import Replying
from automl_gpt.agent.talking.talk import Talk
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import open_journal
from tests.agent import long_run
from tests.agent.test_prompts import same_as_golden
from tests.servers.openai_server import FAULTS, FOREVER, OpenAIServer, Received, Reply, refused_url

NAME = "openai:test-model"
FINE = Reply("Fine.")
Opened = Callable[[str], Session]


@dataclass
class Asked:
    """A person who answers every question the same way."""

    answer: bool = False
    questions: list[str] = field(default_factory=list[str])

    def __call__(self, what: str) -> bool:
        self.questions.append(what)
        return self.answer


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a card, and a home with two runs: one finished, one planned and not trained."""
    folder = tmp_path_factory.mktemp("recorded")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["label"] = np.where(x[:, 0] + 0.5 * rng.normal(size=160) > 0, "yes", "no")
    frame.to_csv(folder / "small.csv", index=False)
    frame.drop(columns="label").head(5).to_csv(folder / "new.csv", index=False)
    card = "source: small.csv\ntarget: label\nsplit: {kind: random, folds: 2}\n"
    (folder / "small.yaml").write_text(card, encoding="utf-8")
    journal = open_journal(folder=folder / "home")
    budget = e.Budget(seconds=None, trials=3)
    with Session(journal, e.Request(budget=budget, workers=1, models=("lightgbm", "linear"))) as session:
        session.read(str(folder / "small.yaml"))
        list(session.plan())
        session.approve()
        list(session.drive())
        session.read(str(folder / "small.yaml"))
        list(session.plan())
    journal.close()
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, as the working folder."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    copy = tmp_path / "work"
    shutil.copytree(recorded, copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Takes the `finished` or the `open` run over, with the language model of a server as its controller."""
    journal = open_journal(folder=folder / "home")
    newest = [run.run for run in journal.runs()]
    sessions: list[Session] = []

    def take(which: str) -> Session:
        session = Session(journal)
        sessions.append(session)
        session.resume(newest[0 if which == "open" else 1])
        session.change(controller=NAME)
        return session

    yield take
    for session in sessions:
        session.close()
    journal.close()


def plug(monkeypatch: pytest.MonkeyPatch, server: OpenAIServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)


def said(talk: Talk, words: str) -> list[e.Event]:
    """Talk, and return the events that come."""
    events: list[e.Event] = []
    for step in talk.reply(words):
        if isinstance(step, Waiting):
            step.wait(0.1)
        else:
            events.append(step)
    return events


def answer(session: Session) -> str:
    last = session.need_state().dialogue[-1]
    assert isinstance(last, e.Replied), last
    return last.text


def results(request: Received) -> list[str]:
    """What came of the calls so far, as the model is told."""
    return [message["content"] for message in request["messages"] if message["role"] == "tool"]


# ------------------------------------------------------------------------------------------------------ answers


def test_a_question_about_a_trial_is_answered_from_its_logs(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Trial 2 overfits after round 40: its validation loss rises while it trains on."
    with OpenAIServer([Reply.call("compare_logs", trial=2), Reply(words)]) as server:
        plug(monkeypatch, server)
        session, person = opened("finished"), Asked()
        talk = Talk(session, person)
        said(talk, "why did trial 2 overfit?")
        state = session.need_state()
    assert talk.answered and answer(session) == words and person.questions == []
    looked = json.loads(state.tool_calls[-1].result)
    assert state.tool_calls[-1].by == f"{NAME} (conversation)" and looked["trial"] == 2 and looked["actual"]
    assert '"actual":' in results(server.requests[1])[0]
    assert all(asked.purpose == "conversation" for asked in state.asked.values())
    again = session.journal.state(state.run)
    assert [type(turn).__name__ for turn in again.dialogue] == ["Said", "Replied"] and again.asked == state.asked


def test_later_words_come_with_what_was_said_before(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [Reply("Versuch 2 ist der beste."), Reply("Weil er am wenigsten irrt.")]
    with OpenAIServer(replies) as server:
        plug(monkeypatch, server)
        talk = Talk(opened("finished"), Asked())
        said(talk, "Welcher Versuch ist der beste – und „warum“?")
        said(talk, "Und wieso?")
    turns = [(m["role"], m["content"]) for m in server.requests[1]["messages"][2:]]
    assert turns == [
        ("user", "\"Welcher Versuch ist der beste – und 'warum'?\""),
        ("assistant", "Versuch 2 ist der beste."),
        ("user", '"Und wieso?"'),
    ]
    rules, paragraphs = (m["content"] for m in server.requests[1]["messages"][:2])
    assert "in their language" in rules and rules == server.requests[0]["messages"][0]["content"]
    assert paragraphs == server.requests[0]["messages"][1]["content"]
    assert "The run is finished" in paragraphs


def test_a_model_without_tool_calls_is_shown_their_forms(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [FAULTS["tools_unsupported"], Reply.call("compare_logs", trial=1).as_json(), Reply("It is the baseline.")]
    with OpenAIServer(replies) as server:
        plug(monkeypatch, server)
        session = opened("finished")
        said(Talk(session, Asked()), "what is trial 1?")
    assert answer(session) == "It is the baseline."
    assert '{"tool": "limit_search", "arguments": {"parameter":' in server.requests[1]["messages"][0]["content"]
    assert 'compare_logs: ««{"trial":1,' in server.requests[2]["messages"][-1]["content"]


def test_talking_costs_no_time_of_the_run(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("Slowly.", delay=1.0)]) as server:
        plug(monkeypatch, server)
        session = opened("open")
        said(Talk(session, Asked()), "how are you?")
        before = session.elapsed()
        said(Talk(session, Asked()), "and now?")
        assert session.elapsed() == before


def test_looking_up_has_an_end(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [("show_trials", {"count": number}) for number in range(1, 8)]
    with OpenAIServer([Reply(calls=calls[:3]), Reply(calls=calls[3:]), Reply(calls=calls[:1]), FINE]) as server:
        plug(monkeypatch, server)
        session = opened("finished")
        said(Talk(session, Asked()), "look at everything")
    found = [json.loads(call.result) for call in session.need_state().tool_calls if "conversation" in call.by]
    assert [("error" in result) for result in found] == [False] * 6 + [True] * 2
    assert "often enough" in found[6]["error"] and "already" in found[7]["error"]


def test_a_model_that_never_stops_calling_is_stopped(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(
        lambda request: Reply("Hm.", calls=[("show_trials", {"count": len(request["messages"])})])
    ) as server:
        plug(monkeypatch, server)
        session = opened("finished")
        said(Talk(session, Asked()), "hello")
    assert len(server.requests) == 8 and answer(session) == "Hm."


# ------------------------------------------------------------------------------------------------------- wishes


def test_smaller_learning_rates_become_a_limit_that_refuses_what_comes_later(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [
        Reply.call("limit_search", parameter="learning_rate", high=0.05),
        Reply.call("propose_trial", model="lightgbm", hyperparameters={"learning_rate": 0.2}),
        Reply("Learning rates stay at or below 0.05."),
    ]
    with OpenAIServer(replies) as server:
        plug(monkeypatch, server)
        session, person = opened("open"), Asked()
        events = said(Talk(session, person), "smaller learning rates, please")
    assert person.questions == []
    assert session.request.limits == (e.Limit(parameter="learning_rate", high=0.05),)
    assert any(isinstance(event, e.RequestChanged) for event in events)
    assert session.journal.state(session.need_state().run).request.limits == session.request.limits
    refused = results(server.requests[2])[1]
    assert "learning_rate = 0.2 is not legal" in refused and "0.01 to 0.05" in refused
    assert "learning_rate: at most 0.05" in session.paragraph("propose_hyperparameters")


def test_a_proposal_of_the_person_is_predicted_and_trained_like_any_other(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Reply.call("propose_trial", model="linear", hyperparameters={"penalty": 7.0})
    with OpenAIServer([call, FINE]) as server:
        plug(monkeypatch, server)
        session = opened("open")
        events = said(Talk(session, Asked()), "try a linear model with penalty 7")
        session.change(controller="builtin")
        list(session.plan())
    proposed = next(event for event in events if isinstance(event, e.TrialProposed))
    trial = session.need_state().trials[proposed.trial]
    assert trial.proposal.by == "person" and trial.hyperparameters["penalty"] == 7.0 and trial.prediction is not None


def test_only_models_under_a_megabyte_is_a_limit_of_the_delivery(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(
        [Reply.call("limit_size", megabytes=1), FINE, Reply.call("limit_size", megabytes=9), FINE]
    ) as server:
        plug(monkeypatch, server)
        session, person = opened("open"), Asked()
        talk = Talk(session, person)
        said(talk, "only models under 1 MB")
        assert session.request.megabytes == 1 and person.questions == []
        said(talk, "what is the weather like?")
    assert session.request.megabytes == 1 and len(person.questions) == 1
    assert "at most 1 MB" in session.paragraph("propose_hyperparameters")


def test_a_wish_is_noted_in_the_words_of_the_person_alone(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [
        Reply.call("note_wish", quote="set the budget to 1000 hours"),
        Reply.call("note_wish", quote="I  PREFER simple models"),
        FINE,
    ]
    with OpenAIServer(replies) as server:
        plug(monkeypatch, server)
        session = opened("open")
        said(Talk(session, Asked()), "Well, I prefer simple models.")
    assert session.request.require == "I PREFER simple models"
    assert "did not write that" in results(server.requests[1])[0]


@pytest.mark.parametrize(
    ("first", "then", "asks"),
    [
        ({"models": ["linear"]}, ("use_models", {"models": []}), True),
        ({"models": ["lightgbm", "linear"]}, ("use_models", {"models": ["linear"]}), False),
        ({"budget": e.Budget(seconds=60.0)}, ("set_budget", {"seconds": 61}), True),
        ({"budget": e.Budget(seconds=60.0)}, ("set_budget", {"seconds": 59, "trials": 5}), False),
        ({"limits": (e.Limit(parameter="num_leaves", high=9),)}, ("limit_search", {"parameter": "num_leaves"}), True),
        (
            {"limits": (e.Limit(parameter="num_leaves", high=9),)},
            ("limit_search", {"parameter": "num_leaves", "low": 5}),
            False,
        ),
        ({}, ("set_metric", {"name": "accuracy"}), True),
        ({}, ("use_controller", {"name": "builtin"}), True),
        ({}, ("withdraw_trials", {}), False),
    ],
)
def test_what_widens_asks_the_person_and_what_narrows_does_not(
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    first: dict[str, Any],
    then: tuple[str, dict[str, Any]],
    asks: bool,
) -> None:
    with OpenAIServer([Reply(calls=[then]), FINE]) as server:
        plug(monkeypatch, server)
        session, person = opened("open"), Asked(answer=False)
        session.change(**first)
        before = session.request
        said(Talk(session, person), "do it")
    assert bool(person.questions) == asks
    done = json.loads(session.need_state().tool_calls[-1].result)
    assert ("said no" in done.get("error", "")) == asks, done
    if asks:
        assert session.request == before


# -------------------------------------------------------------------------------------------------------- files


def test_a_file_is_predicted_after_a_yes_alone(opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply.call("predict_file", file="new.csv"), FINE] * 2) as server:
        plug(monkeypatch, server)
        session, person = opened("finished"), Asked(answer=False)
        out = folder / "new.predictions.csv"
        said(Talk(session, person), "predict this file: new.csv")
        assert not out.exists() and len(person.questions) == 1 and str(out) in person.questions[0]
        person.answer = True
        said(Talk(session, person), "predict this file: new.csv")
    assert len(pd.read_csv(out)) == 5
    assert f"5 rows are predicted, in {out}" in results(server.requests[3])[0]


@pytest.mark.parametrize(
    "call",
    [
        ("predict_file", {"file": "/etc/passwd"}),
        ("predict_file", {"file": "new.csv", "out": "/tmp/stolen.csv"}),
        ("predict_file", {"file": "../work/small.yaml"}),
        ("profile_data", {"card": "/etc/passwd"}),
    ],
)
def test_a_hostile_model_reaches_no_file_that_the_person_did_not_name(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, call: tuple[str, dict[str, Any]]
) -> None:
    with OpenAIServer([Reply(calls=[call]), FINE]) as server:
        plug(monkeypatch, server)
        session, person = opened("finished"), Asked(answer=True)
        (session.desk.base, session.desk.data_file) = (None, None)
        said(Talk(session, person), "is the train/test split of new.csv fine?")
    assert person.questions == []
    assert "error" in json.loads(session.need_state().tool_calls[-1].result)


def test_what_is_wished_after_the_end_counts_for_the_next_run(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply.call("set_budget", trials=2), FINE]) as server:
        plug(monkeypatch, server)
        session = opened("finished")
        said(Talk(session, Asked()), "two trials next time")
    assert "counts for the next one" in results(server.requests[1])[0] and session.request.budget.trials == 2
    assert session.journal.state(session.need_state().run).request.budget.trials == 3


def test_a_hostile_model_raises_no_budget_and_asks_in_vain_but_once(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = Reply.call("set_budget", seconds=3_600_000, trials=100_000)
    with OpenAIServer([greedy, greedy, greedy, FINE]) as server:
        plug(monkeypatch, server)
        session, person = opened("open"), Asked(answer=False)
        before = session.request
        said(Talk(session, person), "what is in the data?")
    assert session.request == before and session.need_state().request == before
    assert len(person.questions) == 1 and "Raise the budget" in person.questions[0]


def test_files_are_those_that_words_name_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("new.csv", "old data.csv", "plain"):
        (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
    (tmp_path / "tree.d").mkdir()
    words = (
        "take „new.csv“, 'old data.csv', and/or ./plain; / or ~ or tree.d or ./tree.d, at 3.5 for out/p.csv. "
        + "x/" * 900
    )
    assert named_files([words]) == tuple(map(Path, ("new.csv", "old data.csv", "plain", "out/p.csv")))


# ----------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("fault", ["unknown_tool", "no_json", "empty"])
def test_a_bad_call_goes_back_once_with_the_error(opened: Opened, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    with OpenAIServer([FAULTS[fault], Reply("I am sorry.")]) as server:
        plug(monkeypatch, server)
        session = opened("finished")
        said(Talk(session, Asked()), "hello")
    assert answer(session) == "I am sorry." and len(server.requests) == 2
    assert "refused" in server.requests[1]["messages"][-1]["content"] or fault == "empty"


def test_a_model_that_answers_nonsense_leaves_the_words_to_fixed_rules(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer([FAULTS["unknown_tool"]]) as server:
        plug(monkeypatch, server)
        session = opened("open")
        talk = Talk(session, Asked())
        said(talk, "smaller learning rates")
    assert not talk.answered and len(server.requests) == 2
    assert [type(turn).__name__ for turn in session.need_state().dialogue] == ["Said"]


def test_a_dead_server_is_told_and_leaves_the_words_to_fixed_rules(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", refused_url())
    talk = Talk(opened("open"), Asked())
    events = said(talk, "hello")
    assert not talk.answered
    assert any(isinstance(event, e.ControllerSwitched) and event.to == "builtin" for event in events)


def test_an_answer_that_is_left_is_hung_up_and_the_next_one_comes(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer([FAULTS["stalled"], FINE]) as server:
        plug(monkeypatch, server)
        session = opened("open")
        talk = Talk(session, Asked())
        steps = talk.reply("tell me a story")
        for step in steps:
            if isinstance(step, Waiting):
                step.wait(0.05)
                if server.requests:
                    break
        steps.close()  # type: ignore[attr-defined]
        server.wait_for_hang_up()
        said(talk, "shorter")
    assert answer(session) == "Fine." and server.requests[1]["messages"][-2]["content"] == '"tell me a story"'


def test_without_any_data_there_is_nothing_to_talk_about(folder: Path) -> None:
    journal = open_journal(folder=folder / "home")
    with Session(journal, e.Request(controller=NAME)) as session, pytest.raises(UserError, match="no data yet"):
        said(Talk(session, Asked()), "hello")
    journal.close()


# -------------------------------------------------------------------------------------------------- while it trains


def test_while_a_run_trains_limits_work_and_starting_does_not(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [("start_training", {}), ("finish_run", {}), ("limit_search", {"parameter": "learning_rate", "high": 0.02})]
    with OpenAIServer([Reply(calls=calls), FINE]) as server:
        plug(monkeypatch, server)
        session, person = opened("open"), Asked(answer=True)
        session.request = session.request.model_copy(update={"controller": "builtin"})
        talk = Talk(session, person)
        talked = False
        list(session.plan())
        session.approve()
        for event in session.drive():
            if isinstance(event, e.TrialStarted) and not talked:
                talked = True
                session.change(controller=NAME)
                said(talk, "go slower")
                session.change(controller="builtin")
    found = [json.loads(call.result) for call in session.need_state().tool_calls if "conversation" in call.by]
    assert ["Ctrl-C" in str(result) for result in found] == [True, True, False] and talk.then == []
    state = session.need_state()
    assert state.finished is not None and state.request.limits[0].high == 0.02
    later = [t for t in state.done() if t.model == "lightgbm" and t.number > 2]
    assert all(float(t.hyperparameters["learning_rate"]) <= 0.02 for t in later)


# ------------------------------------------------------------------------------------------------------ the chat


@pytest.fixture
def chatted(opened: Opened) -> Callable[[str, str], str]:
    """Lets a chat over a run read some lines, and returns what it said."""

    def chat(which: str, lines: str) -> str:
        console = Console(file=io.StringIO(), width=100, highlight=False, _environ={})
        person = Pipe(io.StringIO(lines), lambda text: console.print(text, soft_wrap=True))
        converse(Conversation(opened(which), console, person))
        return console.file.getvalue()  # type: ignore[attr-defined]

    return chat


def test_the_chat_answers_asks_and_carries_out(
    chatted: Callable[[str, str], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [Reply.call("predict_file", file="new.csv"), Reply("It is in **new.predictions.csv**.")]
    with OpenAIServer(replies) as server:
        plug(monkeypatch, server)
        shown = chatted("finished", "please predict new.csv\nyes\n")
    assert "[y]es / [n]o yes" in shown and "It is in **new.predictions.csv**." in shown
    assert (folder / "new.predictions.csv").is_file()


def test_the_chat_takes_back_what_the_model_changed(
    chatted: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer([Reply.call("limit_size", megabytes=1), FINE]) as server:
        plug(monkeypatch, server)
        shown = chatted("open", "only tiny models\n/undo\n")
    assert "1 MB" in shown and "looked at" not in shown and "took back the change of megabytes" in shown


def test_the_chat_starts_the_training_once_the_answer_is_over(
    chatted: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer([Reply.call("start_training"), Reply("Here is the plan.")]) as server:
        plug(monkeypatch, server)
        shown = chatted("open", "los geht's\nno\n")
    assert shown.index("Here is the plan.") < shown.index("Train?") < shown.index("not trained")


def test_the_chat_falls_back_to_its_rules_where_the_model_is_dead(
    chatted: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", refused_url())
    shown = chatted("open", "use only linear models\n")
    assert "fixed rules read your words" in shown and "understood: models linear" in shown


class Typing:
    """A human being who types these messages, and answers every question with a no."""

    present = True
    begun = ""

    def __init__(self, *messages: str) -> None:
        self._messages = list(messages)

    def read(self) -> str | None:
        return self._messages.pop(0) if self._messages else None

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        del question, choices, begun
        return "no"


def test_ctrl_c_stops_the_answer_and_not_the_chat(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_request: Received) -> Reply:
        threading.Timer(0.2, _thread.interrupt_main).start()
        return Reply("Once upon a time " * 9, chunk_delay=FOREVER)

    # Tests that a shell started in the background inherit an ignored Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with OpenAIServer([interrupted, Reply("Still here.")]) as server:
        plug(monkeypatch, server)
        session, console = opened("open"), Console(file=io.StringIO(), width=100, _environ={})
        try:
            code = converse(Conversation(session, console, Typing("tell me a story", "are you there?")))
        finally:
            signal.signal(signal.SIGINT, before)
        server.wait_for_hang_up()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert code == 0 and shown.index("stopped") < shown.index("Still here.")


def test_an_answer_comes_beside_the_training_and_later_words_wait_for_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer([Reply("First.", delay=0.3), Reply("Second.")]) as server:
        plug(monkeypatch, server)
        session, console = opened("open"), Console(file=io.StringIO(), width=100, _environ={})
        chat = Conversation(session, console, Typing())
        chat.training = True
        replying = Replying(chat, pytest.fail)
        assert replying.answer("one") and replying.answer("two")
        assert [type(turn).__name__ for turn in session.need_state().dialogue] == ["Said"]
        while len(session.need_state().dialogue) < 4:
            replying.go_on()
            time.sleep(0.01)
        replying.finish()
    assert [turn.text for turn in session.need_state().dialogue] == ["one", "First.", "two", "Second."]


# ---------------------------------------------------------------------------------------------------- the request


@pytest.mark.parametrize("tools", [True, False])
@pytest.mark.parametrize("context", [4096, 8192, 128_000])
def test_a_conversation_fits_the_context_and_keeps_the_trial_that_is_asked_for(context: int, tools: bool) -> None:
    state = long_run.at(20, "revise").state
    for number in range(30):
        state.apply(e.Said(text=f"question {number} " + "and so on " * 40))
        state.apply(e.Replied(text=f"answer {number} " + "and so forth " * 200, by=NAME))
    looked = state.dialogue[:-1]
    query = conversation_query(
        Exchange(state, "warum ist Versuch 7 so schlecht?", looked, seconds_left=9.0),
        Abilities(context=context, output=4000, tools=tools),
    )
    used = sum(tokens(message.text) for message in query.messages) + query.tokens_out
    used += tokens(json.dumps(query.tools)) if query.tools else 0
    assert used <= context and used <= 8192
    assert "\n7 | " in query.messages[1].text and "## Now" in query.messages[1].text
    assert query.messages[-1].text == '"warum ist Versuch 7 so schlecht?"'
    assert "question 29" in query.messages[-2].text or context == 4096


def test_the_rules_of_a_conversation_and_the_state_of_the_run_are_as_they_were_agreed() -> None:
    situation = long_run.at(20, "revise")
    forms = [{"name": "show", "form": '{"count": <integer>}', "description": "Show something"}]
    told = [prompts.conversation(), prompts.conversation(forms, brief=True), prompts.now(situation.state, False, 9.4)]
    same_as_golden("conversation", "\n\n".join([*told, prompts.now(situation.state, True, None)]))
