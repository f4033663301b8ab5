"""What runs in a trial's process: fit fold after fold, hand out rows, stop when told or when it can't win, save."""

from __future__ import annotations

import json
import math
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.tools.corpus.examples import dump_records
from automl_gpt.tools.data.prepared import Prepared, open_passages, open_prepared
from automl_gpt.tools.evaluate.metrics import METRICS, score
from automl_gpt.tools.log import Metric, Status
from automl_gpt.tools.process.link import Link
from automl_gpt.tools.train.job import Job, Outcome
from automl_gpt.tools.train.protocol import Emit, FitData, Model, Prediction, Target
from automl_gpt.tools.train.registry import trainer

NUMBERS, ANSWERS = "valid.npy", "valid.jsonl"
"""Where a trial's out-of-fold predictions lie: probabilities and values, or records."""
UNKNOWN_OVERHEAD = 0.1
MINIMUM_SECONDS = 0.2
"""A fold is given at least this long before its deadline ends it, so that it logs something."""


@dataclass
class Progress:
    """What a trial has reached: scores of finished folds, and the running fold's curve."""

    began: float
    logged: float = 0.0
    overhead: float = 0.0
    folds: list[float] = field(default_factory=list)
    best_steps: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    status: Status = "finished"
    reason: str = ""
    cut: bool = False
    predict_seconds: list[float] = field(default_factory=list)

    def end(self, status: Status, reason: str) -> None:
        """Note why the trial ends before its time; the first reason stays."""
        if self.status == "finished":
            self.status, self.reason = status, reason


def train(arguments: dict[str, Any], link: Link) -> dict[str, Any]:
    """Train one trial (the task "train"): `arguments` is a `Job`, the result an `Outcome`."""
    from threadpoolctl import threadpool_limits

    job = Job.model_validate(arguments)
    _limit_torch(job.threads)
    with threadpool_limits(job.threads):
        return _train(job, link).model_dump(mode="json")


