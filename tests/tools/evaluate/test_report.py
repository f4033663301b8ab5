from __future__ import annotations

import html.parser
import shutil
from pathlib import Path

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.tools.base import Context
from automl_gpt.tools.evaluate import importance
from automl_gpt.tools.evaluate.report import render, report, write_report
from automl_gpt.tools.evaluate.words import figure, seconds, sentence
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from tests.tools.finished_run import HOSTILE, FinishedRun, churn, churn_run, forecast, houses_run, start, train


class Page(html.parser.HTMLParser):
    """What a page holds: tags, texts, headings, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href") and not (v or "").startswith("#")]
        if tag not in ("meta", "br", "link", "img", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


HEADINGS = [
    "The delivered model", "Predicted against actual", "Trials", "What mattered", "Where the model errs", "Data",
    "Decisions, and why", "How to repeat this",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return churn_run(tmp_path_factory.mktemp("runs") / "churn")


def test_the_report_of_a_finished_run_tells_everything_in_one_file(run: FinishedRun) -> None:
    path = write_report(run.state, run.folder)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert path == run.folder / "report.html"
    assert page.headings == HEADINGS
    assert page.open == []
    assert page.links == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("svg") == 4 + 3
    assert len(text) < 400_000
    assert run.state.test is not None
    assert figure(run.state.test.value) in text
    assert "not finished" not in text


def test_a_hostile_name_is_text_and_nothing_else(run: FinishedRun) -> None:
    text = render(run.state, run.folder)
    assert "<script" not in text
    assert HOSTILE not in text
    assert "&lt;script&gt;alert" in text


def test_the_report_of_the_same_state_is_the_same(run: FinishedRun) -> None:
    assert render(run.state, run.folder) == render(run.state, run.folder)


def test_a_regression_shows_residuals_instead_of_a_confusion(tmp_path: Path) -> None:
    run = houses_run(tmp_path / "run")
    text = render(run.state, run.folder)
    assert "Residuals" in text
    assert "Confusion" not in text


def test_a_run_that_has_only_begun_has_a_report(run: FinishedRun, tmp_path: Path) -> None:
    state = RunState("r", run.state.started, run.state.request)
    text = render(state, tmp_path)
    assert "not finished" in text
    assert "No trial was proposed yet" in text
    assert Page(text).headings == HEADINGS[1:]


def test_an_unfinished_run_shows_its_trials_of_every_state(tmp_path: Path) -> None:
    run = start(tmp_path / "run", churn(300), "left", "roc_auc")
    state = run.state
    train(run, "linear", {}, 0.7)
    for number in (2, 3, 4):
        state.apply(e.TrialProposed(trial=number, model="linear", hyperparameters={}, reason="x", by="builtin", seed=1))
    state.apply(forecast(run, 2, 0.6).model_copy(update={"train": False}))
    state.apply(forecast(run, 3, None))
    state.apply(e.TrialFinished(trial=3, status="failed", reason="it crashed"))
    state.apply(e.Revised(action="continue", reason="the gap is small", by="builtin"))
    state.apply(e.Said(text="<b>go on</b>", understood="go on"))
    state.apply(e.Warned(text="something odd"))
    text = render(state, run.folder)
    for words in ("skipped", "failed", "proposed", "It crashed", "The gap is small", "&lt;b&gt;go on", "something odd"):
        assert words in text
    assert "of the best trial so far" in text
    assert Page(text).headings == HEADINGS[1:]


def test_a_run_without_a_model_and_one_with_freed_artefacts_have_reports(run: FinishedRun, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    shutil.rmtree(folder / "trials")
    assert "are gone" in render(run.state, folder)
    assert "are gone" in render(run.state, tmp_path / "nowhere")


def test_hyperparameters_that_move_the_score_are_important(tmp_path: Path) -> None:
    run = start(tmp_path / "run", churn(300), "left", "log_loss")
    rng = np.random.default_rng(0)
    for number in range(1, 15):
        rate, leaves = float(np.exp(rng.uniform(-4, -1.5))), int(rng.integers(8, 60))
        values = {"learning_rate": rate, "num_leaves": leaves}
        run.state.apply(
            e.TrialProposed(trial=number, model="lightgbm", hyperparameters=values, reason="", by="", seed=1)
        )
        run.state.apply(e.TrialFinished(trial=number, status="finished", value=rate * 2, complete=True))
    found = importance.hyperparameters(run.state)["lightgbm"]
    assert found[0].name == "learning_rate"
    assert found[0].value > 0.8
    assert "functional ANOVA" in render(run.state, run.folder)


def test_trials_that_all_score_the_same_explain_nothing(tmp_path: Path) -> None:
    run = start(tmp_path / "run", churn(300), "left", "log_loss")
    for number in range(1, 10):
        values = {"num_leaves": 8 + number}
        run.state.apply(
            e.TrialProposed(trial=number, model="lightgbm", hyperparameters=values, reason="", by="", seed=1)
        )
        run.state.apply(e.TrialFinished(trial=number, status="finished", value=0.5, complete=True))
    assert importance.hyperparameters(run.state) == {}


def test_a_report_that_cannot_be_written_is_told_in_one_line(run: FinishedRun, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be written") as told:
        write_report(run.state, run.folder, tmp_path / "no" / "report.html")
    assert "\n" not in str(told.value)


def test_the_tool_writes_inside_the_runs_folder_alone(run: FinishedRun) -> None:
    with pytest.raises(ToolError, match="--run"):
        report.call({}, Context(run.folder))
    assert not report.inspects


def test_numbers_read_well() -> None:
    assert [figure(v) for v in (0.81234567, 12345.678, 123.456, 3, 1e-7, None, float("nan"), True, "x")] == [
        "0.8123", "12,346", "123.46", "3", "1e-07", "–", "–", "True", "x",
    ]  # fmt: skip
    assert [seconds(v) for v in (0.5, 42.4, 60, 61, 3700, None)] == [
        "0.50 s", "42 s", "1 min", "1 min 1 s", "1 h 1 min", "–",
    ]  # fmt: skip
    assert [sentence(t) for t in ("go on", "Why?", "")] == ["Go on.", "Why?", "–"]
