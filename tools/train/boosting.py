"""What the two gradient boosting trainers share: how many rounds, how much patience, how often a row is logged."""

from __future__ import annotations

import math
from collections.abc import Iterator

from automl_gpt.tools.train.progress import Progress, checkpoints
from automl_gpt.tools.train.protocol import FitData

MOST_ROUNDS = 5000
CELLS_BETWEEN_ROWS = 2e8
"""Table cells (times classes) that may be boosted between two rows: big tables log more often, to be stopped."""


def rounds(data: FitData, learning_rate: float) -> Iterator[int]:
    """Yield the rounds at which a row is logged; the last is the most that a fit takes, 100 / learning rate."""
    cells = max(1, data.x.size * max(1, data.classes if data.classes > 2 else 1))
    longest = min(max(CELLS_BETWEEN_ROWS / cells, 2.0), 50.0, max(2.0, 2.0 / learning_rate))
    return checkpoints(min(MOST_ROUNDS, math.ceil(100 / learning_rate)), longest=longest)


def out_of_patience(progress: Progress, learning_rate: float) -> bool:
    """Say whether the validation score has not improved for long: small steps, and a long way so far, earn patience."""
    waited = progress.steps[-1] - progress.best_step
    return waited > max(20.0, min(300.0, 2.5 / learning_rate)) + 0.1 * progress.best_step
