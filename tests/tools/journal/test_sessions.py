"""Several processes at one journal, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import open_journal

_OPEN = """
import sys
from pathlib import Path
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import open_journal
url, folder, run, name = sys.argv[1:]
journal = open_journal(url, Path(folder))
"""
_APPEND = _OPEN + "for i in range(60): journal.append(run, e.Warned(text=f'{name}{i}'))"
_BURST = (
    _OPEN
    + """
print("ready", flush=True)
for i in range(10**9):
    journal.append(run, *(e.Warned(text=f"{i} {part}") for part in range(3)))
"""
)
_CREATE = (
    _OPEN
    + """
start = journal.events(run)[0].event if run else e.RunStarted.model_validate_json(name)
for _ in range(5): print(journal.create(start))
"""
)


def session(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> str:
    out, problems = process.communicate(timeout=60)
    assert process.returncode == 0, problems
    return out


def test_two_sessions_append_to_different_runs_and_to_one(store_url, journal, make):
    one, two = journal.create(make.started()), journal.create(make.started())
    sessions = [session(_APPEND, store_url, journal.folder, run, name) for run, name in ((one, "a"), (two, "b"))]
    sessions.append(session(_APPEND, store_url, journal.folder, one, "c"))
    for process in sessions:
        end(process)
    assert [s.seq for s in journal.events(one)] == list(range(1, 122))
    assert [s.event.text for s in journal.events(two)[1:]] == [f"b{i}" for i in range(60)]
    assert [s.event.text for s in journal.events(one)[1:] if s.event.text[0] == "c"] == [f"c{i}" for i in range(60)]


def test_sessions_that_open_a_new_journal_at_once_make_its_tables_once(store_url, tmp_path, make):
    start = make.started().model_dump_json()
    sessions = [session(_CREATE, store_url, tmp_path / "home", "", start) for _ in range(3)]
    names = [name for process in sessions for name in end(process).split()]
    journal = open_journal(store_url, tmp_path / "home")
    assert len(set(names)) == 15 and {s.run for s in journal.runs()} == set(names)
    journal.close()


def test_kill_9_in_a_burst_of_appends_leaves_no_gap_and_no_half_append(store_url, journal, make):
    run = journal.create(make.started())
    for pause in (0.03, 0.11):
        before = len(journal.events(run))
        process = session(_BURST, store_url, journal.folder, run, "")
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        while len(journal.events(run)) == before:
            time.sleep(0.005)
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        stored = journal.events(run)
        assert [s.seq for s in stored] == list(range(1, len(stored) + 1))
        texts = [s.event.text for s in stored[before:]]
        assert texts and texts == [f"{i} {part}" for i in range(len(texts) // 3) for part in range(3)]
    journal.append(run, e.Warned(text="goes on"))
    assert journal.events(run)[-1].seq == len(stored) + 1
    journal.rebuild()
