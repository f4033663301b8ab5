"""The peers, run as a script in an environment of their own: learns from TRAIN, writes predictions for TEST.

    python boosting.py METHOD TRAIN TEST OUT --task TASK --target COLUMN [--drop COLUMN ...] --seconds S [--seed N]

`xgboost` trains XGBoost with its defaults. `optuna` lets Optuna's TPE search XGBoost's hyperparameters for as long as
the budget lasts, from the start of the process to its end: cross-validated (one validation part above 20,000 rows),
early stopping, trials pruned between folds, and a refit on all rows with the best configuration's number of rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import xgboost as xgb
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

FOLDS, HOLD_OUT_ABOVE, MAX_ROUNDS, PATIENCE, MAX_LEVELS, SMALL = 5, 20_000, 3_000, 50, 50, 20_000
EVAL_METRIC = {"binary": "auc", "multiclass": "mlogloss", "regression": "rmse"}


@dataclass
class Problem:
    """The data as XGBoost takes them: texts are categories or ordinal numbers."""

    task: str
    x: pd.DataFrame
    y: np.ndarray
    new: pd.DataFrame
    classes: list[str]
    seed: int
    threads: int

    def parameters(self) -> dict[str, Any]:
        """XGBoost's parameters that are no choice."""
        objective = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}
        fixed: dict[str, Any] = {"objective": objective[self.task], "nthread": self.threads, "seed": self.seed}
        fixed["eval_metric"] = EVAL_METRIC[self.task]
        return fixed | ({"num_class": len(self.classes)} if self.task == "multiclass" else {})


def read(options: argparse.Namespace) -> Problem:
    """Read both files; numbers are numbers where every training cell is one."""
    train, test = (pd.read_csv(file, dtype={options.target: str}) for file in (options.train, options.test))
    x, new = (t.drop(columns=[options.target, *options.drop]) for t in (train, test))
    for column in x.columns:
        if pd.api.types.is_numeric_dtype(x[column]):
            new[column] = pd.to_numeric(new[column], errors="coerce")
        else:
            x[column], new[column] = categories(x[column], new[column])
    # XGBoost refuses some characters in names of features.
    x.columns = new.columns = [f"f{number}" for number in range(x.shape[1])]
    if options.task == "regression":
        y, classes = train[options.target].to_numpy(float), []
    else:
        classes = sorted(train[options.target].unique())
        y = train[options.target].map({name: code for code, name in enumerate(classes)}).to_numpy(int)
    # On few cells a second thread costs more than it brings.
    threads = options.threads if x.size > SMALL else 1
    return Problem(options.task, x, y, new, classes, options.seed, threads)


