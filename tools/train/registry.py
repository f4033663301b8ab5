"""The trainers that there are: one explicit tuple for tables, and one for texts and pictures."""

from __future__ import annotations

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.baseline import BaselineTrainer
from automl_gpt.tools.train.deep.causal import CausalTrainer
from automl_gpt.tools.train.deep.detection import DetectorTrainer, RTDetrTrainer
from automl_gpt.tools.train.deep.image import ImageTrainer
from automl_gpt.tools.train.deep.qa import QATrainer
from automl_gpt.tools.train.deep.retrieval import RetrievalTrainer
from automl_gpt.tools.train.deep.seq2seq import Seq2SeqTrainer
from automl_gpt.tools.train.deep.tagging import TaggingTrainer
from automl_gpt.tools.train.deep.text import TextTrainer
from automl_gpt.tools.train.forest import ForestTrainer
from automl_gpt.tools.train.lightgbm import LightGBMTrainer
from automl_gpt.tools.train.linear import LinearTrainer
from automl_gpt.tools.train.mlp import MLPTrainer
from automl_gpt.tools.train.neighbours import NeighboursTrainer
from automl_gpt.tools.train.protocol import Trainer
from automl_gpt.tools.train.simple.bm25 import BM25Trainer
from automl_gpt.tools.train.simple.boxes import MeanBoxesTrainer
from automl_gpt.tools.train.simple.nearest_text import NearestTextTrainer
from automl_gpt.tools.train.simple.overlap import OverlapTrainer
from automl_gpt.tools.train.simple.pixels import PixelsTrainer
from automl_gpt.tools.train.simple.tagger import TaggerTrainer
from automl_gpt.tools.train.simple.tfidf import TfidfTrainer
from automl_gpt.tools.train.xgboost import XGBoostTrainer

FOR_TABLES: tuple[Trainer, ...] = (
    BaselineTrainer(),
    LightGBMTrainer(),
    XGBoostTrainer(),
    ForestTrainer("random_forest"),
    ForestTrainer("extra_trees"),
    LinearTrainer(),
    NeighboursTrainer(),
    MLPTrainer(),
)
"""Of these, the baseline answers every task."""
FOR_EXAMPLES: tuple[Trainer, ...] = (
    TfidfTrainer(),
    PixelsTrainer(),
    TaggerTrainer(),
    OverlapTrainer(),
    NearestTextTrainer(),
    BM25Trainer(),
    MeanBoxesTrainer(),
    TextTrainer("text_scratch"),
    TaggingTrainer("token_scratch"),
    QATrainer("qa_scratch"),
    Seq2SeqTrainer("seq2seq_scratch"),
    CausalTrainer("causal_scratch"),
    RetrievalTrainer("bi_encoder_scratch"),
    ImageTrainer("resnet_small"),
    ImageTrainer("convnext_small"),
    ImageTrainer("vit_small"),
    RTDetrTrainer(),
)
FOR_WEIGHTS: tuple[Trainer, ...] = (
    TextTrainer("text_encoder"),
    TaggingTrainer("token_encoder"),
    QATrainer("qa_encoder"),
    Seq2SeqTrainer("seq2seq"),
    CausalTrainer("causal_lm"),
    RetrievalTrainer("bi_encoder"),
    ImageTrainer("image_encoder"),
    DetectorTrainer(),
)
"""Trainers that begin with given weights: a person's Model Card names them under `source`."""
TRAINERS: tuple[Trainer, ...] = (*FOR_TABLES, *FOR_EXAMPLES, *FOR_WEIGHTS)


def trainer(name: str) -> Trainer:
    """Return the trainer of a name; ToolError, with those that there are, where it is unknown."""
    for one in TRAINERS:
        if one.name == name:
            return one
    raise ToolError(f"there is no trainer {name!r}; there are: {', '.join(one.name for one in TRAINERS)}")
