"""The report of a run: one HTML file that needs no network and no script, from the run's state and its folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.base import PATH_SHOWN, Context, tool
from automl_gpt.tools.compose.candidates import trial_folder
from automl_gpt.tools.compose.decision import decide
from automl_gpt.tools.compose.ensemble import out_of_fold
from automl_gpt.tools.data.prepared import Prepared, open_prepared
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.evaluate import charts, importance
from automl_gpt.tools.evaluate.diagnostics import Confusion, calibration, confusion
from automl_gpt.tools.evaluate.examples_shown import gallery
from automl_gpt.tools.evaluate.gallery import Gallery
from automl_gpt.tools.evaluate.review import failure, saved, saved_words
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.evaluate.words import FILTERS, decisions, reproduce
from automl_gpt.tools.journal.events import Member
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.train.protocol import ANSWER_TASKS, Prediction
from automl_gpt.tools.train.worker import ANSWERS, NUMBERS
from automl_gpt.tools.tune.current import current_state

CURVES = 6
"""Trials whose curves are drawn: the best ones."""
LONGEST_NAME = 200
MOST_ROWS = 400
"""Trials in the table; of more, the best ones."""


def write_report(state: RunState, run_folder: Path, out: Path | None = None) -> Path:
    """Write the report of a run, finished or not, and return its path (default: RUN/report.html).

    What can't be shown (no trials yet, artefacts freed) is left out and said. UserError where it can't be written.
    """
    path = out or run_folder / "report.html"
    text = render(state, run_folder)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise UserError(
            f"{path}: the report can't be written ({error.strerror}): name another file with --out"
        ) from error
    return path


def render(state: RunState, run_folder: Path) -> str:
    """Return the report as HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    template = environment.get_template("report.html.j2")
    return template.render(
        state=state,
        profile=state.profile,
        metric=state.metric,
        best=state.best() if state.metric else None,
        rows=_table(state),
        left_out=max(0, len(state.trials) - MOST_ROWS),
        curves=_curves(state),
        forecasts=_forecasts(state),
        progress=_progress(state),
        scorecard=state.finished.scorecard if state.finished else scorecard(state),
        saved=saved(state),
        saving=saved_words(saved(state)),
        hyperparameters=importance.hyperparameters(state) if state.metric else {},
        delivered=_delivered(state, run_folder),
        decisions=decisions(state),
        reproduce=reproduce(state),
    )


# -------------------------------------------------------------------------------------------------------------- trials


@dataclass(frozen=True)
class TrialRow:
    """One line of the table of trials. `changed` are the hyperparameters that differ from the Model Card's defaults.

    `speed` are examples trained per second and `megabytes` the most memory, as far as its rows tell;
    `failure` says where and why its forecast failed.
    """

    trial: Trial
    changed: Hyperparameters
    member: float
    best: bool
    speed: float | None
    megabytes: float | None
    failure: str


def _table(state: RunState) -> list[TrialRow]:
    weights = {m.trial: m.weight for m in state.ensemble.members} if state.ensemble else {}
    best = state.best() if state.metric else None
    shown = _by_score(state)[:MOST_ROWS]
    numbers = {t.number for t in shown}
    rest = [t for t in state.ordered() if t.number not in numbers][: MOST_ROWS - len(shown)]
    rows = sorted([*shown, *rest], key=lambda t: t.number)
    return [
        TrialRow(t, _changed(state, t), weights.get(t.number, 0.0), t is best, *_cost(t), failure(state, t))
        for t in rows
    ]


def _cost(trial: Trial) -> tuple[float | None, float | None]:
    speeds, sizes = ([r.metrics[n] for r in trial.rows if n in r.metrics] for n in ("per_second", "megabytes"))
    return (float(np.median(speeds)) if speeds else None, max(sizes) if sizes else None)


def _changed(state: RunState, trial: Trial) -> Hyperparameters:
    default = next((card.default() for card in state.started.model_cards if card.name == trial.model), {})
    return {name: value for name, value in trial.hyperparameters.items() if default.get(name) != value}


def _by_score(state: RunState) -> list[Trial]:
    return sorted(state.done(), key=lambda t: (-state.need_metric().sign * (t.value or 0.0), t.number))


@dataclass(frozen=True)
class Curve:
    """The drawn curves of one trial; `losses` is empty where it logged none."""

    trial: Trial
    svg: str
    losses: str


def _curves(state: RunState) -> list[Curve]:
    trials = [t for t in (_by_score(state) if state.metric else []) if t.rows][:CURVES]
    return [Curve(t, charts.curves(t.prediction.log if t.prediction else None, t.log), _losses(t)) for t in trials]


def _losses(trial: Trial) -> str:
    logged = any(name in row.metrics for row in trial.rows for name in charts.LOSSES)
    return charts.losses(trial.log) if logged else ""


def _forecasts(state: RunState) -> str:
    gaps = [t.gap for t in state.ordered() if t.gap is not None]
    points = [
        charts.Forecasted(g.predicted, g.low, g.high, g.actual)
        for g in gaps
        if np.isfinite([g.predicted, g.actual]).all()
    ]
    return charts.forecasts(points, state.need_metric().name) if len(points) > 1 else ""


