"""A small run as the journal would hold it: what the screen and the chat are shown in tests."""

from __future__ import annotations

import math
from collections.abc import Iterator

from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.data.report import ColumnProfile, Finding, MetaFeatures, Profile
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.log import Gap, Interval, Row, TrainingLog

HOSTILE = "[red]pa\x1b[31mid[/red]\x07\u202eback"
MODELS = ("baseline", "lightgbm", "xgboost", "extra_trees", "logistic_regression", "k_nearest_neighbours")


def model_card(name: str) -> ModelCard:
    return ModelCard.model_validate(
        {
            "name": name,
            "description": f"the {name} family",
            "tasks": ["classification", "regression"],
            "trainer": name,
            "search_space": {"rounds": {"type": "int", "low": 1, "high": 500, "default": 100}},
            "resources": {"seconds": 1.0},
        }
    )


def profile(task: str = "binary") -> Profile:
    return Profile(
        name="loans",
        fingerprint="f" * 16,
        task=task,  # type: ignore[arg-type]
        target="default",
        labels=("no", HOSTILE),
        class_counts=(700, 300),
        rows=1000,
        rows_train=800,
        rows_test=200,
        folds=1,
        rows_valid=160,
        split="random, stratified by the target: 80% and 20%",
        columns=(
            ColumnProfile(name="income", type="number", role="input", missing=0.01, distinct=900),
            ColumnProfile(name=HOSTILE, type="category", role="input", missing=0.0, distinct=3),
            ColumnProfile(
                name="id", type="number", role="dropped", missing=0.0, distinct=1000, why_dropped="identifier"
            ),
            ColumnProfile(name="default", type="category", role="target", missing=0.0, distinct=2),
        ),
        features=5,
        inferred=("task: binary classification", "metric: roc_auc"),
        findings=(
            Finding(level="note", text="12 rows are duplicates"),
            Finding(level="leak", column="repaid", text="repaid alone decides the target: left out"),
            Finding(level="warning", column=HOSTILE, text="is constant in the test rows"),
        ),
        meta=MetaFeatures(rows=1000, columns=2, numeric=1, categorical=1, classes=2),
    )


def curve(step: int, top: float, speed: float) -> float:
    return top - (top - 0.5) * math.exp(-step / speed)


def trial_events(number: int, model: str, expected: float, top: float, status: str, at: float) -> Iterator[e.Event]:
    yield e.TrialProposed(
        trial=number,
        model=model,
        hyperparameters={"rounds": 40 + number},
        reason=f"reason {number}",
        by="builtin",
        seed=1,
    )
    steps = (1, 10, 20, 40)
    rows = tuple(
        Row(
            step=s,
            metrics={"valid": curve(s, expected, 8)},
            intervals={"valid": Interval(low=curve(s, expected, 8) - 0.03, high=curve(s, expected, 8) + 0.02)},
        )
        for s in steps
    )
    yield e.TrialPredicted(
        trial=number,
        log=TrainingLog(origin="predicted", metric="roc_auc", direction="maximize", rows=rows),
        value=expected,
        low=expected - 0.03,
        high=expected + 0.02,
        seconds=1.5,
        megabytes=100,
        train=True,
        reason="like its neighbours",
        by="builtin",
    )
    yield e.TrialStarted(trial=number, worker=0, at_seconds=at)
    for start in range(1, 41, 4):
        chunk = tuple(
            Row(step=s, metrics={"valid": curve(s, top, 6), "train": curve(s, top + 0.02, 5)}, seconds=s * 0.04)
            for s in range(start, start + 4)
        )
        yield e.RowsLogged(trial=number, rows=chunk)
    value = curve(40, top, 6) if status in ("finished", "pruned") else None
    yield e.TrialFinished(
        trial=number,
        status=status,  # type: ignore[arg-type]
        value=value,
        folds=(value,) if value else (),
        complete=status == "finished",
        seconds=1.6,
        reason="" if value else "the process ran out of memory [bold]at 3 GiB[/bold]",
        at_seconds=at + 1.6,
    )
    if value is not None:
        yield e.LogsCompared(
            trial=number,
            gap=Gap(
                predicted=expected,
                low=expected - 0.03,
                high=expected + 0.02,
                actual=value,
                error=value - expected,
                covered=expected - 0.03 <= value <= expected + 0.02,
                interval_score=0.05,
                curve_mae=0.01,
                seconds_ratio=1.07,
            ),
        )
    yield e.Revised(action="continue", reason=f"trial {number} was revised", by="builtin")


