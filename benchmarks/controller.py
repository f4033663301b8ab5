"""What our side of a language model costs: own time between its answers, prompts, memory, over a whole run.

    python -m benchmarks.controller [--trials 30] [--seed 0] [--workers N] [--json]

A run on a generated table of 14 columns with eight candidate models, through the command line, is driven over HTTP by a
scripted model that answers at once (tests/servers). Times are taken by the server: from the last byte of an answer to
the next request of the same decision or of the one that follows it without waiting for training, or, where a worker
was free, to the start of a training. LangChain's `create_agent` is then asked for the same tool calls, by the same
schemas, over the same server: its loop checks arguments and returns short results, and does nothing else.
Targets: own time 50 ms (median); 70% of a prompt as in the previous one of its kind; 3,000 tokens at trial 20.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from automl_gpt.agent.prompts.fitting import tokens
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import Stored, open_journal
from benchmarks.exchanges import as_read, by_kind, own_times, prompts
from benchmarks.product import PROGRAM, environment
from tests.servers.controller_player import Player
from tests.servers.openai_server import MODEL, OpenAIServer, Received, Reply

ROWS = 800
EIGHTH = "lightgbm_dart"
"""A candidate beside the seven shipped models that can be assigned."""
PIECE_SECONDS = 0.005
"""Between two pieces of a streamed answer, of some four tokens each: a quick model. What is read while more comes is no
own time."""
MEGABYTE = 1e6


@dataclass
class Measured:
    """What a process did and took: what it asked, seconds of own time by what came next, bytes, seconds in all."""

    requests: list[Received]
    gaps: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    rss: int = 0
    wall: float = 0.0

    @property
    def every(self) -> list[float]:
        """All own times."""
        return [gap for found in self.gaps.values() for gap in found]


# ------------------------------------------------------------------------------------------------------------ the run


def write_cards(folder: Path, seed: int) -> list[Path]:
    """Write a table of six numeric and eight categorical columns, its Data Card, and the eighth Model Card."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    numbers = {f"amount_{i}": rng.normal(size=ROWS).round(3) for i in range(6)}
    words = {f"kind_{i}": rng.choice([f"level {j}" for j in range(3 + 2 * i)], size=ROWS) for i in range(8)}
    signal = numbers["amount_0"] + numbers["amount_1"] * numbers["amount_2"] + (words["kind_0"] == "level 0")
    target = np.where(signal + rng.normal(size=ROWS) > 0.6, "more", "less")
    pd.DataFrame({**numbers, **words, "target": target}).to_csv(folder / "table.csv", index=False)
    inputs = [f"  {name}: {{meaning: a column that was drawn at random}}" for name in (*numbers, *words)]
    card, model = folder / "census_like.yaml", folder / f"{EIGHTH}.yaml"
    card.write_text("\n".join(["source: table.csv", "target: target", "inputs:", *inputs, ""]), "utf-8")
    shipped = Path(__file__).resolve().parents[1] / "cards" / "models" / "lightgbm.yaml"
    model.write_text(shipped.read_text("utf-8").replace("name: lightgbm", f"name: {EIGHTH}"), "utf-8")
    return [card, model]


class Assigner(Player):
    """A player that assigns every eligible model."""

    def __call__(self, request: Received) -> Reply:
        """Answer a request."""
        self.models = self.models or _eligible(request)
        return super().__call__(request)


def _eligible(request: Received) -> list[str]:
    line = next((line for line in request.text.splitlines() if line.startswith("Eligible: ")), "")
    return [name.strip() for name in line.removeprefix("Eligible: ").rstrip(".").split(",") if name.strip()]


def watched(command: Sequence[str | Path], folder: Path, env: dict[str, str]) -> tuple[int, float]:
    """Run a command; return the most bytes of its own process, and its seconds. RuntimeError where it fails."""
    most, began = 0, time.monotonic()
    with (folder / "said").open("w+", encoding="utf-8") as said:
        with subprocess.Popen(command, env=env, stdout=said, stderr=said) as process:
            root = psutil.Process(process.pid)
            while process.poll() is None:
                try:
                    most = max(most, root.memory_info().rss)
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.1)
        said.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"exit code {process.returncode}: {said.read()[-2000:]}")
    return most, time.monotonic() - began


