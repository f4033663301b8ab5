"""The exceptions of AutoML-GPT, sorted by whose fault they are.

    Exception
    ├── UserError           the request is wrong: one clear line for the person, exit code 2
    │   ├── CardError       a card is wrong: names file, line, field and the mend
    │   ├── QuotingError    the text quotes cells of the data: for the person alone
    │   ├── PriceUnknown    money is limited, and nobody knows what a language model costs
    │   └── StoreError      the journal can't be used: locked, full, damaged, read-only
    ├── ToolError           a tool call is wrong: a text that a model can act on
    └── BudgetError         the budget ended before any trial finished: exit code 3

Everything else that is raised is a defect of ours and propagates.
"""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Something that the person can mend, told in one line."""


class CardError(UserError):
    """A card that can't be used.

    `file` is where the card stands (None for one made in memory), `line` counts from 1, `field` is the dotted path of
    the offending key, `problem` says what is wrong and how to mend it.
    """

    def __init__(self, problem: str, file: Path | None = None, line: int | None = None, field: str = "") -> None:
        self.problem, self.file, self.line, self.field = problem, file, line, field
        place = str(file) if file else "card"
        place += f":{line}" if line else ""
        place += f": {field}" if field else ""
        super().__init__(f"{place}: {problem}")


class QuotingError(UserError):
    """An error whose text quotes cells of the data, which no model may see; `without_cells` says the same without."""

    def __init__(self, text: str, without_cells: str) -> None:
        self.without_cells = without_cells
        super().__init__(text)


class PriceUnknown(UserError):
    """Money is limited and the price of a language model, `model`, is unknown; the text says which card tells it."""

    def __init__(self, text: str, model: str) -> None:
        self.model = model
        super().__init__(text)


class StoreError(UserError):
    """The journal's database or the home folder can't be used."""


class ToolError(Exception):
    """A tool call that can't be carried out; the text tells a model what is wrong and what would be right."""


class BudgetError(Exception):
    """The budget was spent before any trial finished."""
