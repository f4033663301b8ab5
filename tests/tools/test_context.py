"""What a tool may reach: everything for a person, and only what the person named for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.tools.base import Context
from automl_gpt.tools.data.masked import COLUMNS, HIDDEN, profile_for_model, without_rare_cells
from automl_gpt.tools.toolbox import TOOLBOX


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `named.csv`, `secret.csv` and the run's own folder."""
    (tmp_path / "run" / "trials").mkdir(parents=True)
    (tmp_path / "run" / "own.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for name in ("named.csv", "secret.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_model(places: Path, *named: str | Path) -> Context:
    return Context(places / "run", named=tuple(map(Path, named)))


def test_a_person_may_name_any_path(places: Path) -> None:
    context = Context(places / "run")
    assert not context.for_model
    assert context.readable("secret.csv") == Path("secret.csv")
    assert context.writable("/tmp/x.csv") == Path("/tmp/x.csv")
    assert context.readable("~/x.csv") == Path.home() / "x.csv"


def test_a_model_reads_what_was_named_and_what_is_the_runs(places: Path) -> None:
    context = of_model(places, "named.csv")
    assert context.for_model
    for spelling in ("named.csv", "./named.csv", "run/../named.csv", str(places / "named.csv")):
        assert context.readable(spelling) == places / "named.csv"
    for spelling in ("own.csv", "run/own.csv", str(places / "run" / "own.csv")):
        assert context.readable(spelling) == places / "run" / "own.csv"


@pytest.mark.parametrize(
    "path",
    [
        "secret.csv", "run/../secret.csv", "../secret.csv", "run/trials/../../secret.csv", "/etc/passwd", "~/.bashrc",
        "~root/x", "..", "/", "run/../../../../../etc/passwd", "named.csv/../secret.csv", "named.csv.bak",
        "nothing.csv", "/proc/self/environ",
    ],
)  # fmt: skip
def test_a_model_reads_nothing_else(places: Path, path: str) -> None:
    with pytest.raises(ToolError, match="person named no such path"):
        of_model(places, "named.csv").readable(path)


def test_links_lead_nowhere(places: Path) -> None:
    (places / "run" / "link.csv").symlink_to(places / "secret.csv")
    (places / "run" / "up").symlink_to(places)
    (places / "run" / "loop").symlink_to(places / "run" / "loop")
    context = of_model(places)
    for path in ("run/link.csv", "link.csv", "run/up/secret.csv", "up/named.csv"):
        with pytest.raises(ToolError, match="named no such path"):
            context.readable(path)
    with pytest.raises(ToolError, match=r"can't be a path|named no such path"):
        context.readable("run/loop/x")
    (places / "run" / "out.csv").symlink_to(places / "planted.csv")
    with pytest.raises(ToolError, match="may not be written"):
        context.writable("out.csv")


def test_a_link_that_the_person_named_is_followed(places: Path) -> None:
    (places / "data.csv").symlink_to(places / "secret.csv")
    assert of_model(places, "data.csv").readable("data.csv") == places / "secret.csv"


def test_the_home_folder_is_named_by_its_sign_as_well(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(places))
    context = of_model(places, "~/named.csv")
    assert context.readable("~/named.csv") == places / "named.csv"
    with pytest.raises(ToolError, match="named no such path"):
        context.readable("~/secret.csv")


def test_what_stands_in_a_folder_that_the_person_named_is_read_and_not_written(places: Path) -> None:
    (places / "models").mkdir()
    context = of_model(places, "models")
    assert context.readable("models/bundle.json") == places / "models" / "bundle.json"
    with pytest.raises(ToolError, match="may not be written"):
        context.writable("models/new.csv")


def test_a_model_writes_new_files_alone_and_only_beside_the_runs_own(places: Path) -> None:
    context = of_model(places, "named.csv", "result.csv")
    assert context.writable("result.csv") == places / "result.csv"
    assert context.writable("new.csv") == places / "run" / "new.csv"
    assert context.writable(places / "run" / "new.csv") == places / "run" / "new.csv"
    for taken in ("named.csv", "own.csv"):
        with pytest.raises(ToolError, match="exists already"):
            context.writable(taken)
    for wrong in ("/tmp/x.csv", "../x.csv", "~/x.csv", "trials/0001.csv", "run/trials/x.csv", str(places / "x.csv")):
        with pytest.raises(ToolError, match="may not be written"):
            context.writable(wrong)


@pytest.mark.parametrize(
    "path", ["a\0b", "x" * 300, "y/" * 2000, "~nobody_of_this_name/x", "\ud800", "z\n\x1b[31m" * 99]
)
def test_what_can_be_no_path_is_one_short_line(places: Path, path: str) -> None:
    for ask in (of_model(places).readable, of_model(places).writable):
        with pytest.raises(ToolError) as caught:
            ask(path)
        text = str(caught.value)
        assert len(text) < 300
        assert text.isprintable()


# ------------------------------------------------------------------------------------------------------ through tools


def call(name: str, context: Context, **arguments: object) -> Any:
    return TOOLBOX[name].call(arguments, context)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("profile_data", {"card": "secret.yaml"}),
        ("profile_data", {"card": "iris"}),
        ("make_data_card", {"data_file": "secret.csv"}),
        ("make_data_card", {"data_file": "run/../secret.csv"}),
        ("make_data_card", {"data_file": "named.csv", "out": "../card.yaml"}),
        ("make_data_card", {"data_file": "named.csv", "out": "~/card.yaml"}),
        ("predict", {"model": "somebodys-run", "file": "named.csv"}),
        ("predict", {"model": "run", "file": "secret.csv"}),
        ("predict", {"model": "run", "file": "named.csv", "out": "../secret.csv"}),
        ("predict", {"model": "last", "file": "named.csv"}),
        ("export", {"model": "somebodys-run", "out": "new"}),
        ("export", {"model": "run", "out": "../new"}),
        ("forecast_training", {"finished": "secret.csv", "running": "named.csv"}),
        ("forecast_training", {"finished": "named.csv", "running": "secret.csv"}),
    ],
)  # fmt: skip
def test_no_tool_reaches_beyond_for_a_model(places: Path, name: str, arguments: dict[str, str]) -> None:
    (places / "secret.yaml").write_text("source: secret.csv\ntarget: b\n", encoding="utf-8")
    before = sorted(str(path) for path in places.rglob("*"))
    with pytest.raises(ToolError, match=r"named no such path|may not be written"):
        call(name, of_model(places, "named.csv"), **arguments)
    assert sorted(str(path) for path in places.rglob("*")) == before


