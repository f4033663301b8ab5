"""Other AutoML libraries as peers, run as a script in an environment of their own: learns from TRAIN, predicts TEST.

    python automl.py METHOD TRAIN TEST OUT --task TASK --target COLUMN [--drop COLUMN ...] --seconds S [--seed N]

`flaml` is FLAML's AutoML, `autogluon` AutoGluon's TabularPredictor, each with its defaults, the metric that judges, and
the budget less what the process used before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
LOADING_SECONDS = 1.0
"""Kept of the budget for the predictions."""


def flaml(train: pd.DataFrame, new: pd.DataFrame, options: argparse.Namespace, seconds: float) -> pd.DataFrame:
    """Let FLAML search; return what is to be written."""
    from flaml import AutoML

    target, classes = train.pop(options.target), options.task != "regression"
    learner = AutoML()
    learner.fit(
        train,
        target,
        task="classification" if classes else "regression",
        metric=METRIC[options.task],
        time_budget=seconds,
        n_jobs=options.threads,
        seed=options.seed,
        verbose=0,
    )
    predicted = pd.DataFrame({"prediction": learner.predict(new)})
    if classes:
        names = [f"probability_{name}" for name in learner.classes_]
        predicted[names] = learner.predict_proba(new)
    return predicted


def autogluon(train: pd.DataFrame, new: pd.DataFrame, options: argparse.Namespace, seconds: float) -> pd.DataFrame:
    """Let AutoGluon train; return what is to be written."""
    from autogluon.tabular import TabularPredictor

    metric = {"rmse": "root_mean_squared_error"}.get(METRIC[options.task], METRIC[options.task])
    with tempfile.TemporaryDirectory() as folder:
        learner: Any = TabularPredictor(
            options.target, eval_metric=metric, problem_type=options.task, path=folder, verbosity=1
        )
        learner.fit(train, time_limit=seconds, num_cpus=options.threads)
        predicted = pd.DataFrame({"prediction": learner.predict(new).to_numpy()})
        if options.task != "regression":
            shares = learner.predict_proba(new)
            predicted[[f"probability_{name}" for name in shares.columns]] = shares.to_numpy()
    return predicted


def read(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read both files; the target is text but for regression."""
    kind = {} if options.task == "regression" else {options.target: str}
    train, test = (pd.read_csv(file, dtype=kind) for file in (options.train, options.test))
    return train.drop(columns=options.drop), test.drop(columns=[options.target, *options.drop])


def main() -> None:
    """Run one method; `--began` is when its process was started, in seconds of the monotonic clock."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=["flaml", "autogluon"])
    for name in ("train", "test", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--task", choices=list(METRIC), required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--drop", action="append", default=[])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--began", type=float, default=time.monotonic())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    train, new = read(options)
    learn = flaml if options.method == "flaml" else autogluon
    left = options.began + options.seconds - LOADING_SECONDS - time.monotonic()
    learn(train, new, options, left).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
