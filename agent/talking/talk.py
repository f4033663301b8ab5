"""A conversation with the language model that controls the run: the person's words in, what was done and said out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from automl_gpt.agent.decisions import NoDecision, Step, ToolCall
from automl_gpt.agent.llm.answers import read_calls
from automl_gpt.agent.llm.exchange import Abilities, Answer
from automl_gpt.agent.llm.line import Line
from automl_gpt.agent.request import open_trials
from automl_gpt.agent.talking.act import Act, Scene
from automl_gpt.agent.talking.acts import ACTS
from automl_gpt.agent.talking.dialogue import LARGE_CONTEXT, Exchange, conversation_offer, conversation_query
from automl_gpt.cards.errors import QuotingError, ToolError, UserError
from automl_gpt.tools.base import Context, parse_arguments
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.toolbox import TOOLBOX

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session

ROUNDS = 8
"""Requests to the model for one message of the person, at the most."""
LOOKUPS = 6
CALLS = 8
"""Calls of one answer that are carried out; the rest is refused."""
LONGEST_WORDS = 2000
RESULT_LENGTH = 2000
"""Characters of a result that the journal keeps."""
R = TypeVar("R")
_ACTS = {act.name: act for act in ACTS}


class Done(BaseModel):
    """What an act did, in words."""

    done: str


class Failed(BaseModel):
    """Why a call came to nothing."""

    error: str


class Talk:
    """Lets the model answer the person. `permit` asks the person before anything that spends, widens or writes.

    `then` are slash commands that the chat shall carry out after a reply; `answered` says whether there was one: where
    not, the events have said why, and fixed rules can answer.
    """

    def __init__(self, session: Session, permit: Callable[[str], bool]) -> None:
        self.then: list[str] = []
        self.answered = False
        self._session = session
        self._scene = Scene(session, permit, self.then)
        self._cache: dict[str, Any] = {}

    def reply(self, words: str) -> Iterator[Step]:
        """Answer a message: events, which are in the journal already, and pauses while the model answers.

        Where no run is begun, one is, so that everything stands in its journal. Closing the stream stops the answer.
        UserError without data, or where they can't be used.
        """
        self.then.clear()
        self.answered = False
        session = self._session
        yield from self._begin()
        state = session.need_state()
        earlier = tuple(state.dialogue)
        yield from session.record(e.Said(text=words[:LONGEST_WORDS]))
        exchange = Exchange(state, words, earlier)
        try:
            line = yield from self._recorded(session.line())
            yield from self._converse(line, exchange)
        except NoDecision:
            return

    def _begin(self) -> Iterator[e.Event]:
        """Begin the run, and let its clock stand still unless it trains: talking costs none of its time."""
        session = self._session
        if not session.driving:
            yield from session.profile()
            session.wait_for_person()
        if session.need_state().profile is None:
            raise UserError("the data are being read: ask again in a moment")

    def _converse(self, line: Line, exchange: Exchange) -> Iterator[Step]:
        text, mended = "", False
        for _ in range(ROUNDS):
            exchange.driving, exchange.seconds_left = self._session.driving, self._session.seconds_left()
            answer = yield from self._recorded(line.ask(lambda abilities: conversation_query(exchange, abilities)))
            try:
                calls = _calls(answer, line.model.abilities)
            except ToolError as error:
                if mended:
                    break
                mended, exchange.draft, exchange.problem = True, answer.text, str(error)
                continue
            exchange.problem = ""
            text = _words(answer, calls) or text
            if not calls:
                break
            for number, call in enumerate(calls):
                yield from self._carry_out(call, exchange, f"{line.model.name} (conversation)", number >= CALLS)
        if text:
            yield from self._session.record(e.Replied(text=text, by=line.model.name))
        self.answered = self.answered or bool(text)

    # ----------------------------------------------------------------------------------------------- one tool call

    def _carry_out(self, call: ToolCall, exchange: Exchange, by: str, too_many: bool) -> Iterator[e.Event]:
        """Look something up, or act; what came of it goes back to the model, and into the journal.

        `by` is not the controller's name alone: its look-ups belong to decisions, which a replay compares.
        """
        before = self._session.request, {trial.number for trial in open_trials(exchange.state)}
        found = Failed(error=f"more than {CALLS} calls in one answer") if too_many else self._result(call, exchange)
        exchange.looked.append((call, found))
        yield from self._changes(*before)
        text = found.model_dump_json()
        cut = text if len(text) <= RESULT_LENGTH else text[:RESULT_LENGTH] + "…"
        called = self._session.record(e.ToolCalled(name=call.name, arguments=call.arguments, result=cut, by=by))
        yield from () if call.name in _ACTS else called

    def _result(self, call: ToolCall, exchange: Exchange) -> BaseModel:
        if any(call == before for before, _ in exchange.looked):
            return Failed(error=f"{call.name} was called with these arguments already: answer the person")
        try:
            act = _ACTS.get(call.name)
            return self._act(act, call) if act else self._look(call, exchange)
        except QuotingError as error:
            return Failed(error=error.without_cells)
        except (ToolError, UserError) as error:
            return Failed(error=str(error))
        except OSError as error:
            return Failed(error=error.strerror or str(error))

    def _act(self, act: Act, call: ToolCall) -> Done:
        done = Done(done=act.carry_out(call.arguments, self._scene))
        self.answered = True
        return done

    def _look(self, call: ToolCall, exchange: Exchange) -> BaseModel:
        if sum(before.name not in _ACTS for before, _ in exchange.looked) >= LOOKUPS:
            raise ToolError("that was looked up often enough: answer the person now")
        session, state = self._session, exchange.state
        self._cache.update(state=state, seconds_left=session.seconds_left())
        folder = session.journal.run_folder(state.run)
        context = Context(
            folder, state.request.seed, 1, session.journal, state.run, self._cache, named=self._scene.named()
        )
        return TOOLBOX[call.name].call(call.arguments, context)

    def _changes(self, request: e.Request, waiting: set[int]) -> Iterator[e.Event]:
        """Yield what an act has changed, as the events that stand in the journal."""
        session = self._session
        if session.request != request:
            yield e.RequestChanged(request=session.request)
        trials = session.need_state().trials
        yield from (e.TrialWithdrawn(trial=number) for number in sorted(waiting) if trials[number].withdrawn)
        yield from (t.proposal for t in open_trials(session.state) if t.number not in waiting)

    def _recorded(self, steps: Generator[Step, None, R]) -> Generator[Step, None, R]:
        """Hand steps on, the events among them once they are in the journal."""
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    return end.value
                if isinstance(step, e.Record):
                    yield from self._session.record(step)
                else:
                    yield step
        finally:
            steps.close()


def _words(answer: Answer, calls: Sequence[ToolCall]) -> str:
    """Return what an answer says to the person: not its thoughts, and not a call that it writes as text."""
    if calls and not answer.calls:
        return ""
    return answer.refusal or answer.text.rpartition("</think>")[2].strip()


def _calls(answer: Answer, abilities: Abilities) -> list[ToolCall]:
    """Return the calls of an answer; none where it is meant for the person. ToolError for calls that can't be."""
    if answer.refusal:
        return []
    offer = conversation_offer(replace(abilities, context=max(abilities.context, LARGE_CONTEXT)))
    calls = read_calls(answer, offer, abilities.mode)
    if not calls and answer.text.lstrip().startswith(('{"tool"', "{'tool'")):
        raise ToolError(f"there is no such tool; there are: {', '.join(offer.schemas)}")
    for call in calls:
        tool = _ACTS.get(call.name) or TOOLBOX[call.name]
        parse_arguments(call.name, tool.arguments, call.arguments)
    return calls
