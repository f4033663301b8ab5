"""Names of runs: short, readable, unique; and finding a run by what a person types."""

from __future__ import annotations

import difflib
import secrets
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Sources
from automl_gpt.tools.journal.events import RunStarted
from automl_gpt.tools.journal.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like something else
_LONGEST = 24
_SHOWN = 5


def new_name(started: RunStarted) -> str:
    """Make up a name for a run, from the name of its Data Card, its file or its source."""
    card = started.data_card
    source = card.source.train if isinstance(card.source, Sources) else card.source
    origin = card.name or PurePath(started.card_file or "").stem or PurePath(source.split(":")[-1]).name.split(".")[0]
    return f"{_slug(origin) or 'run'}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    return "-".join(words)[:_LONGEST].strip("-")


def find_run(connection: Connection, name: str) -> str:
    """Return the run of this name, of this unique beginning, or the newest for "last"; else UserError."""
    from sqlalchemy import select

    runs = tables().runs.c
    newest = select(runs.run).order_by(runs.started.desc(), runs.run.desc())
    wanted = name.strip().lower()
    last = connection.execute(newest.limit(1)).scalar()
    if last is None:
        raise UserError("there are no runs yet: begin one with `automl-gpt run CARD`")
    if wanted == "last":
        return str(last)
    begins = runs.run.startswith(wanted, autoescape=True)
    found = list(connection.execute(newest.where(begins).limit(200)).scalars()) if wanted else []
    if wanted in found or connection.execute(select(runs.run).where(runs.run == wanted)).first():
        return wanted
    if len(found) == 1:
        return str(found[0])
    if found:
        more = ", …" if len(found) > _SHOWN else ""
        raise UserError(f"several runs begin with {name!r}: {', '.join(found[:_SHOWN])}{more}: type more of the name")
    known = list(connection.execute(newest.limit(1000)).scalars())
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5) or known[:3]
    raise UserError(f"there is no run {name!r}; the nearest: {', '.join(near)} (`automl-gpt runs` lists all)")
