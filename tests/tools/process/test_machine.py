"""The accelerator that a machine shows, found without a library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl_gpt.tools.process import machine


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of devices on Linux."""
    monkeypatch.setattr(machine, "_DEVICES", tmp_path)
    monkeypatch.setattr(machine, "_WSL_DRIVER", tmp_path / "libcuda.so.1")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_without_an_accelerator_the_cpu_computes(devices: Path) -> None:
    (devices / "nvidiactl").touch()
    assert machine.device() == "cpu"


@pytest.mark.parametrize("file", ["nvidia0", "nvidia3", "libcuda.so.1"])
def test_an_nvidia_device_is_found(devices: Path, file: str) -> None:
    (devices / file).touch()
    assert machine.device() == "cuda"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_an_nvidia_device_may_be_hidden(devices: Path, hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (devices / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert machine.device() == "cpu" and machine.nvidia()


@pytest.mark.parametrize(("chip", "device"), [("arm64", "mps"), ("x86_64", "cpu")])
def test_apple_s_own_chips_compute_by_metal(chip: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine.platform, "machine", lambda: chip)
    assert machine.device() == device


def test_asking_for_the_device_loads_no_library() -> None:
    code = "import sys; from automl_gpt.tools.process.machine import device; device(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
