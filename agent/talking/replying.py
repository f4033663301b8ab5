"""A language model's answers in the chat: shown as they come, interruptible, and beside a training that goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from automl_gpt.agent.commands import carry_out
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.decisions import Step, Waiting
from automl_gpt.agent.driver import CONTROLLERS
from automl_gpt.agent.screen.approval import read_answer
from automl_gpt.agent.talking.talk import Talk

PAUSE_SECONDS = 0.1


class Replying:
    """Lets the model that controls the run answer the person's words. `rules` answers where it does not."""

    def __init__(self, chat: Conversation, rules: Callable[[str], None]) -> None:
        self._chat, self._rules = chat, rules
        self._talk = Talk(chat.session, self._permits)
        self._steps: Iterator[Step] | None = None
        self._words = ""
        self._waiting: list[str] = []
        self._before = chat.session.request
        self._advancing = False

    def answer(self, words: str) -> bool:
        """Answer; while something trains, begin to. False where no model controls, or there are no data yet."""
        session = self._chat.session
        if session.controller in CONTROLLERS or (session.state is None and session.data_card is None):
            return False
        self._waiting.append(words)
        if self._chat.training:
            self.go_on()
        else:
            self.finish()
        return True

    def go_on(self) -> None:
        """Go on with the answer under way, as far as it has come."""
        self._advance(0.0)

    def finish(self) -> None:
        """Wait for the end of all answers, if there are any; Ctrl-C ends them."""
        while self._steps is not None or self._waiting:
            self._advance(PAUSE_SECONDS)

    def _advance(self, seconds: float) -> None:
        """Show what comes; where the model is waited for, do so for at most that long, and return."""
        if self._advancing or (self._steps is None and not self._waiting):
            return
        self._advancing = True
        try:
            over = self._shown(self._steps or self._begin(), seconds)
        except BaseException:
            self._leave()
            self._waiting.clear()
            raise
        finally:
            self._advancing = False
        if over:
            self._ended()

    def _begin(self) -> Iterator[Step]:
        self._words, self._before = self._waiting.pop(0), self._chat.session.request
        self._steps = self._talk.reply(self._words)
        return self._steps

    def _shown(self, steps: Iterator[Step], seconds: float) -> bool:
        """Show what comes of an answer; say whether that was all."""
        for step in steps:
            if not isinstance(step, Waiting):
                self._chat.show([step])
            elif not step.wait(seconds):
                return False
        return True

    def _leave(self) -> None:
        """Give the answer up; the connection is closed."""
        steps, self._steps = self._steps, None
        if isinstance(steps, Generator):
            steps.close()
        self._chat.remember(self._before)

    def _ended(self) -> None:
        self._leave()
        if not self._talk.answered:
            self._chat.say(f"{self._chat.session.controller} gave no answer; fixed rules read your words", "dim")
            self._rules(self._words)
        for command in self._talk.then:
            carry_out(self._chat, command)

    def _permits(self, what: str) -> bool:
        """Ask the person. An `always` for the training is no yes to what a model comes up with."""
        with self._chat.screen.aside():
            return read_answer(self._chat.person.ask(f"{what} [y]es / [n]o")) == "yes"
