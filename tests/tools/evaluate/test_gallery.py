from __future__ import annotations

import numpy as np

from automl_gpt.tools.evaluate.gallery import around, cut, ranked


def test_a_text_is_cut_at_a_word_and_loses_its_control_characters() -> None:
    assert cut("a\tb\n\n c\x00d\u202ee") == "a b c d e"
    assert cut("word " * 10, 17) == "word word word…"
    assert cut("x" * 50, 10) == "x" * 10 + "…"
    assert cut("  ") == ""
    assert cut("x" + " " * 10_000, 10) == "x…"


def test_the_part_around_a_place_is_within_the_text() -> None:
    text = " ".join(f"w{i}" for i in range(500))
    found = around(text, text.index("w250"), 60)
    assert found.startswith("…w")
    assert found.endswith("…")
    assert "w250" in found
    assert len(found) <= 62
    assert around("short", 2) == "short"


def test_the_best_and_the_worst_are_never_the_same_rows_and_ties_go_by_weight() -> None:
    scores = np.array([1.0, 0.0, 0.5, 1.0, np.nan, 0.0, 0.2])
    best, worst = ranked(scores, np.array([1, 5, 1, 9, 99, 7, 1]), perfect=1.0)
    assert best.tolist() == [3, 0, 2, 6]
    assert worst.tolist() == [5, 1]
    assert ranked(np.ones(3), np.ones(3), 1.0)[1].tolist() == []
