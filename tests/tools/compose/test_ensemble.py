from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import BudgetError
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.compose.decision import decide, decision_weights
from automl_gpt.tools.compose.ensemble import choose, out_of_fold
from automl_gpt.tools.compose.selection import MEMBERS
from automl_gpt.tools.data.prepared import Layout, Part, Prepared
from automl_gpt.tools.data.report import MetaFeatures, Profile
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.train.protocol import Feature

ROWS = 1200


def model_card(name: str) -> ModelCard:
    return ModelCard.model_validate(
        {"name": name, "tasks": ["classification"], "trainer": name, "search_space": {}, "resources": {"seconds": 1}}
    )


def prepared_of(y: Any, classes: int, folds: int = 1, rows_test: int = 100) -> Prepared:
    task: Any = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    layout = Layout(
        fingerprint="f", task=task, target="y", labels=tuple(range(classes)), positive=1 if classes == 2 else None,
        features=(Feature("x"),), folds=folds, rows_train=len(y), rows_test=rows_test, encoder={},
    )  # fmt: skip
    fold = (np.arange(len(y)) * folds // len(y)).astype(np.int8)
    return Prepared(Path("unused"), layout, Part(np.zeros((len(y), 1), np.float32), y, None), fold)


def run_with(folder: Path, prepared: Prepared, metric: str, predictions: dict[str, Any], **limits: Any) -> RunState:
    """A run whose trials made these out-of-fold predictions; each costs 1 ms a row and 10 MB."""
    y = prepared.rows.y[prepared.out_of_fold()]
    card = DataCard(source="x.csv", target="y", limits=limits)
    started = e.RunStarted(data_card=card, model_cards=(model_card("m"),), request=e.Request())
    state = RunState("r", started, started.request)
    profile = Profile(
        name="x", fingerprint="f", task=prepared.layout.task, target="y", rows=1, rows_train=1, rows_test=1, folds=1,
        rows_valid=1, split="", columns=(), features=1,
        meta=MetaFeatures(rows=1, columns=1, numeric=1, categorical=0, classes=2),
    )  # fmt: skip
    state.apply(e.DataProfiled(profile=profile, metric=metric))
    for number, (name, prediction) in enumerate(predictions.items(), 1):
        place = folder / "trials" / f"{number:04d}"
        place.mkdir(parents=True)
        np.save(place / "valid.npy", np.asarray(prediction, dtype=np.float32))
        (place / "trial.json").write_text(json.dumps({"trainer": "m", "folds": 1, "seconds_per_row": 1e-3}))
        model = "baseline" if name == "baseline" else "m"
        state.apply(e.TrialProposed(trial=number, model=model, hyperparameters={}, reason="", by="", seed=0))
        value = score(METRICS[metric], y, np.asarray(prediction, dtype=np.float64))
        state.apply(
            e.TrialFinished(
                trial=number, status="finished", value=value, folds=(value,), complete=True, disk_megabytes=10
            )
        )
    return state


def noisy(y: Any, noise: float, seed: int) -> Any:
    """Probabilities of two classes that know the target up to noise of their own."""
    logit = 2.0 * (y - 0.5) + np.random.default_rng(seed).normal(0, noise, len(y))
    p = 1 / (1 + np.exp(-logit))
    return np.stack([1 - p, p], axis=1)


@pytest.fixture
def y() -> Any:
    return np.random.default_rng(0).integers(0, 2, ROWS).astype(np.int32)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "f1", "average_precision", "brier", "mcc"])
def test_models_whose_errors_differ_are_joined_and_beat_the_best_of_them(tmp_path: Path, y: Any, metric: str) -> None:
    predictions = {f"m{i}": noisy(y, 2.0, i) for i in range(5)}
    state = run_with(tmp_path, prepared_of(y, 2), metric, predictions)
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS[metric])
    assert len(chosen.members) >= 3
    assert METRICS[metric].better(chosen.value, chosen.best_single)
    assert sum(m.weight for m in chosen.members) == pytest.approx(1, abs=1e-4)
    assert "beats the best single model" in chosen.reason


