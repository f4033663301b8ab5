"""Data sets on which shipped experience is made: scikit-learn's bundled ones, and tables of generated families.

Every table is made from its recipe and seed alone, so that the pack can be made again. Half of the generated ones are
tables as people have them: numbers on different scales, categories, gaps, columns that tell nothing, and a target that
is partly smooth, partly stepwise, partly noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DEAR = (
    "clusters_many",
    "table_15",
    "table_7",
    "digits",
    "clusters_six",
    "table_20",
    "clusters_ten",
    "table_16",
    "table_9",
)
"""Data sets that cost most, made last."""


@dataclass(frozen=True)
class Recipe:
    """One data set: a name, what its card says, how the table is made; the target is the column `target`.

    `folds` is the number of folds that a trial is judged by.
    """

    name: str
    about: str
    make: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    folds: int = 2

    def table(self) -> Any:
        """Return the table."""
        seed = int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16)
        return self.make(seed=seed, **self.options)


def _frame(x: Any, y: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).round(4).assign(target=y)


def bundled(seed: int, name: str) -> Any:
    """Return one of scikit-learn's bundled data sets; nothing of them is drawn, so `seed` has no part in it."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return _frame(np.asarray(bunch.data), bunch.target)


def classes(seed: int, rows: int, columns: int, gaps: float = 0.0, **more: Any) -> Any:
    """Return scikit-learn's make_classification: clusters at the corners of a hypercube, with noise."""
    from sklearn.datasets import make_classification

    x, y = make_classification(n_samples=rows, n_features=columns, random_state=seed % 2**31, **more)
    return _frame(_with_gaps(x, gaps, seed), y)


def shapes(seed: int, rows: int, kind: str, **more: Any) -> Any:
    """Return one of scikit-learn's other makers of points with classes or values, by the name of its function."""
    from sklearn import datasets

    drawn = getattr(datasets, kind)(n_samples=rows, random_state=seed % 2**31, **more)
    return _frame(drawn[0], drawn[1].astype(int) if set(np.unique(drawn[1])) <= set(range(-1, 50)) else drawn[1])


