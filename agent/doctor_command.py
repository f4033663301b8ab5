"""`automl-gpt doctor`: what breaks a set-up, each with its mend."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.text import Text

from automl_gpt.tools.process.doctor import examine, healthy

STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}
BROKEN = 2


def doctor(as_json: bool) -> int:
    """Print all checks, to a person or as JSON, and return the exit code."""
    checks = examine()
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2, ensure_ascii=False))
        return 0 if healthy(checks) else BROKEN
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(check.check) for check in checks)
    for check in checks:
        line = Text.assemble(
            (f"{check.level.upper():<4}", STYLES[check.level]), f"  {check.check:<{width}}  {check.text}"
        )
        if check.mend:
            line.append(f"\n{'':{width + 8}}mend: {check.mend}")
        console.print(line)
    return 0 if healthy(checks) else BROKEN
