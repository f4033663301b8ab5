"""Early stopping: which share of all epochs is trained, and what is lost by it, ours beside three peers.

    python -m benchmarks.early_stopping [--data DIR] [--sets 6] [--skip 0] [--seeds 5] [--json]

The 40 configurations of each data set of our own logs (`curve_logs`) are run through one after the other in random
orders. Ours is the product's `StopRule`, asked after every epoch, with the curves that were finished so far (and, as
`automl-gpt-warm`, with those of the other sets too). Peers: the median rule (stopped when the best so far is below the
median, at the same epoch, of the bests so far of the finished ones; five finished ones and five epochs first), and ASHA
in its stopping form, eta 3 and 4 (a configuration goes on beyond a rung if it is among the best 1/eta of all that
reached it). Regret: the best accuracy of all configurations, less the best of those that were trained to the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.tune.forecasts.finished_curves import Past, thinned
from automl_gpt.tools.tune.forecasts.prefix import Curve
from automl_gpt.tools.tune.forecasts.stopping import RUNGS, StopRule
from benchmarks.curve_logs import EPOCHS, SETS, Curves, curve_logs

ORDERS = 5
FIRST_TRIALS, FIRST_EPOCHS = 5, 5
WARM = 20
"""Curves that each other set gives to the warm rule."""
PUBLISHED = {"median": (0.41, 0.004), "asha_3": (0.29, 0.007), "asha_4": (0.19, 0.009), "target": (0.25, 0.004)}
STEPS = list(range(1, EPOCHS + 1))
Values = NDArray[np.float64]
Stops = Callable[[int, int], bool]
"""Asked for a configuration and the epochs that it was trained: whether it ends here."""


class Ours:
    """The product's rule, remade before each trial as the loop does it."""

    def __init__(self, logs: Curves, others: Sequence[Past] = ()) -> None:
        self._logs, self._others = logs, tuple(others)
        self._past = [as_past(logs, i, "") for i in range(len(logs.values))]
        self.finished: list[int] = []
        self._cut: list[Past] = []
        self._rule: tuple[int, int, StopRule] | None = None

    def stops(self, trial: int, epochs: int) -> bool:
        """Ask the rule, which sees the rows so far."""
        stopped = self._made(trial).after_row(0, STEPS[:epochs], self._logs.values[trial, :epochs].tolist()) is not None
        if stopped:
            self._cut.append(as_past(self._logs, trial, "", epochs))
        return stopped

    def _made(self, trial: int) -> StopRule:
        key = trial, len(self.finished) + len(self._cut)
        if self._rule is None or self._rule[:2] != key:
            values = self._logs.values
            best = max(self.finished, key=lambda i: values[i].max(), default=None)
            rule = StopRule(
                direction="maximize",
                incumbent=() if best is None else (float(values[best].max()),),
                trial=best,
                horizon=EPOCHS,
                past=(*self._others, *(self._past[i] for i in self.finished)),
                cut=tuple(self._cut),
                rungs=RUNGS,
                planned=EPOCHS,
                point=self._past[trial].point,
            )
            self._rule = *key, rule
        return self._rule[2]


def as_past(logs: Curves, i: int, data: str, epochs: int = EPOCHS) -> Past:
    """Return the first epochs of a log as a rule carries it."""
    steps, values = np.array(STEPS[:epochs], float), logs.values[i, :epochs]
    past = thinned(Curve(steps, values, epochs, logs.points[i], data), logs.points[i].tolist())
    return past.model_copy(update={"end": float(EPOCHS)})


class Median:
    """Stops below the median of the finished ones (Golovin et al. 2017, as Optuna does it)."""

    def __init__(self, values: Values) -> None:
        self._best = np.maximum.accumulate(values, axis=1)
        self.finished: list[int] = []

    def stops(self, trial: int, epochs: int) -> bool:
        """Compare the bests so far."""
        if len(self.finished) < FIRST_TRIALS or epochs <= FIRST_EPOCHS:
            return False
        return bool(self._best[trial, epochs - 1] < np.median(self._best[self.finished, epochs - 1]))


