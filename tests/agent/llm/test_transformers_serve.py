"""The product's client against `transformers serve` with a tiny model of random weights: a real local server."""

from __future__ import annotations

import contextlib
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_gpt.agent.llm.exchange import Abilities, Query
from automl_gpt.agent.llm.plug import open_model
from automl_gpt.agent.prompts import query
from automl_gpt.tools.evaluate.words import deciders
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.events import Message
from automl_gpt.tools.journal.store import open_journal
from tests.agent.long_run import at
from tests.agent.small_run import begin, drive
from tests.servers.transformers_serve import missing, point_to, serve, tiny_chat_model

SECONDS = 60.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server; where a package is absent its tests are skipped, in CI they fail."""
    if absent := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {', '.join(absent)}")
    with serve(tiny_chat_model(tmp_path_factory.mktemp("served") / "tiny")) as address:
        yield address
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}/models", timeout=20)


def test_a_text_is_answered_with_figures(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(point_to(url, monkeypatch))
    asked = Query("conversation", "json", (Message(role="user", text="Hello, größe 文字!"),), tokens_out=40)
    answers = [model.send(asked, SECONDS).answer() for _ in range(4)]
    assert any(answer.text.strip() for answer in answers)
    for answer in answers:
        assert answer.finish in ("stop", "length") and not answer.calls
        assert answer.tokens_in and answer.tokens_in > 10
        assert answer.tokens_out and 1 <= answer.tokens_out <= 40


@pytest.mark.parametrize("tools", [True, False])
def test_a_decision_is_answered_with_nonsense_within_its_tokens(
    url: str, monkeypatch: pytest.MonkeyPatch, tools: bool
) -> None:
    model = open_model(point_to(url, monkeypatch))
    model.abilities = Abilities(tools=tools)
    asked = query(at(4, "propose_hyperparameters"), model.abilities)
    pending = model.send(asked, SECONDS)
    answer = pending.answer()
    assert pending.text() == answer.text
    assert answer.tokens_in and answer.tokens_in > 500
    assert answer.tokens_out and answer.tokens_out <= asked.tokens_out


def test_a_model_that_talks_nonsense_does_not_keep_a_run_from_a_good_model(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = point_to(url, monkeypatch)
    with contextlib.closing(open_journal(folder=tmp_path / "home")) as journal:
        request = {
            "metric": "accuracy",
            "models": ("linear", "k_nearest_neighbours"),
            "budget": e.Budget(seconds=None, trials=6),
        }
        session = begin(journal, "iris", controller=name, **request)
        state = drive(session)
        assert session.replay(state.run).matches
    best, baseline = state.best(), state.baseline()
    assert best is not None and best.value is not None and baseline is not None and baseline.value is not None
    assert best.value > 0.9 > 0.5 > baseline.value
    assert state.finished is not None and state.finished.trials == 6 and (state.finished.test or 0) > 0.8
    assert state.answered and {refused.by for refused in state.refused} == {name}
    assert state.switches[0].to == "builtin" and "no valid decision" in state.switches[0].reason
    assert {trial.proposal.by for trial in state.ordered()} == {"opening", "builtin"}
    assert f"trials proposed: {name} 0, built-in 6" in deciders(state)


def test_a_server_that_cannot_start_says_why(tmp_path: Path, url: str) -> None:
    (tmp_path / "nameless").mkdir()
    with pytest.raises(RuntimeError, match="did not come up") as caught, serve(tmp_path / "nameless"):
        pass
    assert len(str(caught.value).splitlines()) > 1 and "model" in str(caught.value)
