from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from automl_gpt.tools.corpus.copies import Copies
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.corpus.near_pictures import near_pictures
from automl_gpt.tools.corpus.picture_parts import picture_dataset
from tests.tools.corpus.pictures_made import packed, picture


def copies(stored: list[bytes]) -> Copies:
    return near_pictures(Examples(picture_dataset(stored)))


def sets(codes: Any) -> list[list[int]]:
    """The rows that share a code with others."""
    return [rows for code in np.unique(codes) if len(rows := np.flatnonzero(codes == code).tolist()) > 1]


def others(count: int, start: int = 100) -> list[bytes]:
    return [packed(picture(start + n, (60, 60))) for n in range(count)]


def test_the_same_bytes_are_exact_copies() -> None:
    stored = others(30)
    found = copies([*stored, stored[3], stored[3], stored[7]])
    assert sets(found.exact) == sets(found.near) == [[3, 30, 31], [7, 32]]
    assert (found.hashes[3] == found.hashes[31]) and len(np.unique(found.hashes)) == 30


def test_pictures_saved_again_scaled_or_brightened_are_near_copies() -> None:
    own = picture(1, (200, 160))
    again = [
        packed(own, quality=95),
        packed(own, quality=40),
        packed(own, "PNG"),
        packed(own.resize((90, 70)), "PNG"),
        packed(ImageEnhance.Brightness(own).enhance(0.9)),
        packed(ImageEnhance.Color(own).enhance(0.5)),
    ]
    found = copies([*again, *others(40)])
    assert sets(found.near) == [[0, 1, 2, 3, 4, 5]]
    assert sets(found.exact) == []


def test_pictures_that_are_merely_alike_are_none() -> None:
    # One outline with different patterns: among photographs such a difference would be that of a copy.
    rng = np.random.default_rng(0)
    made = [np.zeros((32, 32)) for _ in range(200)]
    for cells in made:
        cells[6:26, 8:24] = 150 + np.kron(rng.integers(-25, 25, (5, 4)), np.ones((4, 4)))
    silhouettes = [packed(Image.fromarray(cells.astype(np.uint8)), "PNG") for cells in made]
    assert sets(copies(silhouettes).near) == []
    assert sets(copies([*others(200), *silhouettes[:2]]).near) == [[200, 201]]


def test_plain_and_deep_pictures_are_not_taken_for_each_other() -> None:
    shades = [packed(Image.new("L", (20, 20), shade), "PNG") for shade in (0, 1, 128, 255)]
    deep = [
        packed(Image.fromarray(np.random.default_rng(n).integers(0, 65536, (20, 20)).astype(np.uint16)), "PNG")
        for n in range(5)
    ]
    assert sets(copies([*shades, *deep]).near) == []


def test_copies_among_many_lookalike_hashes_are_still_found() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 32)[None].repeat(32, 0)
    made = [np.clip(ramp + np.kron(rng.integers(0, 60, (8, 8)), np.ones((4, 4))), 0, 255) for _ in range(300)]
    again = [made[n] * 0.97 + 2 for n in (5, 50, 250)]
    stored = [packed(Image.fromarray(cells.astype(np.uint8)), "PNG") for cells in [*made, *again]]
    assert sorted(sets(copies(stored).near)) == [[5, 300], [50, 301], [250, 302]]


def test_no_rows_and_one_row_have_no_copies() -> None:
    assert len(copies(others(1)).near) == 1
    assert len(near_pictures(Examples(picture_dataset(others(1)))[[]]).near) == 0
