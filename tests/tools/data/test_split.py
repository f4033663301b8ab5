"""Rows are divided by the data's fingerprint, the card and nothing else."""

import numpy as np
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.split import Rows, cut_folds, cut_test, fold_count

PRINT = "0123456789abcdef0123456789abcdef"


def card(**more: object) -> DataCard:
    return DataCard(source="d.csv", target="y", **more)  # type: ignore[arg-type]


def rows(n: int, **more: object) -> Rows:
    facts = {"part": np.zeros(n, np.int8), "strata": None, "group": None, "time": None, **more}
    return Rows(**facts)  # type: ignore[arg-type]


def test_a_random_split_is_stratified_and_repeats() -> None:
    strata = (np.arange(1000) % 10 == 0).astype(np.int32)
    train, test, words = cut_test(rows(1000, strata=strata), card(), PRINT)
    assert abs(len(test) - 200) <= 1
    assert abs(strata[test].sum() - 20) <= 1
    assert sorted([*train, *test]) == list(range(1000))
    assert "20% at random, stratified" in words
    np.testing.assert_array_equal(cut_test(rows(1000, strata=strata), card(), PRINT)[1], test)
    other = cut_test(rows(1000, strata=strata), card(), PRINT[::-1])[1]
    assert set(other) != set(test)


def test_rare_classes_never_crash_and_single_rows_train() -> None:
    for n in range(10, 60):
        strata = np.zeros(n, np.int32)
        strata[:3] = [1, 2, 2]
        train, test, _ = cut_test(rows(n, strata=strata), card(), PRINT)
        assert {0, 1, 2} <= set(strata[train])
        assert len(test)
        folds = cut_folds(train, rows(n, strata=strata), card(), PRINT, 3)
        assert set(folds.fold) == set(range(folds.count))


def test_folds_are_blocks_of_like_size_for_small_data() -> None:
    strata = (np.arange(100) % 4 == 0).astype(np.int32)
    folds = cut_folds(np.arange(100), rows(100, strata=strata), card(), PRINT, 3)
    assert folds.count == 5
    assert (np.diff(folds.fold) >= 0).all()
    assert all(abs(strata[folds.rows[folds.fold == k]].sum() - 5) <= 1 for k in range(5))
    assert sorted(folds.rows) == list(range(100))


@pytest.mark.parametrize(("n", "columns", "count"), [(50_000, 10, 5), (50_001, 10, 1), (20_000, 300, 1)])
def test_large_data_get_one_validation_split(n: int, columns: int, count: int) -> None:
    folds = cut_folds(np.arange(n), rows(n), card(), PRINT, columns)
    assert folds.count == count
    if count == 1:
        assert set(folds.fold) == {-1, 0}
        assert (folds.fold == 0).sum() <= 20_000
        assert folds.fold[0] == -1


def test_groups_stay_together() -> None:
    group = np.repeat(np.arange(20), 5)
    data, by_group = rows(100, group=group), card(group="g")
    train, test, _ = cut_test(data, by_group, PRINT)
    assert not set(group[train]) & set(group[test])
    folds = cut_folds(train, data, by_group, PRINT, 3)
    for k in range(folds.count):
        assert not set(group[folds.rows[folds.fold == k]]) & set(group[folds.rows[folds.fold != k]])
    with pytest.raises(UserError, match="at least 3 groups"):
        cut_test(rows(10, group=np.arange(10) % 2), by_group, PRINT)


def test_a_split_by_time_tests_the_last_rows_and_validates_on_those_before() -> None:
    time = np.random.default_rng(0).permutation(100)
    data, by_time = rows(100, time=time), card(time="t")
    train, test, _ = cut_test(data, by_time, PRINT)
    assert sorted(time[test]) == list(range(80, 100))
    folds = cut_folds(train, data, by_time, PRINT, 3)
    assert folds.count == 1
    assert time[folds.rows[folds.fold == 0]].min() > time[folds.rows[folds.fold == -1]].max()


def test_given_files_are_the_split() -> None:
    part = np.repeat([0, 1, 2], [50, 20, 30]).astype(np.int8)
    train, test, _ = cut_test(rows(100, part=part), card(), PRINT)
    assert (part[test] == 2).all()
    folds = cut_folds(train, rows(100, part=part), card(), PRINT, 3)
    assert (part[folds.rows[folds.fold == 0]] == 1).all()
    assert folds.count == 1


def test_identical_rows_stay_on_one_side() -> None:
    twin = np.arange(100) // 2
    data = rows(100, twin=twin)
    train, test, _ = cut_test(data, card(), PRINT)
    assert not set(twin[train]) & set(twin[test])
    folds = cut_folds(train, data, card(), PRINT, 3)
    for k in range(5):
        assert not set(twin[folds.rows[folds.fold == k]]) & set(twin[folds.rows[folds.fold != k]])


def test_more_folds_than_rows_allow_are_told() -> None:
    with pytest.raises(UserError, match="20 folds are too many for 16"):
        cut_folds(np.arange(16), rows(16), card(split={"kind": "random", "folds": 20}), PRINT, 3)


def test_folds_are_as_many_as_the_time_allows_and_one_where_the_data_are_large():
    assert fold_count(1_000, 10, 2, None) == 5
    assert fold_count(1_000, 10, 2, core_seconds=120) == 5
    assert fold_count(30_000, 20, 2, core_seconds=120) == 3
    assert fold_count(40_000, 30, 20, core_seconds=120) == 1
    assert fold_count(60_000, 10, 2, None) == 1
    assert fold_count(10_000, 900, 2, None) == 1
