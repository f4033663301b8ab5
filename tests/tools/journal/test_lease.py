from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from automl_gpt.cards.errors import StoreError, UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal import lease as leases
from automl_gpt.tools.journal.lease import acquire
from automl_gpt.tools.journal.store import open_journal
from automl_gpt.tools.journal.tables import tables

_HOLD = """
import sys, time
from pathlib import Path
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.lease import acquire
from automl_gpt.tools.journal.store import open_journal
url, folder, run = sys.argv[1:]
journal = open_journal(url, Path(folder))
print("ready", flush=True)
sys.stdin.readline()
try:
    acquire(journal, run)
    print("mine", flush=True)
except UserError as error:
    print(error, flush=True)
sys.stdin.readline()
"""


def change(journal, **values) -> None:
    with journal.database.writing() as connection:
        connection.execute(tables().leases.update().values(**values))


def lease_row(journal):
    with journal.database.reading() as connection:
        return connection.execute(tables().leases.select()).mappings().first()


def holder(store_url, journal, run) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _HOLD, store_url, str(journal.folder), run]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def try_now(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_run_is_driven_by_one_session_at_a_time(journal, make):
    run, other = journal.create(make.started()), journal.create(make.started())
    with acquire(journal, run) as lease, acquire(journal, other):
        told = rf"run {run} is being driven by another session \(pid {os.getpid()} on {socket.gethostname()}\), wait"
        with pytest.raises(UserError, match=told):
            acquire(journal, run)
        lease.renew()
        lease.check()
        journal.append(run, e.Warned(text="mine"))
    lease.release()
    acquire(journal, run).release()
    assert lease_row(journal) is None


def test_a_lease_of_an_unknown_run_is_refused(journal):
    with pytest.raises(UserError, match="there is no run 'x'"):
        acquire(journal, "x")


def test_of_sessions_that_race_for_a_run_one_wins(store_url, journal, make):
    run = journal.create(make.started())
    racers = [holder(store_url, journal, run) for _ in range(4)]
    for racer in racers:
        try_now(racer)
    answers = [answer(racer) for racer in racers]
    winner = racers[answers.index("mine")].pid
    told = f"run {run} is being driven by another session (pid {winner} on {socket.gethostname()}), wait or stop it"
    assert sorted(answers) == sorted(["mine", told, told, told])
    for racer in racers:
        stop(racer)


def test_the_lease_of_a_killed_session_is_taken_over_at_once_even_from_a_zombie(store_url, journal, make):
    run = journal.create(make.started())
    process = holder(store_url, journal, run)
    try_now(process)
    assert answer(process) == "mine"
    with pytest.raises(UserError, match=f"pid {process.pid}"):
        acquire(journal, run)
    assert journal.runs()[0].status == "running"
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert journal.runs()[0].status == "interrupted"
    acquire(journal, run).release()
    stop(process)


def test_a_sleeping_process_of_this_host_keeps_its_lease(journal, make):
    run = journal.create(make.started())
    with acquire(journal, run):
        change(journal, renewed=time.time() - 3600)
        with pytest.raises(UserError, match="is being driven"):
            acquire(journal, run)


def test_a_reused_pid_is_not_taken_for_the_session(journal, make):
    run = journal.create(make.started())
    acquire(journal, run)
    change(journal, created=time.time() - 1e6, renewed=time.time() - leases.EXPIRY_SECONDS - 1)
    acquire(journal, run).release()


@pytest.mark.parametrize("elsewhere", [{"host": "elsewhere"}, {"space": "pid:[1]"}])
def test_a_lease_of_another_host_or_container_is_taken_over_only_when_it_expired(journal, make, elsewhere):
    run = journal.create(make.started())
    acquire(journal, run)
    change(journal, pid=2**22 + 1, **elsewhere)
    with pytest.raises(UserError, match="is being driven by another session"):
        acquire(journal, run)
    with journal.database.reading() as connection:
        long_ago = journal.database.now(connection) - leases.EXPIRY_SECONDS - 1
    change(journal, renewed=long_ago)
    acquire(journal, run).release()


def test_a_session_whose_run_was_taken_over_can_write_no_more(store_url, journal, make):
    run = journal.create(make.started())
    lost = acquire(journal, run)
    change(journal, host="elsewhere", renewed=0.0)
    other = open_journal(store_url, journal.folder)
    with acquire(other, run):
        other.append(run, e.Warned(text="new"))
        for use in (lost.renew, lost.check, lambda: journal.append(run, e.Warned(text="old"))):
            with pytest.raises(UserError, match=f"run {run} was taken over by another session"):
                use()
        lost.release()
        assert lease_row(other)["run"] == run
    assert [s.event.kind for s in journal.events(run)] == ["run_started", "warned"]
    other.close()


def test_a_lease_is_renewed_while_its_session_lives(journal, make, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    run = journal.create(make.started())
    with acquire(journal, run) as lease:
        first = lease_row(journal)["renewed"]
        for _ in range(500):
            if lease_row(journal)["renewed"] > first:
                break
            time.sleep(0.01)
        assert lease_row(journal)["renewed"] > first and lease.lost is None


def test_a_lease_outlives_a_database_that_is_away_for_a_moment(journal, make, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    run = journal.create(make.started())
    tried = []

    def away(self) -> None:
        tried.append(1)
        raise StoreError("away")

    monkeypatch.setattr(leases.Lease, "renew", away)
    with acquire(journal, run) as lease:
        while len(tried) < 3:
            time.sleep(0.01)
        assert lease.lost is None
