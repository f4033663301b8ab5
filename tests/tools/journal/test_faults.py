"""What a person reads when the journal can't be used: one line, and nothing is damaged."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.journal import database
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.cleaning import clean
from automl_gpt.tools.journal.store import open_journal
from automl_gpt.tools.journal.tables import tables


def line(told: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(told.value)
    assert "\n" not in text and "not-for-eyes" not in text
    return text


def test_a_journal_that_stays_locked_is_told_and_goes_on_later(tmp_path, make, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    journal = open_journal(folder=tmp_path)
    run = journal.create(make.started())
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as told:
            journal.append(run, e.Warned(text="a"))
        assert "journal.db has been locked by another process for too long" in line(told)
        assert len(journal.events(run)) == 1
        other.execute("ROLLBACK")
    journal.append(run, e.Warned(text="b"))
    assert [s.seq for s in journal.events(run)] == [1, 2]
    journal.close()


def test_a_row_that_stays_locked_on_a_server_is_told(postgres_url, tmp_path, make, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    journal = open_journal(postgres_url, tmp_path)
    run = journal.create(make.started())
    with journal.database.writing() as connection:
        connection.execute(tables().runs.select().with_for_update())
        with pytest.raises(StoreError) as told:
            journal.append(run, e.Warned(text="a"))
    assert "locked by another session" in line(told) and "automl:***@127.0.0.1" in line(told)
    journal.close()


def test_a_full_disk_is_told_and_what_was_written_stays(sqlite_journal, make):
    run = sqlite_journal.create(make.started())
    sqlite_journal.append(run, *make.story())
    before = sqlite_journal.events(run)
    sqlite_journal.close()

    @event.listens_for(sqlite_journal.database.engine, "connect")
    def fill(connection, _record) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 1}")

    with pytest.raises(StoreError) as told:
        for _ in range(10):
            sqlite_journal.append(run, e.Warned(text="small"), e.Warned(text="x" * 9000))
    assert "can't grow because the disk is full" in line(told)
    after = sqlite_journal.events(run)
    assert repr(after[: len(before)]) == repr(before) and (len(after) - len(before)) % 2 == 0
    with closing(sqlite3.connect(sqlite_journal.database.file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("damage", ["random", "truncated", "header"])
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path, make, damage):
    journal = open_journal(folder=tmp_path)
    for _ in range(30):
        journal.append(journal.create(make.started()), *make.story())
    journal.close()
    file, chance = tmp_path / "journal.db", random.Random(3)
    whole = file.read_bytes()
    broken = {
        "random": whole[:4096] + chance.randbytes(len(whole) - 4096),
        "truncated": whole[: len(whole) // 3],
        "header": chance.randbytes(4096) + whole[4096:],
    }[damage]
    file.write_bytes(broken)
    with pytest.raises(StoreError) as told:
        opened = open_journal(folder=tmp_path)
        for summary in opened.runs():
            opened.events(summary.run)
        opened.append(opened.create(make.started()), *make.story())
        opened.rebuild()
    assert "is damaged" in line(told) and str(file) in line(told)
    assert file.read_bytes() == broken


def test_an_event_that_is_none_of_ours_is_told(journal, make):
    run = journal.create(make.started())
    journal.append(run, e.Warned(text="a"))
    with journal.database.writing() as connection:
        connection.execute(tables().events.update().where(tables().events.c.seq == 2).values(body='{"kind": "dreamt"}'))
    with pytest.raises(StoreError) as told:
        journal.state(run)
    assert f"event 2 of run {run} can't be read" in line(told) and "upgrade" in line(told)


def test_a_home_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError) as told:
            open_journal(folder=folder)
        assert "is no folder: set AUTOML_GPT_HOME" in line(told)
    (tmp_path / "home" / "journal.db").mkdir(parents=True)
    with pytest.raises(StoreError) as told:
        open_journal(folder=tmp_path / "home")
    assert "can't be opened" in line(told) and (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as pytest's own may not be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(script: str, folder: Path) -> str:
    """Run a script as a user whom permissions bind, and return the one line that it prints."""
    whole = (
        "import sys, sqlalchemy.dialects.sqlite\nfrom pathlib import Path\n"
        "from automl_gpt.cards.errors import StoreError\n"
        "from automl_gpt.tools.journal.store import open_journal\nfrom automl_gpt.tools.journal import events as e\n"
        "import os\nif os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\nfolder = Path(sys.argv[1])\n"
        f"try:\n    {script}\nexcept StoreError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", whole, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [text] = done.stdout.splitlines()
    return text


def test_a_read_only_home_is_told(open_folder, make):
    home = open_folder / "home"
    open_folder.chmod(0o555)
    told = as_nobody("open_journal(folder=folder)", home)
    assert told.startswith(f"the folder {home} can't be made (Permission denied): set AUTOML_GPT_HOME")
    open_folder.chmod(0o755)
    home.mkdir()
    home.chmod(0o555)
    assert "journal.db can't be opened: check that its folder exists" in as_nobody("open_journal(folder=folder)", home)
    home.chmod(0o755)


def test_a_read_only_file_is_told(open_folder, make):
    journal = open_journal(folder=open_folder)
    run = journal.create(make.started())
    for file in open_folder.glob("journal.db*"):
        file.chmod(0o444)
    open_folder.chmod(0o555)
    told = as_nobody(f"open_journal(folder=folder).append({run!r}, e.Warned(text=''))", open_folder)
    assert "is read-only: make it writable" in told
    open_folder.chmod(0o755)
    journal.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("oracle://u:not-for-eyes@h/d", "a journal can't be kept in 'oracle'"),
        ("postgresql+nodriver://u:not-for-eyes@h/d", "there is no driver 'postgresql+nodriver'"),
        ("postgresql+asyncpg://u:not-for-eyes@h/d", "there is no driver 'postgresql+asyncpg'"),
        ("postgresql+psycopg2://u:not-for-eyes@h/d", "there is no driver 'postgresql+psycopg2'"),
        ("postgres:not-for-eyes", "is no address of a database"),
        ("journal.db", "is no address of a database"),
        ("postgresql://u:not-for-eyes@h:port/d", "is no address of a database"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("postgresql://u:not-for-eyes@127.0.0.1:1/d", r"postgresql+psycopg://u:***@127.0.0.1:1/d can't be used"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(url, told, tmp_path):
    with pytest.raises(StoreError) as error:
        open_journal(url, tmp_path)
    assert told in line(error)


def test_a_server_that_refuses_is_told(postgres_url, tmp_path):
    for url, told in (
        (postgres_url.replace("not-for-eyes", "wrong-secret"), "password authentication failed"),
        (postgres_url + "x", "does not exist"),
    ):
        with pytest.raises(StoreError) as error:
            open_journal(url, tmp_path)
        assert told in line(error) and "wrong-secret" not in line(error)


def test_cleaning_a_folder_that_refuses_is_told(sqlite_journal, make, monkeypatch):
    run = sqlite_journal.create(make.started())
    sqlite_journal.append(run, make.finished())
    (sqlite_journal.run_folder(run) / "model").mkdir()
    (sqlite_journal.run_folder(run) / "data").mkdir()

    def refuse(self, target) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError) as told:
        clean(sqlite_journal)
    assert "can't be cleaned: Permission denied" in line(told)
    assert (sqlite_journal.run_folder(run) / "data").is_dir()
