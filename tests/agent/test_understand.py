from __future__ import annotations

import pytest

from automl_gpt.agent.words.understand import Intent, understand
from automl_gpt.tools.evaluate.metrics import METRICS

MODELS = ("lightgbm", "xgboost", "random_forest", "extra_trees", "logistic_regression", "knn", "mlp", "baseline")
ALL = MODELS[:-1]


def read(text: str) -> list[Intent]:
    return understand(text, None, MODELS, list(METRICS))


def without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in ALL if name not in names)


def first(*names: str) -> tuple[str, ...]:
    return (*names, *without(*names))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("go on", "go"), ("Go!", "go"), ("please continue", "go"), ("weiter", "go"), ("Los!", "go"), ("vas-y", "go"),
        ("entraîne", "go"), ("sigue", "go"), ("adelante", "go"), ("start training", "go"), ("ok", "go"),
        ("stop", "stop"), ("Stopp!", "stop"), ("arrête", "stop"), ("detente", "stop"), ("para", "stop"),
        ("why?", "why"), ("Warum?", "why"), ("pourquoi ?", "why"), ("¿por qué?", "why"), ("why did it stop?", "why"),
        ("show trials", "table"), ("show me the results", "table"), ("zeig mir die Versuche", "table"),
        ("montre les essais", "table"), ("muestra los ensayos", "table"), ("what is the best?", "table"),
        ("help", "help"), ("Hilfe", "help"), ("aide", "help"), ("ayuda", "help"), ("what can you do?", "help"),
        ("undo", "undo"), ("rückgängig", "undo"), ("annule", "undo"), ("deshaz", "undo"),
        ("quit", "quit"), ("au revoir", "quit"), ("report", "report"), ("Bericht", "report"), ("informe", "report"),
    ],
)  # fmt: skip
def test_a_simple_verb_is_one_intent_in_four_languages(text: str, kind: str) -> None:
    assert [intent.kind for intent in read(text)] == [kind]


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("optimise accuracy", "accuracy"), ("use AUC", "roc_auc"), ("ROC AUC please", "roc_auc"),
        ("log loss", "log_loss"),
        ("log-loss", "log_loss"), ("minimise the mean absolute error", "mae"),
        ("balanced accuracy", "balanced_accuracy"),
        ("Genauigkeit bitte", "accuracy"), ("f1 macro", "f1_macro"), ("f1", "f1"), ("nimm R2", "r2"),
    ],
)  # fmt: skip
def test_a_metric_is_recognised_by_its_longest_name(text: str, metric: str) -> None:
    assert read(text) == [Intent("metric", name=metric)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 minutes", 600), ("10m", 600), ("you have 90 s", 90), ("1h30", 5400), ("1h 30m", 5400), ("2 hours", 7200),
        ("half an hour", 1800), ("eine halbe Stunde", 1800), ("zehn Minuten", 600), ("cinq minutes", 300),
        ("media hora", 1800), ("diez minutos", 600), ("1.5 hours", 5400), ("1,5 Stunden", 5400), ("one minute", 60),
    ],
)  # fmt: skip
def test_a_span_of_time_is_a_budget_in_seconds(text: str, seconds: float) -> None:
    assert read(text) == [Intent("seconds", amount=seconds)]


@pytest.mark.parametrize("text", ["30 trials", "at most 30 trials", "30 Versuche", "30 essais", "30 ensayos"])
def test_a_number_of_trials_is_a_budget(text: str) -> None:
    assert read(text) == [Intent("trials", amount=30)]


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("try a random forest", first("random_forest")),
        ("only lightgbm and xgboost", ("lightgbm", "xgboost")),
        ("lightgbm and xgboost only", ("xgboost", "lightgbm")),
        ("nur xgb", ("xgboost",)),
        ("seulement lightgbm et xgboost", ("lightgbm", "xgboost")),
        ("solo xgboost y knn", ("xgboost", "knn")),
        ("no neural networks", without("mlp")),
        ("keine neuronalen Netze", without("mlp")),
        ("pas de réseaux de neurones", without("mlp")),
        ("sin redes neuronales", without("mlp")),
        ("no xgboost and no knn", without("xgboost", "knn")),
        ("no xgboost but try a random forest", ("random_forest", *without("random_forest", "xgboost"))),
        ("versuche einen Zufallswald", first("random_forest")),
        ("gradient boosting", first("lightgbm", "xgboost")),
        ("extra-trees", first("extra_trees")),
    ],
)
def test_models_are_named_excluded_or_put_first(text: str, models: tuple[str, ...]) -> None:
    assert read(text) == [Intent("models", models=models)]


def test_several_wishes_of_one_sentence_are_all_heard_and_going_comes_last() -> None:
    found = read("use f1 and 5 minutes, no neural nets, then go")
    assert [intent.kind for intent in found] == ["metric", "seconds", "models", "go"]
    assert found[1].amount == 300
    assert "mlp" not in found[2].models


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("data.csv", "data.csv"), ("train on ./my data/x.parquet", "data/x.parquet"),
        ('use "my data.csv"', "my data.csv"),
        ("~/x.jsonl.gz", "~/x.jsonl.gz"), ("card.yaml", "card.yaml"), ("have a look at data.csv.", "data.csv"),
        ("I have pictures in ./pics, tell cats from dogs", "./pics"), ("train on /data/pics/", "/data/pics/"),
        ("cells.zip please", "cells.zip"), ('look into "../my/pics"', "../my/pics"),
    ],
)  # fmt: skip
def test_a_file_is_data(text: str, file: str) -> None:
    assert Intent("data", file=file) in read(text)


@pytest.mark.parametrize(
    "text", ["predict new.csv", "sage new.csv vorher", "prédis new.csv", "predice new.csv", "predict new.csv?"]
)
def test_predicting_a_file_is_not_reading_it_as_data(text: str) -> None:
    assert read(text) == [Intent("predict", file="new.csv")]


def test_predictions_go_where_the_person_says() -> None:
    assert read("predict ./new into out.csv") == [Intent("predict", file="./new", out="out.csv")]
    assert read("predict new.csv into out.csv") == [Intent("predict", file="new.csv", out="out.csv")]


def test_a_number_of_a_trial_belongs_to_the_question() -> None:
    assert read("why trial 3?") == [Intent("why", number=3)]
    assert read("show trial 12") == [Intent("show", number=12)]
    assert read("compare trial 2") == [Intent("compare", number=2)]


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "???", "lorem ipsum dolor", "I like cats", "don't stop", "please do not train", "is accuracy good?",
        "how many trials are there?", "should I use xgboost?", "quiero los mejores", "\x1b[31m", "0 trials",
        "schönes Wetter für morgen", "para mañana", "a" * 5000, "(((((((", "[a-z]+*", "ça va bien aujourd'hui",
    ],
)  # fmt: skip
def test_what_is_not_understood_gives_nothing_and_a_question_changes_nothing(text: str) -> None:
    assert read(text) == []


def test_an_intent_can_be_said_in_words() -> None:
    assert Intent("seconds", amount=600).words() == "budget in seconds 600"
    assert Intent("predict", file="a.csv", out="b.csv").words() == "predict a.csv into b.csv"
    assert Intent("why", number=3).words() == "why 3"
    assert Intent("go").words() == "go"
