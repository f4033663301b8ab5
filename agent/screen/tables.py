"""Tables of trials, models and runs, each exactly as wide as it may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from automl_gpt.agent.screen.text import UNICODE, Glyphs, cut, interval, number, percent, plain, signed, span, words
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import TRIVIAL, RunState, Trial
from automl_gpt.tools.journal.summary import RunSummary

SHORT = {"out_of_memory": "memory", "out_of_time": "timeout", "withdrawn": "undone", "predicted": "waits"}
STYLES = {
    "running": "bold", "failed": "red", "out_of_memory": "red", "out_of_time": "yellow", "pruned": "dim",
    "skipped": "dim", "withdrawn": "dim", "stopped": "yellow",
}  # fmt: skip
WIDE, ROOMY = 72, 96
HOUSE = ("opening", "builtin", "opening/builtin")
"""Whose trials need no column that names them."""
BY_WIDTH = 22


def status_word(trial: Trial) -> str:
    """Return in one short word where a trial stands."""
    return SHORT.get(trial.status, trial.status)


def _plain_table(wide: bool = True) -> Table:
    padding = (0, 1, 0, 0) if wide else (0, 0)
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, header_style="dim")


def trials_table(state: RunState, width: int = 80, limit: int | None = None, glyphs: Glyphs = UNICODE) -> Table:
    """Return the trials, newest at the bottom: at most the last `limit` rows, at most `width` cells wide.

    The best trial is marked; where there are more trials than rows, the best one stays in sight at the top. The gap of
    a trial that was ended amid its curve is that at a step: @22.
    """
    trials = [t for t in state.ordered() if t.status != "withdrawn" or width >= ROOMY]
    best = state.best() if state.metric else None
    shown = _latest(trials, best, limit)
    wide = width >= WIDE
    rows = [_cells(t, width, glyphs) for t in shown]
    names = ["#", "model", "predicted", "actual", "gap", "time", *(["status"] if wide else [])]
    if width >= ROOMY and any(_by(t, glyphs) not in HOUSE for t in shown):
        names.append("by")
        rows = [[*row, _by(trial, glyphs)] for trial, row in zip(shown, rows, strict=True)]
    widths = [max([len(name), *(cell_len(row[i]) for row in rows)]) for i, name in enumerate(names)]
    between = (2 if wide else 1) * (len(names) - 1)
    room = max(6, width - between - sum(widths) + widths[1])
    table = _plain_table(wide)
    for name in names:
        left = name in ("model", "predicted", "status", "by")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for trial, row in zip(shown, rows, strict=True):
        row[1] = cut(row[1], room, glyphs)
        table.add_row(*map(Text, row), style="bold green" if trial is best else STYLES.get(trial.status, ""))
    return table


def _cells(trial: Trial, width: int, glyphs: Glyphs) -> list[str]:
    digits = 4 if width >= WIDE else 3
    actual, gap = _actual(trial, digits, glyphs)
    row = [
        str(trial.number),
        plain(trial.model),
        _predicted(trial, digits, glyphs),
        actual,
        gap,
        _time(trial, width, glyphs),
    ]
    return [*row, status_word(trial)] if width >= WIDE else row


def _by(trial: Trial, glyphs: Glyphs) -> str:
    """Return who proposed a trial and who predicted its log; once where it is the same."""
    proposed, predicted = trial.proposal.by, trial.prediction.by if trial.prediction else trial.proposal.by
    names = [name.partition(":")[2].rpartition("/")[2] or name for name in dict.fromkeys((proposed, predicted))]
    return cut("/".join(names), BY_WIDTH, glyphs)


def _latest(trials: list[Trial], best: Trial | None, limit: int | None) -> list[Trial]:
    if limit is None or len(trials) <= limit:
        return trials
    tail = trials[len(trials) - max(1, limit) :]
    if best is not None and best not in tail and limit > 1:
        return [best, *tail[1:]]
    return tail


def _predicted(trial: Trial, digits: int, glyphs: Glyphs) -> str:
    known = trial.prediction
    if known is None or known.value is None:
        return glyphs.dash
    return f"{number(known.value, digits)} {interval(known.low, known.high, digits, glyphs)}".rstrip()


def _actual(trial: Trial, digits: int, glyphs: Glyphs) -> tuple[str, str]:
    gap = signed(trial.gap.error, digits) if trial.gap and trial.value is not None else ""
    if trial.gap and trial.gap.at_step is not None and gap:
        gap += f" @{trial.gap.at_step}"
    if trial.end is not None:
        return number(trial.value, 4, glyphs), gap
    if trial.rows:
        return number(trial.rows[-1].metrics.get("valid"), 4, glyphs), ""
    return "", ""


def _time(trial: Trial, width: int, glyphs: Glyphs) -> str:
    """Return the seconds used, or expected; where there is no column for it, how a trial ended otherwise than well."""
    if width < WIDE and trial.status not in ("finished", "predicted", "proposed"):
        return status_word(trial)
    if trial.end is not None:
        return span(trial.end.seconds, glyphs)
    if trial.rows:
        return span(trial.rows[-1].seconds, glyphs)
    return f"~{span(trial.prediction.seconds, glyphs)}" if trial.prediction else ""


def models_table(
    state: RunState | None, width: int = 80, cards: Sequence[ModelCard] = (), glyphs: Glyphs = UNICODE
) -> Table:
    """Return the candidate models of a run (or those given), with what the run made of each."""
    known = list(state.model_cards.values()) if state else list(cards)
    known = [card for card in known if card.name != TRIVIAL]
    if state:
        order = {name: i for i, name in enumerate(state.assigned)}
        known.sort(key=lambda card: order.get(card.name, len(order)))
    name_width = min(24, max([len(card.name) for card in known] + [5]))
    room = max(10, width - name_width - 18)
    table = _plain_table()
    table.add_column("model", no_wrap=True)
    table.add_column("trials", justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for card in known:
        done = [t for t in state.done() if t.model == card.name] if state else []
        style = "" if not state or not state.assigned or card.name in state.assigned else "dim"
        cells = [cut(card.name, name_width, glyphs), str(len(done)), _best_of(state, done, glyphs)]
        what = card.description or card.architecture
        table.add_row(*map(Text, cells), Text(cut(what, room, glyphs)), style=style)
    return table


def _best_of(state: RunState | None, done: list[Trial], glyphs: Glyphs) -> str:
    values = [t.value for t in done if t.value is not None]
    if state is None or state.metric is None or not values:
        return ""
    return number((max if state.metric.direction == "maximize" else min)(values), glyphs=glyphs)


def runs_table(runs: Sequence[RunSummary], width: int = 80, glyphs: Glyphs = UNICODE) -> Table:
    """Return the runs, one row each, in the order given; a run's name is never cut."""
    wide = width >= WIDE
    names = ["run", "metric", "valid", "test", *(["trials"] if wide else [])]
    names += [*(["started"] if width >= ROOMY else []), "status"]
    rows = [[_run_cell(run, name, 4 if wide else 3, glyphs) for name in names] for run in runs]
    widths = [max([len(name), *(cell_len(row[i]) for row in rows)]) for i, name in enumerate(names)]
    room = max(6, width - (2 if wide else 1) * (len(names) - 1) - sum(widths) + widths[1])
    table = _plain_table(wide)
    for name in names:
        table.add_column(name, justify="right" if name in ("valid", "test", "trials") else "left", no_wrap=True)
    for run, row in zip(runs, rows, strict=True):
        row[1] = cut(row[1], room, glyphs)
        table.add_row(*map(Text, row), style="" if run.status in ("finished", "budget") else "dim")
    return table


def _run_cell(run: RunSummary, name: str, digits: int, glyphs: Glyphs) -> str:
    match name:
        case "valid" | "test":
            return number(run.valid if name == "valid" else run.test, digits, glyphs)
        case "started":
            return _when(run.started)
        case "metric":
            return plain(run.metric or glyphs.dash)
        case _:
            return plain(getattr(run, name))


def _when(seconds: float) -> str:
    """Return a time since the epoch as local date and time."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def forecast_line(mae: float | None, coverage: float | None, rank: float | None, glyphs: Glyphs = UNICODE) -> str:
    """Return the three figures of a run's forecasts on one line."""
    return (
        f"mean error {number(mae, glyphs=glyphs)}, coverage {percent(coverage, glyphs)}, "
        f"rank correlation {number(rank, 2, glyphs)}"
    )


def facts(rows: list[tuple[str, str | Text]], least: int = 0) -> Table:
    """Return lines of a name, in `least` cells or more, and what is to be said, folded to the width there is."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=least)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, words(value) if isinstance(value, str) else value)
    return grid
