"""The tool `profile_data`: what is in a data set, and what is wrong with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.library import find_card
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import Context, home, tool
from automl_gpt.tools.data.masked import profile_for_model
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.tune.current import current_state


class ProfileData(BaseModel):
    """What to profile."""

    model_config = ConfigDict(extra="forbid")
    card: str = Field(description="a Data Card: its file, or the name of a shipped one or of one's own")


@tool("profile_data", ProfileData, for_model=profile_for_model)
def profile_data(arguments: ProfileData, context: Context) -> Profile:
    """Load, check and divide a data set; report its statistics and what is wrong with the data or the card."""
    if context.for_model:
        known = _of_the_run(arguments.card, context)
        if known is not None:
            return known
        arguments = ProfileData(card=str(context.readable(arguments.card)))
    found = find_card(arguments.card, home() / "cards")
    if not isinstance(found.card, DataCard):
        raise ToolError(f"{arguments.card} is a Model Card; profile_data needs a Data Card")
    with tempfile.TemporaryDirectory(prefix="automl-gpt-") as folder:
        return prepare(found.card, found.file.parent, Path(folder))


def _of_the_run(card: str, context: Context) -> Profile | None:
    """Return the profile of the run's own data where a model names them: they are divided already."""
    if context.run is None:
        return None
    state = current_state(context)
    names = {state.data_card.name, state.profile.name if state.profile else "", state.started.card_file or ""}
    return state.profile if card in names - {""} else None
