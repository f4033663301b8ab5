"""Stop rules: generous to whatever may still win or help an ensemble, the same wherever they are evaluated."""

from __future__ import annotations

import math

import numpy as np

from automl_gpt.cards.schema import Resources
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.forecasts.finished_curves import Past, thinned
from automl_gpt.tools.tune.forecasts.prefix import Curve
from automl_gpt.tools.tune.forecasts.stopping import StopRule, make_stop_rule
from tests.tools.tune.simulated import BOOSTING, TREES, TRIVIAL_CARD, add, play, started

RULE = StopRule(direction="maximize", incumbent=(0.90, 0.91, 0.89), trial=2, spread=0.004, margin=0.01, horizon=100)


def flat(level: float, n: int) -> tuple[list[int], list[float]]:
    return list(range(1, n + 1)), [level - 0.1 / s**2 for s in range(1, n + 1)]


def test_a_curve_that_levelled_off_far_below_is_stopped():
    reason = RULE.after_row(0, *flat(0.7, 40))
    assert reason is not None and "trial 2" in reason


def test_few_rows_a_good_curve_and_a_steep_one_go_on():
    assert RULE.after_row(0, *flat(0.7, 7)) is None
    assert RULE.after_row(0, *flat(0.895, 40)) is None
    steps = list(range(1, 31))
    assert RULE.after_row(0, steps, [0.5 + 0.006 * s for s in steps]) is None


def test_losses_are_judged_downwards():
    rule = RULE.model_copy(update={"direction": "minimize", "incumbent": (0.3, 0.3)})
    steps = list(range(1, 41))
    assert rule.after_row(0, steps, [0.6 + 0.1 / s**2 for s in steps]) is not None
    assert rule.after_row(0, steps, [0.29 + 0.1 / s**2 for s in steps]) is None


def test_a_curve_of_nan_or_with_a_jump_is_never_an_error():
    steps = list(range(1, 21))
    assert RULE.after_row(0, steps, [math.nan] * 20) is None
    RULE.after_row(0, steps, [0.5] * 10 + [-1e12] * 10)
    assert RULE.after_row(5, steps, [0.1] * 20) is None


def test_far_behind_after_one_fold_is_stopped_and_slightly_behind_is_kept():
    assert RULE.after_fold([0.80]) is not None
    assert RULE.after_fold([0.885]) is None
    assert RULE.after_fold([0.885, 0.90]) is None
    assert RULE.after_fold([0.86, 0.87]) is not None
    assert RULE.after_fold([0.92]) is None


def test_after_the_last_fold_nothing_is_left_to_stop():
    assert RULE.after_fold([0.1, 0.1, 0.1]) is None


def test_a_fold_without_a_score_ends_the_trial():
    assert RULE.after_fold([math.nan]) is not None


def test_trials_as_good_as_the_incumbent_are_hardly_ever_stopped():
    rng, stopped = np.random.default_rng(0), 0
    for _ in range(500):
        scores = np.array(RULE.incumbent) + rng.normal(0, 0.004, 3)
        stopped += any(RULE.after_fold(scores[:n].tolist()) for n in (1, 2))
    assert stopped <= 5


def test_a_rule_survives_json():
    assert StopRule.model_validate_json(RULE.model_dump_json()) == RULE


def test_the_baseline_and_the_first_trial_are_never_stopped():
    state = started(folds=3)
    add(state, "baseline", {}, 0.5)
    first = state.trials[add(state, "boosting", BOOSTING.default(), None)]
    for trial in (first, state.trials[1]):
        rule = make_stop_rule(state, trial)
        assert rule.after_fold([0.0]) is None and rule.after_row(0, *flat(0.0, 50)) is None


def test_the_first_trial_of_a_model_is_judged_between_folds_alone_and_more_patiently():
    state = started(folds=3)
    add(state, "baseline", {}, 0.5)
    n = add(state, "boosting", BOOSTING.default(), None)
    folds = (0.90, 0.91, 0.89)
    state.apply(e.TrialFinished(trial=n, status="finished", value=0.9, folds=folds, complete=True, seconds=1))
    first = make_stop_rule(state, state.trials[add(state, "trees", TREES.default(), None)])
    again = make_stop_rule(state, state.trials[add(state, "boosting", {**BOOSTING.default(), "depth": 3}, None)])
    assert first.horizon is None and again.horizon is not None
    assert first.incumbent == folds and first.after_fold([0.84]) is None
    assert again.after_fold([0.84]) is not None
    assert first.after_fold([0.5]) is not None


