"""Ours, default gradient boosting, and a forty-line Optuna script on one synthetic table, in one run.

    python -m benchmarks.synthetic [--time 60]

The table is scikit-learn's make_classification(n_samples=20_000, n_features=20, n_informative=10, n_redundant=4,
n_clusters_per_class=4, class_sep=0.5, flip_y=0.05, random_state=0); 5,000 rows, drawn by class, are held out. The score
is the ROC AUC on them. The script needs LightGBM, XGBoost and Optuna only, and runs in this environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.datasets import Case
from benchmarks.product import automl_gpt, timed
from benchmarks.scores import score

RECIPE = {"n_informative": 10, "n_redundant": 4, "n_clusters_per_class": 4, "class_sep": 0.5, "flip_y": 0.05}


def make(folder: Path) -> Case:
    """Write the table's two parts and a Data Card."""
    import pandas as pd
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split

    x, y = make_classification(n_samples=20_000, n_features=20, random_state=0, **RECIPE)
    table = pd.DataFrame(x, columns=[f"x{number}" for number in range(20)]).assign(target=y)
    parts = train_test_split(table, test_size=5_000, stratify=y, random_state=0)
    for part, name in zip(parts, ("train", "test"), strict=True):
        part.to_csv(folder / f"{name}.csv", index=False)
    (folder / "card.yaml").write_text("source: {train: train.csv, test: test.csv}\ntarget: target\n", "utf-8")
    return Case("synthetic", 0, "binary", "target", (), folder, "")


def histogram_gradient_boosting(case: Case, out: Path) -> float:
    """Train scikit-learn's HistGradientBoostingClassifier with its defaults; return the seconds."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, test = pd.read_csv(case.train), pd.read_csv(case.test)
    began = time.monotonic()
    model = HistGradientBoostingClassifier(random_state=0).fit(train.drop(columns="target"), train["target"])
    probability = model.predict_proba(test.drop(columns="target"))[:, 1]
    pd.DataFrame({"probability_1": probability, "probability_0": 1 - probability}).to_csv(out, index=False)
    return time.monotonic() - began


def optuna_script(case: Case, out: Path, seconds: float) -> float:
    """Run the script; return its seconds."""
    import pandas as pd

    script = Path(__file__).with_name("optuna_script.py")
    done = timed([sys.executable, script, case.train, case.test, out, str(seconds)])
    if done.code != 0:
        raise RuntimeError(done.err.strip()[-300:])
    table = pd.read_csv(out)
    table.assign(probability_0=1 - table["probability_1"]).to_csv(out, index=False)
    return done.wall


def ours(case: Case, out: Path, seconds: float) -> float:
    """Run and predict through the command line; return the run's seconds."""
    home = case.folder / "home"
    done = automl_gpt("run", case.folder / "card.yaml", "--json", "--yes", "--time", f"{seconds:g}s", home=home)
    predicted = automl_gpt("predict", done.json()["run"], case.test, "--out", out, home=home)
    if predicted.code != 0:
        raise RuntimeError(predicted.err.strip())
    return done.wall


def main() -> None:
    """Measure all three and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=60.0, help="budget in seconds of ours and of the script")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        case, out = make(Path(folder)), Path(folder) / "predictions.csv"
        methods = {
            "HistGradientBoosting, defaults": lambda: histogram_gradient_boosting(case, out),
            "Optuna in forty lines": lambda: optuna_script(case, out, options.time),
            "automl-gpt": lambda: ours(case, out, options.time),
        }
        for name, method in methods.items():
            wall = method()
            found[name] = {"roc_auc": score(case, out), "wall": wall}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    table = Table("method", "ROC AUC", "wall s", box=None)
    for name, row in found.items():
        table.add_row(name, f"{row['roc_auc']:.4f}", f"{row['wall']:.1f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