class Halving:
    """ASHA, the form that stops (Li et al. 2020): at each rung only the best 1/eta so far go on."""

    def __init__(self, values: Values, eta: int) -> None:
        self._best, self._eta = np.maximum.accumulate(values, axis=1), eta
        rungs = [round(EPOCHS / eta**k) for k in range(1, 10)]
        self._reached: dict[int, list[float]] = {r: [] for r in rungs if r >= 2}
        self.finished: list[int] = []

    def stops(self, trial: int, epochs: int) -> bool:
        """Ask at the rungs."""
        if epochs not in self._reached:
            return False
        reached, value = self._reached[epochs], float(self._best[trial, epochs - 1])
        reached.append(value)
        return sorted(reached, reverse=True).index(value) >= max(1, len(reached) // self._eta)


class Never:
    """Trains everything to the end."""

    def __init__(self) -> None:
        self.finished: list[int] = []

    def stops(self, trial: int, epochs: int) -> bool:
        """Never."""
        return False


def passed_through(values: Values, order: Sequence[int], rule: Ours | Median | Halving | Never) -> tuple[float, float]:
    """Return the share of the epochs that were trained, and the regret."""
    trained = 0
    for trial in order:
        epochs = next((n for n in range(1, EPOCHS) if rule.stops(trial, n)), EPOCHS)
        trained += epochs
        if epochs == EPOCHS:
            rule.finished.append(trial)
    best = max((float(values[i].max()) for i in rule.finished), default=0.0)
    return trained / values.size, float(values.max()) - best


def measured(logs: Sequence[Curves], seeds: int) -> dict[str, dict[str, float]]:
    """Return `epochs` (share) and `regret` of every method, means over sets and orders."""
    found: dict[str, list[tuple[float, float]]] = {}
    for target in logs:
        warm = [as_past(o, i, o.name) for o in logs if o is not target for i in range(min(WARM, len(o.values)))]
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(target.values)).tolist()
            rules = {
                "automl-gpt": Ours(target),
                "automl-gpt-warm": Ours(target, warm),
                "median": Median(target.values),
                "asha_3": Halving(target.values, 3),
                "asha_4": Halving(target.values, 4),
                "none": Never(),
            }
            for name, rule in rules.items():
                found.setdefault(name, []).append(passed_through(target.values, order, rule))
    return {n: {"epochs": float(np.mean(v, 0)[0]), "regret": float(np.mean(v, 0)[1])} for n, v in found.items()}


def show(figures: dict[str, dict[str, float]]) -> Table:
    """Return the table, with what was published for other logs of this kind."""
    table = Table(title="Early stopping: share of the epochs, and regret of the best accuracy")
    for heading in ("method", "epochs", "ours / theirs", "regret", "published"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    ours = figures["automl-gpt"]
    for name, row in figures.items():
        told = PUBLISHED.get(name)
        published = f"{told[0]:.0%} at {told[1]:.3f}" if told else "target 25% at .004" if name == "automl-gpt" else ""
        table.add_row(
            name, f"{row['epochs']:.1%}", f"{ours['epochs'] / row['epochs']:.2f}", f"{row['regret']:.4f}", published
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="early stopping, beside its peers")
    parser.add_argument("--data", type=Path, help="a folder of data sets")
    parser.add_argument("--sets", type=int, default=SETS, help="how many data sets")
    parser.add_argument("--skip", type=int, default=0, help="how many data sets to pass over")
    parser.add_argument("--seeds", type=int, default=ORDERS, help="how many random orders of each set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    figures = measured(curve_logs(given.data, given.sets, given.skip), given.seeds)
    print(json.dumps({"methods": figures})) if given.json else Console().print(show(figures))


if __name__ == "__main__":
    main()
