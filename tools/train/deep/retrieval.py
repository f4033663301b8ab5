"""Dense passage retrieval (Karpukhin et al., 2020): one encoder for questions and passages, near by their cosine.

A question's own passage has to win against the passages of the other questions in the batch, and against passages that
BM25 takes for good ones though they are not ("hard negatives"). The search is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import Hyperparameters
from automl_gpt.tools.corpus.examples import Examples, records
from automl_gpt.tools.train.deep.encoders import at_random, given, save, saved
from automl_gpt.tools.train.deep.engine import seed, train
from automl_gpt.tools.train.deep.generation import Ids, Sequences, batches, padded
from automl_gpt.tools.train.deep.negatives import Matches, matches
from automl_gpt.tools.train.deep.network import ADAPTING, TRAINING, Network, recipe
from automl_gpt.tools.train.protocol import Emit, FitData, Prediction
from automl_gpt.tools.train.settings import real, whole
from automl_gpt.tools.train.simple.passages import passages_of, ranked, read_passages, write_passages

EMBEDDINGS = "passages.npz"
BLOCK = 16_000_000
"""So many similarities are held at once."""
Vectors = NDArray[np.float32]
"""Unit vectors of shape (texts, width)."""


class Encoder:
    """Texts as unit vectors: the mean of the network's last states (Reimers and Gurevych, 2019)."""

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length

    def ids(self, texts: Sequence[str]) -> Sequences:
        """Return the ids of texts; longer ones lose their end."""
        if not texts:
            return Sequences([])
        encoded = self.tokenizer(
            list(texts), truncation=True, max_length=self.max_length, split_special_tokens=True, verbose=False
        )
        return Sequences(encoded["input_ids"])

    def batch(self, sequences: Sequence[Ids]) -> tuple[Any, Any]:
        """Return ids and mask of some texts."""
        return padded(sequences, self.tokenizer.pad_token_id)

    def embedded(self, model: Any, sequences: Sequences) -> Vectors:
        """Return the unit vectors of texts, without gradients."""
        import torch

        found = np.zeros((len(sequences), model.config.hidden_size), dtype=np.float32)
        with torch.no_grad():
            for rows in batches(sequences.lengths):
                ids, mask = self.batch([sequences[row] for row in rows])
                vectors = pooled(model, ids.to(model.device), mask.to(model.device))
                found[rows] = vectors.float().cpu().numpy()
        return found


def pooled(model: Any, ids: Any, mask: Any) -> Any:
    """Return unit vectors (texts, width) of ids and mask (texts, tokens): the mean of the states under the mask."""
    import torch

    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    kept = mask.unsqueeze(-1).to(states.dtype)
    return torch.nn.functional.normalize((states * kept).sum(1) / kept.sum(1).clamp(min=1), dim=-1)


