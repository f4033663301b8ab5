from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import inspect

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.data.report import MetaFeatures
from automl_gpt.tools.experience.distance import signature
from automl_gpt.tools.journal import migrate, past
from automl_gpt.tools.journal.derive import as_text
from automl_gpt.tools.journal.store import open_journal
from automl_gpt.tools.journal.tables import tables

_VERSION_1 = """
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (run TEXT NOT NULL, seq INTEGER NOT NULL, time DOUBLE PRECISION NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (run, seq));
CREATE TABLE runs (run TEXT NOT NULL PRIMARY KEY, events INTEGER NOT NULL, started DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION, name TEXT NOT NULL, status TEXT NOT NULL, controller TEXT NOT NULL, fingerprint TEXT,
    task TEXT, metric TEXT, direction TEXT, model TEXT, hyperparameters TEXT NOT NULL, baseline DOUBLE PRECISION,
    best DOUBLE PRECISION, valid DOUBLE PRECISION, test DOUBLE PRECISION, trials INTEGER NOT NULL,
    seconds DOUBLE PRECISION NOT NULL, forecast_mae DOUBLE PRECISION, forecast_coverage DOUBLE PRECISION,
    forecast_rank_correlation DOUBLE PRECISION, artifact TEXT);
CREATE INDEX runs_by_start ON runs (started);
CREATE TABLE trials (run TEXT NOT NULL, trial INTEGER NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL, task TEXT,
    metric TEXT, hyperparameters TEXT NOT NULL, predicted DOUBLE PRECISION, low DOUBLE PRECISION, high DOUBLE PRECISION,
    error DOUBLE PRECISION, covered BOOLEAN, value DOUBLE PRECISION, seconds DOUBLE PRECISION, scored DOUBLE PRECISION,
    PRIMARY KEY (run, trial));
CREATE INDEX trials_as_experience ON trials (task, metric, scored);
CREATE TABLE datasets (fingerprint TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, task TEXT NOT NULL,
    meta TEXT NOT NULL, profiled DOUBLE PRECISION NOT NULL);
CREATE TABLE leases (run TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, host TEXT NOT NULL, space TEXT NOT NULL,
    pid INTEGER NOT NULL, created DOUBLE PRECISION NOT NULL, renewed DOUBLE PRECISION NOT NULL);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO datasets VALUES ('f1', 'flowers', 'binary', '{}', 5.0);
"""
_VERSION_2 = f"""{_VERSION_1}
ALTER TABLE trials ADD COLUMN megabytes DOUBLE PRECISION;
ALTER TABLE trials ADD COLUMN complete BOOLEAN;
ALTER TABLE datasets ADD COLUMN looks INTEGER DEFAULT '0' NOT NULL;
UPDATE meta SET value = '2';
"""
_VERSION_3 = f"""{_VERSION_2}
ALTER TABLE runs ADD COLUMN tokens_in BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN tokens_out BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN cost_usd DOUBLE PRECISION;
ALTER TABLE datasets ADD COLUMN about TEXT DEFAULT '' NOT NULL;
UPDATE meta SET value = '3';
"""


def old_rows(make) -> list[tuple]:
    events = [make.started(), *make.story()]
    return [("old-2222", i, 1000.0 + i, event.kind, as_text(event.model_dump())) for i, event in enumerate(events, 1)]


@pytest.fixture(params=[_VERSION_1, _VERSION_2, _VERSION_3], ids=["version 1", "version 2", "version 3"])
def old_url(request, store_url, tmp_path, make) -> str:
    """A journal as an old version would have left it, with one run of which the derived tables know nothing yet."""
    stored = old_rows(make)
    if store_url.startswith("sqlite"):
        (tmp_path / "home").mkdir()
        with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as connection, connection:
            connection.executescript(request.param.replace("DOUBLE PRECISION", "DOUBLE"))
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", stored)
    else:
        with psycopg.connect(store_url) as connection:
            connection.execute(request.param)
            connection.cursor().executemany("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", stored)
    return store_url


def columns(journal) -> dict[str, list[tuple[str, str]]]:
    with journal.database.reading() as connection:
        look = inspect(connection)
        named = {name: look.get_columns(name) for name in look.get_table_names()}
        shape = {name: sorted((c["name"], str(c["type"]), c["nullable"]) for c in cs) for name, cs in named.items()}
        return shape | {f"{n} indexes": sorted(i["name"] for i in look.get_indexes(n)) for n in named}


