from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from automl_gpt.cards.schema import DataCard, FloatRange, ModelCard, Resources
from automl_gpt.tools.data.report import ColumnProfile, Finding, MetaFeatures, Profile
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import Journal, open_journal
from automl_gpt.tools.log import Gap, Interval, Row, TrainingLog


def started(name: str = "flowers", **request) -> e.RunStarted:
    space = {"depth": FloatRange(type="float", low=0.5, high=9, default=1)}
    card = ModelCard(
        name="trees", tasks=("classification",), trainer="t", search_space=space, resources=Resources(seconds=1)
    )
    data = DataCard(name=name, source="flowers.csv", target="kind")
    return e.RunStarted(data_card=data, model_cards=(card,), request=e.Request(**request))


def profiled(
    fingerprint: str = "f1", metric: str = "accuracy", task: str = "binary", name: str = "flowers"
) -> e.DataProfiled:
    column = ColumnProfile(name="a", type="number", role="input", missing=0.0, distinct=9, mean=0.1 + 0.2)
    profile = Profile(
        name=name, fingerprint=fingerprint, task=task, target="kind", rows=150, rows_train=120, rows_test=30, folds=1,
        rows_valid=24, split="random", columns=(column,), features=4, findings=(Finding(level="note", text="ok"),),
        meta=MetaFeatures(rows=120, columns=4, numeric=3, categorical=1, classes=2, landmark=0.25),
    )  # fmt: skip
    return e.DataProfiled(profile=profile, metric=metric)


def rows(trial: int, *values: float) -> e.RowsLogged:
    log = tuple(Row(step=i, metrics={"train": v, "valid": v}, seconds=i / 3) for i, v in enumerate(values, 1))
    return e.RowsLogged(trial=trial, rows=log)


def proposed(trial: int, model: str = "trees", depth: float = 2.0) -> e.TrialProposed:
    return e.TrialProposed(
        trial=trial, model=model, hyperparameters={"depth": depth}, reason="why not", by="builtin", seed=trial
    )


def predicted(trial: int, value: float = 0.8, train: bool = True) -> e.TrialPredicted:
    interval = {"valid": Interval(low=value - 0.1, high=value + 0.1)}
    log = TrainingLog(
        origin="predicted",
        metric="accuracy",
        direction="maximize",
        rows=(Row(step=5, metrics={"valid": value}, intervals=interval),),
    )
    return e.TrialPredicted(
        trial=trial, log=log, value=value, low=value - 0.1, high=value + 0.1, seconds=1, megabytes=5, train=train,
        reason="", by="builtin",
    )  # fmt: skip


def shadow(trial: int, value: float = 0.7) -> e.ShadowPredicted:
    said = predicted(trial, value)
    return e.ShadowPredicted(
        trial=trial, log=said.log, value=said.value, low=said.low, high=said.high, seconds=said.seconds
    )


def ended(trial: int, value: float | None, status: str = "finished", complete: bool = True, at: float = 0.0):
    return e.TrialFinished(
        trial=trial, status=status, value=value, complete=complete, seconds=1.5, megabytes=64.0, at_seconds=at
    )


def compared(trial: int, predicted: float, actual: float) -> e.LogsCompared:
    gap = Gap(
        predicted=predicted, low=predicted - 0.1, high=predicted + 0.1, actual=actual, error=actual - predicted,
        covered=abs(actual - predicted) <= 0.1, interval_score=0.2,
    )  # fmt: skip
    return e.LogsCompared(trial=trial, gap=gap)


def trial(number: int, value: float | None, model: str = "trees", depth: float = 2.0, **end) -> list[e.Event]:
    """Everything that happens to one trial."""
    return [
        proposed(number, model, depth), predicted(number), e.TrialStarted(trial=number, worker=0, at_seconds=0.5),
        rows(number, 0.5, value if value is not None else 0.5), ended(number, value, **end),
    ]  # fmt: skip


def looked(value: float = 0.75) -> e.TestLooked:
    return e.TestLooked(value=value, low=value - 0.1, high=value + 0.1, rows=30, look=1)


def finished(status: str = "finished", **changes) -> e.RunFinished:
    end = {
        "model": "ensemble", "hyperparameters": {"depth": 3.5}, "valid": 0.91, "test": 0.75, "trials": 2,
        "seconds": 12.5, "scorecard": e.Scorecard(trials=2, mae=0.05, coverage=0.5, rank_correlation=-1.0),
        "artifact": "model", "report": "report.html",
    } | changes  # fmt: skip
    return e.RunFinished(status=status, **end)


def asked(call: int = 1, **changes) -> e.LLMAsked:
    request = {
        "purpose": "assign_model", "model": "openai:x", "mode": "tools", "context_tokens": 8192, "output_tokens": 500,
        "prompt_version": "1", "messages": (e.Message(role="user", text="which?"),),
        "tools": ({"name": "assign_model"},), "tokens_in": 40, "tokens_out": 100, "cost_usd": 0.01,
    } | changes  # fmt: skip
    return e.LLMAsked(call=call, **request)


