"""What every part of an event is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of an event: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")
