"""Token classification: one tag per word, read off its first sub-token (Devlin et al., 2019, section 5.3).

Sentences that are too long are read in overlapping windows; each word counts in the window that shows most around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.deep.encoders import at_random, given, save, saved
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.deep.text import heads
from automl_gpt.tools.train.deep.windows import IGNORED, Item, Reader, Window, in_chunks, outputs, positions, reader
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction, Target
from automl_gpt.tools.train.settings import whole, word


class TaggingModel:
    """An encoder with one output per tag and token. `usual` is the tag of words of which no token is left."""

    def __init__(self, model: Any, read: Reader, usual: int, best_step: int) -> None:
        self.model, self.read, self.usual, self.best_step = model, read, usual, best_step

    def predict(self, x: Examples) -> Prediction:
        """Return one tag for each word of each row."""
        import torch

        with torch.inference_mode():
            return tags(self.model, x, self.read, self.usual)

    def save(self, folder: Path) -> None:
        """Write a folder of transformers, and how texts are read."""
        about = {"max_length": self.read.max_length, "usual": self.usual, "best_step": self.best_step}
        save(folder, self.model, self.read.tokenizer, about)


class TaggingTrainer:
    """Fine-tunes given weights (`token_encoder`), or trains a small encoder from scratch (`token_scratch`)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: Literal["token_encoder", "token_scratch"]) -> None:
        self.name: str = name
        own = ADAPTING if name == "token_encoder" else frozenset({"hidden_size", "layers", "vocabulary"})
        self.reads = TRAINING | own | {"max_length", "class_weight"}

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> TaggingModel:
        """Fit the network; ToolError where there are no tagged words."""
        seed(data)
        how, counts = recipe(hyperparameters), tag_counts(data.y, len(data.labels))
        balanced = word(hyperparameters, "class_weight") == "balanced"
        model, tokenizer = self._network(data, hyperparameters, len(counts))
        read = window_reader(tokenizer, model, whole(hyperparameters, "max_length"))
        usual, rows = int(counts.argmax()), training_rows(data, read)
        network = Network(
            model=model,
            rows=rows,
            collate=read.pad,
            predict=lambda trained, x: tags(trained, x, read, usual),
            heads=heads(model),
            lengths=[len(item["input_ids"]) for item in rows],
            loss=weighted_loss(counts) if balanced else None if data.weight is None else weighted_loss(None),
        )
        trained = train(network, how, data, emit)
        return TaggingModel(trained.model, read, usual, trained.best_step)

    def load(self, folder: Path) -> TaggingModel:
        """Read a network that was saved."""
        from transformers import AutoModelForTokenClassification

        model, tokenizer, about = saved(folder, AutoModelForTokenClassification)
        read = window_reader(tokenizer, model, about["max_length"])
        return TaggingModel(model, read, about["usual"], about["best_step"])

    def _network(self, data: FitData, hyperparameters: Hyperparameters, classes: int) -> tuple[Any, Any]:
        from transformers import AutoModelForTokenClassification

        names = dict(enumerate(data.labels or map(str, range(classes))))
        named = {"num_labels": classes, "id2label": names, "label2id": {name: i for i, name in names.items()}}
        if self.name == "token_encoder":
            return given(data, AutoModelForTokenClassification, **named)
        sentences = (" ".join(words) for words in data.x.column("tokens"))
        return at_random(AutoModelForTokenClassification, sentences, hyperparameters, **named)


def tag_counts(y: Target, labels: int) -> NDArray[np.intp]:
    """Return how often each tag occurs; ToolError where no word is tagged."""
    counts = np.bincount([code for record in y for code in record["tags"]] or [0], minlength=labels)
    if not any(record["tags"] for record in y):
        raise ToolError("there are no tagged words in the training rows: nothing can be fitted")
    return counts


