"""Decision trees of scikit-learn as plain arrays: small, quick to load, and without a pickle.

A node of scikit-learn's takes 64 bytes and its outputs; what prediction needs is 15, and the outputs of leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.goal import Goal
from automl_gpt.tools.train.protocol import Matrix

FILE = "trees.npz"
BYTES = 40_000_000
"""What the saved trees of a forest may take."""


def leaf_limit(outputs: int, trees: int) -> int:
    """Return how many leaves a tree may have so that the saved forest stays below `BYTES`."""
    return max(32, BYTES // trees // (30 + 4 * outputs))


@dataclass(frozen=True)
class PackedTrees:
    """Trees one after the other.

    `ends` is the position after each tree's last node. Per node: `left` and `right` child within its tree (-1 in a
    leaf), `feature`, `threshold` (a row goes left where its value is at most this), `missing_left`. `leaves` holds the
    outputs of the leaves in the order of their nodes, shape (leaves, outputs).
    """

    columns: int
    ends: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int16 | np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.uint8]
    leaves: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of trees."""
        return len(self.ends)

    @classmethod
    def empty(cls, columns: int, goal: Goal) -> PackedTrees:
        """Return no trees, for a table of so many columns."""
        none = np.empty(0, np.int32)
        return cls(
            columns, np.empty(0, np.int64), none, none, np.empty(0, np.int16 if columns < 2**15 else np.int32),
            np.empty(0, np.float32), np.empty(0, np.uint8), np.empty((0, goal.width), np.float32),
        )  # fmt: skip

    @classmethod
    def pack(cls, trees: list[Any], like: PackedTrees) -> PackedTrees:
        """Return fitted `sklearn.tree._tree.Tree` objects as arrays of the types of `like`."""

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name) for tree in trees])

        left = joined("children_left").astype(np.int32)
        outputs = np.concatenate([tree.value[:, 0, :] for tree in trees])
        return cls(
            like.columns,
            np.cumsum([tree.node_count for tree in trees]).astype(np.int64),
            left,
            joined("children_right").astype(np.int32),
            joined("feature").astype(like.feature.dtype),
            _rounded_down(joined("threshold")),
            joined("missing_go_to_left").astype(np.uint8),
            outputs[left < 0].astype(np.float32),
        )

    def joined(self, other: PackedTrees) -> PackedTrees:
        """Return these trees followed by the other ones."""
        start = self.ends[-1] if len(self.ends) else 0
        names = ("left", "right", "feature", "threshold", "missing_left", "leaves")
        rest = [np.concatenate([getattr(self, name), getattr(other, name)]) for name in names]
        return PackedTrees(self.columns, np.concatenate([self.ends, other.ends + start]), *rest)

    def unpack(self) -> list[Any]:
        """Return the trees as `sklearn.tree._tree.Tree` objects, good for prediction alone."""
        outputs = np.zeros((len(self.left), 1, self.leaves.shape[1]))
        outputs[self.left < 0, 0] = self.leaves
        starts = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)
        return [self._tree(slice(int(a), int(b)), outputs) for a, b in zip(starts, self.ends, strict=True)]

    def _tree(self, at: slice, outputs: NDArray[np.float64]) -> Any:
        from sklearn.tree import _tree as library  # pyright: ignore[reportAttributeAccessIssue]

        nodes: Any = np.zeros(at.stop - at.start, dtype=library.NODE_DTYPE)
        nodes["left_child"], nodes["right_child"] = self.left[at], self.right[at]
        nodes["feature"], nodes["threshold"] = self.feature[at], self.threshold[at]
        nodes["missing_go_to_left"] = self.missing_left[at]
        tree: Any = library.Tree(self.columns, np.array([outputs.shape[2]], dtype=np.intp), 1)
        values = np.ascontiguousarray(outputs[at])
        tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
        return tree

    def save(self, folder: Path) -> None:
        """Write the arrays as one file."""
        np.savez(folder / FILE, allow_pickle=False, **vars(self))


def read_trees(folder: Path) -> PackedTrees:
    """Read trees that were saved."""
    with np.load(folder / FILE, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    return PackedTrees(columns=int(kept.pop("columns")), **kept)


def sum_output(trees: list[Any], x: Matrix) -> NDArray[np.float64]:
    """Return the sum of the trees' outputs, shape (rows, outputs); `x` must be contiguous float32."""
    total = np.zeros((len(x), trees[0].max_n_classes))
    for tree in trees if len(x) else ():
        total += tree.predict(x).reshape(total.shape)
    return total


def mean_output(trees: list[Any], x: Matrix) -> NDArray[np.float64]:
    """Return the mean of the trees' outputs, shape (rows, outputs)."""
    return sum_output(trees, np.ascontiguousarray(x, dtype=np.float32)) / len(trees)


def _rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    # A float32 value is at most a float64 threshold exactly where it is at most the next float32 below it.
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
