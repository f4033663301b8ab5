"""From raw tables to the matrix that models see, and back from codes to labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import suggestion
from automl_gpt.tools.data.encoders import AnyEncoder, fit_column
from automl_gpt.tools.data.infer import Column
from automl_gpt.tools.train.protocol import Feature, Matrix

_STATE: TypeAdapter[tuple[AnyEncoder, ...]] = TypeAdapter(tuple[AnyEncoder, ...])


@dataclass(frozen=True)
class Encoder:
    """Fitted encoders, one for each input column. Nothing of the target goes into them."""

    columns: tuple[AnyEncoder, ...]

    @classmethod
    def fit(cls, frame: Any, columns: Iterable[Column], rows: NDArray[np.intp] | None = None) -> Encoder:
        """Fit on some rows of a table (None: all)."""
        return cls(tuple(fit_column(_taken(frame[column.name], rows), column) for column in columns))

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns of the matrix."""
        return tuple(feature for column in self.columns for feature in column.features())

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return tuple(column.name for column in self.columns)

    def transform(self, frame: Any, rows: NDArray[np.intp] | None = None, notes: list[str] | None = None) -> Matrix:
        """Return the matrix, rows x features, of some rows of a table (None: all).

        Columns may come in any order and among others. Values that do not fit become missing and are counted in
        `notes`. Raises UserError, which names them, where columns are missing.
        """
        self._need_columns([str(name) for name in frame.columns])
        matrix = np.empty((len(frame) if rows is None else len(rows), len(self.features)), dtype=np.float32)
        start = 0
        for column in self.columns:
            width = len(column.features())
            more = column.fill(_taken(frame[column.name], rows), matrix[:, start : start + width])
            start += width
            if notes is not None:
                notes += more
        return matrix

    def state(self) -> dict[str, Any]:
        """Return all that `from_state` needs, as JSON values."""
        return {"columns": _STATE.dump_python(self.columns, mode="json")}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Encoder:
        """Rebuild an encoder from its state."""
        return cls(_STATE.validate_python(state["columns"]))

    def _need_columns(self, given: list[str]) -> None:
        lacking = [name for name in self.inputs if name not in given]
        if not lacking:
            return
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        hint = f"; {suggestion(lacking[0], given, 'its columns')}" if len(lacking) == 1 else ""
        raise UserError(f"the rows lack column{'s' if len(lacking) > 1 else ''} that the model needs: {shown}{hint}")


def _taken(series: Any, rows: NDArray[np.intp] | None) -> Any:
    return series if rows is None else series.iloc[rows]
