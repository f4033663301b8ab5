"""Statistics of training rows for the profile: what decisions may know of the data."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import ColumnType, DataCard
from automl_gpt.tools.data.encode import Encoder
from automl_gpt.tools.data.infer import Column, infer_column
from automl_gpt.tools.data.report import ColumnProfile, Finding, MetaFeatures
from automl_gpt.tools.data.target import TargetColumn
from automl_gpt.tools.data.values import as_numbers, levels, sampled

Role = Literal["input", "target", "weight", "group", "time", "dropped"]
MAX_LEVELS = 50
MIN_ROWS = 5
"""A value is shown only where its column has at most so many different ones, and it stands in so many rows."""
EXACT_ROWS = 500_000
"""Up to so many rows different values are counted exactly; above, in an even sample of so many."""

MOST_LANDMARK_COLUMNS = 500
"""Linear models and neighbours are tried on so many columns at the most, which keeps them under a second."""


def profile_columns(
    frame: Any, rows: NDArray[np.intp], inputs: dict[str, Column], dropped: dict[str, str], target: str, card: DataCard
) -> tuple[ColumnProfile, ...]:
    """Describe every column by its training rows."""
    profiles: list[ColumnProfile] = []
    for name in map(str, frame.columns):
        known = (card.inputs or {}).get(name)
        profiles.append(
            _profile_column(
                frame[name].iloc[rows],
                inputs[name].type if name in inputs else None,
                _role(name, target, card, dropped, inputs),
                known.meaning if known else "",
                dropped.get(name, ""),
            )
        )
    return tuple(profiles)


def _role(name: str, target: str, card: DataCard, dropped: dict[str, str], inputs: dict[str, Column]) -> Role:
    roles: dict[str | None, Role] = {card.time: "time", card.group: "group", card.weight: "weight", target: "target"}
    if name in roles:
        return roles[name]
    return "input" if name in inputs and name not in dropped else "dropped"


def _profile_column(series: Any, kind: ColumnType | None, role: Role, meaning: str, why: str) -> ColumnProfile:
    nothing: list[Finding] = []
    kind = kind or infer_column(sampled(series, 20_000), str(series.name), nothing).type
    some = sampled(series, EXACT_ROWS)
    facts: dict[str, Any] = {}
    distinct = int(some.nunique())
    if kind == "number" and role != "dropped":
        facts = _moments(as_numbers(series)[0])
    if kind in ("category", "boolean") and role != "dropped":
        codes, words = levels(some)
        distinct = len(words)
        facts["levels"] = shown_levels(codes, words)
    return ColumnProfile(
        name=str(series.name), type=kind, role=role, missing=float(series.isna().mean()), distinct=distinct,
        meaning=meaning, why_dropped=why, **facts,
    )  # fmt: skip


def _moments(values: NDArray[Any]) -> dict[str, float]:
    present = values[~np.isnan(values)]
    if not len(present):
        return {}
    mean = float(present.mean(dtype=np.float64))
    return {
        "minimum": float(present.min()),
        "maximum": float(present.max()),
        "mean": mean,
        "std": float(present.std(dtype=np.float64)),
    }


def shown_levels(codes: NDArray[np.intp], words: list[str]) -> dict[str, int]:
    """Return the levels that may be shown, with their counts, the most frequent first."""
    if not words or len(words) > MAX_LEVELS:
        return {}
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = np.argsort(-counts, kind="stable")
    return {words[i]: int(counts[i]) for i in order if counts[i] >= MIN_ROWS}


def meta_features(
    columns: tuple[ColumnProfile, ...],
    target: TargetColumn,
    rows: NDArray[np.intp],
    marks: tuple[float | None, float | None, float | None],
) -> MetaFeatures:
    """Return the numbers by which data sets are compared."""
    inputs = [column for column in columns if column.role in ("input", "time")]
    y = target.y[rows]
    facts: dict[str, Any] = {}
    if target.task == "regression":
        spread = y.std()
        facts["target_skew"] = float((((y - y.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
    else:
        share = target.counts(rows) / len(rows)
        present = share[share > 0]
        facts["class_entropy"] = max(0.0, float(-(present * np.log2(present)).sum()))
        facts["minority_share"] = float(present.min())
    return MetaFeatures(
        rows=len(rows),
        columns=len(inputs),
        numeric=sum(column.type == "number" for column in inputs),
        categorical=sum(column.type in ("category", "boolean") for column in inputs),
        classes=len(target.labels),
        missing=float(np.mean([column.missing for column in inputs])) if inputs else 0.0,
        landmark=marks[0],
        linear=marks[1],
        neighbour=marks[2],
        **facts,
    )


def landmarks(
    frame: Any, encoder: Encoder, target: TargetColumn, rows: NDArray[np.intp]
) -> tuple[float | None, float | None, float | None]:
    """Return the scores of a tree of depth 3, a linear model and 5 nearest neighbours: 0 trivial, 1 perfect.

    Each on at most 2,000 training rows in two folds; a score is accuracy above that of the most frequent class, or R2.
    None where the rows do not allow it. How far they differ says which family of models suits the data (Pfahringer et
    al., 2000).
    """
    if len(rows) < 20:
        return None, None, None
    some = np.sort(np.random.default_rng(0).permutation(rows)[:2_000])
    x, y = encoder.transform(frame, some), target.y[some]
    half = np.random.default_rng(1).permutation(len(some)) % 2 == 0
    columns = np.random.default_rng(2).permutation(x.shape[1])[:MOST_LANDMARK_COLUMNS]
    scaled = _standardised(x[:, np.sort(columns)])
    tree, linear, near = _simple_models(regression=target.task == "regression")
    return (
        _landmark(tree, x, y, half, target.task),
        _landmark(linear, scaled, y, half, target.task),
        _landmark(near, scaled, y, half, target.task),
    )


def _simple_models(regression: bool) -> tuple[Any, Any, Any]:
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if regression:
        return DecisionTreeRegressor(max_depth=3, random_state=0), Ridge(), KNeighborsRegressor()
    return DecisionTreeClassifier(max_depth=3, random_state=0), RidgeClassifier(), KNeighborsClassifier()


def _standardised(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return columns of mean 0 and deviation 1, gaps at the mean, cut at 5 deviations."""
    x = x.astype(np.float64)
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, x, 0.0).sum(axis=0) / count
    centred = np.where(known, x - middle, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    return np.clip(centred / np.where(deviation > 0, deviation, 1.0), -5.0, 5.0)


def _landmark(model: Any, x: NDArray[Any], y: NDArray[Any], half: NDArray[np.bool_], task: str) -> float | None:
    predicted = np.empty(len(y))
    for fit in (half, ~half):
        predicted[~fit] = model.fit(x[fit], y[fit]).predict(x[~fit]) if len(np.unique(y[fit])) > 1 else y[fit][0]
    if task == "regression":
        spread = float(np.square(y - y.mean()).sum())
        return None if spread == 0 else max(-1.0, 1.0 - float(np.square(y - predicted).sum()) / spread)
    trivial = float(np.bincount(y).max()) / len(y)
    return None if trivial == 1 else max(-1.0, (float((predicted == y).mean()) - trivial) / (1 - trivial))
