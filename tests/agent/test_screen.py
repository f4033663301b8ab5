from __future__ import annotations

import io
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from automl_gpt.agent import screen as s
from automl_gpt.agent.screen.curves import Curves, chart, curves_of
from automl_gpt.agent.screen.lines import lines
from automl_gpt.agent.screen.live import LiveView
from automl_gpt.agent.screen.panels import one_line
from automl_gpt.agent.screen.text import ASCII, UNICODE, cut, interval, number, plain, signed, span
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.summary import Forecast, RunSummary
from automl_gpt.tools.log import Row
from tests.tools.tune.simulated import started

RECORDED: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("recorded_run.py")))
recorded, HOSTILE = RECORDED["recorded"], RECORDED["HOSTILE"]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(width: int = 60, terminal: bool = False, encoding: str = "utf-8", colour: bool = False) -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True, newline="")
    return Console(
        file=stream, width=width, height=40, force_terminal=terminal, no_color=not colour, highlight=False,
        color_system="standard" if terminal else None, _environ={},
    )  # fmt: skip


def written(on: Console) -> str:
    raw: Any = on.file
    return raw.buffer.getvalue().decode(raw.encoding)


def replay(on: Console, live: bool = False, upto: type[e.Event] | None = None) -> RunState:  # type: ignore[valid-type]
    events: list[e.Event] = recorded()
    state = RunState("loans-1", events[0], events[0].request)  # type: ignore[arg-type]
    with s.Screen(on, live=live) as screen:
        for event in events:
            state.apply(event)
            screen.show(event, state)
            if upto is not None and isinstance(event, upto):
                break
    return state


@pytest.fixture(scope="module")
def finished() -> RunState:
    return replay(console())


def test_a_whole_run_in_plain_lines_tells_data_predictions_trials_scores_and_next_commands() -> None:
    on = console(width=80)
    replay(on)
    text = written(on)
    assert "run loans-1 · loans · budget 60 s · controller builtin" in text
    assert "loans: 1,000 rows, 2 input columns" in text
    assert "models: lightgbm, xgboost" in text
    assert "why (builtin): trees do well on mixed columns" in text
    assert "trial 3   xgboost               predicted 0.8900 [0.8600–0.9100]  about 1.5 s" in text
    assert re.search(
        r"trial 3 .*predicted 0.8900 \[0.8600–0.9100\]  roc_auc 0.9464  gap \+0.0564  1.6 s  finished", text
    )
    assert "trial 6" in text and "out of memory" in text and "ran out of memory [bold]at 3 GiB[/bold]" in text
    assert "ensemble: 0.75 trial 3 (xgboost), 0.25 trial 2 (lightgbm)" in text
    assert "0.9401 [0.9102–0.9633] on 200 rows (first look" in text
    assert "5 scored: mean error 0.0210, coverage 80%, rank" in text
    assert "automl-gpt predict loans-1 FILE --out predictions.csv" in text
    assert re.search(r"report +\S+loans-1\S+report\.html", text)


def test_leaks_are_told_before_warnings_and_notes() -> None:
    on = console()
    replay(on, upto=e.DataProfiled)
    text = written(on)
    assert text.index("decides the target") < text.index("is constant") < text.index("duplicates")


def test_piped_output_has_no_control_codes_and_one_line_per_ended_trial() -> None:
    on = console(width=60)
    replay(on, live=True)
    text = written(on)
    assert "\x1b" not in text
    ended = [line for line in text.splitlines() if re.match(r"trial \d .*(finished|pruned|failed|out of memory)", line)]
    assert len(ended) == 7


@pytest.mark.parametrize("width", [60, 72, 80, 120])
def test_tables_and_charts_never_exceed_the_width(finished: RunState, width: int) -> None:
    on = console(width=400)
    for glyphs in (UNICODE, ASCII):
        on.print(s.trials_table(finished, width, None, glyphs))
        on.print(s.models_table(finished, width, glyphs=glyphs))
        on.print(chart(curves_of(finished.trials[3]), width, 12, glyphs))
        on.print(s.runs_table([summary("a" * 24), summary("b")], width, glyphs))
    longest = max(written(on).splitlines(), key=lambda line: cell_len(line.rstrip()))
    assert cell_len(longest.rstrip()) <= width, longest


def test_the_table_of_trials_in_60_columns_keeps_every_figure(finished: RunState) -> None:
    on = console()
    on.print(s.trials_table(finished, 60))
    lines = written(on).splitlines()
    assert lines[0].split() == ["#", "model", "predicted", "actual", "gap", "time"]
    assert lines[4].split() == ["3", "xgboost", "0.890", "[0.860–0.910]", "0.9464", "+0.056", "1.6", "s"]
    assert lines[5].endswith("pruned") and lines[7].endswith("memory") and lines[8].endswith("failed")
    assert len(lines) == 9


