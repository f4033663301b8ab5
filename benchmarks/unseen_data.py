"""Unseen data: the test score of the first trial that the product proposes, from experience that leaves the set out.

    python -m benchmarks.unseen_data --data DIR [--sets 12] [--pack 8] [--seeds 1] [--random 5] [--rows 3000] [--json]

The sets are `--sets` tables of the folder and `--pack` of the data sets that the shipped experience was made on, both
chosen by the hashes of their names. For each, experience is the shipped pack without every data set that shares rows
with it (the same rows under any columns' names and order, see `shares_rows`). The first trial is the one that the
product itself proposes after the trivial baseline. On the same rows and with the same seed are trained: the default of
its Model Card, the default of the model that the product would begin with without experience, and random configurations
of the same model. Every model is scored on the test split that the product cut, by the set's default metric.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from automl_gpt.agent.session import Session
from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.data.prepared import Prepared, open_prepared, open_test
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.exchange import import_file
from automl_gpt.tools.experience.pack import FILE
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.journal.store import Journal, open_journal
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.registry import trainer
from automl_gpt.tools.train.worker import fit_data
from automl_gpt.tools.tune.forecasts.stopping import StopRule
from automl_gpt.tools.tune.space import random_point
from benchmarks import datasets
from benchmarks.experience_sets import recipes
from benchmarks.product import revision

SHARED_ROWS = 0.02
"""Two tables share rows where more than this share of the smaller one's rows are found in the other."""
FOLDS = 3
PEERS = ("card_default", "first_default", "random_mean")


@dataclass(frozen=True)
class Unseen:
    """A data set: its name, its table, its target and the columns that are closed to all."""

    name: str
    about: str
    table: Any
    target: str
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """What the first trial and its peers reached on a set's test split, signed so that more is better."""

    set: str
    seed: int
    metric: str
    model: str
    nearest: float | None
    scores: dict[str, float]
    configuration: Hyperparameters
    reason: str


# --------------------------------------------------------------------------------------------------------------- data


def of_folder(data: Path, count: int, rows: int) -> list[Unseen]:
    """Return tables of a folder with at most so many rows, chosen by the hashes of their names."""
    folder = data / "tabular" if (data / "tabular").is_dir() else data
    found: list[Unseen] = []
    for name in datasets.by_hash(folder, len(datasets.names(folder))):
        meta = json.loads((folder / name / "meta.json").read_text("utf-8"))
        if len(found) == count or meta.get("task") not in ("binary", "multiclass", "regression"):
            continue
        file = next(f for f in ("data.csv.gz", "train.csv.gz") if (folder / name / f).is_file())
        table = _read(folder / name / file)
        if len(table) <= rows:
            drop = tuple(dict.fromkeys([*meta.get("drop_columns_leak", []), *meta.get("id_columns", [])]))
            found.append(Unseen(name, str(meta.get("description", "")), table, meta["target"], drop))
    return found


def _read(file: Path) -> Any:
    import pandas as pd

    return pd.read_csv(file)


def of_pack(count: int, rows: int) -> list[Unseen]:
    """Return data sets of the shipped pack with at most so many rows, chosen by the hashes of their names."""
    names = {line["name"] for line in _pack_lines() if line.get("kind") == "data"}
    ordered = sorted((r for r in recipes() if r.name in names), key=lambda r: hashlib.sha256(r.name.encode()).digest())
    made = ((r, r.table()) for r in ordered)
    small = [Unseen(f"pack_{r.name}", r.about, table, "target") for r, table in made if len(table) <= rows]
    return small[:count]


def row_digests(table: Any, closed: Sequence[str] = ()) -> set[int]:
    """Return a digest of each row that is the same under any names and order of columns: its numbers, sorted."""
    numbers = table.drop(columns=[c for c in closed if c in table]).select_dtypes("number").to_numpy(float)
    return {hash(np.sort(row[np.isfinite(row)]).round(2).tobytes()) for row in numbers if np.isfinite(row).sum() >= 3}


def shares_rows(one: set[int], other: set[int]) -> bool:
    """Say whether two tables have rows in common."""
    smaller = min(len(one), len(other))
    return smaller > 0 and len(one & other) > SHARED_ROWS * smaller


def _pack_lines() -> Iterator[dict[str, Any]]:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def pack_without(unseen: Unseen, digests: dict[str, set[int]], out: Path) -> list[str]:
    """Write the pack without the data sets that share rows with a table; return the names of those left out."""
    own = row_digests(unseen.table, (unseen.target, *unseen.drop))
    left_out, gone = [], set[str]()
    with out.open("w", encoding="utf-8") as file:
        for line in _pack_lines():
            name = line.get("name")
            if line.get("kind") == "data" and (
                unseen.name == f"pack_{name}" or shares_rows(own, digests.get(name, set()))
            ):
                gone.add(line["data"])
                left_out.append(name)
            if line.get("data") not in gone:
                file.write(json.dumps(line) + "\n")
    return left_out


# ---------------------------------------------------------------------------------------------------------- measuring


def planned(journal: Journal, card: Path, seed: int, experience: str, server: Server) -> RunState:
    """Plan a run on a Data Card as the product does, up to its first training; return its state."""
    request = e.Request(seed=seed, budget=e.Budget(seconds=None, trials=2))
    with Session(journal, server=server) as session:
        session.read(str(card))
        session.change(**{n: getattr(request, n) for n in type(request).model_fields} | {"experience": experience})
        for _ in session.plan():
            pass
        return session.need_state()