def test_only_a_trial_that_takes_long_carries_finished_curves_to_be_judged_by():
    cards = (TRIVIAL_CARD, BOOSTING, TREES.model_copy(update={"resources": Resources(seconds=300.0)}))
    state = started(cards=cards)
    for depth in range(1, 6):
        add(state, "boosting", {**BOOSTING.default(), "depth": depth}, 0.7)
        add(state, "trees", {**TREES.default(), "leaf": depth}, 0.7)
    quick = make_stop_rule(state, state.trials[add(state, "boosting", {**BOOSTING.default(), "depth": 9}, None)])
    dear = make_stop_rule(state, state.trials[add(state, "trees", {**TREES.default(), "leaf": 9}, None)])
    assert quick.past == () and len(dear.past) == 5 and dear.point
    steps = list(range(1, 11))
    assert any(dear.after_row(0, steps[:n], [0.2] * n) for n in range(1, 11))
    assert not any(dear.after_row(0, steps[:n], [0.72 - 0.18 / s for s in steps[:n]]) for n in range(1, 11))


def test_a_rule_is_made_for_every_state_of_a_run():
    state = play(started(), ("baseline", "boosting", "trees"), 10)
    assert make_stop_rule(state).incumbent == (state.best().value,)
    add(state, "trees", {**TREES.default(), "leaf": 50}, math.nan)
    assert make_stop_rule(state, state.trials[3]).spread > 0


def finished_curves(n: int) -> tuple[Past, ...]:
    rng, steps = np.random.default_rng(0), np.arange(1.0, 101)
    ends = rng.uniform(0.6, 0.9, n)
    curves = [Curve(steps, end - (end - 0.3) * np.exp(-0.05 * steps), 100.0) for end in ends]
    return tuple(thinned(c, [float(end)]) for c, end in zip(curves, ends, strict=True))


def test_with_finished_curves_a_hopeless_one_is_stopped_early_and_a_promising_one_goes_on():
    rule = RULE.model_copy(update={"past": finished_curves(12), "horizon": 100})
    stopped: dict[float, int] = {}
    for end in (0.65, 0.93):
        asked = rule.model_copy(update={"point": (end,)})
        values = [end - (end - 0.3) * math.exp(-0.05 * s) for s in range(1, 101)]
        rows = (n for n in range(1, 101) if asked.after_row(0, list(range(1, n + 1)), values[:n]))
        stopped[end] = next(rows, 100)
    assert stopped[0.65] <= 20 and stopped[0.93] == 100


def test_a_rule_with_finished_curves_survives_json_and_odd_rows():
    rule = RULE.model_copy(update={"past": finished_curves(5), "point": (-1.0,)})
    assert StopRule.model_validate_json(rule.model_dump_json()) == rule
    steps = list(range(1, 41))
    assert rule.after_row(0, steps, [math.nan] * 40) is None
    rule.after_row(0, steps, [0.5] * 20 + [-1e12] * 20)
    rule.after_row(0, [1, 1, 40, 40, 40], [0.1, 0.2, math.inf, 0.3, 0.3])


def test_at_a_rung_only_the_best_third_of_all_that_came_there_goes_on():
    past, steps = finished_curves(6), list(range(1, 8))
    there = [[v for s, v in zip(p.steps, p.values, strict=True) if s <= 6] for p in past]
    middle = sorted(map(max, there))[4]
    cut = tuple(
        p.model_copy(update={"steps": (*p.steps[: len(v) - 1], 6.0), "values": tuple(x - 0.2 for x in v)})
        for p, v in zip(past, there, strict=True)
    )
    cut = tuple(p.model_copy(update={"end": 100.0}) for p in cut)
    bare = {"past": past, "margin": 0.0, "spread": 0.0, "incumbent": (0.5,), "trial": 1}
    rule = RULE.model_copy(update={**bare, "rungs": (0.06,), "planned": 100.0})
    asked = [rule.after_row(0, steps[:6], [level] * 6) for level in (middle - 1e-4, middle + 1e-4)]
    assert asked[0] is not None and "were better by then" in asked[0] and asked[1] is None
    # curves that came to the rung and were ended count too: among more bad ones the same curve is in the best third
    assert rule.model_copy(update={"cut": cut}).after_row(0, steps[:6], [middle - 1e-4] * 6) is None
    # and what is behind by less than chance and what helps an ensemble goes on
    assert rule.model_copy(update={"margin": 0.05}).after_row(0, steps[:6], [middle - 1e-4] * 6) is None


def test_a_rule_knows_the_curves_that_were_ended_early_but_not_its_own():
    cards = (TRIVIAL_CARD, TREES.model_copy(update={"resources": Resources(seconds=300.0)}))
    state = started(cards=cards)
    for leaf in range(1, 4):
        add(state, "trees", {**TREES.default(), "leaf": leaf}, 0.7)
    for leaf in (5, 6):
        trial = state.trials[add(state, "trees", {**TREES.default(), "leaf": leaf}, 0.6)]
        assert trial.end is not None
        trial.end = trial.end.model_copy(update={"status": "pruned", "cut": True})
    rule = make_stop_rule(state, state.trials[5])
    assert len(rule.past) == 3 and len(rule.cut) == 1 and rule.rungs and rule.planned > 0
    assert rule.cut[0].end >= rule.cut[0].steps[-1]
    assert len(make_stop_rule(state, state.trials[add(state, "trees", {**TREES.default(), "leaf": 9}, None)]).cut) == 2
