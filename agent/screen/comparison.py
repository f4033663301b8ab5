"""A trial's predicted log beside its actual one, and where and why the forecast failed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automl_gpt.agent.screen.curves import chart, curves_of, legend
from automl_gpt.agent.screen.tables import facts, status_word
from automl_gpt.agent.screen.text import UNICODE, Glyphs, configuration, interval, number, plain, signed, span
from automl_gpt.tools.evaluate.review import failure
from automl_gpt.tools.journal.state import RunState, Trial


def comparison(
    state: RunState, trial: Trial, width: int = 80, height: int = 14, glyphs: Glyphs = UNICODE
) -> RenderableType:
    """Return one trial's predicted log beside its actual one: figures, steps, and both in one chart."""
    metric = state.metric.name if state.metric else "score"
    title = Text(
        f"trial {trial.number} {glyphs.dot} {plain(trial.model, 40)} {glyphs.dot} {status_word(trial)}", style="bold"
    )
    rows: list[tuple[str, str | Text]] = [("hyperparameters", configuration(trial.hyperparameters) or "none")]
    for name, said in (
        ("why", trial.proposal.reason),
        ("prediction", trial.prediction.reason if trial.prediction else ""),
    ):
        if said:
            rows.append((name, said))
    if trial.end is not None and trial.end.reason:
        rows.append(("ended", trial.end.reason))
    if missed := failure(state, trial):
        rows.append(("forecast", missed))
    parts: list[RenderableType] = [title, facts(rows), Text(), _figures(trial, metric, glyphs)]
    curves = curves_of(trial)
    if not curves.empty:
        parts += [Text(), legend(curves, glyphs), chart(curves, width, height, glyphs)]
    return Group(*parts)


def _figures(trial: Trial, metric: str, glyphs: Glyphs) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "predicted", "actual", "gap"):
        table.add_column(name, justify="right" if name in ("actual", "gap") else "left", no_wrap=True)
    known, gap = trial.prediction, trial.gap
    if known is not None:
        expected = f"{number(known.value, 4, glyphs)} {interval(known.low, known.high, 4, glyphs)}"
        inside = f"{signed(gap.error)} ({'inside' if gap.covered else 'outside'})" if gap else ""
        cut_at = gap.at_step if gap else None
        table.add_row(metric, expected, *(("", "") if cut_at is not None else (number(trial.value, 4, glyphs), inside)))
        if gap is not None and cut_at is not None:
            there = f"{number(gap.predicted, 4, glyphs)} {interval(gap.low, gap.high, 4, glyphs)}"
            table.add_row(f"at step {cut_at}", there, number(gap.actual, 4, glyphs), inside)
        for step, value, real in _checkpoints(trial):
            difference = signed(real - value) if real is not None else ""
            table.add_row(f"step {step}", number(value), "" if real is None else number(real), difference, style="dim")
        seconds = trial.end.seconds if trial.end else None
        ratio = f"x{gap.seconds_ratio:.2g}" if gap and gap.seconds_ratio is not None else ""
        table.add_row("time", span(known.seconds), span(seconds, glyphs), ratio)
    else:
        table.add_row(metric, glyphs.dash, number(trial.value, 4, glyphs), "")
    return table


def _checkpoints(trial: Trial) -> Iterator[tuple[int, float, float | None]]:
    """Yield the predicted steps, each with the predicted value and the actual one at the last step before it."""
    steps, values = trial.log.curve("valid")
    for row in trial.prediction.log.rows if trial.prediction else ():
        reached = [v for s, v in zip(steps, values, strict=True) if s <= row.step]
        actual = reached[-1] if reached and steps[-1] >= row.step else None
        if "valid" in row.metrics:
            yield row.step, row.metrics["valid"], actual
