"""The facts that a prompt tells, taken from the state of a run in the shape in which the templates want them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl_gpt.agent.decisions import Situation
from automl_gpt.agent.prompts.examples import way
from automl_gpt.agent.prompts.quoting import configuration, number, score, word
from automl_gpt.cards.schema import CategoricalRange, Hyperparameters, ModelCard, Range, Scalar, Stage
from automl_gpt.tools.data.masked import MAX_LEVELS, MIN_ROWS
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.space import encode, legal

STAGES: tuple[Stage, ...] = ("processing", "model", "training")
HEADS: dict[Stage, str] = {"processing": "data processing", "model": "model", "training": "training"}
SHORT = 5
"""Hyperparameters that a row of a table shows."""


def classes(profile: Profile, most: int) -> dict[str, Any] | None:
    """Return the labels that may be shown with their rows, how many more there are, and how many are too rare to be
    named; None for a regression.
    """
    if not profile.labels:
        return None
    pairs = zip(profile.labels, profile.class_counts, strict=False)
    common = [pair for pair in pairs if pair[1] >= MIN_ROWS and len(profile.labels) <= MAX_LEVELS]
    return {"shown": common[:most], "more": len(common[most:]), "rare": len(profile.labels) - len(common)}


def spaces(card: ModelCard, defaults: bool) -> list[dict[str, str]]:
    """Return each hyperparameter's name, its range with default, and when it counts; or its default alone.

    Where a card has hyperparameters of data processing or of the model, those of a stage stand together under a head.
    """
    if defaults:
        return [{"name": n, "legal": _value(v), "when": "", "head": ""} for n, v in card.default().items()]
    listed = sorted(card.search_space.items(), key=lambda pair: STAGES.index(pair[1].stage))
    first: dict[Stage, str] = {}
    for name, space in listed:
        first.setdefault(space.stage, name)
    heads = {name: f"{HEADS[stage]}: " for stage, name in first.items()} if len(first) > 1 else {}
    return [{"name": n, "legal": legal_range(s), "when": _when(s), "head": heads.get(n, "")} for n, s in listed]


def _value(value: Scalar) -> str:
    return number(value) if isinstance(value, float) else word(value)


def legal_range(space: Range) -> str:
    """Return range and default of a hyperparameter, as short as they can be."""
    if isinstance(space, CategoricalRange):
        return "|".join(map(word, space.choices)) + f" ={word(space.default)}"
    kind = (" int" if space.type == "int" else "") + (" log" if space.log else "")
    return f"{number(space.low)}..{number(space.high)}{kind} ={number(space.default)}"


def _when(space: Range) -> str:
    return f"{word(space.when.parameter)}={'|'.join(map(word, space.when.values))}" if space.when else ""


def candidates(situation: Situation) -> list[ModelCard]:
    """Return the cards that a decision is about, in the order in which the run got them: it never changes."""
    if situation.decision == "finish":
        return []
    names = set(situation.eligible if chooses_models(situation) else situation.state.assigned) - {TRIVIAL}
    return [card for card in situation.state.started.model_cards if card.name in names]


def chooses_models(situation: Situation) -> bool:
    """Say whether a decision is about models: then their descriptions count, not their search spaces."""
    return situation.decision in ("assign_model", "revise")


def spacious(situation: Situation, count: int) -> set[str]:
    """Return the models whose search spaces are told: of `count` ones, those that are assigned first."""
    return set() if chooses_models(situation) else set(situation.state.assigned[:count])


def changed(state: RunState, model: str, hyperparameters: Hyperparameters, most: int = 99) -> str:
    """Return on one line what differs from the model's default; of many only those that differ most."""
    card = state.model_cards.get(model)
    default = card.default() if card else {}
    differing = [n for n, v in hyperparameters.items() if n not in default or default[n] != v]
    if len(differing) <= most or card is None or not legal(card, hyperparameters):
        return configuration({n: hyperparameters[n] for n in differing})
    moved = dict(zip(card.search_space, _moves(card, hyperparameters), strict=True))
    kept = sorted(differing, key=lambda n: -moved[n])[:most]
    shown = configuration({n: hyperparameters[n] for n in differing if n in kept})
    return f"{shown}, +{len(differing) - most}"


def _moves(card: ModelCard, hyperparameters: Hyperparameters) -> list[float]:
    """Return how far each hyperparameter is from its default, as a share of its range; 1 for a category."""
    return np.minimum(
        np.nan_to_num(np.abs(encode(card, hyperparameters) - encode(card, card.default())), nan=1), 1
    ).tolist()


def trial_line(state: RunState, trial: Trial) -> dict[str, Any]:
    """Return a row of the table of trials. What the built-in forecast says of a trial is never in it."""
    said, end = trial.prediction, trial.end
    status = "waiting" if trial.status in ("predicted", "proposed") else trial.status
    halfway = trial.gap if trial.gap and trial.gap.at_step is not None else None
    return {
        "number": trial.number,
        "model": trial.model,
        "short": changed(state, trial.model, trial.hyperparameters, SHORT),
        "changed": changed(state, trial.model, trial.hyperparameters),
        "predicted": f"{score(said.value)} [{score(said.low)}, {score(said.high)}]" if said else "–",
        "expected": halfway.predicted if halfway else said.value if said else None,
        "actual": halfway.actual if halfway else trial.value,
        "status": status.replace("_", " "),
        "seconds": end.seconds if end else None,
        "step": max(end.best_steps) if end and end.best_steps else None,
        "reason": end.reason if end and end.value is None else "",
        "by": author(trial),
        "gap": trial.gap,
    }


def author(trial: Trial) -> str:
    """Return who proposed a trial: the sampler, the run's opening, a person, or a language model."""
    by = trial.proposal.by
    return {"builtin": "sampler", "opening": "opening", "person": "person"}.get(by, "llm")


def example_line(state: RunState, trial: SimilarTrial) -> dict[str, Any]:
    """Return a line of the trials on other data."""
    known = trial.baseline is not None and trial.best is not None
    return {
        "data": trial.data,
        "rows": trial.rows,
        "columns": trial.columns,
        "distance": trial.distance,
        "model": trial.model,
        "changed": changed(state, trial.model, trial.hyperparameters, SHORT),
        "metric": trial.metric,
        "value": trial.value,
        "way": way(trial) if known else None,
    }


def own_error(state: RunState) -> float | None:
    """Return the mean error of the predictions that a language model made, of ended trials alone."""
    gaps = [t.gap for t in state.ordered() if t.gap is not None and t.shadow is not None]
    errors = [abs(g.error) for g in gaps if math.isfinite(g.error)]
    return sum(errors) / len(errors) if errors else None


def improvements(state: RunState) -> dict[str, tuple[int, int]]:
    """Return for each author of trained trials how many beat the best one before them, and how many there were."""
    found: dict[str, tuple[int, int]] = {}
    best = math.nan
    for trial in state.done():
        value = trial.value or 0.0
        better = state.need_metric().better(value, best)
        best = value if better else best
        improved, total = found.get(author(trial), (0, 0))
        found[author(trial)] = (improved + better, total + 1)
    return found


def scored(state: RunState) -> list[Trial]:
    """Return the ended trials with a score, the trivial baseline left out."""
    return [t for t in state.done() if t.model != TRIVIAL]


def fold_spread(trial: Trial | None) -> float | None:
    """Return the standard deviation of a trial's score over its folds; None for fewer than two."""
    folds = trial.end.folds if trial and trial.end else ()
    if len(folds) < 2:
        return None
    mean = sum(folds) / len(folds)
    return math.sqrt(sum((f - mean) ** 2 for f in folds) / (len(folds) - 1))