def beginning() -> Iterator[e.Event]:
    yield e.RunStarted(
        data_card=DataCard(name="loans", source="loans.csv", target="default"),
        model_cards=tuple(map(model_card, MODELS)),
        request=e.Request(budget=e.Budget(seconds=60.0)),
    )
    yield e.DataProfiled(profile=profile(), metric="roc_auc", seconds=1.0)
    yield e.ExperienceFound(trials=())
    yield e.ModelsAssigned(models=("lightgbm", "xgboost"), reason="trees do well on mixed columns", by="builtin")


def conversing(model: str) -> list[e.Event]:
    """A request to a language model that was answered, and one that failed and was left to the built-in controller."""
    tool = {"type": "function", "function": {"name": "assign_model", "parameters": {"type": "object"}}}
    messages = (
        e.Message(role="system", text="Decide by tool calls.\n\n  Two   blanks stay."),
        e.Message(role="user", text=f"The column ««{HOSTILE}»»"),
    )
    asked = e.LLMAsked(
        call=1, purpose="assign_model", model=model, mode="tools", context_tokens=8192, output_tokens=1024,
        prompt_version="1", messages=messages, tools=(tool,), tokens_in=900, tokens_out=512,
    )  # fmt: skip
    return [
        asked,
        e.LLMAnswered(call=1, tokens_in=900, tokens_out=40, seconds=12.5),
        asked.model_copy(update={"call": 2}),
        e.LLMAnswered(call=2, failure="rate_limit", words=f"{model}: too many requests; asked again in 2 s"),
        e.ControllerSwitched(to="builtin", reason="too many requests"),
    ]


TRIALS = (
    ("baseline", 0.5, 0.5, "finished"),
    ("lightgbm", 0.88, 0.893, "finished"),
    ("xgboost", 0.89, 0.947, "finished"),
    ("extra_trees", 0.9, 0.82, "pruned"),
    ("logistic_regression", 0.87, 0.86, "finished"),
    ("k_nearest_neighbours", 0.8, 0.8, "out_of_memory"),
    (HOSTILE.replace("/", ""), 0.8, 0.8, "failed"),
)


def training() -> Iterator[e.Event]:
    for number, (model, expected, top, status) in enumerate(TRIALS, start=1):
        yield from trial_events(number, model, expected, top, status, at=1.0 + 2 * number)


def ending() -> Iterator[e.Event]:
    yield e.FinishDecided(reason="no progress in the last 12 trials", by="builtin")
    yield e.Warned(text="4 trials failed \x1b[2J")
    yield e.EnsembleChosen(
        members=(e.Member(trial=3, weight=0.75), e.Member(trial=2, weight=0.25)),
        value=0.9512,
        best_single=0.9464,
        reason="better on validation",
        by="builtin",
    )
    yield e.TestLooked(value=0.9401, low=0.9102, high=0.9633, rows=200, look=1)
    yield e.RunFinished(
        status="finished",
        model="ensemble of 2: lightgbm, xgboost",
        hyperparameters={"rounds": 43},
        valid=0.9512,
        test=0.9401,
        trials=7,
        seconds=19.0,
        scorecard=e.Scorecard(
            trials=5, mae=0.021, coverage=0.8, interval_score=0.06, rank_correlation=0.7, baseline_mae=0.1
        ),
        artifact="model",
        report="report.html",
        reason="no progress in the last 12 trials",
    )


def recorded() -> list[e.Event]:
    return [*beginning(), *training(), *ending()]
