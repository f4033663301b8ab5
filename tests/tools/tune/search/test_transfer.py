"""What other data teach: configurations that complement each other, weighed by nearness and by agreement."""

from __future__ import annotations

import numpy as np

from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.tune.candidates import Space
from automl_gpt.tools.tune.search.transfer import MOST, complementary, past_sets
from automl_gpt.tools.tune.space import decode, matrix
from tests.tools.tune.simulated import TREES

SPACE = Space(TREES)


def past(data: str, leaf: int, share: float, distance: float = 0.1) -> SimilarTrial:
    return SimilarTrial(
        run=data, data=data, model="trees", hyperparameters=TREES.complete({"leaf": leaf}), metric="roc_auc",
        value=0.5 + 0.4 * share, baseline=0.5, best=0.9, seconds=1, rows=100, columns=5, distance=distance,
    )  # fmt: skip


def leaves(at: np.ndarray) -> list[object]:
    return [decode(TREES, x)["leaf"] for x in at]


SMALL, LARGE, MIDDLE = {1: 1.0, 10: 0.7, 100: 0.0}, {1: 0.0, 10: 0.7, 100: 1.0}, {1: 0.2, 10: 0.7, 100: 0.3}


def trials(**sets: dict[int, float]) -> list[SimilarTrial]:
    return [past(name, leaf, share) for name, shares in sets.items() for leaf, share in shares.items()]


def test_the_first_choice_is_good_everywhere_and_the_next_ones_complement_it():
    transfer = past_sets(SPACE, trials(a=SMALL, b=LARGE, c=MIDDLE))
    assert transfer is not None
    none = matrix(TREES, [])
    chosen = leaves(complementary(transfer, transfer.weights(none, np.zeros(0)), none, 5))
    assert chosen[0] == 10
    assert set(chosen) == {1, 10, 100}


def test_what_the_run_tried_already_is_not_chosen_again():
    transfer = past_sets(SPACE, trials(a=SMALL, b=LARGE, c=MIDDLE))
    assert transfer is not None
    tried = matrix(TREES, [TREES.complete({"leaf": 10})])
    assert 10 not in leaves(complementary(transfer, np.full(3, 1 / 3), tried, 5))


def test_sets_count_by_nearness_and_by_agreement_with_what_was_seen():
    near = [past("a", leaf, share, 0.05) for leaf, share in SMALL.items()]
    far = [past("b", leaf, share, 0.5) for leaf, share in LARGE.items()]
    transfer = past_sets(SPACE, near + far)
    assert transfer is not None
    nothing = transfer.weights(matrix(TREES, []), np.zeros(0))
    assert nothing[0] > nothing[1]
    seen = matrix(TREES, [TREES.complete({"leaf": leaf}) for leaf in (1, 3, 10, 30, 100)])
    agreed = transfer.weights(seen, np.arange(5.0))
    assert agreed[1] > nothing[1]
    assert np.isclose(agreed.sum(), 1)


def test_far_data_other_models_and_scores_without_a_scale_teach_nothing():
    far, other = past("a", 1, 1.0, 0.9), past("b", 1, 1.0).model_copy(update={"model": "boosting"})
    flat = past("c", 1, 1.0).model_copy(update={"best": 0.5})
    illegal = past("d", 1, 1.0).model_copy(update={"hyperparameters": {"gone": 1}})
    assert past_sets(SPACE, [far, other, flat, illegal]) is None
    assert past_sets(SPACE, []) is None


def test_a_huge_experience_is_cut_to_the_nearest():
    rng = np.random.default_rng(0)
    many = [past(f"d{i % 40}", int(rng.integers(1, 101)), float(rng.random()), 0.01 * (i % 40)) for i in range(3000)]
    transfer = past_sets(SPACE, many)
    assert transfer is not None
    assert sum(len(s.shares) for s in transfer.sets) == MOST
