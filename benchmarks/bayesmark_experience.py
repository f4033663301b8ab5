"""Experience for Bayesmark's models: what the product would remember of runs on data that were generated.

    python -m benchmarks.bayesmark_experience [--spaces FILE] [--kept FOLDER]

Each run is the product's own search without experience: the default, a few random configurations, then suggestions. Its
trials are kept in a folder, by data set, model and search space, and made where they are not there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.profile import prepare
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.past import PastSet, PastTrial
from benchmarks.bayesmark import Table, Task
from benchmarks.optimisers import Product, search
from benchmarks.parallel import each
from benchmarks.recalled import made_trials

KEPT = Path(__file__).with_name(".llambo_experience")
SETS = 12
"""Generated data sets of each kind of task."""
RANDOM, TRIALS = 8, 24
"""Random configurations, and trials in all, of each run."""
VERSION = 1
"""Another number where the generated data change."""


def generated(regression: bool) -> list[Table]:
    """Return generated tables of various families, sizes and scales of their columns."""
    family = _values if regression else _classes
    return [_scaled(*family(number), regression, number) for number in range(SETS)]


def _classes(number: int) -> tuple[Any, Any]:
    import sklearn.datasets as made

    rng, seed = np.random.default_rng([VERSION, 0, number]), 1000 + number
    n = round(np.exp(rng.uniform(np.log(120), np.log(450))))
    if number % 4 == 0:
        columns = int(rng.integers(6, 40))
        parts = {"n_informative": 5, "n_redundant": columns // 4, "class_sep": rng.uniform(0.5, 2), "flip_y": 0.03}
        return made.make_classification(n, columns, random_state=seed, **parts)
    if number % 4 == 1:
        columns, classes = int(rng.integers(12, 64)), int(rng.integers(3, 9))
        parts = {"n_informative": 8, "n_redundant": columns // 4, "n_clusters_per_class": 1, "class_sep": 1.5}
        return made.make_classification(n, columns, n_classes=classes, random_state=seed, **parts)
    if number % 4 == 2:
        spread, centres = rng.uniform(1, 5), int(rng.integers(3, 7))
        return made.make_blobs(n, int(rng.integers(3, 16)), centers=centres, cluster_std=spread, random_state=seed)
    columns, classes = int(rng.integers(3, 9)), int(rng.integers(2, 4))
    return made.make_gaussian_quantiles(n_samples=n, n_features=columns, n_classes=classes, random_state=seed)


def _values(number: int) -> tuple[Any, Any]:
    import sklearn.datasets as made

    rng, seed = np.random.default_rng([VERSION, 1, number]), 2000 + number
    n = round(np.exp(rng.uniform(np.log(120), np.log(450))))
    if number % 4 == 0:
        return made.make_friedman1(n, int(rng.integers(5, 20)), noise=rng.uniform(0.2, 2), random_state=seed)
    if number % 4 == 1:
        columns = int(rng.integers(4, 30))
        return made.make_regression(n, columns, n_informative=columns // 2, noise=rng.uniform(5, 60), random_state=seed)
    if number % 4 == 2:
        return made.make_friedman2(n, noise=rng.uniform(10, 150), random_state=seed)
    return made.make_sparse_uncorrelated(n, int(rng.integers(5, 20)), random_state=seed)


def _scaled(x: Any, y: Any, regression: bool, number: int) -> Table:
    """Give the columns the scales that real tables have: all alike, of many magnitudes, or whole numbers."""
    rng = np.random.default_rng([VERSION, 2, number])
    kind = number // 4 % 3
    if kind == 1:
        x = x * np.exp(rng.normal(0, 1.2, x.shape[1])) * np.exp(rng.normal(0, 1))
    elif kind == 2:
        x = np.round(4 * x / x.std())
    y = (y - y.mean()) / y.std() if regression else y.astype(int)
    return Table(f"made_{'values' if regression else 'classes'}_{number}", x, y, regression)


def profiled(table: Table) -> Profile:
    """Return the profile that the product makes of a table."""
    import pandas as pd

    frame = pd.DataFrame(table.x, columns=[f"x{i}" for i in range(table.x.shape[1])])
    with TemporaryDirectory() as name:
        folder = Path(name)
        frame.assign(y=table.y).to_csv(folder / "table.csv", index=False)
        task = "regression" if table.regression else "classification"
        card = DataCard(name=table.name, source="table.csv", target="y", task=task)
        return prepare(card, folder, folder / "prepared")


def trivial(table: Table) -> float:
    """Return what the trivial model scores, in the product's metric: the majority's share, or an error of 1."""
    return 1.0 if table.regression else float(np.bincount(table.y).max()) / len(table.y)


@dataclass(frozen=True)
class Remembered:
    """The trials of a model on a generated table."""

    table: Table
    model: str
    set: PastSet
    trials: tuple[PastTrial, ...]


def remembered(models: dict[str, Any], regression: bool, kept: Path, console: Console) -> list[Remembered]:
    """Return the experience with the models, by their search spaces; runs that are not kept yet are made now."""
    tasks = [Task(table, model, space) for table in generated(regression) for model, space in models.items()]
    return each(partial(_run, kept), tasks, "experience", console)


def _run(kept: Path, task: Task) -> Remembered:
    described = json.dumps([VERSION, RANDOM, TRIALS, task.name, dict(task.space)], sort_keys=True)
    file = kept / f"{task.table.name}-{task.model}-{hashlib.sha256(described.encode()).hexdigest()[:12]}.json"
    if file.is_file():
        stored = json.loads(file.read_text("utf-8"))
    else:
        stored = _search(task)
        kept.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(stored), "utf-8")
    profile = Profile.model_validate(stored["profile"])
    sign = -1.0 if task.table.regression else 1.0
    best = max((v for _, v in stored["trials"]), key=lambda v: sign * v)
    one = PastSet(
        profile.fingerprint, task.table.metric, profile.task, task.table.name, "", "", profile.meta,
        trivial(task.table), best,
    )  # fmt: skip
    return Remembered(task.table, task.model, one, tuple(made_trials(one, task.model, stored["trials"])))


def _search(task: Task) -> dict[str, Any]:
    from automl_gpt.tools.tune.space import random_point

    rng, profile = np.random.default_rng(0), profiled(task.table)
    starts = [task.card.default(), *(random_point(task.card, rng) for _ in range(RANDOM))]
    trials: list[tuple[dict[str, Any], float]] = []

    def score(configuration: dict[str, Any]) -> float:
        value = task.score(configuration, 0)
        trials.append((configuration, -value if task.table.regression else value))
        return value

    search(Product(task.card, profile, task.table.metric, 0), score, TRIALS, starts)
    finite = [(h, v) for h, v in trials if math.isfinite(v)]
    return {"profile": profile.model_dump(mode="json"), "trials": finite}


def main() -> None:
    """Make what is not kept yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", type=Path, required=True, help="search_spaces.json")
    parser.add_argument("--kept", type=Path, default=KEPT)
    parser.add_argument("--regression", action="store_true")
    options = parser.parse_args()
    spaces: dict[str, Any] = json.loads(options.spaces.read_text("utf-8"))
    searched = {m: s for m, s in spaces.items() if options.regression or m != "AdaBoost"}
    found = remembered(searched, options.regression, options.kept, Console(stderr=True))
    Console().print(f"{sum(len(r.trials) for r in found)} trials kept in {options.kept}")


if __name__ == "__main__":
    main()
