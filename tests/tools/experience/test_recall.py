"""Recall: near data first, nothing where nothing is near; own runs, imports and the shipped pack in one answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl_gpt.tools.base import Context
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.experience import recall as recalling
from automl_gpt.tools.experience.pack import FILE, Pack, shipped
from automl_gpt.tools.experience.recall import Question, recall, spread
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.past import PastSet, PastTrial, Ranked
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.experience import similar_runs
from tests.tools.tune.simulated import started

META = MetaFeatures(
    rows=1000, columns=10, numeric=8, categorical=2, classes=2, class_entropy=0.9, minority_share=0.3, landmark=0.5
)
QUESTION = Question("mine", "binary", "roc_auc", META, "loans of banks in towns", "loans of banks in towns income")


def near(**changes: object) -> MetaFeatures:
    return META.model_copy(update=changes)


def a_set(
    name: str, meta: MetaFeatures = META, metric: str = "roc_auc", task: str = "binary", text: str = ""
) -> PastSet:
    return PastSet(name, metric, task, name, text, text, meta, 0.5, 0.9)


def a_trial(name: str, value: float, model: str = "boosting", metric: str = "roc_auc", **more: object) -> PastTrial:
    told = PastTrial(name, metric, model, {"rate": value}, value, 1.0, 50.0, ((1, value),), "file", imported=True)
    return replace(told, **more)  # type: ignore[arg-type]


def keep(journal, *sets: PastSet, trials: list[PastTrial] | None = None) -> None:
    with journal.database.writing() as connection:
        for one in sets:
            past.keep_set(connection, one)
        past.keep_trials(connection, trials or [a_trial(s.fingerprint, 0.8, metric=s.metric) for s in sets], 1.0)


def ask(journal, question: Question = QUESTION, **more) -> list:
    return recall(journal, question, with_shipped=False, **more)


def test_nothing_near_gives_an_empty_answer(journal):
    assert ask(journal) == []
    far = near(rows=5_000_000, columns=2000, landmark=-0.5, missing=0.9, minority_share=0.001, class_entropy=0.01)
    keep(journal, a_set("far", far, "log_loss"), a_set("other", near(classes=0), task="regression"))
    keep(journal, a_set("unknown", metric="a_metric_of_tomorrow"))
    assert ask(journal) == []


def test_data_that_are_not_near_come_last_and_only_where_there_is_room(journal):
    far = near(rows=5_000_000, columns=2000, landmark=-0.5, missing=0.9, minority_share=0.001, class_entropy=0.01)
    sets = [a_set("far", far), a_set("near")]
    trials = [a_trial(s.fingerprint, 0.5 + i / 1000) for s in sets for i in range(30)]
    keep(journal, *sets, trials=trials)
    assert [t.data for t in ask(journal, limit=40)] == ["near"] * 30 + ["far"] * 10
    assert {t.data for t in ask(journal, limit=30)} == {"near"}
    state = started()
    state.apply(e.ExperienceFound(trials=tuple(ask(journal))))
    assert {t.data for t in state.experience or ()} == {"near"} and {t.data for t in state.far_experience} == {"far"}


def test_few_near_data_under_a_metric_are_joined_by_data_under_others_farther_away(journal):
    keep(journal, a_set("own", near(rows=1500)), a_set("other", metric="log_loss"), a_set("own", metric="log_loss"))
    own, other = ask(journal)
    assert (own.data, own.metric, other.data, other.metric) == ("own", "roc_auc", "other", "log_loss")
    assert own.distance < other.distance == pytest.approx(recalling.OTHER_METRIC)
    keep(journal, *(a_set(f"own{i}") for i in range(recalling.ENOUGH_SETS)))
    assert {t.metric for t in ask(journal)} == {"roc_auc"}


def test_many_classes_tell_of_two(journal):
    keep(journal, a_set("many", near(classes=3), "accuracy", "multiclass"))
    asked = replace(QUESTION, metric="accuracy")
    assert [t.data for t in ask(journal, asked)] == ["many"]


def test_nearest_data_come_first_with_what_is_known_of_them(journal):
    keep(journal, a_set("b", near(rows=4000)), a_set("a", near(rows=1500)), a_set("mine"))
    found = ask(journal)
    assert [t.data for t in found] == ["a", "b"]
    assert 0 < found[0].distance < found[1].distance < 1
    assert (found[0].baseline, found[0].best, found[0].rows, found[0].fingerprint) == (0.5, 0.9, 1500, "a")
    assert (found[0].curve, found[0].megabytes, found[0].source) == (((1, 0.8),), 50.0, "imported")


def test_one_data_set_does_not_fill_the_answer(journal):
    sets = [a_set("a"), a_set("b", near(rows=2000))]
    trials = [a_trial(s.fingerprint, 0.5 + i / 1000) for s in sets for i in range(100)]
    keep(journal, *sets, trials=trials)
    found = ask(journal, limit=20)
    assert [t.data for t in found] == ["a"] * 10 + ["b"] * 10
    assert found[0].value == pytest.approx(0.599)


def test_cards_about_the_same_bring_data_nearer(journal):
    keep(journal, a_set("words", near(rows=4000), text="Loans of banks in towns"), a_set("none", near(rows=4000)))
    words, none = ask(journal)
    assert words.data == "words" and words.distance < none.distance and words.alike > 0.5 > none.alike == 0


def test_among_many_data_sets_the_nearest_are_found(journal):
    sets = [a_set(f"s{i:03}", near(rows=1000 + 37 * i, missing=i / 400)) for i in range(300)]
    keep(journal, *sets)
    assert [t.data for t in ask(journal)] == [f"s{i:03}" for i in range(10)]


def test_damaged_rows_are_left_out_and_missing_ends_do_no_harm(journal):
    keep(journal, replace(a_set("a"), baseline=None, best=None), a_set("b"), trials=[a_trial("a", 0.7)])
    with journal.database.writing() as connection:
        table = past.tables().past_sets
        connection.execute(table.update().where(table.c.fingerprint == "b").values(signature=b"short"))
    [found] = ask(journal)
    assert (found.data, found.baseline, found.best) == ("a", None, 0.7)


def test_the_shipped_pack_is_a_layer_below_that_can_be_left_out(journal, monkeypatch):
    pack = Pack((a_set("a"), a_set("s")), {(n, "roc_auc"): (a_trial(n, 0.6, source="shipped"),) for n in ("a", "s")})
    monkeypatch.setattr(recalling, "shipped", lambda: pack)
    keep(journal, a_set("a"))
    assert [(t.data, t.value, t.source) for t in recall(journal, QUESTION)] == [
        ("a", 0.8, "imported"), ("s", 0.6, "shipped"),
    ]  # fmt: skip
    assert [t.data for t in ask(journal)] == ["a"]


def test_each_model_has_its_turn_and_what_fails_is_known_too():
    trials = [Ranked(f"{model}{v}", model, v) for model in ("good", "poor") for v in (0.9, 0.8, 0.7, 0.6, 0.5)]
    trials.append(Ranked("odd", "odd", float("nan")))
    found = spread(sorted(trials, key=lambda t: -t.value), 6)
    assert [(t.model, t.value) for t in found] == [
        ("good", 0.9), ("poor", 0.9), ("good", 0.8), ("poor", 0.8), ("good", 0.5), ("poor", 0.5),
    ]  # fmt: skip
    assert len(spread(trials, 100)) == 10


def test_the_tool_shows_what_the_run_recalled_and_says_where_nothing_is_near(monkeypatch, journal):
    state: RunState = started()
    monkeypatch.setattr("automl_gpt.tools.tune.experience.current_state", lambda _: state)
    context = Context(directory=journal.folder)
    assert "nothing near" in similar_runs.call({}, context).note  # type: ignore[attr-defined]
    keep(journal, a_set("a", text="long words"))
    state.experience = tuple(ask(journal))
    [shown] = similar_runs.call({}, context).trials  # type: ignore[attr-defined]
    assert (shown.data, shown.about, shown.curve) == ("a", "", ())


def test_the_shipped_pack_is_small_and_holds_no_problem():
    if not FILE.is_file():
        pytest.skip("no pack is shipped")
    pack = shipped()
    assert FILE.stat().st_size < 500_000
    assert len(pack.sets) >= 10 and {"breast_cancer", "iris"} <= {one.name for one in pack.sets}
    assert {t.model for trials in pack.trials.values() for t in trials} >= {"lightgbm", "linear", "mlp", "baseline"}
