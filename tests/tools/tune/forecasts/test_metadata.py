"""What trainings come to, from words and numbers alone: learns, abstains, covers, and takes anything."""

from __future__ import annotations

import math

import numpy as np
import pytest

from automl_gpt.tools.tune.forecasts.metadata import Metadata, OutcomeModel, metadata


def made(n: int, seed: int) -> tuple[list[Metadata], list[float], list[str]]:
    """Return trainings whose loss depends on their task and their learning rate; families differ at random."""
    rng = np.random.default_rng(seed)
    records: list[Metadata] = []
    values: list[float] = []
    groups: list[str] = []
    for i in range(n):
        task, rate = ("summarization", "translation", "classification")[i % 3], float(10 ** rng.uniform(-6, -2))
        family = int(rng.integers(12))
        records.append(metadata({"learning_rate": rate, "optimizer": "Adam betas=0.9"}, (f"model{family}", task)))
        level = {"summarization": 0.8, "translation": 0.2, "classification": -1.5}[task]
        values.append(level + 0.1 * (math.log10(rate) + 4) ** 2 + 0.1 * math.sin(family) + rng.normal(0, 0.2))
        groups.append(f"model{family}")
    return records, values, groups


def test_it_learns_from_words_and_numbers_and_covers_what_it_promises():
    records, values, groups = made(240, 0)
    model = OutcomeModel(records, values, groups)
    new, truth, _ = made(150, 1)
    said = [model.predict(r) for r in new]
    errors = [abs(s.value - t) for s, t in zip(said, truth, strict=True)]
    plain = [abs(float(np.median(values)) - t) for t in truth]
    covered = [s.low <= t <= s.high for s, t in zip(said, truth, strict=True)]
    assert np.mean(errors) < 0.5 * np.mean(plain)
    assert 0.75 <= np.mean(covered) <= 0.98


def test_words_that_tell_nothing_leave_the_median_and_an_interval_that_covers():
    rng = np.random.default_rng(2)
    records = [Metadata(f"w{rng.integers(30)} w{rng.integers(30)}", {"x": rng.random()}) for _ in range(200)]
    values = rng.normal(size=200).tolist()
    model = OutcomeModel(records[:150], values[:150], [str(i % 10) for i in range(150)])
    said = [model.predict(r) for r in records[150:]]
    covered = [s.low <= v <= s.high for s, v in zip(said, values[150:], strict=True)]
    assert np.mean([abs(s.value) for s in said]) < 0.4
    assert 0.7 <= np.mean(covered) <= 0.95


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_few_records_give_wide_intervals(n: int):
    records, values, groups = made(n, 3)
    said = OutcomeModel(records, values, groups).predict(Metadata("never heard of", {"odd": 3.0}))
    assert all(map(math.isfinite, (said.value, said.low, said.high)))
    assert said.low <= said.value <= said.high and said.high - said.low > 0.5


def test_odd_records_and_values_do_no_harm():
    records, values, groups = made(40, 4)
    records = [*records, Metadata(), Metadata("", {"learning_rate": -1e300}), metadata({"a": math.nan, "b": None})]
    model = OutcomeModel(records, [*values, math.nan, 1e12, -math.inf], [*groups, "x", "y", "z"])
    for record in (Metadata(), metadata({"learning_rate": math.inf, "text": "lr=1e-3 " * 1000})):
        said = model.predict(record)
        assert -5 < said.value < 5 and said.low <= said.value <= said.high
    with pytest.raises(ValueError, match="finite"):
        OutcomeModel(records[:1], [math.nan], ["a"])


def test_numbers_named_within_texts_count_and_truth_values_are_words():
    found = metadata({"optimizer": "Adam with betas=(0.9,0.999) and epsilon=1e-08", "fp16": True, "seed": 42})
    assert found.numbers == {"betas": 0.9, "epsilon": 1e-08, "seed": 42.0}
    assert "fp16 True" in found.text
