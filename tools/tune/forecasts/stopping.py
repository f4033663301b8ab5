"""When a running trial is ended as it cannot win: between rows by its curve, between folds by a paired test.

A rule is plain data. The loop makes it from the run's state and sends it to the trial's process, where it looks at the
rows alone and at no clock, so the same trial always ends at the same row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import median
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.allowed import best_deliverable, whole_cards
from automl_gpt.tools.tune.cost import thread_seconds
from automl_gpt.tools.tune.extrapolate import power_laws, running_best
from automl_gpt.tools.tune.forecasts.continuation import FEWEST, Forest
from automl_gpt.tools.tune.forecasts.finished_curves import (
    FEWEST_ROWS,
    Past,
    as_curves,
    cut_curves,
    past_curves,
    planned_end,
    point_of,
    standing,
)
from automl_gpt.tools.tune.forecasts.prefix import curve_of

ROWS = 8
"""No curve is judged by fewer rows than this."""
EARLY = 0.15
"""No curve is judged before this share of its horizon: logs are dense at first, and counted metrics plateau there."""
CHECKS = (0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65)
"""Shares of the horizon at which a curve is set against finished ones."""
CHANCE = 0.25
"""A curve goes on as long as it beats what is wanted, which is less than the best so far, with this probability."""
RUNGS, BEST = (0.08, 0.16, 0.32), 3
"""Shares of a training at which only the best third of all that came there goes on: asynchronous successive halving in
the form that stops (Li et al. 2020)."""
DEAR_SECONDS = 10.0
"""A trial that is planned to take less is judged by its slope alone: forests take some 0.1 s at each checkpoint."""
_GENEROUS = 1.5
"""A curve's latest gains are taken this much greater than they were."""
_FEW = 4.0
"""How many folds the assumed spread of differences counts for."""


