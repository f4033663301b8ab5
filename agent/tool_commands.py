"""`automl-gpt tools` and `automl-gpt tool NAME`: every tool of the toolbox, callable by a person."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_origin

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.base import Context, Tool
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.toolbox import TOOLBOX


def list_tools() -> None:
    """List the tools, their arguments and what they do."""
    table = Table("tool", "arguments", "does", box=None, pad_edge=False)
    for tool in TOOLBOX.values():
        table.add_row(tool.name, ", ".join(tool.arguments.model_fields), tool.description)
    Console(highlight=False).print(table)


def call_tool(open_journal: Callable[[], Journal], name: str, arguments: list[str], run: str | None) -> None:
    """Call a tool with arguments from the command line, and print its result as JSON."""
    tool = TOOLBOX.get(name)
    if tool is None:
        raise UserError(f"there is no tool {name!r}; there are: {', '.join(TOOLBOX)}")
    values = _parse(tool, arguments)
    journal = open_journal()
    found = journal.find(run) if run else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = journal.run_folder(found) if found else Path(scratch)
        result = tool.call(values, Context(folder, journal=journal, run=found))
    sys.stdout.write(result.model_dump_json(indent=1) + "\n")


def _parse(tool: Tool[Any], arguments: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog=f"automl-gpt tool {tool.name}", description=tool.description)
    parser.add_argument("--run", help="the run that the tool is called for")
    for name, field in tool.arguments.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, required=field.is_required(), help=_help(field))
    given = vars(parser.parse_args(arguments))
    given.pop("run")
    return {n: _value(tool.arguments.model_fields[n], v) for n, v in given.items() if v is not None}


def _help(field: FieldInfo) -> str:
    default = "" if field.is_required() else f" (default: {field.get_default(call_default_factory=True)})"
    return ((field.description or "") + default).replace("%", "%%")


def _value(field: FieldInfo, text: str) -> Any:
    """Read a value: JSON where the argument is no plain text; a list may also be written a,b,c."""
    annotation: Any = field.annotation
    if annotation in (str, Path, str | None, Path | None):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text.split(",") if get_origin(annotation) in (list, tuple) else text
