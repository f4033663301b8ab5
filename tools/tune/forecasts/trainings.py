"""What a training of any trainer will come to, by the logs of others: before it begins, or from its first rows.

Nothing is known of the trainer: its settings may have any names, its steps any unit. Before the first row, settings and
words decide (`metadata`), after it how other curves went on that began like this one (`continuation`), and where fewer
than three others are known, power laws (`extrapolate`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Scalar
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.tune.extrapolate import Direction, power_laws
from automl_gpt.tools.tune.forecasts.continuation import FEWEST, Forest
from automl_gpt.tools.tune.forecasts.metadata import Metadata, OutcomeModel, common_numbers, logarithms, metadata
from automl_gpt.tools.tune.forecasts.prefix import HUGE, Curve, Vector, curve_of

MOST_LINES = 20_000
"""At most so many trainings are read of a file, its first ones."""
FEWEST_ROWS = 2
"""A finished log with fewer rows shows no way that a curve goes on."""
LOGARITHMIC = 4.0
"""Scores that are all above zero are compared by their logarithms where the ninth decile is so many times the first."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Training(BaseModel):
    """One training: settings by any names, words about it (its model, its data), and its validation scores by step.

    `steps` may be left out: 1, 2, 3. A score that is null or no number is passed over. `group` names what trainings
    share of which the next one may be new, such as a family of models. `end` is the step at which it ends or will end;
    left out, a finished one ended at its last step, and a running one will end where most others did. Among finished
    ones, one that has not come to its `end` counts for nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    settings: dict[str, Scalar | None] = Field(default_factory=dict)
    words: str = ""
    group: str = ""
    steps: tuple[Finite, ...] = ()
    values: tuple[float | None, ...] = ()
    end: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _as_many(self) -> Training:
        if self.steps and len(self.steps) != len(self.values):
            raise ValueError(f"{len(self.steps)} steps and {len(self.values)} values: give as many, or no steps")
        return self

    def curve(self, sign: int, logarithm: bool = False) -> Curve | None:
        """Return the log as a curve of which more is better; None without a finite score."""
        steps = self.steps or tuple(float(i) for i in range(1, len(self.values) + 1))
        values = [math.nan if v is None else v for v in self.values]
        if logarithm:
            values = [math.log(v) if v > 0 and v < HUGE else math.nan for v in values]
        return curve_of(steps, [sign * v for v in values], self.end, data=self.group)

    def metadata(self) -> Metadata:
        """Return what is known of it before it starts."""
        return metadata(self.settings, (self.words,))


class TrainingAhead(BaseModel):
    """An expected score at a step, with its 80% interval."""

    model_config = ConfigDict(frozen=True)
    step: float
    value: float
    low: float
    high: float


class TrainingForecast(BaseModel):
    """The expected score at the end with its 80% interval, the way there, and what it is told from."""

    model_config = ConfigDict(frozen=True)
    value: float
    low: float
    high: float
    rows: tuple[TrainingAhead, ...]
    ground: str


class ForecastTrainingArguments(BaseModel):
    """What to forecast, and from what."""

    model_config = ConfigDict(extra="forbid")
    finished: str = Field(
        description="file of finished trainings, JSON lines: settings {name: value}, words, group, steps [], values []"
    )
    running: str = Field(
        description="file of the training asked about, one such JSON object; without values: not begun"
    )
    direction: Direction = Field(default="minimize", description="whether more or less of the score is better")


@tool("forecast_training", ForecastTrainingArguments)
def forecast_training(arguments: ForecastTrainingArguments, context: Context) -> TrainingForecast:
    """Predict the final validation score of a training that this program does not run, of any trainer, from the logs of
    others: before it begins by settings and words, then by its first rows, each with an 80% interval.
    """
    others, place = context.readable(arguments.finished), context.readable(arguments.running)
    finished, asked = read_trainings(others), read_trainings(place)
    if len(asked) != 1:
        raise ToolError(f"{place}: {len(asked)} trainings: give the one that is asked about")
    return training_forecast(finished, asked[0], arguments.direction)


def read_trainings(file: Path) -> list[Training]:
    """Read JSON lines, one training each; ToolError with the file, the line, the field and the mend."""
    found: list[Training] = []
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if len(found) == MOST_LINES:
                    break
                if line.strip():
                    found.append(_parse(f"{file}:{number}", line))
    except OSError as error:
        raise ToolError(f"{file}: can't be read ({error.strerror or type(error).__name__}): name a file") from error
    except UnicodeDecodeError as error:
        raise ToolError(f"{file}: is no text in UTF-8: give JSON lines, one training each") from error
    if not found:
        raise ToolError(f"{file}: is empty: give JSON lines, one training each")
    return found


def _parse(where: str, line: str) -> Training:
    try:
        return Training.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise ToolError(f"{where}: is no JSON object: write one training on each line") from error
        field = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ToolError(f"{where}: {f'{field}: ' if field else ''}{said}") from error


def training_forecast(finished: Sequence[Training], asked: Training, direction: Direction) -> TrainingForecast:
    """Predict where a training ends, from finished ones; ToolError where none of them has a score, or it has ended."""
    sign = 1 if direction == "maximize" else -1
    known = [(t, c) for t in finished if (c := t.curve(sign)) is not None and c.steps[-1] >= (t.end or 0.0)]
    if not known:
        raise ToolError("no finished training has a finite score: nothing can be told from them")
    now = asked.curve(sign)
    if now is None:
        return _before(known, asked, sign)
    end = asked.end or float(np.median([c.horizon for _, c in known]))
    if now.steps[-1] >= end:
        raise ToolError(f"the training is at step {now.steps[-1]:g} of {end:g}: it has ended, or name a later `end`")
    usable = [t for t, c in known if len(c.values) >= FEWEST_ROWS]
    if len(usable) >= FEWEST:
        return _underway(usable, asked.model_copy(update={"end": end}), sign)
    signed = [sign * v for v in now.values]
    reach = power_laws(now.steps.tolist(), signed, direction, end)
    assert reach is not None  # the curve has a finite value
    row = TrainingAhead(step=end, value=reach.mean, low=reach.low, high=reach.high)
    ground = f"its own {len(now.values)} rows: {len(usable)} finished logs are too few to learn from"
    return TrainingForecast(value=row.value, low=row.low, high=row.high, rows=(row,), ground=ground)


def _before(known: Sequence[tuple[Training, Curve]], asked: Training, sign: int) -> TrainingForecast:
    ends = [float(sign * curve.values[-1]) for _, curve in known]
    told = OutcomeModel([t.metadata() for t, _ in known], ends, [t.group for t, _ in known]).predict(asked.metadata())
    end = asked.end or float(np.median([c.horizon for _, c in known]))
    row = TrainingAhead(step=end, value=told.value, low=told.low, high=told.high)
    ground = f"settings and words of {len(known)} finished trainings, before it begins"
    return TrainingForecast(value=row.value, low=row.low, high=row.high, rows=(row,), ground=ground)


@dataclass(frozen=True)
class _Unit:
    """In which unit curves are compared: the score, more is better, or its logarithm."""

    sign: int
    logarithm: bool

    @classmethod
    def of(cls, trainings: Sequence[Training], sign: int) -> _Unit:
        values = np.array([v for t in trainings for v in t.values if v is not None and abs(v) < HUGE])
        first, ninth = np.quantile(values, (0.1, 0.9))
        return cls(sign, bool(values.min() > 0 and ninth > LOGARITHMIC * first))

    def back(self, values: Vector) -> Vector:
        scores = self.sign * values
        return np.exp(np.minimum(scores, math.log(HUGE))) if self.logarithm else scores


def _underway(usable: Sequence[Training], asked: Training, sign: int) -> TrainingForecast:
    """Predict how a curve goes on by those that began like it."""
    unit = _Unit.of([*usable, asked], sign)
    records = [t.metadata() for t in (*usable, asked)]
    points = logarithms(records, common_numbers(records))
    curves: list[Curve] = []
    for training, point in zip((*usable, asked), points, strict=True):
        curve = training.curve(sign, unit.logarithm)
        assert curve is not None  # a finite score's logarithm is finite where logarithms are taken
        curves.append(Curve(curve.steps, curve.values, curve.horizon, point, curve.data))
    running = curves.pop()
    forest = Forest(curves, float(running.steps[-1]) / running.horizon, asked.group)
    said = forest.predict(running)
    ends = np.sort(np.stack([unit.back(said.low), unit.back(said.high)]), axis=0)
    rows = tuple(
        TrainingAhead(step=step, value=value, low=low, high=high)
        for step, value, low, high in zip(said.steps, unit.back(said.mean), *ends, strict=True)
    )
    last = rows[-1]
    ground = f"the first {len(running.values)} rows, and how {len(curves)} finished logs went on from there"
    return TrainingForecast(value=last.value, low=last.low, high=last.high, rows=rows, ground=ground)
