"""Ours beside FLAML, AutoGluon, default XGBoost and Optuna's TPE over XGBoost, with equal wall clock and cores.

    python -m benchmarks.tabular --data DIR [--sets a,b,c | --hash N] [--seconds 60] [--seeds 1] [--peers none]

Each set is cut into a training part and a held-out part (25%, or the given test file) before any method sees it. Ours
gets a Data Card of only `source`, `target` and, where the set's meta.json names leaking or identifying columns, `drop`;
the held-out part is given as its test file, at which it looks once, at the end. Peers get the same columns. All
predictions are scored by the same code: ROC AUC for two classes, log loss for more, RMSE for values. Peers run in
environments of their own, and their results are kept in benchmarks/.peers/results; ours is measured anew each time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from benchmarks import datasets
from benchmarks.datasets import Case
from benchmarks.peer import KEPT, PEERS
from benchmarks.product import automl_gpt, revision
from benchmarks.scores import METRIC, MORE_IS_BETTER, better_mean_rank, ranks, score, wins

OURS = "automl-gpt"


@dataclass(frozen=True)
class Result:
    """One method on one case: its score (NaN: failed), seconds of wall clock, and what else to keep."""

    set: str
    seed: int
    method: str
    metric: str
    score: float
    wall: float
    note: str = ""


# -------------------------------------------------------------------------------------------------------------- peers


def peer(case: Case, method: str, seconds: float, cores: int) -> Result:
    """Return a peer's result: the kept one of the same data, budget and code where there is one, else a new one."""
    key = f"{case.name}-{case.seed}-{method}-{seconds:g}s-{cores}c-{case.digest}-{PEERS[method].version}"
    file = KEPT / "results" / f"{key}.json"
    if file.is_file():
        return Result(**json.loads(file.read_text("utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "predictions.csv"
        done = PEERS[method].run(case, out, seconds, cores)
        result = _result(case, method, done.wall, out, "" if done.code == 0 else done.err.strip()[-300:])
    if isfinite(result.score):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(result)), "utf-8")
    return result


# --------------------------------------------------------------------------------------------------------------- ours


def ours(case: Case, seconds: float, cores: int) -> Result:
    """Measure the product through its command line, in a fresh home: run, then predict."""
    with tempfile.TemporaryDirectory() as folder:
        home, out = Path(folder) / "home", Path(folder) / "predictions.csv"
        card = _write_card(case, Path(folder))
        run = ["run", card, "--json", "--yes", "--time", f"{seconds:g}s", "--seed", str(case.seed)]
        done = automl_gpt(*run, home=home, cores=cores, timeout=2 * seconds + 60)
        try:
            said = done.json()
            predicted = automl_gpt("predict", said["run"], case.test, "--out", out, home=home, cores=cores, timeout=300)
            problem = "" if predicted.code == 0 else predicted.err.strip()[-300:]
        except (RuntimeError, ValueError, KeyError) as error:
            return Result(case.name, case.seed, OURS, METRIC[case.task], float("nan"), done.wall, str(error))
        result = _result(case, OURS, done.wall, out, problem)
    note = f"{said.get('model')}, {said.get('trials')} trials, valid {said.get('valid')}, own test {said.get('test')}"
    return result if result.note else replace(result, note=note)


def _write_card(case: Case, folder: Path) -> Path:
    card: dict[str, Any] = {"source": {"train": str(case.train), "test": str(case.test)}, "target": case.target}
    if case.drop:
        card["drop"] = list(case.drop)
    with (folder / "card.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(card, file)
    return folder / "card.yaml"


def _result(case: Case, method: str, wall: float, out: Path, problem: str) -> Result:
    value = float("nan")
    if not problem:
        try:
            value = score(case, out)
        except (ValueError, KeyError, OSError) as error:
            problem = str(error)
    return Result(case.name, case.seed, method, METRIC[case.task], value, wall, problem)


# ------------------------------------------------------------------------------------------------------------- tables


def summary(results: Sequence[Result], methods: Sequence[str]) -> dict[str, Any]:
    """Compare the methods over the sets; a set's score is the mean over its seeds, and NaN if one of them failed."""
    sets = list(dict.fromkeys(r.set for r in results))
    metric = {r.set: r.metric for r in results}
    scores = {
        m: [float(np.mean([r.score for r in results if (r.set, r.method) == (s, m)])) for s in sets] for m in methods
    }
    ranked = ranks(scores, [metric[s] in MORE_IS_BETTER for s in sets])
    walls = {m: [r.wall for r in results if r.method == m] for m in methods}
    first = methods[0]
    return {
        "sets": {s: {"metric": metric[s], **{m: scores[m][i] for m in methods}} for i, s in enumerate(sets)},
        "mean_rank": {m: float(ranked[m].mean()) for m in methods},
        "win_rate": {m: wins(ranked[first], ranked[m]) for m in methods[1:]},
        "better_mean_rank": {m: better_mean_rank(ranked[first], ranked[m]) for m in methods[1:]},
        "failed": {m: [r.set for r in results if r.method == m and not isfinite(r.score)] for m in methods},
        "wall": {m: {"median": float(np.median(walls[m])), "longest": float(np.max(walls[m]))} for m in methods},
    }


def show(found: dict[str, Any], methods: Sequence[str]) -> None:
    """Print the table of sets and that of methods."""
    table = Table("set", "metric", *methods, box=None)
    for name, row in found["sets"].items():
        values = [row[m] for m in methods]
        good = [v for v in values if isfinite(v)]
        best = (max if row["metric"] in MORE_IS_BETTER else min)(good) if good else None
        cells = [f"[bold]{v:.5g}[/]" if v == best else f"{v:.5g}" if isfinite(v) else "failed" for v in values]
        table.add_row(name, row["metric"], *cells)
    figures = Table(
        "method", "mean rank", "won by " + methods[0], "P(better mean rank)", "wall s", "longest", "failed", box=None
    )
    for m in methods:
        won, sure = (found[k].get(m) for k in ("win_rate", "better_mean_rank"))
        figures.add_row(
            m,
            f"{found['mean_rank'][m]:.3f}",
            "" if won is None else f"{won:.0%}",
            "" if sure is None else f"{sure:.3f}",
            f"{found['wall'][m]['median']:.1f}",
            f"{found['wall'][m]['longest']:.1f}",
            str(len(found["failed"][m])),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print()
    console.print(figures)


# ------------------------------------------------------------------------------------------------------------ command


def measure(options: argparse.Namespace, sets: Sequence[str], methods: Sequence[str]) -> list[Result]:
    """Measure one method on one case at a time, and say each result at once."""
    results: list[Result] = []
    for name in sets:
        for seed in range(options.seeds):
            case = datasets.cut(options.data, name, seed, KEPT / "cases")
            for method in methods:
                one = ours if method == OURS else lambda c, s, n, m=method: peer(c, m, s, n)
                results.append(one(case, options.seconds, options.cores))
                r = results[-1]
                print(
                    f"{r.set} {r.seed} {r.method}: {r.metric} {r.score:.5g}, {r.wall:.1f} s  {r.note}", file=sys.stderr
                )
    return results


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--sets", default="", help="names, with commas between; default: all")
    parser.add_argument("--hash", type=int, metavar="N", help="the N sets that the hashes of their names choose")
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of each method on each set")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to N-1, of the cut and of the methods")
    parser.add_argument("--cores", type=int, default=2, help="cores that each method may use")
    parser.add_argument("--peers", default=",".join(PEERS), help="none, or some of: " + ",".join(PEERS))
    parser.add_argument("--only-peers", action="store_true", help="measure the peers and keep their results")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    options = parser.parse_args(arguments)
    if not datasets.names(options.data):
        parser.error(f"--data {options.data}: no folder in it has a meta.json")
    return options


def main() -> None:
    """Measure, compare, print."""
    options = options_of()
    known = datasets.names(options.data)
    sets = (
        datasets.by_hash(options.data, options.hash)
        if options.hash
        else [s for s in options.sets.split(",") if s] or known
    )
    peers = [p for p in options.peers.split(",") if p and p != "none"]
    for wrong in [s for s in sets if s not in known] + [p for p in peers if p not in PEERS]:
        sys.exit(f"{wrong!r} is neither a set of {options.data} nor a peer")
    methods = [*([] if options.only_peers else [OURS]), *peers]
    results = measure(options, sets, methods)
    found = {"revision": revision(), "seconds": options.seconds, **summary(results, methods)}
    if options.json:
        print(json.dumps({**found, "results": [asdict(r) for r in results]}, indent=1))
    else:
        show(found, methods)


if __name__ == "__main__":
    main()
