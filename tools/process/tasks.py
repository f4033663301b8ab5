"""The tasks that run in processes of their own: one explicit table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.deliver.finish import ensemble_task, report_task, test_task
from automl_gpt.tools.process.link import Link
from automl_gpt.tools.train.worker import train


def prepare_task(arguments: dict[str, Any], _link: Link) -> dict[str, Any]:
    """Prepare a run's data; the result is a `Profile`."""
    base = Path(arguments["base"]) if arguments["base"] else None
    card = DataCard.model_validate(arguments["card"])
    return prepare(card, base, Path(arguments["folder"]), arguments["core_seconds"]).model_dump(mode="json")


TASKS: dict[str, Callable[[dict[str, Any], Link], dict[str, Any]]] = {
    "prepare": prepare_task,
    "train": train,
    "ensemble": ensemble_task,
    "test": test_task,
    "report": report_task,
}
