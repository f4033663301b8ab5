"""The built-in controller: decides from the typed state of the run, by rules and statistics. It is no language model.

It makes the same tool calls as any controller, uses the same inspecting tools, and passes the same validation.
"""

from __future__ import annotations

from collections.abc import Callable

from automl_gpt.agent.decisions import Decision, Situation, ToolCall
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.forecasts.forecast import Forecast, verdict
from automl_gpt.tools.tune.forecasts.paused import worth_resuming
from automl_gpt.tools.tune.search.assignment import order
from automl_gpt.tools.tune.search.suggest import Suggestions

PATIENCE = 60
"""Trials without progress after which a run ends early, once every assigned model has had a fair share."""
FAIR_SHARE = 8
PERFECT = 1e-12


class BuiltinController:
    """Decides without a language model; needs no key and no network, and takes a few milliseconds."""

    name = "builtin"
    hybrid = False

    def ready(self) -> bool:
        """Say that it always decides."""
        return True

    def judged(self, valid: bool) -> tuple[e.Event, ...]:
        """Have nothing to say to it; a decision of this controller that is refused is a defect."""
        del valid
        return ()

    def decide(self, situation: Situation) -> list[ToolCall]:
        """Answer with the decision's call, after the look-ups that it needs."""
        return _DECIDE[situation.decision](situation)


def _assign(situation: Situation) -> list[ToolCall]:
    if not situation.looked:
        return [ToolCall("similar_runs", {"limit": 20})]
    state = situation.state
    models, reason = order(state, situation.eligible, situation.seconds_left)
    return [ToolCall("assign_model", {"models": models, "reason": reason})]


def _propose(situation: Situation) -> list[ToolCall]:
    if not situation.looked:
        models = list(situation.state.assigned)
        return [ToolCall("suggest_hyperparameters", {"models": models, "count": situation.count})]
    found = situation.looked[-1][1]
    assert isinstance(found, Suggestions)
    wanted = [
        {"model": s.model, "hyperparameters": s.hyperparameters, "reason": s.reason[:600]} for s in found.suggestions
    ]
    return [ToolCall("propose_hyperparameters", {"configurations": wanted})] if wanted else []


def _predict(situation: Situation) -> list[ToolCall]:
    if len(situation.looked) < len(situation.trials):
        return [
            ToolCall("forecast_log", {"model": t.model, "hyperparameters": t.hyperparameters}) for t in situation.trials
        ]
    predictions = [
        _prediction(situation, trial, forecast)
        for trial, (_, forecast) in zip(situation.trials, situation.looked, strict=True)
        if isinstance(forecast, Forecast)
    ]
    return [ToolCall("predict_log", {"predictions": predictions})]


def _prediction(situation: Situation, trial: Trial, forecast: Forecast) -> dict[str, object]:
    train, why = True, forecast.reason
    if trial.proposal.by != "opening":
        train, reason = verdict(situation.state, forecast, situation.seconds_left)
        why = why if train else reason
    rows = [(row.step, row.metrics["valid"], row.intervals["valid"]) for row in forecast.log.rows]
    return {
        "trial": trial.number,
        "checkpoints": [{"step": s, "valid": v, "low": i.low, "high": i.high} for s, v, i in rows],
        "value": forecast.value,
        "low": forecast.low,
        "high": forecast.high,
        "seconds": forecast.seconds,
        "megabytes": forecast.megabytes,
        "train": train,
        "reason": why[:600],
    }


def _revise(situation: Situation) -> list[ToolCall]:
    state = situation.state
    finished = _why_finish(state)
    if finished:
        return [ToolCall("revise", {"action": "finish", "reason": finished})]
    if (trial := worth_resuming(state, situation.seconds_left)) is not None:
        why = f"trial {trial.number} would not be ended early any more"
        return [ToolCall("revise", {"action": "resume_trial", "trial": trial.number, "reason": why})]
    last = state.done()[-1]
    return [ToolCall("revise", {"action": "continue", "reason": _lesson(state, last)})]


def _why_finish(state: RunState) -> str:
    """Say why nothing is left to gain; empty where there may be."""
    metric, best = state.need_metric(), state.best()
    real = [t for t in state.done() if t.model != TRIVIAL]
    if (
        best is not None
        and best.value is not None
        and abs(best.value - metric.best) <= PERFECT
        and len(real) >= FAIR_SHARE
    ):
        return f"trial {best.number} reached {metric.name} {metric.best:g}, the best there is"
    since = 0 if best is None else sum(t.number > best.number for t in real)
    if state.request.budget.trials is None and since >= max(PATIENCE, FAIR_SHARE * len(state.assigned)):
        return f"no progress in the last {since} trials"
    return ""


def _lesson(state: RunState, last: Trial) -> str:
    best = state.best()
    if best is not None and best.number == last.number:
        what = f"trial {last.number} is the best so far"
    else:
        what = f"trial {last.number} did not beat trial {best.number}" if best else f"trial {last.number} ended"
    if last.gap is None:
        return what
    place = "within" if last.gap.covered else "outside"
    return f"{what}; its score lay {place} the predicted interval"


def _finish(_situation: Situation) -> list[ToolCall]:
    return [ToolCall("finish", {"ensemble": True, "reason": "an ensemble is taken where it is better on validation"})]


_DECIDE: dict[Decision, Callable[[Situation], list[ToolCall]]] = {
    "assign_model": _assign,
    "propose_hyperparameters": _propose,
    "predict_log": _predict,
    "revise": _revise,
    "finish": _finish,
}
