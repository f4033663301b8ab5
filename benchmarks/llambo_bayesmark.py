"""Searching scikit-learn models beside a published language model: ours, GPT-3.5's own trials, Optuna's TPE, chance.

    python -m benchmarks.llambo_bayesmark --data DIR [--seeds 5] [--sets NAME...] [--models NAME...] [--methods NAME...]

DIR holds `SET_train.csv.gz`, `search_spaces.json`, `init/MODEL.json`, `bounds.json`, `meta.json` and may hold
`gpt35_trials/SET/MODEL_SEED.csv` (or has them in `hpo/llambo_bayesmark`). All methods begin with the same five starts,
which count as trials 1 to 5. Regret at a trial: how far the best score so far lies from the best published trial to
the worst, by `bounds.json`; without bounds, by what the methods of this run reached. AdaBoost on classification is left
out: today's scikit-learn scores it otherwise. `automl-gpt` remembers runs on generated data (made by
benchmarks.bayesmark_experience in a few minutes where they are not kept), less those that share a row with the set;
`automl-gpt-alone` remembers nothing. `default+tpe` tries one hand-written default after the starts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Printed

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.events import SimilarTrial
from benchmarks import bayesmark_experience
from benchmarks.bayesmark import Task, read_table, remembering
from benchmarks.optimisers import Chance, Optimiser, Product, search, tpe
from benchmarks.parallel import each
from benchmarks.recalled import recalled

METHODS = ("automl-gpt", "automl-gpt-alone", "gpt35", "default+tpe", "tpe", "random")
TRIALS, REPORTED = 30, (6, 10, 20, 30)
HAND_WRITTEN: dict[str, Hyperparameters] = {
    "RandomForest": {
        "max_depth": 15, "max_features": 0.3, "min_impurity_decrease": 0.0, "min_samples_leaf": 0.01,
        "min_samples_split": 0.01, "min_weight_fraction_leaf": 0.01,
    },
    "DecisionTree": {
        "max_depth": 15, "max_features": 0.99, "min_impurity_decrease": 0.0, "min_samples_leaf": 0.01,
        "min_samples_split": 0.01, "min_weight_fraction_leaf": 0.01,
    },
    "SVM": {"C": 10.0, "gamma": 0.001, "tol": 0.001},
    "AdaBoost": {"n_estimators": 100, "learning_rate": 1.0},
    "MLP_SGD": {
        "hidden_layer_sizes": 100, "alpha": 0.0001, "batch_size": 32, "learning_rate_init": 0.01, "power_t": 0.5,
        "momentum": 0.9,
    },
}  # fmt: skip
"""What a practitioner would write down; models that are not here begin with scikit-learn's defaults."""


@dataclass
class Bench:
    """A folder of the layout, and what was remembered of it."""

    folder: Path
    experience: list[bayesmark_experience.Remembered] = field(default_factory=list[bayesmark_experience.Remembered])
    _profiles: dict[str, Profile] = field(default_factory=dict[str, Profile])

    def read(self, name: str) -> Any:
        """Return a JSON file; an empty object where it is not there."""
        file = self.folder / name
        return json.loads(file.read_text("utf-8")) if file.is_file() else {}

    def tasks(self, sets: Sequence[str] | None, models: Sequence[str] | None) -> list[Task]:
        """Return the tasks, without AdaBoost on classification."""
        regression, spaces = self.read("meta.json").get("regression", []), self.read("search_spaces.json")
        found: list[Task] = []
        for file in sorted(self.folder.glob("*_train.csv.gz")):
            name = file.name.removesuffix("_train.csv.gz")
            if sets and name not in sets:
                continue
            table = read_table(file, name in regression)
            kinds = [m for m in spaces if not models or m in models]
            found += [Task(table, m, spaces[m]) for m in kinds if table.regression or m != "AdaBoost"]
        return found

    def starts(self, task: Task, seed: int) -> list[Hyperparameters]:
        """Return the starts of a seed, completed and cut to the card's types."""
        return [task.card.complete(start) for start in self.read(f"init/{task.model}.json")[str(seed)]]

    def past(self, task: Task) -> list[SimilarTrial]:
        """Return what the product would remember: trials of the model on near data that share no row with the set."""
        mine, own = (r for r in self.experience if r.model == task.model), self.profile(task)
        others = {r.set: r.trials for r in mine if not r.table.rows & task.table.rows}
        return recalled(own.fingerprint, own.task, task.table.metric, own.meta, others)

    def published(self, task: Task, seed: int) -> list[float] | None:
        """Return the language model's scores, more is better; None where there is no file."""
        import pandas as pd

        file = self.folder / "gpt35_trials" / task.table.name / f"{task.model}_{seed}.csv"
        if not file.is_file():
            return None
        scores = pd.read_csv(file)["score"].to_numpy(float)[:TRIALS]
        return list(-np.sqrt(np.abs(scores)) if task.table.regression else scores)

    def optimiser(self, method: str, task: Task, seed: int) -> Optimiser:
        """Return a method's optimiser for a task."""
        card = task.card
        if method.startswith("automl-gpt"):
            past = self.past(task) if method == "automl-gpt" else []
            return Product(card, self.profile(task), task.table.metric, seed, past)
        if method == "random":
            return Chance(card, seed)
        default = HAND_WRITTEN.get(task.model, {}) if method == "default+tpe" else None
        return tpe(card, seed, None if default is None else card.complete(default))

    def profile(self, task: Task) -> Profile:
        """Return what the product knows of the task's data, computed once."""
        if task.table.name not in self._profiles:
            self._profiles[task.table.name] = bayesmark_experience.profiled(task.table)
        return self._profiles[task.table.name]


