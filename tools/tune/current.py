"""Where a tool finds the run that it looks at."""

from __future__ import annotations

from automl_gpt.tools.base import Context
from automl_gpt.tools.journal.state import RunState


def current_state(context: Context) -> RunState:
    """Return the live state that the loop left in the context's cache, else the journal's; ToolError without a run."""
    live = context.cache.get("state")
    if isinstance(live, RunState):
        return live
    journal, run = context.need_run()
    return journal.state(run)
