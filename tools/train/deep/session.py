"""One attempt at training a network: `transformers.Trainer` with the run's evaluations, clock, memory, checkpoints."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.deep import checkpoints as c
from automl_gpt.tools.train.deep.adapt import is_adapted, learning
from automl_gpt.tools.train.deep.hugging import make_trainer
from automl_gpt.tools.train.deep.network import Network, Recipe
from automl_gpt.tools.train.deep.pace import Pace, learning_rate_factor
from automl_gpt.tools.train.progress import loss_of, worth
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction

PATIENCE = 5
"""Evaluations without a better one after which training ends."""
SETTLED = 0.4
"""Share of the training before which no evaluation counts as one without a better one: many networks begin with nothing
but the most frequent answer."""
SAVE_SECONDS = 30.0
"""How much training a kill may cost at the most, where a checkpoint is cheap to write."""
SAVE_SHARE = 20.0
"""A checkpoint is written after at least so many times the seconds that the last one took."""
LEAST_SECONDS = 5.0
"""A training that is told to stop this close to its deadline leaves no checkpoint."""
MEMORY_SHARE = 0.9


class TooLarge(RuntimeError):
    """A batch uses more memory than the process may."""


def too_large(error: BaseException) -> bool:
    """Say whether an error means that a batch does not fit into memory."""
    text = str(error).lower()
    words = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")
    return isinstance(error, TooLarge | MemoryError) or any(word in text for word in words)


class Attempt:
    """Trains a network with so many examples at a time in memory, from its last checkpoint if there is one."""

    def __init__(
        self, network: Network, model: Any, how: Recipe, data: FitData, emit: Emit, folder: Path, batch: int
    ) -> None:
        self.network, self.model, self.how, self.data = network, model, how, data
        self.folder, self.batch, self._emit = folder, batch, emit
        self.best_step, self._best_value = 0, -math.inf
        self._rows: list[c.LoggedRow] = []
        self._idle = 0
        self._began = self._saved_at = time.monotonic()
        self._spent_before = self._save_seconds = self._evaluating = 0.0
        self._stopped = self._told_to_stop = False
        self.accumulation = max(1, math.ceil(how.batch_size / batch))
        per_epoch = max(1, math.ceil(math.ceil(len(network.rows) / batch) / self.accumulation))
        later = data.rows_after / max(1, len(data.x_valid))
        self.pace = Pace(steps=per_epoch * how.epochs, deadline=data.deadline, later=later)
        self._first_step = 0
        self._from: Path | None = None
        self._untold = 0, 0.0

    def run(self) -> None:
        """Train to the end; ToolError where no step gave finite answers."""
        found = c.latest(self.folder)
        self._from = found[0] if found else None
        if found is not None and not self._take_up(*found):
            return
        self.trainer = make_trainer(self)
        self.trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
        if self.best_step == 0:
            raise ToolError("the training diverged: no step gave finite answers; a lower learning rate may help")

    def best_model(self) -> Any:
        """Return the model with the weights of the best step, on the CPU."""
        model = self.model.to("cpu")
        c.read_weights(self.folder / c.BEST, learning(model))
        return model.eval()

    # ------------------------------------------------------------------------------------------ called at every step

    def factor(self, step: int) -> float:
        """Return the learning rate's share of its peak for the step after so many."""
        return learning_rate_factor(self.pace.progress(step + 0.5), self.how.warmup)

    def begun(self) -> None:
        """Take up what a checkpoint of `transformers` leaves out: losses not told yet, what learns besides adapters."""
        if self._from is None:
            return
        self.trainer.take_up(*self._untold)
        if (self._from / c.LEARNING).is_file():
            c.read_weights(self._from / c.LEARNING, learning(self.model))

    def after_step(self, step: int, loss: Callable[[], float]) -> bool:
        """Evaluate if that is due; answer whether to go on. `loss()` is the mean training loss since the last row."""
        if step == self._first_step + 1:
            self._check_memory()
        if not self.pace.due(step):
            return True
        go_on = self._evaluate(step, loss())
        self._check_memory()
        return go_on and self.pace.progress(step) < 1.0

    def wants_checkpoint(self) -> bool:
        """Say whether it is time to write a checkpoint: now and then, and where the training was told to stop."""
        if self._told_to_stop:
            return self._affords_checkpoint()
        since = time.monotonic() - self._saved_at
        return not self._stopped and since >= max(SAVE_SECONDS, SAVE_SHARE * self._save_seconds)

    def _affords_checkpoint(self) -> bool:
        deadline = self.data.deadline
        return deadline is None or deadline - time.monotonic() > 2 * self._save_seconds + LEAST_SECONDS

    def saving(self) -> None:
        """Note that a checkpoint begins to be written."""
        self._saved_at = time.monotonic()

    def saved(self, step: int) -> None:
        """Complete the checkpoint that was just written."""
        value = self._best_value if math.isfinite(self._best_value) else None
        since, loss = self.trainer.untold()
        told = c.Saved(
            step=step,
            progress=self.pace.progress(step),
            best_step=self.best_step,
            best_value=value,
            idle=self._idle,
            rows=self._rows,
            batch=self.batch,
            told=since,
            loss=loss,
        )
        place = self.folder / f"checkpoint-{step}"
        if is_adapted(self.model):
            c.write_weights(learning(self.model), place / c.LEARNING)
        c.complete(place, told, self.folder / c.BEST)
        c.prune(self.folder)
        now = time.monotonic()
        self._save_seconds, self._saved_at = now - self._saved_at, now

    # ----------------------------------------------------------------------------------------------------- evaluation

    def _evaluate(self, step: int, loss: float) -> bool:
        began = time.monotonic()
        prediction = self._predict()
        score = self.data.score_valid(prediction)
        value = worth(self.data, prediction, score)
        valid_loss = math.nan if self.data.metric.kind == "answer" else loss_of(self.data, prediction)
        # Of equal steps the later one counts: its network is surer.
        if math.isfinite(value) and value >= self._best_value:
            self.best_step, self._best_value, self._idle = step, value, 0
            c.write_weights(learning(self.model), self.folder / c.BEST)
        elif self.pace.progress(step) > SETTLED:
            self._idle += 1
        took = time.monotonic() - began
        self.pace.evaluated(took)
        self._evaluating += took
        go_on = self._log(step, score, {"train_loss": loss, "valid_loss": valid_loss, **self._speed(step)})
        self._told_to_stop = not go_on and self.pace.progress(step) < 1.0
        self._stopped = not go_on or self._idle >= PATIENCE or (self.best_step == 0 and math.isnan(loss))
        return not self._stopped

    def _predict(self) -> Prediction:
        import torch

        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                return self.network.predict(self.model, self.data.x_valid)
        finally:
            self.model.train(training)

    def _speed(self, step: int) -> dict[str, float]:
        training = max(1e-9, time.monotonic() - self._began - self._evaluating)
        done = (step - self._first_step) * self.batch * self.accumulation
        return {"per_second": round(done / training, 3), "megabytes": round(_peak_megabytes(self.data.device), 1)}

    def _log(self, step: int, score: float, more: dict[str, float]) -> bool:
        known = {name: value for name, value in more.items() if math.isfinite(value)}
        seconds = self._spent_before + time.monotonic() - self._began
        valid = score if math.isfinite(score) else None
        self._rows.append(c.LoggedRow(step=step, valid=valid, more=known, seconds=seconds))
        return self._emit(step, math.nan, score, known)

    # --------------------------------------------------------------------------------------------- memory, taking up

    def _check_memory(self) -> None:
        limit = self.data.memory
        if limit is not None and self.data.device == "cpu" and self.batch > 1 and _memory() > MEMORY_SHARE * limit:
            raise TooLarge("out of memory: the process nears its limit")

    def _take_up(self, checkpoint: Path, saved: c.Saved) -> bool:
        """Hand out the rows of the lost attempt again, and go on behind them; False where they ended the training."""
        self._rows, self._first_step = list(saved.rows), saved.step
        self._untold = saved.told, saved.loss
        self.best_step = saved.best_step
        self._best_value = saved.best_value if saved.best_value is not None else -math.inf
        self._spent_before = saved.rows[-1].seconds if saved.rows else 0.0
        self.pace.resume(saved.step, saved.progress)
        if (checkpoint / c.BEST).is_file():
            c.link(checkpoint / c.BEST, self.folder / c.BEST)
        self._idle = saved.idle
        go_on = True
        for row in self._rows:
            valid = math.nan if row.valid is None else row.valid
            go_on = self._emit(row.step, math.nan, valid, row.more, row.seconds) and go_on
        return go_on


def _memory() -> float:
    """Return the bytes that this process holds now."""
    import psutil

    return float(psutil.Process().memory_info().rss)


def _peak_megabytes(device: str) -> float:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
