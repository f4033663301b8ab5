"""Files of every kind become the same tables, and what can't be read is told in one line."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Sources
from automl_gpt.tools.data import delimited
from automl_gpt.tools.data.load import fingerprint, load
from automl_gpt.tools.data.read import read_table

ROWS = [(0.5, "a", 1), (1.5, "b", 0), (-2.25, "a b", 1), (3.0, None, 0)]


def written(folder: Path, text: str | bytes, name: str = "d.csv") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def text_of(separator: str = ",") -> str:
    lines = [separator.join("" if v is None else str(v) for v in row) for row in ROWS]
    return "\n".join([separator.join(("x", "c", "y")), *lines]) + "\n"


def told(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_table(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, separator: str) -> None:
    frame = read_table(written(tmp_path, text_of(separator))).frame
    assert list(frame.columns) == ["x", "c", "y"]
    assert frame["x"].tolist() == [0.5, 1.5, -2.25, 3.0]


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["x", "c", "y"])
    frame.to_parquet(tmp_path / "d.parquet")
    lines = "\n".join(json.dumps(dict(zip(("x", "c", "y"), row, strict=True))) for row in ROWS)
    files = [
        written(tmp_path, text_of()),
        written(tmp_path, text_of("\t"), "d.tsv"),
        written(tmp_path, gzip.compress(text_of().encode()), "d.csv.gz"),
        written(tmp_path, lines, "d.jsonl"),
        written(tmp_path, gzip.compress(lines.encode()), "d.jsonl.gz"),
        tmp_path / "d.parquet",
    ]
    assert len({fingerprint([read_table(file).frame]) for file in files}) == 1


def test_the_fingerprint_sees_a_changed_cell_and_a_changed_name() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    changed = frame.assign(b=["x", "z"])
    prints = {fingerprint([frame]), fingerprint([changed]), fingerprint([frame.rename(columns={"a": "c"})])}
    assert len(prints) == 3


def test_markers_of_missing_values_are_missing(tmp_path: Path) -> None:
    words = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", " ? "]
    file = written(tmp_path, "x,c\n" + "".join(f"{w},{w}\n" for w in words) + "1,a\n")
    frame = read_table(file).frame
    assert frame["x"].isna().sum() == frame["c"].isna().sum() == 10 - 0


def test_decimal_commas_are_read_where_the_comma_does_not_divide(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, "x;y\n1,5;a\n2,25;b\n")).frame
    assert frame["x"].tolist() == [1.5, 2.25]


def test_other_encodings_are_read_and_told(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "x,c\n1,é\n".encode("latin-1")))
    assert table.frame["c"].tolist() == ["é"]
    assert "Latin-1" in table.findings[0].text
    late = "x,c\n" + "1,abcdefgh\n" * 40_000 + "2,é\n"
    assert read_table(written(tmp_path, late.encode("latin-1"))).frame["c"].iloc[-1] == "é"
    assert read_table(written(tmp_path, text_of().encode("utf-16"))).frame["x"].iloc[0] == 0.5
    assert read_table(written(tmp_path, text_of().encode("utf-8-sig"))).frame.columns[0] == "x"


def test_quoted_newlines_are_one_cell(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, 'x,c\n1,"a\nb"\n2,c\n')).frame
    assert frame["c"].tolist() == ["a\nb", "c"]


def test_infinite_and_too_large_numbers_are_missing_and_told(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, f"x,z\ninf,{'1' * 200}\n1,2\n-inf,3\n"))
    assert table.frame["x"].isna().sum() == 2
    assert table.frame["z"].isna().sum() == 1
    assert {f.column for f in table.findings} == {"x", "z"}


def test_json_of_mixed_types_and_huge_integers_is_read(tmp_path: Path) -> None:
    lines = [{"a": 1, "b": 10**200}, {"a": "x", "b": 2}, {"b": 3}]
    frame = read_table(written(tmp_path, "\n".join(map(json.dumps, lines)), "d.jsonl")).frame
    assert frame["a"].tolist()[:2] == ["1", "x"]
    assert frame["b"].isna().tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "d.csv", "empty"),
        (" \n\n", "d.csv", "empty"),
        ("a,b\n", "d.csv", "no rows"),
        ("a,a,b\n1,2,3\n", "d.csv", "duplicate column names: 'a'"),
        ("a,b\n1,2\n3\n", "d.csv", "d.csv:3: 1 cells where the header has 2"),
        ('a,b\n1,"x\ny"\n3\n', "d.csv", "d.csv:4: 1 cells"),
        (b"PK\x03\x04....", "d.csv", "zip or Excel"),
        ("x", "d.xlsx", "save it as CSV"),
        ("x", "d.csv.gz", "can't be read"),
        ("x", "d.parquet", "not readable as Parquet"),
        ('{"a": 1}\n{"a": \n', "d.jsonl", "d.jsonl:2: not JSON"),
        ('[{"a": 1}]', "d.jsonl", "one JSON object a line"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, text: str | bytes, name: str, words: str
) -> None:
    assert words in told(written(tmp_path, text, name))


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path, text_of(), "train.csv")
    assert "did you mean train.csv?" in told(tmp_path / "trian.csv")


def test_a_large_file_is_read_in_batches_with_types_that_widen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 3_000
    x = [str(i) for i in range(rows - 1)] + ["0.5"]
    c = ["7"] * (rows - 1) + ["word"]
    late = [""] * (rows - 1) + ["3.5"]
    file = written(
        tmp_path, "x,c,late,f\n" + "".join(f"{a},{b},{d},0.25\n" for a, b, d in zip(x, c, late, strict=True))
    )
    monkeypatch.setattr(delimited, "STREAM_FROM", 0)
    monkeypatch.setattr(delimited, "_BLOCK", 4_096)
    frame = read_table(file, exact=frozenset({"f"})).frame
    assert frame["x"].dtype == np.float32
    assert frame["x"].iloc[-1] == 0.5
    assert frame["c"].tolist() == c
    assert frame["late"].iloc[-1] == "3.5"
    assert frame["f"].dtype == np.float64


def test_a_missing_target_is_told_with_the_nearest_column(tmp_path: Path) -> None:
    written(tmp_path, text_of())
    for target, words in (("yy", "did you mean 'y'?"), ("zzz", "its columns: x, c, y")):
        with pytest.raises(UserError, match=words.replace("?", r"\?")):
            load(DataCard(source="d.csv", target=target), tmp_path)
    written(tmp_path, "x^y\n1^2\n")
    with pytest.raises(UserError, match="delimiter must be one of"):
        load(DataCard(source="d.csv", target="y"), tmp_path)
    written(tmp_path, "1,2\n3,4\n")
    with pytest.raises(UserError, match="first line holds numbers"):
        load(DataCard(source="d.csv", target="y"), tmp_path)


def test_parts_must_have_the_columns_of_the_training_file(tmp_path: Path) -> None:
    written(tmp_path, text_of())
    written(tmp_path, "x,y\n1,0\n", "t.csv")
    with pytest.raises(UserError, match=r"source.test: lacks columns that train has: 'c'"):
        load(DataCard(source=Sources(train="d.csv", test="t.csv"), target="y"), tmp_path)


def test_sources_that_are_not_available_are_told() -> None:
    with pytest.raises(UserError, match="not available for tables"):
        load(DataCard(source="hub:a/b", target="y"))
    with pytest.raises(UserError, match="did you mean 'iris'"):
        load(DataCard(source="sklearn:irs"))


def test_openml_without_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.datasets

    def offline(**_: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    with pytest.raises(UserError, match=r"openml:1590 can't be fetched \(no route\): check the network"):
        load(DataCard(source="openml:1590", target="class"))


def test_bundled_data_knows_its_target() -> None:
    tables = load(DataCard(source="sklearn:diabetes"))
    assert tables.target == "target"
    assert tables.train.shape == (442, 11)


@pytest.mark.parametrize("stream", [False, True])
def test_a_row_longer_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    if stream:
        monkeypatch.setattr(delimited, "STREAM_FROM", 0)
    long = "word," * 1_200_000
    file = written(tmp_path, f'x,c\n1,short\n2,"{long}"\n3,short\n')
    assert read_table(file).frame["c"].tolist() == ["short", long, "short"]


def test_a_json_list_of_objects_is_a_table(tmp_path: Path) -> None:
    frame = read_table(
        written(tmp_path, json.dumps([{"x": 1, "c": "a"}, {"x": 2, "c": "b"}], indent=1), "d.json")
    ).frame
    assert frame["x"].tolist() == [1, 2] and frame["c"].tolist() == ["a", "b"]
