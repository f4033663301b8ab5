"""Columns and targets are taken for what they are."""

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.data.infer import infer_column, infer_columns
from automl_gpt.tools.data.report import Finding
from automl_gpt.tools.data.target import read_target, read_weight

CARD = DataCard(source="d.csv", target="y")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3] * 10, "number"),
        ([True, False] * 10, "boolean"),
        (["yes", "no"] * 10, "boolean"),
        (["red", "blue", None] * 10, "category"),
        (["1,200.5", "$3", "4%"] * 10, "number"),
        (["01.02.2020", "28.02.2021"] * 10, "datetime"),
        (["2020-01-01T10:00:00Z", "2020-01-02 10:00"] * 10, "datetime"),
        (["31/12/2020", "30/11/2020"] * 10, "datetime"),
        ([f"the {w} one was rather good {i}" for i, w in enumerate("abcdefghij" * 5)], "text"),
        (["1-2-3 x", "room 7"] * 10, "category"),
    ],
)
def test_a_column_is_taken_for_what_it_is(values: list[object], kind: str) -> None:
    assert infer_column(pd.Series(values, name="c"), "c", []).type == kind


def test_a_little_garbage_among_numbers_is_missing_and_told() -> None:
    findings: list[Finding] = []
    column = infer_column(pd.Series(["1.5"] * 60 + ["oops"], name="c"), "c", findings)
    assert column.type == "number"
    assert "mixed types: 1 values" in findings[0].text


def test_a_declared_type_counts_unless_it_does_not_fit() -> None:
    frame = pd.DataFrame({"a": [20200101, 20200102], "b": ["x", "y"], "c": [1, 2]})
    card = DataCard(source="d", target="y", inputs={"a": {"type": "datetime"}, "c": {"type": "category"}})
    columns = infer_columns(frame, ["a", "b", "c"], card, [])
    assert [column.type for column in columns.values()] == ["datetime", "category", "category"]
    wrong = DataCard(source="d", target="y", inputs={"b": {"type": "number"}})
    with pytest.raises(UserError, match=r"inputs.b: type number does not fit"):
        infer_columns(frame, ["b"], wrong, [])


@pytest.mark.parametrize(
    ("values", "task", "labels"),
    [
        (["b", "a"] * 20, "binary", ("a", "b")),
        ([True, False] * 20, "binary", (False, True)),
        ([0.5, 1.5] * 20, "binary", (0.5, 1.5)),
        ([2.0, 1.0, 3.0] * 20, "multiclass", (1, 2, 3)),
        (list(range(10)) * 5, "multiclass", tuple(range(10))),
        (list(range(3, 10)) * 10, "regression", ()),
        (np.linspace(0, 1, 50).tolist(), "regression", ()),
        (list(range(100)), "regression", ()),
    ],
)
def test_the_task_follows_from_the_target(values: list[object], task: str, labels: tuple[object, ...]) -> None:
    target = read_target(pd.Series(values, name="y"), CARD, [])
    assert (target.task, target.labels) == (task, labels)
    assert target.inferred
    assert target.y.dtype == (np.float64 if task == "regression" else np.int32)


def test_the_card_overrides_what_would_be_inferred() -> None:
    card = DataCard(source="d", target="y", task="regression")
    assert read_target(pd.Series([0, 1, 2] * 10, name="y"), card, []).task == "regression"


@pytest.mark.parametrize(
    ("values", "card", "words"),
    [
        ([1] * 20, {}, "one class only"),
        ([1.5] * 20, {"task": "regression"}, "same value in every row"),
        (["a", "b"] * 10, {"task": "regression"}, "are no numbers"),
        ([0, 1] * 10, {"label_space": (0, 2)}, "label_space lacks values that target 'y' has: '1'"),
        ([0, 1] * 10, {"positive_class": "x"}, "none of the labels"),
        ([f"v{i}" for i in range(100)], {}, "too many for classes"),
        (pd.date_range("2020-01-01", periods=20).tolist(), {}, "points in time"),
    ],
)
def test_a_target_that_does_not_fit_is_told(values: list[object], card: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_target(pd.Series(values, name="y"), DataCard(source="d", target="y", **card), [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "card", "label"),
    [
        (["no"] * 30 + ["yes"] * 10, {}, "yes"),
        ([0] * 10 + [1] * 30, {}, 1),
        (["cat"] * 10 + ["dog"] * 30, {}, "cat"),
        (["cat"] * 10 + ["dog"] * 30, {"positive_class": "dog"}, "dog"),
        ([1.0] * 10 + [0.0] * 30, {"positive_class": "1"}, 1),
    ],
)
def test_the_positive_class_is_named_or_by_its_name_or_the_rarer(
    values: list[object], card: dict[str, object], label: object
) -> None:
    target = read_target(pd.Series(values, name="y"), DataCard(source="d", target="y", **card), [])  # type: ignore[arg-type]
    assert target.positive is not None
    assert target.labels[target.positive] == label


@pytest.mark.parametrize(
    ("values", "words"), [([1, -1], "negative"), (["a", "b"], "without a number"), ([0, 0], "is 0")]
)
def test_weights_must_be_numbers_of_at_least_zero(values: list[object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_weight(pd.Series(values, name="w"))
