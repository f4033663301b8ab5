"""What the forecasts of a run were worth, beside the plain guess: as good as the mean of the trials before."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_gpt.tools.journal.events import Scorecard
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.log import Gap

ENOUGH = 10
"""Trials from which on there is a verdict."""
_NEAR = 0.1
"""A coverage within this of 80% is near enough."""


def scorecard(state: RunState) -> Scorecard:
    """Score the pre-training forecasts of all trials with a gap, audits included.

    The trivial baseline is left out: its score is computed, not predicted, and would flatter. `mae` is over all the
    others; the plain guess has an error from the second on, and the verdict compares both on those alone.
    """
    gaps = [t.gap for t in state.ordered() if t.gap is not None and t.model != TRIVIAL and _sound(t.gap)]
    if not gaps:
        return Scorecard(trials=0)
    errors = [abs(g.error) for g in gaps]
    actual = [g.actual for g in gaps]
    plain = [abs(a - float(np.mean(actual[:i]))) for i, a in enumerate(actual) if i]
    coverage = sum(g.covered for g in gaps) / len(gaps)
    baseline = float(np.mean(plain)) if plain else None
    return Scorecard(
        trials=len(gaps),
        mae=float(np.mean(errors)),
        coverage=coverage,
        interval_score=float(np.mean([g.interval_score for g in gaps])),
        rank_correlation=_rank_correlation([g.predicted for g in gaps], actual),
        baseline_mae=baseline,
        verdict=_verdict(float(np.mean(errors[1:])), baseline, coverage) if len(gaps) >= ENOUGH and baseline else "",
    )


def _sound(gap: Gap) -> bool:
    return all(map(math.isfinite, (gap.error, gap.actual, gap.predicted, gap.interval_score)))


def _rank_correlation(predicted: Sequence[float], actual: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation; None for fewer than three trials or where one side is constant."""
    if len(actual) < 3 or len(set(predicted)) < 2 or len(set(actual)) < 2:
        return None
    from scipy.stats import spearmanr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result: Any = spearmanr(predicted, actual)
        found = float(result.statistic)
    return found if math.isfinite(found) else None


def _verdict(mae: float, plain: float, coverage: float) -> str:
    word = "better" if mae < plain else "worse"
    text = f"From the second trial on, forecasts were {word} than the plain guess: mean error {mae:.3g} to {plain:.3g}"
    near = "near" if abs(coverage - 0.8) <= _NEAR else "far from"
    return f"{text}; the 80% intervals covered {coverage:.0%}, {near} what they promise."