def _limit_torch(threads: int) -> None:
    """Give PyTorch its threads, where the server has imported it: its own pool is not seen by threadpoolctl."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)


def _train(job: Job, link: Link) -> Outcome:
    prepared = open_prepared(Path(job.data))
    out = Path(job.out)
    progress = Progress(time.monotonic())
    held_out: list[Prediction] = []
    for fold in range(prepared.layout.folds):
        model, prediction = _fit_fold(job, prepared, fold, progress, link)
        model.save(_empty(out / f"fold_{fold}"))
        if not _paused(job, fold, progress):
            shutil.rmtree(_scratch(out, fold), ignore_errors=True)
        held_out.append(prediction)
        progress.best_steps.append(model.best_step)
        progress.overhead = max(progress.overhead, time.monotonic() - progress.logged)
        last = fold == prepared.layout.folds - 1
        if last or link.stop_asked.is_set() or progress.status == "pruned":
            break
        if why := job.rule.after_fold(progress.folds):
            progress.end("pruned", "; ".join(filter(None, (progress.reason, why))))
            break
    complete = len(held_out) == prepared.layout.folds
    if link.stop_asked.is_set() and not complete:
        progress.end("stopped", "stopped by the person")
    if complete:
        _save_trial(out, job, prepared, held_out, progress)
    return _outcome(progress, complete, out, _paused(job, 0, progress))


def _paused(job: Job, fold: int, progress: Progress) -> bool:
    """Say whether the only fit of a trial was ended as it could not win, and can go on from a checkpoint."""
    left = any(_scratch(Path(job.out), fold).glob("checkpoint-*"))
    return progress.status == "pruned" and left and open_prepared(Path(job.data)).layout.folds == 1


def _fit_fold(job: Job, prepared: Prepared, fold: int, progress: Progress, link: Link) -> tuple[Model, Prediction]:
    deadline = _fold_deadline(job.deadline, prepared.layout.folds - fold, progress.overhead)
    data = replace(
        fit_data(prepared, fold, job),
        deadline=deadline,
        scratch=_scratch(Path(job.out), fold),
        tell=_teller(link),
    )
    progress.steps, progress.values, progress.cut = [], [], False
    model = trainer(job.trainer).fit(data, job.hyperparameters, _emitter(job, fold, progress, deadline, link))
    began = time.perf_counter()
    prediction = model.predict(data.x_valid)
    progress.predict_seconds.append((time.perf_counter() - began) / max(1, len(data.x_valid)))
    progress.folds.append(data.score_valid(prediction))
    return model, prediction


def _teller(link: Link) -> Callable[[str], None]:
    def tell(text: str) -> None:
        link.send({"kind": "told", "text": text})

    return tell


def _fold_deadline(deadline: float | None, folds_left: int, overhead: float) -> float | None:
    """Share the time that is left among the folds, so that a trial in a hurry is complete rather than cut off.

    `overhead` is what an earlier fold took between its last row and its end: predicting and saving. Before it is known
    a tenth of the share is kept for it.
    """
    if deadline is None:
        return None
    share = (deadline - time.monotonic()) / folds_left
    return time.monotonic() + max(MINIMUM_SECONDS, share - max(overhead, UNKNOWN_OVERHEAD * share))


def _emitter(job: Job, fold: int, progress: Progress, deadline: float | None, link: Link) -> Emit:
    def emit(
        step: int,
        train: float,
        valid: float,
        more: Mapping[str, float] | None = None,
        seconds: float | None = None,
    ) -> bool:
        progress.logged = time.monotonic()
        if seconds is not None:
            progress.began = min(progress.began, progress.logged - seconds)
        progress.steps.append(step)
        progress.values.append(valid)
        metrics = {k: v for k, v in {"train": train, "valid": valid, **(more or {})}.items() if math.isfinite(v)}
        at = round(progress.logged - progress.began if seconds is None else seconds, 4)
        link.send({"kind": "row", "step": step, "metrics": metrics, "seconds": at, "fold": fold})
        if link.stop_asked.is_set():
            progress.cut = True
            return False
        if deadline is not None and time.monotonic() >= deadline:
            progress.reason, progress.cut = progress.reason or "cut short by the time budget", True
            return False
        if why := job.rule.after_row(fold, progress.steps, progress.values):
            progress.end("pruned", why)
            progress.cut = True
            return False
        return True

    return emit


def fit_data(prepared: Prepared, fold: int, job: Job) -> FitData:
    """Return what a trainer may see of one fold."""
    layout, metric = prepared.layout, METRICS[job.metric]
    rows, valid = prepared.training(fold), prepared.validation(fold)
    return FitData(
        x=rows.x,
        y=rows.y,
        weight=rows.weight,
        x_valid=valid.x,
        y_valid=valid.y,
        weight_valid=valid.weight,
        features=layout.features,
        task=layout.task,
        classes=layout.classes,
        metric=metric,
        score=scorer(metric, layout.positive, tuple(str(label) for label in layout.labels)),
        threads=job.threads,
        seed=(job.seed + fold) % 2**31,
        device=job.device,
        labels=tuple(str(label) for label in layout.labels),
        memory=job.memory,
        source=job.source,
        rows_after=job.rows_after,
        passages=open_passages(prepared.folder),
    )


def scorer(
    metric: Metric, positive: int | None, labels: tuple[str, ...] = ()
) -> Callable[[Target, Prediction, Any], float]:
    """Return a metric as a function of target, prediction and weights."""
    code = 1 if positive is None else positive
    return lambda y, prediction, weight: score(metric, y, prediction, weight, code, labels)


def _save_trial(out: Path, job: Job, prepared: Prepared, held_out: list[Prediction], progress: Progress) -> None:
    save_predictions(out, np.concatenate(held_out))
    about = {
        "trainer": job.trainer,
        "trial": job.trial,
        "model": job.model,
        "folds": prepared.layout.folds,
        "hyperparameters": job.hyperparameters,
        "seconds_per_row": sum(progress.predict_seconds),
    }
    (out / "trial.json").write_text(json.dumps(about), encoding="utf-8")


def save_predictions(folder: Path, prediction: Prediction) -> None:
    """Write the out-of-fold predictions of a trial: numbers as an array, records as lines of JSON."""
    if prediction.dtype == object:
        (folder / ANSWERS).write_text("\n".join(dump_records(prediction)), encoding="utf-8")
    else:
        np.save(folder / NUMBERS, prediction.astype(np.float32), allow_pickle=False)


def _scratch(out: Path, fold: int) -> Path:
    return out / f"scratch_{fold}"


def _outcome(progress: Progress, complete: bool, out: Path, paused: bool) -> Outcome:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    folds = tuple(None if math.isnan(value) else value for value in progress.folds)
    return Outcome(
        status=progress.status if folds and None not in folds else "failed",
        folds=folds,
        best_steps=tuple(progress.best_steps),
        complete=complete and None not in folds,
        seconds=time.monotonic() - progress.began,
        predict_seconds=sum(progress.predict_seconds) if progress.predict_seconds else None,
        megabytes=peak / (2**20 if sys.platform == "darwin" else 2**10),
        disk_megabytes=sum(f.stat().st_size for f in out.glob("fold_*/**/*") if f.is_file()) / 1e6,
        reason=progress.reason if None not in folds else "the validation score is not a number: the model diverged",
        paused=paused,
        cut=progress.cut,
    )


def _empty(folder: Path) -> Path:
    """Return the folder, new: what an earlier, lost attempt at the trial left in it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
