"""Training logs as curves of characters: the predicted band and the actual line in one picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from automl_gpt.agent.screen.text import UNICODE, Glyphs, number
from automl_gpt.tools.journal.state import Trial
from automl_gpt.tools.log import TrainingLog

ENOUGH = 500
"""More points than this are not drawn of a trial that still runs."""
Points = list[tuple[float, float]]
BAND, EXPECTED, ACTUAL = "cyan", "cyan", "bold green"


@dataclass(frozen=True)
class Curves:
    """What is drawn: predicted values with their band, and the actual values, each as points (step, value)."""

    expected: Points
    low: Points
    high: Points
    actual: Points

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not (self.expected or self.actual)

    def last_step(self) -> float:
        """Return the largest step of all."""
        return max((p[0] for points in (self.expected, self.actual) for p in points), default=1.0)


def curves_of(trial: Trial) -> Curves:
    """Return the curves of a trial: of its newest fold while it runs, averaged over its folds once it ended."""
    log = trial.prediction.log if trial.prediction else None
    band = (
        [(r.step, r.metrics["valid"], r.intervals.get("valid")) for r in log.rows if "valid" in r.metrics]
        if log
        else []
    )
    return Curves(
        expected=_finite((float(s), v) for s, v, _ in band),
        low=_finite((float(s), i.low if i else v) for s, v, i in band),
        high=_finite((float(s), i.high if i else v) for s, v, i in band),
        actual=_actual(trial),
    )


def _actual(trial: Trial) -> Points:
    if not trial.rows:
        return []
    if trial.end is None:
        fold = [row for row in trial.rows if row.fold == trial.rows[-1].fold]
        thinned = fold[:: len(fold) // ENOUGH + 1]
        return _finite((float(row.step), row.metrics.get("valid", math.nan)) for row in thinned)
    folds: dict[int, int] = {}
    for row in trial.rows:
        folds[row.step] = folds.get(row.step, 0) + 1
    all_folds = len({row.fold for row in trial.rows})
    common = [p for p in _points(trial.log, None) if folds[int(p[0])] >= all_folds]
    return common if len(common) > 1 else _points(trial.log, None)


def _points(log: TrainingLog, fold: int | None) -> Points:
    steps, values = log.curve("valid", fold)
    return _finite(zip(map(float, steps), values, strict=True))


def _finite(points: Iterator[tuple[float, float]]) -> Points:
    return [(x, y) for x, y in points if math.isfinite(y)]


def chart(curves: Curves, width: int, height: int, glyphs: Glyphs = UNICODE) -> Text:
    """Draw curves in exactly `height` lines of at most `width` cells, the last one being the scale of the steps.

    A light area is the predicted 80% band, broken lines the predicted values, dots the actual ones. Only lines within
    the middle 98% of the values are resolved, so that one bad first step does not flatten the rest.
    """
    low, high = _range(curves)
    labels = [number(high), number(low)]
    margin = max(map(len, labels))
    columns, rows = max(8, width - margin - 2), max(2, height - 1)
    cells = _paint(curves, columns, rows, low, high, glyphs)
    picture = Text(no_wrap=True, overflow="crop")
    for y, line in enumerate(cells):
        label = labels[0] if y == 0 else labels[1] if y == rows - 1 else ""
        picture.append(f"{label:>{margin}} ", "dim").append(glyphs.axis, "dim")
        for sign, style in _runs(line):
            picture.append(sign, style)
        picture.append("\n")
    last = f" {curves.last_step():,.0f}"
    picture.append(" " * (margin + 1) + glyphs.corner + glyphs.floor * (columns - len(last)) + last, "dim")
    return picture


def _range(curves: Curves) -> tuple[float, float]:
    values = sorted(y for points in (curves.low, curves.high, curves.actual) for _, y in points) or [0.0, 1.0]
    spare = len(values) // 50
    if len(curves.actual) > 20:
        spare = max(spare, 1)
    kept = values[spare : len(values) - spare] or values
    low, high = kept[0], kept[-1]
    pad = 0.0 if high > low else abs(high) * 0.05 or 0.5
    return low - pad, high + pad


_Cells = list[list[tuple[str, str]]]


def _paint(curves: Curves, columns: int, rows: int, low: float, high: float, glyphs: Glyphs) -> _Cells:
    cells: _Cells = [[(" ", "")] * columns for _ in range(rows)]
    last = max(1.0, curves.last_step())

    def place(value: float) -> int:
        return min(rows - 1, max(0, round((high - value) / (high - low) * (rows - 1))))

    for x in range(columns):
        step = 1 + (last - 1) * x / max(1, columns - 1)
        top, bottom, middle = _at(curves.high, step), _at(curves.low, step), _at(curves.expected, step)
        if top is not None and bottom is not None:
            for y in range(place(top), place(bottom) + 1):
                cells[y][x] = (glyphs.band, BAND)
        if middle is not None:
            cells[place(middle)][x] = (glyphs.expected, EXPECTED)
        value = _at(curves.actual, step)
        if value is not None:
            cells[place(value)][x] = (glyphs.line, ACTUAL)
    for step, value in curves.actual if len(curves.actual) <= columns // 2 else []:
        x = round((step - 1) / max(1.0, last - 1) * (columns - 1))
        cells[place(value)][min(columns - 1, max(0, x))] = (glyphs.line, ACTUAL)
    return cells


def _at(points: Sequence[tuple[float, float]], step: float) -> float | None:
    """Return the value of a curve at a step, by straight lines between its points; None outside of them."""
    if not points or step < points[0][0] or step > points[-1][0]:
        return None
    before, after = 0, len(points) - 1
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if points[middle][0] <= step else (before, middle)
    (x0, y0), (x1, y1) = points[before], points[after]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (step - x0) / (x1 - x0)


def _runs(line: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Join neighbours of one style: fewer pieces to render."""
    text, style = "", ""
    for sign, its in line:
        if its != style and text:
            yield text, style
            text = ""
        text, style = text + sign, its
    yield text, style


def legend(curves: Curves, glyphs: Glyphs = UNICODE) -> Text:
    """Say what the signs of a chart mean."""
    text = Text(no_wrap=True, overflow="crop")
    if curves.expected:
        text.append(glyphs.band + glyphs.expected, BAND).append(" predicted (80%)  ", "dim")
    if curves.actual:
        text.append(glyphs.line, ACTUAL).append(" actual", "dim")
    return text
