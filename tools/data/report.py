"""The profile of a data set: statistics and findings, and no raw cell but the levels of columns with few of them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.cards.schema import ColumnType, Modality
from automl_gpt.tools.train.protocol import TaskKind


class Fact(BaseModel):
    """A part of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnProfile(Fact):
    """Statistics of one column. `levels` holds values only of columns with at most 50, each in at least 5 rows."""

    name: str
    type: ColumnType
    role: Literal["input", "target", "weight", "group", "time", "dropped"]
    missing: float = Field(description="share of rows without a value")
    distinct: int
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    levels: dict[str, int] = Field(default_factory=dict)
    meaning: str = ""
    why_dropped: str = ""


class Finding(Fact):
    """Something about the data or the card that a person should know.

    `error` findings never appear here: they are raised. `leak` findings name columns or rows that were left out.
    """

    level: Literal["note", "warning", "leak"]
    column: str | None = None
    text: str


class MetaFeatures(Fact):
    """Numbers by which data sets of one modality are compared."""

    modality: Modality = "tabular"
    rows: int
    columns: int
    numeric: int
    categorical: int
    classes: int
    class_entropy: float = Field(default=0.0, description="in bits")
    minority_share: float = 0.0
    missing: float = 0.0
    target_skew: float = 0.0
    landmark: float | None = Field(default=None, description="score of a simple model, scaled: 0 trivial, 1 perfect")
    linear: float | None = Field(default=None, description="score of a linear model on tables, scaled as the landmark")
    neighbour: float | None = Field(default=None, description="score of the nearest neighbours on tables, likewise")


class Profile(Fact):
    """All that decisions may know of the data."""

    name: str
    fingerprint: str
    modality: Modality = "tabular"
    task: TaskKind
    target: str
    labels: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    target_mean: float | None = None
    target_std: float | None = None
    rows: int
    rows_train: int = Field(description="rows of training and validation together")
    rows_test: int
    folds: int = Field(description="1: one validation split")
    rows_valid: int = Field(description="rows that are validated on: all training rows where there are folds")
    split: str = Field(description="how the rows were divided, in words")
    columns: tuple[ColumnProfile, ...]
    features: int = Field(description="columns of the prepared matrix; words of a text, 1 for a picture")
    passages: int = Field(default=0, description="passages that retrieval searches")
    inferred: tuple[str, ...] = Field(default=(), description="what the card left open, and how it was filled in")
    findings: tuple[Finding, ...] = ()
    meta: MetaFeatures
    megabytes: float = 0.0
