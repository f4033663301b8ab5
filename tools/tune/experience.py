"""The tool that shows experience: finished trials of other runs on data like these, or that nothing near is known."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.tune.current import current_state


class SimilarArguments(BaseModel):
    """How much experience to show."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(default=10, ge=1, le=50, description="at most this many trials, nearest data first")


class Similar(BaseModel):
    """Finished trials on similar data; distance 0 is the same data, 1 the farthest that still counts."""

    model_config = ConfigDict(frozen=True)
    trials: tuple[SimilarTrial, ...]
    note: str = ""


@tool("similar_runs", SimilarArguments)
def similar_runs(arguments: SimilarArguments, context: Context) -> Similar:
    """Show finished trials of other runs on similar data: which models and hyperparameters worked there, how well
    between that run's baseline (0) and best (1), and how far those data are from these.
    """
    state = current_state(context)
    nearest = sorted(state.experience or (), key=lambda t: t.distance)[: arguments.limit]
    found = [
        t.model_copy(update={"about": "", "curve": ()}) for t in nearest
    ]  # long, and others' words: used to choose, not shown
    note = "" if found else "no finished run on similar data: nothing near is known"
    return Similar(trials=tuple(found), note=note)
