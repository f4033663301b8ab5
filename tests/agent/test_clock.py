"""What is kept of a budget for its end: enough for one look at the test split by the models that may be delivered."""

from __future__ import annotations

import pytest

from automl_gpt.agent.clock import LARGEST_SHARE, LARGEST_SHARE_OF_EXAMPLES, reserve
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.compose.candidates import PREDICTING_SHARE_OF_EXAMPLES
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, fold
from tests.agent.conftest import model_card, profile, proposed

BUDGET = 300.0
ROWS = 7_500


def run_of(modality: str, *predicting: float, threads: int = 64) -> RunState:
    """A run of five minutes whose trials predict a row in so many seconds; the first is the best one."""
    card = DataCard(name="news", source="news.csv", target="topic")
    events: list[e.Event] = [
        e.RunStarted(
            data_card=card,
            model_cards=(model_card("boosted"),),
            request=e.Request(budget=e.Budget(seconds=BUDGET)),
        ),
        e.DataProfiled(profile=profile(modality=modality, rows_test=ROWS), metric="roc_auc"),
        e.ModelsAssigned(models=("boosted",), reason="it fits", by="builtin"),
    ]
    for number, seconds in enumerate(predicting, start=1):
        events += [
            proposed(number),
            e.TrialStarted(trial=number, worker=0, at_seconds=1.0),
            e.TrialFinished(
                trial=number,
                status="finished",
                value=0.9 - number / 100,
                folds=(0.9 - number / 100,),
                complete=True,
                predict_seconds=seconds,
                threads=threads,
                disk_megabytes=1.0,
            ),
        ]
    return fold("news-0001", events)


def test_a_network_that_is_best_can_be_delivered_in_what_is_kept() -> None:
    """60 s of predicting in a budget of 300 s: a share of 15% would not hold it."""
    seconds = 0.008
    kept = reserve(run_of("text", seconds, 1e-5))
    assert kept * PREDICTING_SHARE_OF_EXAMPLES > seconds * ROWS > LARGEST_SHARE * BUDGET * PREDICTING_SHARE_OF_EXAMPLES


@pytest.mark.parametrize(("modality", "share"), [("text", LARGEST_SHARE_OF_EXAMPLES), ("tabular", LARGEST_SHARE)])
def test_the_end_never_takes_more_than_its_share(modality: str, share: float) -> None:
    assert reserve(run_of(modality, 10.0)) == share * BUDGET


def test_nothing_is_kept_without_a_limit() -> None:
    state = run_of("text", 1.0)
    state.request = e.Request(budget=e.Budget(seconds=None, trials=5))
    assert reserve(state) == 0.0


def test_a_network_that_trained_with_one_thread_predicts_with_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_gpt.tools.compose.candidates.cores", lambda: 4)
    state = run_of("text", 0.004, threads=1)
    alone = reserve(state)
    state.trials[1].end = state.trials[1].end.model_copy(update={"threads": 4}) if state.trials[1].end else None
    assert reserve(state) - alone == pytest.approx(0.75 * 0.004 * ROWS / PREDICTING_SHARE_OF_EXAMPLES)