def _progress(state: RunState) -> str:
    done = state.done()
    if len(done) < 2:
        return ""
    metric, best = state.need_metric(), list[float]()
    for trial in done:
        value = trial.value or 0.0
        better = not best or (trial.complete and metric.better(value, best[-1]))
        best.append(value if better else best[-1])
    return charts.progress([t.number for t in done], [t.value or 0.0 for t in done], best, metric.name)


# ----------------------------------------------------------------------------------------------------- delivered model


@dataclass(frozen=True)
class Delivered:
    """What the out-of-fold predictions of the delivered model (or the best trial so far) tell.

    `missing` says why nothing can be told, where that is so.
    """

    missing: str = ""
    calibration: str = ""
    calibration_error: float | None = None
    confusion: Confusion | None = None
    residuals: str = ""
    features: importance.FeatureImportance | None = None
    gallery: Gallery | None = None


def _delivered(state: RunState, run_folder: Path) -> Delivered:
    best = state.best() if state.metric else None
    if best is None:
        return Delivered("no trial has finished yet")
    members = list(state.ensemble.members) if state.ensemble else [Member(trial=best.number, weight=1.0)]
    name = ANSWERS if state.need_profile().task in ANSWER_TASKS else NUMBERS
    needed = [trial_folder(run_folder, m.trial) / name for m in members]
    if not all(path.exists() for path in [*needed, run_folder / "data" / "train.arrow"]):
        return Delivered("the run's prepared data or its trials' predictions are gone (freed, or on another machine)")
    prepared = open_prepared(run_folder / "data")
    shown = out_of_fold(run_folder, members)
    if prepared.layout.task in ANSWER_TASKS:
        return Delivered(gallery=gallery(prepared, shown))
    if prepared.layout.labels:
        return _classified(state, run_folder, prepared, shown)
    y = prepared.rows.y[prepared.out_of_fold()]
    return Delivered(
        residuals=charts.residuals(y, shown, prepared.layout.target),
        features=_features(state, run_folder, prepared),
        gallery=gallery(prepared, shown) if prepared.layout.modality != "tabular" else None,
    )


def _classified(state: RunState, run_folder: Path, prepared: Prepared, shown: Prediction) -> Delivered:
    y = prepared.rows.y[prepared.out_of_fold()]
    positive = 1 if prepared.layout.positive is None else prepared.layout.positive
    bins = calibration(y, shown, positive)
    labels = tuple(str(label) for label in prepared.layout.labels)
    what = f"of {labels[positive][:20]}" if len(labels) == 2 else "of the likeliest class"
    said = decide(shown, state.ensemble.decision_weights if state.ensemble else ()).argmax(axis=1)
    return Delivered(
        calibration=charts.calibration(bins.said, bins.seen, bins.counts, what),
        calibration_error=bins.error,
        confusion=confusion(y, said, labels),
        features=_features(state, run_folder, prepared),
        gallery=gallery(prepared, shown, said) if prepared.layout.modality != "tabular" else None,
    )


def _features(state: RunState, run_folder: Path, prepared: Prepared) -> importance.FeatureImportance | None:
    """Measure the heaviest member's first fold model on the rows that this fold validates on; only tables have any."""
    tabular = prepared.layout.modality == "tabular"
    if not tabular or state.ensemble is None or not (run_folder / "model").is_dir():
        return None
    bundle = load_bundle(run_folder / "model")
    heaviest = max(bundle.manifest.members, key=lambda m: m.weight)
    model = bundle.fitted(heaviest, 0)
    positive = 1 if prepared.layout.positive is None else prepared.layout.positive
    rows = prepared.validation(0)
    return importance.features(model.predict, rows, prepared.layout.features, state.need_metric(), positive=positive)


# ---------------------------------------------------------------------------------------------------------------- tool


class ReportArguments(BaseModel):
    """What the tool `report` takes."""

    out: str | None = Field(default=None, description="file to write, inside the run's folder; default: report.html")


class ReportWritten(BaseModel):
    """Where the report is."""

    path: str


@tool("report", ReportArguments, inspects=False)
def report(arguments: ReportArguments, context: Context) -> ReportWritten:
    """Write the run's report as one HTML file: curves, trials, importance, calibration, warnings, decisions."""
    journal, run = context.need_run()
    folder = journal.run_folder(run)
    out = None if arguments.out is None else folder / arguments.out
    if out is not None and (out.resolve().parent != folder.resolve() or len(out.name) > LONGEST_NAME):
        shown = repr(arguments.out)[:PATH_SHOWN]
        raise ToolError(f"report: out: {shown} is not in the run's folder; give a file name alone")
    if out is not None and context.for_model and out.suffix.lower() != ".html":
        raise ToolError("report: out: give a name that ends in .html")
    return ReportWritten(path=str(write_report(current_state(context), folder, out)))
