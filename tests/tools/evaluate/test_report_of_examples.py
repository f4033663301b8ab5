"""Reports of runs on texts and pictures: the best and the worst examples are in them, small, and as text alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.evaluate.report import render
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.log import Row
from tests.tools.finished_examples import (
    NAMES,
    boxed,
    coloured,
    examples_run,
    review_card,
    reviews,
    squad,
    tagged,
)
from tests.tools.finished_run import FinishedRun

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def run_of(folder: Path, card: DataCard, *models: str) -> FinishedRun:
    trials = [(name, model_cards()[name].default()) for name in models]
    return examples_run(folder / "run", card, *trials)


def lines(text: str, name: str) -> list[str]:
    """What stands in the report under a name, example after example."""
    return re.findall(rf'<dt>{name}</dt><dd dir="auto">(.*?)</dd>', text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Reviews, some of which are code, very long, or of the wrong mood."""
    folder = tmp_path_factory.mktemp("hostile")
    table = reviews(240)
    table["review"] = table["review"] + f" {HOSTILE} " + "and so on " * 100
    table.loc[::5, "mood"] = HOSTILE
    table.to_csv(folder / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    card = DataCard(modality="text", source=str(folder / "r.csv"), target="mood", inputs=inputs)
    return run_of(folder, card, "baseline", "tfidf_linear")


def test_texts_of_strangers_are_text_and_nothing_else_and_are_cut(hostile: FinishedRun) -> None:
    text = render(hostile.state, hostile.folder)
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert" in text
    shown = lines(text, "review")
    assert len(shown) == 6 + 6
    assert all(line.endswith("…") for line in shown)
    assert max(map(len, shown)) < 400
    assert len(text) < 500_000


def test_the_wrong_examples_tell_what_they_are_and_what_was_said_of_them(hostile: FinishedRun) -> None:
    text = render(hostile.state, hostile.folder)
    right, wrong = text.split("<h3>Wrong and most certain</h3>")
    pairs = [list(zip(lines(part, "actual"), lines(part, "predicted"), strict=True)) for part in (right, wrong)]
    assert len(pairs[0]) == len(pairs[1]) == 6
    assert all(said.startswith(f"{actual}, probability 0.") for actual, said in pairs[0])
    assert not any(said.startswith(f"{actual},") for actual, said in pairs[1])
    given = [float(said.rsplit(" ", 1)[1]) for _, said in pairs[1]]
    assert given == sorted(given, reverse=True)


def test_values_of_texts_show_the_largest_residuals(tmp_path: Path) -> None:
    run = run_of(tmp_path, review_card(tmp_path, "points", task="regression"), "baseline")
    text = render(run.state, run.folder)
    small, large = ([abs(float(v)) for v in lines(part, "residual")] for part in text.split("<h3>Largest residuals"))
    assert len(small) == len(large) == 6
    assert max(small) < min(large)
    assert large == sorted(large, reverse=True)


def test_pictures_are_shown_small_within_the_page(tmp_path: Path) -> None:
    source = coloured(tmp_path / "colours", each=40)
    card = DataCard(modality="image", source=str(source))
    run = run_of(tmp_path, card, "baseline")
    text = render(run.state, run.folder)
    addresses = re.findall(r'<img src="(.*?)" alt="">', text)
    assert 6 < len(addresses) <= 12
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert max(map(len, addresses)) < 20_000
    assert "Not measured: only columns of tables have it" in text


def test_boxes_are_drawn_and_counted_by_class(tmp_path: Path) -> None:
    card = DataCard(modality="image", task="detection", source=str(boxed(tmp_path / "boxes")))
    run = run_of(tmp_path, card, "mean_boxes")
    text = render(run.state, run.folder)
    assert text.count("<img ") == len(lines(text, "boxes")) > 0
    assert "AP50" in text
    assert re.search(r"<td>square</td><td class=\"n\">\d+</td>", text)


def test_questions_show_expected_and_predicted_answers(tmp_path: Path) -> None:
    card = DataCard(modality="text", task="question-answering", source=str(squad(tmp_path)))
    run = run_of(tmp_path, card, "sentence_overlap")
    text = render(run.state, run.folder)
    assert len(lines(text, "expected")) == len(lines(text, "predicted")) > 0
    assert all(re.search("lives in", line) for line in lines(text, "context"))


def test_tagged_sentences_mark_what_is_wrong_and_count_the_tags(tmp_path: Path) -> None:
    card = DataCard(modality="text", task="token-classification", source=str(tagged(tmp_path)), target="tags")
    run = run_of(tmp_path, card, "baseline")
    text = render(run.state, run.folder)
    marked = re.findall(r"<mark>(.*?)</mark> <small>(.*?)</small>", text)
    assert {note for word, note in marked if word in NAMES} == {"B-PER, predicted O"}
    counts = dict(re.findall(r"<td>([A-Z-]+)</td><td class=\"n\">(\d+)</td>", text.split("Tags, in words")[1]))
    sentences = len(run.prepared.out_of_fold())
    assert int(counts["B-PER"]) == int(counts["I-PER"]) == sentences
    assert int(counts["O"]) == 5 * sentences


def test_generated_texts_stand_beside_what_was_expected(tmp_path: Path) -> None:
    reviews().to_csv(tmp_path / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    source: dict[str, Any] = {"source": str(tmp_path / "r.csv"), "target": "mood", "inputs": inputs}
    run = run_of(tmp_path, DataCard(modality="text", task="text-generation", **source), "nearest_text")
    text = render(run.state, run.folder)
    assert set(lines(text, "expected")) | set(lines(text, "got")) <= {"good", "bad"}
    assert len(lines(text, "source")) >= 6


def test_searched_questions_tell_the_rank_of_the_right_passage(tmp_path: Path) -> None:
    card = DataCard(modality="text", task="retrieval", source=str(squad(tmp_path)))
    run = run_of(tmp_path, card, "bm25")
    text = render(run.state, run.folder)
    ranks = lines(text, "rank of the right passage")
    assert ranks[0] == "1"
    assert len(lines(text, "right passage")) == sum(rank != "1" for rank in ranks)


def test_losses_speed_and_memory_are_shown_where_they_were_logged(hostile: FinishedRun) -> None:
    before = render(hostile.state, hostile.folder)
    assert "Per second" not in before
    steps = [
        {"valid": 0.5, "train_loss": 0.7, "valid_loss": 0.8, "per_second": 100.0, "megabytes": 500.0},
        {"valid": 0.6, "train_loss": 0.4, "valid_loss": 0.6, "per_second": 120.0, "megabytes": 650.0},
        {"valid": 0.6, "train_loss": 0.3, "valid_loss": 0.5, "per_second": 900.0, "megabytes": 640.0},
    ]
    rows = tuple(Row(step=step, metrics=metrics) for step, metrics in enumerate(steps, 1))
    hostile.state.apply(e.RowsLogged(trial=2, rows=rows))
    after = render(hostile.state, hostile.folder)
    assert after.count("<svg") == before.count("<svg") + 2
    assert '<td class="n">120.00<br><span class="soft">(650.00)</span></td>' in after
    assert "losses while it trained" in after


def test_a_million_characters_and_thousands_of_rows_keep_the_report_small(tmp_path: Path) -> None:
    table = pd.DataFrame({"review": reviews(40)["review"], "mood": np.where(np.arange(40) % 2, "u", "v")})
    table.loc[3, "review"] = "x" * 1_000_000
    table.to_csv(tmp_path / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    card = DataCard(modality="text", source=str(tmp_path / "r.csv"), target="mood", inputs=inputs)
    run = run_of(tmp_path, card, "baseline")
    assert len(render(run.state, run.folder)) < 300_000
