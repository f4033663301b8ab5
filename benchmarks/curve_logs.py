"""Our own logs of training: small networks on several data sets, random configurations, one accuracy per epoch.

    python -m benchmarks.curve_logs [--data DIR] [--sets 6] [--skip 0] [--configurations 40] [--json]

Makes the logs that `learning_curves`, `early_stopping` and `before_training` measure on, and keeps them in
`benchmarks/.curve_logs`, one file per data set, named by a digest of the data and of the version of this file. The sets
are classification sets of 500 to 20,000 rows of DIR (a folder of data sets, or one that has them in `tabular`), chosen
by the hash of their names; without --data, sets that scikit-learn carries and generated ones. The space is so wide that
some configurations never learn and some diverge.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.tune.space import matrix, random_point
from benchmarks.datasets import _read, by_hash, names
from benchmarks.mlp import Settings, accuracies

VERSION = 1
KEPT = Path(__file__).parent / ".curve_logs"
EPOCHS, CONFIGURATIONS, SETS = 50, 40, 6
FEWEST, MOST = 500, 20_000
"""Rows of a data set that is taken."""
TRAIN_ROWS, VALID_ROWS, LEVELS = 2000, 2000, 20
CARD = ModelCard.model_validate(
    {
        "name": "mlp", "tasks": ["classification"], "trainer": "mlp", "resources": {"seconds": 2.0},
        "search_space": {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "default": 0.05},
            "momentum": {"type": "float", "low": 0.0, "high": 0.99, "default": 0.9},
            "batch_size": {"type": "int", "low": 16, "high": 256, "log": True, "default": 64},
            "width": {"type": "int", "low": 8, "high": 128, "log": True, "default": 64},
            "depth": {"type": "int", "low": 1, "high": 3, "default": 2},
            "weight_decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True, "default": 1e-4},
            "activation": {"type": "categorical", "choices": ["relu", "tanh"], "default": "relu"},
        },
    }
)  # fmt: skip
"""The space that configurations are drawn from, uniformly in its unit cube."""


@dataclass(frozen=True)
class Log:
    """One training: its configuration, and the validation accuracy after each epoch, 1 to `len(values)`."""

    configuration: Hyperparameters
    values: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """All logs of one data set: configurations, coordinates (n, hyperparameters), accuracies (n, epochs)."""

    name: str
    configurations: tuple[Hyperparameters, ...]
    points: NDArray[np.float64]
    values: NDArray[np.float64]


def curve_logs(
    data: Path | None, sets: int = SETS, skip: int = 0, count: int = CONFIGURATIONS, kept: Path = KEPT
) -> list[Curves]:
    """Return the logs of `sets` data sets after the first `skip` ones in the order of their hashes, made where missing.

    `data` is a folder of data sets or one that has them in `tabular`; None: scikit-learn's and generated ones.
    """
    return [_curves(*_prepared(data, name), name, count, kept) for name in chosen(data)[skip : skip + sets]]


def chosen(data: Path | None) -> list[str]:
    """Return the names of all sets that fit, in the order of their SHA-256: a choice that nobody makes."""
    if data is None:
        return list(_own())
    folder = _folder(data)
    return [n for n in by_hash(folder, len(names(folder))) if _fits(folder / n)]


def _folder(data: Path) -> Path:
    return data / "tabular" if (data / "tabular").is_dir() else data


def _fits(folder: Path) -> bool:
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    return meta.get("task") in ("binary", "multiclass") and FEWEST <= int(meta.get("n_rows", 0)) <= MOST


def _own() -> dict[str, Any]:
    """Return makers of data sets that need no files."""
    from sklearn import datasets

    def made(seed: int, classes: int, noise: float) -> Any:
        def make() -> tuple[Any, Any]:
            return datasets.make_classification(
                2500, 20, n_informative=8, n_classes=classes, flip_y=noise, n_clusters_per_class=2, random_state=seed
            )

        return make

    return {
        "digits": lambda: datasets.load_digits(return_X_y=True),
        "generated_2": made(0, 2, 0.1),
        "breast_cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
        "generated_5": made(1, 5, 0.02),
        "moons": lambda: datasets.make_moons(2000, noise=0.25, random_state=2),
        "quantiles": lambda: datasets.make_gaussian_quantiles(
            n_samples=2000, n_features=6, n_classes=4, random_state=3
        ),
    }


def _prepared(data: Path | None, name: str) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return standardised columns, categories one-hot, and class numbers."""
    import pandas as pd

    if data is None:
        x, y = _own()[name]()
        frame, target = pd.DataFrame(x), pd.Series(y).astype(str)
    else:
        folder = _folder(data) / name
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        file = next(f for f in (folder / "data.csv.gz", folder / "train.csv.gz") if f.is_file())
        frame = _read(file)
        frame = frame[frame[meta["target"]] != ""]
        target = frame[meta["target"]]
        closed = {meta["target"], *meta.get("drop_columns_leak", []), *meta.get("id_columns", [])}
        frame = frame.drop(columns=[c for c in frame.columns if c in closed])
    columns = [_coded(frame[c]) for c in frame.columns]
    return np.column_stack([c for c in columns if c.size]).astype(np.float32), np.unique(target, return_inverse=True)[1]


