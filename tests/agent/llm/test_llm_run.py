"""Whole runs that a language model decides, over a real socket: who decided what, what is in the journal, replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_gpt.agent import Session
from automl_gpt.agent.llm import line
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import Journal
from tests.agent.small_run import begin, drive, shared_server
from tests.servers.controller_player import player
from tests.servers.openai_server import FAULTS, OpenAIServer, Received, Reply

NAME = "openai:test-model"
KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def plug(monkeypatch: pytest.MonkeyPatch, server: OpenAIServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)


def test_a_model_assigns_proposes_predicts_and_revises_and_the_optimiser_has_its_share(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=10)))
    assert state.finished is not None and state.finished.trials == 10
    assert state.assignments[0].by == NAME and state.revisions[-1].by == NAME
    by = [t.proposal.by for t in state.ordered()]
    assert by[:2] == ["opening", "opening"] and {"builtin", NAME} <= set(by[2:])
    assert abs(by.count(NAME) - by.count("builtin")) <= 1
    trained = [t for t in state.ordered() if t.gap is not None]
    assert all(t.prediction is not None and t.prediction.by == NAME and t.shadow is not None for t in trained)
    assert state.finished.scorecard.shadow_trials >= 3 and NAME in state.finished.scorecard.verdict


def test_every_word_is_in_the_journal_before_it_is_sent_and_no_key_is_on_the_disk(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=4)))
    sent = [[m.get("content") or "" for m in request["messages"]] for request in server.requests]
    recorded = [[m.text for m in asked.messages] for asked in journal.state(state.run).asked.values()]
    assert sent == recorded
    tools = [
        json.dumps([t["function"] for t in request.get("tools", [])], sort_keys=True) for request in server.requests
    ]
    assert tools == [json.dumps(list(asked.tools), sort_keys=True) for asked in state.asked.values()]
    files = [file for file in journal.folder.rglob("*") if file.is_file()]
    assert files and not any(KEY.encode() in file.read_bytes() for file in files)


def test_tokens_are_counted_and_stand_in_the_summary(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=4)))
    usage = journal.runs()[0].usage
    assert usage.tokens_in == sum(a.tokens_in for a in state.answered.values()) > 0
    assert usage.tokens_out > 0 and usage.cost_usd is None


def test_a_token_budget_ends_the_model_and_not_the_run(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=8, tokens=9000)))
    assert state.finished is not None and state.finished.trials == 8
    assert sum(a.tokens_in + a.tokens_out for a in state.answered.values()) <= 9000
    assert state.switches and "tokens" in state.switches[-1].reason
    assert any(warned == "tokens" for warned, _ in state.budget_warned)


def test_a_money_cap_asks_for_a_price(journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        session = Session(journal)
        session.read(card)
        with pytest.raises(UserError, match=r"price of openai:test-model at .* is unknown: write .*input_usd"):
            session.change(controller=NAME, budget=e.Budget(seconds=None, trials=4, cost_usd=0.5))


def test_a_replay_matches_and_needs_no_server(journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(player(lookups=True)) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=8)))
    found = Session(journal).replay(state.run)
    assert found.differences == [] and found.calls == len(state.asked) and found.decisions > 4


def test_a_replay_of_a_changed_journal_says_where_it_differs(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=6)))
    stored = journal.events(state.run)
    changed = [s.event for s in stored]
    place = next(i for i, event in enumerate(changed) if isinstance(event, e.TrialProposed) and event.by == NAME)
    proposal = changed[place]
    assert isinstance(proposal, e.TrialProposed)
    changed[place] = proposal.model_copy(update={"reason": "something else"})
    from automl_gpt.agent.replay import replay

    found = replay(state.run, changed)
    assert not found.matches and "reason" in found.differences[0] and "something else" in found.differences[0]


def test_a_killed_session_resumes_in_the_middle_of_an_answer(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "ANSWER_SECONDS", 3.0)
    play, count = player(), [0]

    def hangs(request: Received) -> Reply:
        count[0] += 1
        return FAULTS["stalled"] if count[0] == 4 else play(request)

    with OpenAIServer(hangs) as server:
        plug(monkeypatch, server)
        session = begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=6))
        for _ in session.plan():
            pass
        session.approve()
        events = session.drive()
        for event in events:
            if isinstance(event, e.LLMAsked) and event.call == 4:
                break
        events.close()
        session.close()
        again = Session(journal, server=shared_server())
        run = again.resume(session.need_state().run).run
        with again:
            for _ in again.drive():
                pass
        state = journal.state(run)
    assert state.finished is not None and state.finished.trials == 6
    assert 4 in state.asked and 4 not in state.answered and 5 in state.answered


def test_the_controller_can_be_changed_in_the_middle_of_a_run(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player()) as server:
        plug(monkeypatch, server)
        session = begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=8))
        for _ in session.plan():
            pass
        session.change(controller="builtin")
        session.approve()
        with session:
            for event in session.drive():
                if isinstance(event, e.TrialFinished) and event.trial == 3:
                    session.change(controller=NAME)
        state = session.need_state()
    assert state.finished is not None and state.finished.trials == 8
    assert state.assignments[0].by == NAME and {"builtin", NAME} <= {r.by for r in state.revisions}


def test_a_model_without_tool_calls_decides_by_json_in_text(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = player()

    def no_tools(request: Received) -> Reply:
        return FAULTS["tools_unsupported"] if request.get("tools") else play(request)

    with OpenAIServer(no_tools) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=10)))
    assert [a.failure for a in state.answered.values()].count("no_tools") == 1
    assert state.asked[2].mode == "json" and NAME in {r.by for r in state.revisions}


def test_near_duplicates_are_refused_with_the_reason_and_the_run_says_who_decided(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(player(repeat=True)) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=6)))
    assert state.finished is not None and state.finished.trials == 6
    assert any("is trial" in refused.problem for refused in state.refused)


def test_a_hanging_model_does_not_idle_the_machine(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(lambda _request: FAULTS["timeout"]) as server:
        plug(monkeypatch, server)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=20)))
    assert state.finished is not None and state.finished.seconds < 24
    assert len(state.done()) > 4 and state.finished.test is not None


def test_a_frame_of_trials_has_a_row_for_each(journal: Journal, card: str, tmp_path: Path) -> None:
    session = begin(journal, card, budget=e.Budget(seconds=None, trials=3))
    state = drive(session)
    frame = session.trials()
    assert list(frame.index) == sorted(state.trials) and {"value", "predicted", "proposed_by"} <= set(frame.columns)
    assert state.run in repr(session) and "3 trials" in repr(session)
    html = session._repr_html_()
    assert html.startswith("<pre>") and "lightgbm" in html and "<script" not in html
