"""A run's clock: it counts what the budget counts, across sessions, and stands still while a person is asked."""

from __future__ import annotations

import re
import time

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.compose.candidates import PREDICTING_SHARE_OF_EXAMPLES, SECONDS_PER_MEGABYTE, clock_seconds
from automl_gpt.tools.deliver.whole import whole_seconds
from automl_gpt.tools.journal.events import Budget
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.process.machine import cores


class Clock:
    """Seconds that a run has used. `spent`: in earlier sessions; `head_start`: before this object was made.

    `total` is the budget in seconds, None for no limit.
    """

    def __init__(self, budget: Budget, spent: float = 0.0, head_start: float = 0.0) -> None:
        self._spent, self._began = spent + head_start, time.monotonic()
        self._paused: float | None = None
        self.total = budget.seconds

    def elapsed(self) -> float:
        """Return the seconds used so far."""
        now = self._paused if self._paused is not None else time.monotonic()
        return self._spent + now - self._began

    def left(self) -> float | None:
        """Return the seconds left, never below 0; None without a limit."""
        return None if self.total is None else max(0.0, self.total - self.elapsed())

    def pause(self) -> None:
        """Stand still: a person is being waited for."""
        if self._paused is None:
            self._paused = time.monotonic()

    def go_on(self) -> None:
        """Count again."""
        if self._paused is not None:
            self._began += time.monotonic() - self._paused
            self._paused = None


SETTLE_SECONDS, SETTLE_SHARE = 3.6, 0.2
"""What the end of a run takes at the least: choosing the ensemble, writing model and report, ending the process; and
the most of the budget that may be kept for that."""
SETTLE_SECONDS_OF_EXAMPLES, SETTLE_SHARE_OF_EXAMPLES = 8.0, 0.02
"""The same for texts and pictures, of which the report shows some, and whose scores take longer to compute; and the
share of the budget that is kept beyond that, as networks' seconds vary with what else the machine does."""
LARGEST_SHARE, LARGEST_SHARE_OF_EXAMPLES = 0.15, 0.3
"""The most of the budget that is kept for the end: predicting with networks may take long."""
MEMBERS_EXPECTED = 4


def reserve(state: RunState) -> float:
    """Return the seconds to keep for the end of a run: ensemble, one look at the test split, report.

    The test rows cost what predicting the validation rows took, for the likely members, which small tables fit on all
    rows too; never more than a share of the whole budget.
    """
    total = state.request.budget.seconds
    if total is None or state.profile is None:
        return 0.0
    profile, complete = state.profile, [t for t in state.done() if t.complete]
    ranked = sorted(complete, key=lambda t: -state.need_metric().sign * (t.value or 0.0))[:MEMBERS_EXPECTED]
    examples = profile.modality != "tabular"
    each = [clock_seconds(t, examples) * profile.rows_test for t in ranked]
    # A network has to fit the share of the end that predicting may take.
    testing = max(each, default=0.0) / PREDICTING_SHARE_OF_EXAMPLES if examples else sum(each) / cores()
    loading = SECONDS_PER_MEGABYTE * sum(t.end.disk_megabytes or 0.0 for t in ranked if t.end)
    choosing = 2e-7 * profile.rows_valid * max(1, len(profile.labels)) * min(25, len(complete))
    refitting = sum(whole_seconds(state, t) for t in ranked)
    settling = SETTLE_SECONDS_OF_EXAMPLES + SETTLE_SHARE_OF_EXAMPLES * total if examples else SETTLE_SECONDS
    largest = LARGEST_SHARE_OF_EXAMPLES if examples else LARGEST_SHARE
    most = max(largest * total, min(settling, SETTLE_SHARE * total))
    return min(most, settling + testing + loading + choosing + refitting)


def seconds_of(text: str) -> float:
    """Return the seconds of a duration such as `90`, `90s`, `10m`, `1.5h` or `1h30m`; UserError for anything else."""
    match = re.fullmatch(
        r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?", text.strip().lower()
    )
    if not text.strip() or match is None:
        raise UserError(f"{text!r} is no duration: write 90s, 10m or 1.5h")
    hours, minutes, seconds = (float(group or 0) for group in match.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise UserError(f"a budget of {text!r} leaves no time to train: give at least a few seconds")
    return total