def curve(bench: Bench, method: str, task: Task, seed: int, kept: Path | None) -> NDArray[np.float64] | None:
    """Return the best score after each trial; None where the method has none."""
    if method == "gpt35":
        values = bench.published(task, seed)
    else:
        optimiser, starts = bench.optimiser(method, task, seed), bench.starts(task, seed)
        values = search(optimiser, remembering(task, seed, kept), TRIALS, starts)
    if values is None:
        return None
    best = np.fmax.accumulate(np.array(values, float))
    return np.append(best, np.full(TRIALS - len(best), best[-1]))


def regrets(curves: dict[str, NDArray[np.float64]], bounds: dict[str, float] | None, regression: bool) -> Any:
    """Return regrets by method: 0 at the best published trial, 1 at the worst; of regression by mean squared error."""
    curves = {m: -(values**2) if regression else values for m, values in curves.items()}
    if bounds is None:
        every = np.concatenate(list(curves.values()))
        best, worst = float(np.nanmax(every)), float(np.nanmin(every))
    else:
        sign = -1.0 if regression else 1.0
        best, worst = sign * bounds["best"], sign * bounds["worst"]
    return {m: (best - values) / abs(best - worst) if best != worst else 0 * values for m, values in curves.items()}


def measure(bench: Bench, tasks: Sequence[Task], options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """Run all methods on all tasks and seeds; return one record for each, with its regrets."""
    bounds = bench.read("bounds.json").get("bounds", {})
    work = [(task, seed) for task in tasks for seed in range(options.seeds)]
    found: list[dict[str, Any]] = []
    for task in tasks:
        bench.profile(task)  # here, so that not every process computes it anew
    curves = each(partial(_curves, bench, options.methods, options.kept), work, "searching", console)
    for (task, seed), reached in zip(work, curves, strict=True):
        regret = regrets(reached, bounds.get(task.name), task.table.regression)
        found += [{"task": task.name, "seed": seed, "method": m, "regret": r} for m, r in regret.items()]
    return found


def _curves(
    bench: Bench, methods: Sequence[str], kept: Path | None, work: tuple[Task, int]
) -> dict[str, NDArray[np.float64]]:
    found = {method: curve(bench, method, *work, kept) for method in methods}
    return {method: values for method, values in found.items() if values is not None}


def figures(found: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return by method the mean regret over tasks and seeds at each trial that is reported."""
    methods = dict.fromkeys(r["method"] for r in found)
    return {m: _at([r["regret"] for r in found if r["method"] == m]) for m in methods}


def _at(curves: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    mean = np.mean(curves, axis=0)
    return {str(t): float(mean[t - 1]) for t in REPORTED}


def show(found: Sequence[dict[str, Any]], to: Console) -> None:
    """Print mean regrets beside the peers', with the ratio of ours to theirs, and regrets by task."""
    every = figures(found)
    ours = every.get("automl-gpt")
    heads = [h for t in REPORTED for h in (f"regret {t}", "ours/its")]
    table = Printed("method", *heads, box=None)
    for method, row in every.items():
        cells: list[str] = []
        for t in map(str, REPORTED):
            cells += [f"{row[t]:.4f}", f"{ours[t] / row[t]:.2f}" if ours and row[t] > 0 else ""]
        table.add_row(method, *cells)
    to.print(table)
    single = Printed("regret at", *(f"{m} {t}" for t in (10, 30) for m in every), box=None)
    for name in dict.fromkeys(r["task"] for r in found):
        own = figures([r for r in found if r["task"] == name])
        single.add_row(name, *(f"{own[m][t]:.3f}" if m in own else "" for t in ("10", "30") for m in every))
    to.print(single)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the layout, or the one that holds hpo/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="*", help="only these data sets")
    parser.add_argument("--models", nargs="*", help="only these models")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--experience", type=Path, default=bayesmark_experience.KEPT, help="where experience is kept")
    parser.add_argument("--kept", type=Path, help="folder in which scores are kept, so that a second run is quick")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    options = parser.parse_args()
    inner, console = options.data / "hpo" / "llambo_bayesmark", Console(stderr=True)
    bench = Bench(inner if inner.is_dir() else options.data)
    tasks = bench.tasks(options.sets, options.models)
    if not tasks:
        parser.error(f"{options.data}: no SET_train.csv.gz with a model of search_spaces.json there")
    if "automl-gpt" in options.methods:
        for regression in {t.table.regression for t in tasks}:
            spaces = {t.model: t.space for t in tasks if t.table.regression == regression}
            bench.experience += bayesmark_experience.remembered(spaces, regression, options.experience, console)
    found = measure(bench, tasks, options, console)
    if options.json:
        print(json.dumps({"methods": figures(found)}, indent=1))
    else:
        show(found, Console(highlight=False, width=160))


if __name__ == "__main__":
    main()
