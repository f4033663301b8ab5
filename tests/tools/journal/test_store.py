from __future__ import annotations

import math
import multiprocessing
import random
import threading

import pytest

from automl_gpt.cards.errors import StoreError, UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal import names, past
from automl_gpt.tools.journal.lease import acquire
from automl_gpt.tools.journal.state import fold
from automl_gpt.tools.journal.store import open_journal
from automl_gpt.tools.journal.tables import tables


def derived(journal) -> dict[str, list[dict]]:
    t = tables()
    with journal.database.reading() as connection:
        return {
            table.name: [dict(r) for r in connection.execute(table.select().order_by(*table.primary_key)).mappings()]
            for table in (t.runs, t.trials, t.datasets, t.past_sets, t.past_trials)
        }


def test_a_created_run_has_a_readable_name_a_folder_and_its_start(journal, make):
    run = journal.create(make.started("Iris Flowers"))
    assert run.startswith("iris-flowers-") and len(run) == len("iris-flowers-") + 4
    assert journal.run_folder(run) == journal.folder / "runs" / run and journal.run_folder(run).is_dir()
    [stored] = journal.events(run)
    assert stored.seq == 1 and stored.time > 1e9 and stored.event == make.started("Iris Flowers")


def test_a_run_without_a_card_name_is_named_by_its_source(journal, make):
    start = make.started()
    unnamed = start.model_copy(update={"data_card": start.data_card.model_copy(update={"name": ""})})
    assert journal.create(unnamed).startswith("flowers-")
    assert journal.create(unnamed.model_copy(update={"card_file": "/x/My card.yaml"})).startswith("my-card-")


def test_a_name_that_another_session_has_just_taken_is_not_given_twice(journal, make, monkeypatch):
    made = iter(["same-2222", "same-2222", "same-3333"])
    monkeypatch.setattr("automl_gpt.tools.journal.store.new_name", lambda _: next(made))
    first = journal.create(make.started())
    journal.run_folder(first).rmdir()  # as where the other session has a home of its own
    assert (first, journal.create(make.started())) == ("same-2222", "same-3333")
    assert len(journal.events(first)) == 1


def test_creating_ends_with_one_line_where_no_name_is_free(journal, make, monkeypatch):
    monkeypatch.setattr("automl_gpt.tools.journal.store.new_name", lambda _: "same-2222")
    journal.create(make.started())
    with pytest.raises(StoreError, match="no free name"):
        journal.create(make.started())


def test_events_are_numbered_from_one_without_a_gap(journal, make):
    run, other = journal.create(make.started()), journal.create(make.started())
    journal.append(run, e.Warned(text="a"), e.Warned(text="b"))
    journal.append(other, e.Warned(text="x"))
    journal.append(run, e.Warned(text="c"))
    journal.append(run)
    assert [(s.seq, getattr(s.event, "text", "")) for s in journal.events(run)] == [
        (1, ""), (2, "a"), (3, "b"), (4, "c"),
    ]  # fmt: skip
    assert [s.seq for s in journal.events(run, after=2)] == [3, 4] and journal.events(run, after=4) == []


def test_an_append_that_fails_leaves_nothing_behind(journal, make):
    run = journal.create(make.started())
    with pytest.raises(KeyError):
        journal.append(run, e.Warned(text="first"), make.profiled(metric="no such metric"))
    journal.append(run, e.Warned(text="second"))
    assert [(s.seq, s.event.kind) for s in journal.events(run)] == [(1, "run_started"), (2, "warned")]
    assert derived(journal)["datasets"] == []


def test_a_run_that_does_not_exist_is_told_in_one_line(journal):
    for ask in (lambda: journal.append("no-such", e.Warned(text="")), lambda: journal.events("no-such")):
        with pytest.raises(UserError, match="there is no run 'no-such'"):
            ask()
    with pytest.raises(UserError):
        journal.state("no-such")


def test_every_kind_of_event_comes_back_as_it_was_written(journal, make):
    run = journal.create(make.started())
    journal.append(run, *make.story())
    told = [stored.event for stored in journal.events(run)]
    assert {event.kind for event in told} == set(e.EVENT.json_schema()["discriminator"]["mapping"])
    assert [repr(event) for event in told] == [repr(event) for event in [make.started(), *make.story()]]


