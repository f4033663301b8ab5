"""What every trainer for texts and pictures has to do. A new trainer is one more parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.reader import parse_model_card
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.deep.card import TEMPLATES
from automl_gpt.tools.train.protocol import FitData, Model, Trainer
from automl_gpt.tools.train.registry import FOR_EXAMPLES, FOR_WEIGHTS, trainer
from tests.tools.train.answers_made import questions, sentences
from tests.tools.train.deep.shapes import detection_data
from tests.tools.train.deep.translation import translation
from tests.tools.train.deep.word_problem import word_problem
from tests.tools.train.picture_problem import picture_problem
from tests.tools.train.problems import card
from tests.tools.train.search import search

PROBLEMS: dict[str, Callable[[], FitData]] = {
    "tfidf_linear": word_problem,
    "text_scratch": word_problem,
    "pixels_linear": picture_problem,
    "resnet_small": picture_problem,
    "convnext_small": picture_problem,
    "vit_small": picture_problem,
    "word_tagger": lambda: sentences(60),
    "token_scratch": lambda: sentences(60),
    "sentence_overlap": lambda: questions(60),
    "qa_scratch": lambda: questions(60),
    "nearest_text": lambda: translation(60),
    "seq2seq_scratch": lambda: translation(60),
    "causal_scratch": lambda: translation(60),
    "bm25": lambda: search(60),
    "bi_encoder_scratch": lambda: search(60),
    "mean_boxes": lambda: detection_data(16, 8, 64),
    "rtdetr_small": lambda: detection_data(8, 4, 64),
}
SMALLEST = {
    "hidden_size",
    "layers",
    "vocabulary",
    "width",
    "depth",
    "image_size",
    "max_length",
    "max_target_length",
    "epochs",
}
"""Hyperparameters that are set as small as the card lets them be: it is not the score that is tested here."""
ALL = pytest.mark.parametrize("one", FOR_EXAMPLES, ids=lambda t: t.name)
NETWORKS = [t for t in FOR_EXAMPLES if t.package == "transformers"]


@dataclass
class Log:
    """The rows that a trainer handed out; it is told to stop after so many."""

    stop: int = 10**9

    def __post_init__(self) -> None:
        self.rows: list[tuple[int, float]] = []

    def __call__(self, step: int, train: float, valid: float, more: Any = None, seconds: float | None = None) -> bool:
        self.rows.append((step, round(valid, 9)))
        return len(self.rows) < self.stop


def template(name: str) -> ModelCard:
    """Return the card from which those for given weights are made."""
    return parse_model_card((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))


def small(name: str) -> Hyperparameters:
    """Return the card's defaults with all that makes a network large at its least."""
    chosen = card(name)
    least: Hyperparameters = {}
    for key in SMALLEST & chosen.search_space.keys():
        space = chosen.search_space[key]
        least[key] = min(space.choices) if space.type == "categorical" else space.low  # type: ignore[type-var]
    return chosen.complete(least)


def fitted(one: Trainer, data: FitData, stop: int = 10**9) -> tuple[Model, Log]:
    """Fit a trainer with its smallest configuration."""
    log = Log(stop)
    return one.fit(data, small(one.name), log), log


def same(a: Any, b: Any) -> bool:
    """Say whether two predictions are equal."""
    return list(a) == list(b) if a.dtype == object else np.array_equal(a, b)


def alike(a: Any, b: Any) -> bool:
    """Say whether two predictions of other batches are equal but for rounding; of records, whether the keys are."""
    return [r.keys() for r in a] == [r.keys() for r in b] if a.dtype == object else np.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("one", [*FOR_EXAMPLES, *FOR_WEIGHTS], ids=lambda t: t.name)
def test_the_search_space_is_exactly_what_the_trainer_reads(one: Trainer) -> None:
    chosen = card(one.name) if one in FOR_EXAMPLES else template(one.name)
    assert set(chosen.search_space) == one.reads
    assert chosen.trainer == one.name


@ALL
def test_the_same_seed_gives_the_same_rows_and_predictions_also_when_saved(one: Trainer, tmp_path: Path) -> None:
    data = PROBLEMS[one.name]()
    (first, rows), (second, again) = fitted(one, data), fitted(one, data)
    prediction = first.predict(data.x_valid)
    assert rows.rows == again.rows and same(prediction, second.predict(data.x_valid))
    assert first.best_step in [step for step, _ in rows.rows]
    assert [step for step, _ in rows.rows] == sorted({step for step, _ in rows.rows})
    first.save(tmp_path)
    loaded = trainer(one.name).load(tmp_path)
    assert loaded.best_step == first.best_step and same(loaded.predict(data.x_valid), prediction)
    assert alike(loaded.predict(data.x_valid[:3]), prediction[:3])
    assert len(loaded.predict(data.x_valid[:0])) == 0
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".safetensors"]
    assert files and not any(file.read_bytes()[:1] == b"\x80" for file in files)
    assert not {".bin", ".pt", ".pkl", ".pickle"} & {file.suffix for file in files}


@ALL
def test_predictions_have_the_form_of_the_task_and_a_score(one: Trainer) -> None:
    data = PROBLEMS[one.name]()
    prediction = fitted(one, data, stop=1)[0].predict(data.x_valid)
    assert len(prediction) == len(data.y_valid)
    if data.classes:
        assert prediction.shape == (len(data.y_valid), data.classes) and np.allclose(prediction.sum(axis=1), 1.0)
    else:
        assert prediction.dtype == object and all(isinstance(record, dict) for record in prediction)
    assert np.isfinite(data.score_valid(prediction))


@ALL
def test_a_trainer_ends_when_it_is_told_to(one: Trainer) -> None:
    _, log = fitted(one, PROBLEMS[one.name](), stop=1)
    assert len(log.rows) == 1


@pytest.mark.parametrize("one", [t for t in FOR_EXAMPLES if t.reads], ids=lambda t: t.name)
def test_a_missing_hyperparameter_is_told_by_name(one: Trainer) -> None:
    with pytest.raises(ToolError, match=r"hyperparameter '.*' is missing"):
        one.fit(PROBLEMS[one.name](), {}, Log())


@pytest.mark.parametrize("one", FOR_WEIGHTS, ids=lambda t: t.name)
def test_a_trainer_of_given_weights_says_that_it_needs_them(one: Trainer) -> None:
    scratch = {"seq2seq": "seq2seq_scratch", "causal_lm": "causal_scratch", "detector": "rtdetr_small"}
    alike = {"text_encoder": "text_scratch", "token_encoder": "token_scratch", "qa_encoder": "qa_scratch"}
    names = {**scratch, **alike, "bi_encoder": "bi_encoder_scratch", "image_encoder": "resnet_small"}
    with pytest.raises(ToolError, match="source"):
        one.fit(PROBLEMS[names[one.name]](), template(one.name).default(), Log())


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - {"resnet_small", "vit_small", "convnext_small"}))
def test_the_trivial_baseline_answers_every_task(name: str) -> None:
    data = PROBLEMS[name]()
    log = Log()
    model = BaselineTrainer().fit(data, {}, log)
    prediction = model.predict(data.x_valid)
    assert len(log.rows) == 1 and log.rows[0][1] == pytest.approx(data.score_valid(prediction))


def test_every_network_says_what_makes_it_slower() -> None:
    assert len(NETWORKS) == 10
    assert all(card(one.name).resources.slower_with == "epochs" for one in NETWORKS)
    assert all({"epochs", "batch_size"} <= one.reads for one in NETWORKS)
