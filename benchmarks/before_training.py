"""Forecasts before training: order and value of 30 configurations' final accuracies, from 10 finished trials.

    python -m benchmarks.before_training [--data DIR] [--sets 6] [--skip 0] [--seeds 5] [--json]

On our own logs (`curve_logs`): of the 40 configurations of each data set ten, drawn at random, are the finished trials
of a run, and the others are forecast, alone and with all trials of the other data sets as experience. Ours is what the
product says of a run in that state. Peers get the same: a random forest on hyperparameters (its trees' spread as
interval), a Gaussian process (Matern 5/2, a length for each hyperparameter or one for all, noise; by marginal
likelihood), the 3 nearest trials, and the plain guess, the median so far. With experience these see all data sets,
scores standardised by data set; the processes have a column for each data set (an offset, correlated by a learnt
length), the others have none.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.schema import CategoricalRange, DataCard
from automl_gpt.tools.data.report import MetaFeatures, Profile
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.past import PastSet, PastTrial
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Row
from automl_gpt.tools.tune.forecasts.forecast import forecast
from benchmarks.bayesmark import Table as Labelled
from benchmarks.bayesmark_experience import profiled
from benchmarks.curve_logs import CARD, CONFIGURATIONS, KEPT, SETS, Curves, _prepared, curve_logs
from benchmarks.recalled import made_trials, recalled

TRIALS, NEIGHBOURS, TREES = 10, 3, 200
Z = 1.2816
"""Standard deviations from the middle to either end of an 80% interval."""
TARGETS = {"alone": 0.77, "experience": 0.85}
PUBLISHED = {"gpt35": {"alone": 0.615}, "forest": {"alone": 0.74}, "gp": {"alone": 0.75, "experience": 0.825}}
Vector = NDArray[np.float64]
Said = tuple[Vector, Vector, Vector]
"""Middle, low and high end of each configuration's interval."""


@dataclass(frozen=True)
class Set:
    """The trials of one data set, and what is known of the data."""

    logs: Curves
    meta: MetaFeatures
    counts: tuple[int, ...]

    @property
    def final(self) -> Vector:
        """Final accuracies, (n,)."""
        return self.logs.values[:, -1]

    @property
    def inputs(self) -> Vector:
        """Unit coordinates, categories one-hot: what the peers see."""
        blocks: list[Vector] = []
        for column, space in zip(self.logs.points.T, CARD.search_space.values(), strict=True):
            levels = range(len(space.choices)) if isinstance(space, CategoricalRange) else None
            blocks.append(column[:, None] if levels is None else np.array([column == i for i in levels], float).T)
        return np.hstack(blocks)


def sets(
    data: Path | None, count: int, skip: int, configurations: int = CONFIGURATIONS, kept: Path = KEPT
) -> list[Set]:
    """Return data sets with their logs, which are kept in a folder."""
    found = curve_logs(data, count, skip, configurations, kept)
    return [_described(logs, *_prepared(data, logs.name)) for logs in found]


def _described(logs: Curves, x: Any, y: Any) -> Set:
    profile = profiled(Labelled(logs.name, x, y, regression=False))
    return Set(logs, profile.meta, tuple(int(c) for c in np.bincount(y)))


# --------------------------------------------------------------------------------------------------------------- ours


