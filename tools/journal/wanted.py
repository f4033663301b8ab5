"""What a person asks for: the budget, the limits, the request."""

from __future__ import annotations

from typing import Literal

from automl_gpt.cards.schema import Scalar
from automl_gpt.tools.journal.record import Record

Experience = Literal["all", "own", "none"]


class Budget(Record):
    """What a run may cost. None: no limit of that kind."""

    seconds: float | None = 600.0
    trials: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


class Limit(Record):
    """What the person allows of one hyperparameter, from now on. `model`: of that Model Card; None: of every one.

    A range is narrowed to `low`..`high` (None: as the card says), a categorical one to `choices`.
    """

    parameter: str
    model: str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[Scalar, ...] = ()


class Request(Record):
    """What the person asked for. `limits` narrow search spaces; `megabytes` is the most that the model may have.

    `experience` says whose finished trials the run may learn from: `all`, `own` (the store's: own runs and imports, not
    what the product ships with), or `none`.
    """

    metric: str | None = None
    require: str = ""
    seed: int = 0
    budget: Budget = Budget()
    controller: str = "builtin"
    models: tuple[str, ...] = ()
    workers: int | None = None
    limits: tuple[Limit, ...] = ()
    megabytes: float | None = None
    seconds_per_1000: float | None = None
    experience: Experience = "all"
