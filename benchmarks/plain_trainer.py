"""A plain `transformers.Trainer` script as a person would write it: the peer of `benchmarks.networks`.

    python -m benchmarks.plain_trainer DATA WEIGHTS EPOCHS BATCH LEARNING_RATE

DATA holds train.csv and valid.csv with columns text and label. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

from benchmarks.peak import peak_megabytes


def main(data: str, weights: str, epochs: int, batch: int, learning_rate: float) -> None:
    import numpy as np
    import torch
    from datasets import load_dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(1)
    parts: Any = load_dataset("csv", data_files={p: f"{data}/{p}.csv" for p in ("train", "valid")})
    tokenizer: Any = AutoTokenizer.from_pretrained(weights)
    coded = parts.map(lambda rows: tokenizer(rows["text"], truncation=True, max_length=128), batched=True)
    classes = len(set(parts["train"]["label"]))
    model: Any = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=classes)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=64,
            learning_rate=learning_rate,
            warmup_steps=0.1,
            weight_decay=0.01,
            eval_strategy="steps",
            eval_steps=1 / 12,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=0,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=coded["train"],
            eval_dataset=coded["valid"],
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=lambda told: {"accuracy": float((told[0].argmax(-1) == told[1]).mean())},
        )
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        score = trainer.evaluate()["eval_accuracy"]
    rows = len(parts["train"]) * epochs
    peak = peak_megabytes()
    print(json.dumps({"per_second": rows / seconds, "megabytes": peak, "accuracy": float(np.round(score, 4))}))


if __name__ == "__main__":
    folder, source, *rest = sys.argv[1:]
    main(folder, source, int(rest[0]), int(rest[1]), float(rest[2]))
