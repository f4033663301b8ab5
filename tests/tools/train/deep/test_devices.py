"""The device that torch computes on: the wanted one where it can, else the CPU, which is said."""

from __future__ import annotations

import pytest
import torch

from automl_gpt.tools.train.deep.devices import torch_device


def test_the_cpu_is_always_there() -> None:
    assert torch_device("cpu") == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_torch_does_not_see_is_told_and_replaced(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    told: list[str] = []
    assert torch_device(wanted, told.append) == "cpu"
    assert len(told) == 1 and f"can't compute on {wanted} (it sees none)" in told[0]


def test_a_driver_that_fails_is_told_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nmore lines")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    told: list[str] = []
    assert torch_device("cuda", told.append) == "cpu"
    assert "(CUDA error: no kernel image is available)" in told[0]


def test_a_device_that_computes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = list[str](), list[str]()

    def ones(size: int, device: str) -> torch.Tensor:
        asked.append(device)
        return torch.zeros(size)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    assert (torch_device("cuda", told.append), asked, told) == ("cuda", ["cuda"], [])
