"""What a tool is: one pydantic argument model and one function, joined by `@tool`.

The JSON schema that a model reads and the options of `automl-gpt tool NAME` derive from the argument model. An
inspecting tool only looks; a spending tool changes files or costs time, and needs an approval.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from automl_gpt.cards.errors import ToolError

if TYPE_CHECKING:
    from automl_gpt.tools.journal.store import Journal

A = TypeVar("A", bound=BaseModel)


def home() -> Path:
    """Return the folder of journal, models and the user's own cards: `AUTOML_GPT_HOME`, else the platform's."""
    given = os.environ.get("AUTOML_GPT_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("automl-gpt", appauthor=False))


@dataclass
class Context:
    """What a tool may reach: a folder to write into, a seed, cores, the journal, and the run that it is called for.

    `named` are the paths that the person named; a tool reads and writes nothing outside them and `directory`.
    """

    directory: Path
    seed: int = 0
    threads: int = 1
    journal: Journal | None = None
    run: str | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    def need_run(self) -> tuple[Journal, str]:
        """Return the journal and the run, or raise ToolError where the tool was called outside of a run."""
        if self.journal is None or self.run is None:
            raise ToolError("this tool looks at a run: name one with --run RUN (`automl-gpt runs` lists them)")
        return self.journal, self.run


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A tool of the toolbox. `function(arguments, context)` returns a pydantic model, which is also its JSON."""

    name: str
    description: str
    arguments: type[A]
    function: Callable[[A, Context], BaseModel]
    inspects: bool

    def call(self, arguments: dict[str, Any], context: Context) -> BaseModel:
        """Check the arguments and carry the tool out; ToolError where they are wrong."""
        return self.function(parse_arguments(self.name, self.arguments, arguments), context)

    def schema(self) -> dict[str, Any]:
        """Return the tool as a function schema, as chat models take it."""
        return {"name": self.name, "description": self.description, "parameters": self.arguments.model_json_schema()}


def tool(
    name: str, arguments: type[A], *, inspects: bool = True
) -> Callable[[Callable[[A, Context], BaseModel]], Tool[A]]:
    """Make a tool of a function; its docstring's first paragraph is the description that a model reads."""

    def make(function: Callable[[A, Context], BaseModel]) -> Tool[A]:
        text = (function.__doc__ or "").split("\n\n")[0]
        return Tool(name, " ".join(text.split()), arguments, function, inspects)

    return make


def parse_arguments(name: str, model: type[A], arguments: dict[str, Any]) -> A:
    """Check the arguments of a call; ToolError with the field and what would be right."""
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise ToolError(f"{name}: {where}: {first['msg']}") from error
