"""Which rows are copies and near-copies of others, whatever their modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Copies:
    """For each row: a 64-bit hash of its whole content, a code that copies share, a code that near-copies share.

    Codes count from 0 without gaps; a row without any copy is alone with its code. Near-copies include copies.
    `together` is a code shared by rows that a division at random keeps on one side (None: those that share `near`).
    `note` says what was not looked for.
    """

    hashes: NDArray[np.uint64]
    exact: Index
    near: Index
    together: Index | None = None
    note: str = ""

    @property
    def twin(self) -> Index:
        """The code that rows share which a division at random keeps on one side."""
        return self.near if self.together is None else self.together
