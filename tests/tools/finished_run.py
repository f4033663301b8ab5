"""A run that was really trained, small: prepared data, trials of a few models, and the events that tell of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard, Hyperparameters
from automl_gpt.tools.compose.ensemble import choose
from automl_gpt.tools.data.prepared import Prepared, open_prepared
from automl_gpt.tools.data.profile import prepare
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.deliver.export import export, write_model_card
from automl_gpt.tools.evaluate.compare import gap
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.evaluate.test_look import look
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Interval, Row, TrainingLog
from automl_gpt.tools.train.protocol import FitData
from automl_gpt.tools.train.registry import trainer

HOSTILE = "<script>alert('x')</script> $\\frac$ & \"co\""
SEED = 7


@dataclass
class FinishedRun:
    """A run's state and folder, its prepared data, and the table that its data came from."""

    state: RunState
    folder: Path
    prepared: Prepared
    table: Any


def churn(rows: int = 500, seed: int = SEED) -> Any:
    """A table of two classes with numbers, a category, gaps, and a column of a hostile name."""
    rng = np.random.default_rng(seed)
    age, income = rng.normal(40, 12, rows), rng.lognormal(3, 0.5, rows)
    plan = rng.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1])
    logit = 0.06 * (age - 40) + 1.2 * (plan == "pro") - 0.8 * np.log(income) + 1.3 + rng.normal(0, 1, rows)
    table = pd.DataFrame({"age": age.round(2), "income": income.round(2), "plan": plan, HOSTILE: rng.normal(size=rows)})
    table.loc[rng.random(rows) < 0.1, "income"] = np.nan
    table["left"] = np.where(logit > 0, "yes", "no")
    return table


def houses(rows: int = 500, seed: int = SEED) -> Any:
    """A table of a regression."""
    rng = np.random.default_rng(seed)
    area, rooms = rng.uniform(30, 200, rows), rng.integers(1, 7, rows)
    price = 2000 * area + 9000 * rooms + 40 * area * (rooms > 3) ** 2 + rng.normal(0, 15000, rows)
    return pd.DataFrame(
        {"area": area.round(1), "rooms": rooms, "street": rng.choice(list("abcde"), rows), "price": price}
    )


def start(folder: Path, table: Any, target: str, metric: str, **card: Any) -> FinishedRun:
    """Begin a run: the table is prepared, nothing is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    data_card = DataCard(name="a table", source=str(folder / "table.csv"), target=target, **card)
    (folder / "data").mkdir()
    profile = prepare(data_card, None, folder / "data", SEED)
    request = e.Request(seed=SEED, budget=e.Budget(seconds=60))
    started = e.RunStarted(
        data_card=data_card, model_cards=tuple(model_cards().values()), request=request, versions={"numpy": "2"}
    )
    state = RunState("20260101-a-table", started, request)
    state.apply(e.DataProfiled(profile=profile, metric=metric))
    state.apply(e.ModelsAssigned(models=("lightgbm", "linear"), reason="they suit small tables", by="builtin"))
    return FinishedRun(state, folder, open_prepared(folder / "data"), table)


def train(run: FinishedRun, model: str, hyperparameters: Hyperparameters, expected: float | None = None) -> None:
    """Propose, predict and train one trial, fold after fold, as a worker does."""
    number = len(run.state.trials) + 1
    card = next(c for c in run.state.started.model_cards if c.name == model)
    settings, metric = card.complete(hyperparameters), run.state.need_metric()
    place = run.folder / "trials" / f"{number:04d}"
    rows: list[Row] = []
    folds: list[float] = []
    predictions: list[Any] = []
    best: list[int] = []
    run.state.apply(
        e.TrialProposed(trial=number, model=model, hyperparameters=settings, reason="to see", by="builtin", seed=SEED)
    )
    run.state.apply(forecast(run, number, expected))
    for fold in range(run.prepared.layout.folds):
        data = fit_data(run.prepared, fold, METRICS[metric.name])

        def emit(step: int, on_train: float, on_valid: float, fold: int = fold) -> bool:
            rows.append(Row(step=step, metrics={"train": on_train, "valid": on_valid}, seconds=0.01 * step, fold=fold))
            return True

        fitted = trainer(card.trainer).fit(data, settings, emit)
        (place / f"fold_{fold}").mkdir(parents=True)
        fitted.save(place / f"fold_{fold}")
        best.append(fitted.best_step)
        predictions.append(fitted.predict(data.x_valid))
        folds.append(data.score_valid(predictions[-1]))
    np.save(place / "valid.npy", np.concatenate(predictions).astype(np.float32))
    about = {"trainer": card.trainer, "trial": number, "model": model, "folds": len(folds), "seconds_per_row": 1e-6}
    (place / "trial.json").write_text(json.dumps(about))
    _end(run, number, rows, folds, best)


def forecast(run: FinishedRun, number: int, expected: float | None) -> e.TrialPredicted:
    """Predict a trial's log, with an interval of 0.05 to each side."""
    metric, value = run.state.need_metric(), 0.5 if expected is None else expected
    log = TrainingLog(
        origin="predicted",
        metric=metric.name,
        direction=metric.direction,
        rows=tuple(
            Row(
                step=step,
                metrics={"valid": value * (1 - 0.5 / step)},
                intervals={"valid": Interval(low=value - 0.1, high=value + 0.1)},
            )
            for step in (1, 5, 20, 60)
        ),
    )
    given: Any = {"value": value, "low": value - 0.05, "high": value + 0.05} if expected is not None else {}
    return e.TrialPredicted(
        **({"value": None, "low": None, "high": None} | given),
        trial=number, log=log, seconds=1.5, megabytes=100, train=True, reason="worth a try", by="builtin",
    )  # fmt: skip