def run_of(target: Set, trials: Sequence[int], others: Sequence[Set]) -> RunState:
    """Return a run in which some of a data set's trials are finished."""
    request, meta, rows = e.Request(), target.meta, target.meta.rows
    start = e.RunStarted(data_card=DataCard(source="x.csv", target="y"), model_cards=(CARD,), request=request)
    state = RunState("measured", start, request)
    profile = Profile(
        name=target.logs.name, fingerprint=target.logs.name, target="y", class_counts=target.counts, rows=rows,
        task="binary" if meta.classes == 2 else "multiclass", labels=tuple(map(str, range(meta.classes))),
        rows_train=rows, rows_test=0, folds=1, rows_valid=min(2000, rows // 4), split="random", columns=(),
        features=meta.columns, meta=meta,
    )  # fmt: skip
    state.apply(e.DataProfiled(profile=profile, metric="accuracy"))
    if others:
        state.apply(e.ExperienceFound(trials=tuple(_experience(profile, others))))
    for number, i in enumerate(trials, 1):
        _finish(state, number, target.logs, i)
    return state


def _experience(profile: Profile, others: Sequence[Set]) -> list[e.SimilarTrial]:
    known: dict[PastSet, list[PastTrial]] = {}
    for other in others:
        name, baseline = other.logs.name, max(other.counts) / sum(other.counts)
        best = float(other.final.max())
        one = PastSet(name, "accuracy", profile.task, name, "", "", other.meta, baseline, best)
        pairs = zip(other.logs.configurations, other.final.tolist(), strict=True)
        known[one] = made_trials(one, CARD.name, list(pairs))
    return recalled(profile.fingerprint, profile.task, "accuracy", profile.meta, known)


def _finish(state: RunState, number: int, logs: Curves, i: int) -> None:
    score = float(logs.values[i, -1])
    rows = tuple(Row(step=s, metrics={"valid": float(v)}) for s, v in enumerate(logs.values[i], 1))
    h = logs.configurations[i]
    state.apply(e.TrialProposed(trial=number, model=CARD.name, hyperparameters=h, reason="", by="random", seed=number))
    state.apply(e.TrialStarted(trial=number, worker=0, at_seconds=0.0))
    state.apply(e.RowsLogged(trial=number, rows=rows))
    state.apply(
        e.TrialFinished(trial=number, status="finished", value=score, folds=(score,), complete=True, seconds=1.0)
    )


def ours(target: Set, trials: Sequence[int], new: Sequence[int], others: Sequence[Set]) -> tuple[Said, float]:
    """Return the product's forecasts, and the median seconds of one."""
    state = run_of(target, trials, others)
    forecast(state, CARD, CARD.default())
    said: list[tuple[float, float, float]] = []
    took: list[float] = []
    for i in new:
        began = time.perf_counter()
        found = forecast(state, CARD, target.logs.configurations[i])
        took.append(time.perf_counter() - began)
        said.append((found.value, found.low, found.high))
    middle, low, high = np.array(said).T
    return (middle, low, high), float(np.median(took))


# -------------------------------------------------------------------------------------------------------------- peers


def _seen(target: Set, trials: Sequence[int], others: Sequence[Set], tagged: bool) -> tuple[Vector, Vector]:
    """Return inputs and standardised scores of all that is known; tagged: with a column for each data set."""
    own = target.final[list(trials)]
    x = [target.inputs[list(trials)], *(o.inputs for o in others)]
    y = [standard(own, own), *(standard(o.final, o.final) for o in others)]
    if tagged and others:
        x = [np.hstack([block, np.tile(np.eye(len(x))[i], (len(block), 1))]) for i, block in enumerate(x)]
    return np.vstack(x), np.concatenate(y)


def standard(values: Vector, among: Vector) -> Vector:
    """Return values in units of the spread of some."""
    return (values - among.mean()) / max(float(among.std()), 1e-6)


def _forest(x: Vector, y: Vector, new: Vector, seed: int) -> tuple[Vector, Vector]:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, random_state=seed).fit(x, y)
    told = np.array([tree.predict(new) for tree in forest.estimators_])
    return told.mean(axis=0), told.std(axis=0)


