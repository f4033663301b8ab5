"""Every failure of a language model in the middle of a whole run: what is told, and that the run does not suffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from automl_gpt.agent.llm import line
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal
from tests.agent.small_run import begin, drive
from tests.servers.controller_player import player
from tests.servers.openai_server import FAULTS, UNKNOWN_HOST, OpenAIServer, Received, Reply, refused_url

NAME = "openai:test-model"
GOES_ON = {"negative_usage", "absurd_usage", "no_usage"}
"""Faults that cost nothing: the answer counts all the same."""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setattr(line, "ANSWER_SECONDS", 3.0)
    monkeypatch.setattr(line, "BACKOFF_SECONDS", 0.05)


@pytest.fixture
def run(journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], RunState]]:
    """Run five trials with a model at an address."""

    def begun(url: str) -> RunState:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=5)))

    yield begun


def check_end(state: RunState) -> None:
    """A run that did not suffer: five trials, all predicted before, a delivered model with a test score."""
    assert state.finished is not None and state.finished.status in ("finished", "budget")
    assert state.finished.test is not None and state.finished.trials == 5
    assert all(t.prediction is not None for t in state.ordered())


def told(state: RunState) -> list[str]:
    """All lines that the person saw of the model's failures."""
    lines = [a.words for a in state.answered.values() if a.failure]
    return [*lines, *(r.problem for r in state.refused), *(s.reason for s in state.switches)]


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - GOES_ON))
def test_a_model_that_always_fails_is_told_in_lines_and_the_plan_stands(
    fault: str, journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(lambda _request: FAULTS[fault]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with begin(journal, card, controller=NAME) as session:
            for _ in session.plan():
                pass
            state = session.need_state()
    assert state.assigned and all(t.prediction is not None for t in state.ordered()) and len(state.trials) == 2
    assert "builtin" in {state.assignments[0].by, *(t.prediction.by for t in state.ordered() if t.prediction)}
    lines = told(state)
    assert lines and all(line.strip() and "\n" not in line and len(line) < 500 for line in lines)
    assert "sk-test" not in str(lines)


@pytest.mark.parametrize("fault", ["unauthorized", "unavailable", "prose", "huge"])
def test_a_model_that_always_fails_does_not_hurt_the_run(fault: str, run: Callable[[str], RunState]) -> None:
    with OpenAIServer(lambda _request: FAULTS[fault]) as server:
        state = run(server.url)
    check_end(state)
    assert {t.prediction.by for t in state.ordered() if t.prediction} == {"builtin"}


ONCE = (
    "rate_limited",
    "server_error",
    "cut_stream",
    "context_too_long",
    "prose",
    "unauthorized",
    "refusal",
    "no_usage",
)


@pytest.mark.parametrize("fault", ONCE)
def test_a_model_that_fails_once_decides_again_later(
    fault: str, run: Callable[[str], RunState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_gpt.agent.llm.breaker.FIRST_PAUSE", 0.0)
    play, asked = player(), list[str]()

    def second_fails(request: Received) -> Reply:
        asked.append("")
        return FAULTS[fault] if len(asked) == 2 else play(request)

    with OpenAIServer(second_fails) as server:
        state = run(server.url)
    check_end(state)
    deciders = {t.prediction.by for t in state.ordered() if t.prediction} | {r.by for r in state.revisions}
    assert ("builtin" in deciders) if fault == "unauthorized" else (NAME in deciders)


@pytest.mark.parametrize("host", ["refused", "unknown"])
def test_no_server_at_all_is_told_and_the_built_in_controller_decides(
    host: str, run: Callable[[str], RunState]
) -> None:
    state = run(refused_url() if host == "refused" else UNKNOWN_HOST)
    check_end(state)
    assert {s.to for s in state.switches} == {"builtin"}


def test_a_certificate_that_nobody_signed_is_never_asked_twice(run: Callable[[str], RunState]) -> None:
    with OpenAIServer(player(), tls=True) as server:
        state = run(server.url)
        assert not server.requests
    check_end(state)
    assert [a.failure for a in state.answered.values()] == ["tls"]
