"""Which packages are there, fit, and can be imported, alone and beside each other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from automl_gpt.tools.process import machine

OURS = "automl-gpt"
CORE = (
    "numpy", "pandas", "pyarrow", "scipy", "sklearn", "lightgbm", "optuna", "skops", "sqlalchemy", "matplotlib",
    "langchain_openai", "xgboost",
)  # fmt: skip
"""What tables need, by import name; the last one is optional."""
DEEP = ("torch", "transformers", "tokenizers", "safetensors", "datasets", "accelerate", "peft")
"""What texts and pictures need: the extra `deep`."""
VISION = "torchvision"
SECONDS = 120.0
"""How long the imports of one process may take, on a cold disk and a busy machine too."""

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what it is, whether it works, and what to do where it does not."""

    check: str
    level: Level
    text: str
    mend: str = ""


Facts = dict[str, Any]
"""What an import told: `version` (and the devices of torch), `missing`, or a `problem`."""


def check_packages() -> list[Check]:
    """Check all packages. Imports run in processes of their own, at once."""
    with ThreadPoolExecutor(3) as pool:
        core, deep, vision = pool.map(imported, (CORE, DEEP, (VISION,)))
    xgboost = core.pop("xgboost")
    unfit, absent = _requirements()
    checks = [*unfit, _core(core), *_xgboost(xgboost), *_deep(deep, absent)]
    torch = deep["torch"]
    if "version" in torch:
        checks += [_vision(vision[VISION], torch["version"]), accelerator(torch)]
    return checks


def imported(names: Sequence[str], seconds: float = SECONDS) -> dict[str, Facts]:
    """Import packages in a process and return what each told; where one ends the process, the next gets a new one."""
    found: dict[str, Facts] = {}
    until = time.monotonic() + seconds
    while rest := [name for name in names if name not in found]:
        command = [sys.executable, "-m", "automl_gpt.tools.process.probe", *rest]
        try:
            left = max(0.1, until - time.monotonic())
            done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=left, check=False)
            out, why = done.stdout, f"importing it ended the process ({_end(done.returncode)})"
        except subprocess.TimeoutExpired as error:
            out, why = error.stdout or b"", f"importing it took longer than {seconds:g} s"
        lines: list[Facts] = [json.loads(line) for line in out.splitlines() if line.endswith(b"}")]
        found |= {line.pop("name"): line for line in lines if "name" in line}
        begun = [line["begun"] for line in lines if "begun" in line]
        guilty = begun[-1] if begun else rest[0]
        found.setdefault(guilty, {"problem": why})
    return found


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


# --------------------------------------------------------------------------------------------------------- judgements


def _requirements() -> tuple[list[Check], list[str]]:
    """Compare what is installed with what the project asks for: a line for each that does not fit.

    Returns besides the distributions of the extra `deep` that are absent.
    """
    from packaging.requirements import Requirement

    checks, absent = list[Check](), list[str]()
    for requirement in map(Requirement, metadata.requires(OURS) or ()):
        marker, name, wanted = requirement.marker, requirement.name, requirement.specifier
        installed = installed_version(name)
        if marker is not None and not marker.evaluate({"extra": "deep"}):
            continue
        if installed is None and marker is not None and not marker.evaluate({"extra": ""}):
            absent.append(name)
        elif installed is None or not wanted.contains(installed, prereleases=True):
            told = "is not installed" if installed is None else f"{installed} is installed, {wanted} is needed"
            checks.append(Check(name, "bad", f"{name} {told}", f"pip install '{name}{wanted}'"))
    return checks, absent


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _core(found: dict[str, Facts]) -> Check:
    broken = {name: facts for name, facts in found.items() if "version" not in facts}
    if not broken:
        return Check("packages", "ok", f"the {len(found)} packages that tables need can be imported")
    told = "; ".join(f"{name} ({_trouble(facts)})" for name, facts in broken.items())
    return Check("packages", "bad", f"can't be imported: {told}", "pip install --force-reinstall " + " ".join(broken))


def _trouble(facts: Facts) -> str:
    return "missing" if "missing" in facts else str(facts["problem"])


def _xgboost(facts: Facts) -> list[Check]:
    both = [name for name in ("xgboost", "xgboost-cpu") if installed_version(name) is not None]
    if len(both) == 2:
        mend = "pip uninstall -y xgboost xgboost-cpu, then pip install 'automl-gpt[cpu]' (or [gpu])"
        return [Check("xgboost", "bad", "xgboost and xgboost-cpu are both installed: they overwrite each other", mend)]
    if "version" in facts:
        return [Check("xgboost", "ok", f"xgboost {facts['version']}")]
    level: Level = "warn" if "missing" in facts else "bad"
    return [Check("xgboost", level, f"xgboost can't be imported: {_trouble(facts)}", "pip install 'automl-gpt[cpu]'")]


def _deep(found: dict[str, Facts], absent: list[str]) -> list[Check]:
    missing = sorted({*absent, *(name for name, facts in found.items() if "missing" in facts)})
    broken = {name: facts for name, facts in found.items() if "problem" in facts}
    checks = [
        Check(name, "bad", f"{name} is installed and can't be imported: {facts['problem']}", f"pip install -U {name}")
        for name, facts in broken.items()
    ]
    if missing:
        told = f"not installed: {', '.join(missing)}; tables work without, of texts and pictures not all does"
        checks.append(Check("deep", "warn", told, "pip install 'automl-gpt[deep]'"))
    if not checks:
        versions = ", ".join(
            f"{name} {found[name]['version']}" for name in ("torch", "transformers", "datasets", "peft")
        )
        checks.append(Check("deep", "ok", versions))
    return checks


def _vision(facts: Facts, torch: str) -> Check:
    """Judge torchvision: one that does not fit torch keeps transformers from reading any picture."""
    if "missing" in facts:
        return Check(VISION, "ok", "torchvision is not installed, nor needed: Pillow reads pictures")
    if "version" in facts:
        return Check(VISION, "ok", f"torchvision {facts['version']} fits torch {torch}")
    told = f"torchvision does not fit torch {torch}, and no picture can be read while it is there: {facts['problem']}"
    return Check(VISION, "bad", told, "pip uninstall -y torchvision (it is not needed)")


def accelerator(torch: Facts) -> Check:
    """Judge whether torch can use the accelerator that the machine has."""
    names = torch.get("devices", [])
    if names:
        return Check("accelerator", "ok", f"torch computes on CUDA: {', '.join(names)}")
    if torch.get("mps"):
        return Check("accelerator", "ok", "torch computes on Metal (mps)")
    wanted = machine.device()
    if wanted == "cpu":
        hidden = " (CUDA_VISIBLE_DEVICES hides the NVIDIA device)" if machine.nvidia() else ""
        return Check("accelerator", "ok", f"none: the CPU computes{hidden}")
    if wanted == "cuda" and torch.get("built_for"):
        told = f"the machine has an NVIDIA device that torch {torch['version']} (CUDA {torch['built_for']}) can't use"
        return Check(
            "accelerator", "warn", told, "update the NVIDIA driver, or install a torch for the CUDA of nvidia-smi"
        )
    told = f"the machine has an accelerator ({wanted}), and torch {torch['version']} is a build without it"
    return Check(
        "accelerator", "warn", told, "install the build of torch for it: https://pytorch.org/get-started/locally"
    )
