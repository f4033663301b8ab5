"""Which stored pictures can be used, and what trainers make of them: eight bits, upright, grey or RGB."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.data.report import Finding

Stored = str | bytes
"""A picture as it is stored: the absolute path of its file, or the bytes of one."""
Problem = Literal["absent", "broken", "small", "huge"]

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".avif",
        ".jp2",
    )
)
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F"))
MIN_SIDE = 4
"""Pixels: below it nothing is left to see, and networks that halve the picture fail."""
MAX_PIXELS = 178_956_970
"""Pillow's own limit, half a gigabyte of RGB: larger ones are told by their header and never decoded."""
NAMED = 3
_ORIENTATION = 274
_WHY: dict[Problem, str] = {
    "absent": "no such file",
    "broken": "no picture, or damaged",
    "small": f"a side of less than {MIN_SIDE} pixels",
    "huge": f"more than {MAX_PIXELS // 10**6} million pixels",
}


@dataclass(frozen=True)
class Checked:
    """What a look at a stored picture told: its size in pixels once upright, or why it can't be used."""

    width: int = 0
    height: int = 0
    problem: Problem | None = None


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def open_picture(stored: Stored) -> Any:
    """Open a picture by its content; only the header is read yet.

    Of Pillow's formats those are left out whose decoders start programs (EPS) or guess (TGA). Raises what they raise.
    """
    from PIL import Image

    return Image.open(io.BytesIO(stored) if isinstance(stored, bytes) else stored, formats=_formats())


def check_pictures(stored: Iterable[Stored]) -> list[Checked]:
    """Read each header, then as much as finds damage: a JPEG at an eighth of its size, the checksums of a PNG.

    The header alone would let cut-off files pass, and a marker at a JPEG's end lets damage within pass.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, and of sizes below our own limit
        return [_look(one) for one in stored]


def _look(stored: Stored) -> Checked:
    from PIL import Image

    try:
        with open_picture(stored) as picture:
            return _checked(picture)
    except FileNotFoundError:
        return Checked(problem="absent")
    except Image.DecompressionBombError:
        return Checked(problem="huge")
    except Exception:  # decoders raise whatever they like at damaged bytes
        return Checked(problem="broken")


def _checked(picture: Any) -> Checked:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        return Checked(problem="huge")
    if min(width, height) < MIN_SIDE:
        return Checked(problem="small")
    if picture.mode not in MODES and not picture.mode.startswith("I;16"):
        return Checked(problem="broken")
    turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    if picture.format == "PNG":
        picture.verify()
    else:
        picture.draft(None, (width // 8, height // 8))
        picture.load()
    return Checked(height, width) if turned else Checked(width, height)


def left_out(checked: Sequence[Checked], names: Sequence[str]) -> list[Finding]:
    """Say how many pictures can't be used, for each reason, and name the first few."""
    found: list[Finding] = []
    for problem, why in _WHY.items():
        bad = [name for name, one in zip(names, checked, strict=True) if one.problem == problem]
        if bad:
            text = f"{counted(len(bad), 'picture')} left out ({why}): {first_few(bad)}"
            found.append(Finding(level="warning", text=text))
    return found


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 picture, 2 pictures, 2 boxes."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('x') else 's'}"


def first_few(names: Iterable[object]) -> str:
    """Return the first few names as a person reads them."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:NAMED]) + (", …" if len(listed) > NAMED else "")


# ------------------------------------------------------------------------------------------------ what trainers look at


def rgb(picture: Any) -> Any:
    """Return a picture as 8-bit RGB: turned upright by its EXIF tag, what is transparent laid on white.

    Of 16 bits a depth of 12 or 16 is told by the brightest pixel; real numbers up to 1 are shares of white.
    """
    picture = _eight_bits(_upright(picture))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        picture = _on_white(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def grey(picture: Any) -> Any:
    """Return a picture as 8-bit grey, after the same conversions as `rgb`."""
    if picture.mode == "L" and "transparency" not in picture.info:
        return _upright(picture)
    return rgb(picture).convert("L")


def _upright(picture: Any) -> Any:
    from PIL import ImageOps

    if picture.info.get("exif") is None or picture.getexif().get(_ORIENTATION, 1) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def _eight_bits(picture: Any) -> Any:
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture
    values: NDArray[np.float32] = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    brightest = float(values.max())
    scale = 255.0 if brightest <= 1 and picture.mode == "F" else 1.0
    scale = scale if brightest < 256 else 1 / 16 if brightest < 4096 else 1 / 256
    return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))


def _on_white(picture: Any) -> Any:
    from PIL import Image

    shown = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)


# ----------------------------------------------------------------------------------------------------- stored examples


def stored_pictures(examples: Examples, role: str = "image") -> Any:
    """Return the column as a `datasets.Dataset` of {bytes, path}, which decodes nothing."""
    from datasets import Image

    return examples.dataset.select_columns([role]).cast_column(role, Image(decode=False))


def picture_sizes(examples: Examples) -> NDArray[np.int64]:
    """Return width and height of each picture in pixels, from the headers alone: shape (rows, 2)."""
    return np.array([_size(row["image"]) for row in stored_pictures(examples)], dtype=np.int64).reshape(-1, 2)


def _size(stored: dict[str, Any]) -> tuple[int, int]:
    with open_picture(stored["bytes"] or stored["path"]) as picture:
        turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (picture.height, picture.width) if turned else picture.size