def test_every_tool_that_takes_a_path_is_known_here() -> None:
    """A new tool with a path has to ask its context, and to be named above."""
    texts = ("file", "folder", "path", "card")
    takers = {
        name
        for name, tool in TOOLBOX.items()
        for field, info in tool.arguments.model_fields.items()
        if field in ("out", *texts) or any(word in (info.description or "").split() for word in texts)
    }
    assert takers == {"profile_data", "make_data_card", "predict", "export", "report", "forecast_training"}


def table(places: Path, name: str) -> Path:
    """Rows of three classes, one of them in two rows, and a column with a value of one row."""
    rows = 60
    labels = ["common"] * 38 + ["other"] * 20 + ["patient 4711"] * 2
    city = ["here"] * 30 + ["there"] * 29 + ["Jane Roe, 12 Elm Street"]
    frame = pd.DataFrame({"x": [i * 0.37 % 1 for i in range(rows)], "city": city, "label": labels})
    frame.to_csv(places / name, index=False)
    return places / name


def test_a_model_writes_a_card_into_the_runs_folder_and_sees_no_rare_label(places: Path) -> None:
    table(places, "people.csv")
    made = call("make_data_card", of_model(places, "people.csv"), data_file="people.csv", target="label")
    assert Path(made.file) == places / "run" / "people.yaml"
    assert "patient 4711" in (places / "run" / "people.yaml").read_text(encoding="utf-8")
    assert "patient" not in made.model_dump_json()
    by_person = call("make_data_card", Context(places / "run"), data_file="people.csv", target="label")
    assert "patient 4711" in by_person.text


