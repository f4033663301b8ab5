from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl_gpt.tools.corpus.check_pictures import check_pictures, grey, picture_sizes, rgb
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.picture_parts import picture_dataset
from tests.tools.corpus.pictures_made import packed, picture


def problem(stored: Any) -> str | None:
    return check_pictures([stored])[0].problem


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return packed(picture(0), exif=exif)


def claims(width: int, height: int) -> bytes:
    """The header of a PNG, and the start of pixels that never come."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\1\0IDAT"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_whole_picture_passes_and_one_cut_off_does_not(form: str) -> None:
    whole = packed(picture(1, (120, 90)), form)
    found = check_pictures([whole])[0]
    assert (found.width, found.height, found.problem) == (120, 90, None)
    assert problem(whole[: len(whole) * 2 // 3]) == "broken"


def test_a_jpeg_damaged_within_is_found_though_its_end_is_whole() -> None:
    whole = bytearray(packed(picture(1, (400, 300)), quality=95))
    middle = len(whole) // 2
    whole[middle : middle + 4] = b"\xff\xc0\x00\x02"
    assert problem(bytes(whole)) == "broken"


def test_what_is_no_picture_is_told_from_what_is_absent(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "program.jpg").write_bytes(packed(picture(0), "EPS"))
    assert problem(str(tmp_path / "text.jpg")) == problem(str(tmp_path / "program.jpg")) == problem(b"") == "broken"
    assert problem(str(tmp_path / "none.jpg")) == "absent"


def test_sizes_are_told_by_the_header_alone() -> None:
    assert problem(packed(picture(0, (1, 1)), "PNG")) == problem(packed(picture(0, (50, 3)), "PNG")) == "small"
    assert problem(claims(20_000, 10_000)) == problem(claims(60_000, 60_000)) == "huge"
    assert problem(claims(100, 100)) == "broken"


def test_sizes_are_those_of_the_upright_picture() -> None:
    found = check_pictures([turned(1), turned(6)])
    assert [(one.width, one.height) for one in found] == [(40, 30), (30, 40)]
    examples = Examples(picture_dataset([turned(1), turned(6)]))
    assert picture_sizes(examples).tolist() == [[40, 30], [30, 40]]
    assert [one.size for one in examples.column("image")] == [(40, 30), (30, 40)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pictures_of_every_mode_become_rgb_and_grey(mode: str) -> None:
    shade = 255 if mode == "1" else 200
    made = Image.new("L", (6, 5), shade)
    made = Image.fromarray(np.full((5, 6), 200 * 257, np.uint16)) if mode == "I;16" else made.convert(mode)
    for shown, kind in ((rgb(made), "RGB"), (grey(made), "L")):
        assert (shown.mode, shown.size) == (kind, (6, 5))
        assert np.abs(np.asarray(shown).astype(int) - shade).max() <= 2


def test_rgb_turns_pictures_upright_and_lays_what_is_transparent_on_white() -> None:
    raw = Image.open(io.BytesIO(turned(6)))
    assert rgb(raw).size == (30, 40)
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert rgb(clear).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.info["transparency"] = 0
    assert rgb(palette).getpixel((0, 0)) == (255, 255, 255)


def test_pictures_of_12_and_of_16_bits_keep_their_shades() -> None:
    for brightest in (4080, 65280):
        steps = np.linspace(0, brightest, 256).astype(np.uint16)[None].repeat(4, 0)
        assert np.abs(np.asarray(grey(Image.fromarray(steps)))[0].astype(int) - np.arange(256)).max() <= 1
