"""What comes in between while a controller thinks, and controllers that mean no good: the run does not suffer."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from automl_gpt.agent import Session, asking, controller, driver
from automl_gpt.agent.builtin import BuiltinController
from automl_gpt.agent.decisions import NoDecision, Situation, Step, Thinking, ToolCall, Waiting
from automl_gpt.agent.replay import replay
from automl_gpt.agent.talking.talk import Talk
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.journal.store import Journal
from tests.agent.small_run import begin, drive, shared_server
from tests.servers.controller_player import LOOK_UPS, player
from tests.servers.openai_server import OpenAIServer, Received, Reply
from tests.servers.read_prompt import Prompt

SCRIPTED, NAME = "scripted", "openai:test-model"


@dataclass
class Part:
    """What a scripted controller does: something `before` it decides, and a `change` of what it then decides."""

    before: Callable[[Situation], Iterable[Step]] = lambda _situation: ()
    change: Callable[[Situation, list[ToolCall]], list[ToolCall]] = lambda _situation, calls: calls


class Scripted:
    """Decides as the built-in controller would, but for its part."""

    name, hybrid = SCRIPTED, True

    def __init__(self, part: Part) -> None:
        self.part = part

    def ready(self) -> bool:
        return True

    def judged(self, valid: bool) -> tuple[e.Event, ...]:
        del valid
        return ()

    def decide(self, situation: Situation) -> Thinking:
        yield from self.part.before(situation)
        calls = BuiltinController().decide(situation)
        return self.part.change(situation, calls) if calls and calls[0].name == situation.decision else calls


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    played = Part()
    monkeypatch.setitem(driver.CONTROLLERS, SCRIPTED, lambda: Scripted(played))
    return played


def scripted(journal: Journal, card: str, trials: int = 4, **request: Any) -> Session:
    """Begin a run of the fastest models that the scripted controller drives."""
    budget = request.pop("budget", e.Budget(seconds=None, trials=trials))
    return begin(journal, card, controller=SCRIPTED, budget=budget, models=("k_nearest_neighbours", "linear"))


def goes_on(journal: Journal, run: str) -> RunState:
    """Resume a run in another session, and drive it to its end."""
    again = Session(journal, server=shared_server())
    again.resume(run)
    return drive(again)


def wait(seconds: float = math.inf) -> Iterator[Step]:
    """Think for so long."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield Waiting(lambda most: time.sleep(min(most, 0.01)) is not None)


def at(decision: str, steps: Callable[[], Iterable[Step]]) -> Callable[[Situation], Iterable[Step]]:
    """Do something at every decision of a kind."""
    return lambda situation: steps() if situation.decision == decision else ()


def trained(state: RunState) -> list[Trial]:
    return [t for t in state.ordered() if t.end is not None]


def check_end(state: RunState) -> None:
    """A delivered model, every trial predicted before its training and only then, the first two trained."""
    assert state.finished is not None and state.finished.test is not None and state.finished.model != "baseline"
    assert [t.proposal.by for t in trained(state)][:2] == ["opening", "opening"]
    assert all(t.prediction is not None for t in trained(state))


def check_predictions(journal: Journal, run: str) -> None:
    started, predicted = set[int](), set[int]()
    for stored in journal.events(run):
        if isinstance(stored.event, e.TrialStarted):
            started.add(stored.event.trial)
        if isinstance(stored.event, e.TrialPredicted):
            assert stored.event.trial not in started | predicted
            predicted.add(stored.event.trial)
    assert started <= predicted


# ----------------------------------------------------------------------------------------------- what comes in between


