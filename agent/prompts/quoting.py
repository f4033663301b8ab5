"""Text and numbers as a prompt shows them. What comes from cards, data, logs and tools stands between «« and »»: on one
line, cut, without marks, control characters, or anything that cannot be seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from automl_gpt.tools.journal.redact import redact

LIKE_MARKS = str.maketrans(dict.fromkeys("«≪《⟪⟨〈", "‹") | dict.fromkeys("»≫》⟫⟩〉", "›"))
"""The marks themselves, and what a reader could take for them."""
QUOTES = str.maketrans(dict.fromkeys('"“”„‟＂', "'"))
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that show nothing, though they do not count as format characters: fillers and variation selectors."""
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,39}")


def cleaned(value: object) -> str:
    """Return a value as one line of visible characters: bidi and zero-width ones are removed, others become spaces."""
    text = _UNSEEN.sub("", str(value))
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, length: int) -> str:
    """Return a text of at most so many characters; an ellipsis where it was longer."""
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"


def quoted(value: object, length: int = 120) -> str:
    """Mark text that comes from outside: one line, cut, its own marks and invisible characters taken out."""
    return f"««{_within(cleaned(value).translate(LIKE_MARKS), length)}»»"


def spoken(value: object, length: int = 300) -> str:
    """Mark the person's own words, which count as wishes: in double quotes, on one line, cut."""
    return f'"{_within(cleaned(value).translate(LIKE_MARKS).translate(QUOTES), length)}"'


def _within(text: str, length: int) -> str:
    """Cut a text, secrets first: half a key has no form that could be found later."""
    return text if len(text) <= length else cut(redact(text), length)


def word(value: object) -> str:
    """Return a name as it is where it is a plain one, else quoted."""
    return str(value) if _WORD.fullmatch(str(value)) else quoted(value, 60)


def number(value: float | None) -> str:
    """Return a number in at most five significant digits; a dash for none."""
    return "–" if value is None else f"{value:.5g}"


def rounded(value: float | None) -> str:
    """Return a number in at most three significant digits; a dash for none."""
    return "–" if value is None else f"{value:.3g}"


def score(value: float | None) -> str:
    """Return a score in four significant digits, large ones in five; a dash for none."""
    return "–" if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.5g}"


def percent(value: float | None) -> str:
    """Return a share as a percentage; a dash for none."""
    return "–" if value is None else f"{100 * value:.0f}%"


def configuration(values: Mapping[str, object]) -> str:
    """Return hyperparameters on one line; `default` for none."""
    pairs = (f"{word(k)} {rounded(v) if isinstance(v, float) else word(v)}" for k, v in values.items())
    return ", ".join(pairs) or "default"
