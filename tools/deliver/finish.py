"""The steps of a run's end, as tasks for a process of its own: choose and deliver, look at the test split, report.

Each reads the run's state from the journal; what it finds becomes an event there only through the session.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl_gpt.tools.compose.ensemble import choose
from automl_gpt.tools.data.prepared import open_prepared
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.deliver.export import export, write_model_card
from automl_gpt.tools.deliver.whole import add_whole
from automl_gpt.tools.evaluate.report import write_report
from automl_gpt.tools.evaluate.test_look import look
from automl_gpt.tools.journal.events import EnsembleChosen
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import open_journal
from automl_gpt.tools.process.link import Link
from automl_gpt.tools.process.machine import cores

AFTERWARDS = 3.1
"""Seconds that are left for the look at the test split, the report and the end of the process."""


def _open(arguments: dict[str, Any]) -> tuple[RunState, Path]:
    journal = open_journal(arguments["url"], Path(arguments["home"]))
    try:
        return journal.state(arguments["run"]), journal.run_folder(arguments["run"])
    finally:
        journal.close()


def ensemble_task(arguments: dict[str, Any], _link: Link) -> dict[str, Any]:
    """Choose what is delivered and write RUN/model; the result is an `EnsembleChosen` event."""
    state, folder = _open(arguments)
    prepared = open_prepared(folder / "data")
    alone = not arguments["ensemble"]
    left, began = arguments["seconds_left"], time.monotonic()
    chosen = choose(state, folder, prepared, state.need_metric(), left, single=alone)
    spare = None if left is None else left - AFTERWARDS - (time.monotonic() - began)
    event = EnsembleChosen(
        members=chosen.members,
        value=chosen.value,
        best_single=chosen.best_single,
        decision_weights=chosen.decision_weights,
        reason=chosen.reason,
        whole=add_whole(state, folder, prepared, chosen.members, spare),
        by="the controller" if alone else "selection on validation",
    )
    state.apply(event)
    export(folder, state, prepared.layout)
    return event.model_dump(mode="json")


def test_task(arguments: dict[str, Any], _link: Link) -> dict[str, Any]:
    """Evaluate RUN/model on the test split; the result is a `TestLooked` event without its count."""
    state, folder = _open(arguments)
    found = asdict(look(load_bundle(folder / "model", fresh=True), folder / "data", state.need_metric(), cores()))
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in found.items()}


def report_task(arguments: dict[str, Any], _link: Link) -> dict[str, Any]:
    """Write the report, and the delivered model's card, which can tell the test score now."""
    state, folder = _open(arguments)
    if state.ensemble is not None:
        write_model_card(folder / "model", state)
    return {"report": str(write_report(state, folder))}
