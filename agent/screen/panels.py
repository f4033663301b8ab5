"""What a run shows beside its trials: the data, the plan, the scorecard, the end, the next commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from automl_gpt.agent.screen.budgets import budget_words
from automl_gpt.agent.screen.comparison import comparison
from automl_gpt.agent.screen.tables import facts, forecast_line, trials_table
from automl_gpt.agent.screen.text import (
    UNICODE,
    Glyphs,
    configuration,
    cut,
    interval,
    number,
    percent,
    plain,
    signed,
    span,
)
from automl_gpt.tools.base import home
from automl_gpt.tools.data.report import Finding, Profile
from automl_gpt.tools.evaluate.review import saved, saved_words
from automl_gpt.tools.evaluate.words import deciders
from automl_gpt.tools.journal.events import RunFinished, Scorecard
from automl_gpt.tools.journal.state import RunState, Trial

LEVELS = {"leak": ("leak", "bold red"), "warning": ("warning", "yellow"), "note": ("note", "dim")}
MANY = 8
CLASSES = 6
END_NAMES = len("plain guess")
"""Cells of the names at the end of a run, so that what stands beside them is in one line from panel to panel."""


def profile_panel(profile: Profile, metric: str, glyphs: Glyphs = UNICODE) -> RenderableType:
    """Return what the data are, what is wrong with them (leaks first), and what was inferred."""
    dropped = [plain(c.name, 40) for c in profile.columns if c.role == "dropped"]
    rows: list[tuple[str, str | Text]] = [
        ("data", f"{plain(profile.name, 60)}: {profile.rows:,} rows, {_inputs(profile)}"),
        ("target", f"{plain(profile.target, 60)} ({_task(profile)})"),
        ("metric", metric),
        ("split", f"{profile.split}; {profile.rows_test:,} test rows stay unseen until the end"),
    ]
    if not profile.rows_test:
        rows[-1] = ("split", f"{profile.split}; no test rows")
    if dropped:
        rows.append(("left out", _some(dropped)))
    rows += [("" if i else "inferred", text) for i, text in enumerate(profile.inferred[:MANY])]
    rows += list(_findings(profile.findings))
    return facts(rows)


def _inputs(profile: Profile) -> str:
    inputs = [c for c in profile.columns if c.role == "input"]
    if profile.modality == "tabular":
        return f"{len(inputs)} input columns"
    unit = "words" if profile.modality == "text" else "pixels a side"
    sizes = ", ".join(f"{plain(c.name, 24)} of {c.mean or 0.0:.0f} {unit}" for c in inputs)
    passages = f"; {profile.passages:,} passages" if profile.passages else ""
    return f"{profile.modality}: {sizes}{passages}"


def _task(profile: Profile) -> str:
    if profile.task not in ("binary", "multiclass", "regression"):
        counted = list(zip(profile.labels, profile.class_counts, strict=False))
        shown = [f"{plain(label, 24)} {count:,}" for label, count in sorted(counted, key=lambda pair: -pair[1])]
        return profile.task.replace("-", " ") + (f": {_some(shown, CLASSES)}" if shown else "")
    if profile.task == "regression":
        if profile.target_mean is None:
            return "regression"
        return f"regression, mean {number(profile.target_mean)}, deviation {number(profile.target_std)}"
    counts = sorted(zip(profile.labels, profile.class_counts, strict=False), key=lambda pair: -pair[1])
    shown = [f"{plain(label, 24)} {percent(count / max(1, sum(profile.class_counts)))}" for label, count in counts]
    return f"{len(profile.labels)} classes: {_some(shown, CLASSES)}"


def _some(names: list[str], most: int = MANY) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _findings(findings: tuple[Finding, ...]) -> Iterator[tuple[str, Text]]:
    order = list(LEVELS)
    ordered = sorted(findings, key=lambda f: order.index(f.level))
    most = max(MANY, sum(f.level == "leak" for f in findings))
    for finding in ordered[:most]:
        name, style = LEVELS[finding.level]
        column = f"{plain(finding.column, 40)}: " if finding.column and finding.column not in finding.text else ""
        yield name, Text(column + plain(finding.text), style=style)
    if len(ordered) > most:
        yield "", Text(f"and {len(ordered) - most} more: the report lists all of them", style="dim")


def plan_panel(
    state: RunState, width: int = 80, glyphs: Glyphs = UNICODE, spending: Sequence[tuple[str, str]] = ()
) -> RenderableType:
    """Return what would be trained first, the predicted scores, and the estimate of what it costs.

    `spending` are further rows: who decides, and what a language model has cost so far.
    """
    waiting = state.waiting()
    seconds = sum(t.prediction.seconds for t in waiting if t.prediction)
    first = f"{len(waiting)} trial{'s' * (len(waiting) != 1)} first, about {span(seconds)} of training"
    rows: list[tuple[str, str | Text]] = [
        ("first", first),
        ("budget", f"{budget_words(state.request.budget)} in all, ensemble, test and report included"),
        *spending,
    ]
    return Group(facts(rows), Text(), trials_table(state, width, 20, glyphs), *_configurations(waiting))


def _configurations(waiting: Sequence[Trial]) -> Iterator[RenderableType]:
    """Yield the hyperparameters that would be trained with: they are what a person says yes to, or edits."""
    rows: list[tuple[str, str | Text]] = [
        (f"trial {t.number}", f"{plain(t.model)}: {configuration(t.hyperparameters)}")
        for t in waiting
        if t.hyperparameters
    ]
    if rows:
        yield Text()
        yield facts(rows[:MANY])
    if len(rows) > MANY:
        yield Text(f"and {len(rows) - MANY} more: /show N shows each", style="dim")


def scorecard_panel(scorecard: Scorecard, glyphs: Glyphs = UNICODE, saving: str = "") -> RenderableType:
    """Return what the forecasts made before training were worth, with a verdict where they are enough, and `saving`."""
    if not scorecard.trials:
        return facts([("forecasts", "none could be scored")], END_NAMES)
    figures = forecast_line(scorecard.mae, scorecard.coverage, scorecard.rank_correlation, glyphs)
    rows: list[tuple[str, str | Text]] = [("forecasts", f"{scorecard.trials} scored: {figures}")]
    if scorecard.baseline_mae is not None:
        rows.append(
            (
                "plain guess",
                f"the mean of the trials before would err by {number(scorecard.baseline_mae, glyphs=glyphs)}",
            )
        )
    if scorecard.shadow_trials:
        rows.append(("built-in", _shadow(scorecard, glyphs)))
    if saving:
        rows.append(("saved", saving))
    if scorecard.verdict:
        rows.append(("verdict", scorecard.verdict))
    return facts(rows, END_NAMES)


def _shadow(scorecard: Scorecard, glyphs: Glyphs) -> str:
    """Return what the built-in forecasts of the trials that a language model predicted would have been worth."""
    figures = forecast_line(scorecard.shadow_mae, scorecard.shadow_coverage, scorecard.shadow_rank_correlation, glyphs)
    trials = f"{scorecard.shadow_trials} trial{'s' * (scorecard.shadow_trials != 1)}"
    return f"its own forecasts of {trials} that the language model predicted: {figures}"


def result_panel(state: RunState, glyphs: Glyphs = UNICODE, spent: str = "") -> RenderableType:
    """Return the end of a run: the delivered model, its scores, what it used and `spent`, and why it ended."""
    end = state.finished
    if end is None:
        return Text("the run is not finished", style="dim")
    baseline, name = state.baseline(), state.metric.name if state.metric else "score"
    rows: list[tuple[str, str | Text]] = [
        ("model", end.model),
        ("validation", f"{name} {number(end.valid, glyphs=glyphs)}"),
    ]
    if baseline is not None:
        rows.append(("baseline", f"{name} {number(baseline.value, glyphs=glyphs)}, with nothing learned"))
    if state.test is not None:
        rows.append(("test", Text(plain(final_score(state, glyphs)), style="bold")))
    used = f"{span(end.seconds)}, {end.trials} trial{'s' * (end.trials != 1)}"
    rows.append(("used", f"{used}; {spent}" if spent else used))
    if who := deciders(state):
        rows.append(("decided", who))
    if end.reason:
        rows.append(("ended", end.reason))
    return facts(rows, END_NAMES)


def final_score(state: RunState, glyphs: Glyphs = UNICODE) -> str:
    """Return the test score in words, with its interval and the number of looks."""
    test, metric = state.test, state.metric
    if test is None or metric is None:
        return ""
    look = "first look" if test.look == 1 else f"look {test.look}"
    band = interval(test.low, test.high, 4, glyphs)
    return f"{metric.name} {number(test.value)} {band} on {test.rows:,} rows ({look} at this test split)"


def show_state(state: RunState, width: int = 80, glyphs: Glyphs = UNICODE) -> RenderableType:
    """Return a whole run: its data, its trials, its best trial's logs side by side, its result."""
    parts: list[RenderableType] = [Text(f"run {plain(state.run)}", style="bold")]
    if state.profile is not None and state.metric is not None:
        parts += [profile_panel(state.profile, state.metric.name, glyphs), Text()]
    if state.trials:
        parts += [trials_table(state, width, None, glyphs), Text()]
    best = state.best() if state.metric else None
    if best is not None:
        parts += [comparison(state, best, width, 12, glyphs), Text()]
    if state.finished is not None:
        saving = saved_words(saved(state))
        parts += [result_panel(state, glyphs), scorecard_panel(state.finished.scorecard, glyphs, saving)]
    return Group(*parts, next_steps(state, glyphs=glyphs))


