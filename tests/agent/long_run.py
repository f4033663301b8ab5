"""A long run on a census-like table, built from events by hand: what prompts are measured on. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from automl_gpt.agent.decisions import Situation
from automl_gpt.cards.library import data_cards, model_cards
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.data.report import ColumnProfile, Finding, MetaFeatures, Profile
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, Trial, fold
from automl_gpt.tools.log import Gap, Interval, Row, TrainingLog
from automl_gpt.tools.tune.space import random_point

BATCH = 4
LLM = "openai:some-model"
SHADOW = 9.87654321
"""What the built-in forecast says of every trial: a number to search prompts for."""


def candidates() -> list[ModelCard]:
    """The shipped Model Cards, the trivial one too, and one more, so that eight can be assigned."""
    shipped = [card for card in model_cards().values() if card.modality in ("tabular", "any")]
    lightgbm = next(card for card in shipped if card.name == "lightgbm")
    return [*shipped, lightgbm.model_copy(update={"name": "lightgbm_dart"})]


def _column(name: str, kind: str, meaning: str, at: int) -> ColumnProfile:
    if kind == "number":
        return ColumnProfile(
            name=name, type="number", role="input", missing=0.0, distinct=90, minimum=0, maximum=99999,
            mean=1077.6 / at, std=7385.3 / at, meaning=meaning,
        )  # fmt: skip
    return ColumnProfile(
        name=name, type="category", role="input", missing=0.057 * (at % 3 == 0), distinct=9 + at, meaning=meaning
    )


def profile() -> Profile:
    """A profile as the census table has it: 14 columns, two classes."""
    inputs = data_cards()["adult"].inputs or {}
    columns = [_column(n, c.type or "number", c.meaning, at) for at, (n, c) in enumerate(inputs.items(), start=1)]
    return Profile(
        name="adult", fingerprint="a" * 16, task="binary", target="class", labels=("<=50K", ">50K"),
        class_counts=(37155, 11687), rows=48842, rows_train=39073, rows_test=9769, folds=1, rows_valid=7815,
        split="20% of the rows, stratified, are the test split", features=14,
        columns=(*columns, ColumnProfile(name="class", type="category", role="target", missing=0, distinct=2)),
        findings=(
            Finding(level="note", text="52 rows are duplicates of others: both copies stand on the same side"),
            Finding(level="warning", column="fnlwgt", text="fnlwgt tells next to nothing about the target"),
        ),
        meta=MetaFeatures(rows=39073, columns=14, numeric=6, categorical=8, classes=2, landmark=0.4),
    )  # fmt: skip


def experience(count: int = 40) -> tuple[e.SimilarTrial, ...]:
    """Trials of five other data sets, more or less like the census."""
    rng, cards = np.random.default_rng(5), [c for c in candidates() if c.name != TRIVIAL]
    about = {
        "bank": "bank customers: age, job, education, marital status, balance; whether a person buys a deposit",
        "credit": "credit of persons: age, sex, education, limit, payments; default",
        "census_2010": "adults of the census: age, workclass, education, occupation, hours per week; income class",
        "iris": "flowers: length and width of petals",
        "electricity": "price of electricity by day and period",
    }
    found: list[e.SimilarTrial] = []
    for i in range(count):
        data, card = list(about)[i % len(about)], cards[i % len(cards)]
        found.append(
            e.SimilarTrial(
                run=f"{data}-1", data=data, model=card.name, hyperparameters=random_point(card, rng),
                metric="log_loss", value=0.3 + 0.2 * float(rng.random()), baseline=0.55, best=0.3, seconds=9.0,
                rows=20000 + i, columns=12, distance=min(0.9, 0.1 + 0.02 * i), about=about[data],
            )
        )  # fmt: skip
    return tuple(found)


def beginning(**request: object) -> list[e.Event]:
    cards = tuple(candidates())
    wanted = e.Request(budget=e.Budget(seconds=600, trials=30), controller=LLM, **request)  # type: ignore[arg-type]
    models = tuple(card.name for card in cards if card.name != TRIVIAL)
    return [
        e.RunStarted(data_card=data_cards()["adult"], model_cards=cards, request=wanted),
        e.DataProfiled(profile=profile(), metric="log_loss"),
        e.ExperienceFound(trials=experience()),
        e.ModelsAssigned(models=models, reason="all fit", by=LLM),
    ]


def proposed(number: int, card: ModelCard, values: Hyperparameters, by: str) -> e.TrialProposed:
    return e.TrialProposed(trial=number, model=card.name, hyperparameters=values, reason="", by=by, seed=number)


def predicted(number: int, value: float, by: str = LLM) -> e.TrialPredicted:
    rows = (
        Row(step=100, metrics={"valid": value}, intervals={"valid": Interval(low=value - 0.02, high=value + 0.02)}),
    )
    log = TrainingLog(origin="predicted", metric="log_loss", direction="minimize", rows=rows)
    return e.TrialPredicted(
        trial=number, log=log, value=value, low=value - 0.02, high=value + 0.02, seconds=12.5, megabytes=210,
        train=True, reason="", by=by,
    )  # fmt: skip


def shadow(number: int, value: float) -> e.ShadowPredicted:
    said = predicted(number, value)
    return e.ShadowPredicted(trial=number, log=said.log, value=value, low=said.low, high=said.high, seconds=9.0)


def ended(number: int, said: float, actual: float) -> list[e.Event]:
    """How a trial ends; every ninth one runs out of memory."""
    started = e.TrialStarted(trial=number, worker=0, at_seconds=10.0 * number)
    if number % 9 == 0:
        words = "MemoryError: unable to allocate 3.1 GiB for an array"
        return [started, e.TrialFinished(trial=number, status="out_of_memory", seconds=3.0, reason=words)]
    gap = Gap(
        predicted=said, low=said - 0.02, high=said + 0.02, actual=actual, error=actual - said,
        covered=abs(actual - said) <= 0.02, interval_score=0.05,
    )  # fmt: skip
    end = e.TrialFinished(
        trial=number, status="finished", value=actual, folds=(actual,), best_steps=(100 + 17 * number,), complete=True,
        seconds=11.37 + number,
    )  # fmt: skip
    return [started, end, e.LogsCompared(trial=number, gap=gap)]


def decisions(trials: int = 30, **request: object) -> Iterator[Situation]:
    """Yield every decision of a run of so many trials: revise, propose and predict, a batch after another.

    The optimiser proposes the first half of each batch. The state goes on once the next one is asked for.
    """
    state = fold("adult-0001", beginning(**request))
    names, rng = state.assigned, np.random.default_rng(3)
    yield Situation("assign_model", state, names, seconds_left=590.0)
    number, cards = 0, [state.model_cards[TRIVIAL], *(state.model_cards[n] for n in names)]
    while number < trials:
        left = 580.0 - 17.3 * number
        if number:
            yield Situation("revise", state, names, seconds_left=left)
        size = min(BATCH, trials - number)
        for place in range(size):
            if place == size // 2:
                yield Situation("propose_hyperparameters", state, names, count=size - place, seconds_left=left)
            number += 1
            card = cards[1 + (number - 2) % (len(cards) - 1)] if number > 1 else cards[0]
            values = card.default() if number <= 2 else random_point(card, rng)
            by = "opening" if number <= 2 else "builtin" if place < size // 2 else LLM
            state.apply(proposed(number, card, values, by))
        open_trials: tuple[Trial, ...] = tuple(t for t in state.ordered() if t.status == "proposed")
        yield Situation("predict_log", state, names, open_trials, seconds_left=left)
        for trial in open_trials:
            actual = 0.28 + 0.1 * float(rng.random()) + 0.2 * math.exp(-trial.number)
            said = actual + 0.03 * float(rng.normal())
            for event in (predicted(trial.number, said), shadow(trial.number, SHADOW)):
                state.apply(event)
            for event in ended(trial.number, said, actual):
                state.apply(event)
    yield Situation("finish", state, names, seconds_left=3.0)


def at(trials: int, decision: str, **request: object) -> Situation:
    """The first decision of a kind at which so many trials have ended."""
    for situation in decisions(trials + 3 * BATCH, **request):
        ends = sum(t.end is not None for t in situation.state.ordered())
        if situation.decision == decision and (ends >= trials or decision in ("assign_model", "finish")):
            return situation
    raise AssertionError(f"no {decision} after {trials} trials")
