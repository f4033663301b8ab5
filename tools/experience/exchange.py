"""Takes experience into the store from a file, and writes this store's own into one."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.reading import Problem, Told, as_line, read
from automl_gpt.tools.experience.record import DataLine, Header, TrialLine, of_data, space_digest, thinned
from automl_gpt.tools.journal import past
from automl_gpt.tools.journal.derive import Derivation
from automl_gpt.tools.journal.past import PastSet, PastTrial
from automl_gpt.tools.journal.store import Journal
from automl_gpt.tools.tune.space import legal

if TYPE_CHECKING:
    from sqlalchemy import Connection

BATCH = 1000
"""Trials that are written in one transaction: others who write to the store wait no longer than that takes."""
SHOWN = 5
"""Problems that are told in full."""


@dataclass
class Imported:
    """What became of a file: trials that are new in the store, those known before, and what was left out or odd."""

    trials: int = 0
    known: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list[str])
    unknown_models: dict[str, int] = field(default_factory=dict[str, int])
    unknown_metrics: dict[str, int] = field(default_factory=dict[str, int])
    illegal: dict[str, int] = field(default_factory=dict[str, int])

    def notes(self) -> list[str]:
        """Return, a line each, what is kept and not used yet, or was left out."""
        told = [
            f"{n} trials of {m}: kept, used once a Model Card has that name" for m, n in self.unknown_models.items()
        ]
        told += [
            f"{n} trials judged by {m}: kept, not used: there is no such metric here"
            for m, n in self.unknown_metrics.items()
        ]
        told += [
            f"{n} trials of {m}: kept, not used: this installation's Model Card does not allow their hyperparameters"
            for m, n in self.illegal.items()
        ]
        more = self.left_out - len(self.problems)
        return [*told, *self.problems, *([f"{more} more lines were left out"] if more > 0 else [])]


def import_file(journal: Journal, file: Path, cards: Mapping[str, ModelCard]) -> Imported:
    """Add a file's experience to the store, in bounded memory; the same trial is kept once, whoever brings it.

    Raises UserError where the file is none of ours, or nothing in it can be used. What was written before a break-off
    stays; importing again adds the rest.
    """
    done, source = Imported(), file.name.removesuffix(".gz").removesuffix(".jsonl")[:200]
    waiting: list[Told] = []
    for found in read(file):
        if isinstance(found, Problem):
            done.left_out += 1
            done.problems += [found.text] if len(done.problems) < SHOWN else []
            continue
        _judge(found[1], cards, done)
        waiting.append(found)
        if len(waiting) == BATCH:
            _write(journal, source, waiting, done)
            waiting = []
    _write(journal, source, waiting, done)
    if not done.trials + done.known:
        first = f": {done.problems[0]}" if done.problems else ": export it again"
        raise UserError(f"{file} holds no trial that can be used{first}")
    return done


def _judge(trial: TrialLine, cards: Mapping[str, ModelCard], done: Imported) -> None:
    """Count what is kept and not used."""
    card = cards.get(trial.model)
    if trial.metric not in METRICS:
        done.unknown_metrics[trial.metric] = done.unknown_metrics.get(trial.metric, 0) + 1
    elif card is None:
        done.unknown_models[trial.model] = done.unknown_models.get(trial.model, 0) + 1
    elif not legal(card, trial.hyperparameters):
        done.illegal[trial.model] = done.illegal.get(trial.model, 0) + 1


def _write(journal: Journal, source: str, told: Sequence[Told], done: Imported) -> None:
    if not told:
        return
    kept = (replace(past_trial(trial, source), curve=thinned(trial.log)) for _, trial in told)
    trials = {one.id: one for one in kept}
    with journal.database.writing() as connection:
        for one in past_sets(told):
            past.keep_set(connection, one)
        new = trials.keys() - past.known_ids(connection, list(trials))
        past.keep_trials(connection, [trials[name] for name in sorted(new)], time.time())
    done.trials += len(new)
    done.known += len(told) - len(new)


def past_sets(told: Sequence[Told]) -> list[PastSet]:
    """Return the data sets of trials, one for each metric, with the best score that the lines tell."""
    found: dict[tuple[str, str], PastSet] = {}
    for one, trial in told:
        key = trial.data, trial.metric
        known = found.get(key) or _past_set(one, trial.metric)
        best = past.better(trial.metric, past.better(trial.metric, known.best, trial.value), trial.best)
        baseline = trial.baseline if known.baseline is None else known.baseline
        found[key] = replace(known, best=best, baseline=baseline)
    return list(found.values())


def _past_set(one: DataLine, metric: str) -> PastSet:
    name, about = _printable(one.name), _printable(one.about)
    card = of_data(name, about)
    shown = name or f"data {one.data[:8]}"
    return PastSet(one.data, metric, one.task, shown, card, card.strip(), one.meta, baseline=None, best=None)


def past_trial(trial: TrialLine, source: str) -> PastTrial:
    """Return a line as the store keeps it; its log as it stands."""
    return PastTrial(
        trial.data, trial.metric, trial.model, trial.hyperparameters, trial.value, trial.seconds, trial.megabytes,
        trial.log, source, imported=True,
    )  # fmt: skip


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


# ---------------------------------------------------------------------------------------------------------- exporting


@dataclass(frozen=True)
class Exported:
    """What was written."""

    sets: int
    trials: int


def export_file(journal: Journal, file: Path, product: str, since: float = 0.0) -> Exported:
    """Write this store's own experience, of trials scored since a time (epoch seconds), gzipped where FILE ends in .gz.

    The file appears when it is complete. Raises UserError where it can't be written, or there is nothing to write.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with _writing(part) as out, journal.database.reading() as connection:
            done = _export(connection, out, product, since)
    except OSError as error:
        raise UserError(
            f"{file}: can't be written ({error.strerror or type(error).__name__}): name another file"
        ) from error
    if not done.trials:
        part.unlink()
        raise UserError("there is no experience to export: no trial of this store has finished with a score since then")
    part.replace(file)
    return done


