"""Forecasts of real fine-tunings before they begin: the final validation loss, for model families never seen.

    python -m benchmarks.hf_alone --data DIR [--seeds N] [--json]

DIR has `hpo/hf_trainer_logs/logs.jsonl.gz` (or is one of the folders on that path). Taken are logs with three rows and
more whose validation losses are positive numbers. Families (the base model's name up to the first dash) are left out
whole, in eight groups. The error is that of the natural logarithm of the last validation loss. Known are the
hyperparameters, the size, name and tags of the base model, the data set's name, which metrics are logged, and what the
repository is called, without its owner: all stand before training. Ours is the product's `OutcomeModel`, without the
repository's name as `automl-gpt`, beside the median of all others and the 10 nearest by standardised hyperparameters
and size. Figures of one half of the families were looked at while ours was built. `--seeds` deals families out anew.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.tune.forecasts.metadata import Metadata, OutcomeModel, metadata

FOLDS, NEIGHBOURS = 8, 10
Vector = NDArray[np.float64]


def records_of(data: Path) -> list[dict[str, Any]]:
    """Read the logs."""
    places = ("hpo/hf_trainer_logs", "hf_trainer_logs", ".")
    file = next((f for p in places if (f := data / p / "logs.jsonl.gz").is_file()), None)
    if file is None:
        raise SystemExit(f"{data}: no hpo/hf_trainer_logs/logs.jsonl.gz in it")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def final_loss(record: Mapping[str, Any]) -> float:
    """Return the logarithm of the last validation loss; NaN where rows are fewer than three or not positive."""
    columns = record["columns"]
    if "Validation Loss" not in columns or len(record["rows"]) < 3:
        return math.nan
    losses = [row[columns.index("Validation Loss")] for row in record["rows"]]
    sound = all(isinstance(v, int | float) and math.isfinite(v) and v > 0 for v in losses)
    return math.log(losses[-1]) if sound else math.nan


def family(record: Mapping[str, Any]) -> str:
    """Return the family of a log's base model: its name up to the first dash."""
    return str(record.get("base_model")).rsplit("/", maxsplit=1)[-1].split("-")[0].lower()


def known(record: Mapping[str, Any], named: bool) -> Metadata:
    """Return what is known of a training before it starts; `named`: what its repository is called too."""
    texts = [str(record.get("base_model")), str(record.get("dataset")), *map(str, record.get("tags") or ())]
    texts += [f"metric{''.join(c for c in str(name) if c.isalnum())}" for name in record["columns"]]
    texts += [str(record.get("model")).rsplit("/", maxsplit=1)[-1]] if named else []
    return metadata({**record["hyperparameters"], "size": _number(record.get("size_bytes"))}, texts)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def dealt(families: Sequence[str], seed: int) -> NDArray[np.int_]:
    """Return the group of each log; families stay whole, the largest ones are dealt out first."""
    sizes = Counter(families)
    turn = dict(zip(sorted(sizes), np.random.default_rng(seed).permutation(len(sizes)).tolist(), strict=True))
    load, home = [0] * FOLDS, dict[str, int]()
    for name in sorted(sizes, key=lambda f: (-sizes[f], turn[f])):
        home[name] = load.index(min(load))
        load[home[name]] += sizes[name]
    return np.array([home[f] for f in families])


def alone(logs: Sequence[Mapping[str, Any]], seeds: int) -> dict[str, dict[str, float]]:
    """Return the figures of every method, means over seeds; `logs` are records as the file has them."""
    kept = [r for r in logs if math.isfinite(final_loss(r))]
    truth, families = np.array([final_loss(r) for r in kept]), [family(r) for r in kept]
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        group = dealt(families, seed)
        for name, told in {
            "automl-gpt": ours([known(r, named=False) for r in kept], truth, families, group),
            "automl-gpt-named": ours([known(r, named=True) for r in kept], truth, families, group),
            "median": _median(truth, group),
            "knn": _nearest(kept, truth, group),
        }.items():
            found.setdefault(name, []).append(_figures(told, truth))
    return {name: {k: float(np.mean([r[k] for r in rows])) for k in rows[0]} for name, rows in found.items()}


