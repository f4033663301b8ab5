"""The command line as a person or a script meets it: real processes, exit codes, streams, one line for each mistake."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_gpt.tools.journal.store import Journal, open_journal

COMMAND = [sys.executable, "-m", "automl_gpt.agent.cli"]


def automl(*arguments: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=cwd, input=stdin, timeout=300, check=False
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a small table and a card for it, judged by two folds."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        y=np.where(x.sum(axis=1) + rng.normal(size=200) > 0, "u", "v")
    )
    frame.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "table.yaml").write_text("source: table.csv\ntarget: y\nsplit: {kind: random, folds: 2}\n")
    return tmp_path


def shown(run: str) -> dict[str, Any]:
    return json.loads(automl("show", run, "--json").stdout)


def decisions(run: str) -> list[Any]:
    """A run's decisions and logs, without the seconds that they took."""
    return [
        (t["trial"], t["model"], t["hyperparameters"], t["status"], t["predicted"]["value"], t["actual"]["value"])
        for t in shown(run)["trial_list"]
    ]


def test_a_run_prints_one_json_object_and_its_prose_goes_to_stderr(data: Path) -> None:
    done = automl("run", "table.yaml", "--trials", "3", "--yes", "--json", "--workers", "1", cwd=data)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["metric"] == {"name": "roc_auc", "direction": "maximize"}
    assert result["trials"] == 3 and result["status"] == "budget"
    assert set(result) == {
        "run", "controller", "model", "hyperparameters", "metric", "valid", "test", "trials", "seconds", "forecast",
        "usage", "artifact", "status",
    }  # fmt: skip
    assert "trial 2" in done.stderr
    assert [r["run"] for r in json.loads(automl("runs", "--json").stdout)] == [result["run"]]

    predicted = automl("predict", result["run"], "table.csv", "--out", "out.csv", cwd=data)
    assert predicted.returncode == 0, predicted.stderr
    assert list(pd.read_csv(data / "out.csv").columns) == ["prediction", "probability_u", "probability_v"]
    again = automl("predict", result["artifact"], "table.csv", "--out", "other.csv", cwd=data)
    assert again.returncode == 0
    assert (data / "other.csv").read_text() == (data / "out.csv").read_text()
    drawn = automl("predict", result["run"], "table.csv", "--out", "third.csv", "--pictures", "drawn", cwd=data)
    assert drawn.returncode == 2 and "pictures with boxes are for models of detection" in drawn.stderr
    exported = automl("export", result["run"], "--out", "network", cwd=data)
    assert exported.returncode == 2 and "no network is in this model" in exported.stderr
    assert not (data / "network").exists()
    page = Path(automl("report", "last").stdout.strip())
    assert "<h1" in page.read_text(encoding="utf-8")


