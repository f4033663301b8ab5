"""The score of a very cheap model on a few training rows, so that the first forecast is no wild guess."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.check_pictures import open_picture, picture_sizes, rgb, stored_pictures
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.protocol import Target

ROWS = 2_000
"""Training rows that are looked at."""
LEAST = 20
CHARACTERS = 2_000
"""Of a longer text only the beginning counts."""
SIDE = 8
"""Pixels on each side of a thumbnail."""
MEGAPIXELS = 60.0
"""Pictures are taken until they hold so many pixels, because decoding is what costs."""
Index = NDArray[np.intp]
Predict = Callable[[Any, Target, Any], Target]


def landmark(examples: Examples, y: Target, classes: int, rows: Index) -> float | None:
    """Return the score of a cheap model on at most 2,000 of the training rows in two folds: 0 trivial, 1 perfect.

    Texts: TF-IDF of words with complement naive Bayes (Rennie et al. 2003) or ridge regression. Pictures: thumbnails of
    8 x 8 pixels with a shrunk linear discriminant or ridge regression. `classes` is 0 for regression. The score is
    accuracy above that of the most frequent class, or R2; None where the rows do not allow it, or the task is another.
    """
    if y.dtype == object or len(rows) < LEAST:
        return None
    some = np.sort(np.random.default_rng(0).permutation(rows)[:ROWS])
    if "image" in examples.roles:
        some = _affordable(examples, some)
        x, predict = _thumbnails(examples[some]), _discriminant
    elif "text" in examples.roles:
        x, predict = _vectors(examples[some]), _bayes
    else:
        return None
    if len(some) < LEAST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with one row
        return _score(x, y[some], _ridge if classes == 0 else predict, classes)


def _score(x: Any, y: Target, predict: Predict, classes: int) -> float | None:
    half = np.random.default_rng(1).permutation(len(y)) % 2 == 0
    predicted = np.empty(len(y))
    for fit in (half, ~half):
        if len(np.unique(y[fit])) < 2:
            return None
        predicted[~fit] = predict(x[fit], y[fit], x[~fit])
    if classes == 0:
        spread = float(np.square(y - y.mean()).sum())
        return None if spread == 0 else max(-1.0, 1.0 - float(np.square(y - predicted).sum()) / spread)
    trivial = float(np.bincount(y).max()) / len(y)
    return None if trivial == 1 else max(-1.0, (float((predicted == y).mean()) - trivial) / (1 - trivial))


# --------------------------------------------------------------------------------------------------------------- models


def _bayes(x: Any, y: Target, unseen: Any) -> Target:
    from sklearn.naive_bayes import ComplementNB

    return ComplementNB(alpha=0.3).fit(x, y).predict(unseen)


def _discriminant(x: Any, y: Target, unseen: Any) -> Target:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    make: Any = LinearDiscriminantAnalysis
    return make(solver="lsqr", shrinkage="auto").fit(x, y).predict(unseen)


def _ridge(x: Any, y: Target, unseen: Any) -> Target:
    from sklearn.linear_model import Ridge

    make: Any = Ridge
    return make(alpha=1.0, solver="lsqr", max_iter=100).fit(x, y).predict(unseen)


# --------------------------------------------------------------------------------------------------------------- inputs


def _vectors(some: Examples) -> Any:
    """Return TF-IDF of words; of a pair of texts that of both, and of the words that they share."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [[text[:CHARACTERS] for text in some.column(role)] for role in ("text", "pair") if role in some.roles]
    counted: Any = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\w+|[^\w\s]", max_features=20_000)
    counted.fit([text for column in texts for text in column])
    blocks = [counted.transform(column) for column in texts]
    if len(blocks) == 2:
        blocks.append(blocks[0].multiply(blocks[1]))
    return csr_matrix(hstack(blocks))


def _affordable(examples: Examples, rows: Index) -> Index:
    """Return as many of the rows as can be decoded in about a second."""
    order = np.random.default_rng(2).permutation(rows)
    pixels = picture_sizes(examples[order]).prod(axis=1) / 1e6
    return np.sort(order[np.cumsum(pixels) <= MEGAPIXELS])


def _thumbnails(some: Examples) -> NDArray[np.float32]:
    """Return thumbnails of shape (rows, 8 * 8 * 3), from 0 to 1."""
    from PIL import Image

    found = np.empty((len(some), SIDE * SIDE * 3), dtype=np.float32)
    for at, row in enumerate(stored_pictures(some)):
        with open_picture(row["image"]["bytes"] or row["image"]["path"]) as picture:
            picture.draft(None, (4 * SIDE, 4 * SIDE))
            small = rgb(picture).resize((SIDE, SIDE), Image.Resampling.BOX)
        found[at] = np.asarray(small, dtype=np.float32).reshape(-1) / 255
    return found