def ours(records: Sequence[Metadata], truth: Vector, families: Sequence[str], group: NDArray[np.int_]) -> Vector:
    """Return value, low and high end, and seconds of each forecast, (n, 4)."""
    told = np.zeros((len(truth), 4))
    for fold in np.unique(group):
        kept = np.flatnonzero(group != fold).tolist()
        model = OutcomeModel([records[i] for i in kept], truth[kept].tolist(), [families[i] for i in kept])
        for i in np.flatnonzero(group == fold):
            began = time.perf_counter()
            said = model.predict(records[i])
            told[i] = said.value, said.low, said.high, time.perf_counter() - began
    return told


def _median(truth: Vector, group: NDArray[np.int_]) -> Vector:
    return np.array([np.quantile(truth[group != g], (0.5, 0.1, 0.9)) for g in group])


def _nearest(logs: Sequence[Mapping[str, Any]], truth: Vector, group: NDArray[np.int_]) -> Vector:
    """Return the median and the 10% and 90% quantiles of the 10 nearest; unknown numbers are the usual ones."""
    numbers = [known(r, named=False).numbers for r in logs]
    counts = Counter(name for row in numbers for name in row)
    names = sorted(n for n, c in counts.items() if c >= 20)
    raw = np.array([[row.get(n, math.nan) for n in names] for row in numbers])
    raw = np.sign(raw) * np.log10(1 + np.abs(raw) * 1e6)
    told = np.zeros((len(truth), 3))
    for fold in np.unique(group):
        out, kept = np.flatnonzero(group == fold), np.flatnonzero(group != fold)
        usual = np.nan_to_num(np.nanmedian(raw[kept], axis=0))
        x = np.where(np.isnan(raw), usual, raw)
        x = (x - x[kept].mean(axis=0)) / np.maximum(x[kept].std(axis=0), 1e-9)
        for i in out:
            near = kept[np.argsort(((x[kept] - x[i]) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]]
            told[i] = np.quantile(truth[near], (0.5, 0.1, 0.9))
    return told


def _figures(told: Vector, truth: Vector) -> dict[str, float]:
    from scipy.stats import spearmanr

    middle, low, high = told.T[:3]
    seconds = {"seconds": float(np.median(told[:, 3]))} if told.shape[1] > 3 else {}
    return {
        "mae": float(np.abs(middle - truth).mean()),
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "width": float((high - low).mean()),
        "rank_correlation": float(spearmanr(middle, truth)[0]),
        **seconds,
    }


def show(results: dict[str, dict[str, float]]) -> Table:
    """Return the table."""
    table = Table(title="Log of the final validation loss, before training, families never seen")
    for heading in ("method", "mean absolute error", "ours / theirs", "coverage of 80%", "width", "rank correlation"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, row in results.items():
        ratio = results["automl-gpt"]["mae"] / row["mae"]
        cells = (f"{row['mae']:.4f}", f"{ratio:.3f}", f"{row['coverage']:.0%}", f"{row['width']:.2f}")
        table.add_row(name, *cells, f"{row['rank_correlation']:.2f}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="forecasts of real fine-tunings before they begin")
    parser.add_argument("--data", type=Path, required=True, help="a folder with hpo/hf_trainer_logs")
    parser.add_argument("--seeds", type=int, default=1, help="how many ways to deal families out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    results = alone(records_of(given.data), given.seeds)
    if given.json:
        print(json.dumps({"methods": results}))
        return
    Console().print(show(results))
    Console().print(f"One forecast: {1000 * results['automl-gpt']['seconds']:.1f} ms, median")


if __name__ == "__main__":
    main()