def end_after(journal: Journal, trials: int, signal_number: int, arguments: list[str], cwd: Path) -> list[Any]:
    """Start a command, end it by a signal when its run has ended so many trials; return these trials."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    until = time.monotonic() + 120
    while (runs := journal.runs()) == [] or len(journal.state(runs[0].run).done()) < trials:
        assert time.monotonic() < until and process.poll() is None, "the run did not get so far"
        time.sleep(0.1)
    os.kill(process.pid, signal_number)
    process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if signal_number == signal.SIGKILL else 130)
    return ended("last")


def ended(run: str) -> list[Any]:
    return [t for t in shown(run)["trial_list"] if t["actual"]["ended_at"] is not None]


def test_a_run_that_is_ended_from_outside_goes_on_and_repeats_nothing(data: Path) -> None:
    arguments = ["run", "table.yaml", "--trials", "8", "--yes", "--json", "--workers", "1", "--seed", "5"]
    with contextlib.closing(open_journal()) as journal:
        seen = end_after(journal, 2, signal.SIGKILL, arguments, data)
        for number in (signal.SIGINT, signal.SIGTERM):
            seen += end_after(journal, len(seen) + 1, number, ["resume", "--json"], data)[len(seen) :]
    assert 4 <= len(seen) < 8

    resumed = automl("resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    run = json.loads(resumed.stdout)["run"]
    kept = {t["trial"]: t["actual"]["ended_at"] for t in shown(run)["trial_list"]}
    assert all(kept[t["trial"]] == t["actual"]["ended_at"] for t in seen)

    whole = automl(*arguments, cwd=data)
    assert decisions(json.loads(whole.stdout)["run"]) == decisions(run)


def test_without_a_terminal_and_without_a_yes_nothing_is_trained(data: Path) -> None:
    done = automl("run", "table.yaml", "--trials", "2", cwd=data)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "automl-gpt: training needs a yes: give --yes, or run in a terminal and answer there\n"


CARDS = {
    "tab": ("source: table.csv\n\ttarget: y\n", ":2"),
    "unknown key": ("source: table.csv\ntarget: y\nmetrik: auc\n", ":3: metrik"),
    "wrong type": ("source: table.csv\ntarget: y\nlimits: {megabytes: many}\n", ":3: limits.megabytes"),
    "alias": ("source: &a table.csv\ntarget: *a\n", "alias"),
    "no target": ("source: table.csv\n", "target"),
    "absent target": ("source: table.csv\ntarget: Y1\n", "'y'"),
    "absent file": ("source: tabel.csv\ntarget: y\n", "table.csv"),
    "metric": ("source: table.csv\ntarget: y\nmetric: rmse\n", "does not fit"),
}


@pytest.mark.parametrize("what", CARDS)
def test_a_wrong_card_gets_one_line_that_names_the_mend(data: Path, what: str) -> None:
    text, told = CARDS[what]
    (data / "wrong.yaml").write_text(text)
    done = automl("run", "wrong.yaml", "--trials", "2", "--yes", "--json", cwd=data)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("automl-gpt: ") and told in line, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "iris", "--time", "soon", "--yes"], "is no duration"),
        (["run", "iris", "--time", "0s", "--yes"], "no time to train"),
        (["run", "iris", "--metric", "beauty", "--yes"], "metric 'beauty'"),
        (["run", "iris", "--controller", "oracle", "--yes"], "controller 'oracle'"),
        (["run", "irsi", "--yes"], "iris"),
        (["show", "nothing"], "no runs yet"),
        (["predict", "nothing", "table.csv"], "no runs yet"),
        (["export", "nothing", "--out", "new"], "no runs yet"),
        (["tool", "divine"], "there is no tool 'divine'"),
        (["cards", "show", "irsi"], "iris"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(data: Path, arguments: list[str], told: str) -> None:
    done = automl(*arguments, cwd=data)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_budget_too_small_for_any_trial_ends_with_3(data: Path) -> None:
    done = automl("run", "table.yaml", "--time", "0.1s", "--yes", "--json", cwd=data)
    assert done.returncode == 3
    assert "before any trial finished" in done.stderr


def test_a_read_only_home_is_told(data: Path) -> None:
    (data / "file").write_text("")
    environment = {**os.environ, "AUTOML_GPT_HOME": str(data / "file")}
    done = subprocess.run([*COMMAND, "runs"], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2 and "AUTOML_GPT_HOME" in done.stderr


def test_a_new_card_can_be_checked_and_run(data: Path) -> None:
    (data / "cards").mkdir()
    other = automl("cards", "new", "table.csv", "--target", "y", "--out", "cards/elsewhere.yaml", cwd=data)
    assert other.returncode == 0 and automl("cards", "check", "cards/elsewhere.yaml", cwd=data).returncode == 0
    made = automl("cards", "new", "table.csv", "--target", "y", "--out", "new.yaml", cwd=data)
    assert made.returncode == 0, made.stderr
    checked = automl("cards", "check", "new.yaml", cwd=data)
    assert checked.returncode == 0 and "is right" in checked.stderr
    assert automl("cards", "new", "table.csv", "--out", "new.yaml", cwd=data).returncode == 2


def test_every_tool_shows_its_arguments_and_can_be_called() -> None:
    listed = automl("tools").stdout
    assert "forecast_log" in listed
    assert "--card" in automl("tool", "profile_data", "--help").stdout
    profile = json.loads(automl("tool", "profile_data", "--card", "iris").stdout)
    assert profile["rows"] == 150
