"""The one validator that every controller's calls pass.

A call that is not valid raises ToolError with what would be right; a valid one becomes events, which the loop appends
to the journal before it acts on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl_gpt.agent.decisions import (
    DECISIONS,
    AssignModel,
    Decision,
    Finish,
    Prediction,
    PredictLog,
    ProposeHyperparameters,
    Revise,
    Situation,
    ToolCall,
)
from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.base import parse_arguments
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.log import Interval, Metric, Row, TrainingLog
from automl_gpt.tools.tune.allowed import best_deliverable
from automl_gpt.tools.tune.forecasts.paused import paused
from automl_gpt.tools.tune.scale import legal_range
from automl_gpt.tools.tune.space import encode, repeats

ENOUGH_TO_FINISH, EARLY_SHARE = 20, 0.5
"""A model may end a run after so many scored trials, or once less than this share of the budget is left."""

PROVEN_TRIALS, PROVEN_SHARE = 3, 0.5
"""A model's word that a trial is hopeless counts after so many predictions, where this share of them held."""


def validate(call: ToolCall, situation: Situation, by: str, seeds: Callable[[int], int]) -> list[e.Event]:
    """Turn a decision into events, or raise ToolError with what would be right."""
    if call.name != situation.decision:
        raise ToolError(f"now the decision is {situation.decision}; {call.name} is not asked for")
    arguments: Any = parse_arguments(call.name, DECISIONS[situation.decision], call.arguments)
    return _VALIDATORS[situation.decision](arguments, situation, by, seeds)


def _assign(arguments: AssignModel, situation: Situation, by: str, _: Any) -> list[e.Event]:
    _check_models(arguments.models, situation.eligible, "eligible")
    return [e.ModelsAssigned(models=tuple(arguments.models), reason=arguments.reason, by=by)]


def _check_models(models: list[str], allowed: tuple[str, ...], what: str) -> None:
    for name in models:
        if name not in allowed:
            raise ToolError(f"{name!r} is no {what} model; {what} are: {', '.join(allowed)}")
    if len(set(models)) < len(models):
        raise ToolError("a model is named twice")


def _propose(
    arguments: ProposeHyperparameters, situation: Situation, by: str, seeds: Callable[[int], int]
) -> list[e.Event]:
    state = situation.state
    known = [(t.number, t.model, t.hyperparameters) for t in state.ordered() if not t.withdrawn]
    number = max(state.trials, default=0)
    events: list[e.Event] = []
    if len(arguments.configurations) > situation.count:
        raise ToolError(f"at most {situation.count} configurations are asked for, not {len(arguments.configurations)}")
    for wanted in arguments.configurations:
        if wanted.model not in state.assigned and wanted.model != TRIVIAL:
            raise ToolError(f"{wanted.model!r} is not assigned; assigned are: {', '.join(state.assigned)}")
        full = state.model_cards[wanted.model].complete(wanted.hyperparameters)
        _refuse_repetition(state, wanted.model, full, known)
        number += 1
        known.append((number, wanted.model, full))
        events.append(
            e.TrialProposed(
                trial=number,
                model=wanted.model,
                hyperparameters=full,
                reason=wanted.reason,
                by=by,
                seed=seeds(number),
            )
        )
    return events


def _refuse_repetition(
    state: RunState, model: str, full: Hyperparameters, known: list[tuple[int, str, Hyperparameters]]
) -> None:
    """Raise ToolError where a configuration comes so near to an earlier one that training it would tell nothing."""
    card = state.model_cards[model]
    at = encode(card, full)
    for number, other, hyperparameters in known:
        if other == model and repeats(card, at, encode(card, hyperparameters)[None, :]):
            raise ToolError(
                f"{model} with these hyperparameters is trial {number} already, or within 1% of it; change something"
            )


def _predict(arguments: PredictLog, situation: Situation, by: str, _: Any) -> list[e.Event]:
    asked = {t.number: t for t in situation.trials}
    given = [p.trial for p in arguments.predictions]
    if sorted(given) != sorted(asked):
        raise ToolError(f"one prediction for each of the trials {sorted(asked)} is asked for, not {sorted(given)}")
    return [_predicted(p, situation.state, by) for p in arguments.predictions]


