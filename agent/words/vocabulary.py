"""The words that are understood without a language model, without accents: English, German, French, Spanish."""

from __future__ import annotations

import re
from typing import Literal

Verb = Literal[
    "go", "stop", "why", "table", "show", "compare", "plan", "report", "undo", "help", "quit", "predict",
]  # fmt: skip


def _any(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])")


def _said(anywhere: tuple[str, ...], alone: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Match words anywhere, and words that mean something else in another language only as the whole message."""
    return re.compile(rf"{_any(*anywhere).pattern}|^\W*(?:{'|'.join(alone or anywhere)})\W*$")


VERBS: dict[Verb, re.Pattern[str]] = {
    "go": _said((
        "go", "go on", "continue", "proceed", "resume", "start", "begin", "train", "carry on", "keep going",
        "weiter", "mach weiter", "leg los", "starte?n?", "beginne?", "trainiere?",
        "vas-y", "allez", "allez-y", "lance", "demarre", "commence", "entraine", "poursuis",
        "sigue", "continua", "adelante", "entrena", "empieza", "arranca", "comienza", "vamos",
    ), ("los", "va", "yes", "ja", "oui", "si", "ok", "okay")),
    "stop": _said((
        "stop", "halt", "pause", "cancel", "abort", "enough",
        "stopp", "anhalten", "halt an", "aufhoren", "hor auf", "abbrechen",
        "arrete", "arretez", "suffit", "detente", "basta",
    ), ("para", "alto")),
    "why": _any("why", "how come", "what for", "warum", "wieso", "weshalb", "pourquoi", "por que"),
    "table": _said((
        "(?:show|list|see)(?: me)?(?: all)?(?: the)? (?:trials?|results|table|scores)", "how is it going",
        "what(?:'s| is) the (?:best|status|score)",
        "zeige?(?: mir)?(?: die| den| alle)? (?:versuche?|ergebnisse|tabelle)", "wie steht es",
        "(?:montre|affiche)s?(?:-moi)?(?: tous)?(?: les| l'| la)? ?(?:essais?|resultats|table(?:au)?)",
        "(?:muestra|ensena)(?:me)?(?: todos)?(?: los| las| el| la)? (?:ensayos?|pruebas?|resultados|tabla)",
    ), ("trials", "status", "progress", "results", "ergebnisse", "resultats", "resultados")),
    "compare": _any("compare", "comparison", "vergleiche?", "vergleich", "comparer?", "compara"),
    "plan": _any("plan", "what would you do", "what will you do", "plane", "planifie", "planifica"),
    "report": _any("report", "bericht", "rapport", "informe", "reporte"),
    "undo": _any(
        "undo", "take (?:it|that) back", "revert", "ruckgangig", "nimm (?:es|das) zuruck", "annule", "deshaz",
        "deshacer",
    ),
    "help": _any(
        "help", "what can (?:i|you) (?:do|say)", "hilfe", "hilf(?: mir)?", "aide", "aide-moi", "au secours", "ayuda",
        "ayudame", "commands",
    ),
    "quit": _said((
        "quit", "exit", "bye", "goodbye", "leave", "beende?n?", "tschuss", "quitte?r?", "au revoir", "adios", "salir",
    ), ("sal", "ende", "q")),
    "predict": _any(
        "predict(?:ions?)?(?: for| on)?", "score", "apply", "sage?", "vorhersagen?", "vorhersage", "prognose",
        "predis(?:ez)?", "prediction", "predire", "predice", "predecir", "prediccion",
    ),
}  # fmt: skip
"""Each verb and what it is recognised by."""

UNITS = {
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0, "stunde": 3600.0, "stunden": 3600.0,
    "heure": 3600.0, "heures": 3600.0, "hora": 3600.0, "horas": 3600.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "minuten": 60.0, "minuto": 60.0,
    "minutos": 60.0,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "sekunde": 1.0, "sekunden": 1.0, "sek": 1.0,
    "seconde": 1.0, "secondes": 1.0, "segundo": 1.0, "segundos": 1.0,
}  # fmt: skip
"""Units of time in seconds."""

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30,
    "an": 1, "a": 1,
    "eine": 1, "ein": 1, "zwei": 2, "drei": 3, "funf": 5, "zehn": 10, "zwanzig": 20, "dreissig": 30,
    "une": 1, "un": 1, "deux": 2, "trois": 3, "cinq": 5, "dix": 10, "vingt": 20, "trente": 30,
    "una": 1, "dos": 2, "tres": 3, "cinco": 5, "diez": 10, "veinte": 20, "treinta": 30,
}  # fmt: skip
"""Numbers that people write out."""

FRACTIONS = (
    (_any("half an hour", "(?:eine )?halbe stunde", "(?:une )?demi-heure", "media hora"), 1800.0),
    (_any("an hour and a half", "anderthalb stunden", "eineinhalb stunden", "hora y media"), 5400.0),
    (_any("half a minute", "(?:eine )?halbe minute", "medio minuto"), 30.0),
    (_any("a quarter of an hour", "(?:eine )?viertelstunde", "un quart d'heure", "un cuarto de hora"), 900.0),
)
"""Spans of time that hold no number."""

METRIC_WORDS = {
    "auc": "roc_auc", "area under the curve": "roc_auc", "roc": "roc_auc", "acc": "accuracy",
    "genauigkeit": "accuracy", "exactitude": "accuracy", "exactitud": "accuracy",
    "logloss": "log_loss", "log-loss": "log_loss", "cross entropy": "log_loss", "crossentropy": "log_loss",
    "f1 score": "f1", "f-score": "f1", "macro f1": "f1_macro", "f1 macro": "f1_macro", "matthews": "mcc",
    "mean absolute error": "mae", "mittlerer absoluter fehler": "mae", "root mean squared error": "rmse",
    "mean squared error": "rmse", "r squared": "r2", "r-squared": "r2", "brier score": "brier",
    "precision-recall": "average_precision", "pr auc": "average_precision",
}  # fmt: skip
"""Further names of metrics."""

FAMILIES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (_any("random ?forests?", "rf", "zufallswald", "forets? aleatoires?", "bosques? aleatorios?"), ("randomforest",)),
    (_any("extra ?trees?", "extremely randomi[sz]ed trees?"), ("extratrees",)),
    (_any("forests?", "bagged trees"), ("forest", "extratrees")),
    (_any("xgb", "xg-?boost"), ("xgb",)),
    (_any("lgbm?", "light ?gbm?"), ("lightgbm", "lgbm")),
    (_any("gradient[ -]?boosting", "boosting", "boosted trees", "gbdt", "gbm"), ("xgb", "lightgbm", "lgbm")),
    (
        _any(
            "neural ?net(?:work)?s?", "nn", "mlps?", "perceptrons?", "deep learning", "neuronale[sn]? netze?",
            "reseaux? de neurones", "red(?:es)? neuronal(?:es)?",
        ),
        ("mlp", "neural", "perceptron"),
    ),
    (
        _any("linear(?: models?| regression)?", "linear\\w* modelle?", "modeles? lineaires?", "modelos? lineal(?:es)?"),
        ("linear", "logistic", "ridge"),
    ),
    (_any("logistic(?: regression)?", "logit", "logistische regression"), ("logistic", "linear")),
    (_any("ridge(?: regression)?"), ("ridge", "linear")),
    (_any("knn", "k-?nn", "(?:k[ -])?nearest[ -]neighbou?rs?", "nachste nachbarn", "plus proches voisins",
          "vecinos mas cercanos"), ("knn", "nearest", "neighbor", "neighbour")),
)  # fmt: skip
"""Families of models: what people call them, and what the names of Model Cards contain."""

EXAMPLES = (
    ("a metric", "optimise accuracy"),
    ("a budget", "10 minutes; 30 trials"),
    ("models", "try a random forest; only lightgbm and xgboost; no neural networks"),
    ("limits", "smaller learning rates; max_depth at most 6; only models under 1 MB"),
    ("data", "a card's name, data.csv, or a pasted Data Card"),
    ("new rows", "predict new.csv"),
    ("the run", "go on; why?; show trials; undo; help"),
)
"""What plain words can say, each with examples."""
