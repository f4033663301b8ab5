"""The unseen-image procedure: two sets of classes are tuned, a third is configured from their likeness alone.

    python -m benchmarks.unseen_images FOLDER [--seconds 180] [--random 5] [--classes 3] [--pictures 600]

FOLDER holds one folder of pictures per class (or a train folder with them). The classes are divided into three sets by
name. The first two are tuned by whole runs of the product, which leave their experience in a home. For the third, the
first trial of a network that a new run proposes is trained and compared with the mean of random settings of the same
network, trained on the same rows with the same deadline.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard, Hyperparameters, ModelCard
from automl_gpt.tools.corpus.tree import is_picture
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.prepared import open_prepared
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.registry import trainer
from automl_gpt.tools.train.worker import fit_data
from automl_gpt.tools.tune.forecasts.stopping import StopRule
from automl_gpt.tools.tune.space import random_point
from benchmarks.product import automl_gpt

NETWORK = "resnet_small"


def class_sets(folder: Path, classes: int, pictures: int, out: Path) -> list[Path]:
    """Copy three sets of classes, each of so many classes and pictures at most; return their folders."""
    root = folder / "train" if (folder / "train").is_dir() else folder
    names = sorted(place.name for place in root.iterdir() if place.is_dir())
    if len(names) < 3 * classes:
        raise SystemExit(f"{root}: {len(names)} classes; three sets of {classes} need {3 * classes}")
    made: list[Path] = []
    for number in range(3):
        place = out / f"set_{number + 1}"
        for name in names[number * classes : (number + 1) * classes]:
            (place / name).mkdir(parents=True)
            files = sorted(file for file in (root / name).iterdir() if is_picture(file.name))
            for file in random.Random(0).sample(files, min(pictures // classes, len(files))):
                shutil.copy2(file, place / name / file.name)
        made.append(place)
    return made


def run(folder: Path, home: Path, *options: str) -> dict[str, Any]:
    """Run the product on a folder of classes; return what it tells as JSON."""
    card = folder.with_suffix(".yaml")
    card.write_text(f"name: {folder.name}\nmodality: image\nsource: {folder}\nmetric: accuracy\n", encoding="utf-8")
    return automl_gpt("run", card, "--yes", "--json", *options, home=home).json()


def first_network_trial(home: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Return the first trial of the network in a run."""
    shown = automl_gpt("show", told["run"], "--json", home=home).json()
    return next(trial for trial in shown["trial_list"] if trial["model"] == NETWORK)


def score_of(data: Path, card: ModelCard, hyperparameters: Hyperparameters, seconds: float, seed: int) -> float:
    """Train one configuration on the third set with a deadline; return its accuracy on the validation rows."""
    job = Job(
        trial=1, model=card.name, trainer=card.trainer, hyperparameters=hyperparameters, data=str(data), out=str(data),
        metric="accuracy", seed=seed, rule=StopRule.model_construct(),
    )  # fmt: skip
    told = fit_data(open_prepared(data), 0, job)
    ends = time.monotonic() + seconds
    model = trainer(card.trainer).fit(replace(told, deadline=ends), hyperparameters, lambda *_: True)
    return told.score_valid(model.predict(told.x_valid))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=180, help="of each of the two runs that tune")
    parser.add_argument("--fit-seconds", type=int, default=60, help="deadline of each training on the third set")
    parser.add_argument("--random", type=int, default=5)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=600)
    told = parser.parse_args()
    import torch  # noqa: F401 - what is imported now counts against no deadline
    from transformers import Trainer  # noqa: F401

    with tempfile.TemporaryDirectory() as name:
        scratch, home = Path(name), Path(name) / "home"
        sets = class_sets(told.folder, told.classes, told.pictures, scratch)
        for folder in sets[:2]:
            done = run(folder, home, "--time", f"{told.seconds}s")
            Console().print(f"{folder.name}: {done['model']}, validation {done['valid']:.4f}, {done['trials']} trials")
        chosen = first_network_trial(home, run(sets[2], home, "--trials", "3"))
        card = model_cards()[NETWORK]
        data = scratch / "prepared"
        prepare(DataCard.model_validate({"modality": "image", "source": str(sets[2])}), None, data)
        mine = score_of(data, card, chosen["hyperparameters"], told.fit_seconds, 0)
        default = score_of(data, card, card.default(), told.fit_seconds, 0)
        draw = np.random.default_rng(0)
        others = [score_of(data, card, random_point(card, draw), told.fit_seconds, seed) for seed in range(told.random)]
    _show(mine, default, others)
    print(json.dumps({"from_experience": mine, "default": default, "random": others, "settings": chosen}, default=str))


def _show(mine: float, default: float, others: list[float]) -> None:
    table = Table("first trial on the third set", "accuracy", title=f"{NETWORK}, equal deadlines")
    mean = statistics.mean(others)
    table.add_row("configured from similar sets", f"{mine:.4f}")
    table.add_row("the card's default", f"{default:.4f}")
    table.add_row(f"mean of {len(others)} random settings", f"{mean:.4f} ({min(others):.4f} to {max(others):.4f})")
    table.add_row("difference to the mean", f"{mine - mean:+.4f} ({'better' if mine > mean else 'NOT better'})")
    Console().print(table)


if __name__ == "__main__":
    main()