def scored(prepared: Prepared, state: RunState, model: str, hyperparameters: Hyperparameters, seed: int) -> float:
    """Train a configuration on every fold, as a trial does; score the mean of its predictions on the test rows."""
    card, metric, test = model_cards()[model], METRICS[state.need_metric().name], open_test(prepared.folder)
    job = Job(
        trial=1, model=model, trainer=card.trainer, hyperparameters=hyperparameters, data=str(prepared.folder),
        out=str(prepared.folder), metric=metric.name, seed=seed, rule=StopRule.model_construct(),
    )  # fmt: skip
    predicted: list[Any] = []
    for fold in range(prepared.layout.folds):
        data = fit_data(prepared, fold, job)
        fitted = trainer(card.trainer).fit(data, hyperparameters, lambda *_, **__: True)
        predicted.append(fitted.predict(test.x))
    return metric.sign * data.score(test.y, np.mean(predicted, axis=0), test.weight)


def measure(
    unseen: Unseen, seed: int, random: int, digests: dict[str, set[int]], server: Server, folder: Path
) -> Score:
    """Measure one data set."""
    place = folder / f"{unseen.name}-{seed}"
    place.mkdir()
    unseen.table.to_csv(place / "data.csv", index=False)
    pack_without(unseen, digests, place / "pack.jsonl")
    card: dict[str, Any] = {"name": unseen.name[:80], "description": unseen.about, "source": str(place / "data.csv")}
    card |= {"target": unseen.target, "drop": list(unseen.drop), "split": {"kind": "random", "folds": FOLDS}}
    (place / "card.yaml").write_text(json.dumps(card), "utf-8")
    journal = open_journal(f"sqlite:///{place / 'home' / 'journal.db'}", place / "home")
    import_file(journal, place / "pack.jsonl", model_cards())
    cold = _first(planned(journal, place / "card.yaml", seed, "none", server))
    state = planned(journal, place / "card.yaml", seed, "own", server)
    warm, prepared = _first(state), open_prepared(journal.run_folder(state.run) / "data")
    rng = np.random.default_rng(seed)
    model = model_cards()[warm.model]
    score = partial(scored, prepared, state, seed=seed)
    drawn = [score(model.name, random_point(model, rng)) for _ in range(random)]
    scores = {
        "automl-gpt": score(model.name, warm.hyperparameters), "card_default": score(model.name, model.default()),
        "first_default": score(cold.model, cold.hyperparameters), "random_mean": float(np.mean(drawn)),
    }  # fmt: skip
    nearest = min((t.distance for t in state.experience or ()), default=None)
    metric = state.need_metric().name
    journal.close()
    return Score(unseen.name, seed, metric, model.name, nearest, scores, warm.hyperparameters, warm.reason)


def _first(state: RunState) -> e.TrialProposed:
    """Return the first proposal that is not the trivial baseline."""
    return next(t.proposal for t in state.ordered() if t.model != TRIVIAL)


# ------------------------------------------------------------------------------------------------------------- tables


def figures(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Compare the first trial with each peer: share of the sets won, ties counted as half, and ties."""
    sets = list(dict.fromkeys(s.set for s in scores))
    mean = {
        m: np.array([np.mean([s.scores[m] for s in scores if s.set == name]) for name in sets])
        for m in ("automl-gpt", *PEERS)
    }
    ours = mean["automl-gpt"]
    found = {
        m: {
            "won": float(np.mean(ours > mean[m])), "tied": float(np.mean(ours == mean[m])),
            "won_ties_half": float(np.mean(ours > mean[m]) + 0.5 * np.mean(ours == mean[m])), "sets": float(len(sets)),
        }
        for m in PEERS
    }  # fmt: skip
    won = ours > np.maximum(mean["card_default"], mean["random_mean"])
    return {"automl-gpt": {"won_against_default_and_random": float(np.mean(won)), "sets": float(len(sets))}, **found}


def show(scores: Sequence[Score], found: dict[str, dict[str, float]]) -> None:
    """Print the table of sets and that of peers."""
    console = Console(highlight=False)
    table = Table("set", "metric", "model", "nearest", "automl-gpt", *PEERS, box=None)
    for s in scores:
        sign = METRICS[s.metric].sign
        near = "none" if s.nearest is None else f"{s.nearest:.2f}"
        values = [f"{sign * s.scores[m]:.4f}" for m in ("automl-gpt", *PEERS)]
        table.add_row(s.set, s.metric, s.model, near, *values)
    console.print(table)
    peers = Table("automl-gpt against", "sets won", "tied", "won, ties as half", box=None)
    for m in PEERS:
        peers.add_row(m, f"{found[m]['won']:.0%}", f"{found[m]['tied']:.0%}", f"{found[m]['won_ties_half']:.0%}")
    console.print(peers)


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of tables, or one that holds a folder `tabular`")
    parser.add_argument("--sets", type=int, default=12, help="tables of the folder")
    parser.add_argument("--pack", type=int, default=8, help="data sets of the shipped pack")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--random", type=int, default=5, help="random configurations per set")
    parser.add_argument("--rows", type=int, default=3000, help="larger tables are passed over")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    told = parser.parse_args()
    unseen = [*(of_folder(told.data, told.sets, told.rows) if told.data else ()), *of_pack(told.pack, told.rows)]
    digests = {r.name: row_digests(r.table(), ("target",)) for r in recipes()}
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        for one in unseen:
            for seed in range(told.seeds):
                scores.append(measure(one, seed, told.random, digests, server, Path(folder)))
                print(scores[-1], file=sys.stderr, flush=True)
    found = figures(scores)
    if told.json:
        rows = [asdict(s) for s in scores]
        print(json.dumps({"revision": revision(), "methods": found, "sets": rows}))
    else:
        show(scores, found)


if __name__ == "__main__":
    main()
