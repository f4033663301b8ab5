"""From a card to prepared data: leaks are left out, honest columns stay, every defect of the data is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import Context
from automl_gpt.tools.data.encode import Encoder
from automl_gpt.tools.data.prepared import open_prepared, open_test
from automl_gpt.tools.data.profile import prepare
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.data.tool_profile import ProfileData, profile_data


def honest(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    y = (x + rng.normal(size=n) > 0).astype(int)
    return pd.DataFrame({"x": x, "k": rng.choice(list("abc"), n), "v": rng.integers(0, 1000, n), "y": y})


def prepared(frame: pd.DataFrame, folder: Path, test: pd.DataFrame | None = None, **card: object) -> Profile:
    frame.to_csv(folder / "d.csv", index=False)
    source: object = "d.csv"
    if test is not None:
        test.to_csv(folder / "t.csv", index=False)
        source = {"train": "d.csv", "test": "t.csv"}
    given = DataCard.model_validate({"source": source, "target": "y", **card})
    return prepare(given, folder, folder / "out")


def dropped(profile: Profile) -> dict[str, str]:
    return {column.name: column.why_dropped for column in profile.columns if column.role == "dropped"}


def levels_of_findings(profile: Profile, column: str | None) -> set[str]:
    return {finding.level for finding in profile.findings if finding.column == column}


def test_prepared_data_hold_what_the_profile_says(tmp_path: Path) -> None:
    profile = prepared(honest(), tmp_path)
    data, test = open_prepared(tmp_path / "out"), open_test(tmp_path / "out")
    assert data.layout.fingerprint == profile.fingerprint
    assert data.rows.x.shape == (profile.rows_train, profile.features) == (320, 3)
    assert len(test.y) == profile.rows_test == 80
    assert (np.diff(data.fold) >= 0).all()
    assert profile.folds == data.layout.folds == 5
    assert sorted([*data.rows.x[:, 0], *test.x[:, 0]]) == sorted(honest()["x"].astype(np.float32))
    assert profile.findings == ()
    assert 0 < (profile.meta.landmark or 0) < 1
    assert Encoder.from_state(data.layout.encoder).inputs == ("x", "k", "v")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["prepared.json", "test.arrow", "train.arrow"]


def test_the_test_split_is_the_same_in_every_run_whatever_its_time(tmp_path: Path) -> None:
    card = DataCard(source="sklearn:iris")
    folders = [tmp_path / "a", tmp_path / "b"]
    profiles = [prepare(card, None, folder, seconds) for seconds, folder in zip((None, 0.1), folders, strict=True)]
    assert (profiles[0].folds, profiles[1].folds) == (5, 1)
    assert profiles[0].rows_test == profiles[1].rows_test == 30
    np.testing.assert_array_equal(open_test(folders[0]).x, open_test(folders[1]).x)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_bundled_data_raise_no_alarm(name: str, tmp_path: Path) -> None:
    profile = prepare(DataCard(source=f"sklearn:{name}"), None, tmp_path)
    assert {finding.level for finding in profile.findings} <= {"note"}


def test_leaks_are_left_out_and_honest_columns_stay(tmp_path: Path) -> None:
    frame = honest()
    rng = np.random.default_rng(1)
    frame = frame.assign(
        row=rng.permutation(400),
        code=[f"u{i:04d}" for i in rng.permutation(400)],
        customer_id=rng.integers(0, 10**9, 400),
        alive=np.where(frame["y"] == 1, "yes", "no"),
        later=rng.normal(size=400),
        one="same",
        none=np.nan,
        strong=np.where(rng.random(400) < 0.95, frame["y"], 1 - frame["y"]),
        year=np.arange(1600, 2000),
    )
    profile = prepared(
        frame, tmp_path, inputs=dict.fromkeys(frame.columns.drop("y")) | {"later": {"known": "afterwards"}}
    )
    why = dropped(profile)
    assert set(why) == {"row", "code", "customer_id", "alive", "later", "one", "none"}
    assert all(
        levels_of_findings(profile, name) == {"leak"} for name in ("row", "code", "customer_id", "alive", "later")
    )
    assert all(levels_of_findings(profile, name) == {"note"} for name in ("one", "none"))


def test_a_nearly_perfect_column_is_only_warned_of(tmp_path: Path) -> None:
    frame = honest()
    near = frame["y"].copy()
    near.iloc[:2] = 1 - near.iloc[:2]
    profile = prepared(frame.assign(near=near), tmp_path)
    assert dropped(profile) == {}
    assert levels_of_findings(profile, "near") == {"warning"}


@pytest.mark.parametrize("copy", [lambda y: 3 * y + 1, np.exp, lambda y: -(y**3)])
def test_a_regression_target_in_disguise_is_left_out(tmp_path: Path, copy: object) -> None:
    frame = honest().drop(columns="y")
    frame["y"] = frame["x"] + np.random.default_rng(2).normal(size=400)
    profile = prepared(frame.assign(copy=copy(frame["y"])), tmp_path)  # type: ignore[operator]
    assert set(dropped(profile)) == {"copy"}


def test_rows_of_the_test_file_that_stand_in_training_are_not_scored(tmp_path: Path) -> None:
    frame = honest()
    fresh = honest(460).iloc[400:]
    profile = prepared(frame, tmp_path, test=pd.concat([fresh, frame.iloc[:10]]))
    assert profile.rows_train == 400
    assert profile.rows_test == 60
    assert any("10 test rows are not scored" in finding.text for finding in profile.findings)


def test_data_that_repeat_by_nature_keep_their_rows_and_are_warned_of(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0, 0, 1, 1] * 50, "b": [0, 1, 0, 1] * 50, "y": [0, 1, 1, 1, 0, 0, 1, 1] * 25})
    profile = prepared(frame, tmp_path)
    assert profile.rows_train == 160
    assert any("test score flatters" in finding.text for finding in profile.findings)


def test_drift_between_given_files_is_told_and_like_files_are_not(tmp_path: Path) -> None:
    frame, other = honest(), honest(800).iloc[400:]
    assert not prepared(frame, tmp_path, test=other).findings
    findings = prepared(frame, tmp_path, test=other.assign(x=other["x"] + 2)).findings
    assert any("drift" in finding.text and "x (" in finding.text for finding in findings)


def test_garbage_in_a_test_file_is_missing_there_and_changes_no_type(tmp_path: Path) -> None:
    profile = prepared(honest(), tmp_path, test=honest(460).iloc[400:].assign(x="oops"))
    assert {c.name: c.type for c in profile.columns}["x"] == "number"
    assert np.isnan(open_test(tmp_path / "out").x[:, 0]).all()


def test_rows_without_a_target_and_rare_classes_are_told(tmp_path: Path) -> None:
    frame = honest()
    frame["y"] = frame["y"].map({0: "no", 1: "yes"})
    frame.loc[:4, "y"] = None
    frame.loc[5, "y"] = "once"
    profile = prepared(frame, tmp_path)
    assert profile.rows == 395
    assert any("5 rows left out" in f.text for f in profile.findings)
    assert any("one row only" in f.text for f in profile.findings)
    assert profile.class_counts[profile.labels.index("once")] == 1


def test_groups_times_and_weights_have_their_roles(tmp_path: Path) -> None:
    frame = honest().assign(g=np.arange(400) % 40, w=np.arange(400) / 100, t=pd.date_range("2020-01-01", periods=400))
    profile = prepared(frame, tmp_path, group="g", weight="w")
    assert {c.name: c.role for c in profile.columns} == {
        "x": "input", "k": "input", "v": "input", "y": "target", "g": "group", "w": "weight", "t": "input",
    }  # fmt: skip
    assert open_prepared(tmp_path / "out").rows.weight is not None
    assert "by group" in profile.split
    by_time = prepared(frame, tmp_path, time="t")
    assert by_time.folds == 1
    assert "in time" in by_time.split


def test_levels_are_shown_only_where_they_are_few_and_frequent(tmp_path: Path) -> None:
    frame = honest()
    frame.loc[:3, "k"] = "rare"
    frame["many"] = [f"m{i % 60}" for i in range(400)]
    columns = {c.name: c for c in prepared(frame, tmp_path).columns}
    assert set(columns["k"].levels) == {"a", "b", "c"}
    assert columns["many"].levels == {}
    assert "rare" not in str(columns)


@pytest.mark.parametrize(
    ("change", "card", "words"),
    [
        (lambda f: f.head(8), {}, "too few to learn from"),
        (lambda f: f[["y"]], {}, "no column is left as an input"),
        (lambda f: f.assign(y=1), {}, "one class only"),
        (lambda f: f.assign(y=np.nan), {}, "has no value in any row"),
        (lambda f: f.assign(w=-1), {"weight": "w"}, "negative"),
        (lambda f: f, {"drop": ["xx"]}, "did you mean 'x'"),
        (lambda f: f, {"inputs": ["q"]}, "card: inputs"),
        (lambda f: f, {"weight": "q"}, "card: weight"),
        (lambda f: f, {"time": "k"}, "no points in time"),
        (lambda f: f, {"target": "yy"}, "did you mean 'y'"),
        (lambda f: f, {"modality": "text"}, "not available yet"),
    ],
)
def test_data_or_cards_that_cannot_be_used_are_told_in_one_line(
    tmp_path: Path, change: object, card: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        prepared(change(honest()), tmp_path, **card)  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [10, 12, 15, 20, 31])
def test_small_data_are_prepared_with_a_warning(tmp_path: Path, rows: int) -> None:
    profile = prepared(honest(rows), tmp_path)
    assert profile.rows_train + profile.rows_test == rows
    assert any("mostly chance" in finding.text for finding in profile.findings)


def test_the_tool_profiles_a_card_by_its_name(tmp_path: Path) -> None:
    profile = profile_data.function(ProfileData(card="iris"), Context(tmp_path))
    assert isinstance(profile, Profile)
    assert profile.labels == ("0", "1", "2")