def next_steps(state: RunState, chat: bool = False, glyphs: Glyphs = UNICODE) -> RenderableType:
    """Return where the model and the report stand, and the exact commands that come next.

    Paths and commands shall stay whole, so that they can be copied: print this with `soft_wrap`.
    """
    end, run = state.finished, plain(state.run)
    rows: list[tuple[str, str]] = []
    if end is None:
        if state.interrupted:
            rows.append(("go on", "/go" if chat else f"automl-gpt resume {run}"))
    else:
        rows += _places(end, run)
    if end is not None and end.artifact:
        command = f"automl-gpt predict {run} FILE --out predictions.csv"
        rows.append(("predict", "/predict FILE" if chat else command))
    width = END_NAMES if end is not None else max((len(name) for name, _ in rows), default=0)
    lines = [Text.assemble((f"{name:<{width}}  ", "dim"), text, overflow="ignore", no_wrap=True) for name, text in rows]
    return Group(*lines)


def _places(end: RunFinished, run: str) -> Iterator[tuple[str, str]]:
    folder: Path = home() / "runs" / run
    if end.artifact:
        yield "model", plain(folder / end.artifact)
    if end.report:
        yield "report", plain(folder / end.report)


def one_line(trial: Trial, metric: str, glyphs: Glyphs = UNICODE) -> str:
    """Return what an ended trial came to on one line: predicted, actual, gap, time, status."""
    parts = [f"trial {trial.number:<3} {cut(trial.model, 20, glyphs):<20}"]
    known = trial.prediction
    if known is not None and known.value is not None:
        parts.append(f"predicted {number(known.value)} {interval(known.low, known.high, 4, glyphs)}")
    if trial.value is not None:
        parts.append(f"{metric} {number(trial.value)}")
    if trial.gap is not None:
        where = f" at step {trial.gap.at_step}" if trial.gap.at_step is not None else ""
        parts.append(f"gap {signed(trial.gap.error)}{where}")
    if trial.end is not None:
        parts += [span(trial.end.seconds), trial.end.status.replace("_", " ")]
        if trial.end.status not in ("finished", "pruned") and trial.end.reason:
            parts.append(plain(trial.end.reason, 200))
    return "  ".join(parts)