def _coded(column: Any) -> NDArray[np.float64]:
    """Return one standardised column of a numeric one, else one for each of the most frequent values."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if numbers.notna().mean() >= 0.5 and numbers.nunique() > 2:
        filled = numbers.fillna(numbers.mean()).to_numpy()
        return ((filled - filled.mean()) / max(filled.std(), 1e-12)).reshape(-1, 1)
    text = column.astype(str)
    levels = text.value_counts().index[:LEVELS]
    return np.column_stack([(text == level).to_numpy(float) for level in levels])


def _curves(x: NDArray[np.float32], y: NDArray[np.intp], name: str, count: int, kept: Path) -> Curves:
    made_by = json.dumps([VERSION, count, EPOCHS, TRAIN_ROWS, VALID_ROWS, CARD.model_dump(mode="json")])
    digest = hashlib.sha256(x.tobytes() + y.tobytes() + made_by.encode()).hexdigest()[:16]
    file = kept / f"{name}-{digest}.json"
    if not file.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps([asdict(log) for log in _made(x, y, digest, count)]), "utf-8")
        part.rename(file)
    logs = [Log(**record) for record in json.loads(file.read_text("utf-8"))]
    configurations = tuple(log.configuration for log in logs)
    return Curves(name, configurations, matrix(CARD, configurations), np.array([log.values for log in logs]))


def _made(x: NDArray[np.float32], y: NDArray[np.intp], digest: str, count: int) -> Sequence[Log]:
    """Train every configuration; the same seeds and the same data give the same logs."""
    from threadpoolctl import threadpool_limits

    seed = int(digest, 16) % 2**32
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    held = min(VALID_ROWS, len(y) // 4)
    valid, train = order[:held], order[held : held + TRAIN_ROWS]
    logs: list[Log] = []
    with threadpool_limits(1):
        for i in range(count):
            drawn = random_point(CARD, rng)
            settings = Settings(**drawn)  # type: ignore[arg-type]
            found = accuracies((x[train], y[train]), (x[valid], y[valid]), settings, EPOCHS, seed + i)
            logs.append(Log(drawn, tuple(found)))
    return logs


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the logs and say what they look like."""
    parser = argparse.ArgumentParser(description="make and keep logs of small networks")
    parser.add_argument("--data", type=Path, help="a folder of data sets")
    parser.add_argument("--sets", type=int, default=SETS, help="how many data sets")
    parser.add_argument("--skip", type=int, default=0, help="how many to pass over first")
    parser.add_argument("--configurations", type=int, default=CONFIGURATIONS, help="trainings of each data set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    found = curve_logs(given.data, given.sets, given.skip, given.configurations)
    figures = {
        c.name: {
            "best": float(c.values.max()),
            "median": float(np.median(c.values[:, -1])),
            "worst": float(c.values[:, -1].min()),
            "gain_after_tenth": float(np.abs(c.values[:, -1] - c.values[:, EPOCHS // 10 - 1]).mean()),
        }
        for c in found
    }
    if given.json:
        print(json.dumps({"sets": figures}))
        return
    table = Table(title=f"{given.configurations} networks, {EPOCHS} epochs, validation accuracy")
    for heading in ("set", "best", "median at the end", "worst at the end", "mean change after a tenth"):
        table.add_column(heading, justify="left" if heading == "set" else "right")
    for name, row in figures.items():
        table.add_row(name, *(f"{v:.3f}" for v in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
