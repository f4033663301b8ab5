"""The report's charts as inline SVG: drawn by matplotlib without pyplot, coloured by the page's own CSS variables."""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.log import TrainingLog

INK, FAINT, PREDICTED, ACTUAL, OTHER = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
"""Stand-ins that become CSS variables, so that one drawing suits a light and a dark page."""
_VARIABLES = {INK: "--ink", FAINT: "--line", PREDICTED: "--predicted", ACTUAL: "--actual", OTHER: "--other"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "automl-gpt",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 8.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.6,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.formatter.limits": (-3, 5),
}
SMALL, WIDE, SQUARE = (3.1, 2.0), (8.4, 2.3), (3.6, 3.2)
POINTS = 600
"""Most points of a scatter: each is an element of the page."""


@dataclass
class Drawing:
    """A chart while it is drawn, and as SVG afterwards."""

    axes: Any
    svg: str = field(default="")


@contextmanager
def _drawing(size: tuple[float, float], x: str, y: str, title: str) -> Generator[Drawing]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size)
        # Margins in inches: a layout engine would take as long as all the drawing.
        left, right, bottom, top = 0.62, 0.08, 0.42, 0.16
        width, height = size
        axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
        drawing = Drawing(axes)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield drawing
        buffer = io.StringIO()
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        drawing.svg = _inline(buffer.getvalue(), title)


def _inline(text: str, title: str) -> str:
    """Make a fragment of the page of an SVG file: no header, no sizes, no ids that nobody refers to, CSS colours."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: m.group(0) if m.group(1) in used else "", text)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"<svg \1\2", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var({name})")
    return text


def curves(predicted: TrainingLog | None, actual: TrainingLog, step: str = "step") -> str:
    """Draw a trial's validation curve, a line per fold, over the band that was predicted before it trained."""
    with _drawing(SMALL, step, actual.metric, "predicted and actual validation curve") as d:
        seen: list[float] = []
        if predicted is not None:
            rows = [r for r in predicted.rows if "valid" in r.metrics]
            steps, values = [r.step for r in rows], [r.metrics["valid"] for r in rows]
            band = [(r.step, r.intervals["valid"]) for r in rows if "valid" in r.intervals]
            if band:
                low, high = [b.low for _, b in band], [b.high for _, b in band]
                d.axes.fill_between([s for s, _ in band], low, high, color=PREDICTED, alpha=0.18, linewidth=0)
            d.axes.plot(steps, values, color=PREDICTED, linestyle=(0, (4, 2)), linewidth=1.4, marker=".", markersize=4)
            seen += values
        folds = sorted({r.fold for r in actual.rows})
        for fold in folds:
            steps, values = actual.curve("valid", fold)
            marker = "." if len(steps) < 3 else None
            d.axes.plot(steps, values, color=ACTUAL, linewidth=1.6 if len(folds) == 1 else 0.9, marker=marker)
            seen += values
        _frame(d.axes, seen)
    return d.svg


LOSSES = {"train_loss": OTHER, "valid_loss": ACTUAL}
"""The losses that a log may hold, and their colours."""


def losses(log: TrainingLog, step: str = "step") -> str:
    """Draw the losses on training and validation rows that a trial logged, a line per fold."""
    with _drawing(SMALL, step, "loss", "losses while it trained") as d:
        for name, colour in LOSSES.items():
            for fold in sorted({row.fold for row in log.rows}):
                steps, values = log.curve(name, fold)
                d.axes.plot(steps, values, color=colour, linewidth=1.2, marker="." if len(steps) < 3 else None)
        d.axes.locator_params(nbins=5)
    return d.svg


def _frame(axes: Any, values: Sequence[float]) -> None:
    """Show the curves, not the whole of a very wide band."""
    known = [v for v in values if np.isfinite(v)]
    if known and max(known) > min(known):
        margin = 0.25 * (max(known) - min(known))
        axes.set_ylim(min(known) - margin, max(known) + margin)
    axes.locator_params(nbins=5)