def test_a_profile_shows_a_model_no_cell_of_few_rows_and_the_person_all_labels(places: Path) -> None:
    table(places, "people.csv")
    (places / "people.yaml").write_text("source: people.csv\ntarget: label\n", encoding="utf-8")
    seen = call("profile_data", of_model(places, "people.yaml"), card="people.yaml")
    text = seen.model_dump_json()
    assert "4711" not in text
    assert "Jane" not in text
    assert seen.labels == ("common", "other", HIDDEN)
    assert '"here"' in text
    assert "patient 4711" in call("profile_data", Context(places / "run"), card="people.yaml").labels


@pytest.mark.parametrize(
    "line", ["label_space: [common, other]\n", "positive_class: nobody\nlabel_space: [common, other, patient 4711]\n"]
)
def test_an_error_of_the_data_tells_a_model_no_cell(places: Path, line: str) -> None:
    table(places, "people.csv")
    if "positive" in line:
        frame = pd.read_csv(places / "people.csv")
        frame[frame["label"] != "other"].to_csv(places / "people.csv", index=False)
        line = "positive_class: nobody\n"
    (places / "people.yaml").write_text(f"source: people.csv\ntarget: label\n{line}", encoding="utf-8")
    with pytest.raises(ToolError) as caught:
        call("profile_data", of_model(places, "people.yaml"), card="people.yaml")
    assert "4711" not in str(caught.value)
    with pytest.raises(UserError, match="patient 4711"):
        call("profile_data", Context(places / "run"), card="people.yaml")


def test_labels_of_very_many_classes_are_all_hidden_and_long_lists_are_cut(places: Path) -> None:
    frame = pd.DataFrame({f"column {'x' * 400} {i}": [i * j % 7 for j in range(560)] for i in range(COLUMNS + 5)})
    frame["label"] = [f"person {j % 56}" for j in range(560)]
    frame.to_csv(places / "wide.csv", index=False)
    (places / "wide.yaml").write_text("source: wide.csv\ntarget: label\n", encoding="utf-8")
    whole = call("profile_data", Context(places / "run"), card="wide.yaml")
    shown = profile_for_model(whole)
    assert "person" not in shown.model_dump_json()
    assert len(shown.columns) == COLUMNS
    assert any(f"{COLUMNS} of {len(whole.columns)} columns" in finding.text for finding in shown.findings)
    assert len(shown.model_dump_json()) < 40_000
    assert set(without_rare_cells(whole).labels) == {HIDDEN}


def test_a_positive_class_of_few_rows_is_not_named_in_what_was_inferred(places: Path) -> None:
    rows = 60
    frame = pd.DataFrame({"x": [i * 0.37 % 1 for i in range(rows)], "label": ["usual"] * 57 + ["Jane Roe"] * 3})
    frame.to_csv(places / "two.csv", index=False)
    (places / "two.yaml").write_text("source: two.csv\ntarget: label\n", encoding="utf-8")
    whole = call("profile_data", Context(places / "run"), card="two.yaml")
    assert any("Jane Roe" in line for line in whole.inferred)
    assert "Jane" not in profile_for_model(whole).model_dump_json()


def test_a_report_of_a_model_is_a_page_in_the_runs_folder(tmp_path: Path) -> None:
    class Runs:
        def run_folder(self, run: str) -> Path:
            return tmp_path / run

    (tmp_path / "r").mkdir()
    context = Context(tmp_path / "r", journal=Runs(), run="r", named=())  # type: ignore[arg-type]
    for out in ("../report.html", "/tmp/report.html", "trials/report.html", "x" * 300 + ".html", "bundle.json"):
        with pytest.raises(ToolError, match=r"not in the run's folder|ends in \.html"):
            call("report", context, out=out)
    assert list((tmp_path / "r").iterdir()) == []
