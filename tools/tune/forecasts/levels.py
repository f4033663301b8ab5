"""What each kind of model is expected to reach on a table before anything is trained: by the data's landmarks.

A landmark is the share of the way from the trivial score to a perfect one that a simple model makes on a sample of the
rows (Pfahringer, Bensusan, Giraud-Carrier 2000). The weights are a ridge regression over the data sets of the shipped
experience; `python -m benchmarks.landmark_levels` makes them again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Metric
from automl_gpt.tools.tune.scale import Prior, as_metric, baseline_value

Weights = tuple[float, float, float, float]
"""Of the landmarks of a small tree, of a linear model, of the nearest neighbours; and a constant."""
BOOSTING: Weights = (0.31, 0.08, 0.36, 0.23)
FORESTS: Weights = (0.34, 0.03, 0.44, 0.17)
WEIGHTS: Mapping[str, Weights] = {
    "lightgbm": BOOSTING,
    "xgboost": BOOSTING,
    "random_forest": FORESTS,
    "extra_trees": FORESTS,
    "linear": (0.20, 0.18, 0.39, 0.18),
    "mlp": (0.16, 0.14, 0.42, 0.25),
    "k_nearest_neighbours": (0.32, 0.06, 0.52, 0.02),
}
"""By trainer."""
HALF = 0.19
"""Half the width of an 80% interval of such a share: a little more than leaving each data set out in turn shows, as
most of those data are generated."""
CREDIT = 0.6
"""How much of the difference between two models is believed once a run has trials of its own."""


def expected_level(state: RunState, card: ModelCard) -> Prior | None:
    """Return what a model is expected to reach; None where a landmark is unknown or its kind was not weighed."""
    metric, base, meta = state.need_metric(), baseline_value(state), state.need_profile().meta
    weights, marks = WEIGHTS.get(card.trainer), landmarks(metric, (meta.landmark, meta.linear, meta.neighbour))
    if base is None or weights is None or marks is None or meta.modality != "tabular":
        return None
    share = sum(w * mark for w, mark in zip(weights, (*marks, 1.0), strict=True))
    reach = metric.best - base
    return Prior(base + min(max(share, 0.0), 0.99) * reach, max(HALF * abs(reach), 1e-9))


def landmarks(metric: Metric, shares: tuple[float | None, ...]) -> list[float] | None:
    """Return landmarks as shares in which the metric counts; None where one is unknown."""
    if any(share is None or not math.isfinite(share) for share in shares):
        return None
    return [as_metric(metric, 1 - min(max(share or 0.0, 0.0), 0.98)) for share in shares]
