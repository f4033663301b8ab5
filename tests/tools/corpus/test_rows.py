"""Files of rows: every format gives the same table, and what can't be read says where and why."""

import gc
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus import spill
from automl_gpt.tools.corpus.rows import open_rows

ROWS = [{"text": f"a text of number {i}", "stars": i % 3} for i in range(30)]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    match path.suffixes[0]:
        case ".csv" | ".tsv":
            data = pd.DataFrame(ROWS).to_csv(index=False, sep="\t" if ".tsv" in name else ",").encode()
        case ".jsonl":
            data = "\n".join(map(json.dumps, ROWS)).encode()
        case ".json":
            data = json.dumps(ROWS, indent=1).encode()
        case _:
            pq.write_table(pa.Table.from_pylist(ROWS), path)
            return path
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.json", "a.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    source = open_rows(written(tmp_path, name))
    table = source.load(["stars", "text"], ["text"])
    assert source.columns == ["text", "stars"]
    assert table.select(["text", "stars"]).to_pylist() == ROWS
    assert table.schema.field("text").type == pa.large_string()


def test_a_column_wanted_as_text_keeps_how_its_numbers_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("said,meant\n007,2012-03-04\n1.50,2012-03-05\n")
    table = open_rows(tmp_path / "a.csv").load(["said", "meant"], ["said", "meant"])
    assert table.to_pylist() == [{"said": "007", "meant": "2012-03-04"}, {"said": "1.50", "meant": "2012-03-05"}]


def test_a_row_longer_than_a_block_is_read_whole(tmp_path: Path) -> None:
    long = "word and " * 1_000_000
    (tmp_path / "a.csv").write_text(f"text,label\nshort,0\n{long},1\nshort,0\n")
    table = open_rows(tmp_path / "a.csv").load(["text", "label"], ["text"])
    assert [len(text) for text in table["text"].to_pylist()] == [5, len(long.rstrip()) + 1, 5]


def test_many_rows_are_mapped_from_a_file_that_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "HELD", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pd.DataFrame({"text": [f"text {i}" for i in range(50_000)], "label": np.arange(50_000)}).to_csv(tmp_path / "a.csv")
    gc.collect()  # what other tests left does not count
    before = pa.total_allocated_bytes()
    table = open_rows(tmp_path / "a.csv").load(["text", "label"], ["text"])
    assert table["text"].to_pylist() == [f"text {i}" for i in range(50_000)]
    assert table["label"].to_pylist() == list(range(50_000))
    gc.collect()
    assert pa.total_allocated_bytes() - before < table.nbytes / 2
    assert list((tmp_path / "temporary").iterdir()) == []


def test_nested_values_of_json_stay_lists_and_mixed_ones_become_lists(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": ["x", "y"], "b": "z"}\n\n{"a": "w", "b": 3}\n{"a": null}\n')
    table = open_rows(tmp_path / "a.jsonl").load(["a", "b"], ())
    assert table["a"].to_pylist() == [["x", "y"], ["w"], None]
    assert table["b"].to_pylist() == ["z", "3", None]


def test_columns_whose_type_changes_far_down_become_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_gpt.tools.corpus.json_rows._BATCH", 2)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"a": v}) for v in (1, 2, 3.5, 4, "five")))
    assert open_rows(tmp_path / "a.jsonl").load(["a"], ())["a"].to_pylist() == ["1", "2", "3.5", "4", "five"]


def test_half_a_surrogate_pair_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "good"}\n{"a": "half \\ud83d"}\n')
    assert open_rows(tmp_path / "a.jsonl").load(["a"], ["a"])["a"].to_pylist() == ["good", "half ?"]


def test_text_that_is_not_utf8_is_read_as_latin1_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\n" + "ein schöner Satz,1\n".encode("latin-1") * 20)
    source = open_rows(tmp_path / "a.csv")
    assert source.load(["text"], ["text"])["text"][0].as_py() == "ein schöner Satz"
    assert source.notes == ("a.csv is not UTF-8; it was read as Latin-1",)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"text,label\n", "has column names and no rows"),
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"text,label\na,1\nb,2,3\n", "a.csv:3: 3 cells where the header has 2"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl:2: not JSON"),
        ("a.jsonl", b'{"a": 1}\n[2]\n', "a.jsonl:2: one JSON object a line"),
        ("a.json", b'[{"a": 1}, 2]', "entry 2 is no JSON object"),
        ("a.json", b'{\n"a": {"b":\n 1}}', "that is no SQuAD file"),
        ("a.json", b'[{"a": 1},\n{"a" 2}]', "a.json:2: not JSON"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.jsonl.gz", b"no gzip", "can't be read"),
        ("a.parquet", b"no parquet", "not readable as Parquet"),
        ("a.xlsx", b"PK", "save it as CSV"),
    ],
)
def test_what_is_no_file_of_rows_says_so_in_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_rows(tmp_path / name).load(["text"], ())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_says_which_one_is(tmp_path: Path) -> None:
    (tmp_path / "train.csv").touch()
    with pytest.raises(UserError, match=r"trian\.csv: no such file, did you mean train\.csv\?"):
        open_rows(tmp_path / "trian.csv")
    with pytest.raises(UserError, match="a folder"):
        open_rows(tmp_path)
