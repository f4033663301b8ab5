"""Examples on the disk: folders of `datasets`, memory-mapped, with answers, weights and folds beside the roles."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.examples import Examples, dump_records, parse_records
from automl_gpt.tools.train.protocol import Target

ANSWER, RECORD, WEIGHT, FOLD = "_answer", "_record", "_weight", "_fold"
"""Columns that are no role: a code or value, a record as JSON, a weight, the fold that validates on the row."""
Stored = tuple[Examples, Target, NDArray[np.float64] | None, NDArray[np.int8]]


def write_examples(
    path: Path,
    examples: Examples,
    y: Target,
    weight: NDArray[np.float64] | None,
    fold: NDArray[np.int8],
    rows: NDArray[np.intp] | None = None,
) -> None:
    """Write rows (None: all, in their order) as a folder that `read_examples` maps; pictures are stored within.

    An older folder is replaced. Rows are chosen while they are written, so that no chosen copy stands in memory.
    """
    from datasets import Dataset, concatenate_datasets

    columns = _own_columns(y, weight, fold)
    # Given fingerprints keep `datasets` from pickling all columns only to hash them.
    beside: Any = Dataset(columns, fingerprint=f"{path.name}-{columns.nbytes}")
    dataset: Any = concatenate_datasets([examples.dataset, beside], axis=1)
    if rows is not None:
        dataset = dataset.select(rows, keep_in_memory=True)
    fresh = path.with_name(f"{path.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    quiet()
    dataset.save_to_disk(str(fresh))
    shutil.rmtree(path, ignore_errors=True)
    fresh.rename(path)


def _own_columns(y: Target, weight: NDArray[np.float64] | None, fold: NDArray[np.int8]) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {RECORD: pa.array(dump_records(y))} if y.dtype == object else {ANSWER: pa.array(y)}
    if weight is not None:
        columns[WEIGHT] = pa.array(weight)
    return pa.table({**columns, FOLD: pa.array(fold)})


def read_examples(path: Path) -> Stored:
    """Map the examples, and read their answers, weights and folds."""
    from datasets import load_from_disk

    dataset: Any = load_from_disk(str(path))
    own = [name for name in dataset.column_names if name not in (ANSWER, RECORD, WEIGHT, FOLD)]
    # As Arrow: the numpy format of `datasets` would turn 8 bytes of a number into 4, and 4 into 8.
    told: Any = dataset.select_columns([n for n in dataset.column_names if n not in own]).with_format("arrow")[:]
    y = told[ANSWER].to_numpy() if ANSWER in told.column_names else parse_records(told[RECORD].to_pylist())
    weight = told[WEIGHT].to_numpy() if WEIGHT in told.column_names else None
    return Examples(dataset.select_columns(own)), y, weight, told[FOLD].to_numpy()


def write_passages(path: Path, passages: list[str]) -> None:
    """Write the passages that retrieval searches."""
    from datasets import Dataset

    quiet()
    Dataset.from_dict({"text": passages}).save_to_disk(str(path))


def read_passages(path: Path) -> Examples:
    """Map the passages: examples with the role text."""
    from datasets import load_from_disk

    return Examples(load_from_disk(str(path)))


def quiet() -> None:
    """Keep `datasets` from drawing progress bars: the screen is somebody else's."""
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