def test_rows_that_are_not_numbers_stay_what_they_are(journal, make):
    run = journal.create(make.started())
    journal.append(run, make.rows(1, math.nan, math.inf, -math.inf))
    values = [row.metrics["valid"] for row in journal.events(run)[1].event.rows]
    assert math.isnan(values[0]) and values[1:] == [math.inf, -math.inf]


def test_the_state_is_the_same_before_and_after_the_journal(sqlite_journal, make):
    chance = random.Random(7)
    for _ in range(20):
        events = [make.profiled()]
        for number in range(1, chance.randint(2, 9)):
            value = chance.choice([chance.random(), chance.gauss(0, 1e-9), math.nan, None, 1.0])
            status = chance.choice(["finished", "failed", "pruned", "out_of_memory"])
            whole = make.trial(number, value, depth=chance.uniform(1, 9), status=status, at=chance.random())
            events += whole[: chance.randint(1, len(whole))]
        run = sqlite_journal.create(make.started())
        for at in range(0, len(events), 3):
            sqlite_journal.append(run, *events[at : at + 3])
        assert repr(sqlite_journal.state(run)) == repr(fold(run, [make.started(), *events]))


def test_a_rebuild_gives_what_was_written_event_by_event(journal, make):
    for fingerprint, metric in (("f1", "accuracy"), ("f2", "log_loss"), ("f1", "accuracy")):
        run = journal.create(make.started())
        for event in [make.profiled(fingerprint, metric), *make.story()[1:]]:
            journal.append(run, event)
    journal.create(make.started("another"))
    before = derived(journal)
    assert len(before["runs"]) == 4 and len(before["trials"]) == 18 and before["datasets"][0]["looks"] == 2
    t = tables()
    with journal.database.writing() as connection:
        connection.execute(t.trials.update().values(value=99.0, status="nonsense"))
        connection.execute(t.runs.delete().where(t.runs.c.name == "another"))
        connection.execute(t.datasets.delete())
    journal.rebuild()
    assert derived(journal) == before
    journal.append(journal.find("last"), e.Warned(text="still counting"))
    assert journal.events(journal.find("last"))[-1].seq == 2


def test_a_paused_trial_that_goes_on_counts_again_when_it_ends(journal, make):
    run = journal.create(make.started())
    journal.append(run, make.profiled(), *make.trial(1, 0.9, status="pruned"), make.compared(1, 0.8, 0.9))
    journal.append(run, e.Revised(action="resume_trial", trial=1, reason="it may win", by="builtin"))
    [summary] = journal.runs()
    assert (summary.valid, summary.trials) == (None, 0)
    trial = journal.state(run).trials[1]
    assert (trial.status, trial.end, trial.gap, trial.resumed) == ("predicted", None, None, True)
    before = derived(journal)
    journal.rebuild()
    assert derived(journal) == before
    again = e.TrialStarted(trial=1, worker=0, at_seconds=9.0)
    journal.append(run, again, e.TrialFinished(trial=1, status="finished", value=0.95))
    assert journal.runs()[0].trials == 1 and journal.state(run).trials[1].rows == []


def test_a_live_run_is_summed_up_by_its_best_trial_so_far(journal, make):
    run = journal.create(make.started(controller="builtin"))
    [empty] = journal.runs()
    assert (empty.metric, empty.model, empty.valid, empty.trials) == (None, None, None, 0)
    journal.append(run, make.profiled(), *make.trial(1, 0.6, model="baseline", at=2.0), make.compared(1, 0.8, 0.6))
    journal.append(run, *make.trial(2, 0.9, depth=3.0, at=4.5), make.compared(2, 0.85, 0.9))
    journal.append(run, *make.trial(3, 0.9, depth=4.0), *make.trial(4, 0.95, complete=False, status="pruned"))
    [summary] = journal.runs()
    assert (summary.run, summary.name, summary.model, summary.hyperparameters) == (
        run,
        "flowers",
        "trees",
        {"depth": 3},
    )
    assert (summary.metric, summary.direction, summary.valid, summary.test) == ("accuracy", "maximize", 0.9, None)
    assert (summary.trials, summary.seconds) == (4, 4.5) and summary.artifact is None
    assert summary.forecast.mae == pytest.approx(0.125) and summary.forecast.coverage == 0.5


