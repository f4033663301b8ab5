"""Commands that drive a run or use its model: plan, train, go on with an older run, predict."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import FrameType

from rich.text import Text

from automl_gpt.agent.commands.command import reading, split
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.screen.text import plain
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.state import RunState

INTERRUPTED = 130
TWICE_SECONDS = 2.0
"""A second Ctrl-C within this time does not wait for an orderly end."""


def plan(chat: Conversation, _rest: str) -> None:
    """Decide up to the next training, and show it."""
    _plan(chat)
    chat.screen.show_plan(chat.session.need_state())
    chat.session.wait_for_person()
    chat.say("/go trains, /prompt shows what a controller reads, /undo takes the proposals back", "dim")


def _plan(chat: Conversation) -> RunState:
    chat.need_card()
    if chat.state is not None and chat.state.finished is not None:
        raise UserError(f"run {chat.state.run} is finished: /predict FILE uses its model, /data starts another run")
    chat.show(chat.session.plan())
    return chat.session.need_state()


def go(chat: Conversation, _rest: str) -> None:
    """Plan, ask once, and train until the budget is spent or Ctrl-C."""
    state = _plan(chat)
    if not state.approved:
        chat.session.wait_for_person()
        if not chat.approved(state):
            chat.say("not trained; the plan is kept: /go asks again", "dim")
            return
        chat.session.approve()
    _drive(chat)


def finish(chat: Conversation, _rest: str) -> None:
    """End the search, also while something trains, and deliver the best of what is trained."""
    chat.session.finish()
    if chat.training:
        chat.say("the search ends here; the best of what is trained is delivered", "dim")
    else:
        _drive(chat)


def _drive(chat: Conversation) -> None:
    """Train to the end, or until Ctrl-C; what the person types meanwhile is heard between events."""
    chat.settle()
    stopped = True
    with _ctrl_c_stops(chat), chat.busy(), contextlib.suppress(KeyboardInterrupt):
        with contextlib.closing(_generator(chat)) as steps:
            for _ in steps:
                chat.between()
        stopped = False
    if stopped or chat.session.need_state().interrupted:
        chat.session.wait_for_person()
        _stopped(chat)


def _generator(chat: Conversation) -> Generator[None]:
    events = chat.session.drive()
    try:
        for event in events:
            chat.screen.show(event, chat.session.need_state())
            yield
    finally:
        if isinstance(events, Generator):
            events.close()


def _stopped(chat: Conversation) -> None:
    """Show what was reached, and say how it goes on."""
    if chat.person.present:
        chat.screen.show_trials(chat.session.need_state())
    chat.say("stopped; /go goes on", "yellow")
    if not chat.person.present:
        chat.exit_code, chat.leaving = INTERRUPTED, True


@contextlib.contextmanager
def _ctrl_c_stops(chat: Conversation) -> Generator[None]:
    """Let Ctrl-C end the training and not the chat, and a request of the system to end both in good order."""
    presses: list[float] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if presses and now - presses[-1] < TWICE_SECONDS:
            raise KeyboardInterrupt
        presses.append(now)
        chat.session.stop("Ctrl-C")

    def leave(_number: int, _frame: FrameType | None) -> None:
        chat.exit_code, chat.leaving = INTERRUPTED, True
        chat.session.stop("the system asked to end")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop), signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def resume(chat: Conversation, rest: str) -> None:
    """Take over a run of the journal, by default the newest."""
    state = chat.session.resume(rest.strip() or "last")
    chat.settle()
    if state.trials:
        chat.screen.show_trials(state)
    if state.finished is not None:
        chat.screen.show_end(state)
    else:
        chat.say(f"run {state.run}: {len(state.done())} trials kept; /go goes on")


def predict(chat: Conversation, rest: str) -> None:
    """Use the run's model on new rows."""
    names = split(rest)
    if not names or len(names) > 2:
        raise UserError("/predict FILE [OUT]: name the file with new rows (quote names that hold blanks)")
    file, *out = [Path(name).expanduser() for name in names]
    with reading(names[0]):
        done = chat.session.predict(file, out[0] if out else None)
    for note in done.notes:
        chat.say(f"note: {note}", "yellow")
    chat.screen.print(Text(f"{done.rows:,} rows predicted  {plain(done.out)}"), whole=True)
