"""Encoders of texts, or of pairs of texts, for classification and regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.train.deep.encoders import at_random, given, heads, save, saved
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.deep.tokens import Tokens, by_length, padded
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import whole, word

PREDICT_TOKENS = 4096
"""Tokens that are predicted at a time: more take memory and are no faster."""
LONGEST = 512


class TextModel:
    """A fitted encoder with its tokenizer. `center` and `scale` turn its output into a regression's unit."""

    def __init__(
        self, model: Any, tokenizer: Any, max_length: int, center: float, scale: float, best_step: int
    ) -> None:
        self.model, self.tokenizer, self.max_length = model, tokenizer, max_length
        self.center, self.scale, self.best_step = center, scale, best_step

    def predict(self, x: Examples) -> Prediction:
        """Return probabilities (rows, classes), or values (rows,)."""
        import torch

        with torch.inference_mode():
            return self.with_model(self.model, x)

    def with_model(self, model: Any, x: Examples) -> Prediction:
        """Predict with another state of the network, as it is while it trains."""
        tokens = _tokens(self.tokenizer, x, self.max_length)
        width = int(model.config.num_labels)
        raw = np.zeros((len(tokens), width))
        longest = max(tokens.lengths, default=1)
        device = next(model.parameters()).device
        for rows in by_length(tokens.lengths, max(1, PREDICT_TOKENS // longest)):
            batch = padded(self.tokenizer, [tokens[row] for row in rows])
            raw[rows] = model(**{k: v.to(device) for k, v in batch.items()}).logits.float().cpu().numpy()
        return raw[:, 0] * self.scale + self.center if width == 1 else _softmax(raw)

    def save(self, folder: Path) -> None:
        """Write a Hugging Face folder, and beside it what else a prediction needs."""
        told = {"max_length": self.max_length, "center": self.center, "scale": self.scale, "best_step": self.best_step}
        save(folder, self.model, self.tokenizer, told)


class TextTrainer:
    """Fine-tunes given weights (`text_encoder`), or trains a small encoder from nothing (`text_scratch`)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: str) -> None:
        self.name = name
        processing = {"max_length", "class_weight"}
        more = ADAPTING if name == "text_encoder" else {"hidden_size", "layers", "vocabulary"}
        self.reads = frozenset(TRAINING | more | processing)

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> TextModel:
        """Train the encoder; UserError where the weights can't be used, ToolError where it diverges."""
        seed(data)
        max_length = whole(hyperparameters, "max_length")
        if self.name == "text_encoder":
            model, tokenizer = _given(data)
        else:
            model, tokenizer = _made(data, hyperparameters)
        center, scale = (0.0, 1.0) if data.classes else (float(data.y.mean()), max(float(data.y.std()), 1e-9))
        fitted = TextModel(model, tokenizer, _fitting(max_length, model), center, scale, 0)
        network = _network(fitted, data, word(hyperparameters, "class_weight"))
        network.probed = (lambda model, batch: model(**batch)) if self.name == "text_encoder" else None
        trained = train(network, recipe(hyperparameters), data, emit)
        fitted.model, fitted.best_step = trained.model, trained.best_step
        return fitted

    def load(self, folder: Path) -> TextModel:
        """Read an encoder that was saved."""
        from transformers import AutoModelForSequenceClassification

        model, tokenizer, told = saved(folder, AutoModelForSequenceClassification)
        return TextModel(model, tokenizer, **told)


class _Rows:
    """Training rows: tokens, the answer, the weight."""

    def __init__(self, tokens: Tokens, y: NDArray[Any], weight: NDArray[np.float64] | None) -> None:
        self.tokens, self.y, self.weight = tokens, y, weight

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, Any]:
        weight = {} if self.weight is None else {"weight": self.weight[row]}
        return {**self.tokens[row], "labels": self.y[row], **weight}


def _network(fitted: TextModel, data: FitData, class_weight: str) -> Network:
    import torch

    weighed = data.balanced() if class_weight == "balanced" and data.classes else data
    y: NDArray[Any] = data.y.astype(np.int64) if data.classes else (data.y - fitted.center) / fitted.scale
    weight = None if weighed.weight is None else weighed.weight / max(float(weighed.weight.mean()), 1e-12)
    tokens = _tokens(fitted.tokenizer, data.x, fitted.max_length)

    def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
        batch = padded(fitted.tokenizer, items)
        kind = torch.int64 if data.classes else torch.float32
        batch["labels"] = torch.tensor(np.array([item["labels"] for item in items]), dtype=kind)
        if weight is not None:
            batch["weight"] = torch.tensor([float(item["weight"]) for item in items])
        return batch

    return Network(
        model=fitted.model,
        rows=_Rows(tokens, y, weight),
        collate=collate,
        predict=fitted.with_model,
        heads=(*heads(fitted.model), "pooler"),
        lengths=tokens.lengths,
        loss=None if weight is None else _weighted_loss,
    )


def _weighted_loss(model: Any, batch: dict[str, Any]) -> Any:
    """Return the mean of the rows' losses, each times its weight."""
    from torch.nn.functional import cross_entropy, mse_loss

    labels, weight = batch.pop("labels"), batch.pop("weight")
    logits = model(**batch).logits.float()
    losses = (
        mse_loss(logits[:, 0], labels, reduction="none")
        if logits.shape[1] == 1
        else cross_entropy(logits, labels, reduction="none")
    )
    return (losses * weight).mean()


def _given(data: FitData) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification

    model, tokenizer = given(data, AutoModelForSequenceClassification, **_answers(data))
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _made(data: FitData, hyperparameters: Hyperparameters) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification

    texts = data.x.column("text") + (data.x.column("pair") if "pair" in data.x.roles else [])
    return at_random(AutoModelForSequenceClassification, texts, hyperparameters, **_answers(data))


def _answers(data: FitData) -> dict[str, Any]:
    """Return what a configuration says of the answers."""
    if not data.classes:
        return {"num_labels": 1, "problem_type": "regression"}
    codes = dict(enumerate(data.labels))
    named = {"num_labels": data.classes, "problem_type": "single_label_classification"}
    return {**named, "id2label": codes, "label2id": {label: code for code, label in codes.items()}}


def _fitting(max_length: int, model: Any) -> int:
    """Return the length, cut to the positions that the model has."""
    positions = getattr(model.config, "max_position_embeddings", None) or LONGEST
    # RoBERTa and its kin count positions from behind the padding's index.
    offset = 2 if model.config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0
    return min(max_length, positions - offset)


def _tokens(tokenizer: Any, x: Examples, max_length: int) -> Tokens:
    pairs = x.column("pair") if "pair" in x.roles else None
    return Tokens(tokenizer, x.column("text"), pairs, max_length)


def _softmax(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import softmax

    return softmax(raw, axis=1)
