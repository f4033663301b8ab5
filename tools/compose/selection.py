"""Greedy ensemble selection with replacement (Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.compose.panel import Panel, Stack

MEMBERS = 8
"""Most members of an ensemble: each one is paid for at every prediction."""
STEPS = 30
PREFIX = 5
"""Most of the best single models that the selection may begin with (section 2.2 of the paper)."""
PATIENCE = 6
SHRINK_ROWS = 150
"""With so many validation rows a selection is believed to one half, with more rows more."""
LEAST_WEIGHT = 0.03


@dataclass(frozen=True)
class Costs:
    """What each candidate costs, of shape (candidates, kinds of cost), and the most that all members may cost."""

    each: NDArray[np.float64]
    most: NDArray[np.float64]

    def affordable(self, counts: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Say which candidates may be added: those that are members, and those that still fit beside the members."""
        members = counts > 0
        if members.sum() >= MEMBERS:
            return members
        return members | (self.each[members].sum(axis=0) + self.each <= self.most).all(axis=1)


def select(panel: Panel, stack: Stack, costs: Costs) -> NDArray[np.float64]:
    """Return the weight of each candidate, summing to 1: the mixture with the best gain that the search met.

    The search begins with the best single models (as many as pay), then adds the candidate that helps the mixture most,
    again and again; a candidate that is taken twice weighs twice. At least one candidate must be affordable.
    """
    counts, total = _begin(panel, stack, costs)
    best, best_gain = counts.copy(), float(panel.gains(_mean(total, counts)[None])[0])
    idle = 0
    for _ in range(STEPS):
        open_to = np.flatnonzero(costs.affordable(counts))
        mixed = (total[None] + stack[open_to]) / np.float32(counts.sum() + 1)
        gains = panel.gains(mixed)
        pick = int(open_to[gains.argmax()])
        counts[pick] += 1
        total = total + stack[pick]
        if gains.max() > best_gain + 1e-9:
            best, best_gain, idle = counts.copy(), float(gains.max()), 0
        else:
            idle += 1
        if idle >= PATIENCE:
            break
    return best / best.sum()


def _begin(panel: Panel, stack: Stack, costs: Costs) -> tuple[NDArray[np.intp], Stack]:
    single = panel.gains(stack)
    counts = np.zeros(len(stack), dtype=np.intp)
    total = np.zeros_like(stack[0])
    best = (-np.inf, counts, total)
    for pick in np.argsort(-single, kind="stable"):
        if not costs.affordable(counts)[pick]:
            continue
        counts, total = counts.copy(), total + stack[pick]
        counts[pick] += 1
        gain = float(panel.gains(_mean(total, counts)[None])[0])
        if gain > best[0] or not best[1].any():
            best = (gain, counts, total)
        if counts.sum() == PREFIX:
            break
    return best[1].copy(), best[2]


def _mean(total: Stack, counts: NDArray[np.intp]) -> Stack:
    return total / np.float32(counts.sum())


def shrink(weights: NDArray[np.float64], towards: NDArray[np.float64], rows: int, costs: Costs) -> NDArray[np.float64]:
    """Return weights drawn towards a plain mixture, the more so the fewer validation rows chose them; the sum is 1.

    A best among many that few rows chose is flattered by them, and of probabilities it is too sure. Where the mixture
    would cost too much or have too many members, the weights stay as they are.
    """
    share = SHRINK_ROWS / (SHRINK_ROWS + rows)
    mixed = (1 - share) * weights + share * towards
    mixed[mixed < LEAST_WEIGHT] = 0.0
    members = mixed > 0
    if not members.any() or members.sum() > MEMBERS or (costs.each[members].sum(axis=0) > costs.most).any():
        return weights
    return mixed / mixed.sum()
