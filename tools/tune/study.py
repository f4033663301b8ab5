"""One Optuna study per Model Card: rebuilt from the run's trials, then kept up to date, asked for configurations.

Trials are added in the order of their numbers when first seen, whatever their state, so that a study that grew during a
run and one rebuilt at a resume are the same. Optuna ranks scores only, so an absurd one does no harm.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_gpt.cards.schema import CategoricalRange, Hyperparameters, Limits, ModelCard, Scalar
from automl_gpt.tools.journal.limits import delivery_limits
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.allowed import deliverable
from automl_gpt.tools.tune.scale import FINITE, baseline_value, normalised
from automl_gpt.tools.tune.space import legal

WARM_UNTIL = 12
"""Experience takes part until a model has this many scored trials of its own in the run."""
MOST_EXPERIENCE = 1000
FAILED = -1e308
"""What a failed trial counts for: less than any score."""


@dataclass
class ModelStudy:
    """A study with what was told to it: by trial number the study's own number, and which are still open.

    `card` and `limits` are those that it was told under: with others, another study begins.
    """

    study: Any
    warm: tuple[float, float] | None
    card: ModelCard
    limits: Limits
    told: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)


def study_of(state: RunState, card: ModelCard, cache: dict[str, Any]) -> ModelStudy:
    """Return the model's study, up to date with the state; kept in the cache under the run and the model."""
    key = f"study/{state.run}/{card.name}"
    trials = [t for t in state.ordered() if t.model == card.name]
    warm, limits = _warmth(state, trials), delivery_limits(state.data_card, state.request)
    kept = cache.get(key)
    known = isinstance(kept, ModelStudy) and (kept.warm, kept.card, kept.limits) == (warm, card, limits)
    if not isinstance(kept, ModelStudy) or not known or not kept.told.keys() <= {t.number for t in trials}:
        kept = ModelStudy(_new_study(), warm, card, limits)
        for past in _experience(state, card, warm):
            kept.study.add_trial(past)
        cache[key] = kept
    for trial in trials:
        _tell(kept, card, trial, state)
    return kept


def ask(kept: ModelStudy, card: ModelCard, seed: int) -> tuple[Hyperparameters, int]:
    """Draw a configuration from the study; it stays open in it under the number returned, until `forget`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept.study.sampler = _sampler(seed)
        trial = kept.study.ask()
    full: Hyperparameters = {}
    for name, space in card.search_space.items():
        if not card.active(name, full):
            continue
        if isinstance(space, CategoricalRange):
            full[name] = trial.suggest_categorical(name, space.choices)
        elif space.type == "int":
            full[name] = trial.suggest_int(name, space.low, space.high, log=space.log)
        else:
            full[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
    return full, trial.number


def hold(kept: ModelStudy, card: ModelCard, configuration: Mapping[str, Scalar]) -> int:
    """Add a configuration as one that is being tried, until `forget`; return its number in the study."""
    import optuna

    kept.study.add_trial(_frozen(card, configuration, optuna.trial.TrialState.RUNNING, None))
    return len(kept.study.get_trials(deepcopy=False)) - 1


def forget(kept: ModelStudy, numbers: Sequence[int]) -> None:
    """Close configurations that were only drawn or held, so that the study stays what the state tells."""
    import optuna

    for number in numbers:
        kept.study.tell(number, state=optuna.trial.TrialState.FAIL)


def _new_study() -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize")


def _sampler(seed: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=4, multivariate=True, group=True, constant_liar=True, seed=seed)


def _frozen(card: ModelCard, configuration: Mapping[str, Scalar], status: Any, value: float | None) -> Any:
    from optuna.trial import create_trial

    active = {n: _distribution(card, n) for n in card.search_space if n in configuration}
    return create_trial(state=status, params={n: configuration[n] for n in active}, distributions=active, value=value)


def _distribution(card: ModelCard, name: str) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = card.search_space[name]
    if isinstance(space, CategoricalRange):
        return CategoricalDistribution(space.choices)
    if space.type == "int":
        return IntDistribution(space.low, space.high, log=space.log)
    return FloatDistribution(space.low, space.high, log=space.log)


def _tell(kept: ModelStudy, card: ModelCard, trial: Trial, state: RunState) -> None:
    """Add a trial, or close it where it was open and has ended."""
    import optuna

    status = optuna.trial.TrialState
    ended, value = _outcome(trial, state)
    if trial.number not in kept.told:
        if not legal(card, trial.hyperparameters):
            return
        end = status.RUNNING if not ended else status.FAIL if value is None else status.COMPLETE
        kept.study.add_trial(_frozen(card, trial.hyperparameters, end, value))
        kept.told[trial.number] = len(kept.study.get_trials(deepcopy=False)) - 1
        if not ended:
            kept.open.add(trial.number)
    elif ended and trial.number in kept.open:
        kept.open.discard(trial.number)
        if value is None:
            kept.study.tell(kept.told[trial.number], state=status.FAIL)
        else:
            kept.study.tell(kept.told[trial.number], value)


def _outcome(trial: Trial, state: RunState) -> tuple[bool, float | None]:
    """Return whether the trial ended, and what it counts for; a skipped one counts what was predicted.

    The built-in forecast of it counts where there is one: a language model's figures are no observations. A
    trial whose model is too large or too slow to be delivered counts as failed, so that the search leaves its like
    alone.
    """
    sign = state.need_metric().sign
    if trial.status in ("proposed", "predicted", "running"):
        return False, None
    if trial.status == "withdrawn":
        return True, None
    said = trial.shadow or trial.prediction
    value = said.value if trial.status == "skipped" and said else trial.value
    if value is None or not math.isfinite(value) or not deliverable(state, trial):
        return True, FAILED
    return True, sign * min(max(value, -FINITE), FINITE)


def _warmth(state: RunState, trials: Sequence[Trial]) -> tuple[float, float] | None:
    """Return the run's baseline and best while experience takes part, else None."""
    scores = [t.value for t in state.done() if t.value is not None and abs(t.value) < FINITE]
    base, own = baseline_value(state), sum(t.value is not None for t in trials)
    if not state.experience or base is None or not scores or own >= WARM_UNTIL:
        return None
    best = max(scores) if state.need_metric().sign > 0 else min(scores)
    return (base, best) if math.isfinite(best - base) and best != base else None


def _experience(state: RunState, card: ModelCard, warm: tuple[float, float] | None) -> list[Any]:
    """Return retrieved trials of the model, their scores mapped from their run's scale to this one's, less distance."""
    import optuna

    if warm is None:
        return []
    found: list[Any] = []
    past = [p for p in state.experience or () if p.model == card.name]
    for trial in sorted(past, key=lambda p: p.distance)[:MOST_EXPERIENCE]:
        share = normalised(trial.value, trial.baseline, trial.best)
        if share is None or not legal(card, trial.hyperparameters):
            continue
        value = warm[0] + (share - 0.2 * trial.distance) * (warm[1] - warm[0])
        complete = optuna.trial.TrialState.COMPLETE
        found.append(_frozen(card, trial.hyperparameters, complete, state.need_metric().sign * value))
    return found