def test_a_limit_that_is_lowered_below_what_waits_ends_the_run(journal: Journal, card: str) -> None:
    session = Session(journal, e.Request(budget=e.Budget(seconds=None, trials=9), workers=2), server=shared_server())
    session.read(card)
    session.change(models=("k_nearest_neighbours", "linear"))
    with session:
        for _ in session.plan():
            pass
        session.approve()
        limit = 0
        for event in session.drive():
            started = [t for t in session.need_state().ordered() if t.started]
            if isinstance(event, e.TrialPredicted) and len(session.need_state().running()) == 2 and not limit:
                limit = len(started)
                session.change(budget=e.Budget(seconds=None, trials=limit))
        state = session.need_state()
    assert state.finished is not None and state.waiting() and len(trained(state)) == limit > 1


def test_another_controller_takes_over_from_one_that_thinks(journal: Journal, card: str, part: Part) -> None:
    session = scripted(journal, card, 4)
    part.before = at("propose_hyperparameters", wait)

    def change() -> None:
        if session.controller == SCRIPTED and session.need_state().done():
            session.change(controller="builtin")

    session.on_idle = change
    state = drive(session)
    check_end(state)
    assert state.assignments[0].by == SCRIPTED and SCRIPTED not in {t.proposal.by for t in trained(state)}


def test_a_stop_does_not_wait_for_a_plan_and_a_resume_begins_with_the_first_trials(
    journal: Journal, card: str, part: Part
) -> None:
    session = scripted(journal, card, 3)
    part.before = at("assign_model", wait)
    with session:
        for _ in session.profile():
            pass
        session.approve()
        session.on_idle = session.stop
        assert isinstance(list(session.drive())[-1], e.DecisionAsked)
        assert session.need_state().interrupted and not session.need_state().trials
    part.before = Part().before
    check_end(goes_on(journal, session.need_state().run))


def test_a_stop_does_not_wait_for_the_last_decision(journal: Journal, card: str, part: Part) -> None:
    session = scripted(journal, card, 3)
    part.before = at("finish", wait)
    session.on_idle = lambda: session.stop() if session.state and len(trained(session.state)) == 3 else None
    state = drive(session)
    assert state.finished is None and state.interrupted and len(trained(state)) == 3
    part.before = Part().before
    check_end(goes_on(journal, state.run))


def test_a_trial_that_is_taken_back_while_its_log_is_predicted_stays_taken_back(
    journal: Journal, card: str, part: Part
) -> None:
    session, taken = scripted(journal, card, 5), set[int]()

    def withdraw() -> Iterator[Step]:
        yield from wait(0.05)
        state = session.need_state()
        if not taken and len(state.trials) > 2:
            taken.update(t.number for t in state.ordered() if t.status == "proposed")
            session.undo()

    part.before = at("predict_log", withdraw)
    state = drive(session)
    check_end(state)
    check_predictions(journal, state.run)
    assert len(taken) > 1 and all(state.trials[n].prediction is None for n in taken)
    assert len(trained(state)) == 5


def test_a_trial_that_is_edited_while_a_controller_thinks_is_predicted_and_trained_once(
    journal: Journal, card: str, part: Part
) -> None:
    session = scripted(journal, card, 5)

    def edit() -> Iterator[Step]:
        yield from wait(0.05)
        state = session.need_state()
        if len(state.trials) > 2 and not any(t.proposal.by == "person" for t in state.ordered()):
            trial = next(t for t in state.ordered() if t.status == "proposed")
            value: Hyperparameters = {"penalty": 5.0} if trial.model == "linear" else {"n_neighbors": 31}
            session.edit(trial.number, value)

    part.before = at("predict_log", edit)
    state = drive(session)
    check_end(state)
    check_predictions(journal, state.run)
    assert [t.proposal.by for t in trained(state)].count("person") == 1


# --------------------------------------------------------------------------------------------- controllers of ill will


def test_a_controller_that_never_answers_costs_a_run_in_time_hardly_a_trial(
    journal: Journal, card: str, part: Part
) -> None:
    part.before = lambda _situation: wait()
    with scripted(journal, card, budget=e.Budget(seconds=10)) as session:
        for _ in session.profile():
            pass
        session.approve()
        for _ in session.drive():
            pass
        state = session.need_state()
    check_end(state)
    check_predictions(journal, state.run)
    assert state.finished is not None and state.finished.seconds < 12
    assert {t.proposal.by for t in trained(state)} == {"opening", "builtin"} and len(trained(state)) > 4


