"""A new head begins as a linear probe of what the given weights know already (Kumar et al., ICLR 2022, "LP-FT").

Fine-tuning a random head first distorts the weights beneath it, and takes steps that a short budget does not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.train.deep.network import Network
from automl_gpt.tools.train.deep.tokens import by_length
from automl_gpt.tools.train.protocol import FitData

ROWS, FEWEST, BATCH = 4000, 32, 64
"""At most and at least this many rows are looked at, this many at a time."""
SHARE = 0.1
"""The most of the time under a deadline that looking at them takes."""
REGULARISED, ITERATIONS = 0.1, 100
"""C of the logistic regression, alpha of the ridge regression by its inverse; steps of the first."""
PENALTY, PENALTY_OF_VALUES = 0.3, 0.1
"""Penalties on slopes, the first shared by the classes, in units of the features' root mean square. Features
that fine-tuning drops at random cost a linear head what such a penalty does (Wager, Wang and Liang 2013): without it
the head's first losses are so large that training begins by unlearning it."""
Matrix = NDArray[np.float64]
Run = Callable[[Any, dict[str, Any]], Any]


def begin_as_probe(network: Network, data: FitData, device: str) -> bool:
    """Fit the network's last linear layer on the features that reach it; answer whether it was.

    It is not where there is no such layer, where its input is not one vector for each row, or with too few rows.
    Without a deadline the rows depend on the seed alone, with one also on the clock.
    """
    head = _last_linear(network.model, data.classes or 1)
    if head is None or network.probed is None:
        return False
    network.model.to(device).eval()
    x, y, weight = _features(network, network.probed, head, data, device)
    if len(x) < FEWEST or (data.classes and len(np.unique(y)) < 2):
        return False
    center, spread = x.mean(axis=0), np.maximum(np.sqrt(np.mean(x**2, axis=0)), 1e-6)
    fitted = _fitted((x - center) / spread, y, weight, data.classes)
    slopes, levels = fitted[0] / spread, fitted[1] - (fitted[0] / spread) @ center
    _write(head, slopes, levels)
    return True


def _last_linear(model: Any, width: int) -> Any:
    from torch.nn import Linear

    found = [part for part in model.modules() if isinstance(part, Linear) and part.out_features == width]
    return found[-1] if found else None


def _features(
    network: Network, run: Run, head: Any, data: FitData, device: str
) -> tuple[Matrix, NDArray[Any], Matrix | None]:
    """Return what reaches the head, the answers, and the weights of some rows; empty where that is no matrix."""
    import torch

    seen: list[Any] = []

    def keep(_: Any, given: tuple[Any, ...]) -> None:
        seen.append(given[0])

    hook = head.register_forward_pre_hook(keep)
    until = None if data.deadline is None else time.monotonic() + SHARE * (data.deadline - time.monotonic())
    x: list[Matrix] = []
    y: list[NDArray[Any]] = []
    weight: list[Matrix] = []
    try:
        with torch.no_grad():
            for rows in _batches(network, data.seed):
                batch = network.collate([network.rows[row] for row in rows])
                y.append(batch.pop("labels").numpy())
                if "weight" in batch:
                    weight.append(batch.pop("weight").double().numpy())
                run(network.model, {name: part.to(device) for name, part in batch.items()})
                x.append(seen[-1].double().cpu().numpy())
                seen.clear()
                if x[-1].ndim != 2 or (until is not None and time.monotonic() >= until):
                    break
    finally:
        hook.remove()
    if not x or x[-1].ndim != 2:
        return np.empty((0, 0)), np.empty(0), None
    return np.concatenate(x), np.concatenate(y), np.concatenate(weight) if weight else None


def _batches(network: Network, seed: int) -> Iterator[list[int]]:
    """Yield some rows in batches of like length; the batches themselves come in no order, as time may end them."""
    draw = np.random.default_rng(seed)
    some = draw.permutation(len(network.rows))[:ROWS].tolist()
    lengths = [network.lengths[row] if network.lengths else 1 for row in some]
    batches = [[some[place] for place in places] for places in by_length(lengths, BATCH)]
    for place in draw.permutation(len(batches)).tolist():
        yield batches[place]


def _fitted(x: Matrix, y: NDArray[Any], weight: Matrix | None, classes: int) -> tuple[Matrix, Matrix]:
    """Return slopes (outputs, features) and levels (outputs,) for scaled features: of a multinomial logistic
    regression, or of a ridge regression. By PyTorch, which is there already: scikit-learn would take 50 MiB more."""
    import torch

    at, aim = torch.from_numpy(x), torch.from_numpy(y)
    each = torch.ones(len(x), dtype=torch.float64) if weight is None else torch.from_numpy(weight)
    if not classes:
        level = (each @ aim.double()) / each.sum()
        weighed = at * each[:, None]
        ridge = torch.eye(at.shape[1], dtype=torch.float64) * (PENALTY_OF_VALUES * len(at) + 1 / REGULARISED)
        slopes = torch.linalg.solve(weighed.T @ at + ridge, weighed.T @ (aim.double() - level))
        return slopes[None].numpy(), level[None].numpy()
    penalty = PENALTY / classes + 1 / (REGULARISED * len(at))
    slopes = torch.zeros((classes, at.shape[1]), dtype=torch.float64, requires_grad=True)
    levels = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([slopes, levels], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Any:
        solver.zero_grad()
        losses = torch.nn.functional.cross_entropy(at @ slopes.T + levels, aim, reduction="none")
        value = (losses * each).mean() + penalty * slopes.square().sum() / 2
        value.backward()
        return value

    solver.step(loss)
    return slopes.detach().numpy(), levels.detach().numpy()


def _write(head: Any, slopes: Matrix, levels: Matrix) -> None:
    import torch

    with torch.no_grad():
        head.weight.copy_(torch.as_tensor(slopes, dtype=head.weight.dtype))
        if head.bias is not None:
            head.bias.copy_(torch.as_tensor(levels, dtype=head.bias.dtype))
