"""`automl-gpt doctor` as a person and a script meet it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from automl_gpt.agent import doctor_command
from automl_gpt.tools.process.doctor import Check
from automl_gpt.tools.process.packages import DEEP

CHECKS = [Check("python", "ok", "Python 3.11"), Check("hub", "warn", "can't be reached", "connect")]
BROKEN = Check("torchvision", "bad", "does not fit", "pip uninstall -y torchvision")


def test_every_check_is_a_line_with_its_mend_beneath(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_command, "examine", lambda: [*CHECKS, BROKEN])
    assert doctor_command.doctor(False) == 2
    assert capsys.readouterr().out.splitlines() == [
        "OK    python       Python 3.11",
        "WARN  hub          can't be reached",
        "                   mend: connect",
        "BAD   torchvision  does not fit",
        "                   mend: pip uninstall -y torchvision",
    ]


def test_warnings_break_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_command, "examine", lambda: CHECKS)
    assert doctor_command.doctor(True) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"check": "python", "level": "ok", "text": "Python 3.11", "mend": ""},
        {"check": "hub", "level": "warn", "text": "can't be reached", "mend": "connect"},
    ]


HEAVY = (
    "pandas",
    "scipy",
    "sklearn",
    "lightgbm",
    "optuna",
    "skops",
    "matplotlib",
    "langchain_openai",
    "xgboost",
    *DEEP,
)
TORCH = """
class cuda:
    is_available = lambda: False
class version:
    cuda = None
class backends:
    class mps:
        is_available = lambda: False
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Light packages in place of the heavy ones, which are not what is tested here."""
    for name in HEAVY:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("__version__ = '9.9'" + (TORCH if name == "torch" else ""))
    return tmp_path


def doctor(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    python_path = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": python_path, "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "sk-hidden"}
    command = [sys.executable, "-m", "automl_gpt.agent.cli", "doctor", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_torchvision_that_does_not_fit_is_found_from_the_command_line(path: Path) -> None:
    (path / "torchvision").mkdir()
    code = "raise RuntimeError('operator torchvision::nms does not exist')"
    (path / "torchvision" / "__init__.py").write_text(code)
    done = doctor(path, "--json")
    assert (done.returncode, done.stderr) == (2, "")
    checks = {check["check"]: check for check in json.loads(done.stdout)}
    assert checks["torchvision"]["level"] == "bad" and "torchvision::nms" in checks["torchvision"]["text"]
    assert {"python", "space", "memory", "home", "journal", "packages", "hub", "proxy", "key", "threads"} <= set(checks)
    assert "torch 9.9" in checks["deep"]["text"] and "hidden" not in done.stdout


def test_a_set_up_that_works_is_told_line_by_line(path: Path) -> None:
    done = doctor(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(re.match(r"(OK  |WARN)  \w| +mend: ", line) for line in done.stdout.splitlines())
    assert "torchvision is not installed, nor needed" in done.stdout and "OPENAI_API_KEY is set" in done.stdout