def test_the_best_trial_of_a_metric_that_is_minimized_is_the_lowest(journal, make):
    run = journal.create(make.started())
    journal.append(run, make.profiled(metric="log_loss"), *make.trial(1, 0.6), *make.trial(2, 0.2), *make.trial(3, 0.4))
    assert (journal.runs()[0].valid, journal.runs()[0].valid) == (0.2, journal.state(run).best().value)


def test_a_changed_metric_leaves_old_scores_out(journal, make):
    run = journal.create(make.started())
    journal.append(run, make.profiled(), *make.trial(1, 0.9), make.profiled(metric="log_loss"), *make.trial(2, 0.95))
    assert (journal.runs()[0].metric, journal.runs()[0].valid) == ("log_loss", 0.95)


def test_a_finished_run_is_summed_up_by_its_end(journal, make):
    run = journal.create(make.started())
    journal.append(run, *make.story())
    journal.append(run, e.Interrupted(reason="too late"), make.compared(1, 0.1, 0.9))
    [summary] = journal.runs()
    assert summary.as_json() == {
        "run": run, "controller": "openai:x", "model": "ensemble", "hyperparameters": {"depth": 3.5},
        "metric": {"name": "accuracy", "direction": "maximize"}, "valid": 0.91, "test": 0.75, "trials": 2,
        "seconds": 12.5, "forecast": {"mae": 0.05, "coverage": 0.5, "rank_correlation": -1.0},
        "usage": {"tokens_in": 30, "tokens_out": 5, "cost_usd": 0.002},
        "artifact": str(journal.run_folder(run) / "model"), "status": "finished",
    }  # fmt: skip