def answered(call: int = 1, tokens_in: int = 30, tokens_out: int = 5, cost: float | None = 0.002) -> e.LLMAnswered:
    calls = (e.Call(id="1", name="assign_model", arguments={"models": ["trees"]}),)
    return e.LLMAnswered(
        call=call, calls=calls, tokens_in=tokens_in, tokens_out=tokens_out, counted=True, cost_usd=cost, seconds=0.5
    )


def story() -> list[e.Event]:
    """A run in which every kind of event happens, after its start."""
    similar = e.SimilarTrial(
        run="old-2345", data="old", model="trees", hyperparameters={"depth": 1.0}, metric="accuracy", value=0.8,
        seconds=1, rows=100, columns=4, distance=float("inf"),
    )  # fmt: skip
    return [
        profiled(), e.ExperienceFound(trials=(similar,)), e.DecisionAsked(decision="assign_model", by="openai:x"),
        asked(1), answered(1), asked(2), e.ControllerSwitched(to="builtin", reason="no connection"),
        e.ModelsAssigned(models=("trees",), reason="", by="builtin"),
        e.BudgetWarned(what="cost_usd", share=0.5, used=0.05, limit=0.1), e.Replied(text="because", by="openai:x"),
        e.TrainingApproved(by="person"), *trial(1, 0.6, model="baseline", at=2.0), compared(1, 0.8, 0.6),
        *trial(2, 0.9, depth=3.0, at=4.5), shadow(2), compared(2, 0.85, 0.9), *trial(3, float("nan"), status="failed"),
        proposed(4), predicted(4, train=False), proposed(5), e.TrialWithdrawn(trial=5), proposed(6), predicted(6),
        e.TrialStarted(trial=6, worker=0, at_seconds=5), rows(6, float("nan"), float("-inf")),
        e.Interrupted(reason="Ctrl-C"), e.Resumed(spent=6.0), e.Warned(text="it's warm"),
        e.ToolCalled(name="profile", arguments={"x": [1, None, "é\u0000"]}, result="{}", by="person"),
        e.DecisionRefused(decision="assign", problem="no", by="builtin"), e.Said(text="why?"),
        e.RequestChanged(request=e.Request(controller="openai:x")), ended(6, 0.7, status="pruned", complete=False),
        e.Revised(action="finish", reason="", by="builtin"), e.FinishDecided(reason="", by="builtin"),
        e.EnsembleChosen(members=(e.Member(trial=2, weight=1.0),), value=0.91, best_single=0.9, reason="", by="code"),
        looked(), finished(),
    ]  # fmt: skip


@pytest.fixture
def make() -> SimpleNamespace:
    """Makers of events."""
    makers = (
        started, profiled, rows, proposed, predicted, ended, compared, trial, looked, finished, story, asked, answered,
    )  # fmt: skip
    return SimpleNamespace(**{maker.__name__: maker for maker in makers})


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty journal, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'journal.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def journal(store_url: str, tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(store_url, tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def sqlite_journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(f"sqlite:///{tmp_path / 'home' / 'journal.db'}", tmp_path / "home")
    yield opened
    opened.close()


# ----------------------------------------------------------------------------------------------- a server of PostgreSQL

_USER, _PASSWORD = "automl", "not-for-eyes"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _connect(port: int) -> psycopg.Connection[Any]:
    place = {"host": "127.0.0.1", "port": port, "dbname": "postgres"}
    return psycopg.connect(**place, user=_USER, password=_PASSWORD, autocommit=True)


def _wait_until_up(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            _connect(port).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended at once"
            time.sleep(0.05)
    pytest.fail("PostgreSQL did not start")


@pytest.fixture(scope="session")
def postgres_port(need: Callable[[str], str]) -> Iterator[int]:
    """Start a server of our own; its port on 127.0.0.1. It refuses to run as root, so root starts it as `postgres`."""
    programs = Path(need("initdb")).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    password = folder / "password"
    password.write_text(_PASSWORD)
    other: dict[str, Any] = {}
    if os.getuid() == 0:
        other = {"user": "postgres", "group": "postgres", "extra_groups": []}
        for path in (folder, password):
            shutil.chown(path, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    make = [programs / "initdb", "-D", data, "-U", _USER, f"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8"]
    subprocess.run([*make, "--no-sync"], check=True, cwd=folder, stdout=subprocess.DEVNULL, **other)
    command = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-c", "listen_addresses=127.0.0.1"], cwd=folder, stdout=log, stderr=log, **other
        )
    try:
        _wait_until_up(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_database(postgres_port: int) -> Iterator[Callable[[], str]]:
    """Make empty databases; each call returns the address of one, as a person would write it."""
    made: list[str] = []

    def new() -> str:
        made.append(f"test_{uuid.uuid4().hex}")
        with _connect(postgres_port) as connection:
            connection.execute(f"CREATE DATABASE {made[-1]} TEMPLATE template0")
        return f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{postgres_port}/{made[-1]}"

    yield new
    with _connect(postgres_port) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(new_database: Callable[[], str]) -> str:
    """The address of an empty database."""
    return new_database()