def test_a_plan_ends_although_its_controller_does_not_heed_the_time(
    journal: Journal, card: str, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(asking, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(asking, "DECISION_SECONDS", 0.2)
    part.before = lambda _situation: wait()
    with scripted(journal, card) as session:
        for _ in session.plan():
            pass
        assert [t.status for t in session.need_state().ordered()] == ["predicted", "predicted"]


def hopeless(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Expect nothing of any trial, and want none trained."""
    if situation.decision != "predict_log":
        return calls
    figures = {"checkpoints": [], "value": 0.1, "low": 0.0, "high": 0.2, "seconds": 1e8, "megabytes": 1, "train": False}
    return [ToolCall("predict_log", {"predictions": [{"trial": t.number, **figures} for t in situation.trials]})]


def absurd(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Predict logs that no computer could hold."""
    if situation.decision != "predict_log":
        return calls
    row = {"step": 10**400, "valid": 0.5, "low": -1e308, "high": 1e308}
    figures = {"checkpoints": [row], "value": 0.5, "low": -1e308, "high": 1e308, "seconds": 1e-300, "megabytes": 1e8}
    return [ToolCall("predict_log", {"predictions": [{"trial": t.number, **figures} for t in situation.trials]})]


def fickle(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Want other models every time."""
    if situation.decision != "revise":
        return calls
    names = situation.eligible[len(situation.state.revisions) % len(situation.eligible) :][:1]
    return [ToolCall("revise", {"action": "change_models", "models": list(names), "reason": "something else"})]


def hasty(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Want to finish at once."""
    return [ToolCall("revise", {"action": "finish", "reason": "enough"})] if situation.decision == "revise" else calls


def greedy(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Propose more than was asked for."""
    if situation.decision != "propose_hyperparameters":
        return calls
    many = [{"model": "linear", "hyperparameters": {"penalty": 0.001 * 4**n}} for n in range(9)]
    return [ToolCall("propose_hyperparameters", {"configurations": many})]


def repeating(situation: Situation, calls: list[ToolCall]) -> list[ToolCall]:
    """Propose what there was."""
    if situation.decision != "propose_hyperparameters":
        return calls
    again: Any = [{"model": t.model, "hyperparameters": t.hyperparameters} for t in situation.state.ordered()[:2]]
    return [ToolCall("propose_hyperparameters", {"configurations": again[: situation.count]})]


@pytest.mark.parametrize("will", [hopeless, absurd, fickle, hasty, greedy, repeating])
def test_a_controller_of_ill_will_does_not_hurt_the_run(
    will: Callable[[Situation, list[ToolCall]], list[ToolCall]], journal: Journal, card: str, part: Part
) -> None:
    part.change = will
    state = drive(scripted(journal, card, 12 if will is hasty else 7))
    check_end(state)
    check_predictions(journal, state.run)
    assert len(trained(state)) == 7 or will is hasty
    assert not any(t.status == "skipped" for t in state.ordered())
    assert bool(state.refused) == (will in (absurd, hasty, greedy, repeating))


def test_a_controller_that_can_not_decide_leaves_it_to_the_built_in_one(
    journal: Journal, card: str, part: Part
) -> None:
    def gives_up() -> Iterator[Step]:
        yield from wait(0.01)
        raise NoDecision

    part.before = lambda _situation: gives_up()
    state = drive(scripted(journal, card, 5))
    check_end(state)
    assert {t.proposal.by for t in trained(state)} == {"opening", "builtin"} and not state.refused


# -------------------------------------------------------------------------------------------------------------- replay


FAULTS_AT = {3: "prose", 6: "server_error", 12: "half_json", 17: "cut_stream"}


class Curious:
    """Looks things up before each decision: every other time several at once, a wrong one last, or the same again."""

    def __init__(self) -> None:
        self.play, self.times = player(lookups=True, faults=FAULTS_AT), Counter[str | None]()

    def __call__(self, request: Received) -> Reply:
        prompt = Prompt(request)
        time.sleep(0.3 if self.play.asked % 3 == 0 else 0.0)
        looked_up = next((name for name in LOOK_UPS if name in prompt.offered), "")
        if looked_up and bool(prompt.looked) == (prompt.decision == "revise"):
            self.times[prompt.decision] += 1
            if prompt.decision == "propose_hyperparameters" and self.times[prompt.decision] % 2:
                calls = [("suggest_hyperparameters", {"count": 2}), ("forecast_log", {"model": "linear"})]
                return Reply(calls=[*calls, ("forecast_log", {"model": "no_such_model"})])
            if prompt.decision == "revise" and self.times[prompt.decision] % 2:
                return Reply(calls=[(looked_up, LOOK_UPS[looked_up])])
        return self.play(request)


def talk(session: Session, words: str) -> None:
    """Say something, and wait for the answer."""
    for step in Talk(session, lambda _what: True).reply(words):
        if isinstance(step, Waiting):
            step.wait(1.0)


def test_a_run_with_everything_in_it_replays(journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look-ups, failures, stand-ins, a change of controller, a conversation, trials taken back, a limit, a resume."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setattr(controller, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr("automl_gpt.agent.llm.line.BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr("automl_gpt.agent.llm.breaker.FIRST_PAUSE", 0.0)
    with OpenAIServer(Curious()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        models, budget = ("k_nearest_neighbours", "linear"), e.Budget(seconds=300, trials=16)
        session = begin(journal, card, controller=NAME, budget=budget, models=models)
        with session:
            for _ in session.plan():
                pass
            talk(session, "what do you plan?")
            session.approve()
            events, taken = session.drive(), 0
            for event in events:
                done = len(session.need_state().done())
                if isinstance(event, e.TrialFinished) and done in (6, 8):
                    session.change(controller="builtin" if done == 6 else NAME)
                if isinstance(event, e.LLMAsked) and event.purpose == "predict_log" and not taken:
                    taken = next(t.number for t in session.need_state().ordered() if t.status == "proposed")
                    session.record(e.TrialWithdrawn(trial=taken))
                if isinstance(event, e.LLMAsked) and done >= 9:
                    break
            events.close()  # type: ignore[attr-defined]
        again = Session(journal, server=shared_server())
        run = again.resume(session.need_state().run).run
        with again:
            for event in again.drive():
                if isinstance(event, e.DecisionAsked) and not again.need_state().request.limits:
                    talk(again, "larger penalties")
                    again.limit("penalty", low=0.01)
        state = journal.state(run)
    found = Session(journal).replay(run)
    assert found.differences == [] and found.calls > 15
    talked = [asked for asked in state.asked.values() if asked.purpose == "conversation"]
    assert talked and len(state.asked) == found.calls + len(talked) and state.trials[taken].prediction is None
    problems = " ".join(refused.problem for refused in state.refused)
    assert "no_such_model" in problems and "with these arguments already" in problems
    assert any(a.failure for a in state.answered.values()) and len(trained(state)) <= 16
    assert {"opening", "builtin", NAME} <= {t.proposal.by for t in trained(state)}


def test_a_decision_that_was_changed_is_found_although_things_came_in_between(
    journal: Journal, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    with OpenAIServer(player(lookups=True, faults={4: "prose"})) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        state = drive(begin(journal, card, controller=NAME, budget=e.Budget(seconds=None, trials=4)))
    events = [stored.event for stored in journal.events(state.run)]
    refused = next(i for i, event in enumerate(events) if isinstance(event, e.DecisionRefused))
    changed = events[refused]
    assert isinstance(changed, e.DecisionRefused) and replay(state.run, events).matches
    events[refused] = changed.model_copy(update={"problem": "something else"})
    assert not replay(state.run, events).matches
