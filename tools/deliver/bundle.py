"""The delivered model: a folder that predicts raw rows with nothing else, and holds no code.

    bundle.json              what the members are, how they are weighed, how raw columns become a model's inputs
    members/0007/fold_0/     files of one fitted model, as its trainer's `load` reads them
    members/0007/whole/      those of the model that was fitted on all rows, where there is one
    members/passages/        what a model of retrieval searches
    MODEL_CARD.md            for people

A trial of several folds predicts by the mean of its fold models (bagging, Breiman 1996), to which a model of all rows
adds its part; an ensemble predicts by the weighted mean of its trials. A model that gives answers is one fitted model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Hyperparameters, Modality
from automl_gpt.tools.compose.decision import decide
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.store import read_passages
from automl_gpt.tools.data.encode import Encoder
from automl_gpt.tools.deliver.inputs import Chunk, chunks, find_columns
from automl_gpt.tools.deliver.outputs import columns_of, numbers_of, spread
from automl_gpt.tools.train.protocol import ANSWER_TASKS, Inputs, Model, Prediction, TaskKind
from automl_gpt.tools.train.registry import trainer

FORMAT = 1
MANIFEST, MEMBERS, CARD, PASSAGES, WHOLE = "bundle.json", "members", "MODEL_CARD.md", "members/passages", "whole"
CHUNK = 50_000
"""Rows that are encoded and predicted at a time, so that memory does not grow with the file."""


class BundleMember(BaseModel):
    """One trial of the delivered ensemble: its weight, its trainer, what it was fitted with.

    `whole` is the part that a model of all rows has in its prediction; 0: there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    trial: int = Field(ge=0)
    weight: float = Field(gt=0)
    trainer: str
    model: str
    folds: int = Field(ge=1)
    whole: float = Field(default=0.0, ge=0, le=1)
    hyperparameters: Hyperparameters


