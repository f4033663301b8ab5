"""One training loop for every network: `transformers.Trainer`, held to the run's metric, clock, memory.

A trainer of this room builds a network, says how its examples become batches and how it predicts; the engine does the
rest: full, LoRA or frozen training, evaluation in the run's metric, the best step's weights kept, checkpoints from
which a killed trial goes on, a learning rate that is zero when the steps or the time are used up, batches that fit.
"""

from __future__ import annotations

import contextlib
import gc
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.deep.adapt import adapt, merged
from automl_gpt.tools.train.deep.checkpoints import latest
from automl_gpt.tools.train.deep.devices import torch_device
from automl_gpt.tools.train.deep.network import Network, Recipe
from automl_gpt.tools.train.deep.probe import begin_as_probe
from automl_gpt.tools.train.deep.session import Attempt, too_large
from automl_gpt.tools.train.protocol import Emit, FitData


@dataclass(frozen=True)
class Trained:
    """A network with the weights of its best step, on the CPU, adapters merged."""

    model: Any
    best_step: int


def seed(data: FitData) -> None:
    """Seed all sources of chance, set the threads, silence the libraries; a trainer calls it before anything else."""
    import torch
    from transformers import set_seed
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.set_num_threads(data.threads)
    set_seed(data.seed)


def train(network: Network, how: Recipe, data: FitData, emit: Emit) -> Trained:
    """Train a network; same data, recipe, seed and threads without a deadline: same log and weights, also resumed.

    Raises ToolError where it diverges, or does not fit into the memory even with one example at a time.
    """
    seed(data)
    data = replace(data, device=torch_device(data.device, data.tell))
    with scratch(data) as folder:
        found = latest(folder)
        if network.probed is not None and found is None:
            _probe(network, data)
        model = adapt(network.model, how.training, network.heads, how.lora_rank)
        batch = found[1].batch if found else min(how.batch_size, max(1, len(network.rows)))
        while True:
            attempt = Attempt(network, model, how, data, emit, folder, batch)
            try:
                attempt.run()
                return Trained(merged(attempt.best_model()), attempt.best_step)
            except (RuntimeError, MemoryError) as error:
                if not too_large(error):
                    raise
                batch = _smaller(batch, data)
            del attempt


def _probe(network: Network, data: FitData) -> None:
    """Let a new head begin as a probe, unless so many rows at a time do not fit: training takes fewer of them."""
    try:
        begin_as_probe(network, data, data.device)
    except (RuntimeError, MemoryError) as error:
        if not too_large(error):
            raise
    seed(data)


def _smaller(batch: int, data: FitData) -> int:
    """Return half of a batch that did not fit, and say so; ToolError where it was a single example."""
    if batch == 1:
        raise ToolError("one example at a time does not fit into the memory: a smaller model or shorter inputs may")
    half = batch // 2
    data.tell(
        f"{batch} examples at a time do not fit into the memory: goes on with {half}, and as many more steps back"
    )
    gc.collect()
    return half


@contextlib.contextmanager
def scratch(data: FitData) -> Generator[Path]:
    """Give the folder of the trial's checkpoints, or a temporary one where it has none."""
    if data.scratch is not None:
        data.scratch.mkdir(parents=True, exist_ok=True)
        yield data.scratch
    else:
        with tempfile.TemporaryDirectory(prefix="automl-gpt-") as folder:
            yield Path(folder)