def _writing(part: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(part, "wb", 9)) if part.name.endswith(".gz.part") else part.open("wb")


def _export(connection: Connection, out: IO[bytes], product: str, since: float) -> Exported:
    told: set[str] = set()
    trials = 0
    digests = _digests(connection)
    out.write(as_line(Header(product=product)).encode())
    for one, mine in past.own_trials(connection, since):
        for trial in mine:
            if one.fingerprint not in told:
                out.write(as_line(data_line(one)).encode())
                told.add(one.fingerprint)
            out.write(as_line(trial_line(one, trial, digests(trial.source).get(trial.model, ""))).encode())
            trials += 1
    return Exported(len(told), trials)


def _digests(connection: Connection) -> Callable[[str], dict[str, str]]:
    """Return a function that tells the digests of the search spaces of a run's Model Cards."""

    @lru_cache(maxsize=8)
    def digests(run: str) -> dict[str, str]:
        return {card.name: space_digest(card) for card in Derivation(connection, run).start().model_cards}

    return digests


def data_line(one: PastSet) -> DataLine:
    """Return a data set as it may leave the store: of texts its card's name and description, and nothing else."""
    name, _, about = one.card.partition("\n")
    return DataLine(data=one.fingerprint, name=name, about=about, task=one.task, meta=one.meta)  # type: ignore[arg-type]


def trial_line(one: PastSet, trial: PastTrial, space: str) -> TrialLine:
    """Return a trial as it may leave the store."""
    return TrialLine(
        data=trial.fingerprint, model=trial.model, space=space, hyperparameters=trial.hyperparameters,
        metric=trial.metric, direction=METRICS[trial.metric].direction, value=trial.value, baseline=one.baseline,
        best=one.best, seconds=round(trial.seconds, 3), megabytes=trial.megabytes and round(trial.megabytes, 1),
        log=trial.curve,
    )  # fmt: skip
