"""Data Cards and Model Cards as pydantic models, and search spaces as data that know what they contain.

A Data Card describes a data set (Gebru et al., "Datasheets for Datasets", 2018), a Model Card a family of models
(Mitchell et al., "Model Cards for Model Reporting", 2019). Unknown keys are errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from automl_gpt.cards.errors import ToolError

Scalar = bool | int | float | str
Hyperparameters = dict[str, Scalar]
"""One configuration: the name of each active hyperparameter and its value."""

Modality = Literal["tabular", "text", "image"]
Stage = Literal["processing", "model", "training"]
"""What a hyperparameter belongs to: how the data are processed, what the model is, or how it is trained."""
Task = Literal[
    "classification",
    "regression",
    "token-classification",
    "detection",
    "question-answering",
    "text-generation",
    "retrieval",
]
ColumnType = Literal["number", "category", "boolean", "datetime", "text"]
Role = Literal["text", "pair", "image", "question", "context", "tokens"]


class Strict(BaseModel):
    """A pydantic model in which an unknown key is an error and no value changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ------------------------------------------------------------------------------------------------------ search spaces


class Condition(Strict):
    """When a hyperparameter is active: another one has one of the given values."""

    parameter: str
    values: tuple[Scalar, ...] = Field(min_length=1)

    def holds(self, configuration: Mapping[str, Scalar]) -> bool:
        """Say whether the configuration makes the conditional hyperparameter active."""
        return self.parameter in configuration and configuration[self.parameter] in self.values


class _Number(Strict):
    log: bool = Field(default=False, description="search on a logarithmic scale")
    when: Condition | None = None
    stage: Stage = "training"
    meaning: str = ""

    def legal(self) -> str:
        """Return the legal range as text for a model or a person."""
        low, high = getattr(self, "low"), getattr(self, "high")  # noqa: B009 - both kinds of number have them
        return f"{low:g} to {high:g}" + (" (log scale)" if self.log else "")


class FloatRange(_Number):
    """A real number between `low` and `high`, both included."""

    type: Literal["float"]
    low: float
    high: float
    default: float

    @model_validator(mode="after")
    def _ordered(self) -> FloatRange:
        _check_range(self.low, self.high, self.default, self.log)
        return self

    def contains(self, value: object) -> bool:
        """Say whether the value is a finite number within the range."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number and self.low <= float(value) <= self.high  # pyright: ignore[reportArgumentType]


class IntRange(_Number):
    """An integer between `low` and `high`, both included."""

    type: Literal["int"]
    low: int
    high: int
    default: int

    @model_validator(mode="after")
    def _ordered(self) -> IntRange:
        _check_range(self.low, self.high, self.default, self.log)
        return self

    def contains(self, value: object) -> bool:
        """Say whether the value is an integer within the range."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


class CategoricalRange(Strict):
    """One of a few values."""

    type: Literal["categorical"]
    choices: tuple[Scalar, ...] = Field(min_length=1)
    default: Scalar
    when: Condition | None = None
    stage: Stage = "training"
    meaning: str = ""

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> CategoricalRange:
        if not self.contains(self.default):
            raise ValueError(f"default {self.default!r} is none of the choices {list(self.choices)}")
        return self

    def contains(self, value: object) -> bool:
        """Say whether the value is one of the choices, of the same type (True is not 1)."""
        return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in self.choices)

    def legal(self) -> str:
        """Return the choices as text for a model or a person."""
        return "one of " + ", ".join(map(str, self.choices))


Range = Annotated[FloatRange | IntRange | CategoricalRange, Field(discriminator="type")]


