"""Decides whether a language model that failed is asked again, and when."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
"""Seconds for which a model is left alone after its first failure in a row, and at the most; they double."""
INVALID_IN_A_ROW = 3
"""Decisions in a row that a model failed to make in a valid form before it is left alone."""


class Breaker:
    """Closed while a model answers; open, for a time or for good, after it failed; then one decision tries it again."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: float | None = None
        self._for_good = False
        self._failures = 0
        self._invalid = 0

    def allows(self) -> bool:
        """Say whether the model is to be asked now."""
        return not self._for_good and (self._until is None or self._now() >= self._until)

    @property
    def open(self) -> bool:
        """Whether it failed last, and has not answered since."""
        return self._for_good or self._until is not None

    def failed(self, for_good: bool = False, wait: float | None = None) -> float | None:
        """Note a failure. Return the seconds for which the model is left alone; None where it is for good.

        `wait` is what the server asked for.
        """
        self._for_good = self._for_good or for_good
        if self._for_good:
            return None
        self._failures += 1
        return self._leave(max(_pause(self._failures), min(wait or 0.0, LONGEST_PAUSE)))

    def answered(self) -> bool:
        """Note an answer; say whether the model had been left alone until it would give one."""
        was_open, self._until, self._failures = self.open, None, 0
        return was_open and not self._talks

    def invalid(self) -> float | None:
        """Note a decision that the model did not make in a valid form.

        Return the seconds for which it is left alone; None where those in a row are not too many yet. Only a valid
        decision ends the row: answers that decide nothing would cost tokens for ever.
        """
        self._invalid += 1
        return self._leave(_pause(self._invalid - INVALID_IN_A_ROW + 1)) if self._talks else None

    def decided(self) -> bool:
        """Note a decision in a valid form; say whether the model had been left alone until it would make one."""
        talked, self._invalid = self._talks, 0
        return talked

    @property
    def _talks(self) -> bool:
        return self._invalid >= INVALID_IN_A_ROW

    def close(self) -> None:
        """Try again: something was changed that may help."""
        self._for_good, self._until, self._failures, self._invalid = False, None, 0, 0

    def _leave(self, pause: float) -> float:
        self._until = self._now() + pause
        return pause


def _pause(failures: int) -> float:
    """Return the seconds for which a model is left alone after so many failures in a row."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
