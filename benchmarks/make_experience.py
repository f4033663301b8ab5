"""Make the experience that the product ships with, by its own data preparation, trainers, journal and export.

    python -m benchmarks.make_experience [--out FILE] [--seconds 900] [--home FOLDER]

On each data set of benchmarks/experience_sets.py every Model Card for tables is trained: its default, its hand-picked
portfolio, and configurations drawn once, so that all can be compared between sets. Trials are kept in a home, so that
an interrupted making goes on where it was; --seconds ends it early. One thread, fixed seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard, Split
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.experience.exchange import export_file
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.live import LiveRun
from automl_gpt.tools.journal.state import TRIVIAL
from automl_gpt.tools.journal.store import Journal, open_journal
from automl_gpt.tools.process.client import Server
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.pool import TrialPool
from automl_gpt.tools.train.protocol import task_of
from automl_gpt.tools.tune.forecasts.stopping import StopRule
from automl_gpt.tools.tune.search.portfolio import shipped
from automl_gpt.tools.tune.space import encode, random_point, repeats
from benchmarks.experience_sets import Recipe, recipes

ROOT = Path(__file__).parents[1]
PLAN = {
    "lightgbm": (3, 2),
    "xgboost": (2, 2),
    "random_forest": (2, 1),
    "extra_trees": (2, 1),
    "linear": (2, 3),
    "k_nearest_neighbours": (2, 0),
    "mlp": (0, 2),
}
"""Models; how many hand-picked configurations of each are tried, and how many are drawn once for all data sets."""
LONGEST = 20.0
"""Seconds after which a trial is cut short."""
SEED = 0


def configurations(card: ModelCard, metric: str) -> list[Hyperparameters]:
    """Return what is tried of a model, the same on every data set, and none twice."""
    if card.name == TRIVIAL:
        return [card.default()]
    picked, drawn = PLAN[card.name]
    rng = np.random.default_rng(int(hashlib.sha256(card.name.encode()).hexdigest()[:12], 16))
    wanted = [card.default(), *shipped(card, metric)[:picked], *(random_point(card, rng) for _ in range(drawn))]
    kept: list[Hyperparameters] = []
    for configuration in wanted:
        if not kept or not repeats(card, encode(card, configuration), np.array([encode(card, k) for k in kept])):
            kept.append(configuration)
    return kept


def begin(journal: Journal, recipe: Recipe, folder: Path) -> LiveRun:
    """Begin a data set's run, or take it up again."""
    name = next((r.run for r in journal.runs() if r.name == recipe.name), None)
    if name is not None:
        return LiveRun(journal, journal.state(name))
    file = folder / f"{recipe.name}.csv"
    recipe.table().to_csv(file, index=False)
    split = Split(kind="random", folds=recipe.folds)
    card = DataCard(name=recipe.name, description=recipe.about, source=str(file), target="target", split=split)
    cards = model_cards()
    models = tuple(cards[name] for name in (TRIVIAL, *PLAN))
    run = journal.create(e.RunStarted(data_card=card, model_cards=models, request=e.Request(seed=SEED)))
    live = LiveRun(journal, journal.state(run))
    profile = prepare(card, None, live.folder / "data")
    metric = metric_for(None, profile.task).name
    live.record(e.DataProfiled(profile=profile, metric=metric))
    live.record(*_proposed(live, profile.task, metric))
    return live


def _proposed(live: LiveRun, task: str, metric: str) -> list[e.Event]:
    state = live.state
    fits = [c for c in state.model_cards.values() if task_of(task) in c.tasks]  # type: ignore[arg-type]
    drawn = [(card.name, one) for card in fits for one in configurations(card, metric)]
    return [
        e.TrialProposed(trial=number, model=model, hyperparameters=one, reason="experience", by="make", seed=number)
        for number, (model, one) in enumerate(drawn, start=1)
    ]


def train(live: LiveRun, server: Server, ends: float) -> Iterator[e.Event]:
    """Train what the run proposes and has not trained yet, one trial after the other."""
    began = time.monotonic()
    pool = TrialPool(server, 1, 4 * 2**30, lambda: time.monotonic() - began)
    for trial in live.state.ordered():
        if trial.end is not None or time.monotonic() > ends:
            continue
        card, out = live.state.model_cards[trial.model], live.folder / "trials" / f"{trial.number:04d}"
        live.record(e.TrialStarted(trial=trial.number, worker=0, at_seconds=time.monotonic() - began))
        job = Job(
            trial=trial.number, model=card.name, trainer=card.trainer, hyperparameters=trial.hyperparameters,
            data=str(live.folder / "data"), out=str(out), metric=live.state.need_metric().name,
            seed=trial.proposal.seed, deadline=time.monotonic() + LONGEST, rule=StopRule.model_construct(),
        )  # fmt: skip
        pool.start(job, 0)
        while pool.busy():
            for event in pool.poll(0.5):
                yield from live.record(event)
    pool.kill_all()


def main() -> None:
    """Make, export, say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tools" / "experience" / "pack.jsonl.gz")
    parser.add_argument("--home", type=Path, default=ROOT / "benchmarks" / ".experience")
    parser.add_argument("--seconds", type=float, default=900.0, help="end after so long; the next call goes on")
    parser.add_argument("--sets", default="", help="names, with commas between; default: all")
    told = parser.parse_args()
    home, ends = told.home.resolve(), time.monotonic() + told.seconds
    journal = open_journal(f"sqlite:///{home / 'journal.db'}", home)
    chosen = [r for r in recipes() if not told.sets or r.name in told.sets.split(",")]
    with Server() as server:
        for recipe in chosen:
            if time.monotonic() > ends:
                break
            began = time.monotonic()
            live = begin(journal, recipe, home)
            ended = sum(isinstance(event, e.TrialFinished) for event in train(live, server, ends))
            print(f"{recipe.name}: {ended} trials, {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    done = export_file(journal, told.out, product="automl-gpt")
    size = told.out.stat().st_size / 1000
    print(f"{told.out}: {done.trials} trials on {done.sets} data sets, {size:.0f} KB")


if __name__ == "__main__":
    main()
