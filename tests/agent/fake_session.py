"""The chat over a session that only pretends: run as a script, it is what the chat's tests talk to."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import recorded_run as recorded
from rich.console import Console

from automl_gpt.agent.chat import chat
from automl_gpt.agent.desk import Desk
from automl_gpt.agent.ledger import Usage
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import find_card
from automl_gpt.cards.reader import parse_data_card
from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState

COLUMNS = ("age", "income", "default")


class FakeSession:
    """Replays the recorded run; `delay` seconds pass between two events of the training.

    Where another controller than the built-in one is wanted, a pretended language model opens the run.
    """

    endpoint = "models.example"

    def __init__(self, delay: float) -> None:
        self.journal = SimpleNamespace(runs=lambda limit=None: [], events=lambda run: self.happened)
        self.happened: list[Any] = []
        self.on_text: Callable[[str, str], None] | None = None
        self.request = e.Request()
        self.state: RunState | None = None
        self.data_card: DataCard | None = None
        self.card_file: Path | None = None
        self.desk = Desk(Path("cards"))
        self.delay, self.stopping = delay, threading.Event()
        self.left: Iterator[e.Event] = iter(())

    def warm_up(self) -> None:
        pass

    def read(self, name: str) -> DataCard | ModelCard:
        self.state, card = None, find_card(name).card
        if isinstance(card, DataCard):
            self.data_card = card
        return card

    def draft(self, file: Path, target: str | None) -> DataCard:
        if target is not None and target not in COLUMNS:
            raise UserError(f"{file}: there is no column {target!r}; did you mean 'income'?")
        self.state = None
        if file.is_dir():
            self.data_card = DataCard(source=str(file), modality="image")
            return self.data_card
        self.data_card = DataCard(source=str(file), target=target or "default", inputs={"age": {}, "income": {}})  # type: ignore[dict-item]
        return self.data_card

    def paste(self, text: str) -> DataCard:
        self.state, self.data_card = None, parse_data_card(text)
        return self.data_card

    def candidates(self) -> list[ModelCard]:
        return [recorded.model_card(name) for name in recorded.MODELS]

    def change(self, **fields: Any) -> None:
        for name in fields.get("models") or ():
            if name not in recorded.MODELS:
                raise UserError(f"there is no model {name!r}")
        if fields.get("controller") == "oracle":
            raise UserError("there is no controller 'oracle'")
        if fields.get("metric"):
            fields["metric"] = metric_for(fields["metric"], "binary").name
        self.request = self.request.model_copy(update=fields)

    def undo(self) -> str:
        raise UserError("there is nothing to take back")

    def said(self, text: str, understood: str) -> None:
        pass

    def need_state(self) -> RunState:
        if self.state is None:
            raise UserError("there is no run yet: name a Data Card or a data file first")
        return self.state

    def _apply(self, events: Iterator[e.Event]) -> Iterator[e.Event]:
        for event in events:
            self.need_state().apply(event)
            self.happened.append(SimpleNamespace(event=event))
            yield event
            if isinstance(event, e.LLMAsked):
                self._answer(event)

    def _answer(self, asked: e.LLMAsked) -> None:
        for end in range(1, 8):
            assert self.on_text is not None
            self.on_text(asked.model, "I look at the \x1b[31mcards\n"[: 4 * end])
            time.sleep(self.delay)
        self.on_text(asked.model, "")

    @property
    def controller(self) -> str:
        return self.request.controller

    def usage(self) -> Usage:
        asked = self.state.answered if self.state else {}
        return Usage(calls=len(asked), tokens_in=900 * len(asked), tokens_out=40 * len(asked), cost_usd=None)

    def edit(self, trial: int, hyperparameters: Hyperparameters) -> list[e.Event]:
        state = self.need_state()
        card, old = state.model_cards[state.trials[trial].model], state.trials[trial]
        full = card.complete({**old.hyperparameters, **hyperparameters})
        events = list(recorded.trial_events(90 + len(state.trials), card.name, 0.9, 0.9, "finished", 1.0))[:2]
        events[0] = events[0].model_copy(update={"hyperparameters": full, "by": "person"})
        return list(self._apply(iter([e.TrialWithdrawn(trial=trial), *events])))

    def replay(self, run: str = "last") -> Any:
        differences = [] if run == "same" else ["call 2: the table of trials differs"]
        words = f"{run}: 3 requests and 2 decisions replayed: {'1 differ' if differences else 'all the same'}"
        return SimpleNamespace(differences=differences, matches=not differences, words=lambda: words)

    def profile(self) -> Iterator[e.Event]:
        if self.state is None:
            begun = list(recorded.beginning())
            self.state = RunState("loans-7f3a", begun[0], self.request)
            self.left = iter([*recorded.training(), *recorded.ending()])
            yield begun[0]
            if self.controller != "builtin":
                yield from self._apply(iter(recorded.conversing(self.controller)))
            yield from self._apply(iter(begun[1:]))

    def plan(self) -> Iterator[e.Event]:
        fresh = self.state is None
        yield from self.profile()
        if fresh:
            yield from self._apply(iter([next(self.left), next(self.left)]))

    def wait_for_person(self) -> None:
        pass

    def approve(self, by: str = "person") -> None:
        self.need_state().apply(e.TrainingApproved(by=by))

    def drive(self) -> Iterator[e.Event]:
        self.stopping.clear()
        for event in self._apply(self.left):
            yield event
            time.sleep(self.delay)
            if self.stopping.is_set():
                yield from self._apply(iter([e.Interrupted(reason="left by the person")]))
                return

    def stop(self, reason: str = "") -> None:
        self.stopping.set()

    def resume(self, run: str) -> RunState:
        raise UserError(f"there is no run {run!r}")

    def paragraph(self, decision: str | None = None) -> str:
        return f"PARAGRAPH for {decision or 'the next decision'}\n  hyperparameters: {recorded.HOSTILE}"

    def predict(self, file: Path, out: Path | None = None) -> Any:
        if not file.is_file():
            raise UserError(f"{file}: no such file")
        return SimpleNamespace(rows=1234, out=out or Path("new.predictions.csv"), notes=("column x is missing",))

    def report(self) -> Path:
        return Path("/somewhere/report.html")

    def elapsed(self) -> float:
        return 3.0

    def seconds_left(self) -> float | None:
        return self.request.budget.seconds


if __name__ == "__main__":
    console = Console(highlight=False, stderr=not sys.stdout.isatty())
    sys.exit(chat(FakeSession(float(sys.argv[1])), console, sys.argv[2:]))  # type: ignore[arg-type]
