"""What a trial will cost: seconds, megabytes and steps, from its Model Card, corrected by what this run measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.process.machine import cores, device
from automl_gpt.tools.tune.allowed import whole_cards
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.gaussian_process import at_lengths
from automl_gpt.tools.tune.space import Vector, decode, encode, matrix, squared_distances
from automl_gpt.tools.tune.surrogate import Observations, smooth

STEP_NAMES = (
    "rounds", "n_rounds", "num_boost_round", "n_estimators", "trees", "n_trees", "iterations", "max_iterations",
    "max_iter", "epochs", "max_epochs", "steps",
)  # fmt: skip
OVERHEAD = 0.15
"""Seconds for a process to start and to write what it made."""
ALONE_SHARE = 0.3
"""A network whose default takes more of the time than this gets all cores, and trains alone."""
ALL_CORES = 0.8
"""So many cores, to this power, are how much faster a network trains with all of them."""
ACCELERATORS = {"cuda": 30.0, "mps": 5.0}
"""How much faster than with one thread a network trains on an accelerator, until trials of the run show it."""
MOST = 60
"""How many earlier trials a correction looks at."""
_SMOOTH = 0.7
"""Length of the seconds' process for one hyperparameter on the unit interval; times the root of their number."""
LEARNT = 20.0
"""Rounds times learning rate after which boosting that stops by itself has usually ended, until trials tell: on open
data; on the smaller ones of the shipped experience earlier (`python -m benchmarks.usual_curves`)."""
_FASTER = 0.7
"""To this power a fit is shorter with what the card says makes its steps larger: a round costs, and so does a start."""


def card_seconds(state: RunState, card: ModelCard) -> float:
    """Return the seconds of a trial of all folds as the Model Card tells them."""
    profile, costs = state.need_profile(), card.resources
    rows, columns, fits = _sizes(state)
    classes = max(len(profile.class_counts), 2) / 2
    one = costs.seconds * (rows / 1e4) ** costs.rows_exponent * (columns / 20) ** costs.columns_exponent
    return OVERHEAD + fits * one * classes**costs.classes_exponent


def planned_seconds(state: RunState, card: ModelCard, hyperparameters: Hyperparameters) -> float:
    """Return the card's seconds for a configuration; a network has the accelerator, or all cores if it trains alone.

    Where larger steps end a fit earlier, a configuration with smaller ones than the default's takes longer.
    """
    seconds = thread_seconds(state, card, hyperparameters)
    if card.resources.slower_with is None:
        shorter = step_size(card, hyperparameters) / step_size(card, card.default())
        return OVERHEAD + (seconds - OVERHEAD) / shorter**_FASTER
    faster = ACCELERATORS.get(device(), cores() ** ALL_CORES if trains_alone(state, card) else 1.0)
    return OVERHEAD + (seconds - OVERHEAD) / faster


def step_size(card: ModelCard, hyperparameters: Hyperparameters) -> float:
    """Return the hyperparameter in inverse proportion to which a fit needs steps; 1 where the card names none."""
    name = card.resources.faster_with
    return float(hyperparameters[name]) if name is not None and name in hyperparameters else 1.0


def trains_alone(state: RunState, card: ModelCard) -> bool:
    """Say whether a model's default would fill so much of the run's time with one thread that it gets all cores."""
    limit = state.request.budget.seconds
    return limit is not None and thread_seconds(state, card, card.default()) > ALONE_SHARE * limit


def thread_seconds(state: RunState, card: ModelCard, hyperparameters: Hyperparameters) -> float:
    """Return the card's seconds for a configuration with one thread.

    They are in proportion to the hyperparameter that the card names for it.
    """
    name = card.resources.slower_with
    if name is None or name not in hyperparameters or name not in card.search_space:
        return card_seconds(state, card)
    share = float(hyperparameters[name]) / float(card.search_space[name].default)
    return OVERHEAD + (card_seconds(state, card) - OVERHEAD) * share


def expected_seconds(state: RunState, card: ModelCard, hyperparameters: Hyperparameters) -> float:
    """Return the expected seconds of a trial: the card's, times what trials of this run took more or less."""
    base = planned_seconds(state, card, hyperparameters)
    ended = [t for t in _measured(state) if t.whole]

    def ratio(trial: Trial) -> float:
        took = trial.end.seconds if trial.end else 0.0
        planned = planned_seconds(state, state.model_cards[trial.model], trial.hyperparameters)
        return math.log(max(took, 1e-3) / planned)

    correction = _corrected(state, card, hyperparameters, ended, ratio)
    return base * math.exp(min(max(correction, -6.0), 6.0))


