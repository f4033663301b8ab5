"""One kind of column each: fitted on training rows, kept as JSON, applied to any rows.

`fill` writes a column's values, NaN where missing, into its part of a matrix, and returns notes on what did not fit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from automl_gpt.tools.data.infer import Column
from automl_gpt.tools.data.values import as_numbers, as_times, as_truth, levels
from automl_gpt.tools.train.protocol import Feature

MAX_LEVELS = 254
"""Levels of a category that get a code of their own, so that with the code for all others they fit into one byte."""
MAX_WORDS = 64
PARTS = ("year", "month", "day", "weekday", "hour")
_DAY = 86_400.0


class _Encoder(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str


class NumberEncoder(_Encoder):
    """A number as it is."""

    kind: Literal["number"] = "number"

    def features(self) -> list[Feature]:
        """Return the columns that this makes."""
        return [Feature(self.name)]

    def fill(self, series: Any, out: NDArray[np.float32]) -> list[str]:
        """Write the numbers."""
        values, bad = as_numbers(series)
        with np.errstate(over="ignore"):
            out[:, 0] = values
        out[np.isinf(out[:, 0]), 0] = np.nan
        return _misfits(self.name, bad, "no number")


class BooleanEncoder(_Encoder):
    """True and false as 1 and 0."""

    kind: Literal["boolean"] = "boolean"

    def features(self) -> list[Feature]:
        """Return the columns that this makes."""
        return [Feature(self.name)]

    def fill(self, series: Any, out: NDArray[np.float32]) -> list[str]:
        """Write 1, 0 or NaN."""
        values, bad = as_truth(series)
        out[:, 0] = values
        return _misfits(self.name, bad, "neither true nor false")


class CategoryEncoder(_Encoder):
    """A level as its code, the most frequent one first; one more code stands for all rare levels, if some were cut."""

    kind: Literal["category"] = "category"
    levels: tuple[str, ...]
    cut: bool

    def features(self) -> list[Feature]:
        """Return the columns that this makes."""
        return [Feature(self.name, True, len(self.levels) + self.cut)]

    def fill(self, series: Any, out: NDArray[np.float32]) -> list[str]:
        """Write the codes; a level never seen is missing, or one of the rare ones where there are such."""
        code_of = {level: code for code, level in enumerate(self.levels)}
        other = float(len(self.levels)) if self.cut else np.nan
        codes, words = levels(series)
        known = np.array([code_of.get(word, -1) for word in words], dtype=np.float32)
        unseen = int((known[codes[codes >= 0]] < 0).sum()) if not self.cut and len(words) else 0
        known[known < 0] = other
        out[:, 0] = np.append(known, np.float32(np.nan))[codes]
        return _misfits(self.name, unseen, "of a category not seen in training")


class DatetimeEncoder(_Encoder):
    """A point in time as days since 1970, and those of its parts that vary."""

    kind: Literal["datetime"] = "datetime"
    form: str
    parts: tuple[str, ...]

    def features(self) -> list[Feature]:
        """Return the columns that this makes."""
        return [Feature(f"{self.name}.days"), *(Feature(f"{self.name}.{part}") for part in self.parts)]

    def fill(self, series: Any, out: NDArray[np.float32]) -> list[str]:
        """Write days and parts."""
        times, bad = as_times(series, self.form)
        out[:, 0] = _days(times)
        for i, part in enumerate(self.parts, 1):
            out[:, i] = _part(times, part)
        return _misfits(self.name, bad, "no point in time")


class TextEncoder(_Encoder):
    """Free text as TF-IDF of its most frequent words, and its length in characters and in words."""

    kind: Literal["text"] = "text"
    words: tuple[str, ...]
    idf: tuple[float, ...]

    def features(self) -> list[Feature]:
        """Return the columns that this makes."""
        lengths = [Feature(f"{self.name}.characters"), Feature(f"{self.name}.words")]
        return lengths + [Feature(f"{self.name}~{word}") for word in self.words]

    def fill(self, series: Any, out: NDArray[np.float32]) -> list[str]:
        """Write lengths and weights; all of them are missing where the text is."""
        codes, texts = levels(series)
        unique = np.full((len(texts) + 1, out.shape[1]), np.nan, dtype=np.float32)
        unique[:-1, 0] = [len(text) for text in texts]
        unique[:-1, 1] = [text.count(" ") + 1 for text in texts]
        if self.words and texts:
            unique[:-1, 2:] = self._vectorizer().transform(texts).toarray()
        out[:] = unique[codes]
        return []

    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer: Any = TfidfVectorizer(vocabulary={word: i for i, word in enumerate(self.words)}, sublinear_tf=True)
        vectorizer.idf_ = np.array(self.idf)
        return vectorizer


AnyEncoder = Annotated[
    NumberEncoder | BooleanEncoder | CategoryEncoder | DatetimeEncoder | TextEncoder, Field(discriminator="kind")
]


def fit_column(series: Any, column: Column) -> AnyEncoder:
    """Fit the encoder of one column on the values of its training rows."""
    match column.type:
        case "number":
            return NumberEncoder(name=column.name)
        case "boolean":
            return BooleanEncoder(name=column.name)
        case "category":
            return _fit_category(series, column.name)
        case "datetime":
            times, _ = as_times(series, column.form)
            varying = tuple(part for part in PARTS if _part(times, part).dropna().nunique() > 1)
            return DatetimeEncoder(name=column.name, form=column.form, parts=varying)
        case "text":
            return _fit_text(series, column.name)


def _fit_category(series: Any, name: str) -> CategoryEncoder:
    codes, words = levels(series)
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = sorted(range(len(words)), key=lambda i: (-counts[i], words[i]))
    kept = tuple(dict.fromkeys(words[i] for i in order[:MAX_LEVELS]))
    return CategoryEncoder(name=name, levels=kept, cut=len(words) > MAX_LEVELS)


def _fit_text(series: Any, name: str) -> TextEncoder:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [str(text) for text in series.dropna()]
    vectorizer: Any = TfidfVectorizer(max_features=MAX_WORDS, min_df=min(3, len(texts)), max_df=0.5, sublinear_tf=True)
    try:
        vectorizer.fit(texts)
    except ValueError:
        # No word is frequent enough, or every one is in most texts: the lengths alone remain.
        return TextEncoder(name=name, words=(), idf=())
    words = tuple(str(word) for word in vectorizer.get_feature_names_out())
    return TextEncoder(name=name, words=words, idf=tuple(float(value) for value in vectorizer.idf_))


def _days(times: Any) -> NDArray[np.float64]:
    import pandas as pd

    return ((times - pd.Timestamp(0)).dt.total_seconds() / _DAY).to_numpy(dtype=np.float64, na_value=np.nan)


def _part(times: Any, part: str) -> Any:
    return getattr(times.dt, part).astype("float64")


def _misfits(name: str, count: int, what: str) -> list[str]:
    if not count:
        return []
    return [f"column {name!r}: {count} value{'s are' if count > 1 else ' is'} {what}; taken as missing"]
