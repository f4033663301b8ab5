"""What an act is, and where it takes place: the session, the person who is asked, the files that they named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_gpt.agent.decisions import Arguments
from automl_gpt.agent.talking.named import card_files, named_files
from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import parse_arguments
from automl_gpt.tools.journal.state import RunState

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session


class Declined(ToolError):
    """The person was asked, and said no."""


@dataclass
class Scene:
    """Where an act takes place. `permit` asks the person whether it may be done: "…what and what it costs".

    `then` are slash commands that the chat shall carry out once the reply is over.
    """

    session: Session
    permit: Callable[[str], bool]
    then: list[str] = field(default_factory=list[str])

    def ask(self, what: str) -> None:
        """Ask the person; Declined where they say no."""
        if not self.permit(what):
            raise Declined("the person was asked and said no: leave it, and do not ask again")

    def need_idle(self) -> RunState:
        """Return the run's state; ToolError while it trains."""
        if self.session.driving:
            raise ToolError("a run trains: this is possible once the person stopped it (Ctrl-C), or it has ended")
        return self.session.need_state()

    def said(self) -> list[str]:
        """Return all that the person said in this run."""
        return [said.text for said in self.session.need_state().said]

    def named(self) -> tuple[Path, ...]:
        """Return the files that the person named: in words, or by the Data Card."""
        desk = self.session.desk
        return (*named_files(self.said()), *card_files(desk.data_card, desk.data_file, desk.base))


@dataclass(frozen=True)
class Act:
    """One thing that can be done. `function` returns what was done, in words for the model."""

    name: str
    arguments: type[Arguments]
    function: Callable[[Any, Scene], str]

    @property
    def description(self) -> str:
        """What a model reads of it."""
        return " ".join((self.arguments.__doc__ or "").split())

    def carry_out(self, arguments: dict[str, Any], scene: Scene) -> str:
        """Check the arguments and do it; ToolError or UserError where that can't be."""
        before = scene.session.request
        done = self.function(parse_arguments(self.name, self.arguments, arguments), scene)
        late = scene.session.request != before and scene.session.need_state().finished is not None
        return f"{done}. This run is finished, so it counts for the next one" if late else done
