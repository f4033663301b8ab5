"""Runs made by hand: cards, a smooth objective, and a loop that suggests, predicts and 'trains' without training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.data.report import MetaFeatures, Profile
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Row
from automl_gpt.tools.tune.forecasts.forecast import forecast
from automl_gpt.tools.tune.search.suggest import suggest


def _card(name: str, seconds: float, space: dict[str, object]) -> ModelCard:
    return ModelCard.model_validate(
        {
            "name": name, "tasks": ["classification", "regression"], "trainer": name, "search_space": space,
            "resources": {"seconds": seconds},
        }
    )  # fmt: skip


TRIVIAL_CARD = _card("baseline", 0.02, {})
BOOSTING = _card(
    "boosting",
    2.0,
    {
        "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True, "default": 0.01},
        "depth": {"type": "int", "low": 1, "high": 12, "default": 10},
        "mode": {"type": "categorical", "choices": ["plain", "drop"], "default": "plain"},
        "drop": {
            "type": "float", "low": 0.0, "high": 1.0, "default": 0.5, "when": {"parameter": "mode", "values": ["drop"]},
        },
        "rounds": {"type": "int", "low": 10, "high": 1000, "log": True, "default": 100},
    },
)  # fmt: skip
TREES = _card(
    "trees",
    4.0,
    {
        "leaf": {"type": "int", "low": 1, "high": 100, "log": True, "default": 2},
        "share": {"type": "float", "low": 0.1, "high": 1.0, "default": 0.5},
        "class_weight": {"type": "categorical", "choices": ["none", "balanced"], "default": "none"},
    },
)
NEIGHBOURS = _card("neighbours", 0.5, {"k": {"type": "int", "low": 1, "high": 60, "default": 10}})


def objective(model: str, h: Hyperparameters) -> float:
    """Return a score between 0.5 and 0.9 that has its optimum inside the space."""
    if model == "baseline":
        return 0.5
    if model == "boosting":
        rate, depth = math.log10(float(h["rate"])) + 1.2, (float(h["depth"]) - 5) / 11
        return 0.88 - 0.04 * rate**2 - 0.05 * depth**2 - (0.01 if h["mode"] == "drop" else 0.0)
    if model == "trees":
        return 0.87 - 0.01 * math.log10(float(h["leaf"])) ** 2 - 0.02 * (float(h["share"]) - 0.4) ** 2
    return 0.45 + 0.0005 * float(h["k"])


def started(
    seed: int = 0,
    seconds: float | None = 600.0,
    cards: Sequence[ModelCard] = (TRIVIAL_CARD, BOOSTING, TREES),
    task: str = "binary",
    metric: str = "roc_auc",
    landmark: float | None = 0.4,
    folds: int = 1,
) -> RunState:
    """Return a run whose data are profiled and in which nothing was trained yet."""
    request = e.Request(seed=seed, budget=e.Budget(seconds=seconds))
    start = e.RunStarted(data_card=DataCard(source="x.csv", target="y"), model_cards=tuple(cards), request=request)
    state, regression = RunState(f"run{seed}", start, request), task == "regression"
    profile = Profile(
        name="made", fingerprint="f", task=task, target="y", labels=() if regression else ("a", "b"),
        class_counts=() if regression else (6000, 4000), target_mean=0.0, target_std=2.0 if regression else None,
        rows=10000, rows_train=8000, rows_test=2000, folds=folds, rows_valid=2000, split="random", columns=(),
        features=10, meta=MetaFeatures(
            rows=10000, columns=10, numeric=10, categorical=0, classes=0 if regression else 2, landmark=landmark,
        ),
    )  # fmt: skip
    state.apply(e.DataProfiled(profile=profile, metric=metric))
    return state


def add(
    state: RunState, model: str, h: Hyperparameters, value: float | None, *, status: str = "finished", steps: int = 20
) -> int:
    """Predict a trial, and end it with a value; one without a value keeps running, unless it failed."""
    number = max(state.trials, default=0) + 1
    state.apply(e.TrialProposed(trial=number, model=model, hyperparameters=h, reason="", by="t", seed=number))
    said = forecast(state, state.model_cards[model], h)
    state.apply(
        e.TrialPredicted(
            trial=number, log=said.log, value=said.value, low=said.low, high=said.high, seconds=said.seconds,
            megabytes=said.megabytes, train=True, reason=said.reason, by="t",
        )
    )  # fmt: skip
    state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=0.0))
    if value is None and status == "finished":
        return number
    if value is not None:
        base = 0.5 if state.need_metric().sign > 0 else 2.0
        curve = [value - (value - base) * 0.8 / s for s in range(1, steps)] + [value]
        rows = [Row(step=s, metrics={"train": v, "valid": v}) for s, v in enumerate(curve, 1)]
        state.apply(e.RowsLogged(trial=number, rows=tuple(rows)))
    folds = () if value is None else (value,)
    done = status == "finished"
    state.apply(
        e.TrialFinished(
            trial=number,
            status=status,
            value=value,
            folds=folds,
            complete=done,
            seconds=1.0 + number % 3,
            megabytes=200.0,
        )
    )
    found = gap(state.trials[number].prediction, state.trials[number])
    if found is not None:
        state.apply(e.LogsCompared(trial=number, gap=found))
    return number


def play(state: RunState, models: Sequence[str], count: int, seed: int = 0) -> RunState:
    """Let the suggestions run against the objective."""
    for _ in range(count):
        for s in suggest(state, models, 1, seed):
            score = objective(s.model, s.hyperparameters)
            sign = state.need_metric().sign
            add(state, s.model, s.hyperparameters, score if sign > 0 else 2.5 - score)
    return state