def test_an_old_version_becomes_what_this_one_makes_and_is_filled_from_the_events(old_url, tmp_path, make, request):
    journal = open_journal(old_url, tmp_path / "home")
    assert [s.seq for s in journal.events("old-2222")] == list(range(1, len(make.story()) + 2))
    [summary] = journal.runs()
    assert (summary.run, summary.valid, summary.status, journal.looks("f1")) == ("old-2222", 0.91, "finished", 1)
    assert (summary.usage.tokens_in, summary.usage.tokens_out, summary.usage.cost_usd) == (30, 5, 0.002)
    with journal.database.reading() as connection:
        [one] = past.sets_of(connection, [("f1", "accuracy")])
        best = past.ranked(connection, ("f1", "accuracy"), 1, 0)
        found = list(past.trials_by_id(connection, [best[0].id]).values())
    assert one.about == "flowers\ntarget: kind\ninputs: a" and one.card == "flowers\n"
    assert [(t.model, t.value, t.curve) for t in found] == [("trees", 0.9, ((1, 0.5), (2, 0.9)))]
    trials = tables().trials
    with journal.database.reading() as connection:
        filled = connection.execute(trials.select().order_by(trials.c.trial)).mappings().all()
    assert [(t["trial"], t["megabytes"], t["complete"]) for t in filled[:4]] == [
        (1, 64.0, True), (2, 64.0, True), (3, 64.0, True), (4, None, None),
    ]  # fmt: skip
    sqlite = old_url.startswith("sqlite")
    fresh_url = f"sqlite:///{tmp_path}/fresh.db" if sqlite else request.getfixturevalue("new_database")()
    fresh = open_journal(fresh_url, tmp_path / "home")
    assert columns(journal) == columns(fresh)
    fresh.close()
    journal.close()
    again = open_journal(old_url, tmp_path / "home")
    assert again.create(make.started()) and len(again.runs()) == 2
    again.close()


def test_data_sets_of_version_4_are_signed_anew(journal, store_url):
    meta, one = MetaFeatures(rows=90, columns=3, numeric=3, categorical=0, classes=3, class_entropy=1.5), "f1"
    with journal.database.writing() as connection:
        past.keep_set(connection, past.PastSet(one, "accuracy", "multiclass", one, "", "", meta, 0.3, 0.9))
        connection.execute(tables().past_sets.update().values(signature=b"of version 4"))
        connection.execute(tables().meta.update().values(value="4"))
    journal.close()
    again = open_journal(store_url, journal.folder)
    with again.database.reading() as connection:
        assert past.signatures(connection, ["multiclass"], "accuracy", "tabular")[1] == [signature(meta, "")]
    again.close()


def test_the_old_file_is_copied_aside_with_what_its_log_still_holds(tmp_path, make):
    file = tmp_path / "journal.db"
    with closing(sqlite3.connect(file)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        with old:
            old.executescript(_VERSION_1.replace("DOUBLE PRECISION", "DOUBLE"))
            old.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", old_rows(make))
        open_journal(folder=tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.db.v1.bak")) as copy:
        assert copy.execute("SELECT value FROM meta").fetchall() == [("1",)]
        assert copy.execute("SELECT count(*) FROM events").fetchone() == (len(make.story()) + 1,)
        assert "looks" not in [row[1] for row in copy.execute("PRAGMA table_info(datasets)")]
    assert not list(tmp_path.glob("*.part"))


def test_an_upgrade_that_fails_leaves_the_old_version_whole(old_url, tmp_path, monkeypatch):
    def fail(connection) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as broken:
        broken.setattr(migrate, "rebuild", fail)
        with pytest.raises(RuntimeError, match="killed here"):
            open_journal(old_url, tmp_path / "home")
    journal = open_journal(old_url, tmp_path / "home")
    assert journal.runs()[0].run == "old-2222" and journal.looks("f1") == 1
    journal.close()


def test_a_journal_of_a_newer_version_is_left_alone(journal, store_url):
    meta = tables().meta
    with journal.database.writing() as connection:
        connection.execute(meta.update().values(value="6"))
    with pytest.raises(StoreError, match=r"has version 6, this automl-gpt knows 5: upgrade automl-gpt") as told:
        open_journal(store_url, journal.folder)
    assert "\n" not in str(told.value) and "not-for-eyes" not in str(told.value)


def test_a_database_of_something_else_is_left_alone(tmp_path):
    for number, script in enumerate(
        ("CREATE TABLE songs (a)", "CREATE TABLE meta (key, value)", "CREATE TABLE meta (a)")
    ):
        file = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(file)) as other:
            other.execute(script)
        before = file.read_bytes()
        with pytest.raises(StoreError):
            open_journal(f"sqlite:///{file}", tmp_path)
        assert file.read_bytes() == before


def test_tables_that_only_share_a_postgresql_database_do_no_harm(postgres_url, tmp_path):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE songs (a int)")
    open_journal(postgres_url, tmp_path).close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP TABLE meta")
    with pytest.raises(StoreError, match="holds other tables"):
        open_journal(postgres_url, tmp_path)


def test_opening_is_quick_to_see_that_nothing_is_to_do(sqlite_journal, monkeypatch):
    monkeypatch.setattr(migrate, "_create_or_upgrade", None)
    open_journal(folder=sqlite_journal.folder).close()
