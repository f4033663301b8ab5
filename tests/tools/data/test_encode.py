"""An encoder turns any table of the right columns into the same matrix, also after a round trip through JSON."""

import json

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.encode import Encoder
from automl_gpt.tools.data.infer import Column, infer_columns

WORDS = ["good", "bad", "late", "early", "cheap", "broken", "lovely", "awful"]


def table(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": np.where(np.arange(rows) % 7 == 0, np.nan, rng.normal(size=rows)),
            "b": np.arange(rows) % 2 == 0,
            "c": ["red" if i % 2 else "blue" if i % 4 else None for i in range(rows)],
            "d": pd.date_range("2020-01-30", periods=rows, freq="D"),
            "t": [f"a {WORDS[i % 8]} and {WORDS[i % 5]} thing number {i}" for i in range(rows)],
        }
    )


def fitted(frame: pd.DataFrame) -> Encoder:
    columns = infer_columns(frame, list(frame.columns), DataCard(source="d", target="y"), [])
    assert [column.type for column in columns.values()] == ["number", "boolean", "category", "datetime", "text"]
    return Encoder.fit(frame, columns.values())


def test_columns_become_floats_codes_parts_of_time_and_word_weights() -> None:
    frame = table()
    encoder = fitted(frame)
    matrix = encoder.transform(frame)
    names = [feature.name for feature in encoder.features]
    assert matrix.dtype == np.float32
    assert matrix.shape == (60, len(names))
    assert np.isnan(matrix[0, names.index("n")])
    assert matrix[:2, names.index("b")].tolist() == [1.0, 0.0]
    assert matrix[1:3, names.index("c")].tolist() == [0.0, 1.0]  # red is more frequent than blue
    assert np.isnan(matrix[0, names.index("c")])
    assert matrix[0, names.index("d.days")] == (pd.Timestamp("2020-01-30") - pd.Timestamp(0)).days
    assert {"d.month", "d.day", "d.weekday"} < set(names)
    assert not {"d.year", "d.hour"} & set(names)
    assert matrix[0, names.index("t.characters")] == len(frame["t"].iloc[0])
    assert "t~good" in names


def test_an_encoder_survives_json_and_other_orders_and_columns() -> None:
    frame = table()
    encoder = fitted(frame)
    again = Encoder.from_state(json.loads(json.dumps(encoder.state())))
    shuffled = frame[["t", "d", "c", "b", "n"]].assign(extra=1)
    np.testing.assert_array_equal(again.transform(shuffled), encoder.transform(frame))
    rows = np.array([5, 3])
    np.testing.assert_array_equal(encoder.transform(frame, rows), encoder.transform(frame)[rows])


def test_what_does_not_fit_is_missing_and_noted() -> None:
    frame = table()
    encoder = fitted(frame)
    odd = frame.assign(n=["x"] * 60, c=["green"] * 60, d=["?!"] * 60, b=["maybe"] * 60)
    notes: list[str] = []
    matrix = encoder.transform(odd, notes=notes)
    assert np.isnan(matrix[:, :3]).all()
    assert len(notes) == 4
    assert "60 values are no number" in notes[0]


def test_missing_columns_are_named() -> None:
    frame = table()
    encoder = fitted(frame)
    with pytest.raises(UserError, match=r"lack column that the model needs: 'n'; did you mean 'N'\?"):
        encoder.transform(frame.rename(columns={"n": "N"}))
    with pytest.raises(UserError, match="'n', 'b'"):
        encoder.transform(frame[["c", "d", "t"]])


def test_levels_beyond_254_share_the_last_code() -> None:
    values = [f"v{i}" for i in range(300)] + [f"v{i}" for i in range(254)]
    encoder = Encoder.fit(pd.DataFrame({"c": values}), [Column("c", "category")])
    assert encoder.features[0].levels == 255
    codes = encoder.transform(pd.DataFrame({"c": ["v299", "never", "v0", None]}))[:, 0]
    assert codes[0] == codes[1] == 254
    assert codes[2] < 254
    assert np.isnan(codes[3])


def test_a_level_reads_alike_as_integer_float_and_text() -> None:
    encoder = Encoder.fit(pd.DataFrame({"c": [1, 1, 2]}), [Column("c", "category")])
    for values in ([1, 2], [1.0, 2.0], ["1", "2"]):
        assert encoder.transform(pd.DataFrame({"c": values}))[:, 0].tolist() == [0.0, 1.0]


def test_numbers_beyond_float32_are_missing() -> None:
    encoder = Encoder.fit(pd.DataFrame({"n": [1.0, 2.0]}), [Column("n", "number")])
    assert np.isnan(encoder.transform(pd.DataFrame({"n": [1e300, np.inf]}))).all()


def test_text_without_frequent_words_keeps_its_lengths() -> None:
    frame = pd.DataFrame({"t": [f"w{i} x{i} z{i} q{i}" for i in range(20)]})
    encoder = Encoder.fit(frame, [Column("t", "text")])
    assert encoder.transform(frame).shape == (20, 2)
