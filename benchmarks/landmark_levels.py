"""What each kind of model reaches by its default, told from a table's landmarks: the weights of tools/tune, and errors.

    python -m benchmarks.landmark_levels [--json]

On the data sets of the shipped experience a ridge regression is fitted for each kind of model, from the landmarks of a
small tree, of a linear model and of the nearest neighbours to the share of the way from the trivial score to a perfect
one that the default reached. Errors leave each data set out in turn; beside them stand those of a fit to the tree.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.library import model_cards
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.pack import shipped
from automl_gpt.tools.tune.forecasts.levels import WEIGHTS, landmarks
from benchmarks.product import revision

PULLED, STRENGTH = 1.0, 0.3
"""Which sum of the landmarks' weights the ridge draws to, and how strongly."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "boosting": ("lightgbm", "xgboost"),
    "forests": ("random_forest", "extra_trees"),
    "linear": ("linear",),
    "mlp": ("mlp",),
    "k_nearest_neighbours": ("k_nearest_neighbours",),
}


@dataclass(frozen=True)
class Seen:
    """One default on one data set: the landmarks, and the share that it reached."""

    data: str
    marks: NDArray[np.float64]
    share: float


def seen(models: Sequence[str]) -> list[Seen]:
    """Return what the defaults of some models reached on the data sets of the shipped experience."""
    found: list[Seen] = []
    for one in shipped().sets:
        metric = METRICS[one.metric]
        marks = landmarks(metric, (one.meta.landmark, one.meta.linear, one.meta.neighbour))
        if marks is None or one.baseline is None:
            continue
        for trial in shipped().trials[one.fingerprint, one.metric]:
            if trial.model in models and trial.hyperparameters == model_cards()[trial.model].default():
                share = (trial.value - one.baseline) / (metric.best - one.baseline)
                found.append(Seen(one.fingerprint, np.array(marks), share))
    return found


def fitted(rows: Sequence[Seen], marks: int = 3) -> NDArray[np.float64]:
    """Return the weights of the first landmarks, and a constant."""
    x, y = _columns(rows, marks), np.array([r.share for r in rows])
    pulled = np.append(np.full(marks, PULLED / marks), 0.0)
    return np.linalg.solve(x.T @ x + STRENGTH * np.eye(marks + 1), x.T @ y + STRENGTH * pulled)


def _columns(rows: Sequence[Seen], marks: int) -> NDArray[np.float64]:
    return np.array([[*r.marks[:marks], 1.0] for r in rows])


def errors(rows: Sequence[Seen], marks: int = 3) -> NDArray[np.float64]:
    """Return absolute errors, each data set left out in turn."""
    found: list[float] = []
    for data in dict.fromkeys(r.data for r in rows):
        weights, left_out = fitted([r for r in rows if r.data != data], marks), [r for r in rows if r.data == data]
        found += np.abs(_columns(left_out, marks) @ weights - [r.share for r in left_out]).tolist()
    return np.array(found)


def main() -> None:
    """Fit, leave out, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    told = parser.parse_args()
    table = Table("kind", "defaults", "weights", "in use", "error", "80% within", "error of the tree alone", box=None)
    found: dict[str, Any] = {}
    for kind, models in KINDS.items():
        rows = seen(models)
        weights, error = fitted(rows), errors(rows)
        single = float(errors(rows, 1).mean())
        within = float(np.quantile(error, 0.8))
        found[kind] = {"weights": weights.round(2).tolist(), "mae": float(error.mean()), "mae_tree_alone": single}
        used = " ".join(f"{w:.2f}" for w in WEIGHTS[models[0]])
        shown = " ".join(f"{w:.2f}" for w in weights)
        table.add_row(kind, str(len(rows)), shown, used, f"{error.mean():.3f}", f"{within:.3f}", f"{single:.3f}")
    if told.json:
        print(json.dumps({"revision": revision(), "kinds": found}))
    else:
        Console(highlight=False, width=120).print(table)


if __name__ == "__main__":
    main()
