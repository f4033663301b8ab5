"""With which configuration a model begins: what several near data sets agree on, not one lucky trial."""

from __future__ import annotations

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.tune.search.assignment import order
from automl_gpt.tools.tune.search.opening import promise, proven, ranks
from tests.tools.tune.simulated import BOOSTING, started

DEFAULT, OTHER = BOOSTING.default(), {**BOOSTING.default(), "rate": 0.07}


def past(data: str, value: float, configuration: Hyperparameters, model: str = "boosting", distance: float = 0.2):
    return e.SimilarTrial(
        run="r", data=data, fingerprint=data, model=model, hyperparameters=configuration, metric="roc_auc", value=value,
        baseline=0.5, best=0.95, seconds=1, rows=100, columns=5, distance=distance,
    )  # fmt: skip


def sets(*values: tuple[float, float], distance: float = 0.2) -> list[e.SimilarTrial]:
    """Data sets, each with the score of the default and of the other configuration."""
    both = [(f"d{i}", pair) for i, pair in enumerate(values)]
    return [past(d, v, c, distance=distance) for d, pair in both for v, c in zip(pair, (DEFAULT, OTHER), strict=True)]


def test_the_configuration_that_ranks_best_on_near_data_is_proven():
    found = proven(sets((0.8, 0.81), (0.7, 0.72), (0.9, 0.6), (0.6, 0.65)), BOOSTING)
    assert found is not None and found.hyperparameters == OTHER and found.sets == 4


def test_two_data_sets_prove_nothing():
    assert proven(sets((0.8, 0.9), (0.8, 0.9)), BOOSTING) is None
    assert proven([], BOOSTING) is None


def test_nearer_data_count_more():
    far = [t.model_copy(update={"fingerprint": f"far {t.data}"}) for t in sets(*[(0.9, 0.8)] * 3, distance=0.95)]
    found = proven([*sets(*[(0.8, 0.9)] * 3, distance=0.1), *far], BOOSTING)
    assert found is not None and found.hyperparameters == OTHER


def test_what_the_card_does_not_allow_is_never_proven():
    illegal = {**OTHER, "rate": 1e9}
    trials = [t for t in sets(*[(0.8, 0.9)] * 4) if t.hyperparameters == DEFAULT]
    trials += [past(f"d{i}", 0.99, illegal) for i in range(4)]
    found = proven(trials, BOOSTING)
    assert found is not None and found.hyperparameters == DEFAULT


def test_the_trivial_model_and_damaged_scores_take_no_part():
    trials = [*sets((0.8, 0.9), (0.8, 0.9), (0.8, 0.9)), *(past(f"d{i}", 1.0, {}, "baseline") for i in range(3))]
    trials += [past(f"d{i}", float("nan"), {}, "trees") for i in range(3)]
    assert promise(trials, {"boosting": BOOSTING}).keys() == {"boosting"}


def test_ranks_follow_the_metric_s_direction_and_share_ties():
    loss = [t.model_copy(update={"metric": "log_loss"}) for t in sets((0.2, 0.4))]
    assert ranks(loss) == [1.0, 0.0]
    assert ranks(sets((0.5, 0.5))) == [0.5, 0.5]


def test_a_model_that_wins_on_near_data_is_tried_first():
    state = started()
    models = [name for name in state.model_cards if name != "baseline"]
    first, _ = order(state, models, None)
    last = first[-1]
    trials = [past(f"d{i}", 0.9 if m == last else 0.6, {"x": 1}, m, 0.1) for i in range(8) for m in models]
    state.apply(e.ExperienceFound(trials=tuple(trials)))
    again, reason = order(state, models, None)
    assert again[0] == last and "experience on near data" in reason
