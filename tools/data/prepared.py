"""Prepared data: what a run trains on. Two Arrow parts, one for decisions and one for the single look, and their key.

`train.arrow` holds the rows that decisions may see, in an order in which every fold is one block; `test.arrow` holds
the test split and is opened by the final evaluation alone. Both are memory-mapped, so that processes share one copy.
Of tables they are matrices; of texts and pictures they are folders of `datasets`, and `passages.arrow` stands beside
them for retrieval. `prepared.json` holds the layout, and what turns raw rows into what models see.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from automl_gpt.cards.schema import Modality
from automl_gpt.tools.corpus.store import read_examples, read_passages
from automl_gpt.tools.train.protocol import Feature, Inputs, Target, TaskKind, task_of


class Layout(BaseModel):
    """What the matrices of prepared data mean.

    `labels` are the classes in the order of their codes, in the type that they had in the source. `folds` is 1
    where one validation split is cut, else the number of folds. `positive` is the code of the positive class of a
    binary task. `encoder` is the state of `automl_gpt.tools.data.encode.Encoder`; of texts and pictures it holds the
    source's names of the columns, by role.
    """

    model_config = ConfigDict(frozen=True)
    fingerprint: str
    modality: Modality = "tabular"
    task: TaskKind
    target: str
    labels: tuple[bool | int | float | str, ...] = ()
    positive: int | None = None
    features: tuple[Feature, ...] = ()
    folds: int
    rows_train: int
    rows_test: int
    encoder: dict[str, Any]

    @property
    def classes(self) -> int:
        """Number of classes of a classification; 0 for other tasks, also where they have labels."""
        return len(self.labels) if task_of(self.task) == "classification" else 0


@dataclass(frozen=True)
class Part:
    """Some rows: a matrix or examples, the target, weights where the card names a weight column."""

    x: Inputs
    y: Target
    weight: NDArray[np.float64] | None


@dataclass(frozen=True)
class Prepared:
    """Prepared data, opened. `fold` holds for each training row the fold that validates on it, -1 for none."""

    folder: Path
    layout: Layout
    rows: Part
    fold: NDArray[np.int8]

    def validation(self, fold: int) -> Part:
        """Return the rows that a fold validates on: one block, so a view."""
        return self._block(np.flatnonzero(self.fold == fold))

    def training(self, fold: int) -> Part:
        """Return the rows that a fold trains on: a view where they are one block, else a copy."""
        return self._block(np.flatnonzero(self.fold != fold))

    def out_of_fold(self) -> NDArray[np.intp]:
        """Return the positions of all rows that some fold validates on, in the order of the folds."""
        return np.flatnonzero(self.fold >= 0)

    def _block(self, index: NDArray[np.intp]) -> Part:
        whole = len(index) and index[-1] - index[0] + 1 == len(index)
        rows: Any = slice(int(index[0]), int(index[-1]) + 1) if whole else index
        weight = self.rows.weight
        return Part(self.rows.x[rows], self.rows.y[rows], None if weight is None else weight[rows])


def write_part(path: Path, part: Part, fold: NDArray[np.int8]) -> None:
    """Write rows as one uncompressed Arrow file that can be mapped without a copy."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(part.x, dtype=np.float32).reshape(-1))
    columns: dict[str, Any] = {"x": pa.FixedSizeListArray.from_arrays(flat, part.x.shape[1]), "y": pa.array(part.y)}
    if part.weight is not None:
        columns["weight"] = pa.array(part.weight)
    columns["fold"] = pa.array(fold)
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(1, table.num_rows))


def _read_part(path: Path) -> tuple[Part, NDArray[np.int8]]:
    if path.is_dir():
        x, y, weight, fold = read_examples(path)
        return Part(x, y, weight), fold
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()

    def one(name: str) -> Any:
        chunks = table.column(name).chunks
        return chunks[0] if len(chunks) == 1 else table.column(name).combine_chunks()

    width = table.schema.field("x").type.list_size
    x = one("x").flatten().to_numpy(zero_copy_only=True).reshape(-1, width)
    weight = one("weight").to_numpy() if "weight" in table.schema.names else None
    return Part(x, one("y").to_numpy(), weight), one("fold").to_numpy()


def read_layout(folder: Path) -> Layout:
    """Read the layout of prepared data alone."""
    return Layout.model_validate_json((folder / "prepared.json").read_text(encoding="utf-8"))


def open_prepared(folder: Path) -> Prepared:
    """Map prepared data. Nothing is copied; the test split stays closed."""
    rows, fold = _read_part(folder / "train.arrow")
    return Prepared(folder, read_layout(folder), rows, fold)


def open_passages(folder: Path) -> Inputs:
    """Map the passages that retrieval searches; None where there are none."""
    place = folder / "passages.arrow"
    return read_passages(place) if place.is_dir() else None


def open_test(folder: Path) -> Part:
    """Map the test split. Only the final evaluation calls this, and it counts the look."""
    return _read_part(folder / "test.arrow")[0]
