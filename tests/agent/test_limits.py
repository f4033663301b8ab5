"""Limits that a person sets on a run, through the Python API: on real small data, with real training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_gpt.agent import Session
from automl_gpt.agent.words.wishes import limits_of
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import Journal, open_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(folder=tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def card(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["label"] = np.where(x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=200) > 0, "yes", "no")
    frame.to_csv(tmp_path / "small.csv", index=False)
    path = tmp_path / "small.yaml"
    path.write_text("source: small.csv\ntarget: label\nsplit: {kind: random, folds: 2}\n", encoding="utf-8")
    return str(path)


def begin(journal: Journal, card: str, *models: str, trials: int = 5) -> Session:
    session = Session(journal, e.Request(budget=e.Budget(seconds=None, trials=trials), workers=1, models=models))
    session.read(card)
    return session


def drive(session: Session) -> None:
    session.approve()
    for _ in session.drive():
        pass


def test_a_limit_in_the_middle_withdraws_what_breaks_it_and_binds_all_that_follows(journal: Journal, card: str) -> None:
    with begin(journal, card, "xgboost", trials=4) as session:
        for _ in session.plan():
            pass
        state = session.need_state()
        assert [t.status for t in state.ordered()] == ["predicted", "predicted"]
        session.limit("learning_rate", high=0.04)
        session.change(**limits_of("max_depth between 3 and 4", state, session.candidates()).fields(session.request))
        assert [t.status for t in state.ordered()] == ["predicted", "withdrawn"]
        drive(session)
        trained = [t for t in state.ordered() if t.model == "xgboost" and t.end is not None]
        assert len(trained) == 3
        assert trained[0].hyperparameters["learning_rate"] == 0.04
        assert all(float(t.hyperparameters["learning_rate"]) <= 0.04 for t in trained)
        assert {t.hyperparameters["max_depth"] for t in trained} <= {3, 4}
        run = state.run
    again = journal.state(run)
    assert again.model_cards == state.model_cards
    assert again.request.limits == (
        e.Limit(parameter="learning_rate", high=0.04), e.Limit(parameter="max_depth", low=3, high=4),
    )  # fmt: skip


def test_a_limit_that_can_not_be_kept_changes_nothing(journal: Journal, card: str) -> None:
    with begin(journal, card) as session:
        with pytest.raises(UserError, match=r"lightgbm: learning_rate can't be at most 0\.001; legal: 0\.01 to 0\.3"):
            session.limit("learning_rate", high=0.001)
        with pytest.raises(UserError, match="no model has a hyperparameter 'speed'"):
            session.limit("speed", high=1)
        with pytest.raises(UserError, match="megabytes: 0 is no limit"):
            session.change(megabytes=0)
        assert session.request.limits == ()
        session.limit("learning_rate", high=0.001, model="mlp")
        session.limit("learning_rate", model="mlp")
        assert session.request.limits == ()


def test_a_person_can_not_edit_a_proposal_out_of_their_own_limit(journal: Journal, card: str) -> None:
    with begin(journal, card, "linear") as session:
        for _ in session.plan():
            pass
        session.limit("penalty", high=1.0)
        with pytest.raises(UserError, match=r"penalty = 5\.0 is not legal; legal: 0\.0001 to 1"):
            session.edit(2, {"penalty": 5.0})


def test_a_model_is_delivered_that_is_as_small_as_was_asked_for(journal: Journal, card: str) -> None:
    with begin(journal, card, "random_forest", "linear", trials=4) as session:
        for _ in session.plan():
            pass
        session.change(**limits_of("only models under 0.2 MB", None, session.candidates()).fields(session.request))
        drive(session)
        state = session.need_state()
        sizes = {t.number: t.end.disk_megabytes or 0.0 for t in state.done() if t.end and t.model != "baseline"}
        assert min(sizes.values()) < 0.2 < max(sizes.values())
        assert state.ensemble is not None
        assert sum(sizes[m.trial] for m in state.ensemble.members) <= 0.2
        assert "left out, too slow or too large" in state.ensemble.reason
