"""Text that is safe and short enough to show: foreign words without control characters, numbers, spans of time."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from automl_gpt.cards.schema import Scalar


@dataclass(frozen=True)
class Glyphs:
    """The signs beyond ASCII that the screen uses, or what stands for them where the terminal can't show them."""

    to: str = "–"
    dash: str = "–"
    dots: str = "…"
    dot: str = "·"
    band: str = "░"
    line: str = "●"
    expected: str = "┄"
    axis: str = "│"
    corner: str = "└"
    floor: str = "─"


UNICODE = Glyphs()
ASCII = Glyphs(
    to="..", dash="-", dots="~", dot="-", band=":", line="*", expected="-", axis="|", corner="+", floor="-"
)  # fmt: skip


def glyphs_for(console: Console) -> Glyphs:
    """Return the signs that a console's encoding can show."""
    return UNICODE if console.encoding.lower().startswith("utf") else ASCII


def plain(text: object, limit: int = 2000) -> str:
    """Return foreign text on one line, without anything that could steer a terminal; cut to `limit` characters.

    White space becomes one space, other control characters a question mark; invisible formatting (such as a reversal
    of the reading direction) is left out.
    """
    kept = "".join(_harmless(sign) for sign in str(text)[: 4 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _harmless(sign: str) -> str:
    if sign.isprintable():
        return sign
    if sign.isspace():
        return " "
    return "" if unicodedata.category(sign) == "Cf" else "?"


def faithful(text: str, limit: int = 100_000) -> list[str]:
    """Return foreign text as lines, word for word and blank for blank, without anything that could steer a terminal.

    Of more than `limit` characters the rest is left out, and a last line says so.
    """
    kept = ["".join(_harmless(sign) for sign in line).rstrip() for line in text[:limit].expandtabs(4).splitlines()]
    return [*kept, f"... {len(text) - limit:,} more characters"] if len(text) > limit else kept


def cut(text: object, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Return foreign text in at most `width` cells of a terminal, with a mark where something is left out."""
    line = plain(text)
    if cell_len(line) <= width:
        return line
    return set_cell_size(line, max(0, width - 1)).rstrip() + glyphs.dots


def end_of(line: str, width: int) -> str:
    """Return the end of a line that is harmless already, in at most `width` cells of a terminal."""
    kept = line[-width:] if width > 0 else ""
    while cell_len(kept) > width:
        kept = kept[1:]
    return kept


def words(text: object, style: str = "") -> Text:
    """Return foreign text for rich: never read as markup."""
    return Text(plain(text), style=style)


def number(value: float | None, digits: int = 4, glyphs: Glyphs = UNICODE) -> str:
    """Return a score: as many decimals as its size asks for, about `digits` significant ones; a dash for none."""
    if value is None or math.isnan(value):
        return glyphs.dash
    size = abs(value)
    if size >= 1e6 or (0 < size < 10**-digits):
        return f"{value:.{max(1, digits - 2)}e}"
    for power in range(5):
        if size < 10**power:
            return f"{value:,.{max(0, digits - power)}f}"
    return f"{value:,.0f}"


def signed(value: float | None, digits: int = 4, glyphs: Glyphs = UNICODE) -> str:
    """Return a difference, always with its sign."""
    if value is None or math.isnan(value):
        return glyphs.dash
    text = f"{value:.{digits}f}" if abs(value) < 1 else number(value, digits)
    return text if text.startswith("-") else f"+{text}"


def interval(low: float | None, high: float | None, digits: int = 4, glyphs: Glyphs = UNICODE) -> str:
    """Return an interval as [low–high]; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{number(low, digits)}{glyphs.to}{number(high, digits)}]"


def span(seconds: float | None, glyphs: Glyphs = UNICODE) -> str:
    """Return a span of time: 0.4 s, 12 s, 3:05 min, 1:02 h; a dash for none."""
    if seconds is None or math.isnan(seconds):
        return glyphs.dash
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def percent(share: float | None, glyphs: Glyphs = UNICODE) -> str:
    """Return a share as a percentage; a dash for none."""
    return glyphs.dash if share is None or math.isnan(share) else f"{100 * share:.0f}%"


def configuration(values: Mapping[str, Scalar]) -> str:
    """Return hyperparameters on one line."""
    return plain(", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()))


def tolerate(console: Console) -> None:
    """Let signs that the output's encoding lacks become question marks instead of errors."""
    if getattr(console.file, "errors", None) == "strict" and hasattr(console.file, "reconfigure"):
        console.file.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue] - a TextIOWrapper
