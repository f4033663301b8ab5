"""What mattered: which hyperparameters moved the score, and which features the delivered model leans on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_gpt.cards.schema import ModelCard, Range
from automl_gpt.tools.data.prepared import Part
from automl_gpt.tools.evaluate.bootstrap import weighted_score
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import Feature, Matrix, Prediction

LEAST_TRIALS = 8
ROWS = 1_000
SECONDS = 0.8


@dataclass(frozen=True)
class Importance:
    """One name and how much it matters; `share` is relative to the most important one (0 to 1)."""

    name: str
    value: float
    share: float


@dataclass(frozen=True)
class FeatureImportance:
    """Features by falling importance: the loss in score when their values are shuffled. `left` were not measured."""

    metric: str
    features: tuple[Importance, ...]
    left: int = 0


def ranked(values: dict[str, float]) -> tuple[Importance, ...]:
    """Order names by falling value; the share of a value that is not positive is 0."""
    top = max([v for v in values.values() if v > 0], default=1.0)
    ordered = sorted(values.items(), key=lambda item: -item[1])
    return tuple(Importance(name, value, max(value, 0.0) / top) for name, value in ordered)


# ---------------------------------------------------------------------------------------------------- hyperparameters


def hyperparameters(state: RunState) -> dict[str, tuple[Importance, ...]]:
    """Return for each model of at least 8 scored trials how much each hyperparameter explains of the scores.

    By Optuna's functional ANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014); shares sum to 1. A model whose trials all
    score the same, or never vary, is left out.
    """
    found: dict[str, tuple[Importance, ...]] = {}
    for name, card in ((card.name, card) for card in state.started.model_cards):
        trials = [t for t in state.done() if t.model == name and t.end is not None and t.end.status != "pruned"]
        if len(trials) >= LEAST_TRIALS and len({t.value for t in trials}) > 1:
            values = _anova(card, trials, state)
            if values:
                found[name] = ranked(values)
    return found


def _anova(card: ModelCard, trials: list[Trial], state: RunState) -> dict[str, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=state.need_metric().direction)
    distributions = {name: _distribution(space) for name, space in card.search_space.items()}
    for trial in trials:
        active = {n: v for n, v in trial.hyperparameters.items() if n in distributions}
        study.add_trial(
            optuna.trial.create_trial(
                params=active, distributions={n: distributions[n] for n in active}, value=trial.value
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=24, max_depth=16, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, RuntimeError):
            # Optuna refuses trials whose hyperparameters never vary: then there is nothing to explain.
            return {}
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _distribution(space: Range) -> Any:
    import optuna

    if space.type == "categorical":
        return optuna.distributions.CategoricalDistribution(space.choices)
    if space.type == "float":
        return optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)
    return optuna.distributions.IntDistribution(space.low, space.high, log=space.log)


# ----------------------------------------------------------------------------------------------------------- features


def features(
    predict: Callable[[Matrix], Prediction],
    rows: Part,
    names: tuple[Feature, ...],
    metric: Metric,
    *,
    positive: int = 1,
    seed: int = 0,
) -> FeatureImportance:
    """Measure permutation importance (Breiman, 2001) on rows that the model did not train on, within about a second.

    Labels are judged by their log loss, for a shuffled feature seldom flips a label. Features that time did not reach
    are counted in `left`.
    """
    judged = METRICS["log_loss"] if metric.kind == "label" else metric
    rng = np.random.default_rng(seed)
    picked = np.sort(rng.permutation(len(rows.y))[:ROWS])
    x, y = np.array(rows.x[picked]), np.asarray(rows.y[picked])
    weight = np.ones(len(y)) if rows.weight is None else np.asarray(rows.weight[picked])

    def loss(matrix: Matrix) -> float:
        return -judged.sign * weighted_score(judged, y, predict(matrix), positive)(weight)

    began, whole, values = time.monotonic(), loss(x), dict[str, float]()
    for column, feature in enumerate(names):
        if time.monotonic() - began > SECONDS:
            break
        kept = x[:, column].copy()
        x[:, column] = kept[rng.permutation(len(kept))]
        values[feature.name] = loss(x) - whole
        x[:, column] = kept
    known = {name: value for name, value in values.items() if np.isfinite(value)}
    return FeatureImportance(judged.name, ranked(known), len(names) - len(values))
