"""The experience that the product ships with: trials on data that may be redistributed, read once, never written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from automl_gpt.tools.experience.exchange import past_sets, past_trial
from automl_gpt.tools.experience.reading import Problem, Told, read
from automl_gpt.tools.journal.past import PastSet, PastTrial

FILE = Path(__file__).with_name("pack.jsonl.gz")
SOURCE = "shipped"


@dataclass(frozen=True)
class Pack:
    """Data sets under their metrics, and the trials on each."""

    sets: tuple[PastSet, ...]
    trials: dict[tuple[str, str], tuple[PastTrial, ...]]


@cache
def shipped(file: Path = FILE) -> Pack:
    """Read the shipped pack, once for a process; an installation without one has an empty pack."""
    if not file.is_file():
        return Pack((), {})
    told: list[Told] = [found for found in read(file) if not isinstance(found, Problem)]
    trials: dict[tuple[str, str], list[PastTrial]] = {}
    for one, trial in told:
        trials.setdefault((one.data, trial.metric), []).append(past_trial(trial, SOURCE))
    return Pack(tuple(past_sets(told)), {key: tuple(found) for key, found in trials.items()})
