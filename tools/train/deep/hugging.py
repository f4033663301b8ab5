"""`transformers.Trainer` as an attempt uses it: its loop, optimiser and checkpoints; our clock and evaluations.

The classes are made when they are first needed, since their bases take seconds to import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Protocol

from automl_gpt.tools.train.deep.network import Network, Recipe
from automl_gpt.tools.train.protocol import FitData


class Steered(Protocol):
    """What steers a training, step by step."""

    network: Network
    model: Any
    how: Recipe
    data: FitData
    folder: Any
    batch: int
    accumulation: int
    trainer: Any

    def factor(self, step: int) -> float:
        """Return the learning rate's share of its peak for the step after so many."""
        ...

    def begun(self) -> None:
        """Complete what the trainer has taken up from a checkpoint."""
        ...

    def after_step(self, step: int, loss: Callable[[], float]) -> bool:
        """Answer whether to go on."""
        ...

    def wants_checkpoint(self) -> bool:
        """Say whether a checkpoint is to be written now."""
        ...

    def saving(self) -> None:
        """Note that a checkpoint begins to be written."""
        ...

    def saved(self, step: int) -> None:
        """Complete the checkpoint that was just written."""
        ...


def make_trainer(steered: Steered) -> Any:
    """Return the trainer of an attempt: no output but checkpoints, nothing reported, nothing pushed."""
    import torch
    from transformers import TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    data, how = steered.data, steered.how
    arguments = TrainingArguments(
        output_dir=str(steered.folder),
        per_device_train_batch_size=steered.batch,
        gradient_accumulation_steps=steered.accumulation,
        num_train_epochs=how.epochs,
        learning_rate=how.learning_rate,
        weight_decay=how.weight_decay,
        max_grad_norm=1.0,
        bf16=data.device == "cuda" and torch.cuda.is_bf16_supported(),
        use_cpu=data.device == "cpu",
        seed=data.seed,
        data_seed=data.seed,
        logging_strategy="no",
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=data.device == "cuda",
        log_level="error",
    )
    trainer = _trainer_class()(
        model=steered.model,
        args=arguments,
        train_dataset=steered.network.rows,
        data_collator=steered.network.collate,
        callbacks=[_callback_class()(steered)],
    )
    trainer.steered = steered
    trainer.remove_callback(PrinterCallback)
    return trainer


@cache
def _callback_class() -> Any:
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        """Asks after every step what to do."""

        def __init__(self, steered: Steered) -> None:
            self.steered = steered

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
            self.steered.begun()
            return control

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
            if not self.steered.after_step(state.global_step, self.steered.trainer.mean_loss):
                control.should_training_stop = True
            if self.steered.wants_checkpoint():
                self.steered.saving()
                control.should_save = True
            return control

        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
            self.steered.saved(state.global_step)
            return control

    return Callback


@cache
def _trainer_class() -> Any:
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import Trainer

    class SteeredTrainer(Trainer):
        """Learning rate by the attempt's clock, batches of like length, the network's own loss."""

        steered: Any = None
        _told_step = 0

        def mean_loss(self) -> float:
            """Return the mean loss of the steps since it was last asked for."""
            steps = self.state.global_step - self._told_step
            self._told_step = self.state.global_step
            value = float(self._tr_loss.item()) / max(1, steps)
            self._tr_loss -= self._tr_loss
            return value

        def untold(self) -> tuple[int, float]:
            """Return the step up to which losses were asked for, and the sum of those since."""
            loss: Any = self._tr_loss
            return self._told_step, float(loss)

        def take_up(self, told: int, loss: float) -> None:
            """Go on with the sum of losses of an earlier attempt."""
            self._told_step = told
            self._tr_loss += loss

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            chosen: Any = optimizer or self.optimizer
            self.lr_scheduler = LambdaLR(chosen, self.steered.factor)
            self._created_lr_scheduler = True
            return self.lr_scheduler

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            lengths = self.steered.network.lengths
            if lengths is None:
                return super()._get_train_sampler(train_dataset)
            size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            epoch = lambda: int((self.state.epoch or 0.0) + 1e-6)  # noqa: E731
            return _sampler_class()(lengths, size, self.args.seed, epoch)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            own = self.steered.network.loss
            if own is None:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return own(model, inputs)

    return SteeredTrainer


@cache
def _sampler_class() -> Any:
    import torch
    from torch.utils.data import Sampler
    from transformers.trainer_pt_utils import get_length_grouped_indices

    class LikeLengths(Sampler[int]):
        """Rows at random, those of like length together; each epoch's order is its own, also after a resume."""

        def __init__(self, lengths: list[int], size: int, seed: int, epoch: Callable[[], int]) -> None:
            self.lengths, self.size, self.seed, self.epoch = lengths, size, seed, epoch

        def __len__(self) -> int:
            return len(self.lengths)

        def __iter__(self) -> Iterator[int]:
            generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.epoch())
            return iter(get_length_grouped_indices(self.lengths, self.size, generator=generator))

    return LikeLengths
