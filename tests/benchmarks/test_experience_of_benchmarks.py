"""Benchmarks that give the product experience: it recalls what they made, and learns from it."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks import bayesmark_experience, before_training, curve_logs, llambo_bayesmark

SPACE = {
    "DecisionTree": {"max_depth": ["int", "linear", [1, 15]], "min_samples_leaf": ["float", "logit", [0.01, 0.49]]}
}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A folder as the benchmark wants it, with one small data set and one search space."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4))
    table = pd.DataFrame(x, columns=[f"x{i}" for i in range(4)]).assign(y=(x[:, 0] + x[:, 1] > 0).astype(int))
    table.to_csv(tmp_path / "small_train.csv.gz", index=False)
    (tmp_path / "search_spaces.json").write_text(json.dumps(SPACE), "utf-8")
    (tmp_path / "init").mkdir()
    starts = [{"max_depth": d, "min_samples_leaf": 0.4} for d in range(1, 6)]
    (tmp_path / "init" / "DecisionTree.json").write_text(json.dumps({"0": starts}), "utf-8")
    return tmp_path


def test_what_other_tables_taught_is_remembered_but_not_of_tables_with_the_same_rows(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(bayesmark_experience, "SETS", 3)
    bench = llambo_bayesmark.Bench(layout)
    [task] = bench.tasks(None, None)
    console = Console(quiet=True)
    bench.experience += bayesmark_experience.remembered(SPACE, False, tmp_path / "kept", console)
    told = bench.past(task)
    assert {t.data for t in told} <= {f"made_classes_{i}" for i in range(3)} and len(told) >= 6
    assert {t.model for t in told} == {"DecisionTree"} and all(0 <= t.value <= 1 for t in told)
    again = bayesmark_experience.remembered(SPACE, False, tmp_path / "kept", console)
    assert [r.trials for r in again] == [r.trials for r in bench.experience]
    same = bayesmark_experience.Remembered(task.table, "DecisionTree", again[0].set, again[0].trials)
    assert llambo_bayesmark.Bench(layout, [same]).past(task) == []
    ours = llambo_bayesmark.curve(bench, "automl-gpt", task, 0, None)
    assert ours is not None and len(ours) == llambo_bayesmark.TRIALS and ours[-1] > ours[0]
    options = Namespace(seeds=1, methods=["automl-gpt", "random"], kept=None)
    found = {r["method"]: r["regret"] for r in llambo_bayesmark.measure(bench, [task], options, console)}
    assert found["automl-gpt"][-1] == 0 <= found["random"][-1]


def test_trials_of_the_other_sets_are_experience_of_a_forecast(tmp_path):
    target, other = before_training.sets(None, 2, 1, 16, tmp_path)  # generated_2, breast_cancer
    state = before_training.run_of(target, range(10), [other])
    assert state.experience is not None and len(state.experience) == len(other.final)
    assert {t.data for t in state.experience} == {other.logs.name}
    (middle, low, high), _ = before_training.ours(target, range(10), range(10, 16), [other])
    assert np.all((low <= middle) & (middle <= high)) and np.ptp(middle) > 0


def test_logs_are_kept(tmp_path):
    made = curve_logs.curve_logs(None, 1, 4, 3, tmp_path)
    [file] = tmp_path.iterdir()
    changed = file.stat().st_mtime_ns
    assert np.array_equal(curve_logs.curve_logs(None, 1, 4, 3, tmp_path)[0].values, made[0].values)
    assert file.stat().st_mtime_ns == changed
