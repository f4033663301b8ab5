"""Runs on texts and pictures that were really trained, by cheap models: sources made on the spot, and their runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard, Hyperparameters
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.data.prepared import open_prepared
from automl_gpt.tools.evaluate.metrics import metric_for
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.train.job import Job
from automl_gpt.tools.train.registry import trainer
from automl_gpt.tools.train.worker import fit_data, save_predictions
from automl_gpt.tools.tune.forecasts.stopping import StopRule
from tests.tools.finished_run import SEED, FinishedRun, finish

NAMES = ("Ada", "Bob", "Cleo", "Dora", "Emil", "Finn")
TOWNS = ("Bonn", "Cork", "Nice", "Oslo", "Rome", "Lima", "Kyiv")
THINGS = ("film", "book", "song", "play", "meal", "trip", "game", "show")


def examples_run(
    folder: Path, card: DataCard, *trials: tuple[str, Hyperparameters], metric: str | None = None
) -> FinishedRun:
    """Prepare a source, train each (trainer, hyperparameters), choose, deliver, look at the test split."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = prepare(card, None, folder / "data")
    request = e.Request(seed=SEED, budget=e.Budget(seconds=60))
    started = e.RunStarted(data_card=card, model_cards=tuple(model_cards().values()), request=request)
    state = RunState("20260101-examples", started, request)
    own = metric_for(metric, profile.task, profile.modality)
    state.apply(e.DataProfiled(profile=profile, metric=own.name))
    run = FinishedRun(state, folder, open_prepared(folder / "data"), None)
    for name, hyperparameters in trials:
        _train(run, name, hyperparameters)
    return finish(run)


def _train(run: FinishedRun, name: str, hyperparameters: Hyperparameters) -> None:
    number = len(run.state.trials) + 1
    place = run.folder / "trials" / f"{number:04d}"
    settings: dict[str, Any] = {"trial": number, "model": name, "trainer": name, "hyperparameters": hyperparameters}
    metric = run.state.need_metric()
    rule = StopRule(direction=metric.direction)
    job = Job(data=str(run.prepared.folder), out=str(place), metric=metric.name, seed=SEED, rule=rule, **settings)
    data = fit_data(run.prepared, 0, job)
    model = trainer(name).fit(data, hyperparameters, lambda *_, **__: True)
    (place / "fold_0").mkdir(parents=True)
    model.save(place / "fold_0")
    prediction = model.predict(data.x_valid)
    save_predictions(place, prediction)
    about = {**settings, "folds": 1, "seconds_per_row": 1e-5}
    (place / "trial.json").write_text(json.dumps(about))
    value = data.score_valid(prediction)
    state = run.state
    state.apply(
        e.TrialProposed(trial=number, model=name, hyperparameters=hyperparameters, reason="", by="test", seed=SEED)
    )
    state.apply(
        e.TrialFinished(trial=number, status="finished", value=value, folds=(value,), complete=True, disk_megabytes=1)
    )


# ------------------------------------------------------------------------------------------------------------- sources


def reviews(rows: int = 120, seed: int = SEED) -> Any:
    """Sentences that are good or bad."""
    rng = np.random.default_rng(seed)
    good = rng.random(rows) < 0.5
    words = {True: ("lovely", "great", "charming"), False: ("awful", "dull", "boring")}
    lines = [
        f"{rng.choice(NAMES)} saw a {rng.choice(words[bool(g)])} {rng.choice(THINGS)} in {rng.choice(TOWNS)} no {i}"
        for i, g in enumerate(good)
    ]
    return pd.DataFrame(
        {"review": lines, "mood": np.where(good, "good", "bad"), "points": good * 4.0 + rng.random(rows)}
    )


def review_card(folder: Path, target: str = "mood", **more: Any) -> DataCard:
    """A card of a CSV of reviews."""
    folder.mkdir(parents=True, exist_ok=True)
    reviews().to_csv(folder / "reviews.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    return DataCard(modality="text", source=str(folder / "reviews.csv"), target=target, inputs=inputs, **more)


def squad(folder: Path, questions: int = 40) -> Path:
    """A SQuAD file: each paragraph tells where somebody lives."""
    rng = np.random.default_rng(SEED)
    paragraphs: list[Any] = []
    for number in range(questions):
        name, town = rng.choice(NAMES), str(rng.choice(TOWNS))
        context = f"Number {number} is {name}, who lives in {town} and likes {rng.choice(THINGS)}s number {number}."
        answer = {"text": town, "answer_start": context.index(town)}
        asked = {"id": f"q{number}", "question": f"Where does {name} number {number} live?", "answers": [answer]}
        paragraphs.append({"context": context, "qas": [asked]})
    path = folder / "squad.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "People", "paragraphs": paragraphs}]}))
    return path


def tagged(folder: Path, rows: int = 60) -> Path:
    """Sentences in which people and towns are tagged."""
    rng = np.random.default_rng(SEED)
    lines: list[str] = []
    for i in range(rows):
        tokens = [str(rng.choice(NAMES)), "Smith", "went", "to", str(rng.choice(TOWNS)), "on", "day", str(i)]
        tags = ["B-PER", "I-PER", "O", "O", "B-LOC", "O", "O", "O"]
        lines.append(json.dumps({"tokens": tokens, "tags": tags}))
    path = folder / "tagged.jsonl"
    path.write_text("\n".join(lines))
    return path


def boxed(folder: Path, pictures: int = 24) -> Path:
    """A COCO file of pictures with one bright square each, nearly always at the same place."""
    from PIL import Image

    rng = np.random.default_rng(SEED)
    (folder / "images").mkdir(parents=True)
    images: list[Any] = []
    boxes: list[Any] = []
    for i in range(pictures):
        pixels = rng.integers(0, 90, (48, 64, 3)).astype(np.uint8)
        x, y = (int(v) for v in rng.integers(10, 13, 2))
        pixels[y : y + 20, x : x + 20] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{i:02d}.png")
        images.append({"id": 100 + i, "file_name": f"{i:02d}.png", "width": 64, "height": 48})
        boxes.append(
            {"id": i + 1, "image_id": 100 + i, "category_id": 7, "bbox": [x, y, 20, 20], "area": 400, "iscrowd": 0}
        )
    path = folder / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 7, "name": "square"}]}))
    return path


def coloured(folder: Path, each: int = 12) -> Path:
    """Folders of pictures by colour."""
    from PIL import Image

    rng = np.random.default_rng(SEED)
    for code, colour in enumerate(("blue", "red")):
        (folder / colour).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 120, (20, 24, 3)).astype(np.uint8)
            pixels[:, :, 2 * (1 - code)] = 230
            Image.fromarray(pixels).save(folder / colour / f"{i:02d}.png")
    return folder
