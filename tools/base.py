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

from automl_gpt.cards.errors import QuotingError, ToolError, UserError

if TYPE_CHECKING:
    from automl_gpt.tools.journal.store import Journal

A = TypeVar("A", bound=BaseModel)
LONGEST_PATH = 1000
PATH_SHOWN = 120
"""Characters of a path that an error repeats."""


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

    `named` None: a person calls, and may name any path. A tuple: a model calls; what it names has to be one of these
    paths, which the person named, or to stand in `directory`.
    """

    directory: Path
    seed: int = 0
    threads: int = 1
    journal: Journal | None = None
    run: str | None = None
    cache: dict[str, Any] = field(default_factory=dict)
    named: tuple[Path, ...] | None = None

    @property
    def for_model(self) -> bool:
        """Whether a model calls: it names fewer paths than a person, and sees no cell that few rows hold."""
        return self.named is not None

    def readable(self, path: str | Path) -> Path:
        """Return the path, `~` expanded, or raise ToolError where it may not be read.

        A model reads what the person named, what stands in a folder that the person named, and what stands in
        `directory`; links and `..` are followed before that is judged. A relative path counts from the
        working folder, else from `directory`.
        """
        place = _expanded(path)
        if self.named is None:
            return place
        own = (self.directory / place).resolve()
        allowed = [*self._named(), self.directory.resolve()]
        for resolved in (place.resolve(), *([own] if own.exists() else [])):
            if any(resolved.is_relative_to(root) for root in allowed):
                return resolved
        raise ToolError(f"{_shown(path)} is not the run's, and the person named no such path: ask for it first")

    def writable(self, path: str | Path) -> Path:
        """Return the path, `~` expanded, or raise ToolError where it may not be written.

        A model writes new files alone: those that the person named, and others directly in `directory`, whose folders
        are the run's own.
        """
        place = _expanded(path)
        if self.named is None:
            return place
        resolved = place.resolve()
        if resolved not in self._named():
            resolved = (self.directory / place).resolve()
        if resolved not in self._named() and resolved.parent != self.directory.resolve():
            raise ToolError(f"{_shown(path)} may not be written: leave the file out, or ask the person to name it")
        if resolved.exists():
            raise ToolError(f"{_shown(path)} exists already, and is not overwritten: name another file")
        return resolved

    def _named(self) -> list[Path]:
        return [Path(path).expanduser().resolve() for path in self.named or ()]

    def need_run(self) -> tuple[Journal, str]:
        """Return the journal and the run, or raise ToolError where the tool was called outside of a run."""
        if self.journal is None or self.run is None:
            raise ToolError("this tool looks at a run: name one with --run RUN (`automl-gpt runs` lists them)")
        return self.journal, self.run


def _expanded(path: str | Path) -> Path:
    """Return a path with `~` expanded; ToolError for what can't be one."""
    if len(str(path)) > LONGEST_PATH:
        raise ToolError(f"{_shown(path)} is too long for a path")
    try:
        place = Path(path).expanduser()
        place.resolve().exists()
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ToolError(f"{_shown(path)} can't be a path: {reason}") from error
    return place


def _shown(path: str | Path) -> str:
    text = repr(str(path))
    return text if len(text) <= PATH_SHOWN else f"{text[:PATH_SHOWN]}…"


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A tool of the toolbox. `function(arguments, context)` returns a pydantic model, which is also its JSON.

    `for_model` makes of a result what a model may see of it: no cell that few rows hold.
    """

    name: str
    description: str
    arguments: type[A]
    function: Callable[[A, Context], BaseModel]
    inspects: bool
    for_model: Callable[[Any], BaseModel] | None = None

    def call(self, arguments: dict[str, Any], context: Context) -> BaseModel:
        """Check the arguments and carry the tool out; ToolError where they are wrong.

        Where a model calls, every error that it can act on is a ToolError, and the result is what it may see.
        """
        if not context.for_model:
            return self.function(parse_arguments(self.name, self.arguments, arguments), context)
        try:
            found = self.function(parse_arguments(self.name, self.arguments, arguments), context)
        except QuotingError as error:
            raise ToolError(f"{self.name}: {error.without_cells}") from error
        except UserError as error:
            raise ToolError(f"{self.name}: {error}") from error
        return self.for_model(found) if self.for_model is not None else found

    def schema(self) -> dict[str, Any]:
        """Return the tool as a function schema, as chat models take it."""
        return {"name": self.name, "description": self.description, "parameters": self.arguments.model_json_schema()}


def tool(
    name: str, arguments: type[A], *, inspects: bool = True, for_model: Callable[[Any], BaseModel] | None = None
) -> Callable[[Callable[[A, Context], BaseModel]], Tool[A]]:
    """Make a tool of a function; its docstring's first paragraph is the description that a model reads."""

    def make(function: Callable[[A, Context], BaseModel]) -> Tool[A]:
        text = (function.__doc__ or "").split("\n\n")[0]
        return Tool(name, " ".join(text.split()), arguments, function, inspects, for_model)

    return make


def parse_arguments(name: str, model: type[A], arguments: dict[str, Any]) -> A:
    """Check the arguments of a call; ToolError with the field and what would be right."""
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise ToolError(f"{name}: {where}: {first['msg']}") from error
