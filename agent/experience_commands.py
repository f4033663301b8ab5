"""`automl-gpt experience list | export | import | forget`."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import model_cards
from automl_gpt.tools.experience.exchange import export_file, import_file
from automl_gpt.tools.experience.pack import shipped
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.store import Journal

SHOWN_SETS = 30


def list_experience(journal: Journal, console: Console) -> None:
    """List where experience comes from, and the data sets in the store, by name."""
    with journal.database.reading() as connection:
        sources, sets = past.sources(connection), past.named_sets(connection, SHOWN_SETS)
    pack = shipped()
    table = Table("source", "data sets", "trials", "newest", box=None, pad_edge=False)
    for source in sources:
        name = source.name if source.imported else "own runs"
        table.add_row(
            Text(name), str(source.sets), str(source.trials), f"{datetime.fromtimestamp(source.added):%Y-%m-%d}"
        )
    table.add_row("shipped", str(len(pack.sets)), str(sum(map(len, pack.trials.values()))), "")
    out = Console(highlight=False)
    out.print(table)
    if sets:
        table = Table("data set", "task", "metric", "rows", "columns", "trials", box=None, pad_edge=False)
        for one, trials in sets:
            size = (str(one.meta.rows), str(one.meta.columns))
            table.add_row(Text(one.name), one.task, Text(one.metric), *size, str(trials))
        out.print()
        out.print(table)
    if len(sets) == SHOWN_SETS:
        console.print(f"the first {SHOWN_SETS} data sets by name; `experience export` writes all", markup=False)


def export_experience(journal: Journal, file: Path, since: str | None, console: Console) -> None:
    """Write the store's own experience into a file, with no values of the data."""
    done = export_file(journal, file.expanduser(), version("automl-gpt"), _seconds(since) if since else 0.0)
    console.print(f"{done.trials} trials on {done.sets} data sets; no values of the data", markup=False)


def _seconds(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UserError(f"--since {date}: is no date: write it as 2026-01-31") from error


def import_experience(journal: Journal, file: Path, console: Console) -> None:
    """Add others' experience to the store; what can't be used is told, a line each."""
    done = import_file(journal, file.expanduser(), model_cards(journal.folder / "cards"))
    for note in done.notes():
        console.print(note, markup=False)
    known = f", {done.known} known already" if done.known else ""
    console.print(f"{done.trials} new trials{known}", markup=False)


def forget_experience(journal: Journal, source: str | None, console: Console) -> None:
    """Delete imported experience, all or that of one source."""
    with journal.database.writing() as connection:
        imports = [s.name for s in past.sources(connection) if s.imported]
        if source is not None and source not in imports:
            named = f"the store has: {', '.join(imports[:5])}" if imports else "nothing was imported"
            raise UserError(f"no experience was imported from {source!r}: {named}")
        deleted = past.forget_imported(connection, source)
    console.print(f"{deleted} imported trials forgotten; own runs stay in the journal", markup=False)
