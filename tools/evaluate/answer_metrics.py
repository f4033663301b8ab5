"""Metrics of answers: entities, spans, texts, ranked passages, boxes; each by the field's own library or rules.

All but the average precision of boxes add up: each row has a few figures, and the metric is a function of their sums.
So a score, a weighted score and a bootstrap over rows rest on one pass over the records.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_gpt.tools.evaluate.detection_metrics import mean_average_precision
from automl_gpt.tools.train.deep.weights import check_weights
from automl_gpt.tools.train.protocol import Prediction, Target

Figures = NDArray[np.float64]
RANKS = (1, 5, 20, 100)
"""Of how many passages the recall is measured."""
BOXES = ("map", "map50", "map75")


@dataclass(frozen=True)
class Summed:
    """A metric of fixed rows that adds up: figures of shape (rows, kinds), and the score of their (weighted) sums."""

    rows: Figures
    score: Callable[[Figures], float]


def answer_score(name: str, y: Target, p: Prediction, weight: Figures | None, labels: Sequence[str]) -> float:
    """Compute a metric of records. `labels` are the names of tags or classes by code.

    Weights of rows count for all metrics but those of boxes, whose library knows none. NaN where it has no value.
    """
    if name in BOXES:
        return mean_average_precision(y, p, len(labels))[name]
    summed = sums(name, y, p, labels)
    return summed.score((np.ones(len(y)) if weight is None else weight) @ summed.rows)


def sums(name: str, y: Target, p: Prediction, labels: Sequence[str]) -> Summed:
    """Prepare a metric that adds up for many weightings of its rows."""
    if name == "f1_entities":
        return Summed(_table([_entities(t, s, labels) for t, s in zip(y, p, strict=True)], 3), _f1)
    if name == "chrf":
        return _chrf(y, p)
    if name == "token_accuracy":
        return Summed(_table([_hits(t["tags"], s["tags"]) for t, s in zip(y, p, strict=True)], 2), _share)
    score = _rouge_l() if name == "rouge_l" else _ROWS[name]
    values = [score(true, said) for true, said in zip(y, p, strict=True)]
    return Summed(_table([(0.0, 0.0) if math.isnan(v) else (v, 1.0) for v in values], 2), _share)


def _table(rows: list[tuple[float, ...]], width: int) -> Figures:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _share(total: Figures) -> float:
    return float(total[0] / total[1]) if total[1] > 0 else math.nan


# ------------------------------------------------------------------------------------------------------------ tags


def _hits(true: Sequence[int], said: Sequence[int]) -> tuple[float, float]:
    return float(sum(a == b for a, b in zip(true, said, strict=True))), float(len(true))


def _entities(true: dict[str, Any], said: dict[str, Any], labels: Sequence[str]) -> tuple[float, ...]:
    """Count entities that agree in kind and place, those that were said, and those that there are (as seqeval does)."""
    from seqeval.metrics.sequence_labeling import get_entities

    wanted, found = ({*get_entities([labels[code] for code in record["tags"]])} for record in (true, said))
    return float(len(wanted & found)), float(len(found)), float(len(wanted))


def _f1(total: Figures) -> float:
    """Micro F1: 0 where there is no entity at all, as seqeval has it."""
    hit, said, true = total
    return float(2 * hit / (said + true)) if said + true > 0 else 0.0


# ------------------------------------------------------------------------------------------------- spans and texts


def normalise(text: str) -> str:
    """Return text in lower case without punctuation, English articles and surplus spaces (the rules of SQuAD)."""
    kept = "".join(c for c in text.lower() if c not in _PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


_PUNCTUATION = frozenset(string.punctuation)


def _gold(true: dict[str, Any]) -> list[str]:
    """Return the normalised correct answers; the empty one where there is none, as SQuAD 2.0 scores them."""
    return [text for answer in true["answers"] if (text := normalise(answer))] or [""]


def _qa_exact_match(true: dict[str, Any], said: dict[str, Any]) -> float:
    return float(normalise(said["text"]) in _gold(true))


def _qa_f1(true: dict[str, Any], said: dict[str, Any]) -> float:
    words = normalise(said["text"]).split()
    return max(_overlap(answer.split(), words) for answer in _gold(true))


def _overlap(true: list[str], said: list[str]) -> float:
    if not true or not said:
        return float(true == said)
    common = sum((Counter(true) & Counter(said)).values())
    return 2 * common / (len(true) + len(said))


def _exact_match(true: dict[str, Any], said: dict[str, Any]) -> float:
    return float(said["text"].strip() in [text.strip() for text in true["texts"]])


def _rouge_l() -> Callable[[dict[str, Any], dict[str, Any]], float]:
    """Return ROUGE-L (Lin, 2004) of one text: the F-measure of the longest common subsequence of words."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer: Any = RougeScorer(["rougeL"])
    return lambda true, said: float(scorer.score_multi(true["texts"], said["text"])["rougeL"].fmeasure)


def _chrf(y: Target, p: Prediction) -> Summed:
    """Prepare chrF++ (Popović, 2017): n-grams of characters up to 6 and of words up to 2, over all rows, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    metric: Any = CHRF(word_order=2)
    metric._force = True  # no warning about texts that end in " ."
    most = max(len(record["texts"]) for record in y)
    streams = [[r["texts"][i] if i < len(r["texts"]) else None for r in y] for i in range(most)]
    rows: Any = metric._extract_corpus_statistics([record["text"] for record in p], streams)
    return Summed(np.array(rows, dtype=np.float64), lambda total: float(metric._compute_f_score(total)))


def bert_score(y: Target, p: Prediction, encoder: Path) -> float:
    """Return BERTScore F1 (Zhang et al., 2020) by the last layer of an encoder in a local folder, not rescaled.

    UserError where the folder holds no weights that can be loaded safely.
    """
    from bert_score import BERTScorer
    from transformers import AutoConfig
    from transformers.utils import logging

    check_weights(str(encoder))
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config: Any = AutoConfig.from_pretrained(str(encoder), local_files_only=True)
    scorer: Any = BERTScorer(model_type=str(encoder), num_layers=int(config.num_hidden_layers), device="cpu")
    longest = int(getattr(config, "max_position_embeddings", 512))  # tokenizers don't always know it
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, longest)
    found = scorer.score([record["text"] for record in p], [list(record["texts"]) for record in y])
    return float(found[2].mean())


# --------------------------------------------------------------------------------------------------------- ranking


def _first_hit(true: dict[str, Any], said: dict[str, Any]) -> float:
    """Return the rank of the first correct passage, from 1; infinite where none was found, NaN where there is none."""
    correct = set(true["passages"])
    if not correct:
        return math.nan
    return next((place for place, number in enumerate(said["ranked"], 1) if number in correct), math.inf)


def _mrr(true: dict[str, Any], said: dict[str, Any]) -> float:
    return 1 / _first_hit(true, said)


def _recall(most: int) -> Callable[[dict[str, Any], dict[str, Any]], float]:
    """Return whether a correct passage is among the first (Karpukhin et al., 2020: top-k accuracy)."""

    def compute(true: dict[str, Any], said: dict[str, Any]) -> float:
        rank = _first_hit(true, said)
        return math.nan if math.isnan(rank) else float(rank <= most)

    return compute


_ROWS: dict[str, Callable[[dict[str, Any], dict[str, Any]], float]] = {
    "qa_exact_match": _qa_exact_match,
    "qa_f1": _qa_f1,
    "exact_match": _exact_match,
    "mrr": _mrr,
    **{f"recall_at_{most}": _recall(most) for most in RANKS},
}
