"""Which column of a source is which role: as the card says, else by name, else by what the columns hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Role
from automl_gpt.tools.corpus.sources import Parts
from automl_gpt.tools.data.load import need_column

_IDEOGRAPH = re.compile("[\u3040-\u9fff]")
_PLAIN: tuple[Role, ...] = ("question", "context", "tokens")
"""Roles that a column of the same name has without being told."""
_LONG = 3.0
_DIFFERENT = 0.1


@dataclass(frozen=True)
class Plan:
    """Column names by role, the column of the answers, and the other columns that the card names."""

    roles: dict[str, str]
    target: str
    others: dict[str, str]

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        return list(dict.fromkeys([*self.roles.values(), self.target, *self.others.values()]))


def plan(
    card: DataCard,
    parts: Parts,
    required: Sequence[Role],
    optional: Sequence[Role] = (),
    target: str | None = None,
) -> Plan:
    """Choose the columns; `target` is what the answers are called where the card is silent.

    UserError, with the nearest name, where the card names a column that a part lacks, or leaves open which is which.
    """
    answers = card.target or target
    if answers is None:
        raise UserError("card: target: name the column of the answers, for example `target: label`")
    others = {k: v for k, v in (("group", card.group), ("weight", card.weight), ("time", card.time)) if v}
    first = parts["train"]
    need_column(first.columns, answers, "target", first.name)
    taken = {answers, *others.values(), *card.drop}
    if answers in optional and answers in _PLAIN:
        taken.remove(answers)  # a question's own context is its answer, where there is no other
    roles = _roles(
        card, first.head.select([c for c in first.columns if c not in taken]), first.name, required, optional
    )
    chosen = Plan(roles, answers, others)
    for source in parts.values():
        for role, column in {"target": answers, **others, **roles}.items():
            need_column(source.columns, column, role, source.name)
    return chosen


def _roles(card: DataCard, head: Any, where: str, required: Sequence[Role], optional: Sequence[Role]) -> dict[str, str]:
    told = _told(card, head.column_names, where, [*required, *optional])
    free = [name for name in head.column_names if name not in told.values()]
    roles = {**{role: role for role in [*required, *optional] if role in free and role in _PLAIN}, **told}
    missing: list[Role] = [role for role in required if role not in roles]
    if not roles and missing in (["text"], ["question"]):
        wanted: list[Role] = [missing[0], *(role for role in optional if role == "pair")]
        return dict(zip(wanted, _by_content(head, where, wanted), strict=False))
    if missing:
        raise UserError(
            f"card: inputs: name the column of the {missing[0]}, as `inputs: {{COLUMN: {{role: {missing[0]}}}}}`; "
            f"{where} has: {', '.join(head.column_names)}"
        )
    return roles


def _told(card: DataCard, columns: list[str], where: str, wanted: list[Role]) -> dict[str, str]:
    """Return what the card says under `inputs`: by role, else in the order in which columns stand there."""
    given = {name: info for name, info in (card.inputs or {}).items() if info.known == "before"}
    for name in given:
        need_column(columns, name, f"card: inputs.{name}", where)
    roles: dict[str, str] = {}
    for name, info in given.items():
        if info.role is None:
            continue
        if info.role not in wanted:
            raise UserError(f"card: inputs.{name}.role: {info.role} is none of {', '.join(wanted)}")
        if info.role in roles:
            raise UserError(f"card: inputs: {roles[info.role]!r} and {name!r} can't both be the {info.role}")
        roles[info.role] = name
    if roles or not given:
        return roles
    if len(given) > len(wanted):
        raise UserError(f"card: inputs: {len(given)} columns for {len(wanted)} roles ({', '.join(wanted)}): give roles")
    return dict(zip(wanted, given, strict=False))


def _by_content(head: Any, where: str, wanted: Sequence[Role]) -> list[str]:
    """Return the one text column, or the long ones where there are more: as many as are wanted, or fewer."""
    texts = [name for name in head.column_names if is_text(head.schema.field(name).type)]
    if len(texts) == 1:
        return texts
    if not texts:
        raise UserError(
            f"{where}: no column of text besides the target: its columns are {', '.join(head.column_names)}"
        )
    long = [name for name in texts if is_long(head[name].to_pylist())]
    if 1 <= len(long) <= len(wanted):
        return long
    what = " and ".join(wanted)
    raise UserError(f"card: inputs: name the column of {what}; {where} has text in: {', '.join(long or texts)}")


def is_text(kind: Any) -> bool:
    """Say whether an Arrow type is one of text."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_long(values: list[str | None]) -> bool:
    """Say whether values read as texts: various, of three words and more on average (an ideograph counts as one)."""
    texts = [value for value in values if value]
    if not texts or len(set(texts)) < _DIFFERENT * len(texts):
        return False
    words = sum(len(text.split()) + len(_IDEOGRAPH.findall(text)) for text in texts)
    return words >= _LONG * len(texts)