def test_values_of_a_regression_are_averaged_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(100, 20, ROWS)
    predictions = {f"m{i}": y + rng.normal(0, 10, ROWS) for i in range(4)}
    state = run_with(tmp_path, prepared_of(y, 0, folds=5), "rmse", predictions)
    chosen = choose(state, tmp_path, prepared_of(y, 0, folds=5), METRICS["rmse"])
    assert len(chosen.members) == 4
    assert chosen.value < 0.7 * chosen.best_single


def test_copies_of_one_model_and_worse_ones_are_not_joined(tmp_path: Path, y: Any) -> None:
    good = noisy(y, 1.0, 1)
    constant = np.tile([0.5, 0.5], (ROWS, 1))
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {"a": good, "b": constant, "c": 1 - good})
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])
    assert [m.trial for m in chosen.members] == [1]
    assert chosen.value == pytest.approx(chosen.best_single, abs=1e-6)


def test_the_number_of_members_is_bounded(tmp_path: Path, y: Any) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {f"m{i}": noisy(y, 3.0, i) for i in range(20)})
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])
    assert 3 <= len(chosen.members) <= MEMBERS


def test_the_choice_is_the_same_each_time(tmp_path: Path, y: Any) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "accuracy", {f"m{i}": noisy(y, 2.0, i) for i in range(6)})
    both = [choose(state, tmp_path, prepared_of(y, 2), METRICS["accuracy"]) for _ in range(2)]
    assert both[0] == both[1]


@pytest.mark.parametrize(("limit", "most"), [({"seconds_per_1000": 2.5}, 2), ({"megabytes": 35}, 3)])
def test_the_limits_of_the_card_hold_for_all_members_together(
    tmp_path: Path, y: Any, limit: dict[str, float], most: int
) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {f"m{i}": noisy(y, 2.0, i) for i in range(6)}, **limit)
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])
    assert 1 < len(chosen.members) <= most


def test_where_no_trial_keeps_the_limits_that_is_said(tmp_path: Path, y: Any) -> None:
    state = run_with(
        tmp_path, prepared_of(y, 2), "log_loss", {"a": noisy(y, 2.0, 1), "b": noisy(y, 2.0, 2)}, megabytes=1
    )
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])
    assert len(chosen.members) == 1
    assert "no trial keeps the limits" in chosen.reason


def test_members_that_could_not_predict_the_test_split_in_time_stay_out(tmp_path: Path, y: Any) -> None:
    prepared = prepared_of(y, 2, rows_test=1000)
    state = run_with(tmp_path, prepared, "log_loss", {f"m{i}": noisy(y, 2.0, i) for i in range(6)})
    assert len(choose(state, tmp_path, prepared, METRICS["log_loss"]).members) == 6
    assert len(choose(state, tmp_path, prepared, METRICS["log_loss"], seconds_left=5.1).members) == 2


def test_a_single_model_can_be_asked_for(tmp_path: Path, y: Any) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {f"m{i}": noisy(y, 1.0 + i, i) for i in range(3)})
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"], single=True)
    assert [m.trial for m in chosen.members] == [1]


def test_predictions_that_are_missing_damaged_or_not_finite_are_passed_over(tmp_path: Path, y: Any) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {f"m{i}": noisy(y, 2.0, i) for i in range(4)})
    (tmp_path / "trials" / "0001" / "valid.npy").unlink()
    np.save(tmp_path / "trials" / "0002" / "valid.npy", np.zeros((3, 2), np.float32))
    np.save(tmp_path / "trials" / "0003" / "valid.npy", np.full((ROWS, 2), np.nan, np.float32))
    chosen = choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])
    assert [m.trial for m in chosen.members] == [4]


def test_the_trivial_baseline_is_delivered_only_where_there_is_nothing_else(tmp_path: Path, y: Any) -> None:
    share = np.tile([0.5, 0.5], (ROWS, 1))
    prepared = prepared_of(y, 2)
    alone = run_with(tmp_path / "a", prepared, "log_loss", {"baseline": share})
    assert [m.trial for m in choose(alone, tmp_path / "a", prepared, METRICS["log_loss"]).members] == [1]
    both = run_with(tmp_path / "b", prepared, "log_loss", {"baseline": share, "m": noisy(y, 6.0, 1)})
    assert [m.trial for m in choose(both, tmp_path / "b", prepared, METRICS["log_loss"]).members] == [2]