def test_a_table_cut_to_a_few_rows_keeps_the_newest_and_the_best(finished: RunState) -> None:
    on = console()
    on.print(s.trials_table(finished, 60, limit=3))
    assert [line.split()[0] for line in written(on).splitlines()[2:]] == ["3", "6", "7"]


def test_hostile_names_neither_style_nor_steer_the_terminal() -> None:
    on = console(width=100, terminal=True, colour=True)
    replay(on, live=True)
    text = written(on)
    shown = ESCAPE.sub("", text)
    assert "[red]pa?[31mid" in shown
    assert "\x1b[31mid" not in text and "\x1b[2J" not in text
    assert "\x07" not in text and "\u202e" not in text


def test_without_colour_no_colour_code_is_written_even_by_the_live_view() -> None:
    on = console(width=60, terminal=True)
    replay(on, live=True)
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", written(on)) for code in found.split(";")}
    assert not {c for c in codes if c and 30 <= int(c) <= 107}


def test_an_ascii_output_gets_ascii_and_no_question_marks_for_our_own_signs() -> None:
    on = console(width=60, encoding="ascii")
    state = replay(on)
    on.print(s.show_state(state, 60, ASCII))
    text = written(on)
    assert text.isascii()
    assert "predicted 0.8900 [0.8600..0.9100]" in text
    assert "?" not in text.replace("[red]pa?[31mid", "").replace("]?", "").replace("?[2J", "")


def test_letters_that_the_output_lacks_are_replaced_instead_of_raising() -> None:
    on = console(encoding="ascii")
    s.Screen(on, live=False).error("Größe missing")
    assert written(on) == "Gr??e missing\n"


def test_the_live_view_shows_header_table_and_both_curves() -> None:
    on = console(width=60, terminal=True)
    replay(on, live=True)
    text = ESCAPE.sub("", written(on))
    assert "loans-1 · roc_auc best 0.9464 baseline 0.5000" in text
    assert re.search(r"s left · 3 trials", text)
    assert "trial 4 extra_trees  ░┄ predicted (80%)  ● actual" in text
    assert "running" in text
    assert max(map(cell_len, text.replace("\r", "\n").splitlines())) <= 60 or "report" in text


def test_the_live_view_fits_into_the_window_however_many_trials_there_are(finished: RunState) -> None:
    on = Console(file=io.StringIO(), width=60, height=16, force_terminal=True, no_color=True, _environ={})
    view = LiveView(on, UNICODE, lambda: 5.0)
    view._picture.draw(finished, on.width, on.height - 1)
    with on.capture() as captured:
        on.print(view._picture)
    assert captured.get().count("\n") <= 15


def test_the_comparison_sets_both_logs_side_by_side(finished: RunState) -> None:
    on = console()
    on.print(s.comparison(finished, finished.trials[3], 60))
    text = written(on)
    assert "trial 3 · xgboost · finished" in text
    assert re.search(r"roc_auc +0\.8900 \[0\.8600–0\.9100\] +0\.9464 +\+0\.0564 \(outside\)", text)
    assert re.search(r"step 10 +0\.7783 +0\.8613 +\+0\.0830|step 10 +0\.7783 +0\.8", text)
    assert "●" in text and "░" in text


def test_a_trial_without_any_log_can_be_compared_too(finished: RunState) -> None:
    bare = RunState("x", finished.started, finished.request, metric=finished.metric)
    bare.apply(e.TrialProposed(trial=1, model="mlp", hyperparameters={}, reason="", by="builtin", seed=0))
    on = console()
    on.print(s.comparison(bare, bare.trials[1], 60))
    assert "trial 1 · mlp · proposed" in written(on)
    assert "mlp" in one_line(bare.trials[1], "roc_auc")


def test_a_chart_draws_the_actual_line_above_a_band_that_was_too_low() -> None:
    flat = [(1.0, 0.5), (10.0, 0.5)]
    curves = Curves(flat, [(1.0, 0.45), (10.0, 0.45)], [(1.0, 0.55), (10.0, 0.55)], [(1.0, 0.9), (10.0, 0.9)])
    rows = chart(curves, 40, 10).plain.splitlines()
    assert [i for i, row in enumerate(rows) if "●" in row] == [0]
    assert min(i for i, row in enumerate(rows) if "░" in row) > 3
    assert len(rows) == 10


def test_the_gap_of_a_trial_that_was_ended_amid_its_curve_says_at_which_step(finished: RunState) -> None:
    trial = finished.trials[3]
    assert trial.gap is not None
    trial.gap = trial.gap.model_copy(update={"at_step": 12, "predicted": 0.7, "actual": 0.6, "error": -0.1})
    assert "gap -0.1000 at step 12" in one_line(trial, "roc_auc")
    on = console(100)
    on.print(s.trials_table(finished, 100))
    on.print(s.comparison(finished, trial, 100))
    text = written(on)
    assert "-0.1000 @12" in text and re.search(r"at step 12 +0\.7000 .* 0\.6000 +-0\.1000", text)


