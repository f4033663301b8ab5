"""Pictures with boxes: what was found and what is there, for reports and for a person's eyes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from automl_gpt.tools.corpus.check_pictures import rgb

LONGEST = 480
"""Pixels of a drawn picture's longer side, at the most."""
FOUND, TRUE = "#d1495b", "#2e86ab"
"""Colours of found boxes and of true ones."""
LEAST_SCORE = 0.3
"""Found boxes of lower scores are not drawn."""
QUALITY = 80


def draw(
    picture: Any,
    record: dict[str, Any],
    labels: Sequence[str],
    target: dict[str, Any] | None = None,
    least: float = LEAST_SCORE,
) -> Any:
    """Draw the found boxes of a record with class and score, over the true ones of `target` if it is given.

    Takes and returns a PIL picture; the result is RGB, its longer side at most 480 pixels.
    """
    from PIL import ImageDraw

    width, height = picture.size
    shrunk = min(1.0, LONGEST / max(width, height))
    canvas = rgb(picture).resize((max(1, round(width * shrunk)), max(1, round(height * shrunk))))
    pen: Any = ImageDraw.Draw(canvas)
    for box, code in _boxes(target):
        _box(pen, [side * shrunk for side in box], TRUE, labels[code], below=True)
    for box, code, score in zip(record["boxes"], record["labels"], record["scores"], strict=True):
        if score >= least:
            _box(pen, [side * shrunk for side in box], FOUND, f"{labels[code]} {score:.2f}", below=False)
    return canvas


def data_uri(picture: Any) -> str:
    """Return a PIL picture as a JPEG within a `data:` address, for an `img` of a page that stands alone."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _boxes(record: dict[str, Any] | None) -> list[tuple[list[float], int]]:
    return [] if record is None else list(zip(record["boxes"], record["labels"], strict=True))


def _box(pen: Any, box: list[float], colour: str, text: str, *, below: bool) -> None:
    """Draw a box and its text: above its upper edge or, for true boxes, below its lower edge."""
    x, y, width, height = box
    pen.rectangle((x, y, x + width, y + height), outline=colour, width=2)
    left, top, right, bottom = pen.textbbox((0, 0), text)
    wide, high = right - left + 4, bottom - top + 4
    # The text stays within the picture.
    x = max(0.0, min(x, pen.im.size[0] - wide))
    y = max(0.0, min(y + height if below else y - high, pen.im.size[1] - high))
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + 2 - left, y + 2 - top), text, fill="white")