@dataclass(frozen=True)
class Forecasted:
    """The end of one trial: predicted with its 80% interval, and actual."""

    predicted: float
    low: float
    high: float
    actual: float


def forecasts(points: Sequence[Forecasted], metric: str) -> str:
    """Draw predicted against actual final scores, with 80% bars; hollow where the bar misses the diagonal."""
    with _drawing(SQUARE, f"predicted {metric}", f"actual {metric}", "predicted against actual final scores") as d:
        edges = [v for p in points for v in (p.predicted, p.actual, p.low, p.high) if np.isfinite(v)]
        low, high = min(edges), max(edges)
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.05
        d.axes.plot([low - margin, high + margin], [low - margin, high + margin], color=INK, linewidth=0.8, alpha=0.6)
        for p in points:
            covered = p.low <= p.actual <= p.high
            d.axes.plot([p.low, p.high], [p.actual, p.actual], color=PREDICTED, linewidth=1.2, alpha=0.6)
            face = ACTUAL if covered else "none"
            d.axes.plot(p.predicted, p.actual, "o", markersize=4.5, markeredgecolor=ACTUAL, markerfacecolor=face)
        d.axes.set_xlim(low - margin, high + margin)
        d.axes.set_ylim(low - margin, high + margin)
        d.axes.locator_params(nbins=5)
    return d.svg


def progress(numbers: Sequence[int], values: Sequence[float], best: Sequence[float], metric: str) -> str:
    """Draw the score of each trial in turn, and the best one so far."""
    with _drawing(WIDE, "trial", f"validation {metric}", "scores of the trials in turn") as d:
        d.axes.plot(numbers, values, "o", color=OTHER, markersize=4)
        d.axes.step(numbers, best, where="post", color=ACTUAL, linewidth=1.6)
        d.axes.xaxis.get_major_locator().set_params(integer=True)
        _frame(d.axes, _without_outliers(values))
    return d.svg


def _without_outliers(values: Sequence[float]) -> list[float]:
    known = np.array([v for v in values if np.isfinite(v)])
    if len(known) < 5:
        return known.tolist()
    low, high = np.percentile(known, [25, 75])
    reach = 3 * (high - low)
    return known[(known >= low - reach) & (known <= high + reach)].tolist()


def calibration(said: NDArray[np.float64], seen: NDArray[np.float64], counts: NDArray[np.intp], what: str) -> str:
    """Draw the share of rows that came true against the probability that was given, a point per bin of rows."""
    with _drawing(SQUARE, f"predicted probability {what}", "observed share", "calibration curve") as d:
        d.axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6)
        error = np.sqrt(np.maximum(seen * (1 - seen), 0.25 / np.maximum(counts, 1)) / np.maximum(counts, 1))
        d.axes.errorbar(
            said, seen, yerr=1.28 * error, color=ACTUAL, marker="o", markersize=4, linewidth=1.3, elinewidth=0.8
        )
        d.axes.set_xlim(-0.02, 1.02)
        d.axes.set_ylim(-0.02, 1.02)
    return d.svg


def residuals(actual: NDArray[np.float64], predicted: NDArray[np.float64], target: str, seed: int = 0) -> str:
    """Draw actual minus predicted over predicted values, of a random part of many rows."""
    rows = np.arange(len(actual))
    if len(rows) > POINTS:
        rows = np.random.default_rng(seed).choice(rows, POINTS, replace=False)
    with _drawing(SQUARE, f"predicted {target[:40]}", "actual - predicted", "residuals") as d:
        d.axes.axhline(0, color=INK, linewidth=0.8, alpha=0.6)
        d.axes.plot(predicted[rows], (actual - predicted)[rows], "o", color=ACTUAL, markersize=2.5, alpha=0.55)
        d.axes.locator_params(nbins=5)
    return d.svg
