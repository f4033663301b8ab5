"""Distances between data sets: by numbers in fixed units, by words, and by signatures alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.experience.distance import (
    SIGNATURE_BYTES,
    combined,
    distances,
    likeness,
    rough_distances,
    signature,
    words,
)

META = MetaFeatures(
    rows=1000, columns=10, numeric=8, categorical=2, classes=2, class_entropy=0.9, minority_share=0.3, landmark=0.5,
    linear=0.6, neighbour=0.4,
)  # fmt: skip


def near(**changes: object) -> MetaFeatures:
    return META.model_copy(update=changes)


def test_the_same_data_are_at_distance_zero_and_others_farther() -> None:
    found = distances(META, [META, near(rows=2000), near(rows=200000)])
    assert found[0] == 0 < found[1] < found[2]
    assert distances(META, []).shape == (0,)


def test_data_that_suit_other_models_are_farther() -> None:
    alike, other = distances(META, [near(linear=0.55), near(linear=0.1)])
    assert alike < other


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, None])
def test_what_is_unknown_or_absurd_never_breaks_a_distance(value: float | None) -> None:
    strange = near(landmark=value, missing=value if value is not None else 0.0, target_skew=value or 0.0)
    assert np.isfinite(distances(strange, [META])).all()
    assert len(signature(strange, "x")) == SIGNATURE_BYTES
    assert np.isfinite(rough_distances(META, "wine", [signature(strange, "wine")])).all()


def test_likeness_needs_more_than_one_word_in_common() -> None:
    wine = words("A chemical analysis of wine from three cultivars")
    assert likeness(wine, wine) > 0.6
    assert likeness(words("wine"), words("wine")) < 0.4
    assert likeness(wine, words("loans of a bank")) == 0 == likeness(words(""), words(""))
    assert words("The data set with rows") == frozenset()


def test_cards_about_the_same_bring_data_nearer_but_never_to_nothing() -> None:
    assert combined(np.array([0.8, 0.8]), np.array([0.0, 1.0])).tolist() == [0.8, 0.4]


def test_signatures_alone_tell_nearly_the_same_distances() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(30)]
    metas = [near(rows=int(10 ** rng.uniform(2, 5)), missing=float(rng.random())) for _ in range(60)]
    texts = [" ".join(rng.choice(vocabulary, 20)) for _ in metas]
    exact = combined(distances(META, metas), np.array([likeness(words(texts[0]), words(t)) for t in texts]))
    rough = rough_distances(META, texts[0], [signature(m, t) for m, t in zip(metas, texts, strict=True)])
    assert np.corrcoef(exact, rough)[0, 1] > 0.95