def test_what_language_models_used_is_summed_up_and_one_unknown_price_makes_the_cost_unknown(journal, make):
    run = journal.create(make.started())
    assert journal.runs()[0].usage.model_dump() == {"tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0}
    failed = make.answered(2, tokens_in=0, tokens_out=0, cost=None).model_copy(update={"failure": "refused"})
    journal.append(run, make.asked(1), make.answered(1), make.asked(2), failed, make.asked(3))
    journal.append(run, make.answered(3, tokens_in=1000, tokens_out=200, cost=0.5), make.asked(4))
    usage = journal.runs()[0].usage
    assert (usage.tokens_in, usage.tokens_out, usage.cost_usd) == (1030, 205, pytest.approx(0.502))
    journal.append(run, make.answered(4, tokens_in=10, tokens_out=-3, cost=None))
    journal.append(run, make.answered(5, tokens_in=10**30, tokens_out=0, cost=0.1))
    usage = journal.runs()[0].usage
    assert (usage.tokens_in, usage.tokens_out, usage.cost_usd) == (1040 + 10**12, 205, None)


def test_what_the_data_are_about_is_kept_for_later_runs(journal, make):
    start, profiled = make.started("old"), make.profiled(name="old")
    wide = profiled.profile.columns[0].model_copy(update={"name": "petal\0 \n width"})
    target = wide.model_copy(update={"name": "kind", "role": "target"})
    profile = profiled.profile.model_copy(update={"columns": (*profiled.profile.columns, wide, target)})
    card = start.data_card.model_copy(update={"description": "Three  kinds of iris.\n" * 100})
    run = journal.create(start.model_copy(update={"data_card": card}))
    journal.append(run, profiled.model_copy(update={"profile": profile}), *make.trial(1, 0.9))
    [(past, _)] = experience_of(journal)
    assert past.about.startswith("old\ntarget: kind\nThree kinds of iris. Three kinds")
    assert past.about.endswith("\ninputs: a, petal width") and len(past.about) <= 1000
    assert past.card.startswith("old\nThree kinds of iris. Three") and "petal" not in past.card
    many = tuple(wide.model_copy(update={"name": f"column {i}"}) for i in range(900))
    profile = profile.model_copy(update={"columns": many, "fingerprint": "f2"})
    journal.append(run, profiled.model_copy(update={"profile": profile}), *make.trial(2, 0.8))
    assert [len(one.about) for one, _ in experience_of(journal) if one.fingerprint == "f2"] == [1000]


def test_a_run_without_an_end_is_running_only_while_somebody_drives_it(journal, make):
    run = journal.create(make.started())
    assert journal.runs()[0].status == "interrupted"
    with acquire(journal, run):
        assert journal.runs()[0].status == "running"
        journal.append(run, e.Interrupted(reason="Ctrl-C"))
        assert journal.runs()[0].status == "interrupted"
        journal.append(run, e.Resumed(spent=3.0))
        assert (journal.runs()[0].status, journal.runs()[0].seconds) == ("running", 3.0)
    assert journal.runs()[0].status == "interrupted"


def test_runs_are_listed_newest_first(journal, make):
    created = [journal.create(make.started()) for _ in range(4)]
    assert [s.run for s in journal.runs()] == created[::-1]
    assert [s.run for s in journal.runs(limit=2)] == created[:1:-1]


def test_a_run_is_found_by_its_name_its_beginning_or_as_the_last(journal, make, monkeypatch):
    made = iter(["adult-2222", "adult-2333", "iris-2222", "iris"])
    monkeypatch.setattr("automl_gpt.tools.journal.store.new_name", lambda _: next(made))
    with pytest.raises(UserError, match="no runs yet"):
        journal.find("last")
    for _ in range(4):
        journal.create(make.started())
    found = {
        "adult-2333": "adult-2333",
        "iris-": "iris-2222",
        "iris": "iris",
        " ADULT-22": "adult-2222",
        "last": "iris",
    }
    assert {name: journal.find(name) for name in found} == found
    with pytest.raises(UserError, match="several runs begin with 'adult': adult-2333, adult-2222: type more"):
        journal.find("adult")
    with pytest.raises(UserError, match="no run 'adlut-2333'; the nearest: adult-2333"):
        journal.find("adlut-2333")
    for name in ("", "%", "adult_2222", "\\", "'"):
        with pytest.raises(UserError, match="there is no run"):
            journal.find(name)


def test_names_hold_nothing_but_plain_letters(make):
    start = make.started("..A very long name of a data set indeed")
    name = names.new_name(start)
    assert name[:-5] == "a-very-long-name-of-a-da" and name[-5] == "-"
    assert names.new_name(make.started("___"))[:-5] == "run"


def test_looks_at_a_test_split_are_counted_over_all_runs(journal, make):
    assert journal.looks("f1") == 0
    for fingerprint in ("f1", "f1", "f2"):
        run = journal.create(make.started())
        journal.append(run, make.profiled(fingerprint), make.looked())
    assert (journal.looks("f1"), journal.looks("f2"), journal.looks("f3")) == (2, 1, 0)


def experience_of(journal, metric: str = "accuracy") -> list:
    """All data sets of a metric with their trials, best first."""
    with journal.database.reading() as connection:
        keys, _ = past.signatures(connection, ["binary"], metric, "tabular")
        sets = past.sets_of(connection, sorted(keys))
        found = {one.fingerprint: past.ranked(connection, (one.fingerprint, metric), 10, 0) for one in sets}
        known = past.trials_by_id(connection, [one.id for ranked in found.values() for one in ranked])
        return [(one, [known[trial.id] for trial in found[one.fingerprint]]) for one in sets]


def test_experience_holds_finished_trials_by_data_set_and_metric(journal, make):
    old, mine, other = (journal.create(make.started(name)) for name in ("old", "mine", "other"))
    journal.append(old, make.profiled(name="old"), *make.trial(1, 0.6, model="baseline"), *make.trial(2, 0.9))
    journal.append(old, *make.trial(3, 0.8, status="pruned"), *make.trial(4, None, status="failed"), make.proposed(5))
    journal.append(old, make.looked(0.1234), make.finished(valid=0.95))
    journal.append(mine, make.profiled("f2"), *make.trial(1, 0.7))
    journal.append(other, make.profiled("f3", metric="log_loss"), *make.trial(1, 0.7))
    journal.append(other, make.profiled("f3"), *make.trial(2, 0.65))
    (first, trials), (second, _), (third, _) = experience_of(journal)
    assert [(t.source, t.model, t.value) for t in trials] == [(old, "trees", 0.9), (old, "baseline", 0.6)]
    assert (first.name, first.fingerprint, first.baseline, first.best) == ("old", "f1", 0.6, 0.9)
    assert first.meta == make.profiled().profile.meta and (second.fingerprint, third.fingerprint) == ("f2", "f3")
    assert (trials[0].hyperparameters, trials[0].seconds, trials[0].megabytes) == ({"depth": 2.0}, 1.5, 64.0)
    assert trials[0].curve == ((1, 0.5), (2, 0.9)) and not trials[0].imported
    assert "0.1234" not in repr(experience_of(journal))
    assert [one.fingerprint for one, _ in experience_of(journal, "log_loss")] == ["f3"]


def test_a_best_score_in_another_metric_never_enters_experience(journal, make):
    run = journal.create(make.started())
    journal.append(run, make.profiled(), *make.trial(1, 0.9), make.profiled(metric="log_loss"), *make.trial(2, 7.0))
    [(one, [trial])] = experience_of(journal)
    assert (trial.value, one.best, one.baseline) == (0.9, 0.9, None)


def test_a_repeated_trial_becomes_experience_once_and_a_rebuilt_store_has_the_same(journal, make):
    for name in ("one", "two"):
        journal.append(journal.create(make.started(name)), make.profiled(), *make.trial(1, 0.9))
    before = [(one, [t.id for t in trials]) for one, trials in experience_of(journal)]
    assert len(before) == 1 and len(before[0][1]) == 1
    journal.rebuild()
    assert [(one, [t.id for t in trials]) for one, trials in experience_of(journal)] == before


def test_the_log_of_an_attempt_that_was_lost_is_no_experience(journal, make):
    run = journal.create(make.started())
    lost = [
        make.proposed(1),
        make.predicted(1),
        e.TrialStarted(trial=1, worker=0, at_seconds=0),
        make.rows(1, 0.1, 0.2),
    ]
    journal.append(run, make.profiled(), *lost)
    journal.append(run, e.TrialStarted(trial=1, worker=0, at_seconds=0), make.rows(1, 0.5), make.ended(1, 0.5))
    [(_, [trial])] = experience_of(journal)
    assert trial.curve == ((1, 0.5),)


def test_threads_share_a_journal(journal, make):
    run = journal.create(make.started())

    def write(name: str) -> None:
        for i in range(25):
            journal.append(run, e.Warned(text=f"{name}{i}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        fresh = journal.events(run, after=seen)
        assert [s.seq for s in fresh] == list(range(seen + 1, seen + 1 + len(fresh)))
        seen += len(fresh)
    for thread in threads:
        thread.join()
    texts = [s.event.text for s in journal.events(run)[1:]]
    assert len(texts) == 75 and [t for t in texts if t[0] == "b"] == [f"b{i}" for i in range(25)]


def test_a_fork_uses_connections_of_its_own(journal, make):
    run = journal.create(make.started())
    journal.append(run, e.Warned(text="parent"))
    child = multiprocessing.get_context("fork").Process(target=journal.append, args=(run, e.Warned(text="child")))
    child.start()
    child.join(30)
    journal.append(run, e.Warned(text="parent again"))
    assert child.exitcode == 0
    assert [s.event.text for s in journal.events(run)[1:]] == ["parent", "child", "parent again"]


def test_a_journal_is_found_by_the_environment(tmp_path, monkeypatch, make):
    monkeypatch.setenv("AUTOML_GPT_HOME", str(tmp_path / "a"))
    monkeypatch.delenv("AUTOML_GPT_STORE", raising=False)
    run = open_journal().create(make.started())
    assert (tmp_path / "a" / "journal.db").is_file() and (tmp_path / "a" / "runs" / run).is_dir()
    monkeypatch.setenv("AUTOML_GPT_STORE", f"sqlite:///{tmp_path}/b/c.db")
    other = open_journal()
    assert other.runs() == [] and other.folder == tmp_path / "a" and (tmp_path / "b" / "c.db").is_file()


def test_a_closed_journal_opens_again_with_all_its_events(store_url, tmp_path, make):
    first = open_journal(store_url, tmp_path / "home")
    run = first.create(make.started())
    first.append(run, *make.story())
    first.close()
    again = open_journal(store_url, tmp_path / "home")
    assert len(again.events(run)) == 1 + len(make.story()) and again.find("last") == run
    again.close()
