"""How learning curves of tables usually go, when boosting usually ends: the laws of tools/tune beside what is known.

    python -m benchmarks.usual_curves [--json]

From the logs of the shipped experience, for each model that logs three steps and more: the share of the way from the
trivial score to the curve's best that was made at each checkpoint of a predicted log, mean and spread; and for boosting
the product of rounds and learning rate at its end, the median and the middle half. A predicted log begins with these
laws, and leaves them as trials of the run tell their own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.pack import shipped
from automl_gpt.tools.tune.cost import LEARNT
from automl_gpt.tools.tune.forecasts.shape import CHECKPOINTS, TABLES
from benchmarks.product import revision

FEWEST_ROWS = 3
BOOSTING = ("lightgbm", "xgboost")
Vector = NDArray[np.float64]


def shares(curve: Sequence[tuple[int, float]], baseline: float, sign: int) -> Vector | None:
    """Return the shares of the way that a curve has made at the checkpoints; None where it never beat the baseline."""
    steps, values = np.array(curve, dtype=float).T
    best = np.maximum.accumulate(sign * (values - baseline))
    if best[-1] <= 1e-9:
        return None
    return np.clip(np.interp([c * steps[-1] for c in CHECKPOINTS], steps, best) / best[-1], -1.0, 1.0)


def seen() -> tuple[dict[str, Vector], dict[str, Vector]]:
    """Return by model the shares at the checkpoints, (curves, checkpoints), and of boosting rounds x learning rate."""
    shapes: dict[str, list[Vector]] = {}
    learnt: dict[str, list[float]] = {}
    for one in shipped().sets:
        for trial in shipped().trials[one.fingerprint, one.metric]:
            if len(trial.curve) < FEWEST_ROWS or one.baseline is None:
                continue
            found = shares(trial.curve, one.baseline, METRICS[one.metric].sign)
            if found is None:
                continue
            shapes.setdefault(trial.model, []).append(found)
            if trial.model in BOOSTING:
                rate = float(trial.hyperparameters["learning_rate"])  # type: ignore[arg-type]
                learnt.setdefault(trial.model, []).append(rate * trial.curve[-1][0])
    return {m: np.array(s) for m, s in shapes.items()}, {m: np.array(x) for m, x in learnt.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    told = parser.parse_args()
    shapes, learnt = seen()
    if told.json:
        curves: dict[str, Any] = {
            m: {"curves": len(s), "mean": s.mean(axis=0).tolist(), "spread": s.std(axis=0).tolist()}
            for m, s in shapes.items()
        }
        ends = {m: {"median": float(np.median(x)), "curves": len(x)} for m, x in learnt.items()}
        print(json.dumps({"revision": revision(), "shapes": curves, "rounds_times_rate": ends}))
        return
    console = Console(highlight=False, width=120)
    table = Table("share of the way, mean (spread)", "curves", *(f"at {c:.0%}" for c in CHECKPOINTS), box=None)
    for model, found in sorted(shapes.items()):
        cells = [f"{m:.2f} ({s:.2f})" for m, s in zip(found.mean(axis=0), found.std(axis=0), strict=True)]
        table.add_row(model, str(len(found)), *cells)
    table.add_row("in use", "", *(f"{m:.2f} ({s:.2f})" for m, s in zip(TABLES.mean, TABLES.spread, strict=True)))
    console.print(table)
    ends = Table("rounds x learning rate", "curves", "median", "middle half", "in use", box=None)
    for model, found in sorted(learnt.items()):
        low, high = np.quantile(found, (0.25, 0.75))
        ends.add_row(model, str(len(found)), f"{np.median(found):.1f}", f"{low:.1f} to {high:.1f}", f"{LEARNT:.0f}")
    console.print(ends)


if __name__ == "__main__":
    main()