class StopRule(BaseModel):
    """What a trial is measured against; one without `incumbent` never stops anything.

    `incumbent` are the best trial's scores by fold. `spread` is the usual standard deviation, between folds, of the
    difference of two trials. `margin` is how far behind a trial may fall and still be kept: it may help an ensemble.
    `horizon` is the last step that a curve may reach; None: curves are not judged. `patience` multiplies what being
    behind after the first fold may cost. `past` are finished curves of the model, `cut` such as were ended early;
    `point` are the trial's own coordinates. With `rungs`, shares of the `planned` steps, curves are compared there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")
    direction: Literal["maximize", "minimize"] = "maximize"
    incumbent: tuple[float, ...] = ()
    trial: int | None = None
    spread: float = 0.0
    margin: float = 0.0
    horizon: int | None = None
    patience: float = 1.0
    past: tuple[Past, ...] = ()
    cut: tuple[Past, ...] = ()
    rungs: tuple[float, ...] = ()
    planned: float = 0.0
    point: tuple[float, ...] = ()

    def after_row(self, fold: int, steps: Sequence[int], values: Sequence[float]) -> str | None:
        """Return why the fold's curve cannot beat the incumbent's score of that fold any more; None to go on.

        `steps` and `values` are the fold's rows so far. With rungs, and a finished curve of the model, it has to be
        among the best third at each of them. Else, with three such curves and more, a forest over them has to give a
        chance of one in four, at one of a few checkpoints. Else it asks for eight rows, for 15% of the horizon, and for
        a gap that neither the extrapolated curve nor the latest half's gain, kept up to the horizon, would close.
        """
        if self.horizon is None or fold >= len(self.incumbent) or not len(values):
            return None
        if self.rungs and self.planned and self.past:
            return self._by_rung(fold, steps, values)
        if len(self.past) >= FEWEST:
            return self._by_past(fold, steps, values)
        return self._by_slope(fold, steps, values) if len(values) >= ROWS else None

    def _by_rung(self, fold: int, steps: Sequence[int], values: Sequence[float]) -> str | None:
        share = _crossed(steps, self.planned, self.rungs)
        if share is None:
            return None
        best = self._sign * float(running_best(values, self.direction)[-1])
        better, came = standing(best + self.margin * self.patience, share, (*self.past, *self.cut), self._sign)
        if better < max(1, (came + 1) // BEST):
            return None
        return f"fold {fold + 1}, step {steps[-1]}: {better} of {came} trials of the model were better by then"

    def _by_past(self, fold: int, steps: Sequence[int], values: Sequence[float]) -> str | None:
        horizon = float(self.horizon or 1)
        share = _crossed(steps, horizon, CHECKS)
        curve = curve_of(steps, [self._sign * v for v in values], horizon, self.point)
        if share is None or curve is None or len(curve.values) < FEWEST_ROWS:
            return None
        wanted = self._sign * self.incumbent[fold] - self._allowed(1)
        said = _forest(self.past, self.direction, horizon, share).predict(curve)
        if said.chance(wanted) >= CHANCE:
            return None
        return (
            f"fold {fold + 1}, step {steps[-1]}: {self._sign * said.best[0]:.4g} expected, trial {self.trial} reached "
            f"{self.incumbent[fold]:.4g} there, as fewer than one in four such curves do"
        )

    def _by_slope(self, fold: int, steps: Sequence[int], values: Sequence[float]) -> str | None:
        if self.horizon is None or steps[-1] < EARLY * self.horizon:
            return None
        sign, best = self._sign, running_best(values, self.direction)
        if not np.isfinite(best[-1]) or not np.isfinite(best[len(best) // 2]):
            return None
        half, last = len(best) // 2, float(steps[-1])
        rate = sign * float(best[-1] - best[half]) / max(last - float(steps[half]), 1.0)
        left = max(self.horizon - last, 0.0)
        reachable = sign * float(best[-1]) + _GENEROUS * rate * left
        reach = power_laws(steps, values, self.direction, max(self.horizon, int(last)))
        if reach is not None:
            reachable = max(reachable, sign * reach.low, sign * reach.high)
        wanted = sign * self.incumbent[fold] - self._allowed(1)
        if reachable >= wanted:
            return None
        return (
            f"fold {fold + 1}, step {steps[-1]}: {sign * reachable:.4g} at best, trial {self.trial} reached "
            f"{self.incumbent[fold]:.4g} there"
        )

    def after_fold(self, fold_scores: Sequence[float]) -> str | None:
        """Return why the finished folds show that the trial loses to the incumbent; None to go on.

        A one-sided paired test: the mean difference has to exceed the margin by several standard errors, whose spread
        is pooled with the usual one, so that a lucky pair of folds proves nothing. A score that is NaN loses.
        """
        n = min(len(fold_scores), len(self.incumbent))
        if n == 0 or n >= len(self.incumbent):
            return None
        if not all(map(math.isfinite, fold_scores[:n])):
            return f"fold {n}: the score is not a number"
        behind = [self._sign * (b - a) for a, b in zip(fold_scores[:n], self.incumbent[:n], strict=True)]
        mean = sum(behind) / n
        squares = sum((d - mean) ** 2 for d in behind) + _FEW * self.spread**2
        error = math.sqrt(squares / (n - 1 + _FEW) / n)
        if mean <= self.margin * self.patience + self._quantile(n) * error:
            return None
        return f"after fold {n}: behind trial {self.trial} by {mean:.3g} on average, more than chance allows"

    @property
    def _sign(self) -> int:
        return 1 if self.direction == "maximize" else -1

    def _allowed(self, n: int) -> float:
        return self.margin * self.patience + self._quantile(n) * self.spread / math.sqrt(n)

    def _quantile(self, n: int) -> float:
        """Return how many standard errors count as proof: three for one fold, about two for many."""
        return self.patience * (2.0 + 1.0 / n)


def _crossed(steps: Sequence[int], horizon: float, shares: Sequence[float]) -> float | None:
    """Return the last of the shares that the latest row is the first one to reach; None where there is none."""
    before = float(steps[-2]) if len(steps) > 1 else 0.0
    passed = [share for share in shares if before < share * horizon <= float(steps[-1])]
    return passed[-1] if passed else None


@lru_cache(maxsize=16)
def _forest(past: tuple[Past, ...], direction: Literal["maximize", "minimize"], horizon: float, share: float) -> Forest:
    return Forest(as_curves(past, direction, horizon), share)


def make_stop_rule(state: RunState, trial: Trial | None = None) -> StopRule:
    """Return the rule for a trial that is about to start, from the trials that ended so far.

    The trivial baseline, and everything before a first complete trial, is never stopped. The first trial of a model is
    judged between folds alone, with a larger margin.
    """
    metric, best = state.need_metric(), best_deliverable(state)
    never = StopRule(direction=metric.direction)
    if best is None or best.end is None or best.model == TRIVIAL or (trial is not None and trial.model == TRIVIAL):
        return never
    folds = best.end.folds
    if not folds or not all(map(math.isfinite, folds)):
        return never
    rivals = [t for t in state.done() if t.complete and t.model != TRIVIAL and t is not best]
    spread = _usual_spread(best, rivals)
    first = trial is not None and not any(t.model == trial.model for t in state.done())
    by_past = trial is not None and not first and _dear(state, trial)
    # Where a hyperparameter makes steps larger, a slow beginning says little: boosting with a low learning rate.
    card = None if trial is None else whole_cards(state).get(trial.model)
    return StopRule(
        direction=metric.direction,
        incumbent=folds,
        trial=best.number,
        spread=spread,
        margin=_margin(state, best, spread),
        horizon=None if first or trial is None or trial.resumed else _horizon(state, trial),
        patience=2.0 if first else 1.0,
        past=past_curves(state, trial.model) if trial is not None and by_past else (),
        cut=cut_curves(state, trial.model, trial.number) if trial is not None and by_past else (),
        rungs=RUNGS if by_past and card is not None and card.resources.faster_with is None else (),
        planned=planned_end(trial) if trial is not None else 0.0,
        point=() if trial is None else point_of(state, trial),
    )


def _dear(state: RunState, trial: Trial) -> bool:
    """Say whether a trial is planned to take so long that growing forests in it pays: by the card, not by a clock."""
    card = whole_cards(state).get(trial.model)
    return card is not None and thread_seconds(state, card, trial.hyperparameters) >= DEAR_SECONDS


def _usual_spread(best: Trial, rivals: Sequence[Trial]) -> float:
    """Return the median, over rivals, of the standard deviation of paired differences to the best trial."""
    mine = best.end.folds if best.end else ()
    found: list[float] = []
    for rival in rivals:
        theirs = rival.end.folds if rival.end else ()
        if len(theirs) == len(mine) > 1 and all(map(math.isfinite, theirs)):
            found.append(float(np.std(np.array(mine) - np.array(theirs), ddof=1)))
    if found:
        return max(median(found), 1e-12)
    if len(mine) > 1:
        return max(float(np.std(mine, ddof=1)), 1e-12)
    return 0.02 * max(abs(best.value or 0.0), 1e-6)


def _margin(state: RunState, best: Trial, spread: float) -> float:
    """Return how far behind still helps an ensemble: the usual spread, or 5% of what models gain over the baseline."""
    base = state.baseline()
    gain = abs((best.value or 0.0) - base.value) if base is not None and base.value is not None else 0.0
    return max(spread, 0.05 * gain if math.isfinite(gain) else 0.0)


def _horizon(state: RunState, trial: Trial) -> int | None:
    """Return the last step that this trial may reach: half as far again as trials of the model did, or as predicted.

    By the built-in forecast where there is one: a language model can't keep a trial from being judged.
    """
    steps = [r.step for t in state.done() if t.model == trial.model for r in t.rows]
    said = trial.shadow or trial.prediction
    steps += [r.step for r in said.log.rows] if said else []
    return round(1.5 * max(steps)) if steps else None
