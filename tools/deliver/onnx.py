"""A delivered network as ONNX, which many runtimes read: exported, then compared with the network in PyTorch."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.check_pictures import rgb
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.deliver.network import DeliveredNetwork

FILE = "model.onnx"
NEEDED = ("onnx", "onnxruntime", "onnxscript")
TASKS = ("binary", "multiclass", "regression", "token-classification", "question-answering")
MOST_APART = 1e-3
"""Outputs may differ by so much, of the largest one where that is above 1."""
ROWS = 6
"""Rows whose outputs are compared, at the most."""
MADE_UP = ("one", "two words", "a few words more than that")


@dataclass(frozen=True)
class Compared:
    """The names of what goes in and comes out, the largest difference of outputs, and on which rows."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float
    rows: str


def check_onnx(network: DeliveredNetwork) -> None:
    """Raise UserError where the task can't be exported, or a package is missing."""
    if network.manifest.task not in TASKS:
        raise UserError(
            f"ONNX is not supported for {network.manifest.task}, but for classification, regression, "
            "token-classification and question-answering: take --format hf"
        )
    if any(find_spec(name) is None for name in NEEDED):
        raise UserError("ONNX needs packages that are not installed: pip install 'automl-gpt[onnx]'")


def write_onnx(network: DeliveredNetwork, folder: Path, rows: Examples | None) -> Compared:
    """Write model.onnx and the reader, and compare both networks' outputs for rows (None: made-up ones).

    Batches and the lengths of texts may have any size. UserError where the outputs are not the same.
    """
    network.reader.save_pretrained(folder)  # before it is used, which would leave traces in it
    network.model.config.save_pretrained(folder)
    batch = _batch(network, rows)
    outputs = ("start_logits", "end_logits") if network.manifest.task == "question-answering" else ("logits",)
    with _quiet():
        _export(network, batch, outputs, folder / FILE)
        apart = max(_apart(network, part, outputs, folder / FILE) for part in (batch, _first(batch)))
    if not apart <= MOST_APART:
        raise UserError(f"the ONNX model differs from the network by {apart:.2g}, so it was not kept: take --format hf")
    which = "made-up rows" if rows is None else f"{min(ROWS, len(rows))} rows of the validation data"
    return Compared(tuple(batch), outputs, apart, which)


def _batch(network: DeliveredNetwork, rows: Examples | None) -> dict[str, Any]:
    """Return at least two rows as the network reads them: tensors by the names of its arguments."""
    if network.manifest.modality == "image":
        pictures = _made_up_pictures() if rows is None else [rgb(one) for one in rows[:ROWS].column("image")]
        return dict(network.reader(images=[*pictures, pictures[-1]], return_tensors="pt"))
    columns = [list(MADE_UP)] if rows is None else _texts(rows[:ROWS])
    if rows is None and network.manifest.columns.keys() & {"pair", "context"}:
        columns *= 2
    encoded = network.reader(
        *(_as_texts([*column, column[-1]]) for column in columns), truncation=True, padding=True, return_tensors="pt"
    )
    known = inspect.signature(network.model.forward).parameters
    return {name: values for name, values in encoded.items() if name in known}


def _made_up_pictures() -> list[Any]:
    from PIL import Image

    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for _ in range(2)]


def _texts(rows: Examples) -> list[list[Any]]:
    roles = [role for role in ("text", "pair", "question", "context", "tokens") if role in rows.roles]
    return [rows.column(role) for role in roles]


def _as_texts(values: list[Any]) -> list[str]:
    return [value if isinstance(value, str) else " ".join(value) for value in values]


def _first(batch: dict[str, Any]) -> dict[str, Any]:
    """Return one row, shorter where it is a text, to see that neither size is fixed."""
    length = next((values.shape[1] for values in batch.values() if values.ndim == 2), 0)
    return {name: v[:1, : max(2, length // 2)] if v.ndim == 2 else v[:1] for name, v in batch.items()}


def _export(network: DeliveredNetwork, batch: dict[str, Any], outputs: tuple[str, ...], file: Path) -> None:
    import torch

    rows, length = torch.export.Dim("batch"), torch.export.Dim("length")
    sizes = tuple({0: rows, 1: length} if values.ndim == 2 else {0: rows} for values in batch.values())
    program: Any = torch.onnx.export(
        _positional(network, tuple(batch), outputs),
        tuple(batch.values()),
        dynamo=True,
        input_names=list(batch),
        output_names=list(outputs),
        dynamic_shapes=(sizes,),
        verbose=False,
    )
    program.save(str(file))


def _positional(network: DeliveredNetwork, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    """Return the network as a module that takes its inputs in order and returns the outputs alone."""
    import torch

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network.model

        def forward(self, *values: Any) -> tuple[Any, ...]:
            output = self.model(**dict(zip(inputs, values, strict=True)), **network.arguments)
            return tuple(output[name] for name in outputs)

    return Positional().eval()


def _apart(network: DeliveredNetwork, batch: dict[str, Any], outputs: tuple[str, ...], file: Path) -> float:
    """Return the largest difference of outputs, as a share of the largest where that is above 1."""
    import onnxruntime
    import torch

    session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), {name: values.numpy() for name, values in batch.items()})
    with torch.inference_mode():
        wanted = _positional(network, tuple(batch), outputs)(*batch.values())
    far = [
        float((np.abs(own.numpy() - other) / max(1.0, float(own.abs().max()))).max())
        for own, other in zip(wanted, found, strict=True)
    ]
    return max(far) if np.isfinite(far).all() else np.inf


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the exporter's warnings, which a person can do nothing about, off the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
