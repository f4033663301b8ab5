"""What every trainer has to do. A new trainer is one more parameter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.protocol import Trainer
from automl_gpt.tools.train.registry import FOR_EXAMPLES, FOR_TABLES, trainer
from tests.tools.train.problems import NAMES, bundled, card, fitted, mixed, only, sample, table

ALL = pytest.mark.parametrize("one", FOR_TABLES, ids=lambda t: t.name)
LEARNERS = pytest.mark.parametrize("one", [t for t in FOR_TABLES if t.reads], ids=lambda t: t.name)


def test_every_shipped_model_card_has_a_trainer_and_every_trainer_a_card() -> None:
    assert {card(name).trainer for name in NAMES} == {one.name for one in (*FOR_TABLES, *FOR_EXAMPLES)}
    assert all(card(name).name == name for name in NAMES)


def test_an_unknown_trainer_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ToolError, match="no trainer 'catboost'; there are: baseline, lightgbm"):
        trainer("catboost")


@ALL
def test_the_search_space_is_exactly_what_the_trainer_reads(one: Trainer) -> None:
    assert set(card(one.name).search_space) == one.reads


@LEARNERS
def test_a_missing_hyperparameter_is_told_by_name(one: Trainer) -> None:
    with pytest.raises(ToolError, match=r"hyperparameter '.*' is missing"):
        fitted(one, bundled("iris"), {})


@ALL
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_same_seed_gives_the_same_predictions_and_rows(one: Trainer, classes: int) -> None:
    data = mixed(classes)
    (first, rows), (second, again) = fitted(one, data), fitted(one, data)
    assert np.array_equal(first.predict(data.x_valid), second.predict(data.x_valid))
    assert rows == again


@ALL
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_saved_model_predicts_the_same_and_holds_no_pickle(one: Trainer, classes: int, tmp_path: Path) -> None:
    data = mixed(classes)
    model, _ = fitted(one, data)
    model.save(tmp_path)
    loaded = trainer(one.name).load(tmp_path)
    assert np.array_equal(loaded.predict(data.x_valid), model.predict(data.x_valid))
    assert loaded.best_step == model.best_step
    files = list(tmp_path.rglob("*"))
    assert files and {f.suffix for f in files} <= {".json", ".txt", ".ubj", ".npz", ".skops"}
    # A pickle of protocol 2 and later begins with the byte 0x80; the npz files were read with allow_pickle=False.
    assert not any(f.read_bytes()[:1] == b"\x80" for f in files)


@ALL
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_predictions_have_the_shape_and_unit_of_the_task(one: Trainer, classes: int) -> None:
    data = mixed(classes)
    prediction = fitted(one, data)[0].predict(data.x_valid)
    assert prediction.dtype == np.float64 and np.isfinite(prediction).all()
    if classes:
        assert prediction.shape == (len(data.y_valid), classes)
        assert np.allclose(prediction.sum(axis=1), 1.0) and (prediction >= 0).all()
    else:
        assert prediction.shape == (len(data.y_valid),)
        assert abs(prediction.mean() - data.y_valid.mean()) < 2 * data.y_valid.std()


@ALL
@pytest.mark.parametrize("classes", [0, 2])
def test_steps_rise_and_the_best_one_is_among_them(one: Trainer, classes: int) -> None:
    model, rows = fitted(one, mixed(classes), rows=None)
    steps = [step for step, _, _ in rows]
    assert steps and steps[0] >= 1 and steps == sorted(set(steps))
    assert model.best_step in steps
    assert all(np.isfinite(train) and np.isfinite(valid) for _, train, valid in rows)
    assert len(steps) <= 90


@ALL
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_last_or_best_logged_score_is_that_of_the_model(one: Trainer, classes: int) -> None:
    data = mixed(classes)
    model, rows = fitted(one, data)
    logged = {step: valid for step, _, valid in rows}[model.best_step]
    assert data.score_valid(model.predict(data.x_valid)) == pytest.approx(logged, rel=1e-5)


@ALL
def test_a_fit_that_is_stopped_after_its_first_row_still_gives_a_model(one: Trainer, tmp_path: Path) -> None:
    data = bundled("breast_cancer")
    model, rows = fitted(one, data, rows=1)
    assert len(rows) == 1 and model.best_step == rows[0][0]
    model.save(tmp_path)
    assert np.array_equal(one.load(tmp_path).predict(data.x_valid), model.predict(data.x_valid))


@LEARNERS
@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "iris"])
def test_every_trainer_clearly_beats_the_trivial_baseline(one: Trainer, name: str) -> None:
    data = bundled(name)
    trivial = data.score_valid(fitted(trainer("baseline"), data)[0].predict(data.x_valid))
    score = data.score_valid(fitted(one, data, rows=None)[0].predict(data.x_valid))
    gained = (score - trivial) / (data.metric.best - trivial)
    assert gained > {"breast_cancer": 0.95, "diabetes": 0.15, "iris": 0.7}[name]


@LEARNERS
@pytest.mark.parametrize("metric", ["accuracy", "f1", "brier", "mae", "mape", "rmsle", "median_absolute_error"])
def test_every_metric_can_be_fitted(one: Trainer, metric: str) -> None:
    data = bundled("breast_cancer" if metric in ("accuracy", "f1", "brier") else "diabetes", metric)
    trivial = data.score_valid(fitted(trainer("baseline"), data)[0].predict(data.x_valid))
    assert data.metric.better(data.score_valid(fitted(one, data, rows=25)[0].predict(data.x_valid)), trivial)


@LEARNERS
@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_random_configurations_fit_small_data(one: Trainer, classes: int, seed: int) -> None:
    data = mixed(classes, rows=80)
    model, rows = fitted(one, data, sample(card(one.name), seed), rows=6)
    assert rows and np.isfinite(model.predict(data.x_valid)).all()


@LEARNERS
def test_weights_pull_the_model_towards_heavy_rows(one: Trainer) -> None:
    data = mixed(2)
    weight = np.where(data.y == 1, 10.0, 1.0)
    plain, heavy = (
        fitted(one, d, rows=25)[0].predict(data.x_valid)[:, 1].mean() for d in (data, replace(data, weight=weight))
    )
    assert heavy > plain + 0.05


@ALL
def test_weights_of_any_size_mean_the_same(one: Trainer) -> None:
    data = mixed(2)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(data.y))
    light, heavy = (fitted(one, replace(data, weight=weight * size))[0].predict(data.x_valid) for size in (1.0, 1024.0))
    assert np.allclose(light, heavy, atol=1e-6)


@LEARNERS
def test_balanced_class_weights_lift_the_rare_class_and_are_ignored_for_values(one: Trainer) -> None:
    data = mixed(2)
    rare = only(data, np.flatnonzero((data.y == 0) | (np.arange(len(data.y)) % 5 == 0)))
    default = card(one.name).default()
    plain, balanced = (
        fitted(one, rare, default | {"class_weight": way}, rows=25)[0].predict(data.x_valid)[:, 1].mean()
        for way in ("none", "balanced")
    )
    assert balanced > plain + 0.02
    values = mixed(0)
    same = [
        fitted(one, values, default | {"class_weight": way})[0].predict(values.x_valid) for way in ("none", "balanced")
    ]
    assert np.array_equal(*same)


@ALL
def test_a_class_without_training_rows_keeps_its_column(one: Trainer) -> None:
    data = mixed(3)
    lacking = only(data, data.y != 1)
    prediction = fitted(one, lacking)[0].predict(data.x_valid)
    assert prediction.shape[1] == 3 and np.allclose(prediction.sum(axis=1), 1.0)
    assert (prediction[:, 1] > 0).all() and (prediction[:, 1] < 0.05).all()


@ALL
def test_two_rows_of_a_class_and_few_rows_at_all_are_enough(one: Trainer) -> None:
    data = mixed(2)
    rows = np.concatenate([np.flatnonzero(data.y == 1)[:2], np.flatnonzero(data.y == 0)[:6]])
    assert np.isfinite(fitted(one, only(data, rows))[0].predict(data.x_valid)).all()


@ALL
def test_a_single_column_is_enough(one: Trainer) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 1))
    data = table(x, x[:, 0] > 0, x[:20], x[:20, 0] > 0, classes=2)
    assert np.isfinite(fitted(one, data)[0].predict(data.x_valid)).all()


@ALL
def test_a_constant_target_and_validation_rows_of_one_class_do_not_crash(one: Trainer) -> None:
    constant = mixed(0)
    constant = replace(constant, y=np.full(len(constant.y), 7.0))
    assert np.allclose(fitted(one, constant)[0].predict(constant.x_valid), 7.0)
    data = mixed(2, metric="roc_auc")
    model, rows = fitted(one, replace(data, y_valid=np.zeros_like(data.y_valid)))
    assert np.isfinite(model.predict(data.x_valid)).all() and all(valid != valid for _, _, valid in rows)


@LEARNERS
def test_what_can_not_be_learnt_is_told_in_one_line(one: Trainer) -> None:
    data = mixed(2)
    for broken in (only(data, data.y == 0), only(data, slice(0, 0)), replace(data, weight=np.zeros(len(data.y)))):
        with pytest.raises(ToolError) as told:
            fitted(one, broken)
        assert "\n" not in str(told.value)


@ALL
def test_mapped_rows_that_must_not_be_written_are_enough(one: Trainer) -> None:
    data = mixed(2)
    for array in (data.x, data.y, data.x_valid, data.y_valid):
        array.setflags(write=False)
    assert np.isfinite(fitted(one, data)[0].predict(data.x_valid)).all()


@ALL
def test_a_column_that_only_validation_rows_lack_is_no_trouble(one: Trainer) -> None:
    data = bundled("iris")
    gaps = data.x_valid.copy()
    gaps[:, 2] = np.nan
    assert np.isfinite(fitted(one, data)[0].predict(gaps)).all()


@ALL
def test_no_rows_give_no_predictions(one: Trainer) -> None:
    data = mixed(3)
    assert fitted(one, data)[0].predict(data.x[:0]).shape == (0, 3)


@LEARNERS
def test_huge_and_tiny_targets_keep_their_unit(one: Trainer) -> None:
    data = bundled("diabetes")
    plain = fitted(one, data)[0].predict(data.x_valid)
    for size in (1e12, 1e-9):
        scaled = replace(data, y=data.y * size, y_valid=data.y_valid * size)
        # Ties between splits may fall differently for a few rows.
        assert np.median(np.abs(fitted(one, scaled)[0].predict(data.x_valid) / size / plain - 1)) < 0.01


def test_saved_goals_are_plain_json(tmp_path: Path) -> None:
    fitted(trainer("linear"), mixed(0))[0].save(tmp_path)
    assert json.loads((tmp_path / "goal.json").read_text())["loss"] == "squared"
