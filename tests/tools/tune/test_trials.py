"""The tool that shows the run's own trials."""

from __future__ import annotations

from automl_gpt.tools.base import Context
from automl_gpt.tools.tune.trials import show_trials
from tests.tools.tune.simulated import play, started


def test_show_trials_orders_by_score_or_by_time(tmp_path):
    state = play(started(), ("baseline", "boosting", "trees"), 6)
    context = Context(tmp_path, cache={"state": state})
    best = show_trials.call({"order": "best", "count": 3}, context)
    assert [t.value for t in best.trials] == sorted((t.value for t in best.trials), reverse=True)
    assert best.total == 6 and best.trials[0].value == state.best().value
    assert [t.trial for t in show_trials.call({"order": "last", "count": 2}, context).trials] == [6, 5]