def categories(known: pd.Series, new: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Make categories of texts, or ordinal numbers where they have many levels; levels seen only later are missing.

    XGBoost's splits by sets of levels overfit columns such as names: on those, the ordinal numbers serve it better.
    """
    levels = sorted(known.dropna().astype(str).unique())
    codes = [t.astype("str").map({level: code for code, level in enumerate(levels)}) for t in (known, new)]
    if len(levels) > MAX_LEVELS:
        return codes[0].astype(float), codes[1].astype(float)
    kind = pd.CategoricalDtype(range(len(levels)))
    return codes[0].astype(kind), codes[1].astype(kind)


def write(problem: Problem, raw: np.ndarray, out: Path) -> None:
    """Write what the command line of the product would write."""
    if problem.task == "regression":
        pd.DataFrame({"prediction": raw}).to_csv(out, index=False)
        return
    probabilities = np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in problem.classes])
    table.insert(0, "prediction", [problem.classes[code] for code in probabilities.argmax(axis=1)])
    table.to_csv(out, index=False)


def default_xgboost(problem: Problem) -> np.ndarray:
    """Train XGBoost as it comes."""
    kind = xgb.XGBRegressor if problem.task == "regression" else xgb.XGBClassifier
    model = kind(n_jobs=problem.threads, random_state=problem.seed, enable_categorical=True)
    model.fit(problem.x, problem.y)
    if problem.task == "regression":
        return model.predict(problem.new)
    probabilities = model.predict_proba(problem.new)
    return probabilities[:, 1] if problem.task == "binary" else probabilities


class OutOfTime(Exception):
    """The budget ends before the training does."""


class Deadline(xgb.callback.TrainingCallback):
    """Ends a training at a time."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Say whether to stop."""
        return time.monotonic() > self.at


@dataclass
class Search:
    """Optuna over XGBoost until a deadline, with enough time kept for the refit of the best so far."""

    problem: Problem
    ends: float
    best: tuple[float, dict[str, Any], int, float] | None = None

    def parts(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows to train on and those to validate on."""
        rows, y, seed = np.arange(len(self.problem.y)), self.problem.y, self.problem.seed
        classes = self.problem.task != "regression"
        if len(rows) > HOLD_OUT_ABOVE:
            by_class = classes and np.bincount(y).min() >= 2
            yield tuple(train_test_split(rows, test_size=0.2, random_state=seed, stratify=y if by_class else None))
        elif classes and np.bincount(y).min() >= FOLDS:
            yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, y)
        else:
            yield from KFold(FOLDS, shuffle=True, random_state=seed).split(rows)

    def reserve(self) -> float:
        """Seconds that the refit of the best configuration and the predictions need, with a margin."""
        return 0.5 + (1.5 * self.best[3] if self.best else 0.25 * max(0.0, self.ends - time.monotonic()))

    def space(self, trial: optuna.Trial) -> dict[str, Any]:
        """Draw a configuration."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.005, 0.3, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 12),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.01, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.4, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100, log=True),
            "reg_alpha": trial.suggest_float("reg_alpha", 1e-4, 10, log=True),
            "gamma": trial.suggest_float("gamma", 1e-6, 5, log=True),
        }

    def objective(self, trial: optuna.Trial) -> float:
        """Return the mean validation score of a configuration; the first is judged even if time ends it early."""
        stop = self.ends - self.reserve()
        began, scores, rounds = time.monotonic(), list[float](), list[int]()
        hyperparameters = self.space(trial)
        for fold, (fit, valid) in enumerate(self.parts()):
            value, best_round = self.train(hyperparameters, fit, valid, stop)
            scores.append(value)
            rounds.append(best_round)
            late = time.monotonic() > stop
            if late and self.best is not None:
                raise OutOfTime
            trial.report(float(np.mean(scores)), fold)
            if late:
                break
            if trial.should_prune():
                raise optuna.TrialPruned
        seconds = (time.monotonic() - began) / len(scores) * (1.0 if len(scores) == 1 else FOLDS / (FOLDS - 1))
        self.remember(float(np.mean(scores)), hyperparameters, int(np.mean(rounds)) + 1, seconds)
        return float(np.mean(scores))

    def train(self, hyperparameters: dict[str, Any], fit: Any, valid: Any, stop: float) -> tuple[float, int]:
        """Train on some rows; return the best validation score and its round."""
        p = self.problem
        matrices = [xgb.DMatrix(p.x.iloc[r], p.y[r], enable_categorical=True, nthread=p.threads) for r in (fit, valid)]
        model = xgb.train(
            p.parameters() | hyperparameters,
            matrices[0],
            MAX_ROUNDS,
            evals=[(matrices[1], "valid")],
            verbose_eval=False,
            callbacks=[xgb.callback.EarlyStopping(PATIENCE), Deadline(stop)],
        )
        return float(model.best_score), int(model.best_iteration)

    def remember(self, value: float, hyperparameters: dict[str, Any], rounds: int, seconds: float) -> None:
        """Keep the best."""
        sign = 1 if self.problem.task == "binary" else -1
        if self.best is None or sign * value > sign * self.best[0]:
            self.best = (value, hyperparameters, rounds, seconds)

    def run(self) -> int:
        """Search; return the number of trials."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            direction="maximize" if self.problem.task == "binary" else "minimize",
            sampler=optuna.samplers.TPESampler(seed=self.problem.seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
        )
        default = {"learning_rate": 0.3, "max_depth": 6, "min_child_weight": 1.0, "subsample": 1.0}
        default |= {"colsample_bytree": 1.0, "reg_lambda": 1.0, "reg_alpha": 1e-4, "gamma": 1e-6}
        study.enqueue_trial(default | {"learning_rate": 0.1})
        while self.best is None or time.monotonic() < self.ends - self.reserve():
            try:
                study.optimize(self.objective, n_trials=1)
            except OutOfTime:
                break
        return len(study.trials)

    def refit(self) -> np.ndarray:
        """Train the best configuration on all rows and predict."""
        p = self.problem
        assert self.best is not None
        data = xgb.DMatrix(p.x, p.y, enable_categorical=True, nthread=p.threads)
        model = xgb.train(p.parameters() | self.best[1], data, self.best[2], callbacks=[Deadline(self.ends)])
        return model.predict(xgb.DMatrix(p.new, enable_categorical=True, nthread=p.threads))


def main() -> None:
    """Run one method; `--began` is when its process was started, in seconds of the monotonic clock."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=["xgboost", "optuna"])
    for name in ("train", "test", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--task", choices=list(EVAL_METRIC), required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--drop", action="append", default=[])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--began", type=float, default=time.monotonic())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    problem = read(options)
    if options.method == "xgboost":
        write(problem, default_xgboost(problem), options.out)
        return
    search = Search(problem, options.began + options.seconds - 0.5)
    trials = search.run()
    write(problem, search.refit(), options.out)
    print(f"{trials} trials, best {search.best}")


if __name__ == "__main__":
    main()
