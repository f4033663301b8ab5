"""Retrieval: near data first, nothing where nothing is near."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from automl_gpt.tools.base import Context
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.experience import distances, similar, similar_runs
from automl_gpt.tools.tune.trials import show_trials
from tests.tools.tune.simulated import play, started

META = MetaFeatures(
    rows=1000, columns=10, numeric=8, categorical=2, classes=2, class_entropy=0.9, minority_share=0.3, landmark=0.5
)


@dataclass(frozen=True)
class Past:
    run: str = "r"
    data: str = "d"
    fingerprint: str = "f"
    model: str = "boosting"
    hyperparameters: dict[str, float] = field(default_factory=dict)
    metric: str = "roc_auc"
    value: float = 0.8
    seconds: float = 1.0
    rows: int = 1000
    columns: int = 10
    meta: MetaFeatures = META
    baseline: float | None = 0.5
    best: float | None = 0.9
    about: str = "flowers"


def near(**changes: object) -> MetaFeatures:
    return META.model_copy(update=changes)


def test_the_same_data_are_at_distance_zero_and_others_farther():
    found = distances(META, [META, near(rows=2000), near(rows=200000), near(classes=0)])
    assert found[0] == 0 < found[1] < found[2] < found[3] == float("inf")


def test_nothing_near_gives_an_empty_answer():
    other = near(rows=5_000_000, columns=2000, landmark=-0.5, missing=0.9, minority_share=0.001, class_entropy=0.01)
    assert similar(META, [Past(meta=other), Past(meta=near(classes=0))], 10) == []
    assert similar(META, [], 10) == []


def test_what_the_past_data_were_about_comes_along():
    assert [found.about for found in similar(META, [Past()], 10)] == ["flowers"]


def test_two_classes_are_no_neighbour_of_many():
    assert similar(META, [Past(meta=near(classes=5))], 10) == []


def test_nearest_data_come_first_and_one_set_does_not_fill_the_answer():
    close = [Past(fingerprint="a", data="a", value=0.6 + i / 1000) for i in range(100)]
    far = [Past(fingerprint="b", data="b", value=0.6 + i / 1000, meta=near(rows=2000)) for i in range(100)]
    found = similar(META, close + far, 20)
    assert len(found) == 20 and [t.distance for t in found] == sorted(t.distance for t in found)
    assert {t.data for t in found} == {"a", "b"}
    assert found[0].value == pytest.approx(0.699)


def test_another_metric_counts_as_farther():
    past = [Past(fingerprint="a"), Past(fingerprint="b", metric="log_loss")]
    found = similar(META, past, 10, metric="log_loss")
    assert [t.metric for t in found] == ["log_loss", "roc_auc"]


def test_damaged_trials_are_left_out_and_missing_ends_do_no_harm():
    past = [Past(value=float("nan")), Past(baseline=None, best=None), replace(Past(), meta=near(landmark=None))]
    assert len(similar(META, past, 10)) == 2


def test_the_tool_says_so_when_nothing_is_near(tmp_path):
    state = started()
    context = Context(tmp_path, cache={"state": state})
    assert "nothing near" in similar_runs.call({}, context).note
    state.apply(e.ExperienceFound(trials=tuple(similar(META, [Past()], 5))))
    assert [trial.about for trial in similar_runs.call({"limit": 3}, context).trials] == [""]


def test_show_trials_orders_by_score_or_by_time(tmp_path):
    state = play(started(), ("baseline", "boosting", "trees"), 6)
    context = Context(tmp_path, cache={"state": state})
    best = show_trials.call({"order": "best", "count": 3}, context)
    assert [t.value for t in best.trials] == sorted((t.value for t in best.trials), reverse=True)
    assert best.total == 6 and best.trials[0].value == state.best().value
    assert [t.trial for t in show_trials.call({"order": "last", "count": 2}, context).trials] == [6, 5]