def mixed(
    seed: int,
    rows: int,
    numbers: int,
    categories: int,
    task: str,
    noise: float = 0.3,
    smooth: float = 0.5,
    gaps: float = 0.0,
    minority: float = 0.5,
    empty: int = 2,
) -> Any:
    """Return a table as people have them; `task` is binary, values, or the number of classes.

    `smooth` is the share of the signal that is linear, the rest are steps and products; `empty` columns tell nothing.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(rows, numbers)) @ _mixing(rng, numbers)
    codes = [rng.choice(n, rows, p=rng.dirichlet(np.full(n, 1.5))) for n in rng.integers(2, 12, categories)]
    effects = np.column_stack([rng.normal(size=c.max() + 1)[c] for c in codes]) if codes else np.zeros((rows, 0))
    causes = np.column_stack([latent, effects])
    told = [_signal(rng, causes, smooth) for _ in range(max(1, int(task)) if task.isdigit() else 1)]
    table = pd.DataFrame({f"n{i}": _scaled(rng, latent[:, i]) for i in range(numbers)}).round(4)
    for i in range(empty):
        table[f"e{i}"] = rng.normal(size=rows).round(4)
    for i, code in enumerate(codes):
        table[f"c{i}"] = [f"level_{c}" for c in code]
    for name in table.columns:
        table.loc[rng.random(rows) < gaps * rng.random() * 2, name] = np.nan
    return table.assign(target=_target(rng, told, task, noise, minority))


def _mixing(rng: np.random.Generator, numbers: int) -> Any:
    return np.eye(numbers) + 0.3 * rng.normal(size=(numbers, numbers)) / np.sqrt(max(numbers, 1))


def _scaled(rng: np.random.Generator, column: Any) -> Any:
    kind = rng.integers(4)
    if kind == 0:
        return np.exp(column) * 10 ** rng.integers(0, 4)
    if kind == 1:
        return np.round(column * 3 + 10)
    return column * 10.0 ** rng.integers(-2, 4) + rng.normal()


def _signal(rng: np.random.Generator, causes: Any, smooth: float) -> Any:
    weights = rng.normal(size=causes.shape[1]) * (rng.random(causes.shape[1]) < 0.7)
    straight = causes @ weights
    steps = np.zeros(len(causes))
    for _ in range(12):
        a, b = rng.integers(causes.shape[1], size=2)
        steps += rng.normal() * ((causes[:, a] > rng.normal() * 0.7) & (causes[:, b] > rng.normal() * 0.7))
    steps += 0.4 * causes[:, rng.integers(causes.shape[1])] * causes[:, rng.integers(causes.shape[1])]
    return smooth * _unit(straight) + (1 - smooth) * _unit(steps)


def _unit(values: Any) -> Any:
    return (values - values.mean()) / (values.std() or 1.0)


def _target(rng: np.random.Generator, told: list[Any], task: str, noise: float, minority: float) -> Any:
    noisy = [_unit(t) + noise * rng.normal(size=len(t)) for t in told]
    if task == "values":
        return np.round(100 + 25 * noisy[0] + (8 * np.exp(noisy[0]) if rng.random() < 0.5 else 0), 3)
    if task == "binary":
        return np.where(noisy[0] > np.quantile(noisy[0], 1 - minority), "yes", "no")
    return np.array([f"class_{i}" for i in np.argmax(noisy, axis=0)])


def _with_gaps(x: Any, share: float, seed: int) -> Any:
    if share:
        x = x.copy()
        x[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    return x


def _generated() -> list[Recipe]:
    def many(rows: int, columns: int, told: int, **more: Any) -> dict[str, Any]:
        return {"rows": rows, "columns": columns, "n_informative": told, **more}

    two, more, values = "Generated. Two classes", "Generated. Several classes", "Generated. Values"
    clusters = [
        Recipe("clusters_easy", f"{two} in clusters, few columns of many tell.", classes, many(600, 20, 5)),
        Recipe("clusters_noisy", f"{two} in clusters, a fifth of the labels wrong.", classes,
               many(900, 15, 8, flip_y=0.2)),
        Recipe("clusters_rare", f"{two}, one of them rare.", classes, many(1500, 12, 6, weights=[0.94])),
        Recipe("clusters_wide", f"{two}, more columns than usual.", classes, many(400, 120, 12)),
        Recipe("clusters_many", f"{two} in many clusters.", classes,
               many(3000, 16, 10, n_clusters_per_class=6, class_sep=0.7), folds=1),
        Recipe("clusters_gaps", f"{two} in clusters, with gaps.", classes, many(800, 14, 7, gaps=0.15)),
        Recipe("clusters_three", f"{more}: three, in clusters.", classes, many(700, 12, 6, n_classes=3)),
        Recipe("clusters_six", f"{more}: six, in clusters.", classes,
               many(1800, 18, 9, n_classes=6, n_clusters_per_class=1, flip_y=0.05), folds=1),
        Recipe("clusters_ten", f"{more}: ten, in clusters.", classes,
               many(2500, 25, 12, n_classes=10, n_clusters_per_class=1), folds=1),
        Recipe("clusters_three_rare", f"{more}: three, of different size.", classes,
               many(900, 10, 5, n_classes=3, weights=[0.7, 0.22, 0.08])),
    ]  # fmt: skip
    figures = [
        Recipe("moons", f"{two}, two half moons.", shapes, {"rows": 500, "kind": "make_moons", "noise": 0.3}),
        Recipe("circles", f"{two}, a circle in another.", shapes,
               {"rows": 500, "kind": "make_circles", "noise": 0.2, "factor": 0.6}),
        Recipe("quantiles_two", f"{two}, shells of a ball.", shapes,
               {"rows": 800, "kind": "make_gaussian_quantiles", "n_features": 8, "n_classes": 2}),
        Recipe("quantiles_four", f"{more}: four shells of a ball.", shapes,
               {"rows": 1000, "kind": "make_gaussian_quantiles", "n_features": 5, "n_classes": 4}),
        Recipe("hastie", f"{two}, by the sum of squares.", shapes, {"rows": 1200, "kind": "make_hastie_10_2"}),
        Recipe("blobs", f"{more}: five overlapping clouds.", shapes,
               {"rows": 600, "kind": "make_blobs", "n_features": 6, "centers": 5, "cluster_std": 6.0}),
        Recipe("friedman1", f"{values}: products, squares and lines.", shapes,
               {"rows": 700, "kind": "make_friedman1", "noise": 1.0}),
        Recipe("friedman2", f"{values}: impedance of a circuit.", shapes,
               {"rows": 600, "kind": "make_friedman2", "noise": 100.0}),
        Recipe("friedman3", f"{values}: phase of a circuit.", shapes,
               {"rows": 600, "kind": "make_friedman3", "noise": 0.1}),
        Recipe("lines", f"{values}: a line in few of many columns.", shapes,
               {"rows": 400, "kind": "make_regression", "n_features": 30, "n_informative": 8, "noise": 30.0}),
        Recipe("lines_few", f"{values}: a line in four columns of ten.", shapes,
               {"rows": 500, "kind": "make_sparse_uncorrelated"}),
    ]  # fmt: skip
    return [*clusters, *figures, *_tables()]


def _tables() -> list[Recipe]:
    said = {"binary": "yes or no", "values": "a quantity", "3": "one of three", "5": "one of five", "8": "one of eight"}
    plan: list[tuple[str, int, int, int, dict[str, Any]]] = [
        ("binary", 250, 6, 4, {"noise": 0.8}), ("binary", 350, 12, 0, {"noise": 0.3, "smooth": 0.8}),
        ("binary", 700, 8, 0, {"noise": 0.8, "smooth": 0.8}), ("binary", 900, 5, 10, {"noise": 0.6, "gaps": 0.08}),
        ("binary", 1200, 0, 14, {"noise": 0.3, "smooth": 0.4, "empty": 0}),
        ("binary", 1600, 30, 3, {"noise": 0.4, "minority": 0.2}),
        ("binary", 4000, 8, 6, {"noise": 0.7, "smooth": 0.5, "minority": 0.25}),
        ("binary", 2500, 6, 1, {"noise": 0.3, "smooth": 0.3, "minority": 0.05}),
        ("binary", 6000, 18, 0, {"noise": 0.2, "smooth": 0.3}),
        ("values", 300, 7, 5, {"noise": 0.3}), ("values", 450, 10, 0, {"noise": 0.6, "smooth": 0.8}),
        ("values", 1000, 8, 2, {"noise": 0.2, "smooth": 0.4}), ("values", 1500, 14, 6, {"noise": 0.5, "gaps": 0.06}),
        ("values", 2200, 4, 0, {"noise": 0.9}), ("values", 4000, 9, 1, {"noise": 0.15, "smooth": 0.3}),
        ("values", 6000, 20, 4, {"noise": 0.4, "smooth": 0.5}),
        ("3", 300, 8, 2, {"noise": 0.5}), ("3", 1500, 6, 8, {"noise": 0.4, "smooth": 0.4}),
        ("5", 900, 12, 0, {"noise": 0.3, "smooth": 0.7}), ("8", 3000, 16, 2, {"noise": 0.3, "smooth": 0.5}),
    ]  # fmt: skip
    return [
        Recipe(
            f"table_{number}",
            f"Generated. A table of {rows} rows with {numbers} numbers and {categories} categories; says {said[task]}.",
            mixed,
            {"rows": rows, "numbers": numbers, "categories": categories, "task": task, **more},
            folds=2 if rows <= 2000 else 1,
        )
        for number, (task, rows, numbers, categories, more) in enumerate(plan, start=1)
    ]


def recipes() -> list[Recipe]:
    """Return all data sets, the dear ones last, else in an order that mixes the families."""
    about = {
        "breast_cancer": "Breast cancer, malignant or benign, by measures of cell nuclei in a picture.",
        "digits": "Handwritten digits, pictures of 8 by 8 pixels.",
        "iris": "Three kinds of iris by the length and width of their petals and sepals.",
        "wine": "Three cultivars of wine by a chemical analysis.",
        "diabetes": "Progress of diabetes within a year, by age, sex, body mass, blood pressure and serum.",
    }
    known = [Recipe(name, text, bundled, {"name": name}) for name, text in about.items()]
    made = [*known, *_generated()]
    last = {name: place for place, name in enumerate(DEAR)}
    return sorted(made, key=lambda r: (last.get(r.name, -1), hashlib.sha256(r.name.encode()).hexdigest()))