def test_a_run_without_a_complete_trial_has_nothing_to_deliver(tmp_path: Path, y: Any) -> None:
    state = run_with(tmp_path, prepared_of(y, 2), "log_loss", {})
    with pytest.raises(BudgetError):
        choose(state, tmp_path, prepared_of(y, 2), METRICS["log_loss"])


def test_the_prediction_of_an_ensemble_is_the_weighted_mean(tmp_path: Path, y: Any) -> None:
    one, other = noisy(y, 1.0, 1), noisy(y, 1.0, 2)
    run_with(tmp_path, prepared_of(y, 2), "log_loss", {"a": one, "b": other})
    mean = out_of_fold(tmp_path, [e.Member(trial=1, weight=0.75), e.Member(trial=2, weight=0.25)])
    assert mean == pytest.approx(0.75 * one + 0.25 * other, abs=1e-6)


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "mcc", "f1_macro"])
def test_decision_weights_lift_metrics_that_the_likeliest_class_does_not_serve(metric: str) -> None:
    rng = np.random.default_rng(5)
    y = (rng.random(3000) < 0.08).astype(np.int32)
    p = 1 / (1 + np.exp(-(-3.2 + 2.2 * y + rng.normal(0, 1, len(y)))))
    prediction = np.stack([1 - p, p], axis=1)
    weights = decision_weights(METRICS[metric], y, prediction)
    assert weights[0] == 1
    assert weights[1] > 1.5
    assert score(METRICS[metric], y, decide(prediction, weights)) > score(METRICS[metric], y, prediction) + 0.05


def test_decision_weights_stay_away_where_they_only_follow_luck() -> None:
    y = np.random.default_rng(6).integers(0, 2, 300).astype(np.int32)
    assert decision_weights(METRICS["balanced_accuracy"], y, noisy(y, 1.0, 6)) == ()
    assert decision_weights(METRICS["accuracy"], y, noisy(y, 1.0, 6)) == ()
    assert decision_weights(METRICS["f1"], y[:20], noisy(y, 1.0, 6)[:20]) == ()


def test_the_limits_of_the_person_hold_beside_those_of_the_card(tmp_path: Path, y: Any) -> None:
    predictions = {f"m{i}": noisy(y, 2.0, i) for i in range(5)}
    state = run_with(tmp_path, prepared_of(y, 2), "roc_auc", predictions, megabytes=45)
    assert len(choose(state, tmp_path, prepared_of(y, 2), METRICS["roc_auc"]).members) > 2
    state.apply(e.RequestChanged(request=e.Request(megabytes=25)))
    assert len(choose(state, tmp_path, prepared_of(y, 2), METRICS["roc_auc"]).members) == 2
    state.apply(e.RequestChanged(request=e.Request(seconds_per_1000=1.5)))
    assert len(choose(state, tmp_path, prepared_of(y, 2), METRICS["roc_auc"]).members) == 1


def test_a_small_model_is_found_behind_many_large_ones(tmp_path: Path, y: Any) -> None:
    predictions = {f"m{i}": noisy(y, 1.0, i) for i in range(30)} | {"small": noisy(y, 6.0, 99)}
    state = run_with(tmp_path, prepared_of(y, 2), "roc_auc", predictions)
    end = state.trials[31].end
    assert end is not None
    state.trials[31].end = end.model_copy(update={"disk_megabytes": 0.5})
    state.apply(e.RequestChanged(request=e.Request(megabytes=1)))
    assert [m.trial for m in choose(state, tmp_path, prepared_of(y, 2), METRICS["roc_auc"]).members] == [31]


def test_networks_for_texts_are_joined_only_up_to_a_few_times_what_the_dearest_costs(tmp_path: Path, y: Any) -> None:
    predictions = {f"m{i}": noisy(y, 2.0, i) for i in range(8)}
    table = prepared_of(y, 2)
    texts = replace(table, layout=table.layout.model_copy(update={"modality": "text"}))
    state = run_with(tmp_path, table, "log_loss", predictions)
    assert len(choose(state, tmp_path, table, METRICS["log_loss"]).members) > 3
    chosen = choose(state, tmp_path, texts, METRICS["log_loss"])
    assert 2 <= len(chosen.members) <= 3
    assert METRICS["log_loss"].better(chosen.value, chosen.best_single)
