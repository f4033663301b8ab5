"""Peak memory, summed over all our processes, of a run on a large table that is made here.

    python -m benchmarks.memory [--rows 5000000] [--columns 20] [--time 300] [--dir FOLDER]

The target is 3 GiB. RSS counts pages that processes share once for each of them; PSS divides them among them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.product import PROGRAM, environment

CHUNK = 250_000
GIB = 2**30


def write_table(file: Path, rows: int, columns: int, seed: int = 0) -> None:
    """Write a CSV of normal numbers with three decimals, and a binary target that half of them decide, with noise."""
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(seed)
    weights = random.normal(size=columns) * (np.arange(columns) < columns // 2)
    names = [f"x{number}" for number in range(columns)]
    schema = pa.schema([*((name, pa.float64()) for name in names), ("target", pa.int8())])
    with csv.CSVWriter(file, schema) as writer:
        for start in range(0, rows, CHUNK):
            x = random.normal(size=(min(CHUNK, rows - start), columns)).round(3)
            signal = x @ weights + x[:, 0] * x[:, 1] + random.normal(size=len(x))
            arrays = [pa.array(x[:, number]) for number in range(columns)]
            writer.write(pa.table([*arrays, pa.array((signal > 0).astype(np.int8))], schema=schema))


@dataclass
class Peak:
    """The largest sums seen, in bytes, and the largest number of processes."""

    rss: int = 0
    pss: int = 0
    processes: int = 0

    def look(self, root: psutil.Process) -> None:
        """Take a process and all that descend from it into account."""
        rss = pss = count = 0
        for process in [root, *root.children(recursive=True)]:
            try:
                memory = process.memory_full_info()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            rss, pss, count = rss + memory.rss, pss + getattr(memory, "pss", memory.uss), count + 1
        self.rss, self.pss, self.processes = max(self.rss, rss), max(self.pss, pss), max(self.processes, count)


def watched(command: list[str | Path], home: Path) -> tuple[int, str, float, Peak]:
    """Run a command; return its exit code, its output, its seconds, and its peak."""
    peak, began = Peak(), time.monotonic()
    with (home / "out").open("w+", encoding="utf-8") as out:
        with subprocess.Popen(command, env=environment(home), stdout=out) as process:
            root = psutil.Process(process.pid)
            while process.poll() is None:
                try:
                    peak.look(root)
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.2)
        out.seek(0)
        return process.returncode, out.read(), time.monotonic() - began, peak


def main() -> None:
    """Make the table, run, and print the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--time", type=float, default=300.0, help="budget of the run in seconds")
    parser.add_argument("--dir", type=Path, default=None, help="where the table is made; some GB of space are needed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        table, card = Path(folder) / "table.csv", Path(folder) / "card.yaml"
        write_table(table, options.rows, options.columns)
        card.write_text("source: table.csv\ntarget: target\n", "utf-8")
        megabytes = table.stat().st_size / 1e6
        print(f"{options.rows:,} rows, {options.columns} columns, {megabytes:,.0f} MB of CSV", file=sys.stderr)
        command = [PROGRAM, "run", card, "--json", "--yes", "--time", f"{options.time:g}s"]
        code, out, wall, peak = watched(command, Path(folder))
    if code != 0:
        sys.exit(f"the run ended with exit code {code} after {wall:.0f} s; peak RSS {peak.rss / GIB:.2f} GiB")
    result = json.loads(out)
    print(f"peak of all processes: PSS {peak.pss / GIB:.2f} GiB, RSS {peak.rss / GIB:.2f} GiB (target: 3 GiB)")
    print(f"at most {peak.processes} processes; {wall:.1f} s of wall clock for --time {options.time:g}s")
    print(f"{result['trials']} trials, best {result['model']}, test {result['test']}")


if __name__ == "__main__":
    main()
