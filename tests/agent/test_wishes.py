"""Wishes in four languages that become limits which code enforces; what is not sure to be one becomes none."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from automl_gpt.agent.words.understand import understand
from automl_gpt.agent.words.wishes import Wishes, limits_of
from automl_gpt.cards.library import model_cards
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import check_limits
from automl_gpt.tools.journal.state import RunState, fold

CARDS = [card for card in model_cards().values() if card.modality in ("tabular", "any")]
NAMES = [card.name for card in CARDS]
SMALLER = (("lightgbm", None, 0.045), ("mlp", None, 0.001), ("xgboost", None, 0.05))
DEEPER = (("lightgbm", "num_leaves", 32, None), ("xgboost", "max_depth", 7, None))


def read(text: str) -> Wishes:
    return limits_of(text, None, CARDS)


def limit(text: str) -> tuple[str, str | None, float | None, float | None]:
    [found] = read(text).limits
    assert not found.choices
    return found.parameter, found.model, found.low, found.high


@pytest.mark.parametrize(
    "text",
    [
        "smaller learning rates", "lower learning rates please", "use a smaller learning rate",
        "lower the learning rate",
        "the learning rate should be lower", "reduce the learning rate", "kleinere Lernraten", "niedrigere Lernrate",
        "des taux d'apprentissage plus petits", "un taux d’apprentissage plus faible",
        "tasas de aprendizaje más pequeñas",
        "menor tasa de aprendizaje", "smaller learning rates!",
    ],
)  # fmt: skip
def test_smaller_means_smaller_than_the_default_of_each_model_before_a_trial(text: str) -> None:
    assert tuple((found.model, found.low, found.high) for found in read(text).limits) == SMALLER
    assert {found.parameter for found in read(text).limits} == {"learning_rate"}


@pytest.mark.parametrize("text", ["deeper trees", "larger trees", "tiefere Bäume", "arbres plus profonds",
                                  "árboles más profundos"])  # fmt: skip
def test_deeper_trees_have_more_levels_or_leaves(text: str) -> None:
    assert tuple((f.model, f.parameter, f.low, f.high) for f in read(text).limits) == DEEPER


@pytest.mark.parametrize("text", ["shallower trees", "smaller trees", "flachere Bäume", "arbres moins profonds"])
def test_shallower_trees_have_fewer(text: str) -> None:
    assert [(f.parameter, f.high) for f in read(text).limits] == [("num_leaves", 30), ("max_depth", 5)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning rate below 0.05", ("learning_rate", None, None, 0.05)),
        ("learning_rate <= 0.05", ("learning_rate", None, None, 0.05)),
        ("learning rate of at most 5e-2", ("learning_rate", None, None, 0.05)),
        ("lr under .05", ("learning_rate", None, None, 0.05)),
        ("the learning rate should stay below 0.05", ("learning_rate", None, None, 0.05)),
        ("Lernrate höchstens 0,05", ("learning_rate", None, None, 0.05)),
        ("Lernrate nicht über 0,05", ("learning_rate", None, None, 0.05)),
        ("keine Lernrate über 0,05", ("learning_rate", None, None, 0.05)),
        ("taux d'apprentissage au plus 0,05", ("learning_rate", None, None, 0.05)),
        ("tasa de aprendizaje menor que 0.05", ("learning_rate", None, None, 0.05)),
        ("no learning rate above 0.05", ("learning_rate", None, None, 0.05)),
        ("learning rate at least 0.02", ("learning_rate", None, 0.02, None)),
        ("learning rate not below 0.02", ("learning_rate", None, 0.02, None)),
        ("learning rate between 0.01 and 0.1", ("learning_rate", None, 0.01, 0.1)),
        ("Lernrate zwischen 0,01 und 0,1", ("learning_rate", None, 0.01, 0.1)),
        ("taux d'apprentissage entre 0,01 et 0,1", ("learning_rate", None, 0.01, 0.1)),
        ("learning rate from 1e-3 to 5e-3", ("learning_rate", None, 0.001, 0.005)),
        ("max_depth at most 6", ("max_depth", None, None, 6)),
        ("max depth below 6", ("max_depth", None, None, 5)),
        ("depth over 6", ("max_depth", None, 7, None)),
        ("depth 4", ("max_depth", None, 4, 4)),
        ("no more than 31 leaves", ("num_leaves", None, None, 31)),
        ("at most 3 layers", ("hidden_layers", None, None, 3)),
        ("mindestens 3 Schichten", ("hidden_layers", None, 3, None)),
        ("au plus 3 couches", ("hidden_layers", None, None, 3)),
        ("como máximo 3 capas", ("hidden_layers", None, None, 3)),
        ("batch size 64", ("batch_size", None, 64, 64)),
        ("larger batch size", ("batch_size", "mlp", 256, None)),
        ("xgboost's learning rate below 0.05", ("learning_rate", "xgboost", None, 0.05)),
        ("learning rate of xgboost below 0.05", ("learning_rate", "xgboost", None, 0.05)),
        ("learning rate below 0.05 for xgboost", ("learning_rate", "xgboost", None, 0.05)),
        ("for lightgbm: learning rate below 0.05", ("learning_rate", "lightgbm", None, 0.05)),
        ("smaller learning rates for the neural network", ("learning_rate", "mlp", None, 0.001)),
    ],
)  # fmt: skip
def test_an_end_of_a_range_is_a_limit(text: str, expected: tuple[object, ...]) -> None:
    assert limit(text) == expected


def test_a_word_among_choices_is_held() -> None:
    [found] = read("class weight balanced").limits
    assert (found.parameter, found.choices) == ("class_weight", ("balanced",))


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [
        ("only models under 1 MB", 1.0), ("nur Modelle unter 1 MB", 1.0), ("des modèles de moins de 1 Mo", 1.0),
        ("solo modelos de menos de 500 KB", 0.5), ("models smaller than 2,5 MB", 2.5), ("at most 2 gigabytes", 2000.0),
        ("no models above 1 MB", 1.0), ("keep the model below 300 kB", 0.3), ("Modell höchstens 10 MB", 10.0),
    ],
)  # fmt: skip
def test_a_size_is_one_of_the_model(text: str, megabytes: float) -> None:
    found = read(text)
    assert found == Wishes(megabytes=megabytes)
    assert found.fields(e.Request()) == {"megabytes": megabytes}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("under 2 s per 1000 predictions", 2.0), ("less than 1 ms per row", 1.0), ("1,000 predictions under 2 s", 2.0),
        ("unter 50 ms pro 1000 Zeilen", 0.05), ("moins de 2 secondes pour mille prédictions", 2.0),
    ],
)  # fmt: skip
def test_a_speed_is_one_of_predictions_and_no_budget(text: str, seconds: float) -> None:
    assert read(text) == Wishes(seconds_per_1000=seconds)
    assert [intent.kind for intent in understand(text, None, NAMES, list(METRICS), CARDS)] == ["limit"]


@pytest.mark.parametrize(
    "text",
    [
        "", "is a smaller learning rate better?", "what about learning rate below 0.1?",
        "don't use smaller learning rates",
        "no smaller learning rates", "keine tieferen Bäume", "try a learning rate of 0.05", "memory under 500 MB",
        "smaller models", "more features", "accuracy above 0.9", "at most 30 trials", "under 10 minutes", "1 MB",
        "learning rate below 99999e999", "learning rate below 0.05%", "batch size 64 or 128", "models over 1 MB",
        "I read of learning rates in a paper of 2019", "depth charge", "under 0 MB", "(((", "a" * 5000, "learning rate",
        "the best trial has a learning rate that someone set, below is the table of 5 trials",
    ],
)  # fmt: skip
def test_what_is_no_sure_limit_is_none(text: str) -> None:
    assert not read(text)


def test_a_limit_can_be_taken_back_in_words() -> None:
    now = e.Request(limits=(e.Limit(parameter="learning_rate", high=0.05), e.Limit(parameter="max_depth", high=4)))
    assert read("any learning rate").fields(now) == {"limits": now.limits[1:]}
    assert read("beliebige Lernrate").words() == "learning_rate without a limit"


def test_what_was_said_last_counts_and_the_other_end_stays() -> None:
    now = e.Request(limits=read("learning rate between 0.02 and 0.1").limits)
    assert read("learning rate below 0.05").fields(now)["limits"] == (
        e.Limit(parameter="learning_rate", low=0.02, high=0.05),
    )
    assert read("learning rate below 0.015").fields(now)["limits"] == (e.Limit(parameter="learning_rate", high=0.015),)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("learning rate at most 0.05, 10 minutes, only xgboost", ["seconds", "models", "limit"]),
        ("use accuracy, learning rate below 0.05, then go", ["metric", "limit", "go"]),
        ("go on with smaller learning rates", ["limit", "go"]),
        ("learning rate at most 0.05 and no random forest", ["models", "limit"]),
        ("xgboost's learning rate below 0.05", ["limit"]),
        ("for xgboost and lightgbm: learning rate below 0.05", ["limit"]),
        ("train xgboost with learning rate below 0.05", ["models", "limit", "go"]),
        ("only models under 1 MB", ["limit"]),
        ("depth at most 4 and 10 minutes", ["seconds", "limit"]),
        ("predict new.csv", ["predict"]),
    ],
)  # fmt: skip
def test_limits_live_beside_other_wishes(text: str, kinds: list[str]) -> None:
    found = understand(text, None, NAMES, list(METRICS), CARDS)
    assert [intent.kind for intent in found] == kinds


def test_a_limit_in_words_says_what_is_enforced() -> None:
    found = understand("depth at most 4, only models under 1 MB", None, NAMES, list(METRICS), CARDS)
    assert [intent.words() for intent in found] == ["limit max_depth at most 4; models of at most 1 MB"]


def test_smaller_means_smaller_than_the_best_so_far_once_there_is_one(begun: list[e.Event]) -> None:
    state = _with_best(begun)
    found = limits_of("a smaller rate and less depth", state, list(state.model_cards.values())).limits
    assert [(f.model, f.parameter, f.high) for f in found if f.model == "boosted"] == [
        ("boosted", "rate", 0.03),
        ("boosted", "depth", 3),
    ]
    assert [f.high for f in found if f.model == "forest"] == [0.1, 5]


def _with_best(begun: list[e.Event]) -> RunState:
    state = fold("r", begun)
    for number, (rate, depth, value) in enumerate([(0.2, 9, 0.6), (0.03, 4, 0.9), (0.5, 2, 0.7)], 1):
        values = {"rate": rate, "depth": depth, "kind": "plain"}
        state.apply(
            e.TrialProposed(trial=number, model="boosted", hyperparameters=values, reason="", by="builtin", seed=1)
        )
        state.apply(e.TrialFinished(trial=number, status="finished", value=value, complete=True))
    return state


def test_what_is_understood_can_be_kept_by_the_shipped_models() -> None:
    for text in ("smaller learning rates", "deeper trees", "shallower trees", "fewer neighbors", "larger batch size"):
        check_limits(e.Request(**read(text).fields(e.Request())), CARDS)


@pytest.mark.parametrize(
    "make",
    [lambda: "learning rate " * 140, lambda: "no more than " * 150, lambda: "1 " * 990, lambda: "smaller " * 240],
)
def test_no_text_takes_long_to_read(make: Callable[[], str]) -> None:
    before = time.monotonic()
    read(make())
    assert time.monotonic() - before < 5