@pytest.mark.parametrize("actual", [[], [(1.0, 0.5)], [(1.0, 1e300), (2.0, -1e300)], [(5.0, 0.0), (5.0, 0.0)]])
def test_degenerate_curves_are_drawn_without_failing(actual: list[tuple[float, float]]) -> None:
    assert chart(Curves([], [], [], actual), 20, 5).plain.count("\n") == 4


def test_a_running_trial_of_several_folds_shows_the_fold_that_runs_now(finished: RunState) -> None:
    state = RunState("x", finished.started, finished.request, metric=finished.metric)
    state.apply(e.TrialProposed(trial=1, model="mlp", hyperparameters={}, reason="", by="builtin", seed=0))
    state.apply(e.TrialStarted(trial=1, worker=0, at_seconds=0))
    rows = [Row(step=step, fold=fold, metrics={"valid": fold + 0.1}) for fold in (0, 1) for step in (1, 2)]
    state.apply(e.RowsLogged(trial=1, rows=tuple(rows)))
    assert curves_of(state.trials[1]).actual == [(1.0, 1.1), (2.0, 1.1)]


def test_the_end_of_an_interrupted_run_is_the_command_that_goes_on(finished: RunState) -> None:
    state = RunState("loans-2", finished.started, finished.request)
    state.apply(e.Interrupted(reason="Ctrl-C"))
    on = console()
    on.print(s.next_steps(state))
    assert "automl-gpt resume loans-2" in written(on)


def test_a_run_without_a_forecast_to_score_says_so() -> None:
    on = console()
    on.print(s.scorecard_panel(e.Scorecard(trials=0)))
    assert "none could be scored" in written(on)


def test_numbers_have_the_decimals_that_their_size_asks_for() -> None:
    assert [number(v) for v in (0.98765, 1.5, 12.345, 54321.6, -0.25, 1234567.0, 0.00001, 0.0, None, float("nan"))] == [
        "0.9877", "1.500", "12.35", "54,322", "-0.2500", "1.23e+06", "1.00e-05", "0.0000", "–", "–",
    ]  # fmt: skip
    assert signed(0.0123) == "+0.0123" and signed(-0.0123) == "-0.0123"
    assert interval(0.1, 0.2, 3) == "[0.100–0.200]" and interval(None, 0.2) == ""
    assert [span(v) for v in (0.04, 12.3, 185, 3725)] == ["0.0 s", "12 s", "3:05 min", "1:02 h"]


def test_foreign_text_becomes_one_harmless_line() -> None:
    assert plain("a\x1b[31mb\r\n\tc\u202ed\x00") == "a?[31mb cd?"
    assert len(plain("x" * 10_000)) == 2000
    assert cell_len(cut("数据集的名字很长很长", 9)) <= 9


def summary(name: str) -> RunSummary:
    return RunSummary(
        run=f"{name}-1234", name=name, status="finished", controller="builtin", model="xgboost", hyperparameters={},
        metric="roc_auc", direction="maximize", valid=0.91234, test=0.9, trials=12, started=1.7e9, seconds=60,
        forecast=Forecast(), artifact=None,
    )  # fmt: skip


def test_the_table_of_runs_shows_names_and_scores() -> None:
    on = console()
    on.print(s.runs_table([summary("loans")], 60))
    assert re.search(r"loans-1234 +roc_auc +0\.912 +0\.900 +finished", written(on))


@pytest.mark.parametrize(
    ("metrics", "distance", "said"),
    [
        (("roc_auc", "roc_auc"), 0.25, "2 trials on 2 data sets like these, nearest d0 at distance 0.25"),
        (("roc_auc", "log_loss"), 0.25, "2 trials on 2 data sets like these, some scored by log_loss, nearest d0"),
        (
            ("log_loss", "accuracy"),
            0.25,
            "2 trials on 2 data sets like these, scored by accuracy and log_loss, nearest",
        ),
        (("roc_auc", "roc_auc"), 1.5, "nothing near these data is known; 2 trials on other data help forecasts alone"),
    ],
)
def test_the_line_of_experience_tells_by_what_near_data_were_scored(metrics, distance, said):
    state = started(metric="roc_auc")
    trials = tuple(
        e.SimilarTrial(
            run="r", data=f"d{i}", model="trees", hyperparameters={}, metric=metric, value=0.7, baseline=0.5, best=0.9,
            seconds=1, rows=100, columns=5, distance=distance,
        )
        for i, metric in enumerate(metrics)
    )  # fmt: skip
    event = e.ExperienceFound(trials=trials)
    state.apply(event)
    [line] = lines(event, state)
    assert said in str(line)
