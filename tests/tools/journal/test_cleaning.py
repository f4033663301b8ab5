from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl_gpt.tools.journal import cleaning
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.cleaning import Cleaned, clean, dispensable
from automl_gpt.tools.journal.lease import acquire


def fill(folder: Path) -> None:
    for name in ("data/train.arrow", "data/test.arrow", "data/prepared.json", "trials/0001/m", "trials/0002/a/m"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * 100)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "weights").write_bytes(b"keep")
    (folder / "report.html").write_bytes(b"keep")


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.fixture
def finished_run(sqlite_journal, make) -> str:
    run = sqlite_journal.create(make.started())
    sqlite_journal.append(run, *make.story())
    fill(sqlite_journal.run_folder(run))
    return run


KEPT = ["model/weights", "report.html"]


def test_cleaning_keeps_model_report_and_journal(sqlite_journal, finished_run):
    folder = sqlite_journal.run_folder(finished_run)
    before = sqlite_journal.runs(), repr(sqlite_journal.events(finished_run))
    [item] = dispensable(sqlite_journal)
    assert (item.run, item.size) == (finished_run, 500)
    assert clean(sqlite_journal) == Cleaned(500, (finished_run,))
    assert files(folder) == KEPT and sorted(p.name for p in folder.iterdir()) == ["model", "report.html", "trials"]
    assert (sqlite_journal.runs(), repr(sqlite_journal.events(finished_run))) == before
    assert clean(sqlite_journal) == Cleaned(0, ())


def test_runs_that_can_be_resumed_or_are_driven_or_kept_are_left_alone(sqlite_journal, finished_run, make):
    resumable = sqlite_journal.create(make.started())
    sqlite_journal.append(resumable, make.profiled(), e.Interrupted(reason="Ctrl-C"))
    killed = sqlite_journal.create(make.started())
    for run in (resumable, killed):
        fill(sqlite_journal.run_folder(run))
    before = {run: files(sqlite_journal.run_folder(run)) for run in (resumable, killed, finished_run)}
    assert clean(sqlite_journal, keep=lambda summary: summary.run == finished_run) == Cleaned(0, ())
    with acquire(sqlite_journal, finished_run):
        assert clean(sqlite_journal) == Cleaned(0, ())
    assert {run: files(sqlite_journal.run_folder(run)) for run in before} == before
    assert clean(sqlite_journal).runs == (finished_run,)


def test_trials_that_the_model_links_to_stay(sqlite_journal, finished_run):
    folder = sqlite_journal.run_folder(finished_run)
    (folder / "model" / "member").symlink_to(folder / "trials" / "0002" / "a")
    clean(sqlite_journal)
    assert files(folder) == [*KEPT, "trials/0002/a/m"]


def test_a_model_that_is_a_trial_itself_stays(sqlite_journal, make):
    run = sqlite_journal.create(make.started())
    sqlite_journal.append(run, make.finished(artifact="trials/0001"))
    folder = sqlite_journal.run_folder(run)
    fill(folder)
    clean(sqlite_journal)
    assert files(folder) == [*KEPT, "trials/0001/m"]


def test_nothing_goes_while_the_delivered_model_is_not_there(sqlite_journal, finished_run):
    folder = sqlite_journal.run_folder(finished_run)
    shutil.rmtree(folder / "model")
    before = files(folder)
    assert clean(sqlite_journal) == Cleaned(0, ()) and files(folder) == before


def test_a_run_that_delivered_nothing_is_cleaned_whole(sqlite_journal, make):
    run = sqlite_journal.create(make.started())
    sqlite_journal.append(run, make.finished("no_trials", artifact=None))
    folder = sqlite_journal.run_folder(run)
    fill(folder)
    shutil.rmtree(folder / "model")
    assert clean(sqlite_journal).freed == 500 and files(folder) == ["report.html"]


def test_links_are_removed_and_not_followed(sqlite_journal, finished_run, tmp_path):
    folder, outside = sqlite_journal.run_folder(finished_run), tmp_path / "outside"
    shutil.move(folder / "data", outside)
    (folder / "data").symlink_to(outside)
    (folder / "trials" / "0001" / "link").symlink_to(outside)
    clean(sqlite_journal)
    assert files(folder) == KEPT and len(files(outside)) == 3


def test_a_cleaning_that_was_killed_is_finished_by_the_next(sqlite_journal, finished_run, monkeypatch):
    folder = sqlite_journal.run_folder(finished_run)

    def killed(path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cleaning.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            clean(sqlite_journal)
    assert not (folder / "data").exists() and len(files(folder)) == 7
    fill(folder)
    assert clean(sqlite_journal).freed == 1000 and files(folder) == KEPT


def test_cleaning_works_where_the_journal_can_not_grow(sqlite_journal, finished_run, monkeypatch):
    monkeypatch.setattr(type(sqlite_journal.database), "writing", None)
    assert clean(sqlite_journal).freed == 500


def test_a_folder_that_another_cleaning_just_took_is_no_fault(sqlite_journal, finished_run, monkeypatch):
    folder, rename = sqlite_journal.run_folder(finished_run), Path.rename

    def take(self, target) -> Path:
        shutil.rmtree(folder / ".cleaned")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", take)
        clean(sqlite_journal)
    assert clean(sqlite_journal).freed == 500 and files(folder) == KEPT
