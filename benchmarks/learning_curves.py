"""Forecasts during training: the final validation accuracy after 10, 20 and 40% of the epochs, ours beside four peers.

    python -m benchmarks.learning_curves [--data DIR] [--sets 6] [--skip 0] [--seeds 1] [--json]

On our own logs (`curve_logs`), (a) with the 39 other curves of the data set finished, (b) with the curves of the other
data sets alone. Peers: the mean of the 3 nearest finished curves (root mean square over the epochs so far), a Gaussian
process on hyperparameters and the epochs so far (squared exponential, noise, by marginal likelihood), the power law
c - a t^-b by least squares, the last value. All are cut to [0, 1]. The Gaussian process sees at most 200 curves, and
leaves out five at a time to be quick; ours leaves out one at a time. `--seeds` takes that many disjoint groups of sets.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.tune.forecasts.continuation import Forest
from automl_gpt.tools.tune.forecasts.prefix import Curve
from benchmarks.curve_logs import EPOCHS, SETS, Curves, curve_logs

SHARES = (0.1, 0.2, 0.4)
NEIGHBOURS, TOGETHER, MOST = 3, 5, 200
TARGETS = {"a10": 0.036, "a20": 0.027, "a40": 0.018, "b10": 0.050, "b20": 0.036, "b40": 0.022}
PUBLISHED = {
    "knn": {"a10": 0.048, "a20": 0.036, "a40": 0.024},
    "gp": {"a10": 0.039, "a20": 0.031, "a40": 0.021, "b10": 0.065, "b20": 0.046, "b40": 0.027},
    "power_law": {"a10": 0.081, "a20": 0.063, "a40": 0.043},
    "last_value": {"a10": 0.100, "a20": 0.071, "a40": 0.044},
}
Vector = NDArray[np.float64]
Told = dict[str, tuple[Vector, Vector | None, Vector | None]]
"""By method: predictions, and the ends of 80% intervals where there are any."""


def tell(target: Curves, others: Sequence[Curves] | None, share: float) -> Told:
    """Predict every final accuracy of a set; `others` None: from its own other curves, else from theirs alone."""
    epoch = round(share * EPOCHS)
    told: Told = {
        "automl-gpt": _ours(target, others, share),
        "knn": (_nearest(target, others, epoch), None, None),
        "gp": _process(target, others, epoch),
        "power_law": (np.array([_power_law(v[:epoch]) for v in target.values]), None, None),
        "last_value": (target.values[:, epoch - 1], None, None),
    }
    return {name: tuple(None if x is None else np.clip(x, 0, 1) for x in found) for name, found in told.items()}  # type: ignore[misc]


def product_curves(logs: Curves) -> list[Curve]:
    """Return logs as the product's curves."""
    steps = np.arange(1.0, EPOCHS + 1)
    return [Curve(steps, v, EPOCHS, p, logs.name) for v, p in zip(logs.values, logs.points, strict=True)]


def _ours(target: Curves, others: Sequence[Curves] | None, share: float) -> tuple[Vector, Vector, Vector]:
    curves = product_curves(target)
    forest = Forest([c for o in others for c in product_curves(o)], share, target.name) if others else None
    ends: list[tuple[float, float, float]] = []
    for i, curve in enumerate(curves):
        asked = forest or Forest(curves[:i] + curves[i + 1 :], share, target.name)
        said = asked.predict(curve.until(share))
        ends.append((said.mean[-1], said.low[-1], said.high[-1]))
    return tuple(np.array(ends).T)  # type: ignore[return-value]


def _nearest(target: Curves, others: Sequence[Curves] | None, epoch: int) -> Vector:
    found: list[float] = []
    for i, values in enumerate(target.values):
        finished = np.delete(target.values, i, axis=0) if others is None else np.vstack([o.values for o in others])
        far = ((finished[:, :epoch] - values[:epoch]) ** 2).mean(axis=1)
        found.append(float(finished[np.argsort(far, kind="stable")[:NEIGHBOURS], -1].mean()))
    return np.array(found)


def _process(target: Curves, others: Sequence[Curves] | None, epoch: int) -> tuple[Vector, Vector, Vector]:
    n = len(target.values)
    x, mean, std = np.column_stack([target.points, target.values[:, :epoch]]), np.zeros(n), np.zeros(n)
    if others is not None:
        seen = np.vstack([np.column_stack([o.points, o.values[:, :epoch]]) for o in others])
        y = np.concatenate([o.values[:, -1] for o in others])
        some = np.random.default_rng(0).permutation(len(y))[:MOST]
        mean, std = _fitted(seen[some], y[some])(x)
    else:
        for at in range(0, n, TOGETHER):
            out = np.arange(at, min(at + TOGETHER, n))
            kept = np.setdiff1d(np.arange(n), out)
            mean[out], std[out] = _fitted(x[kept], target.values[kept, -1])(x[out])
    return mean, mean - 1.28 * std, mean + 1.28 * std