def _check_figures(p: Prediction, metric: Metric) -> None:
    """Raise ToolError for a prediction that could not be scored."""
    steps = [c.step for c in p.checkpoints]
    if steps != sorted(set(steps)):
        raise ToolError(f"trial {p.trial}: the checkpoints' steps must rise")
    bottom, top = legal_range(metric)
    for low, value, high in [(c.low, c.valid, c.high) for c in p.checkpoints] + [(p.low, p.value, p.high)]:
        if not low <= value <= high:
            raise ToolError(f"trial {p.trial}: the interval {low} to {high} does not hold the value {value}")
        if not bottom <= value <= top:
            raise ToolError(f"trial {p.trial}: {metric.name} lies between {bottom:g} and {top:g}, not at {value}")


def _worth(p: Prediction, state: RunState, by: str) -> bool:
    """Say whether a trial is trained. A model may only skip what its own figures leave behind the best so far.

    And only once its figures have proven themselves: one whose intervals rarely hold the truth skips nothing.
    """
    if p.train or by == "builtin":
        return p.train
    if not _proven(state, by):
        return True
    best, metric = best_deliverable(state), state.need_metric()
    optimistic = p.high if metric.sign > 0 else p.low
    opening = state.trials[p.trial].proposal.by == "opening"
    return opening or best is None or best.value is None or metric.sign * (optimistic - best.value) >= 0


def _proven(state: RunState, by: str) -> bool:
    """Say whether enough of the intervals that somebody predicted held the score that came."""
    said = [t for t in state.ordered() if t.prediction and t.prediction.by == by and t.model != TRIVIAL]
    covered = [t.gap.covered for t in said if t.gap is not None]
    return len(covered) >= PROVEN_TRIALS and sum(covered) >= PROVEN_SHARE * len(covered)


def _predicted(p: Prediction, state: RunState, by: str) -> e.TrialPredicted:
    metric = state.need_metric()
    _check_figures(p, metric)
    rows = tuple(
        Row(step=c.step, metrics={"valid": c.valid}, intervals={"valid": Interval(low=c.low, high=c.high)})
        for c in p.checkpoints
    )
    return e.TrialPredicted(
        trial=p.trial,
        log=TrainingLog(origin="predicted", metric=metric.name, direction=metric.direction, rows=rows),
        value=p.value,
        low=p.low,
        high=p.high,
        seconds=p.seconds,
        megabytes=p.megabytes,
        train=_worth(p, state, by),
        reason=p.reason,
        by=by,
    )


def _revise(arguments: Revise, situation: Situation, by: str, _: Any) -> list[e.Event]:
    if arguments.action == "change_models":
        if not arguments.models:
            raise ToolError("change_models needs models")
        _check_models(arguments.models, situation.eligible, "eligible")
    resumed = _paused(arguments.trial, situation) if arguments.action == "resume_trial" else None
    if arguments.action == "finish" and by != "builtin":
        _refuse_early_end(situation)
    return [
        e.Revised(
            action=arguments.action, models=tuple(arguments.models), trial=resumed, reason=arguments.reason, by=by
        )
    ]


def _paused(number: int | None, situation: Situation) -> int:
    """Return the number of a trial that can go on; ToolError where it can't."""
    numbers = [trial.number for trial in paused(situation.state)]
    if number not in numbers:
        raise ToolError(f"trial {number} is not paused; paused: {', '.join(map(str, numbers)) or 'none'}")
    return number


def _refuse_early_end(situation: Situation) -> None:
    """Raise ToolError where a model would give away most of what the person offered."""
    budget, state = situation.state.request.budget, situation.state
    trials = sum(t.model != TRIVIAL for t in state.done())
    early = budget.seconds is not None and (situation.seconds_left or 0.0) > EARLY_SHARE * budget.seconds
    early = early or (budget.trials is not None and trials < (1 - EARLY_SHARE) * budget.trials)
    early = early or (budget.seconds is None and budget.trials is None)
    if early and trials < ENOUGH_TO_FINISH:
        raise ToolError(
            f"too early to finish: {trials} trials are scored and most of the budget is left; "
            f"finish after {ENOUGH_TO_FINISH} trials or half of the budget"
        )


def _finish(arguments: Finish, _situation: Situation, by: str, _: Any) -> list[e.Event]:
    return [e.FinishDecided(ensemble=arguments.ensemble, reason=arguments.reason, by=by)]


_VALIDATORS: dict[Decision, Callable[[Any, Situation, str, Callable[[int], int]], list[e.Event]]] = {
    "assign_model": _assign,
    "propose_hyperparameters": _propose,
    "predict_log": _predict,
    "revise": _revise,
    "finish": _finish,
}
