"""Data sets of a folder, each cut once into a training and a held-out part before any method sees it.

A data set is a folder with `data.csv.gz` (or `train.csv.gz` and `test.csv.gz`) and a `meta.json` that has `task`
(binary, multiclass or regression), `target`, and may have `drop_columns_leak` and `id_columns`, closed to all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELD_OUT = 0.25


@dataclass(frozen=True)
class Case:
    """One data set under one seed: its two files, what is to be predicted, and a digest of both files."""

    name: str
    seed: int
    task: str
    target: str
    drop: tuple[str, ...]
    folder: Path
    digest: str

    @property
    def train(self) -> Path:
        """The file that a method may learn from."""
        return self.folder / "train.csv"

    @property
    def test(self) -> Path:
        """The file to predict, with its target."""
        return self.folder / "test.csv"


def names(data: Path) -> list[str]:
    """Return the names of the data sets in a folder."""
    return sorted(meta.parent.name for meta in data.glob("*/meta.json"))


def by_hash(data: Path, count: int) -> list[str]:
    """Return the `count` data sets whose names have the smallest SHA-256: a choice that nobody makes."""
    return sorted(names(data), key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count]


def cut(data: Path, name: str, seed: int, cache: Path) -> Case:
    """Return a case; its files are written once and reused. Every cell stays the text that it was."""
    meta = json.loads((data / name / "meta.json").read_text("utf-8"))
    folder = cache / f"{name}-{seed}"
    if not (folder / "test.csv").is_file():
        train, test = _parts(data / name, meta["target"], meta["task"], seed)
        folder.mkdir(parents=True, exist_ok=True)
        train.to_csv(folder / "train.csv", index=False)
        (folder / "test.part").write_text(test.to_csv(index=False), "utf-8")
        (folder / "test.part").rename(folder / "test.csv")
    drop = tuple(dict.fromkeys([*meta.get("drop_columns_leak", []), *meta.get("id_columns", [])]))
    digest = hashlib.sha256((folder / "train.csv").read_bytes() + (folder / "test.csv").read_bytes()).hexdigest()[:16]
    return Case(name, seed, meta["task"], meta["target"], drop, folder, digest)


def _parts(folder: Path, target: str, task: str, seed: int) -> tuple[Any, Any]:
    if (folder / "test.csv.gz").is_file():
        train, test = _read(folder / "train.csv.gz"), _read(folder / "test.csv.gz")
    else:
        train, test = _divide(_read(folder / "data.csv.gz"), target, task, seed)
    train, test = train[train[target] != ""], test[test[target] != ""]
    if task != "regression":
        test = test[test[target].isin(train[target].unique())]
    return train, test


def _read(file: Path) -> Any:
    import pandas as pd

    return pd.read_csv(file, dtype=str, keep_default_na=False)


def _divide(table: Any, target: str, task: str, seed: int) -> tuple[Any, Any]:
    """Hold rows out at random; by class, as far as the classes' sizes allow."""
    from sklearn.model_selection import train_test_split

    counts = table[target].value_counts()
    by_class = task != "regression" and counts.min() >= 2 and len(counts) <= HELD_OUT * len(table)
    return tuple(
        train_test_split(table, test_size=HELD_OUT, random_state=seed, stratify=table[target] if by_class else None)
    )
