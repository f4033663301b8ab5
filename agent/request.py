"""What a person changes in the middle of things: the request, and the proposals that wait for their training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from automl_gpt.agent.asking import seed_of
from automl_gpt.agent.driver import CONTROLLERS
from automl_gpt.agent.llm.plug import check_name
from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import check_limits
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.tune.search.assignment import eligible
from automl_gpt.tools.tune.space import legal

OPEN = ("proposed", "predicted")
"""Proposals that can still be taken back."""


def cards_of(live: LiveRun | None) -> tuple[ModelCard, ...]:
    """Return the Model Cards that an open run can still try; none where there is no such run."""
    return live.state.started.model_cards if live is not None and live.state.finished is None else ()


def check_request(wanted: e.Request, candidates: Sequence[ModelCard]) -> None:
    """Raise UserError where a request names a controller or a model that there is not, or limits nobody can keep."""
    if wanted.controller not in CONTROLLERS:
        check_name(wanted.controller)
    names = {card.name for card in candidates} - {TRIVIAL}
    for name in wanted.models:
        if name not in names:
            raise UserError(f"there is no model {name!r}; there are: {', '.join(sorted(names))}")
    check_limits(wanted, candidates)


def change_metric(live: LiveRun | None, name: str) -> None:
    """Judge by another metric from now on; UserError where it does not fit, or trials are scored by one already."""
    state = live.state if live else None
    if live is None or state is None or state.profile is None or state.finished is not None:
        _known_metric(name)
        return
    metric = metric_for(name, state.profile.task)
    if metric == state.metric:
        return
    if state.done():
        raise UserError("trials are scored already: start anew with /data to use another metric")
    live.record(e.DataProfiled(profile=state.profile, metric=metric.name))


def _known_metric(name: str) -> None:
    try:
        metric_for(name, "binary")
    except UserError:
        metric_for(name, "regression")


def obey(live: LiveRun) -> None:
    """Let the models and the proposals of a run follow its request as it is now."""
    state = live.state
    if not state.assigned:
        return
    if state.request.models:
        live.record(e.ModelsAssigned(models=eligible(state), reason="the person's wish", by="person"))
    for trial in open_trials(state):
        allowed = trial.model in (*state.assigned, TRIVIAL)
        if not allowed or not legal(state.model_cards[trial.model], trial.hyperparameters):
            live.record(e.TrialWithdrawn(trial=trial.number))


def open_trials(state: RunState | None) -> list[Trial]:
    """Return the proposals that are not trained yet."""
    return [t for t in state.ordered() if t.status in OPEN] if state else []


def undo(live: LiveRun | None) -> str:
    """Take back the proposals that are not trained yet; UserError where there are none, or the run is finished."""
    if live is not None and live.state.finished is not None:
        raise UserError(f"run {live.state.run} is finished: there is nothing to take back")
    waiting = open_trials(live.state if live else None)
    if live is None or not waiting:
        raise UserError("there is nothing to take back: no proposal waits for its training")
    live.record(*(e.TrialWithdrawn(trial=trial.number) for trial in waiting))
    return "took back " + ", ".join(f"trial {t.number} ({t.model})" for t in waiting)


def edit(live: LiveRun, number: int, hyperparameters: Hyperparameters) -> Iterator[e.Event]:
    """Replace a proposal by one with other hyperparameters, which the person chose; its log is not predicted yet.

    `hyperparameters` are those that change. UserError where there is no such proposal, or they are not legal.
    """
    state = live.state
    trial = state.trials.get(number)
    if trial is None or trial.status not in OPEN:
        there = ", ".join(str(t.number) for t in open_trials(state)) or "none"
        raise UserError(f"trial {number} can't be edited; proposals that wait for their training: {there}")
    card = state.model_cards[trial.model]
    try:
        full = card.complete(_fitting(card, {**trial.hyperparameters, **hyperparameters}, hyperparameters))
    except ToolError as error:
        raise UserError(str(error)) from error
    new = max(state.trials) + 1
    proposed = e.TrialProposed(
        trial=new, model=trial.model, hyperparameters=full, reason=f"trial {number}, edited by the person",
        by="person", seed=seed_of(state, new),
    )  # fmt: skip
    yield from live.record(e.TrialWithdrawn(trial=number), proposed)


def _fitting(card: ModelCard, values: Hyperparameters, named: Hyperparameters) -> dict[str, Any]:
    """Leave out what is not active any more, unless the person named it: the card then says what is wrong."""
    return {name: value for name, value in values.items() if name in named or card.active(name, values)}
