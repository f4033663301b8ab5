from __future__ import annotations

import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console
from sklearn.datasets import load_breast_cancer

from automl_gpt.agent.chat import converse
from automl_gpt.agent.commands import COMMANDS, find
from automl_gpt.agent.commands.spending import budget_of
from automl_gpt.agent.completion import ChoiceCompleter, CommandCompleter
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.person import KeptHistory, Pipe, open_history
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.events import Budget
from tests.tools.corpus.pictures_made import class_folders

SCRIPT = str(Path(__file__).with_name("fake_session.py"))
FakeSession: Any = runpy.run_path(SCRIPT)["FakeSession"]
REAL = ("-m", "automl_gpt.agent.cli", "chat")
CONTROL_C, CONTROL_D, ESCAPE = "\x03", "\x04", "\x1b"


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "AUTOML_GPT_HOME": str(home), "TERM": "xterm-256color", **more}


# ------------------------------------------------------------------------------------------------------------ piped


@dataclass
class Done:
    """What a chat came to: its exit code and what it said."""

    returncode: int
    stderr: str


@pytest.fixture
def piped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Let a chat over a pretended session read some lines, in a folder and a home of its own."""
    monkeypatch.setenv("AUTOML_GPT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def talk(lines: str, *cards: str) -> Done:
        console = Console(file=io.StringIO(), width=80, highlight=False, _environ={})
        person = Pipe(io.StringIO(lines), lambda text: console.print(text, soft_wrap=True))
        code = converse(Conversation(FakeSession(0), console, person), cards)
        return Done(code, console.file.getvalue())  # type: ignore[attr-defined]

    return talk


def test_a_pipe_carries_out_every_line_and_the_approval_is_the_next_line(piped: Callable[..., Done]) -> None:
    done = piped("/data iris\n/budget 5 trials\n/go\nyes\n/compare 3\n/predict x.csv\n")
    assert "budget 10:00 min, 5 trials" in done.stderr
    assert "Train? [y]es / [e]dit / [n]o / [a]lways yes" in done.stderr
    assert "automl-gpt predict" not in done.stderr and "/predict FILE" in done.stderr
    assert "trial 3 · xgboost · finished" in done.stderr
    assert "x.csv: no such file" in done.stderr
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_the_end_of_a_pipe_is_a_no(piped: Callable[..., Done]) -> None:
    done = piped("/data iris\n/go\n")
    assert "(no answer)" in done.stderr and "not trained" in done.stderr
    assert done.returncode == 0


def test_a_card_can_come_line_by_line_through_a_pipe(piped: Callable[..., Done]) -> None:
    done = piped("name: mine\nsource: sklearn:iris\nmetric: accuracy\n\n/data\n")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"data +mine", done.stderr)) == 2


def test_a_wrong_card_gets_one_line(piped: Callable[..., Done]) -> None:
    done = piped("source: a.csv\ntarget: y\nfoo: 1\n/quit\n")
    assert re.search(r"^card:3: foo: .*$", done.stderr, re.MULTILINE), done.stderr
    assert "Traceback" not in done.stderr and done.returncode == 2


def test_a_guessed_target_is_told_where_nobody_can_be_asked(piped: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text("age,income,default\n1,2,0\n")
    done = piped("loans.csv\n/data loans.csv income\n/data loans.csv incom\n")
    assert "target default (guessed; /data FILE COLUMN names another)" in done.stderr
    assert re.search(r"target +income", done.stderr)
    assert "did you mean 'income'" in done.stderr


def test_a_folder_of_pictures_is_data_and_another_word_that_is_a_folder_is_not(
    piped: Callable[..., Done], tmp_path: Path
) -> None:
    class_folders(tmp_path / "pets", each=1)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.csv").write_text("age,default\n1,0\n")
    done = piped(f"pets\n./pets\n{tmp_path}/pets\n/data pets\nresults\n")
    assert len(re.findall(r"modality +image", done.stderr)) == 4, done.stderr
    assert "guessed" not in done.stderr and "Traceback" not in done.stderr


def test_a_real_pipe_that_is_not_utf8_gets_ascii_on_stderr_and_the_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "0", "iris"], input="/go\ny\n/compare 3\n/nonsense\n", capture_output=True, text=True,
        cwd=tmp_path, timeout=60, check=False,
        env=environment(tmp_path / "home", LC_ALL="C", PYTHONIOENCODING="ascii"),
    )  # fmt: skip
    assert done.stderr.isascii() and "[0.8600..0.9100]" in done.stderr
    assert "\\x" not in done.stderr and "\\u" not in done.stderr
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 2 and done.stdout == ""


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/nonsense", "there is no command /nonsense; /help lists them"),
        ("/trails", "there is no command /trails; did you mean /trials"),
        ("/re", "did you mean /report or /resume or /replay?"),
        ("/go", "there are no data yet: /data CARD or FILE names them"),
        ("/trials", "there is no run yet"),
        ("/show 3", "there is no run yet"),
        ("/compare x", "'x' is no number of a trial: /trials lists them"),
        ("/budget soon", "'soon' is no duration"),
        ("/budget 0 trials", "a budget of 0 trials trains nothing"),
        ("/metric speed", "metric 'speed' is no known metric"),
        ("/model gpt-9", "there is no model 'gpt-9'"),
        ("/data missing.csv", "missing.csv"),
        ("/data a b c", "/data takes one card or file"),
        ("/predict", "/predict FILE [OUT]"),
        ("/prompt dance", "there is no decision 'dance'; there are: assign, propose, predict, revise, finish"),
        ("/undo", "there is nothing to take back"),
        ("/resume nowhere", "there is no run 'nowhere'"),
        ("/data 'unclosed", "unclosed"),
        ("/data " + "a" * 5000, "aaa...: File name too long"),
        ("/" + "a" * 5000, "there is no command"),
    ],
)
def test_what_a_person_does_wrong_gets_one_line_and_ends_nothing(
    piped: Callable[..., Done], line: str, answer: str
) -> None:
    done = piped(f"{line}\n/quit\n")
    said = done.stderr.splitlines()
    assert answer in said[2], done.stderr
    assert said[3] == "you> /quit" and done.returncode == 2


def test_words_that_are_not_understood_get_an_honest_answer(piped: Callable[..., Done]) -> None:
    done = piped("what a lovely day\n")
    assert "no language model" in done.stderr and "10 minutes; 30 trials" in done.stderr
    assert done.returncode == 0


def test_plain_words_change_the_request_and_undo_takes_it_back(piped: Callable[..., Done]) -> None:
    done = piped("use accuracy and 5 minutes\n/metric\n/undo\n/budget\n/undo\n/metric\n")
    assert "understood: metric accuracy; budget in seconds 300" in done.stderr
    assert "took back the change of budget" in done.stderr
    assert re.search(r"metric +accuracy", done.stderr)
    assert "budget 10:00 min" in done.stderr
    assert re.search(r"metric +the card's", done.stderr)


def test_the_prompt_paragraph_is_shown_and_its_foreign_words_are_harmless(piped: Callable[..., Done]) -> None:
    done = piped("/data iris\n/prompt predict\n")
    assert "PARAGRAPH for predict_log" in done.stderr
    assert "  hyperparameters: [red]pa?[31mid" in done.stderr


def test_a_card_on_the_command_line_is_read_first(piped: Callable[..., Done]) -> None:
    done = piped("/data\n", "iris")
    assert len(re.findall(r"source +sklearn:iris", done.stderr)) == 2


# ------------------------------------------------------------------------------------------------------- a terminal


class Terminal:
    """A chat in a terminal of its own; `shown` is what a person sees."""

    def __init__(self, home: Path, width: int, *arguments: str, **more: str) -> None:
        self.screen = pyte.Screen(width, 30)
        self.stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child = pexpect.spawn(
            sys.executable, [*arguments], env=environment(home, **more), dimensions=(30, width),
            encoding="utf-8", codec_errors="replace", timeout=30, cwd=str(home),
        )  # fmt: skip
        self.screen.write_process_input = self.child.send  # it answers where the cursor is, as terminals do
        self.expect("you>")

    def expect(self, text: str) -> None:
        """Wait until the text stands on the screen."""
        for _ in range(600):
            if text in self.shown():
                return
            try:
                chunk = self.child.read_nonblocking(65536, timeout=0.05)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
            self.raw += chunk
            self.stream.feed(chunk)
        raise AssertionError(f"{text!r} never came; the screen shows:\n{self.shown()}")

    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, text: str, then: str) -> None:
        self.child.send(text)
        self.expect(then)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    opened = Terminal(home, 80, SCRIPT, "0.03")
    yield opened
    opened.child.close(force=True)


def test_tab_completes_a_command_and_a_card(terminal: Terminal) -> None:
    terminal.type("/tri\t", "you> /trials")
    terminal.type("\x15/data bre\t", "/data breast_cancer")


def test_ctrl_c_stops_the_training_and_not_the_chat_and_go_goes_on(terminal: Terminal) -> None:
    terminal.type("/data iris\r", "/go trains")
    terminal.type("/go\r", "[a]lways")
    terminal.type("y\r", "running")
    terminal.type(CONTROL_C, "stopped; /go goes on")
    terminal.type("/why 1\r", "reason 1")
    terminal.type("\x0c/go\r", "baseline 0.5000")
    terminal.expect("predict      /predict FILE")
    terminal.type("/quit\r", "/quit")
    terminal.child.expect(pexpect.EOF)
    terminal.child.wait()
    assert terminal.child.exitstatus == 0


def test_ctrl_c_at_the_empty_prompt_only_hints_and_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.type(CONTROL_C, "Ctrl-D or /quit leaves")
    terminal.child.send(CONTROL_D)
    terminal.child.expect(pexpect.EOF)
    terminal.child.wait()
    assert terminal.child.exitstatus == 0


def test_a_pasted_card_of_several_lines_is_enough_to_start(terminal: Terminal) -> None:
    card = "name: pasted\nsource: sklearn:iris\nmetric: accuracy"
    terminal.child.send(f"{ESCAPE}[200~{card}{ESCAPE}[201~")
    terminal.type("\r", "/go trains")
    assert re.search(r"data +pasted", terminal.shown())


def test_a_file_without_a_target_leads_to_a_question_with_a_guess(terminal: Terminal, home: Path) -> None:
    (home / "my loans.csv").write_text("age,income,default\n1,2,0\n")
    terminal.type("'my loans.csv'\r", "column to predict [default]:")
    terminal.type("nope\r", "there is no column 'nope'")
    terminal.type("inc\t", "income")
    terminal.type("\r", "/go trains")
    assert re.search(r"target +income", terminal.shown())


def test_the_toolbar_tells_the_data_and_the_budget(terminal: Terminal) -> None:
    terminal.type("/data iris\r", "iris | metric auto | budget 10:00 min")


def test_in_60_columns_without_colour_nothing_is_coloured_or_too_wide(home: Path) -> None:
    opened = Terminal(home, 60, SCRIPT, "0.01", NO_COLOR="1")
    opened.type("/data iris\r", "/go trains")
    opened.type("/go\r", "[a]lways")
    opened.type("y\r", "predict      /predict FILE")
    opened.child.close(force=True)
    codes = [int(c) for found in re.findall(r"\x1b\[([0-9;]*)m", opened.raw) for c in found.split(";") if c]
    assert not {code for code in codes if 30 <= code <= 49 or 90 <= code <= 107} - {39, 49}
    assert any(
        re.match(r"3 xgboost +0\.890 \[0\.860–0\.910\] 0\.9464 \+0\.056  1\.6 s", line)
        for line in opened.screen.display
    )


def test_the_history_is_kept_for_the_next_time(home: Path) -> None:
    for then in ("/budget 7m", ""):
        opened = Terminal(home, 80, SCRIPT, "0")
        if then:
            opened.type(f"{then}\r", "budget 7:00 min")
        else:
            opened.type(f"{ESCAPE}[A", "you> /budget 7m")
        opened.child.close(force=True)
    assert oct((home / "history").stat().st_mode & 0o777) == "0o600"


def test_with_the_real_session_a_csv_becomes_predictions_though_ctrl_c_came_between(home: Path) -> None:
    table = load_breast_cancer(as_frame=True).frame
    table.to_csv(home / "cells.csv", index=False)
    table.drop(columns="target").head(20).to_csv(home / "new.csv", index=False)
    opened = Terminal(home, 80, *REAL)
    opened.type("cells.csv\r", "column to predict [target]")
    opened.type("\r", "/go trains")
    opened.type("60 seconds, only xgboost and lightgbm\r", "understood: budget in seconds 60; models xgboost, lightgbm")
    opened.type("/go\r", "[a]lways")
    opened.type("y\r", "finished")
    opened.type(CONTROL_C, "stopped; /go goes on")
    opened.type("/budget 1 trials\r", "budget 60 s, 1 trial,")
    opened.type("/go\r", "predict      /predict FILE")
    opened.type("predict new.csv into out.csv\r", "20 rows predicted")
    opened.child.send(CONTROL_D)
    opened.child.expect(pexpect.EOF)
    assert "prediction" in (home / "out.csv").read_text().splitlines()[0]


# ------------------------------------------------------------------------------------------------------------ pieces


def test_the_chat_has_the_promised_commands_and_help_tells_each() -> None:
    promised = "help data models prompt plan go trials show compare budget metric model undo resume runs report predict"
    later = "finish why quit cost controller limit replay"
    assert {command.name for command in COMMANDS} == set(f"{promised} {later}".split())
    assert all(command.help for command in COMMANDS)


def test_a_command_is_found_by_an_unmistakable_beginning() -> None:
    assert find("tri").name == "trials" and find("exit").name == "quit"
    with pytest.raises(UserError, match="/model"):
        find("mo")


def test_completion_offers_commands_words_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_GPT_HOME", str(tmp_path))
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mine.yaml").write_text("not even a card")
    (tmp_path / "rows.csv").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    completer = CommandCompleter(FakeSession(0))

    def offered(text: str) -> list[str]:
        return [c.text for c in completer.get_completions(Document(text), CompleteEvent())]

    assert offered("/p") == ["/plan", "/prompt", "/predict"] or set(offered("/p")) == {"/plan", "/prompt", "/predict"}
    assert "iris" in offered("/data ") and "mine" in offered("/data mi")
    assert offered("/predict ro") == ["ws.csv"]
    assert offered("/metric roc") == ["roc_auc"]
    assert offered("/model lightgbm x") == ["xgboost"]
    assert offered("/budget 30") == ["30 trials"]
    assert offered("try xg") == [] and offered("/unknown x") == []


def test_choices_are_completed_whatever_the_case() -> None:
    found = ChoiceCompleter(["Income", "age"]).get_completions(Document("inc"), CompleteEvent())
    assert [c.text for c in found] == ["Income"]


@pytest.mark.parametrize(
    ("text", "seconds", "trials"),
    [
        ("10m", 600, None), ("90", 90, None), ("1h30m", 5400, None), ("30 trials", 42, 30), ("10m 30 trials", 600, 30),
        ("10 minutes and 30 trials", 600, 30), ("none", None, None), ("half an hour", 1800, None), ("1 trial", 42, 1),
    ],
)  # fmt: skip
def test_a_budget_is_read_from_words(text: str, seconds: float | None, trials: int | None) -> None:
    assert budget_of(text, Budget(seconds=42)) == Budget(seconds=seconds, trials=trials)


def test_tokens_and_money_are_part_of_a_budget_too() -> None:
    assert budget_of("10m, 20,000 tokens and 0.50 USD", Budget()) == Budget(seconds=600, tokens=20_000, cost_usd=0.5)
    assert budget_of("$2", Budget(seconds=42, tokens=7)) == Budget(seconds=42, tokens=7, cost_usd=2)
    assert budget_of("none", Budget(seconds=42, tokens=7, cost_usd=2)) == Budget(seconds=None)


@pytest.mark.parametrize(
    "text", ["0 tokens", "-1 USD", "0", "0m", "-5m", "-3 trials", "0 trials", "soon", "9" * 60, "10 parsecs", "1e9h"]
)
def test_an_impossible_budget_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as raised:
        budget_of(text, Budget())
    assert "\n" not in str(raised.value)


def test_a_history_that_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert not isinstance(open_history(blocked / "history"), KeptHistory)
    history = KeptHistory(str(tmp_path))
    history.append_string("said")
    assert history.problem
    assert history.get_strings() == ["said"]