def _end(run: FinishedRun, number: int, rows: list[Row], folds: list[float], best: list[int]) -> None:
    state = run.state
    state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=number))
    state.apply(e.RowsLogged(trial=number, rows=tuple(rows)))
    state.apply(
        e.TrialFinished(
            trial=number,
            status="finished",
            value=float(np.mean(folds)),
            folds=tuple(folds),
            best_steps=tuple(best),
            complete=True,
            seconds=0.7,
            predict_seconds=1e-6,
            disk_megabytes=0.1,
            artifact=f"trials/{number:04d}",
            at_seconds=number + 1,
        )
    )
    trial = state.trials[number]
    found = gap(trial.prediction, trial) if trial.prediction else None
    if found is not None:
        state.apply(e.LogsCompared(trial=number, gap=found))


def fit_data(prepared: Prepared, fold: int, metric: Any) -> FitData:
    """What a trainer sees of one fold."""
    layout, rows, valid = prepared.layout, prepared.training(fold), prepared.validation(fold)
    positive = 1 if layout.positive is None else layout.positive
    return FitData(
        x=rows.x, y=rows.y, weight=rows.weight, x_valid=valid.x, y_valid=valid.y, weight_valid=valid.weight,
        features=layout.features, task=layout.task, classes=layout.classes, metric=metric, seed=SEED + fold,
        score=lambda y, p, w: score(metric, y, p, w, positive),
    )  # fmt: skip


def finish(run: FinishedRun) -> FinishedRun:
    """Choose, deliver, look at the test split, and end the run, as its end does."""
    state, metric = run.state, run.state.need_metric()
    chosen = choose(state, run.folder, run.prepared, metric)
    state.apply(
        e.EnsembleChosen(
            members=chosen.members,
            value=chosen.value,
            best_single=chosen.best_single,
            reason=chosen.reason,
            by="greedy selection",
            decision_weights=chosen.decision_weights,
        )
    )
    model = export(run.folder, state, run.prepared.layout)
    seen = look(load_bundle(model), run.folder / "data", metric)
    state.apply(
        e.TestLooked(value=seen.value, low=seen.low, high=seen.high, rows=seen.rows, look=1, others=seen.others)
    )
    write_model_card(model, state)
    state.apply(
        e.RunFinished(
            status="finished",
            model="ensemble",
            hyperparameters={},
            valid=chosen.value,
            test=seen.value,
            trials=len(state.trials),
            seconds=12.5,
            scorecard=scorecard(state),
            artifact="model",
            report="report.html",
        )
    )
    return run


def churn_run(folder: Path, metric: str = "roc_auc", **card: Any) -> FinishedRun:
    """A finished run of two classes: a baseline, linear models, boosting, neighbours."""
    run = start(folder, churn(), "left", metric, **card)
    train(run, "baseline", {})
    train(run, "linear", {}, 0.75)
    train(run, "lightgbm", {"learning_rate": 0.2}, 0.72)
    train(run, "k_nearest_neighbours", {}, 0.6)
    return finish(run)


def houses_run(folder: Path) -> FinishedRun:
    """A finished run of a regression."""
    run = start(folder, houses(), "price", "rmse")
    train(run, "baseline", {})
    train(run, "linear", {}, 17000.0)
    train(run, "lightgbm", {"learning_rate": 0.2}, 19000.0)
    return finish(run)
