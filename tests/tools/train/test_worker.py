"""What a trial's process does: here in this process, with a link that only writes down what is sent."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard, Split
from automl_gpt.tools.data.preparation import prepare
from automl_gpt.tools.process.link import Link
from automl_gpt.tools.train.job import Job, Outcome
from automl_gpt.tools.train.worker import train
from automl_gpt.tools.tune.forecasts.stopping import StopRule
from tests.tools.finished_examples import review_card


class Written:
    """Stands for the link to the session."""

    def __init__(self) -> None:
        self.stop_asked = threading.Event()
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def scores(self) -> list[tuple[int, float]]:
        return [(m["step"], m["metrics"]["valid"]) for m in self.sent if m["kind"] == "row"]


def carried_out(folder: Path, out: str, rule: StopRule) -> tuple[Outcome, Written]:
    link, card = Written(), model_cards()["text_scratch"]
    small = {"vocabulary": 500, "hidden_size": 32, "layers": 1, "epochs": 6, "batch_size": 8}
    job = Job(
        trial=1, model=card.name, trainer=card.trainer, hyperparameters={**card.default(), **small},
        data=str(folder / "data"), out=str(folder / out), metric="accuracy", seed=1, rule=rule,
    )  # fmt: skip
    return Outcome.model_validate(train(job.model_dump(mode="json"), cast(Link, link))), link


def test_a_network_that_cannot_win_is_paused_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    prepare(review_card(tmp_path), None, tmp_path / "data")
    whole, at_once = carried_out(tmp_path, "whole", StopRule())
    assert (
        whole.status == "finished" and not whole.paused and not whole.cut and not list(tmp_path.glob("whole/scratch_*"))
    )

    hopeless = StopRule(incumbent=(9.0,), trial=1, horizon=10)
    ended, first = carried_out(tmp_path, "paused", hopeless)
    assert ended.status == "pruned" and ended.paused and ended.complete and ended.cut
    assert list(tmp_path.glob("paused/scratch_0/checkpoint-*")) and len(first.scores()) < len(at_once.scores())
    assert 0 < ended.disk_megabytes < 2 * whole.disk_megabytes  # the checkpoint is not part of the model

    resumed, link = carried_out(tmp_path, "paused", StopRule())
    assert link.scores() == at_once.scores()
    assert resumed.status == "finished" and resumed.value == whole.value
    assert not list(tmp_path.glob("paused/scratch_*"))


def boosted(folder: Path, rule: StopRule, deadline: float | None = None) -> Outcome:
    """Train boosting with a low learning rate on three folds of a small table."""
    table = folder / "table.csv"
    table.write_text("x,y\n" + "".join(f"{i % 97},{'a' if i * 7 % 97 < 48 else 'b'}\n" for i in range(2000)))
    prepare(DataCard(source=str(table), target="y", split=Split(kind="random", folds=3)), None, folder / "data")
    card = model_cards()["lightgbm"]
    slow = {**card.default(), "learning_rate": 0.01, "num_leaves": 64, "min_data_in_leaf": 1}
    job = Job(
        trial=1, model=card.name, trainer=card.trainer, hyperparameters=slow, data=str(folder / "data"),
        out=str(folder / "out"), metric="log_loss", seed=1, rule=rule, deadline=deadline,
    )  # fmt: skip
    return Outcome.model_validate(train(job.model_dump(mode="json"), cast(Link, Written())))


@pytest.mark.parametrize("late", [True, False])
def test_a_fit_that_the_clock_ends_amid_its_curve_says_so(tmp_path: Path, late: bool) -> None:
    rule = StopRule(direction="minimize", incumbent=(1e-6,) * 3, trial=7)
    outcome = boosted(tmp_path, rule, time.monotonic() if late else None)
    assert outcome.cut is late and not outcome.complete and len(outcome.folds) == 1
    assert ("cut short by the time budget; after fold 1" in outcome.reason) is late


def test_a_trial_that_cannot_win_in_its_second_fold_begins_no_third(tmp_path: Path) -> None:
    rule = StopRule(direction="minimize", incumbent=(5.0, 1e-9, 5.0), trial=7, horizon=60)
    outcome = boosted(tmp_path, rule)
    assert outcome.status == "pruned" and outcome.reason.startswith("fold 2, step")
    assert len(outcome.folds) == 2 and outcome.cut and not outcome.complete
