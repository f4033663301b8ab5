"""What plain words mean, as far as fixed rules can tell: a small, honest and deterministic reading; no language model.

English, and the simple verbs of German, French and Spanish. A question never changes anything; what is not recognised
gives no intent, and the chat says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from automl_gpt.agent.words.spoken import fold_accents, named_models, pattern_of
from automl_gpt.agent.words.vocabulary import FRACTIONS, METRIC_WORDS, NUMBERS, UNITS, VERBS, Verb
from automl_gpt.agent.words.wishes import NO_WISHES, Wishes, take_limits
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.journal.state import TRIVIAL, RunState

Kind = Literal[
    "metric", "seconds", "trials", "models", "limit", "data", "predict",
    "go", "stop", "why", "table", "show", "compare", "plan", "report", "undo", "help", "quit",
]  # fmt: skip


@dataclass(frozen=True)
class Intent:
    """One thing that the words ask for. Only the fields that its kind needs are filled.

    `name` is a metric, `models` the candidates that the person wants from now on, `amount` seconds or trials, `number`
    a trial, `file` a path as it was typed, `out` where predictions go, `wishes` the limits that code shall enforce.
    """

    kind: Kind
    name: str = ""
    models: tuple[str, ...] = ()
    amount: float = 0.0
    number: int | None = None
    file: str = ""
    out: str = ""
    wishes: Wishes = NO_WISHES

    def words(self) -> str:
        """Return the intent in words, as it is echoed to the person."""
        details = {
            "metric": self.name,
            "seconds": f"{self.amount:g}",
            "trials": f"{self.amount:g}",
            "models": ", ".join(self.models),
            "limit": self.wishes.words(),
            "data": self.file,
            "predict": self.file + (f" into {self.out}" if self.out else ""),
        }
        number = "" if self.number is None else str(self.number)
        name = {"seconds": "budget in seconds", "trials": "budget in trials"}.get(self.kind, self.kind)
        return f"{name} {details.get(self.kind, number)}".rstrip()


ENDING = r"\.(?:csv|tsv|txt|parquet|pq|jsonl|ndjson|json|ya?ml|zip)(?:\.(?:gz|bz2|xz|zst))?"
FILE = re.compile(
    rf"""(?:"([^"]+)"|'([^']+)'|(\S+?{ENDING})|(?<!\S)((?:\.{{1,2}}/|~/|/[^\s/]+/)[^\s"',;:!?]*[^\s"',;:!?.])"""
    rf"""(?! \S+/\S*{ENDING}))(?=[\s,;:!?.]|$)""",
    re.IGNORECASE,
)
"""What is quoted, or has a suffix of data, or begins like a path, which may be that of a folder.

