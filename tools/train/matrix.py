"""Matrices for models that need complete, scaled numbers: imputed, scaled, one column per category."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.protocol import FitData, Matrix

FILE = "matrix.skops"
MOST_LEVELS = 40
"""A categorical column becomes at most this many columns; the rarest levels share one."""
BLOCK = 50_000
TRUSTED = [
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
]
"""Types that a saved matrix may hold besides scikit-learn's own; skops refuses all others, unread."""
SPLINE_VALUES = 10
"""Columns with fewer distinct values than this stay as they are: a spline would only copy them."""


class Scaling:
    """A fitted `ColumnTransformer` that turns the run's matrix into float32 numbers without gaps, clipped to +-10."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def __call__(self, x: Matrix) -> Matrix:
        """Return rows x (scaled columns, missing indicators, one-hot columns)."""
        if not len(x):
            return np.empty((0, len(self.transformer.get_feature_names_out())), np.float32)
        return np.clip(np.asarray(self.transformer.transform(x), dtype=np.float32), -10.0, 10.0)

    def save(self, folder: Path) -> None:
        """Write the transformer in the format of skops."""
        import skops.io

        skops.io.dump(self.transformer, folder / FILE)


def fit_scaling(data: FitData, how: str, splines: bool = False) -> Scaling:
    """Fit the scaling on the training rows.

    `how` is "standard" (mean 0, deviation 1) or "quantile" (ranks, mapped to a normal distribution). With `splines`
    each number becomes a cubic spline basis, so that a linear model can bend.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    bent = [i for i in _numbers(data) if splines and _varies(data.x[:, i])]
    straight = [i for i in _numbers(data) if i not in set(bent)]
    number: Any = np.float32  # the stubs know float64 alone
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_LEVELS, sparse_output=False, dtype=number
    )
    parts = [
        ("straight", _numeric(data, how, False), straight),
        ("bent", _numeric(data, how, True), bent),
        ("categories", one_hot, data.categorical),
    ]
    return Scaling(ColumnTransformer([part for part in parts if part[2]]).fit(data.x))


def read_scaling(folder: Path) -> Scaling:
    """Read a scaling that was saved; nothing but scikit-learn's own types and `TRUSTED` is made."""
    import skops.io

    return Scaling(skops.io.load(folder / FILE, trusted=TRUSTED))


def in_blocks(x: Matrix, function: Callable[[Matrix], NDArray[Any]]) -> NDArray[Any]:
    """Apply a function to blocks of rows, so that a wide matrix of a large table never stands in memory whole."""
    parts = [function(x[start : start + BLOCK]) for start in range(0, max(1, len(x)), BLOCK)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _numbers(data: FitData) -> list[int]:
    return [i for i, feature in enumerate(data.features) if not feature.categorical]


def _varies(column: NDArray[np.float32]) -> bool:
    some = column[:: max(1, len(column) // 5000)]
    return len(np.unique(some[~np.isnan(some)])) >= SPLINE_VALUES


def _numeric(data: FitData, how: str, splines: bool) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, SplineTransformer, StandardScaler

    scale: Any = StandardScaler()
    if how == "quantile":
        levels = max(10, min(1000, len(data.x) // 10))
        scale = QuantileTransformer(
            n_quantiles=min(levels, len(data.x)), output_distribution="normal", random_state=data.seed
        )
    steps = [SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), scale]
    if splines:
        steps.append(SplineTransformer(n_knots=7, extrapolation="linear", knots="uniform"))
    return make_pipeline(*steps)