def _process(x: Vector, y: Vector, new: Vector, seed: int, lengths: bool = True) -> tuple[Vector, Vector]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel() * Matern(np.ones(x.shape[1]) if lengths else 1.0, (0.05, 20.0), nu=2.5) + WhiteKernel(
        0.05, (1e-4, 1.0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianProcessRegressor(kernel, random_state=seed).fit(x, y).predict(new, return_std=True)


def _nearest(x: Vector, y: Vector, new: Vector, seed: int) -> tuple[Vector, Vector]:
    del seed
    order = np.argsort(((new[:, None] - x[None]) ** 2).sum(axis=2), axis=1, kind="stable")[:, :NEIGHBOURS]
    return y[order].mean(axis=1), y[order].std(axis=1, ddof=1)


def _plain_process(x: Vector, y: Vector, new: Vector, seed: int) -> tuple[Vector, Vector]:
    return _process(x, y, new, seed, lengths=False)


Peer = Callable[[Vector, Vector, Vector, int], tuple[Vector, Vector]]
PEERS: dict[str, Peer] = {"forest": _forest, "gp": _process, "gp_one_length": _plain_process, "knn": _nearest}


def peer(name: str, target: Set, trials: Sequence[int], new: Sequence[int], others: Sequence[Set], seed: int) -> Said:
    """Return a peer's forecasts."""
    own = target.final[list(trials)]
    if name == "median":
        low, middle, high = np.quantile(own, (0.1, 0.5, 0.9))
        return np.full(len(new), middle), np.full(len(new), low), np.full(len(new), high)
    x, y = _seen(target, trials, others, name.startswith("gp"))
    at = target.inputs[list(new)]
    at = np.hstack([at, np.tile(np.eye(x.shape[1] - at.shape[1])[0], (len(at), 1))]) if x.shape[1] > at.shape[1] else at
    mean, std = PEERS[name](x, y, at, seed)
    width = max(float(own.std()), 1e-6)
    middle, half = np.clip(own.mean() + width * mean, 0, 1), Z * width * std
    return middle, middle - half, middle + half


# ----------------------------------------------------------------------------------------------------------- figures


def ordered(said: Vector, truth: Vector) -> float:
    """Return the share of pairs in the right order; pairs that are equal in truth are out, equal guesses count half."""
    i, j = np.triu_indices(len(truth), 1)
    different = truth[i] != truth[j]
    right = np.sign(said[i] - said[j]) * np.sign(truth[i] - truth[j])
    return float((right[different] + 1).mean() / 2) if different.any() else float("nan")


def figures(said: Said, truth: Vector) -> dict[str, float]:
    """Return what forecasts were worth."""
    from scipy.stats import spearmanr

    middle, low, high = said
    constant = len(set(middle.tolist())) < 2 or len(set(truth.tolist())) < 2
    return {
        "pairs": ordered(middle, truth),
        "mae": float(np.abs(middle - truth).mean()),
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "width": float((high - low).mean()),
        "rank_correlation": 0.0 if constant else float(spearmanr(middle, truth)[0]),
    }


def measured(found: Sequence[Set], seeds: int) -> dict[str, dict[str, float]]:
    """Return the figures of every method, means over sets and seeds: `pairs_alone`, `pairs_experience`, and so on."""
    rows: dict[str, dict[str, list[float]]] = {}
    for target in found:
        rest = [o for o in found if o is not target]
        for seed in range(seeds):
            order = np.random.default_rng([seed, *target.logs.name.encode()]).permutation(len(target.final)).tolist()
            trials, new = order[:TRIALS], order[TRIALS:]
            for kind, others in (("alone", []), ("experience", rest)):
                told, took = ours(target, trials, new, others)
                all_said = {
                    "automl-gpt": told,
                    **{n: peer(n, target, trials, new, others, seed) for n in (*PEERS, "median")},
                }
                for name, said in all_said.items():
                    result = figures(said, target.final[new]) | ({"seconds": took} if name == "automl-gpt" else {})
                    for key, value in result.items():
                        for suffix in ("", f"_{kind}"):
                            rows.setdefault(name, {}).setdefault(key + suffix, []).append(value)
    return {name: {key: float(np.nanmean(values)) for key, values in keys.items()} for name, keys in rows.items()}


def show(results: dict[str, dict[str, float]]) -> Table:
    """Return the table."""
    table = Table(
        title=f"Before training, {TRIALS} finished trials: pairs in order, mean error (ours / theirs), coverage"
    )
    table.add_column("method")
    for kind in TARGETS:
        for heading in ("pairs", "error", "covered"):
            table.add_column(f"{heading}, {kind}", justify="right")
    best = results["automl-gpt"]
    for name, row in results.items():
        cells: list[str] = []
        for kind in TARGETS:
            ratio = "" if name == "automl-gpt" else f" ({best[f'mae_{kind}'] / row[f'mae_{kind}']:.2f})"
            ahead = "" if name == "automl-gpt" else f" ({100 * (best[f'pairs_{kind}'] - row[f'pairs_{kind}']):+.1f})"
            cells += [
                f"{row[f'pairs_{kind}']:.1%}{ahead}",
                f"{row[f'mae_{kind}']:.4f}{ratio}",
                f"{row[f'coverage_{kind}']:.0%}",
            ]
        table.add_row(name, *cells)
    for name, row in {"target": TARGETS, **{f"{n}, published": r for n, r in PUBLISHED.items()}}.items():
        cells = [c for k in TARGETS for c in (f"{row[k]:.1%}" if k in row else "", "", "")]
        table.add_row(name, *cells, style="dim")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="forecasts before training, beside their peers")
    parser.add_argument("--data", type=Path, help="a folder of data sets")
    parser.add_argument("--sets", type=int, default=SETS, help="how many data sets")
    parser.add_argument("--skip", type=int, default=0, help="how many data sets to pass over")
    parser.add_argument("--seeds", type=int, default=5, help="how many draws of the finished trials")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    found = sets(given.data, given.sets, given.skip)
    results = measured(found, given.seeds)
    if given.json:
        print(json.dumps({"methods": results}))
        return
    console = Console(width=max(Console().width, 120))
    console.print(show(results))
    took = ", ".join(f"{kind} {1000 * results['automl-gpt'][f'seconds_{kind}']:.1f} ms" for kind in TARGETS)
    console.print(f"One forecast: {took}; the sets: {', '.join(s.logs.name for s in found)}")


if __name__ == "__main__":
    main()