A word that begins like a path before a path with a suffix is the first part of one with a space in it.
"""
FILE_ENDING = re.compile(rf"{ENDING}$|^(?:\.{{1,2}}/|~/|/[^/]+/).", re.IGNORECASE)
READ_ONLY = ("why", "table", "show", "compare", "help", "report")


def understand(
    text: str,
    state: RunState | None = None,
    models: Sequence[str] = (),
    metrics: Sequence[str] = (),
    cards: Sequence[ModelCard] = (),
) -> list[Intent]:
    """Return what the words ask for, in the order in which it is to be done; empty where nothing is recognised.

    `cards` are the Model Cards whose hyperparameters the person may limit.
    """
    files, rest = _files(text)
    spoken, wishes = fold_accents(rest), NO_WISHES
    if cards and not text.rstrip().endswith("?"):
        wishes, spoken = take_limits(spoken, state, cards)
    verbs = _verbs(spoken)
    question = text.rstrip().endswith("?") or "why" in verbs
    if question and not files:
        return [_with_number(verb, spoken) for verb in READ_ONLY if verb in verbs][:1]
    found = list(_file_intents(files, verbs))
    found += _changes(spoken, state, models, metrics)
    found += [Intent("limit", wishes=wishes)] if wishes else []
    asked = [verb for verb in verbs if verb != "predict"]
    if not any(intent.kind in ("data", "predict") for intent in found):
        asked = asked[:1]
    if len(asked) == 1 and not (found and asked[0] in READ_ONLY):
        found.append(_with_number(asked[0], spoken))
    return found


def _files(text: str) -> tuple[list[str], str]:
    """Take the names of files out of a text; return them and what is left."""
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group)
        if not FILE_ENDING.search(name):
            return match.group(0)
        found.append(name)
        return " "

    return found, FILE.sub(take, text)


def _file_intents(files: list[str], verbs: list[Verb]) -> Iterator[Intent]:
    if files and "predict" in verbs:
        yield Intent("predict", file=files[0], out=files[1] if len(files) > 1 else "")
        return
    for file in files:
        yield Intent("data", file=file)


def _verbs(spoken: str) -> list[Verb]:
    """Return the verbs in the order in which they stand; one that is denied counts as not said."""
    places: list[tuple[int, Verb]] = []
    for verb, pattern in VERBS.items():
        for match in pattern.finditer(spoken):
            before = spoken[: match.start()].split()[-2:]
            if not {"not", "don't", "dont", "never", "nicht", "pas", "ne", "n'", "nunca"} & set(before):
                places.append((match.start(), verb))
                break
    return [verb for _, verb in sorted(places)]


def _with_number(verb: Verb | str, spoken: str) -> Intent:
    match = re.search(r"(?:trial|versuch|essai|ensayo|prueba|number|nummer|#)\s*#?(\d{1,6})\b", spoken)
    number = int(match.group(1)) if match else None
    if verb == "table" and number is not None:
        verb = "show"
    return Intent(verb, number=number if verb in ("why", "show", "compare") else None)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ metric, budget and models


def _changes(spoken: str, state: RunState | None, models: Sequence[str], metrics: Sequence[str]) -> Iterator[Intent]:
    metric, rest = _metric(spoken, metrics)
    if metric:
        yield Intent("metric", name=metric)
    seconds = seconds_in(rest)
    if seconds:
        yield Intent("seconds", amount=seconds)
    count = re.search(
        r"\b(\d{1,6}) *(?:more )?(?:trials?|versuche?n?|essais?|ensayos?|pruebas?|runs?|models?|iterations?)\b", rest
    )
    if count and int(count.group(1)) > 0:
        yield Intent("trials", amount=float(count.group(1)))
    wanted = _models(rest, state, [name for name in models if name != TRIVIAL])
    if wanted:
        yield Intent("models", models=wanted)


def _metric(spoken: str, metrics: Sequence[str]) -> tuple[str, str]:
    """Return the one metric that is named (the longest name counts), and the text without it."""
    names = {pattern_of(name): name for name in metrics}
    names.update({pattern_of(word): name for word, name in METRIC_WORDS.items() if name in metrics})
    for pattern in sorted(names, key=len, reverse=True):
        match = re.search(rf"(?<![\w-]){pattern}(?![\w-])", spoken)
        if match:
            return names[pattern], f"{spoken[: match.start()]} {spoken[match.end() :]}"
    return "", spoken


def seconds_in(spoken: str) -> float:
    """Return the span of time that is named: 10m, 1h30m, 90 seconds, half an hour, eine halbe Stunde, dix minutes."""
    for pattern, seconds in FRACTIONS:
        if pattern.search(spoken):
            return seconds
    total = 0.0
    units = "|".join(sorted((unit for unit in UNITS), key=len, reverse=True))
    amounts = "|".join(NUMBERS)
    for amount, unit in re.findall(rf"(?<![^\s(~])(\d+(?:[.,]\d+)?|{amounts})[ -]?({units})(?=\W|\d|$)", spoken):
        total += (NUMBERS[amount] if amount in NUMBERS else float(amount.replace(",", "."))) * UNITS[unit]
    joined = re.search(r"(?<!\w)(\d+)h(\d{1,2})(?:m|min)?(?!\w)", spoken)
    if joined:
        return int(joined.group(1)) * 3600.0 + int(joined.group(2)) * 60.0
    return total


def _models(spoken: str, state: RunState | None, models: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates that the words ask for: only some, all but some, or some of them first."""
    only, never, named = [], [], []
    mode = "named"
    for piece in re.split(
        r"([,.;]|\band\b|\bund\b|\bet\b|\by\b|\bor\b|\boder\b|\bou\b|\bbut\b|\baber\b|\bmais\b|\bpero\b)", spoken
    ):
        if re.search(r"\b(only|just|nur|seulement|uniquement|solo|solamente)\b", piece):
            mode = "only"
        elif re.search(
            r"\b(no|not|without|except|avoid|never|skip|drop|kein|keine|keinen|ohne|nicht|pas|sans|sin)\b", piece
        ):
            mode = "never"
        elif re.search(r"\b(but|use|try|take|nimm|probiere?|versuche?|essaie|teste|prueba|usa)\b", piece):
            mode = "named"
        {"only": only, "never": never, "named": named}[mode].extend(named_models(piece, models))
    if not (only or never or named):
        return ()
    if only:
        return tuple(dict.fromkeys([*only, *(n for n in named if n not in never)]))
    now = [n for n in (state.request.models if state else ()) if n in models] or list(models)
    kept = [name for name in dict.fromkeys([*named, *now]) if name not in never]
    return tuple(kept)
