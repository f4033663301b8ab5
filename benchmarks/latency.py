"""How long a person and the workers wait: start, first row, idle share, finish, and the whole against the budget.

    python -m benchmarks.latency [CARD] [--time 60] [--repeat 10]

Everything is measured through the command line: the wall clock of processes, and what `show RUN --json` tells.
Targets: --help 0.25 s; first row 4 s; idle 5%; ensemble, test and report 4 s; the whole within the budget.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.product import Done, automl_gpt


def figures(run: Any, done: Done) -> dict[str, float]:
    """Compute the run's figures from `show --json` and the process that made it.

    The workers' idle share is taken between the first row of any trial and the end of the last trial. The number of
    workers is that of the trials which ran at once, at most.
    """
    trials = [t["actual"] for t in run["trial_list"] if t["actual"]["started_at"] is not None]
    ended = [t for t in trials if t["ended_at"] is not None]
    first = min(t["started_at"] + t["log"]["rows"][0]["seconds"] for t in ended if t["log"]["rows"])
    last = max(t["ended_at"] for t in ended)
    busy = sum(max(0.0, t["ended_at"] - max(t["started_at"], first)) for t in ended)
    workers = most_at_once([(t["started_at"], t["ended_at"]) for t in ended])
    return {
        "first row": first,
        "workers": workers,
        "idle share": 1 - busy / (workers * (last - first)),
        "finish": done.wall - last,
        "run": run["seconds"],
        "wall": done.wall,
        "trials": len(ended),
    }


def most_at_once(intervals: list[tuple[float, float]]) -> int:
    """Return how many intervals overlap at most; one that begins when another ends does not overlap it."""
    steps = sorted([(began, 1) for began, _ in intervals] + [(ended, -1) for _, ended in intervals])
    count = most = 0
    for _, step in steps:
        count += step
        most = max(most, count)
    return most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="?", default="breast_cancer")
    parser.add_argument("--time", type=float, default=60.0, help="budget of the run in seconds")
    parser.add_argument("--repeat", type=int, default=10, help="how often --help is asked")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        helps = [automl_gpt("--help", home=home).wall for _ in range(options.repeat)]
        arguments = ["run", options.card, "--json", "--yes", "--time", f"{options.time:g}s"]
        done = automl_gpt(*arguments, home=home, timeout=3 * options.time + 60)
        try:
            name = done.json()["run"]
        except RuntimeError as error:
            sys.exit(str(error))
        run = automl_gpt("show", name, "--json", home=home).json()
    found = {"help": statistics.median(helps), **figures(run, done)}
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        show(found, options)


def show(found: dict[str, float], options: argparse.Namespace) -> None:
    """Print each figure beside its target."""
    table = Table("what", "measured", "target", box=None)
    rows = [
        (f"--help, median of {options.repeat}", f"{found['help']:.3f} s", "0.25 s"),
        ("from run to the first training row", f"{found['first row']:.2f} s", "4 s"),
        ("idle share of the workers", f"{found['idle share']:.1%}", "5%"),
        ("ensemble, test and report", f"{found['finish']:.2f} s", "4 s"),
        ("the run, as it says", f"{found['run']:.1f} s", f"{options.time:g} s"),
        ("the process, wall clock", f"{found['wall']:.1f} s", f"{options.time + 1:g} s"),
        ("trials", f"{found['trials']:g} on {found['workers']:g} workers", ""),
    ]
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
