"""How far a training is: by its steps or by its clock, whichever is used up first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

EVALUATIONS = 12
"""Evaluations in a training, besides an early one."""
EARLY = 0.02
"""Share of the training after which the first evaluation comes: time and memory are known from then."""
RESERVE = 2.5
"""Evaluations that the time left must still hold when training ends: the last one, and the best step's answers."""
LEAST_PAUSE = 4.0
"""Under a deadline, training between two evaluations takes at least so many times as long as an evaluation."""
LARGEST_LATER = 0.25
"""The most of the time under a deadline that is given up for what is predicted after it."""


@dataclass
class Pace:
    """Steps planned, the deadline (`time.monotonic()`; None for none), and how far an earlier attempt had come.

    `later`: predicting what is wanted after the deadline is worth so many evaluations; time is left for it.
    """

    steps: int
    deadline: float | None = None
    before: float = 0.0
    later: float = 0.0
    began: float = field(default_factory=time.monotonic)
    evaluation_seconds: float = 0.0
    evaluated_at: float = field(default_factory=time.monotonic)
    _next: int = 0

    def progress(self, step: float) -> float:
        """Return the share of the training that lies behind after so many steps, from 0 to 1.

        Without a deadline it is that of the steps, so the same on every machine; with one, that of the time if larger.
        """
        share = step / self.steps
        if self.deadline is not None:
            given = self.deadline - self.began
            given -= (
                min(self.later * self.evaluation_seconds, LARGEST_LATER * given) + RESERVE * self.evaluation_seconds
            )
            used = (time.monotonic() - self.began) / given if given > 0 else 1.0
            share = max(share, self.before + (1 - self.before) * used)
        return min(1.0, share)

    def due(self, step: int) -> bool:
        """Say whether an evaluation is due after so many steps; each of them is due once."""
        progress = self.progress(step)
        if progress >= 1.0:
            return True
        if progress < self._mark(self._next):
            return False
        if self.deadline is not None and self._next > 0 and self._hurried():
            return False
        while self._mark(self._next) <= progress:
            self._next += 1
        return True

    def resume(self, step: int, progress: float) -> None:
        """Go on where an earlier attempt had come to after so many steps; evaluations up to there are done."""
        self.before = progress
        while self._mark(self._next) <= max(progress, step / self.steps):
            self._next += 1

    def evaluated(self, seconds: float) -> None:
        """Note how long an evaluation took."""
        self.evaluation_seconds, self.evaluated_at = max(self.evaluation_seconds, seconds), time.monotonic()

    def _mark(self, number: int) -> float:
        return EARLY if number == 0 else number / EVALUATIONS

    def _hurried(self) -> bool:
        return time.monotonic() - self.evaluated_at < LEAST_PAUSE * self.evaluation_seconds


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Return the learning rate as a share of its peak: a linear rise in the warm-up, then a linear fall to zero."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return max(0.0, (1.0 - progress) / (1.0 - warmup))
