"""How long experience takes to be recalled, out of up to a million trials in SQLite; and to be imported and exported.

    python -m benchmarks.experience_scale [--trials 1000000] [--sets 10000] [--repeat 30] [--home FOLDER] [--json]

Trials are generated: data sets drawn at random, each with its card's words, and as many trials on each. The peer is
what the journal did before: read the newest 5,000 trials of the task and metric with their data sets, and compare all.
Times are medians and slowest of `--repeat` recalls, of new data each time, after the connection is open; the home is
kept if it is named.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.experience.distance import distances
from automl_gpt.tools.experience.pack import shipped
from automl_gpt.tools.experience.recall import Question, recall
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.past import PastSet, PastTrial
from automl_gpt.tools.journal.store import Journal, open_journal
from automl_gpt.tools.journal.tables import tables

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
MODELS = ("lightgbm", "xgboost", "random_forest", "extra_trees", "linear", "k_nearest_neighbours", "mlp")
WORDS = [f"{a}{b}" for a in ("card", "flow", "heart", "loan", "rain", "sale", "steel", "wine") for b in range(250)]


def draw_set(rng: np.random.Generator, number: int) -> PastSet:
    """Draw a data set."""
    task = list(METRICS)[rng.integers(3)]
    classes = {"binary": 2, "multiclass": int(rng.integers(3, 12)), "regression": 0}[task]
    rows, columns = int(10 ** rng.uniform(2, 5.5)), int(10 ** rng.uniform(0.5, 2.2))
    categorical = int(columns * rng.random() ** 2)
    marks = rng.uniform(0, 1, 3)
    meta = MetaFeatures(
        rows=rows, columns=columns, numeric=columns - categorical, categorical=categorical, classes=classes,
        class_entropy=float(np.log2(max(classes, 1)) * rng.uniform(0.6, 1)), landmark=float(marks[0]),
        minority_share=float(rng.uniform(0.02, 1) / classes) if classes else 0.0, linear=float(marks[1]),
        missing=float(max(0, rng.normal(0, 0.1))), neighbour=float(marks[2]),
    )  # fmt: skip
    text = f"set_{number}\n" + " ".join(rng.choice(WORDS, 40))
    return PastSet(f"{number:032x}", METRICS[task], task, f"set_{number}", text, text, meta, 0.5, 0.95)


def draw_trials(rng: np.random.Generator, one: PastSet, count: int) -> list[PastTrial]:
    """Draw a data set's trials."""
    curve = tuple((step, 0.7) for step in range(1, 17))
    return [
        PastTrial(one.fingerprint, one.metric, MODELS[i % 7], {"learning_rate": float(rng.uniform(0.01, 0.3)),
                  "num_leaves": int(rng.integers(4, 256))}, float(rng.uniform(0.5, 0.95)), 1.0, 100.0, curve,
                  f"file_{i % 5}", imported=True)
        for i in range(count)
    ]  # fmt: skip


def fill(journal: Journal, sets: int, trials: int) -> float:
    """Fill the store; return the seconds that it took."""
    rng, began, each = np.random.default_rng(0), time.perf_counter(), max(1, trials // sets)
    for start in range(0, sets, 100):
        with journal.database.writing() as connection:
            for number in range(start, min(sets, start + 100)):
                one = draw_set(rng, number)
                past.keep_set(connection, one)
                past.keep_trials(connection, draw_trials(rng, one, each), time.time())
        if start % 2000 == 0:
            print(f"{start * each} trials, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return time.perf_counter() - began


def questions(count: int) -> list[Question]:
    """Draw data that nobody has seen."""
    rng = np.random.default_rng(1)
    drawn = [draw_set(rng, 10**9 + i) for i in range(count)]
    return [Question(s.fingerprint, s.task, s.metric, s.meta, s.card, s.about) for s in drawn]


def newest(journal: Journal, question: Question) -> list[Any]:
    """Do what the journal did before: read the newest 5,000 trials of the metric, and compare their data sets."""
    from sqlalchemy import select

    t, s = tables().past_trials, tables().past_sets
    joined = t.join(s, (s.c.fingerprint == t.c.fingerprint) & (s.c.metric == t.c.metric))
    query = select(t.c.fingerprint, t.c.hyperparameters, t.c.value, s.c.meta, s.c.about).select_from(joined)
    query = query.where(s.c.task == question.task, t.c.metric == question.metric).order_by(t.c.added.desc())
    with journal.database.reading() as connection:
        rows = connection.execute(query.limit(5000)).all()
    metas = {row.fingerprint: MetaFeatures.model_validate_json(row.meta) for row in rows}
    far = dict(zip(metas, distances(question.meta, list(metas.values())), strict=True))
    return sorted(([json.loads(r.hyperparameters), far[r.fingerprint]] for r in rows), key=lambda pair: pair[1])[:400]


def timed(ask: Callable[[Question], list[Any]], asked: list[Question]) -> dict[str, float]:
    """Return median and slowest time and processor time, in milliseconds, and how many trials came back on average."""
    spans: list[float] = []
    used: list[float] = []
    found: list[int] = []
    for question in asked:
        began, processor = time.perf_counter(), time.process_time()
        found.append(len(ask(question)))
        spans.append(1000 * (time.perf_counter() - began))
        used.append(1000 * (time.process_time() - processor))
    return {
        "median_ms": float(np.median(spans)), "slowest_ms": max(spans), "median_processor_ms": float(np.median(used)),
        "trials_found": float(np.mean(found)),
    }  # fmt: skip


def measure(home: Path, sets: int, trials: int, repeat: int) -> dict[str, Any]:
    """Fill a home, unless it is filled, and measure."""
    journal = open_journal(f"sqlite:///{home / 'journal.db'}", home)
    with journal.database.reading() as connection:
        filled = sum(s.trials for s in past.sources(connection))
    seconds = fill(journal, sets, trials) if not filled else 0.0
    shipped()
    asked = questions(repeat)
    recall(journal, asked[0])
    found = {
        "automl-gpt": timed(lambda q: recall(journal, q), asked),
        "newest_5000": timed(lambda q: newest(journal, q), asked[:5]),
    }
    journal.close()
    return {"sets": sets, "trials": trials, "fill_seconds": seconds, "methods": found}


def show(results: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(
        "trials", "data sets", "method", "median ms", "slowest ms", "processor ms", "ratio", "trials found", box=None
    )
    for result in results:
        ours = result["methods"]["automl-gpt"]["median_ms"]
        for name, figures in result["methods"].items():
            table.add_row(
                f"{result['trials']:,}", f"{result['sets']:,}", name, f"{figures['median_ms']:.1f}",
                f"{figures['slowest_ms']:.1f}", f"{figures['median_processor_ms']:.1f}",
                f"{figures['median_ms'] / ours:.2f}", f"{figures['trials_found']:.0f}",
            )  # fmt: skip
    Console(highlight=False).print(table)


def main() -> None:
    """Measure at a hundredth, a tenth and all of the trials, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--home", type=Path, help="keep the generated stores here")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    told = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for part in (100, 10, 1):
            home = (told.home or Path(scratch)).resolve() / f"{told.trials // part}_{told.sets // part}"
            results.append(measure(home, max(1, told.sets // part), told.trials // part, told.repeat))
    if told.json:
        print(json.dumps({"methods": results[-1]["methods"], "sizes": results}))
    else:
        show(results)


if __name__ == "__main__":
    main()
