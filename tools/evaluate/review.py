"""What forecasts were good for: where and why one failed, and the training that they saved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from automl_gpt.cards.schema import FloatRange, IntRange, ModelCard
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.allowed import whole_cards
from automl_gpt.tools.tune.scale import baseline_value
from automl_gpt.tools.tune.space import encode, matrix

FEW = 3
"""With fewer earlier trials of the model than this, a forecast rests on little."""
BEYOND = 0.05
"""Share of its range by which a hyperparameter has to lie outside what was tried to be called new."""
_NAMED = 2
_TOO_LATE = 1.3
"""A training that took this many times its forecast's seconds was slower than expected."""


def failure(state: RunState, trial: Trial) -> str:
    """Say where and why a trial's forecast failed; empty where its interval held, or nothing could be compared."""
    gap = trial.gap
    if gap is None or gap.covered or trial.model == TRIVIAL or trial.prediction is None:
        return ""
    better = trial.metric.sign * gap.error > 0
    missed = max(gap.low - gap.actual, gap.actual - gap.high)
    word, side = "better" if better else "worse", "above" if gap.actual > gap.high else "below"
    text = f"{word} than expected: {missed:.3g} {side} the interval{_where(trial)}"
    causes = list(_causes(state, trial, better))[:_NAMED] or ["no earlier trial told of it"]
    return f"{text}; {', and '.join(causes)}"


def _where(trial: Trial) -> str:
    """Return from which predicted step on the curve lay outside its interval."""
    assert trial.prediction is not None
    said = [r for r in trial.prediction.log.rows if "valid" in r.metrics and "valid" in r.intervals]
    steps, values = trial.log.curve("valid")
    if len(said) < 2 or len(steps) < 2:
        return ""
    outside: int | None = None
    for row in said:
        reached = [v for s, v in zip(steps, values, strict=True) if s <= row.step]
        if not reached or steps[-1] < row.step:
            continue
        held = row.intervals["valid"].low <= reached[-1] <= row.intervals["valid"].high
        outside = None if held else outside or row.step
    if outside is None:
        return ", though its last steps lay inside theirs"
    return f" from step {outside} of {max(steps)} on" if outside < said[-1].step else " at the end"


def _causes(state: RunState, trial: Trial, better: bool) -> Iterator[str]:
    assert trial.end is not None and trial.prediction is not None
    earlier = _earlier(state, trial)
    if trial.end.reason and not better and trial.status != "pruned":
        yield f"it was {trial.end.reason}" if trial.end.reason.startswith("cut short") else trial.end.reason
    base = baseline_value(state)
    if not better and base is not None and trial.value is not None and not trial.metric.better(trial.value, base):
        yield "it learned nothing: no better than the baseline"
    same = [t for t in earlier if t.model == trial.model]
    if not same:
        yield f"it was the first trial of {trial.model}" + ("" if earlier else ", and of the run")
    else:
        yield from _new_places(whole_cards(state)[trial.model], same, trial)
        if len(same) < FEW:
            yield f"only {len(same)} trial{'s' * (len(same) != 1)} of {trial.model} came before"
    spread = _between_folds(trial)
    if spread is not None and trial.gap is not None and spread > 0.5 * (trial.gap.high - trial.gap.low):
        yield f"its folds differ by {spread:.3g}, more than the interval allowed for"
    if not better and trial.gap is not None and (trial.gap.seconds_ratio or 0.0) > _TOO_LATE:
        yield "its training was slower than expected"


def _earlier(state: RunState, trial: Trial) -> list[Trial]:
    """Return the trials with a score that had ended when this one's log was predicted, as far as the clock tells."""
    began = trial.started.at_seconds if trial.started else math.inf
    ended = [t for t in state.done() if t.model != TRIVIAL and t.value is not None and t.end is not None]
    return [t for t in ended if t.number < trial.number and t.end is not None and t.end.at_seconds <= began]


def _new_places(card: ModelCard, same: Sequence[Trial], trial: Trial) -> Iterator[str]:
    """Name the hyperparameters whose values lie beyond what the model's earlier trials had tried."""
    at, tried = encode(card, trial.hyperparameters), matrix(card, [t.hyperparameters for t in same])
    for place, (name, space) in enumerate(card.search_space.items()):
        known = tried[:, place][~np.isnan(tried[:, place])]
        if math.isnan(at[place]) or not len(known):
            continue
        value = trial.hyperparameters[name]
        told = f"{value:.4g}" if isinstance(value, float) else str(value)
        if not isinstance(space, FloatRange | IntRange):
            if at[place] not in known:
                yield f"{name} {told} was never tried before"
        elif at[place] > known.max() + BEYOND or at[place] < known.min() - BEYOND:
            yield f"{name} {told} lies beyond what was tried before"


def _between_folds(trial: Trial) -> float | None:
    folds = trial.end.folds if trial.end else ()
    return max(folds) - min(folds) if len(folds) > 1 and all(map(math.isfinite, folds)) else None


@dataclass(frozen=True)
class Saved:
    """Seconds of training that were not spent, by the forecasts' own estimates, and what that may have cost.

    `share` is that of all training that was proposed. Of `audits`, trials that were predicted to be hopeless and were
    trained all the same, `regretted` became the best of their run.
    """

    skipped: int
    skipped_seconds: float
    pruned: int
    pruned_seconds: float
    share: float
    audits: int
    regretted: int


def saved(state: RunState) -> Saved:
    """Return what skipping hopeless trials and ending hopeless ones early saved."""
    trials = state.ordered()
    skipped = [t.prediction.seconds for t in trials if t.status == "skipped" and t.prediction]
    pruned = [
        max(0.0, t.prediction.seconds - t.end.seconds)
        for t in trials
        if t.status == "pruned" and t.prediction and t.end
    ]
    spent = sum(t.end.seconds for t in trials if t.end)
    kept = sum(skipped) + sum(pruned)
    audits = [t for t in trials if t.prediction and t.prediction.audit and t.value is not None]
    best = state.best() if state.metric else None
    return Saved(
        skipped=len(skipped),
        skipped_seconds=sum(skipped),
        pruned=len(pruned),
        pruned_seconds=sum(pruned),
        share=kept / (kept + spent) if kept else 0.0,
        audits=len(audits),
        regretted=sum(t is best for t in audits),
    )


def saved_words(found: Saved) -> str:
    """Return the savings in a sentence; empty where there are none."""
    if not found.skipped and not found.pruned:
        return ""
    parts = [f"{found.skipped} skipped"] if found.skipped else []
    parts += [f"{found.pruned} ended early"] if found.pruned else []
    text = f"about {found.share:.0%} of the training proposed: {', '.join(parts)}"
    if found.audits:
        one = f"{found.regretted or 'none'} became the best"
        text += f"; {found.audits} of the hopeless trained all the same, {one}"
    return text