class Manifest(BaseModel):
    """The content of bundle.json.

    `labels` are the classes in the order of their codes. `encoder` is what turns a table into a matrix; of texts and
    pictures `columns` are the names that the columns had in training, by role. `files` holds the SHA-256 of every file
    of the members. `decision_weights` multiply the probabilities before a label is said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int = FORMAT
    run: str
    modality: Modality = "tabular"
    task: TaskKind
    target: str
    labels: tuple[bool | int | float | str, ...] = ()
    positive: int | None = None
    metric: str
    encoder: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    members: tuple[BundleMember, ...] = Field(min_length=1)
    decision_weights: tuple[float, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str]


class Bundle:
    """A delivered model, opened. Its members are loaded when they are first needed, and kept."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self.encoder = _read_encoder(folder, manifest)
        self._models: list[tuple[float, Model]] = []

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of classes and tags by code."""
        return tuple(map(str, self.manifest.labels))

    @property
    def classes(self) -> int:
        """Number of classes of a classification, 0 for other tasks."""
        return 0 if self.manifest.task in ANSWER_TASKS else len(self.manifest.labels)

    def predict(self, frame: Any, threads: int = 1, notes: list[str] | None = None, base: Path | None = None) -> Any:
        """Predict a pandas table of raw rows; returns a table of the same length and order.

        Its columns are `prediction` and, for classification, one `probability_CLASS` per class; those of answers are
        described by `outputs.columns_of`. Values that the model can't read are taken as missing, texts and pictures
        that it can't read have no prediction; both are counted in `notes`. Relative paths of pictures start at `base`.
        UserError names columns that are missing.
        """
        import pandas as pd

        if self.manifest.modality != "tabular":
            return self._predict_examples(frame, threads, notes, base)
        parts = [self.predict_matrix(x, threads) for x in self._encoded(frame, notes)]
        if not self.manifest.labels:
            return pd.DataFrame({"prediction": np.concatenate(parts) if parts else np.empty(0)})
        labels = pd.Series(list(self.manifest.labels))
        merged = np.concatenate(parts) if parts else np.empty((0, len(labels)))
        said = decide(merged, self.manifest.decision_weights).argmax(axis=1)
        columns: dict[str, Any] = {"prediction": labels.take(said).reset_index(drop=True)}
        for code, label in enumerate(self.manifest.labels):
            columns[f"probability_{label}"] = merged[:, code]
        return pd.DataFrame(columns)

    def predict_matrix(self, x: Inputs, threads: int = 1) -> Prediction:
        """Predict rows of the prepared layout: probabilities (rows, classes), values (rows,) or answers (rows,)."""
        models = self._loaded()
        starts = range(0, len(x), CHUNK)
        tasks = [(weight, model, start) for start in starts for weight, model in models]
        if self.manifest.task in ANSWER_TASKS:
            answers = [model.predict(x[start : start + CHUNK]) for _, model, start in tasks]
            return np.concatenate([np.empty(0, dtype=object), *answers])

        def one(task: tuple[float, Model, int]) -> Prediction:
            weight, model, start = task
            return weight * np.asarray(model.predict(x[start : start + CHUNK]), dtype=np.float64)

        out: Any = np.zeros((len(x), self.classes) if self.classes else len(x))
        threads = threads if self.manifest.modality == "tabular" else 1  # networks have threads of their own
        # The parts are added in the order of the tasks, so that threads change no digit of the result.
        with ThreadPoolExecutor(max(1, threads)) as pool:
            parts: Iterator[Any] = pool.map(one, tasks) if threads > 1 else map(one, tasks)
            for (_, _, start), part in zip(tasks, parts, strict=True):
                out[start : start + CHUNK] += part
        return out

    def passages(self) -> Examples | None:
        """Map what a model of retrieval searches; None for other tasks."""
        place = self.folder / PASSAGES
        return read_passages(place) if place.is_dir() else None

    def fitted(self, member: BundleMember, fold: int) -> Model:
        """Load one fitted model of the bundle."""
        return _load(member, fold_folder(self.folder, member.trial, fold))

    def _predict_examples(self, frame: Any, threads: int, notes: list[str] | None, base: Path | None) -> Any:
        import pandas as pd

        columns = find_columns([str(name) for name in frame.columns], self.manifest.columns)
        problems: Counter[str] = Counter()
        parts: list[Any] = []
        for chunk in chunks(frame, columns, base):
            problems.update(chunk.problems)
            parts.append(pd.DataFrame(self._columns(chunk, threads), dtype=object))
        if notes is not None and problems:
            why = ", ".join(f"{count} with {problem}" for problem, count in problems.most_common())
            notes.append(f"{problems.total()} of {len(frame)} rows have no prediction: {why}")
        if not parts:
            return pd.DataFrame({"prediction": []})
        merged: Any = pd.concat(parts, ignore_index=True)
        typed: Any = merged.infer_objects()
        if self.manifest.labels and merged["prediction"].isna().any():
            typed["prediction"] = merged["prediction"]  # whole numbers beside gaps would become fractions
        return typed

    def _columns(self, chunk: Chunk, threads: int) -> dict[str, list[Any]]:
        manifest, prediction = self.manifest, self.predict_matrix(chunk.examples, threads)
        if manifest.task in ANSWER_TASKS:
            told = columns_of(manifest.task, prediction, manifest.labels, self.passages())
        else:
            said = decide(prediction, manifest.decision_weights).argmax(axis=1) if self.classes else None
            told = numbers_of(prediction, said, manifest.labels)
        return spread(told, chunk.usable, chunk.count)

    def _encoded(self, frame: Any, notes: list[str] | None) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(frame), CHUNK):
            yield self.encoder.transform(frame.iloc[start : start + CHUNK], notes=notes)

    def _loaded(self) -> list[tuple[float, Model]]:
        if not self._models:
            total = sum(m.weight for m in self.manifest.members)
            for member in self.manifest.members:
                weight = member.weight / total
                part = weight * (1 - member.whole) / member.folds
                self._models += [(part, self.fitted(member, fold)) for fold in range(member.folds)]
                if member.whole:
                    self._models.append((weight * member.whole, _load(member, whole_folder(self.folder, member.trial))))
        return self._models


def load_bundle(folder: Path, *, fresh: bool = False) -> Bundle:
    """Open a delivered model: its folder, or that of the run which holds it as `model`.

    The files are compared with their hashes, unless the bundle was written just now (`fresh`).
    UserError in one line where there is none, or it is damaged or of a newer version.
    """
    for place in (folder, folder / "model"):
        if (place / MANIFEST).is_file():
            manifest = _read_manifest(place)
            if not fresh:
                _check_files(place, manifest)
            return Bundle(place, manifest)
    reason = f"it holds no {MANIFEST}" if folder.is_dir() else "there is no such folder"
    raise UserError(f"{folder}: no delivered model here ({reason}): name the folder `model` of a finished run")


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below `members`, by its path relative to the bundle."""
    found: dict[str, str] = {}
    for path in sorted((folder / MEMBERS).rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def fold_folder(folder: Path, trial: int, fold: int) -> Path:
    """Return where a bundle keeps one fitted model."""
    return folder / MEMBERS / f"{trial:04d}" / f"fold_{fold}"


def whole_folder(folder: Path, trial: int) -> Path:
    """Return where a bundle keeps the model that was fitted on all rows."""
    return folder / MEMBERS / f"{trial:04d}" / WHOLE


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise UserError(f"{path}: damaged, or of another version ({problem[:150]}): export the model again") from error
    if manifest.format != FORMAT:
        raise UserError(f"{path}: format {manifest.format}, this version reads {FORMAT}: upgrade, or export again")
    return manifest


def _read_encoder(folder: Path, manifest: Manifest) -> Encoder:
    try:
        return Encoder.from_state(manifest.encoder) if manifest.modality == "tabular" else Encoder(())
    except (ValidationError, KeyError, TypeError) as error:
        raise UserError(f"{folder / MANIFEST}: damaged (its encoder can't be read): export the model again") from error


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Compare the files with their hashes: some libraries crash the process on a damaged model."""
    actual = hashes(folder)
    for name in sorted(set(actual) | set(manifest.files)):
        if actual.get(name) != manifest.files.get(name):
            problem = "missing" if name not in actual else "unknown" if name not in manifest.files else "changed"
            raise UserError(f"{folder}: damaged, the file {name} is {problem}: export the model again")


def _load(member: BundleMember, place: Path) -> Model:
    try:
        return trainer(member.trainer).load(place)
    except Exception as error:
        # Each library has exceptions of its own for files that it can't read.
        line = " ".join(str(error).split())[:150]
        raise UserError(f"{place}: can't be loaded by {member.trainer} ({type(error).__name__}: {line})") from error
