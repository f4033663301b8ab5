"""Forecasts for trainers never seen: from logs in a file, before a training begins and from its first rows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.base import Context
from automl_gpt.tools.tune.forecasts.trainings import Training, forecast_training, training_forecast

ROWS = 20


def made(rng: np.random.Generator, direction: str = "minimize", scale: float = 1.0) -> Training:
    """A training whose curve is an exponential that its learning rate decides, and a little noise."""
    rate = float(10 ** rng.uniform(-5, -1))
    end = 0.3 + 0.2 * (math.log10(rate) + 3) ** 2
    losses = end + 2.0 * np.exp(-np.arange(1, ROWS + 1) / 4) + rng.normal(0, 0.01, ROWS)
    values = scale * (losses if direction == "minimize" else 4 - losses)
    return Training(settings={"lr": rate, "optimizer": "adam"}, words="a made task", values=tuple(values.tolist()))


def cut(training: Training, rows: int) -> Training:
    return training.model_copy(update={"values": training.values[:rows], "end": float(ROWS)})


def final(training: Training) -> float:
    value = training.values[-1]
    assert value is not None
    return value


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_before_it_begins_and_from_its_first_rows_it_knows_more_and_more(direction: Any, scale: float):
    rng = np.random.default_rng(0)
    finished, asked = [made(rng, direction, scale) for _ in range(60)], [made(rng, direction, scale) for _ in range(25)]
    truth = np.array([final(t) for t in asked])
    plain = np.abs(truth - np.median([final(t) for t in finished])).mean()
    errors: list[float] = []
    for rows in (0, 5, 10):
        said = [training_forecast(finished, cut(t, rows), direction) for t in asked]
        errors.append(float(np.abs(np.array([s.value for s in said]) - truth).mean()))
        covered = np.mean([s.low <= t <= s.high for s, t in zip(said, truth, strict=True)])
        assert covered >= 0.6
        assert all(s.rows[-1].step == ROWS and s.rows[-1].value == s.value for s in said)
        assert all(r.low <= r.value <= r.high for s in said for r in s.rows)
    assert errors[0] < 0.6 * plain and errors[1] < 0.5 * errors[0] and errors[2] < errors[0] / 4


def test_losses_over_many_sizes_are_compared_by_their_logarithms():
    rng = np.random.default_rng(1)
    finished = [made(rng, "minimize", float(10 ** rng.uniform(-3, 3))) for _ in range(80)]
    asked = [made(rng, "minimize", float(10 ** rng.uniform(-3, 3))) for _ in range(20)]
    said = [training_forecast(finished, cut(t, 8), "minimize") for t in asked]
    errors = [abs(math.log(s.value / final(t))) for s, t in zip(said, asked, strict=True)]
    assert np.median(errors) < 0.25
    assert all(s.low > 0 for s in said)


def test_with_two_others_its_own_rows_decide_and_the_interval_is_wide():
    rng = np.random.default_rng(2)
    one = made(rng)
    said = training_forecast([made(rng), made(rng)], cut(one, 6), "minimize")
    assert said.ground.startswith("its own 6 rows") and said.low <= said.value <= said.high
    assert said.high - said.low > 0.05


ODD = {
    "not a number": (math.nan,) * 5,
    "gaps": (1.0, None, 0.8, None, 0.7),
    "one row": (1.0,),
    "a jump": (1.0, 0.9, 1e12, 0.8, 0.7),
    "infinite": (math.inf, 1.0, -math.inf),
    "all the same": (0.5,) * 6,
    "zero and below": (0.0, -1.0, -2.0),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_logs_among_the_finished_and_as_the_running_one_give_sound_forecasts(what: str):
    rng = np.random.default_rng(3)
    odd = Training(values=ODD[what])
    finished = [made(rng) for _ in range(30)]
    for others, asked in (([*finished, odd, odd], cut(made(rng), 6)), (finished, odd), ([odd, *finished[:3]], odd)):
        said = training_forecast(others, asked.model_copy(update={"end": 50.0}), "minimize")
        assert all(map(math.isfinite, (said.value, said.low, said.high)))
        assert said.low <= said.value <= said.high
    spread = float(np.std([final(t) for t in finished]))
    lone = training_forecast(finished, odd.model_copy(update={"end": 50.0}), "minimize")
    assert lone.high - lone.low > 0.3 * spread, "nothing like it was seen, so the interval has to be wide"


def test_steps_may_come_in_any_order_and_twice():
    rng = np.random.default_rng(4)
    finished = [made(rng) for _ in range(20)]
    plain = training_forecast(finished, cut(finished[0], 4), "minimize")
    values = finished[0].values
    mixed = Training(
        settings=finished[0].settings, words=finished[0].words, end=ROWS,
        steps=(2, 1, 3, 4, 4), values=(values[1], values[0], values[2], 99.0, values[3]),
    )  # fmt: skip
    assert training_forecast(finished, mixed, "minimize") == plain


def test_a_training_among_the_finished_that_has_not_come_to_its_end_counts_for_nothing():
    rng = np.random.default_rng(6)
    finished, asked = [made(rng) for _ in range(20)], cut(made(rng), 5)
    broken = [cut(made(rng, "minimize", 50.0), 3) for _ in range(20)]
    for rows in (0, 5):
        alone = training_forecast(finished, cut(asked, rows), "minimize")
        assert training_forecast([*broken, *finished], cut(asked, rows), "minimize") == alone


BAD = {
    "absent": (None, "can't be read"),
    "empty": ("\n\n", "is empty"),
    "no json": ('{"values": [1, 2]}\nhello\n', ":2: is no JSON object"),
    "a list": ("[1, 2]\n", ":1: "),
    "another field": ('{"vals": [1]}\n', ":1: vals: "),
    "a word": ('{"values": [1, "x"]}\n', ":1: values.1"),
    "steps": ('{"values": [1, 2], "steps": [1]}\n', ":1: 1 steps and 2 values"),
    "no text": (b"\xff\xfe\x00", "UTF-8"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_cannot_be_used_gets_one_line_that_names_the_mend(tmp_path: Path, what: str):
    content, told = BAD[what]
    file, now = tmp_path / "finished.jsonl", tmp_path / "now.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    now.write_text('{"values": [1.0]}')
    with pytest.raises(ToolError, match=told) as problem:
        forecast_training.call({"finished": str(file), "running": str(now)}, Context(tmp_path))
    assert str(file) in str(problem.value) and "\n" not in str(problem.value)


def test_the_tool_reads_files_and_refuses_what_has_ended(tmp_path: Path):
    rng = np.random.default_rng(5)
    finished = [made(rng) for _ in range(12)]
    (tmp_path / "f.jsonl").write_text("".join(t.model_dump_json(exclude_none=True) + "\n" for t in finished))
    arguments = {"finished": str(tmp_path / "f.jsonl"), "running": str(tmp_path / "now.json")}

    def ask(training: dict[str, Any]) -> Any:
        (tmp_path / "now.json").write_text(json.dumps(training))
        return forecast_training.call(arguments, Context(tmp_path))

    assert "before it begins" in ask({"settings": {"lr": 1e-3}}).ground
    running = {"settings": dict(finished[0].settings), "values": list(finished[0].values[:5])}
    said = ask(running)
    assert "first 5 rows" in said.ground and said.rows[-1].step == ROWS
    with pytest.raises(ToolError, match="it has ended"):
        ask({"values": list(finished[0].values)})
    with pytest.raises(ToolError, match="no finished training has a finite score"):
        (tmp_path / "f.jsonl").write_text('{"values": [null]}\n')
        ask(running)