def _check_range(low: float, high: float, default: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("low and high must be finite numbers")
    if low > high:
        raise ValueError(f"low {low:g} is above high {high:g}: swap them")
    if not low <= default <= high:
        raise ValueError(f"default {default:g} is outside {low:g} to {high:g}")
    if log and low <= 0:
        raise ValueError(f"a log scale needs low above 0, not {low:g}")


# --------------------------------------------------------------------------------------------------------- Model Card


class Resources(Strict):
    """What training costs: one thread, the default configuration, 10,000 rows of 20 columns.

    Of texts, a row's columns are its words; a picture counts as one column whatever its size, because it is resized.
    """

    seconds: float = Field(gt=0, description="seconds of one fit on 10,000 rows x 20 columns with one thread")
    rows_exponent: float = Field(default=1.0, ge=0, le=3, description="seconds grow with rows to this power")
    columns_exponent: float = Field(default=1.0, ge=0, le=3, description="seconds grow with columns to this power")
    classes_exponent: float = Field(default=0.0, ge=0, le=2, description="seconds grow with classes to this power")
    max_rows: int | None = Field(default=None, gt=0, description="not offered for more training rows than this")
    interruptible: bool = Field(default=False, description="a fit that is cut short leaves a usable model")
    faster_with: str | None = Field(default=None, description="a fit is shorter in proportion to this hyperparameter")
    slower_with: str | None = Field(default=None, description="a fit is longer in proportion to this hyperparameter")
    bytes_per_cell: float = Field(default=16.0, gt=0, description="peak memory of a fit per cell of the table")
    megabytes: float = Field(default=150.0, gt=0, description="memory of a fit besides that of the data")


class ModelCard(Strict):
    """A family of models that one trainer can fit, with its search space."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    description: str = ""
    modality: Modality | Literal["any"] = "tabular"
    tasks: tuple[Task, ...] = Field(min_length=1)
    trainer: str
    architecture: str = ""
    search_space: dict[str, Range]
    resources: Resources
    source: str | None = Field(default=None, description="weights: a path or a hub id; none for models without")
    license: str | None = None

    @model_validator(mode="after")
    def _conditions_refer_back(self) -> ModelCard:
        seen: dict[str, Any] = {}
        for name, space in self.search_space.items():
            if space.when is not None:
                parent = seen.get(space.when.parameter)
                if parent is None:
                    raise ValueError(
                        f"{name}: its condition names {space.when.parameter!r}, which must stand before it"
                    )
                for value in space.when.values:
                    if not parent.contains(value):
                        raise ValueError(f"{name}: {space.when.parameter} is never {value!r} ({parent.legal()})")
            seen[name] = space
        return self

    def default(self) -> Hyperparameters:
        """Return the default configuration, active hyperparameters only."""
        return self.complete({})

    def active(self, name: str, configuration: Mapping[str, Scalar]) -> bool:
        """Say whether the hyperparameter counts in the configuration; its parents must be in it already."""
        when = self.search_space[name].when
        return when is None or when.holds(configuration)

    def complete(self, configuration: Mapping[str, Scalar]) -> Hyperparameters:
        """Check a configuration and fill in the defaults of what it leaves out, in the order of the search space.

        Raises ToolError, which names the legal range, for an unknown name, a value out of range, or a hyperparameter
        that is inactive under its condition. Nothing is clamped.
        """
        unknown = [name for name in configuration if name not in self.search_space]
        if unknown:
            raise ToolError(f"{self.name} has no hyperparameter {unknown[0]!r}; it has: {', '.join(self.search_space)}")
        full: Hyperparameters = {}
        for name, space in self.search_space.items():
            if not self.active(name, full):
                if name in configuration and space.when is not None:
                    values = " or ".join(map(str, space.when.values))
                    raise ToolError(
                        f"{self.name}: {name} counts only when {space.when.parameter} is {values}; leave it out"
                    )
                continue
            value = configuration.get(name, space.default)
            if not space.contains(value):
                raise ToolError(f"{self.name}: {name} = {value!r} is not legal; legal: {space.legal()}")
            full[name] = float(value) if space.type == "float" else value
        return full


# ---------------------------------------------------------------------------------------------------------- Data Card


class Sources(Strict):
    """Where the parts of a data set stand that come split; paths are relative to the card."""

    train: str
    valid: str | None = None
    test: str | None = None


class InputColumn(Strict):
    """What is known of one input column."""

    type: ColumnType | None = None
    meaning: str = ""
    role: Role | None = Field(
        default=None,
        description="what a column of a text or image set is: text, pair, image, question, context, tokens",
    )
    known: Literal["before", "afterwards"] = Field(
        default="before", description="afterwards: not known yet when the prediction is needed, so never an input"
    )


class Split(Strict):
    """How rows are divided into train, validation and test."""

    kind: Literal["given", "random", "group", "time"]
    test: float = Field(default=0.2, gt=0, lt=0.9, description="share of the rows that the test split takes")
    valid: float = Field(
        default=0.2, gt=0, lt=0.9, description="share of the other rows, where one validation split is cut"
    )
    folds: int | None = Field(
        default=None, ge=1, le=20, description="1: one validation split; default: by the data's size"
    )


class Limits(Strict):
    """What the delivered model may cost."""

    seconds_per_1000: float | None = Field(default=None, gt=0, description="seconds per 1,000 predictions")
    megabytes: float | None = Field(default=None, gt=0, description="size of the saved model")


class DataCard(Strict):
    """A data set and what to predict in it. All but `source` and `target` can be inferred."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_. -]*$", max_length=80)
    description: str = ""
    modality: Modality = "tabular"
    task: Task | None = None
    source: str | Sources
    target: str | None = Field(
        default=None,
        description="the column to predict; sklearn: sources, folders of pictures, COCO and SQuAD files know their own",
    )
    passages: str | None = Field(
        default=None,
        description="retrieval: the file of the passages to search; default: the contexts of the questions",
    )
    inputs: dict[str, InputColumn] | None = None
    drop: dict[str, str] = Field(default_factory=dict, description="columns that are no input, each with the reason")
    label_space: tuple[Scalar, ...] | None = Field(default=None, min_length=2)
    metric: str | None = None
    split: Split | None = None
    positive_class: Scalar | None = None
    weight: str | None = None
    group: str | None = None
    time: str | None = None
    limits: Limits = Limits()
    license: str | None = None
    notes: str = ""

    @field_validator("inputs", mode="before")
    @classmethod
    def _inputs_as_mapping(cls, value: object) -> object:
        """Accept a list of columns, or column: type, or column: {type, meaning, known}."""
        if isinstance(value, list):
            return {name: {} for name in _column_names(value)}
        if isinstance(value, dict):
            return {k: {"type": v} if isinstance(v, str) else {} if v is None else v for k, v in value.items()}
        return value

    @field_validator("drop", mode="before")
    @classmethod
    def _drop_as_mapping(cls, value: object) -> object:
        """Accept a list of columns, or column: reason."""
        if isinstance(value, list):
            return dict.fromkeys(_column_names(value), "")
        return value if value is not None else {}

    @field_validator("split", mode="before")
    @classmethod
    def _split_by_word(cls, value: object) -> object:
        """Accept the kind alone."""
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> DataCard:
        known = isinstance(self.source, str) and self.source.startswith("sklearn:")
        if self.target is None and self.modality == "tabular" and not known:
            raise ValueError(
                "target is missing: name the column to predict, for example `target: price` (folders of pictures, COCO "
                "and SQuAD files have none: for them write `modality: image` or `modality: text`)"
            )
        kind = self.split.kind if self.split else None
        if kind == "group" and not self.group:
            raise ValueError("split by group needs `group: COLUMN`")
        if kind == "time" and not self.time:
            raise ValueError("split by time needs `time: COLUMN`")
        if kind == "given" and isinstance(self.source, str):
            raise ValueError("split given needs `source:` with train and test (or valid) paths")
        roles = [c for c in (self.target, self.weight, self.group) if c]
        if len(set(roles)) < len(roles):
            raise ValueError("target, weight and group must be different columns")
        if self.target in self.drop:
            raise ValueError(f"the target {self.target!r} can't be dropped")
        return self


def _column_names(values: list[Any]) -> list[str]:
    """Return the names of a list of columns as text; ValueError where one of them is no name."""
    if any(isinstance(value, list | dict) or value is None for value in values):
        raise ValueError("must be a list of column names")
    return [str(value) for value in values]
