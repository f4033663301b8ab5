"""What a run delivers: its best single model, or a weighted ensemble where that is better than the luck of the rows.

Every choice is made on out-of-fold predictions, which no member's training saw. A mixture chosen among many is
flattered by the rows that chose it, so its gain is measured on the rows that had no part in choosing, half by half.
Answers (texts, spans, boxes, tags, passages) have no mean, so of models that give answers the best one is delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import BudgetError
from automl_gpt.tools.compose.candidates import candidates, costs_of, trial_folder
from automl_gpt.tools.compose.decision import decide, decision_weights
from automl_gpt.tools.compose.panel import Panel, Stack
from automl_gpt.tools.compose.selection import Costs, select, shrink
from automl_gpt.tools.corpus.examples import parse_records
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.evaluate.bootstrap import difference
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.evaluate.words import figure, signed
from automl_gpt.tools.journal.events import Member
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.log import Metric
from automl_gpt.tools.train.protocol import ANSWER_TASKS, Prediction
from automl_gpt.tools.train.worker import ANSWERS, NUMBERS

FAMILIES, NEAR_BEST = 3, 0.85
CELLS = 40_000
"""Rows x classes on which mixtures are compared; the chosen one is scored on all rows."""


@dataclass(frozen=True)
class Chosen:
    """The delivered members with weights that sum to 1, and why.

    `value` is their validation score (decision weights applied), `best_single` that of the best single trial; both are
    means over the folds. `decision_weights` is empty where the likeliest class is said.
    """

    members: tuple[Member, ...]
    value: float
    best_single: float
    reason: str
    decision_weights: tuple[float, ...] = ()


def choose(
    state: RunState,
    run_folder: Path,
    prepared: Prepared,
    metric: Metric,
    seconds_left: float | None = None,
    *,
    single: bool = False,
) -> Chosen:
    """Choose the models to deliver among the run's complete trials.

    The card's and the person's limits on seconds and megabytes hold for the ensemble as a whole. `seconds_left` until
    the run must end keeps out members that could not predict the test split in time. `single` asks for the best single
    model. Raises BudgetError where no trial is complete.
    """
    trials = candidates(state, run_folder, prepared, metric)
    if not trials:
        raise BudgetError("no trial finished, so there is no model to deliver")
    costs = costs_of(state, run_folder, trials, prepared, seconds_left)
    fits: NDArray[np.bool_] = np.all(costs.each <= costs.most, axis=1)
    if not fits.any():
        cheapest = int((costs.each / np.maximum(costs.most, 1e-12)).max(axis=1).argmin())
        reason = f"no trial keeps the limits of size and time; trial {trials[cheapest].number} comes nearest to them"
        return _alone(run_folder, prepared, metric, trials[cheapest], reason)
    kept = [t for t, fit in zip(trials, fits, strict=True) if fit]
    costs = Costs(costs.each[fits], costs.most)
    left_out = f"; {len(trials) - len(kept)} trials left out, too slow or too large" if len(kept) < len(trials) else ""
    if why := _why_alone(prepared, len(kept), single):
        return _alone(run_folder, prepared, metric, kept[0], why + left_out)
    weights, reason = _choose_weights(run_folder, prepared, metric, kept, costs=costs, seed=state.request.seed)
    rows = len(prepared.out_of_fold())
    spread = shrink(weights, family_shares(kept, state.baseline(), metric), rows, costs)
    if np.count_nonzero(spread) > np.count_nonzero(weights):
        reason += f"; mixed with the best of each model, since {rows} validation rows can't tell them well apart"
    weights = spread
    return _deliver(run_folder, prepared, metric, kept, weights=weights, reason=reason + left_out)


def _why_alone(prepared: Prepared, among: int, asked: bool) -> str:
    """Return why one model is delivered rather than a mixture; empty where mixtures are to be tried."""
    if asked:
        return "the best single model, as was asked for"
    if among == 1:
        return "the only model to choose"
    if prepared.layout.task in ANSWER_TASKS:
        return f"the best single model of {among}: answers have no mean, so they are not mixed"
    return ""


def _alone(run_folder: Path, prepared: Prepared, metric: Metric, trial: Trial, reason: str) -> Chosen:
    if prepared.layout.task in ANSWER_TASKS:
        value = trial.value or 0.0
        return Chosen((Member(trial=trial.number, weight=1.0),), value, value, reason)
    return _deliver(run_folder, prepared, metric, [trial], weights=np.ones(1), reason=reason)


def family_shares(trials: list[Trial], baseline: Trial | None, metric: Metric) -> NDArray[np.float64]:
    """Return equal weights, summing to 1, for the best trial of each model that comes near the best of all.

    `trials` come best first; at most three models count, and those which go less than 85% of the way from the trivial
    baseline to the best do not.
    """
    top = trials[0].value or 0.0
    base = baseline.value if baseline is not None and baseline.value is not None else top
    way = metric.sign * (top - base)
    seen: list[str] = []
    shares = np.zeros(len(trials))
    for place, trial in enumerate(trials):
        near = metric.sign * ((trial.value or 0.0) - base) >= NEAR_BEST * way
        if trial.model not in seen and near and len(seen) < FAMILIES:
            seen.append(trial.model)
            shares[place] = 1.0
    return shares / shares.sum()


def _choose_weights(
    run_folder: Path, prepared: Prepared, metric: Metric, trials: list[Trial], *, costs: Costs, seed: int
) -> tuple[NDArray[np.float64], str]:
    rows = _sample(prepared, metric, seed)
    panel = _panel(prepared, metric, rows)
    stack = np.stack([_read(run_folder, t, rows) for t in trials])
    single = np.zeros(len(trials))
    single[int(panel.gains(stack).argmax())] = 1.0
    weights = select(panel, stack, costs)
    if np.count_nonzero(weights) == 1:
        return weights, "no mixture is better than the best single model"
    taken, reason = _verdict(panel, stack, costs, seed)
    return (weights if taken else single), reason


def _verdict(panel: Panel, stack: Stack, costs: Costs, seed: int) -> tuple[bool, str]:
    """Decide whether a mixture beats the best single model on rows that chose neither.

    Above one standard error it does. Within it, averaging still tends to lower the variance of the error, so the
    mixture is taken when a second, smoother loss improves as well; else the simpler model wins.
    """
    first = _halves(panel, seed)
    other = np.setdiff1d(np.arange(len(panel.y)), first)
    second_metric = _second(panel.metric)
    gains: list[float] = []
    errors: list[float] = []
    seconds: list[float] = []
    for rows, held in ((first, other), (other, first)):
        chooser, judge = panel.part(rows), panel.part(held)
        part = stack[:, :, rows]
        single = int(chooser.gains(part).argmax())
        mix = _mix(stack[:, :, held], select(chooser, part, costs))
        pair = _plain(mix), _plain(stack[single][:, held])
        gain, error = difference(panel.metric, judge.y, *pair, judge.weight, positive=judge.positive)
        gains.append(gain)
        errors.append(error)
        seconds.append(difference(second_metric, judge.y, *pair, judge.weight, positive=judge.positive)[0])
    gain, error = float(np.mean(gains)), float(np.hypot(errors[0], errors[1])) / 2
    told = f"gain {signed(gain)} in {panel.metric.name} on rows that did not choose it, standard error {figure(error)}"
    if gain > error:
        return True, f"the ensemble beats the best single model: {told}"
    if np.isnan(gain) or (abs(gain) <= error and np.mean(seconds) > 0):
        return True, f"the ensemble is level with the best single model ({told}) and improves {second_metric.name}"
    return False, f"the ensemble does not beat the best single model: {told}"


def _second(metric: Metric) -> Metric:
    if metric.task == "regression":
        return METRICS["mae" if metric.name in ("rmse", "r2") else "rmse"]
    return METRICS["brier" if metric.name == "log_loss" else "log_loss"]


def _halves(panel: Panel, seed: int) -> NDArray[np.intp]:
    """Return one half of the rows, alike in targets and spread over all blocks."""
    luck = np.random.default_rng(seed).random(len(panel.y))
    picked = [block[np.lexsort((luck[block], panel.y[block]))][0::2] for block in panel.blocks]
    return np.sort(np.concatenate(picked))


def _deliver(
    run_folder: Path,
    prepared: Prepared,
    metric: Metric,
    trials: list[Trial],
    *,
    weights: NDArray[np.float64],
    reason: str,
) -> Chosen:
    """Score the chosen mixture on all validation rows, and tune the decision weights where the metric asks for them."""
    rows = prepared.out_of_fold()
    panel = _panel(prepared, metric, np.arange(len(rows)))
    used = [(t, w) for t, w in zip(trials, weights, strict=True) if w > 0]
    mix = out_of_fold(run_folder, [Member(trial=t.number, weight=float(w)) for t, w in used])
    value = _value(panel, mix)
    singles = [t.value for t in trials if t.value is not None]
    best_single = value if len(used) == 1 else max(singles, key=lambda v: metric.sign * v)
    factors = decision_weights(metric, panel.y, mix, panel.weight, positive=panel.positive)
    if factors:
        tuned = _value(panel, decide(mix, factors))
        reason += f"; decision weights per class lift {metric.name} from {figure(value)} to {figure(tuned)}"
        value = tuned
    members = tuple(Member(trial=t.number, weight=round(float(w), 6)) for t, w in used)
    return Chosen(members, value, best_single, reason, factors)


def out_of_fold(run_folder: Path, members: list[Member] | tuple[Member, ...]) -> Prediction:
    """Return the weighted mean of the members' out-of-fold predictions, in the order of `Prepared.out_of_fold()`.

    Of answers it is those of the only member.
    """
    answers = trial_folder(run_folder, members[0].trial) / ANSWERS
    if answers.is_file():
        return parse_records(answers.read_text(encoding="utf-8").split("\n"))
    total: Any = 0.0
    for member in members:
        values = np.load(trial_folder(run_folder, member.trial) / NUMBERS, mmap_mode="r")
        total = total + np.asarray(values, dtype=np.float64) * member.weight
    return total / sum(m.weight for m in members)


def _value(panel: Panel, prediction: Prediction) -> float:
    values = [
        score(
            panel.metric, panel.y[b], prediction[b], None if panel.weight is None else panel.weight[b], panel.positive
        )
        for b in panel.blocks
    ]
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _sample(prepared: Prepared, metric: Metric, seed: int) -> NDArray[np.intp]:
    """Return places among the out-of-fold rows on which mixtures are compared: all, or a random part of many."""
    rows = len(prepared.out_of_fold())
    columns = max(prepared.layout.classes, 2)
    slow = (metric.kind == "score" and prepared.rows.weight is not None) or metric.name == "spearman"
    most = max(2_000, CELLS // columns // (4 if slow else 1))
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _panel(prepared: Prepared, metric: Metric, places: NDArray[np.intp]) -> Panel:
    rows = prepared.out_of_fold()[places]
    fold = prepared.fold[rows]
    blocks = tuple(np.flatnonzero(fold == f) for f in np.unique(fold))
    weight = None if prepared.rows.weight is None else prepared.rows.weight[rows]
    positive = 1 if prepared.layout.positive is None else prepared.layout.positive
    return Panel(metric, prepared.rows.y[rows], weight, blocks, positive)


def _read(run_folder: Path, trial: Trial, places: NDArray[np.intp]) -> Stack:
    """Read some rows of a trial's predictions as (classes, rows), probabilities summing to 1."""
    values = np.load(trial_folder(run_folder, trial.number) / NUMBERS, mmap_mode="r")
    picked = np.asarray(values[places], dtype=np.float32)
    if picked.ndim == 1:
        return picked[None]
    picked = np.maximum(picked, 0)
    return np.ascontiguousarray((picked / np.maximum(picked.sum(axis=1, keepdims=True), 1e-12)).T)


def _mix(stack: Stack, weights: NDArray[np.float64]) -> Stack:
    return np.tensordot(weights.astype(np.float32), stack, axes=1)


def _plain(prediction: Stack) -> Prediction:
    """Return a prediction as metrics take it: (rows, classes) or (rows,)."""
    return (prediction[0] if len(prediction) == 1 else prediction.T).astype(np.float64)
