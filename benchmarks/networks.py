"""Our training of a text encoder beside a plain `transformers.Trainer` script: samples per second, memory, score.

    python -m benchmarks.networks [--weights FOLDER] [--rows N] [--repeats N]

Both fine-tune the same weights (a small BERT at random unless a folder is named) on the same generated texts with one
thread, evaluate twelve times, and run one after the other, in turns, each in a process of its own. It also prepares a
million short texts and compares the memory that takes with the size of the texts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peak import peak_megabytes

EPOCHS, BATCH, RATE = 2, 32, 5e-4
TOPICS = ("ship harbour sail wave", "oven bread flour crust", "star orbit comet lens", "violin chord tempo score")
SPEED, MEMORY, COPIES = 0.97, 1.05, 2.0
"""Targets: the least share of the peer's speed, the most of its memory, the most copies of the texts in memory."""


def write_texts(folder: Path, rows: int, seed: int = 0) -> None:
    """Write train.csv and valid.csv: texts of 5 to 40 words, some of them of the label's topic."""
    draw = random.Random(seed)
    filler = [f"word{i}" for i in range(3000)]
    for part, count in (("train", rows), ("valid", rows // 5)):
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for _ in range(count):
                label = draw.randrange(len(TOPICS))
                words = draw.choices(filler, k=draw.randint(4, 36)) + draw.choices(TOPICS[label].split(), k=2)
                draw.shuffle(words)
                writer.writerow([" ".join(words), label])


def write_weights(folder: Path, texts: Path) -> Path:
    """Write a BERT at random of 4 layers of 128 with a tokenizer of the texts."""
    import torch
    from transformers import BertConfig, BertModel

    from automl_gpt.tools.train.deep.tokens import train_tokenizer

    tokenizer = train_tokenizer(texts.read_text(encoding="utf-8").splitlines(), 4000)
    torch.manual_seed(0)
    size = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}
    BertModel(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def prepared(data: str) -> None:
    """Prepare the texts as a run does, before any trial, in a process of its own."""
    from automl_gpt.cards.schema import DataCard
    from automl_gpt.tools.data.preparation import prepare

    source = {"train": f"{data}/train.csv", "valid": f"{data}/valid.csv"}
    card = DataCard.model_validate(
        {"modality": "text", "task": "classification", "target": "label", "inputs": ["text"], "source": source}
    )
    prepare(card, None, Path(data) / "prepared")


def ours(data: str, weights: str, epochs: int, batch: int, learning_rate: float) -> None:
    """Train as a trial does, and print what the peer prints."""
    import time

    from automl_gpt.tools.data.prepared import open_prepared
    from automl_gpt.tools.train.deep.text import TextTrainer
    from automl_gpt.tools.train.job import Job
    from automl_gpt.tools.train.worker import fit_data
    from automl_gpt.tools.tune.forecasts.stopping import StopRule

    folder = f"{data}/prepared"
    opened = open_prepared(Path(folder))
    job = Job(
        trial=1, model="m", trainer="text_encoder", hyperparameters={}, data=folder, out=folder, metric="accuracy",
        seed=0, source=weights, rule=StopRule.model_construct(),
    )  # fmt: skip
    told = fit_data(opened, 0, job)
    began = time.perf_counter()
    model = TextTrainer("text_encoder").fit(
        told,
        {
            "max_length": 128, "class_weight": "none", "training": "full", "learning_rate": learning_rate,
            "epochs": epochs, "batch_size": batch, "weight_decay": 0.01, "warmup": 0.1,
        },
        lambda *_: True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    score = told.score_valid(model.predict(told.x_valid))
    peak = peak_megabytes()
    rows = len(told.y) * epochs
    print(json.dumps({"per_second": rows / seconds, "megabytes": peak, "accuracy": round(score, 4)}))


def _measure(*command: str) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def texts_in_memory(rows: int) -> None:
    """Prepare many short texts; print the peak of memory above an empty process, and the size of the texts."""
    import pandas as pd

    draw = random.Random(1)
    words = [f"w{i:04d}" for i in range(5000)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.parquet"
        texts = [" ".join(draw.choices(words, k=10)) for _ in range(rows)]
        size = sum(len(text) for text in texts) / 2**20
        pd.DataFrame({"text": texts, "label": [i % 2 for i in range(rows)]}).to_parquet(file)
        del texts
        code = (
            "import sys\nfrom benchmarks.peak import peak_megabytes\n"
            "import datasets, sklearn.metrics, pandas, scipy.sparse, pyarrow.parquet\n"
            "from automl_gpt.tools.data.preparation import prepare\nfrom automl_gpt.cards.schema import DataCard\n"
            "from pathlib import Path\nbefore = peak_megabytes()\n"
            "prepare(DataCard.model_validate({'modality': 'text', 'task': 'classification', 'target': 'label', "
            "'inputs': ['text'], 'source': sys.argv[1]}), None, Path(sys.argv[2]))\n"
            "print(peak_megabytes() - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(file), f"{folder}/data"], capture_output=True, text=True, check=True
        )
    print(json.dumps({"megabytes": float(done.stdout.split()[-1]), "texts": size}))


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", help="a folder of weights; default: a small BERT at random")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--texts", type=int, default=1_000_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder, told.rows)
        weights = told.weights or str(write_weights(folder / "weights", folder / "train.csv"))
        settings = [name, weights, str(EPOCHS), str(BATCH), str(RATE)]
        prepared(name)
        plain: list[dict[str, Any]] = []
        mine: list[dict[str, Any]] = []
        for _ in range(told.repeats):
            plain.append(_measure("-m", "benchmarks.plain_trainer", *settings))
            mine.append(_measure("-m", "benchmarks.networks", "ours", *settings))
    _show(plain, mine)
    counted = _measure("-m", "benchmarks.networks", "texts", str(told.texts))
    copies = counted["megabytes"] / counted["texts"]
    word = "met" if copies <= COPIES else "MISSED"
    Console().print(
        f"{told.texts:,} texts of {counted['texts']:.0f} MiB: {counted['megabytes']:.0f} MiB more memory, "
        f"{copies:.2f} copies (target {COPIES:g}: {word})"
    )


def _show(plain: list[dict[str, Any]], mine: list[dict[str, Any]]) -> None:
    table = Table("", "samples per second", "peak MiB", "accuracy", title="fine-tuning, one thread, medians")
    middle = {
        who: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for who, runs in (("transformers.Trainer script", plain), ("AutoML-GPT", mine))
    }
    for who, figures in middle.items():
        table.add_row(who, f"{figures['per_second']:.1f}", f"{figures['megabytes']:.0f}", f"{figures['accuracy']:.4f}")
    theirs, own = middle.values()
    speed, memory = own["per_second"] / theirs["per_second"], own["megabytes"] / theirs["megabytes"]
    table.add_row(
        "ratio",
        f"{speed:.3f} (target {SPEED:g}: {'met' if speed >= SPEED else 'MISSED'})",
        f"{memory:.3f} (target {MEMORY:g}: {'met' if memory <= MEMORY else 'MISSED'})",
        f"{own['accuracy'] - theirs['accuracy']:+.4f}",
    )
    Console().print(table)


if __name__ == "__main__":
    match sys.argv[1:2]:
        case ["ours"]:
            ours(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
        case ["texts"]:
            texts_in_memory(int(sys.argv[2]))
        case _:
            main()
