"""One column's raw values as numbers, levels, truth values or times: the same for fitting and for predicting."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "boolean", "datetime", "text"]
TRUE_WORDS = frozenset({"true", "yes", "t", "y", "1", "on"})
FALSE_WORDS = frozenset({"false", "no", "f", "n", "0", "off"})
ISO = "ISO8601"
FORMATS = (
    ISO,
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%Y%m%d",
)
"""Ways to write a point in time, in the order in which they are tried."""


def kind_of(series: Any) -> Kind:
    """Say what a column holds as it was read."""
    from pandas.api import types

    if types.is_bool_dtype(series.dtype):
        return "boolean"
    if types.is_numeric_dtype(series.dtype):
        return "number"
    return "datetime" if types.is_datetime64_any_dtype(series.dtype) else "text"


def as_numbers(series: Any) -> tuple[NDArray[Any], int]:
    """Return floats with NaN for what is missing or no number, and how many values were no number."""
    kind = kind_of(series)
    if kind == "number":
        values = series.to_numpy()
        return (values, 0) if values.dtype.kind == "f" else (series.to_numpy(dtype=np.float64, na_value=np.nan), 0)
    if kind == "boolean":
        return series.to_numpy(dtype=np.float64, na_value=np.nan), 0
    if kind == "datetime":
        return np.full(len(series), np.nan), int(series.notna().sum())
    return _parsed(series)


def _parsed(series: Any) -> tuple[NDArray[np.float64], int]:
    """Parse text; currency signs, per cent signs and thousands' commas are taken off where a plain reading fails."""
    import pandas as pd

    codes, words = levels(series)
    plain: Any = pd.Series(words, dtype=object)
    numbers = _to_float(plain)
    failed = np.isnan(numbers)
    if failed.any():
        bare = plain[failed].str.replace(r"^[$€£¥]\s*|\s*[%€]$", "", regex=True)
        grouped = bare.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?").to_numpy(dtype=bool)
        bare = bare.where(~grouped, bare.str.replace(",", ""))
        numbers[failed] = _to_float(bare)
    values = np.append(numbers, np.nan)[codes]
    return values, int((np.isnan(values) & (codes >= 0)).sum())


def _to_float(words: Any) -> NDArray[np.float64]:
    import pandas as pd

    short = words.where(words.str.len() <= 60)  # no number needs more digits than these
    parsed: Any = pd.to_numeric(short.astype(object), errors="coerce")
    numbers = np.array(parsed.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def levels(series: Any) -> tuple[NDArray[np.intp], list[str]]:
    """Return for each row the position of its level (-1: missing), and the levels as text.

    A whole number reads alike whether the column was read as integers or as floats; truth values read true and false.
    """
    import pandas as pd

    codes, unique = pd.factorize(series)
    return codes, [level_text(value) for value in unique]


def level_text(value: Any) -> str:
    """Return one level as text."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def as_truth(series: Any) -> tuple[NDArray[np.float64], int]:
    """Return 1.0, 0.0 or NaN, and how many values were no truth value."""
    kind = kind_of(series)
    if kind == "boolean":
        return as_numbers(series)
    codes, words = levels(series)
    lower = [word.lower() for word in words]
    values = [1.0 if word in TRUE_WORDS else 0.0 if word in FALSE_WORDS else np.nan for word in lower]
    truth = np.array([*values, np.nan])[codes]
    return truth, int((np.isnan(truth) & (codes >= 0)).sum())


def as_times(series: Any, form: str) -> tuple[Any, int]:
    """Return a pandas column of points in time (UTC, without a zone), and how many values were none."""
    import pandas as pd

    kind = kind_of(series)
    if kind == "datetime":
        return series, 0
    if kind == "text":
        times = pd.to_datetime(series.astype(object), format=form, errors="coerce", utc=True)
    elif form == "%Y%m%d":
        text = series.map(level_text, na_action="ignore")
        times = pd.to_datetime(text.astype(object), format=form, errors="coerce", utc=True)
    else:
        unit = "ms" if float(series.abs().max()) > 1e11 else "s"
        times = pd.to_datetime(series.astype("float64"), unit=unit, errors="coerce", utc=True)
    bad = int((times.isna() & series.notna()).sum())
    return times.dt.tz_localize(None), bad


def time_format(series: Any) -> tuple[str, float]:
    """Return the format that reads most of a column's values as points in time, and the share that it reads."""
    present = series.dropna()
    if not len(present):
        return ISO, 0.0
    best, best_share = ISO, 0.0
    for form in FORMATS:
        share = 1.0 - as_times(present, form)[1] / len(present)
        if share > best_share:
            best, best_share = form, share
        if best_share >= 0.999:
            break
    return best, best_share


def sampled(series: Any, limit: int) -> Any:
    """Return at most `limit` rows of a column or table, evenly spaced."""
    if len(series) <= limit:
        return series
    return series.iloc[np.linspace(0, len(series) - 1, limit).astype(np.intp)]


def as_text_alike(series: Any) -> Any:
    """Return a column as text in the form that its levels have."""
    import pandas as pd

    codes, words = levels(series)
    return pd.Series(pd.array([*words, None], dtype="str").take(codes), index=series.index, name=series.name)