def nearest(questions: Vectors, passages: Vectors) -> Prediction:
    """Rank all passages for each question by their cosine."""
    size = max(1, BLOCK // max(1, len(passages)))
    return records(
        record
        for start in range(0, len(questions), size)
        for record in ranked(questions[start : start + size] @ passages.T)
    )


class DenseRetriever:
    """An encoder and the vectors of the passages that it searches."""

    def __init__(self, model: Any, encoder: Encoder, vectors: Vectors, passages: list[str], best_step: int) -> None:
        self.model, self.encoder = model.eval(), encoder
        self.vectors, self.passages, self.best_step = vectors, passages, best_step

    def predict(self, x: Examples) -> Prediction:
        """Rank the passages for each question."""
        questions = self.encoder.ids(x.column("question"))
        return nearest(self.encoder.embedded(self.model, questions), self.vectors)

    def save(self, folder: Path) -> None:
        """Write network and tokenizer as transformers reads them, and the passages with their vectors."""
        about = {"max_length": self.encoder.max_length, "best_step": self.best_step}
        save(folder, self.model, self.encoder.tokenizer, about)
        np.savez(folder / EMBEDDINGS, allow_pickle=False, vectors=self.vectors)
        write_passages(folder, self.passages)


class RetrievalTrainer:
    """An encoder with weights of its own (`bi_encoder`), or a small BERT from random ones (`bi_encoder_scratch`)."""

    step_name = "step"
    package = "transformers"

    def __init__(self, name: Literal["bi_encoder", "bi_encoder_scratch"]) -> None:
        self.name: str = name
        self._scratch = name == "bi_encoder_scratch"
        own = {"vocabulary", "hidden_size", "layers"} if self._scratch else ADAPTING
        self.reads = TRAINING | {"max_length", "temperature", "hard_negatives"} | own

    def fit(self, data: FitData, hyperparameters: Hyperparameters, emit: Emit) -> DenseRetriever:
        """Train; ToolError where it diverges or there are no passages, UserError where weights can't be used."""
        how, temperature = recipe(hyperparameters), real(hyperparameters, "temperature")
        negatives, longest = whole(hyperparameters, "hard_negatives"), whole(hyperparameters, "max_length")
        passages = passages_of(data)
        questions: list[str] = data.x.column("question")
        model, tokenizer = self._begin(data, [*passages, *questions], hyperparameters)
        encoder = Encoder(tokenizer, _within(model, longest, data))
        texts = encoder.ids(passages)
        found = matches(questions, data.y, passages, negatives)
        batch = _Batch(encoder, encoder.ids(questions), texts, found)
        network = Network(
            model=model,
            rows=found.rows,
            collate=batch,
            predict=lambda now, x: nearest(
                encoder.embedded(now, encoder.ids(x.column("question"))), encoder.embedded(now, texts)
            ),
            loss=lambda now, inputs: contrast(now, inputs, temperature),
        )
        trained = train(network, how, data, emit)
        best = trained.model.eval()
        return DenseRetriever(best, encoder, encoder.embedded(best, texts), passages, trained.best_step)

    def load(self, folder: Path) -> DenseRetriever:
        """Read a retriever that was saved."""
        from transformers import AutoModel

        model, tokenizer, about = saved(folder, AutoModel)
        with np.load(folder / EMBEDDINGS, allow_pickle=False) as arrays:
            vectors = arrays["vectors"]
        encoder = Encoder(tokenizer, about["max_length"])
        return DenseRetriever(model, encoder, vectors, read_passages(folder), about["best_step"])

    def _begin(self, data: FitData, texts: list[str], hyperparameters: Hyperparameters) -> tuple[Any, Any]:
        from transformers import AutoModel

        seed(data)
        if self._scratch:
            return at_random(AutoModel, texts, hyperparameters)
        model, tokenizer = given(data, AutoModel)
        if model.config.is_encoder_decoder:
            raise UserError(f"{data.source} is an encoder with a decoder; retrieval needs an encoder, such as BERT")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return model, tokenizer


def _within(model: Any, longest: int, data: FitData) -> int:
    """Return the limit in tokens, no more than the network has places for."""
    places = getattr(model.config, "max_position_embeddings", None) or longest
    if places < longest:
        data.tell(f"max_length is {places}: these weights have places for no more tokens")
    return min(longest, places)


class _Batch:
    """Makes batches of questions (by their numbers) with their own passages and the hard negatives of all of them."""

    def __init__(self, encoder: Encoder, questions: Sequences, passages: Sequences, found: Matches) -> None:
        self.encoder, self.questions, self.passages, self.found = encoder, questions, passages, found

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return ids and masks; `blocked` (questions, passages) marks what is right for a question but not its own."""
        import torch

        own = [self.found.own[row] for row in rows]
        hard = [number for row in rows for number in self.found.hard[row]]
        numbers = [*own, *hard]
        blocked = [[number in self.found.right[row] for number in numbers] for row in rows]
        for place in range(len(rows)):
            blocked[place][place] = False
        ids, mask = self.encoder.batch([self.questions[row] for row in rows])
        passage_ids, passage_mask = self.encoder.batch([self.passages[number] for number in numbers])
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "passage_ids": passage_ids,
            "passage_mask": passage_mask,
            "blocked": torch.tensor(blocked),
        }


def contrast(model: Any, inputs: dict[str, Any], temperature: float) -> Any:
    """Return the mean cross-entropy of each question's own passage among those of the batch.

    The logits are cosines over the temperature. Passage i is question i's own; blocked passages are left out.
    """
    import torch

    questions = pooled(model, inputs["input_ids"], inputs["attention_mask"])
    passages = pooled(model, inputs["passage_ids"], inputs["passage_mask"])
    logits = (questions @ passages.T / temperature).masked_fill(inputs["blocked"], -torch.inf)
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(questions), device=logits.device))