def _fitted(x: Vector, y: Vector) -> Callable[[Vector], tuple[Vector, Vector]]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    centre, width = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    kernel = ConstantKernel() * RBF(2 * np.sqrt(x.shape[1])) + WhiteKernel(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianProcessRegressor(kernel, normalize_y=True).fit((x - centre) / width, y)
    return lambda new: model.predict((new - centre) / width, return_std=True)


def _power_law(values: Vector) -> float:
    """Return where c - a t^-b, fitted by least squares from several beginnings, is at the last epoch."""
    from scipy.optimize import least_squares

    t = np.arange(1.0, len(values) + 1)
    best, end = np.inf, float(values[-1])
    for power in (0.25, 0.5, 1.0, 2.0):
        line, *_ = np.linalg.lstsq(np.column_stack([np.ones_like(t), -(t**-power)]), values, rcond=None)
        begin = np.clip([*line, power], [-1.9, -4.9, 0.06], [1.9, 4.9, 3.9])
        found = least_squares(
            lambda p: p[0] - p[1] * t ** -p[2] - values, begin, bounds=([-2, -5, 0.05], [2, 5, 4]), max_nfev=100
        )
        if found.cost < best:
            best, end = found.cost, float(found.x[0] - found.x[1] * EPOCHS ** -found.x[2])
    return end


def measured(logs: Sequence[Curves]) -> dict[str, dict[str, float]]:
    """Return the figures of every method, means over sets: keys like `mae_a10`, and means over all of them."""
    from scipy.stats import spearmanr

    found: dict[str, dict[str, list[float]]] = {}
    for target in logs:
        others = [o for o in logs if o is not target]
        for kind, share in ((k, s) for k in "ab" for s in SHARES):
            truth = target.values[:, -1]
            for name, (middle, low, high) in tell(target, others if kind == "b" else None, share).items():
                figures = {"mae": np.abs(middle - truth).mean(), "rank_correlation": spearmanr(middle, truth)[0]}
                if low is not None and high is not None:
                    figures["coverage"] = ((low <= truth) & (truth <= high)).mean()
                    figures["width"] = (high - low).mean()
                for key, value in figures.items():
                    for suffix in ("", f"_{kind}{round(100 * share)}"):
                        found.setdefault(name, {}).setdefault(key + suffix, []).append(float(value))
    return {name: {k: float(np.nanmean(v)) for k, v in keys.items()} for name, keys in found.items()}


def show(figures: dict[str, dict[str, float]]) -> Table:
    """Return the table: errors, ratios of ours to each peer's, and the same of what was published for other logs."""
    table = Table(title="Final validation accuracy after a share of the epochs: mean absolute error (ours / theirs)")
    for heading in ("", *figures, "target", *(f"{name}*" for name in PUBLISHED)):
        table.add_column(heading, justify="right" if heading else "left")
    cells = [f"{kind}{round(100 * share)}" for kind in "ab" for share in SHARES]
    ours = figures["automl-gpt"]
    for cell in [*cells, ""]:
        key = f"mae_{cell}" if cell else "mae"
        told = [_beside(row[key], None if name == "automl-gpt" else ours[key]) for name, row in figures.items()]
        target = TARGETS.get(cell)
        known = [_beside(row[cell], target) if cell in row else "" for row in PUBLISHED.values()]
        heading = f"({cell[0]}) {cell[1:]}%" if cell else "mean"
        table.add_row(heading, *told, f"{target:.3f}" if target else "", *known, end_section=cell in ("a40", "b40"))
    for label, key in (("coverage of 80%", "coverage"), ("rank correlation", "rank_correlation")):
        table.add_row(label, *(f"{row[key]:.2f}" if key in row else "" for row in figures.values()))
    table.caption = (
        "(a) with the other curves of the set, (b) with those of other sets; * published, on other such logs"
    )
    return table


def _beside(theirs: float, ours: float | None) -> str:
    return f"{theirs:.3f}" if ours is None else f"{theirs:.3f} ({ours / theirs:.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="forecasts during training, beside their peers")
    parser.add_argument("--data", type=Path, help="a folder of data sets")
    parser.add_argument("--sets", type=int, default=SETS, help="how many data sets together")
    parser.add_argument("--skip", type=int, default=0, help="how many data sets to pass over")
    parser.add_argument("--seeds", type=int, default=1, help="how many groups of data sets, one after the other")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    groups = [curve_logs(given.data, given.sets, given.skip + g * given.sets) for g in range(given.seeds)]
    several = [measured(logs) for logs in groups if len(logs) > 1]
    figures: dict[str, Any] = {
        name: {key: float(np.mean([s[name][key] for s in several])) for key in several[0][name]} for name in several[0]
    }
    if given.json:
        print(json.dumps({"methods": figures}))
        return
    console = Console()
    console.width = max(console.width, 130)
    console.print(show(figures))
    ours = figures["automl-gpt"]
    covered = ", ".join(f"{k[9:]} {v:.0%}" for k, v in ours.items() if k.startswith("coverage_"))
    console.print(f"Coverage of our 80% interval: {covered}; the sets: {', '.join(c.name for g in groups for c in g)}")


if __name__ == "__main__":
    main()
