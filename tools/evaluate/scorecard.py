"""What the forecasts of a run were worth, beside the plain guess: as good as the mean of the trials before.

Trials whose log a language model predicted are also compared with what the built-in forecast said of them before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.journal.events import Scorecard
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.log import Gap

ENOUGH_TO_COMPARE = 3
"""Trials with two forecasts from which on it is said whose were better."""
ENOUGH = 10
"""Trials from which on there is a verdict."""
_NEAR = 0.1
"""A coverage within this of 80% is near enough."""


def scorecard(state: RunState) -> Scorecard:
    """Score the pre-training forecasts of all trials with a gap, audits included.

    The trivial baseline is left out: its score is computed, not predicted, and would flatter. `mae` and `coverage` are
    over all the others; of trials that were ended amid their first fold, at the step that they had reached. Ranks, and
    the plain guess, which knows no steps, are over the rest; the verdict compares both on those from the second on.
    """
    gaps = [t.gap for t in state.ordered() if t.gap is not None and t.model != TRIVIAL and _sound(t.gap)]
    if not gaps:
        return Scorecard(trials=0)
    errors, whole = [abs(g.error) for g in gaps], [g for g in gaps if g.at_step is None]
    actual = [g.actual for g in whole]
    plain = [abs(a - float(np.mean(actual[:i]))) for i, a in enumerate(actual) if i]
    coverage = sum(g.covered for g in gaps) / len(gaps)
    baseline = float(np.mean(plain)) if plain else None
    shadows = _shadows(state)
    of_these = float(np.mean([abs(g.error) for g in whole[1:]])) if plain else 0.0
    words = [_verdict(of_these, baseline, coverage)] if len(whole) >= ENOUGH and baseline else []
    words += [_comparison(shadows)] if len(shadows) >= ENOUGH_TO_COMPARE else []
    return Scorecard(
        trials=len(gaps),
        mae=float(np.mean(errors)),
        coverage=coverage,
        interval_score=float(np.mean([g.interval_score for g in gaps])),
        rank_correlation=_rank_correlation([g.predicted for g in whole], actual),
        baseline_mae=baseline,
        verdict=" ".join(words),
        shadow_trials=len(shadows),
        shadow_mae=float(np.mean([abs(s.error) for s in shadows])) if shadows else None,
        shadow_coverage=sum(s.covered for s in shadows) / len(shadows) if shadows else None,
        shadow_rank_correlation=_rank_correlation([s.predicted for s in shadows], [s.actual for s in shadows]),
    )


class _Shadow(NamedTuple):
    """A trial that a language model predicted: the built-in forecast's figures, the model's error, who it was."""

    predicted: float
    actual: float
    error: float
    covered: bool
    model_error: float
    by: str


def _shadows(state: RunState) -> list[_Shadow]:
    """Return the trials with a sound gap of which the built-in forecast had a shadow prediction."""
    found: list[_Shadow] = []
    for trial in state.ordered():
        gap, said = trial.gap, trial.shadow
        if trial.model == TRIVIAL or gap is None or said is None or said.value is None or not _sound(gap):
            continue
        if gap.at_step is not None:
            continue
        low, high = said.low, said.high
        covered = low is not None and high is not None and low <= gap.actual <= high
        by = trial.prediction.by if trial.prediction else ""
        found.append(_Shadow(said.value, gap.actual, gap.actual - said.value, covered, abs(gap.error), by))
    return found


def _comparison(shadows: Sequence[_Shadow]) -> str:
    """Say in one sentence whose forecasts of the same trials were better."""
    model, builtin = float(np.mean([s.model_error for s in shadows])), float(np.mean([abs(s.error) for s in shadows]))
    names = sorted({s.by for s in shadows})
    word = "better than" if model < builtin else "worse than" if model > builtin else "as good as"
    return (
        f"Of the same {len(shadows)} trials, the forecasts of {' and '.join(names)} were {word} the built-in ones: "
        f"mean error {model:.3g} to {builtin:.3g}."
    )


def _sound(gap: Gap) -> bool:
    return all(map(math.isfinite, (gap.error, gap.actual, gap.predicted, gap.interval_score)))


def _rank_correlation(predicted: Sequence[float], actual: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation; None for fewer than three trials or where one side is constant."""
    if len(actual) < 3 or len(set(predicted)) < 2 or len(set(actual)) < 2:
        return None
    return float(np.corrcoef(_ranks(predicted), _ranks(actual))[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the rank of each value; equal ones share their mean rank.

    In place of scipy.stats, which takes half a second to import, in the middle of a run, and some 45 MB.
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _verdict(mae: float, plain: float, coverage: float) -> str:
    word = "better" if mae < plain else "worse"
    text = f"From the second trial on, forecasts were {word} than the plain guess: mean error {mae:.3g} to {plain:.3g}"
    near = "near" if abs(coverage - 0.8) <= _NEAR else "far from"
    return f"{text}; the 80% intervals covered {coverage:.0%}, {near} what they promise."