def ours(folder: Path, options: argparse.Namespace, controller: str) -> tuple[Measured, list[Stored]]:
    """Carry out the run through the command line; return what was measured, and the run's events."""
    home = folder / controller.partition(":")[0]
    home.mkdir()
    command = [PROGRAM, "run", *write_cards(folder, options.seed), "--controller", controller, "--yes", "--json"]
    command += ["--trials", str(options.trials), "--workers", str(options.workers)]
    with OpenAIServer(Assigner(seed=options.seed, reply=Reply(chunk_delay=PIECE_SECONDS))) as server:
        env = {**environment(home), "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "test"}
        rss, wall = watched(command, folder, env)
    journal = open_journal(folder=home)
    try:
        stored = journal.events(journal.find("last"))
    finally:
        journal.close()
    return Measured(server.requests, own_times(stored, server.requests, options.workers), rss, wall), stored


# --------------------------------------------------------------------------------------------------------------- peer


@contextlib.contextmanager
def busy(count: int) -> Generator[None]:
    """Keep so many processes busy, as training does."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: sum(range(10**6))"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def peer(folder: Path, stored: Sequence[Stored], requests: Sequence[Received], workers: int) -> Measured:
    """Let LangChain's agent loop be asked for the calls of our run, beside as many busy processes, and measure it."""
    calls = [(c.name, c.arguments) for s in stored if isinstance(s.event, e.LLMAnswered) for c in s.event.calls]
    first = next(r for r in requests if "## Decision: propose_hyperparameters" in r.text)
    schemas = {t["function"]["name"]: t["function"] for r in requests for t in r.get("tools", [])}
    given: dict[str, Any] = {
        "system": first["messages"][0]["content"],
        "user": first["messages"][1]["content"],
        "tools": list(schemas.values()),
        "results": results(stored, [name for name, _ in calls]),
    }
    with OpenAIServer([*(Reply(calls=[call]) for call in calls), Reply("done")]) as server:
        (folder / "peer.json").write_text(json.dumps({**given, "url": server.url}), "utf-8")
        script = Path(__file__).with_name("agent_loop.py")
        with busy(workers):
            rss, wall = watched([sys.executable, script, folder / "peer.json"], folder, environment(folder))
    asked = server.requests
    gaps = [after.came - (before.answered or after.came) for before, after in pairwise(asked)]
    return Measured(asked, {"request": gaps}, rss, wall)


def results(stored: Sequence[Stored], names: Sequence[str]) -> list[str]:
    """Return what each call may return to the peer: the logs of four more trials for a prediction, else a word."""
    ended = (s.event for s in stored if isinstance(s.event, e.TrialFinished))
    logs = [f"trial {t.trial}: {t.status}, valid {t.value}, folds {t.folds}, {t.seconds:.1f} s" for t in ended]
    batches = iter("\n".join(logs[i : i + 4]) for i in range(0, len(logs), 4))
    return [next(batches, "no more") if name == "predict_log" else "accepted" for name in names]


# -------------------------------------------------------------------------------------------------------------- print


def milliseconds(gaps: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and the largest, in ms."""
    high = statistics.quantiles(gaps, n=20, method="inclusive")[-1] if len(gaps) > 1 else gaps[0]
    return {"count": len(gaps), "median": 1e3 * statistics.median(gaps), "p95": 1e3 * high, "max": 1e3 * max(gaps)}


def figures(run: Measured, stored: Sequence[Stored], builtin: Measured, other: Measured) -> dict[str, Any]:
    """Compute all that is printed."""
    sizes = {asked.call: tokens(as_read(run.requests[asked.call - 1])) for asked, _ in prompts(stored)}
    late = [sizes[asked.call] for asked, ended in prompts(stored) if 20 <= ended < 24]
    answers = [s.event for s in stored if isinstance(s.event, e.LLMAnswered)]
    kinds = by_kind(stored, run.requests)
    common = [share for row in kinds.values() for share in row["common"]]
    return {
        "own_ms": milliseconds(run.every),
        "own_ms_by": {name: milliseconds(gaps) for name, gaps in run.gaps.items()},
        "peer_own_ms": milliseconds(other.every),
        "kinds": kinds,
        "common": {"min": min(common), "median": statistics.median(common)},
        "largest_at_20": max(late, default=0),
        "largest": max(sizes.values()),
        "requests": len(run.requests),
        "peer_requests": len(other.requests),
        "failures": sum(bool(a.failure) for a in answers),
        "sent": sum(sizes.values()),
        "peer_sent": sum(tokens(as_read(r)) for r in other.requests),
        "peer_largest": max(tokens(as_read(r)) for r in other.requests),
        "counted_in": sum(a.tokens_in for a in answers),
        "counted_out": sum(a.tokens_out for a in answers),
        "rss": run.rss / MEGABYTE,
        "builtin_rss": builtin.rss / MEGABYTE,
        "peer_rss": other.rss / MEGABYTE,
        "wall": run.wall,
        "builtin_wall": builtin.wall,
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their targets and the peer's."""
    mine, theirs = found["own_ms"], found["peer_own_ms"]
    table = Table("what", "measured", "target", "create_agent", "ratio", box=None)
    rows = [
        ("own time after an answer, median", f"{mine['median']:.0f} ms", "50 ms", theirs["median"], mine["median"]),
        (f"own time, p95 of {mine['count']}", f"{mine['p95']:.0f} ms", "", theirs["p95"], mine["p95"]),
    ]
    for name, measured, target, peer_ms, own in rows:
        table.add_row(name, measured, target, f"{peer_ms:.0f} ms", f"{own / peer_ms:.1f}")
    for name, row in sorted(found["own_ms_by"].items()):
        table.add_row(f"  to {name} ({row['count']})", f"{row['median']:.0f} ms, p95 {row['p95']:.0f}")
    common, sent, theirs_sent = found["common"], found["sent"], found["peer_sent"]
    table.add_row("as in the previous prompt of its kind, least", f"{common['min']:.0%}", "70%")
    table.add_row("  median", f"{common['median']:.0%}")
    largest, peer_largest = found["largest"], found["peer_largest"]
    table.add_row("largest prompt at trial 20, tokens", f"{found['largest_at_20']:,}", "3,000")
    table.add_row("  of all", f"{largest:,}", "", f"{peer_largest:,}", f"{largest / peer_largest:.2f}")
    table.add_row("tokens sent in all", f"{sent:,}", "", f"{theirs_sent:,}", f"{sent / theirs_sent:.2f}")
    counted = f"{found['counted_in']:,} in, {found['counted_out']:,} out"
    table.add_row("  as the server counts them", counted)
    table.add_row("requests", f"{found['requests']} ({found['failures']} failed)", "", f"{found['peer_requests']}")
    rss, peer_rss = found["rss"], found["peer_rss"]
    table.add_row("peak memory of the session", f"{rss:.0f} MB", "", f"{peer_rss:.0f} MB", f"{rss / peer_rss:.2f}")
    table.add_row("  with the built-in controller", f"{found['builtin_rss']:.0f} MB")
    table.add_row("wall clock", f"{found['wall']:.0f} s")
    table.add_row("  with the built-in controller", f"{found['builtin_wall']:.0f} s")
    console.print(table)
    kinds = Table("prompts of", "count", "tokens", "largest", "characters", "in common, least", "median", box=None)
    for name, row in found["kinds"].items():
        common = row["common"]
        shares = (f"{min(common):.0%}", f"{statistics.median(common):.0%}") if common else ("", "")
        typical = [f"{statistics.median(row['tokens']):,.0f}", f"{max(row['tokens']):,}"]
        kinds.add_row(name, str(len(row["tokens"])), *typical, f"{statistics.median(row['characters']):,.0f}", *shares)
    console.print(kinds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=psutil.cpu_count() or 1, help="trials at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    options = parser.parse_args()
    load = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, stored = ours(folder, options, f"openai:{MODEL}")
        builtin, _ = ours(folder, options, "builtin")
        other = peer(folder, stored, run.requests, options.workers)
    found = {"load_before": load, **figures(run, stored, builtin, other)}
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"load before: {load:.1f} on {psutil.cpu_count()} cores", file=sys.stderr)
        show(found, Console(highlight=False, width=160))


if __name__ == "__main__":
    main()
