"""The form in which experience leaves and enters a store: JSON lines, a header first, each data set before its trials.

No line holds a value of the data, a label, or the name of a column; a data set is described by its card's name and
description, which the person wrote, and by numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from automl_gpt.cards.schema import ModelCard, Scalar
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.train.protocol import TaskKind

FORMAT, VERSION = "automl-gpt experience", 1
CURVE_POINTS = 24
"""Rows of a log that are kept: the first, the last, and evenly many on the way."""
Curve = tuple[tuple[int, float], ...]
"""A thinned log: steps, rising, and the validation score at each."""
LARGEST = 1e300
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Line(BaseModel):
    """One line of a file of experience; keys of later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Header(Line):
    """The first line: what the file is. `product` is the version that wrote it."""

    format: Literal["automl-gpt experience"] = FORMAT
    version: int = VERSION
    product: str = ""
    holds: str = "data sets and finished trials; no values of the data, no labels, no names of columns"


class DataLine(Line):
    """A data set: its fingerprint, its card's name and description, and numbers."""

    kind: Literal["data"] = "data"
    data: str = Field(min_length=1, max_length=128, description="fingerprint")
    name: str = Field(default="", max_length=200)
    about: str = Field(default="", max_length=1000)
    task: TaskKind
    meta: MetaFeatures


class TrialLine(Line):
    """A trial that finished with a validation score; `data` is the fingerprint of an earlier line.

    `space` is a digest of the Model Card's search space, `baseline` what the trivial model reached on the data, `best`
    what any trial there did, `log` its thinned log.
    """

    kind: Literal["trial"] = "trial"
    data: str
    model: str = Field(min_length=1, max_length=200)
    space: str = ""
    hyperparameters: dict[str, Scalar] = Field(max_length=100)
    metric: str = Field(min_length=1, max_length=100)
    direction: Literal["maximize", "minimize"]
    value: Finite
    baseline: Finite | None = None
    best: Finite | None = None
    seconds: Finite = Field(default=0.0, ge=0)
    megabytes: Finite | None = Field(default=None, ge=0)
    log: Curve = Field(default=(), max_length=10_000)

    @field_validator("hyperparameters")
    @classmethod
    def _finite(cls, given: dict[str, Scalar]) -> dict[str, Scalar]:
        for name, value in given.items():
            if isinstance(value, int | float) and not abs(value) <= LARGEST:
                raise ValueError(f"{name} is no number that can be used")
            if len(name) > 100 or len(str(value)) > 200:
                raise ValueError("a name or a value is too long")
        return given


LINE: TypeAdapter[DataLine | TrialLine] = TypeAdapter(Annotated[DataLine | TrialLine, Field(discriminator="kind")])


def trial_id(fingerprint: str, metric: str, model: str, hyperparameters: Mapping[str, Scalar], value: float) -> str:
    """Return a digest of what a trial says: the same trial has the same one, wherever it comes from."""
    said = [fingerprint, metric, model, sorted((n, _plain(v)) for n, v in hyperparameters.items()), f"{value:.9g}"]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()[:32]


def of_data(name: str, description: str) -> str:
    """Return the text of a card that may leave the store: its name, then on a line of its own what it describes."""
    return "\n".join(" ".join(part.replace("\0", " ").split()) for part in (name[:200], description[:700]))


def _plain(value: Scalar) -> Scalar:
    return f"{value:.9g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def space_digest(card: ModelCard) -> str:
    """Return a short digest of a card's search space."""
    space = {name: one.model_dump(mode="json", exclude={"meaning"}) for name, one in card.search_space.items()}
    return hashlib.sha256(json.dumps(space, sort_keys=True).encode()).hexdigest()[:12]


def thinned(curve: Sequence[tuple[int, float]], points: int = CURVE_POINTS) -> Curve:
    """Return at most so many rows of a log: the first, the last, and evenly many on a logarithm of their place.

    Steps that do not rise are left out, the later ones; values get 6 digits.
    """
    rising: list[tuple[int, float]] = []
    for step, value in curve:
        if math.isfinite(value) and (not rising or step > rising[-1][0]):
            rising.append((int(step), float(f"{value:.6g}")))
    if len(rising) <= points:
        return tuple(rising)
    places = {round((len(rising)) ** (i / (points - 1))) - 1 for i in range(points)}
    return tuple(rising[i] for i in sorted(places))
