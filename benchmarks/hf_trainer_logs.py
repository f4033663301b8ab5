"""Forecasts on real fine-tuning logs of others: the final validation loss, for model families never seen.

    python -m benchmarks.hf_trainer_logs --data DIR [--seeds N] [--json]

DIR has `hpo/hf_trainer_logs/logs.jsonl.gz` (or is one of the folders on that path): one log a line, with `columns`,
`rows`, `hyperparameters`, `size_bytes`, `base_model`. Taken are logs with three rows and more whose validation losses
are positive numbers. Families (the base model's name up to the first dash) are left out whole, in eight groups. The
error is that of the natural logarithm of the last validation loss.

After the first third of the rows (one at least): ours, fitted on the other families' logs, beside the last value, a
power law c - a t^-b (least squares on the log of the loss; the last value with fewer than three rows) and the 10
nearest logs, which say what is gained from here on (standardised: last and first value, rows so far, learning rate).
Nothing but the hyperparameters: see `hf_alone`.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.tune.forecasts.continuation import Forest
from automl_gpt.tools.tune.forecasts.prefix import Curve

FOLDS, NEIGHBOURS = 8, 10
SHARE = 1 / 3
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """One log: its record, its family, validation losses (all positive), training losses (NaN where not said)."""

    record: dict[str, Any]
    family: str
    losses: Vector
    train: Vector

    @property
    def seen(self) -> int:
        """How many rows the first third has."""
        return max(1, len(self.losses) // 3)


def logs_of(data: Path) -> list[Log]:
    """Read the logs."""
    places = ("hpo/hf_trainer_logs", "hf_trainer_logs", ".")
    file = next((f for p in places if (f := data / p / "logs.jsonl.gz").is_file()), None)
    if file is None:
        raise SystemExit(f"{data}: no hpo/hf_trainer_logs/logs.jsonl.gz in it")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        found = [_log(json.loads(line)) for line in lines]
    return [log for log in found if log is not None]


def _log(record: dict[str, Any]) -> Log | None:
    losses, train = _column(record, "Validation Loss"), _column(record, "Training Loss", "Train Loss")
    if len(losses) < 3 or not (losses > 0).all():
        return None
    return Log(record, family(str(record.get("base_model"))), losses, train)


def _column(record: dict[str, Any], *names: str) -> Vector:
    at = next((record["columns"].index(n) for n in names if n in record["columns"]), None)
    cells = [None if at is None else row[at] for row in record["rows"]]
    return np.array([float(c) if isinstance(c, int | float) and math.isfinite(c) else math.nan for c in cells])


def family(base: str) -> str:
    """Return the family of a base model: its name up to the first dash."""
    return base.rsplit("/", maxsplit=1)[-1].split("-", maxsplit=1)[0].lower()


def groups(logs: Sequence[Log]) -> list[int]:
    """Return the group of each log; families stay whole, the largest ones are dealt out first."""
    sizes = {f: sum(log.family == f for log in logs) for f in sorted({log.family for log in logs})}
    load, home = [0] * FOLDS, {}
    for name in sorted(sizes, key=lambda f: -sizes[f]):
        home[name] = load.index(min(load))
        load[home[name]] += sizes[name]
    return [home[log.family] for log in logs]


def after_third(logs: Sequence[Log]) -> dict[str, dict[str, float]]:
    """Return the figures of every method after the first third."""
    group, truth = np.array(groups(logs)), np.array([-math.log(log.losses[-1]) for log in logs])
    curves = [_curve(log) for log in logs]
    ours, near = np.zeros((len(logs), 3)), np.zeros(len(logs))
    for fold in range(FOLDS):
        out, kept = np.flatnonzero(group == fold), np.flatnonzero(group != fold)
        if not len(out) or not len(kept):
            continue
        forest = Forest([curves[i] for i in kept], SHARE, most=len(kept))
        for i in out:
            said = forest.predict(_first_third(curves[i], logs[i]))
            ours[i] = said.mean[-1], said.low[-1], said.high[-1]
        near[out] = _nearest(logs, out, kept)
    told = {
        "knn": near,
        "power_law": np.array([_power_law(-np.log(log.losses[: log.seen]), len(log.losses)) for log in logs]),
        "last_value": np.array([-math.log(log.losses[log.seen - 1]) for log in logs]),
    }
    figures = {"automl-gpt": _figures(ours[:, 0], truth)}
    figures["automl-gpt"]["coverage"] = float(((ours[:, 1] <= truth) & (truth <= ours[:, 2])).mean())
    return {**figures, **{name: _figures(found, truth) for name, found in told.items()}}


def _figures(said: Vector, truth: Vector) -> dict[str, float]:
    from scipy.stats import spearmanr

    return {"mae": float(np.abs(said - truth).mean()), "rank_correlation": float(spearmanr(said, truth)[0])}


def _curve(log: Log) -> Curve:
    """Return the log of the loss, upside down, with what is known of the training by the end of its first third."""
    told, seen = log.record["hyperparameters"], log.seen
    names = (
        "learning_rate",
        "train_batch_size",
        "num_epochs",
        "gradient_accumulation_steps",
        "lr_scheduler_warmup_steps",
    )
    point = [_logarithm(told.get(name)) for name in names] + [_logarithm(log.record.get("size_bytes"))]
    point += [float(told.get("lr_scheduler_type") == "linear"), _logarithm(log.train[seen - 1] / log.losses[seen - 1])]
    n = len(log.losses)
    return Curve(np.arange(1.0, n + 1), -np.log(log.losses), n, np.array(point))


def _first_third(curve: Curve, log: Log) -> Curve:
    return Curve(curve.steps[: log.seen], curve.values[: log.seen], curve.horizon, curve.point)


def _logarithm(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return math.log(number) if number > 0 and math.isfinite(number) else math.nan


def _nearest(logs: Sequence[Log], out: Vector, kept: Vector) -> Vector:
    def row(log: Log) -> list[float]:
        rate = _logarithm(log.record["hyperparameters"].get("learning_rate"))
        known = [-math.log(log.losses[log.seen - 1]), -math.log(log.losses[0]), math.log(log.seen)]
        return [*known, rate if math.isfinite(rate) else -10.0]

    x = np.array([row(log) for log in logs])
    x = (x - x[kept].mean(axis=0)) / np.maximum(x[kept].std(axis=0), 1e-9)
    gains = np.array([math.log(log.losses[log.seen - 1] / log.losses[-1]) for log in logs])
    found: list[float] = []
    for i in out:
        chosen = kept[np.argsort(((x[kept] - x[i]) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]]
        found.append(-math.log(logs[i].losses[logs[i].seen - 1]) + float(gains[chosen].mean()))
    return np.array(found)


def _power_law(values: Vector, end: int) -> float:
    from scipy.optimize import least_squares

    if len(values) < 3:
        return float(values[-1])
    t = np.arange(1.0, len(values) + 1)
    found = least_squares(
        lambda p: p[0] - p[1] * t ** -p[2] - values,
        [float(values[-1]), float(values[-1] - values[0]), 0.5],
        bounds=([-20, -20, 0.05], [20, 20, 4]),
        max_nfev=100,
    )
    return float(found.x[0] - found.x[1] * end ** -found.x[2])


def alone(logs: Sequence[Log], seeds: int) -> dict[str, dict[str, float]]:
    """Return the figures of `hf_alone` where that benchmark is there: forecasts before any training."""
    if importlib.util.find_spec("benchmarks.hf_alone") is None:
        return {}
    found: dict[str, dict[str, float]] = importlib.import_module("benchmarks.hf_alone").alone(
        [log.record for log in logs], seeds
    )
    return found


def show(title: str, figures: dict[str, dict[str, float]]) -> Table:
    """Return one table."""
    table = Table(title=title)
    for heading in ("method", "mean absolute error", "ours / theirs", "coverage of 80%", "rank correlation"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, row in figures.items():
        ratio = figures["automl-gpt"]["mae"] / row["mae"]
        cover = f"{row['coverage']:.0%}" if "coverage" in row else ""
        table.add_row(name, f"{row['mae']:.4f}", f"{ratio:.2f}", cover, f"{row.get('rank_correlation', math.nan):.2f}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both and print; with --json, the keys of what was forecast alone begin with `alone_`."""
    parser = argparse.ArgumentParser(description="forecasts on real fine-tuning logs")
    parser.add_argument("--data", type=Path, required=True, help="a folder with hpo/hf_trainer_logs")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions of what draws at random")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    logs = logs_of(given.data)
    third, before = after_third(logs), alone(logs, given.seeds)
    if given.json:
        both = {name: {f"alone_{k}": v for k, v in row.items()} for name, row in before.items()}
        names = dict.fromkeys([*third, *both])
        print(json.dumps({"methods": {n: {**third.get(n, {}), **both.get(n, {})} for n in names}}))
        return
    console = Console()
    for title, figures in (("after the first third", third), ("from hyperparameters alone", before)):
        if figures:
            console.print(show(f"Log of the final validation loss, {title}: {len(logs)} logs", figures))


if __name__ == "__main__":
    main()
