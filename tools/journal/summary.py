"""What the searchable tables know of a run, as records: lists are read without events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal.events import Record
from automl_gpt.tools.journal.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

RunStatus = Literal["running", "interrupted", "finished", "budget", "stopped", "no_trials"]
"""`interrupted` runs have no end and nobody who drives them: they can be resumed."""


class Forecast(Record):
    """What the pre-training forecasts of a run were worth (so far)."""

    mae: float | None = None
    coverage: float | None = None
    rank_correlation: float | None = None


class Usage(Record):
    """What the answered calls to language models of a run used; `cost_usd` is None where a price was unknown."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = 0.0


class RunSummary(Record):
    """One run. `name` is its data's; `valid` and `test` are in the metric's own unit; `trials` counts the scored ones.

    Of a run without an end, `model`, `hyperparameters` and `valid` are those of its best trial so far. `started` is
    epoch seconds, `seconds` the budget that it used, `artifact` the folder of the delivered model.
    """

    run: str
    name: str
    status: RunStatus
    controller: str
    model: str | None
    hyperparameters: Hyperparameters
    metric: str | None
    direction: Literal["maximize", "minimize"] | None
    valid: float | None
    test: float | None
    trials: int
    started: float
    seconds: float
    forecast: Forecast
    usage: Usage = Usage()
    artifact: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        metric = {"name": self.metric, "direction": self.direction}
        return {
            "run": self.run, "controller": self.controller, "model": self.model,
            "hyperparameters": self.hyperparameters, "metric": metric, "valid": self.valid, "test": self.test,
            "trials": self.trials, "seconds": self.seconds, "forecast": self.forecast.model_dump(),
            "usage": self.usage.model_dump(), "artifact": self.artifact, "status": self.status,
        }  # fmt: skip


def run_summaries(connection: Connection, driven: set[str], home: Path, limit: int | None) -> list[RunSummary]:
    """List runs, newest first; `driven` are those that a session drives now."""
    from sqlalchemy import select

    runs = tables().runs
    newest = select(runs).order_by(runs.c.started.desc(), runs.c.run.desc()).limit(limit)
    return [_summary(row, row["run"] in driven, home) for row in connection.execute(newest).mappings()]


def _summary(row: Any, driven: bool, home: Path) -> RunSummary:
    copied = (
        "run",
        "name",
        "controller",
        "model",
        "metric",
        "direction",
        "valid",
        "test",
        "trials",
        "started",
        "seconds",
    )
    status = "interrupted" if row["status"] == "running" and not driven else row["status"]
    return RunSummary(
        **{name: row[name] for name in copied},
        status=status,
        hyperparameters=json.loads(row["hyperparameters"]),
        forecast=Forecast(
            mae=row["forecast_mae"],
            coverage=row["forecast_coverage"],
            rank_correlation=row["forecast_rank_correlation"],
        ),
        usage=Usage(tokens_in=row["tokens_in"], tokens_out=row["tokens_out"], cost_usd=row["cost_usd"]),
        artifact=str(home / "runs" / row["run"] / row["artifact"]) if row["artifact"] else None,
    )