def log_seconds(state: RunState, card: ModelCard) -> Callable[[Vector], Vector]:
    """Return a function of coordinates, shape (configurations, hyperparameters): the logarithm of expected seconds.

    It is made once and asked for many configurations: the plan, corrected by a Gaussian process of this model's trials.
    """
    space, ended = Space(card), [t for t in _measured(state) if t.model == card.name and t.whole]

    def planned(configurations: Sequence[Hyperparameters]) -> Vector:
        return np.log([planned_seconds(state, card, c) for c in configurations])

    if not ended:
        return lambda at: planned([decode(card, x) for x in at])
    took = np.log([max(t.end.seconds if t.end else 0.0, 1e-3) for t in ended])
    configurations = [t.hyperparameters for t in ended]
    beyond = took - planned(configurations)
    level, width = float(np.median(beyond)), max(len(space.free), 1)
    lengths = np.full(width, _SMOOTH * math.sqrt(width))
    seen = space.features(matrix(card, configurations))
    process = at_lengths(seen, beyond - level, np.zeros(len(ended)), lengths, 0.1)
    return lambda at: planned([decode(card, x) for x in at]) + level + process.mean(space.features(at))


def expected_megabytes(state: RunState, card: ModelCard) -> float:
    """Return the expected peak memory of a trial's process: cells of the table, plus what processes took beyond."""
    rows, columns, _ = _sizes(state)
    cells = rows * columns / 1e6
    beyond = [
        (t.model, t.end.megabytes - cells * state.model_cards[t.model].resources.bytes_per_cell)
        for t in _measured(state)
        if t.end and t.end.megabytes > 0
    ]
    # Tables take alike whatever the model; networks do not.
    own = [b for m, b in beyond if m == card.name or card.modality == "tabular"]
    own = [b for m, b in beyond if m == card.name] or own
    extra = float(np.median(own)) if own else card.resources.megabytes
    return max(cells * card.resources.bytes_per_cell + extra, 1.0)


def expected_steps(state: RunState, card: ModelCard, hyperparameters: Hyperparameters, hint: int | None) -> int:
    """Return the last step that the log is expected to reach: as trials of the model did, else as they are told to.

    Boosting needs rounds in inverse proportion to its learning rate (Friedman 2001).
    """
    told = hint or _passes(state, card, hyperparameters)
    told = told or next((int(v) for n, v in hyperparameters.items() if n in STEP_NAMES and int(v) > 0), None)
    ended = [t for t in _measured(state) if t.model == card.name and t.rows and t.whole]
    if not ended:
        return told or (100 if card.resources.faster_with is None else round(LEARNT / step_size(card, hyperparameters)))

    def reached(trial: Trial) -> float:
        return math.log(max(1, *(r.step for r in trial.rows)) * step_size(card, trial.hyperparameters))

    middle = float(np.median([reached(t) for t in ended]))
    guess = middle + _corrected(state, card, hyperparameters, ended, lambda t: reached(t) - middle)
    guess -= math.log(step_size(card, hyperparameters))
    steps = max(1, round(math.exp(min(max(guess, 0.0), 16.0))))
    return min(steps, told) if told else steps


def _passes(state: RunState, card: ModelCard, hyperparameters: Hyperparameters) -> int | None:
    """Return the steps of a network that passes over the rows in batches; None for other models."""
    if card.resources.slower_with != "epochs" or not {"epochs", "batch_size"} <= hyperparameters.keys():
        return None
    return int(hyperparameters["epochs"]) * math.ceil(_sizes(state)[0] / int(hyperparameters["batch_size"]))


def seconds_left(state: RunState) -> float | None:
    """Return what is left of the run's time as its events tell it; None without a limit."""
    limit = state.request.budget.seconds
    return None if limit is None else max(0.0, limit - state.spent)


def _measured(state: RunState) -> list[Trial]:
    cards = state.model_cards
    return [t for t in state.done() if t.model != TRIVIAL and t.model in cards][-MOST:]


def _sizes(state: RunState) -> tuple[float, int, int]:
    """Return rows of one fit, columns, and fits of a trial."""
    profile = state.need_profile()
    folds = max(profile.folds, 1)
    rows = profile.rows_train * (1 - 1 / folds) if folds > 1 else profile.rows_train - profile.rows_valid
    return max(rows, 1.0), max(profile.features, 1), folds


def _corrected(
    state: RunState,
    card: ModelCard,
    hyperparameters: Hyperparameters,
    trials: Sequence[Trial],
    value: Callable[[Trial], float],
) -> float:
    """Predict a logarithm for one configuration from earlier trials of all models."""
    if not trials:
        return 0.0
    known = whole_cards(state)
    card = known.get(card.name, card)
    n, width = len(trials), max(1, *(len(c.search_space) for c in (card, *(known[t.model] for t in trials))))
    features, names = np.full((n, width), math.nan), np.array([t.model for t in trials])
    apart = np.zeros((n, n))
    for name in dict.fromkeys(t.model for t in trials):
        mine = np.flatnonzero(names == name)
        points = matrix(known[name], [t.hyperparameters for t in trials if t.model == name])
        features[mine, : points.shape[1]] = points
        apart[np.ix_(mine, mine)] = squared_distances(known[name], points, points)
    at = np.full(width, math.nan)
    at[: len(card.search_space)] = encode(card, hyperparameters)
    y = np.array([value(t) for t in trials])
    seen = Observations(names[:, None] == names[None, :], apart, y)
    return smooth(seen, features, names == card.name, at)
