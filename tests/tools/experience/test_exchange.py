"""Experience leaves a store without any value of the data, and enters another one: damaged, doubled or strange."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.experience.exchange import export_file, import_file
from automl_gpt.tools.experience.record import thinned, trial_id
from automl_gpt.tools.journal import past

META = {"rows": 120, "columns": 4, "numeric": 3, "categorical": 1, "classes": 2, "landmark": 0.25}
DATA = {"kind": "data", "data": "f1", "name": "loans", "about": "Loans of a bank.", "task": "binary", "meta": META}
HEADER = {"format": "automl-gpt experience", "version": 1}


def trial(**changes: object) -> dict[str, object]:
    told = {
        "kind": "trial", "data": "f1", "model": "trees", "hyperparameters": {"depth": 2.0}, "metric": "accuracy",
        "direction": "maximize", "value": 0.8, "baseline": 0.5, "best": 0.9, "seconds": 1.0,
        "log": [[1, 0.6], [2, 0.8]],
    }  # fmt: skip
    return told | changes


def write(file: Path, *lines: object) -> Path:
    file.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines) + "\n", "utf-8")
    return file


def cards(make) -> dict:
    return {card.name: card for card in make.started().model_cards}


def stored(journal) -> list[past.PastTrial]:
    with journal.database.reading() as connection:
        found = [
            one.id for metric in ("accuracy", "my_metric") for one in past.ranked(connection, ("f1", metric), 99, 0)
        ]
        return list(map(past.trials_by_id(connection, found).__getitem__, found))


def own_run(journal, make, description: str = "Loans of a bank.") -> str:
    start = make.started("loans")
    card = start.data_card.model_copy(update={"description": description, "target": "secret_target"})
    run = journal.create(start.model_copy(update={"data_card": card}))
    profile = make.profiled(name="loans").profile
    column = profile.columns[0].model_copy(update={"name": "secret_column", "levels": {"secret_cell": 7}})
    profile = profile.model_copy(
        update={"columns": (column,), "target": "secret_target", "labels": ("secret_label", "other_label")}
    )
    journal.append(run, make.profiled().model_copy(update={"profile": profile}))
    journal.append(run, *make.trial(1, 0.6, model="baseline"), *make.trial(2, 0.9), make.looked(0.12345))
    return run


def test_what_one_store_exports_another_one_learns_and_twice_changes_nothing(journal, make, tmp_path, sqlite_journal):
    own_run(journal, make)
    file = tmp_path / "team.jsonl.gz"
    assert export_file(journal, file, "1.0").trials == 2
    with sqlite_journal.database.writing() as connection:
        past.forget_own(connection)  # the same store where both fixtures are SQLite
        past.forget_imported(connection)
    done = import_file(sqlite_journal, file, cards(make))
    assert (done.trials, done.known, done.problems) == (2, 0, [])
    best, poor = stored(sqlite_journal)
    assert (best.value, best.hyperparameters, best.imported, best.source) == (0.9, {"depth": 2.0}, True, "team")
    assert best.curve == ((1, 0.5), (2, 0.9)) and poor.model == "baseline"
    with sqlite_journal.database.reading() as connection:
        [one] = past.sets_of(connection, [("f1", "accuracy")])
    assert (one.name, one.about, one.baseline, one.best) == ("loans", "loans\nLoans of a bank.", 0.6, 0.9)
    again = import_file(sqlite_journal, file, cards(make))
    assert (again.trials, again.known, len(stored(sqlite_journal))) == (0, 2, 2)


def test_no_cell_label_column_or_test_score_leaves_the_store(sqlite_journal, make, tmp_path):
    own_run(sqlite_journal, make)
    file = tmp_path / "mine.jsonl"
    export_file(sqlite_journal, file, "1.0")
    text = file.read_text("utf-8")
    assert "secret" not in text and "other_label" not in text and "0.12345" not in text and "flowers.csv" not in text
    assert "Loans of a bank." in text and '"space":"' in text


def test_a_data_set_without_a_name_is_not_called_by_its_target(sqlite_journal, make, tmp_path):
    start = make.started("")
    run = sqlite_journal.create(start)
    sqlite_journal.append(run, make.profiled(name="secret_target"), *make.trial(1, 0.9))
    export_file(sqlite_journal, tmp_path / "mine.jsonl", "1.0")
    assert "secret" not in (tmp_path / "mine.jsonl").read_text("utf-8")


def test_imported_experience_is_not_exported_and_a_store_without_any_says_so(sqlite_journal, make, tmp_path):
    import_file(sqlite_journal, write(tmp_path / "a.jsonl", HEADER, DATA, trial()), cards(make))
    with pytest.raises(UserError, match="no experience to export"):
        export_file(sqlite_journal, tmp_path / "out.jsonl", "1.0")
    assert not list(tmp_path.glob("out*"))
    own_run(sqlite_journal, make)
    with pytest.raises(UserError, match="no experience to export"):
        export_file(sqlite_journal, tmp_path / "out.jsonl", "1.0", since=4e9)


def test_a_damaged_line_is_named_and_the_rest_is_taken(sqlite_journal, make, tmp_path):
    file = write(
        tmp_path / "a.jsonl", HEADER, DATA, trial(), '{"kind": "tri', trial(value=None), trial(data="f9"), "",
        trial(direction="minimize"), trial(value=7), trial(hyperparameters={"depth": [1]}), trial(value=0.7), "x" * 50,
    )  # fmt: skip
    done = import_file(sqlite_journal, file, cards(make))
    assert (done.trials, done.left_out) == (2, 7)
    assert [p.removeprefix(f"{file}:").partition(":")[0] for p in done.problems] == ["4", "5", "6", "8", "9"]
    for text, word in zip(done.problems, ("damaged", "value", "data", "direction", "value"), strict=True):
        assert word in text and "\n" not in text
    assert done.notes()[-1] == "2 more lines were left out"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), "is empty"),
        (("hello",), ":1: format: this is no file of experience"),
        (({"format": "automl-gpt experience", "version": 9},), ":1: version: 9 can't be read here, 1 can: upgrade"),
        (({"format": "automl-gpt experience", "version": 0},), "export it again"),
        ((HEADER,), "no trial that can be used"),
        ((HEADER, DATA, "{}"), r"no trial that can be used: .*:3: "),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_in_one_line(sqlite_journal, make, tmp_path, lines, told):
    file = tmp_path / "a.jsonl"
    if lines:
        write(file, *lines)
    else:
        file.touch()
    with pytest.raises(UserError, match=told) as error:
        import_file(sqlite_journal, file, cards(make))
    assert "\n" not in str(error.value) and str(file) in str(error.value)


def test_a_missing_file_is_told(sqlite_journal, tmp_path):
    with pytest.raises(UserError, match=r"none.jsonl: can't be read \(No such file"):
        import_file(sqlite_journal, tmp_path / "none.jsonl", {})


def test_what_an_archive_that_breaks_off_still_holds_is_taken(sqlite_journal, make, tmp_path):
    lines = [HEADER, DATA, *(trial(value=i / 10_000, seconds=i * 1.37) for i in range(3000))]
    packed = gzip.compress("".join(json.dumps(one) + "\n" for one in lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    done = import_file(sqlite_journal, tmp_path / "a.jsonl.gz", cards(make))
    assert 100 < done.trials < 3000 and "ends early" in done.problems[-1]


def test_unknown_models_metrics_and_illegal_hyperparameters_are_kept_and_told(sqlite_journal, make, tmp_path):
    file = write(
        tmp_path / "a.jsonl", HEADER, DATA, trial(model="mine"), trial(hyperparameters={"depth": 99.0}),
        trial(metric="my_metric", direction="minimize"),
    )  # fmt: skip
    done = import_file(sqlite_journal, file, cards(make))
    assert done.trials == 3 == len(stored(sqlite_journal)) and not done.problems
    assert [note.split(": ")[0] for note in done.notes()] == [
        "1 trials of mine", "1 trials judged by my_metric", "1 trials of trees",
    ]  # fmt: skip


def test_what_others_write_is_cut_and_shows_no_control_characters(sqlite_journal, make, tmp_path):
    strange = DATA | {"name": "a\x1b[31m\nb", "about": "x\u0000y\u202e"}
    import_file(sqlite_journal, write(tmp_path / "a.jsonl", HEADER, strange, trial()), cards(make))
    with sqlite_journal.database.reading() as connection:
        [one] = past.sets_of(connection, [("f1", "accuracy")])
    assert "".join(one.name.split()) == "a[31mb" and one.about.replace("\n", "").isprintable()
    long = write(tmp_path / "b.jsonl", HEADER, DATA | {"name": "n" * 999}, DATA, trial(value=0.1))
    assert import_file(sqlite_journal, long, cards(make)).left_out == 1


def test_numbers_that_no_computer_holds_are_left_out(sqlite_journal, make, tmp_path):
    odd = (trial(hyperparameters={"depth": 10**400}), trial(seconds=-1), '{"kind":"trial","value":1e999}')
    file = write(
        tmp_path / "a.jsonl", HEADER, DATA, *odd, DATA | {"data": "f2", "meta": META | {"rows": 10**30}}, trial()
    )
    assert import_file(sqlite_journal, file, cards(make)).left_out == 3


def test_forgetting_an_import_leaves_own_runs(sqlite_journal, make, tmp_path):
    own_run(sqlite_journal, make)
    for name in ("a", "b"):
        line = trial(value=0.3 if name == "a" else 0.4)
        import_file(sqlite_journal, write(tmp_path / f"{name}.jsonl", HEADER, DATA, line), cards(make))
    with sqlite_journal.database.writing() as connection:
        assert [s.name for s in past.sources(connection)] == ["", "a", "b"]
        assert past.forget_imported(connection, "a") == 1 == past.forget_imported(connection)
    assert sorted(t.value for t in stored(sqlite_journal)) == [0.6, 0.9]
    sqlite_journal.rebuild()
    assert len(stored(sqlite_journal)) == 2


def test_the_same_trial_has_the_same_digest_however_its_numbers_are_written():
    assert trial_id("f", "m", "t", {"a": 1, "b": "x"}, 0.5) == trial_id("f", "m", "t", {"b": "x", "a": 1.0}, 0.5)
    assert trial_id("f", "m", "t", {"a": 1}, 0.5) != trial_id("f", "m", "t", {"a": True}, 0.5)


def test_a_thinned_log_keeps_its_ends_and_rises():
    log = [(step, step / 1000) for step in range(1, 1001)]
    kept = thinned(log)
    assert len(kept) <= 24 and kept[0] == log[0] and kept[-1] == log[-1]
    assert thinned([(3, 1.0), (2, 5.0), (3, 2.0), (4, float("nan")), (9, 1e12)]) == ((3, 1.0), (9, 1e12))
    assert thinned([]) == ()