def window_reader(tokenizer: Any, model: Any, max_length: int) -> Reader:
    """Return how sentences are read: windows share a quarter of their tokens with the next."""
    length = min(max_length, positions(model))
    return reader(tokenizer, model, length, length // 4)


# --------------------------------------------------------------------------------------------------------- what is read


def read_windows(read: Reader, sentences: Sequence[Sequence[str]]) -> list[Window]:
    """Return the windows of some sentences; `marks` are a word's number at its first token, -1 at all other tokens.

    Words are joined by blanks and found again by their characters: so a word may hold blanks, and every tokenizer does.
    """
    encoded = read([" ".join(words) for words in sentences], truncation="longest_first")
    owners = [_owners(words) for words in sentences]
    windows: list[Window] = []
    for i, row in enumerate(encoded["overflow_to_sample_mapping"]):
        marks = _words(np.array(encoded["offset_mapping"][i], dtype=np.int64), owners[row])
        windows.append(Window(row, read.inputs(encoded, i), marks))
    return _each_once(windows)


def _owners(words: Sequence[str]) -> NDArray[np.int64]:
    """Return for each character of the joined words the word that it belongs to; -1 for the blanks between them."""
    numbers = [np.append(np.full(len(one), i, dtype=np.int64), -1) for i, one in enumerate(words)]
    return np.concatenate(numbers) if numbers else np.zeros(0, dtype=np.int64)


def _words(spans: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the word of each token by its last character, since tokens may begin with the blank before a word."""
    own = np.full(len(spans), -1, dtype=np.int64)
    real = spans[:, 1] > spans[:, 0]
    own[real] = owners[spans[real, 1] - 1]
    return own


def _each_once(windows: list[Window]) -> list[Window]:
    """Mark every word once: at its first token, in the window that holds most tokens on the shorter side of it."""
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for i, window in enumerate(windows):
        for at in _first_tokens(window.marks, continued=i > 0 and windows[i - 1].row == window.row):
            key, room = (window.row, int(window.marks[at])), min(int(at), len(window) - 1 - int(at))
            if key not in best or room > best[key][0]:
                best[key] = (room, i, int(at))
    marks = [np.full(len(window), -1, dtype=np.int64) for window in windows]
    for (_, number), (_, i, at) in best.items():
        marks[i][at] = number
    return [Window(window.row, window.inputs, mark) for window, mark in zip(windows, marks, strict=True)]


def _first_tokens(words: NDArray[np.int64], continued: bool) -> NDArray[np.intp]:
    """Return the places where a word begins, of a window that goes on from another less the first of them.

    There the window may begin within a word, whose first token the window before it has shown.
    """
    own = np.flatnonzero(words >= 0)
    first = own[np.diff(words[own], prepend=-1) != 0]
    return first[1:] if continued else first


def training_rows(data: FitData, read: Reader) -> list[Item]:
    """Return the windows of the training rows; `labels` are tags at the first tokens of words, ignored elsewhere."""
    items: list[Item] = []
    mean = 1.0 if data.weight is None else float(data.weight.mean()) or 1.0
    for rows in in_chunks(len(data.y)):
        for window in read_windows(read, data.x.batch(rows, "tokens")):
            codes = np.array([*data.y[rows[window.row]]["tags"], IGNORED], dtype=np.int64)
            item: Item = window.inputs | {"labels": codes[window.marks]}
            if data.weight is not None:
                item["weight"] = float(data.weight[rows[window.row]]) / mean
            items.append(item)
    return items


def weighted_loss(counts: NDArray[np.intp] | None) -> Callable[[Any, dict[str, Any]], Any]:
    """Return a loss that weighs rows, and tags where their `counts` are given, so that all tags weigh the same."""
    import torch
    from torch.nn.functional import cross_entropy

    share = None
    if counts is not None:
        present = np.count_nonzero(counts)
        share = torch.tensor(counts.sum() / (present * np.maximum(counts, 1)), dtype=torch.float32)

    def loss(model: Any, batch: dict[str, Any]) -> Any:
        told = {name: values for name, values in batch.items() if name not in ("weight", "labels")}
        logits, labels = model(**told).logits.float(), batch["labels"]
        weight = None if share is None else share.to(logits.device)
        each = cross_entropy(logits.transpose(1, 2), labels, weight, reduction="none", ignore_index=IGNORED)
        if "weight" in batch:
            each = each * batch["weight"][:, None]
        return each.sum() / (labels != IGNORED).sum().clamp(min=1)

    return loss


# ----------------------------------------------------------------------------------------------------- what is answered


def tags(model: Any, x: Examples, read: Reader, usual: int) -> Prediction:
    """Return the most probable tag of each word, `usual` for words without a token."""
    listed: list[dict[str, Any]] = []
    for rows in in_chunks(len(x)):
        sentences = x.batch(rows, "tokens")
        codes = [np.full(len(words), usual, dtype=np.int64) for words in sentences]
        for some, output in outputs(model, read_windows(read, sentences), read):
            likeliest = output.logits.argmax(-1).cpu().numpy()
            for line, window in zip(likeliest, some, strict=True):
                at = np.flatnonzero(window.marks >= 0)
                codes[window.row][window.marks[at]] = line[at]
        listed += [{"tags": row.tolist()} for row in codes]
    return records(listed)
