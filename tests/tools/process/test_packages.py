"""Packages that are there, missing, broken, or that end the interpreter: each is told, and none takes doctor along."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from automl_gpt.tools.process import machine, packages
from automl_gpt.tools.process.packages import DEEP, VISION, accelerator, imported

TORCH: dict[str, Any] = {"version": "2.13.0", "built_for": None, "devices": [], "mps": False}
NMS = "raise RuntimeError('operator torchvision::nms does not exist')"


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages go before those that are installed."""
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    return tmp_path


def add(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


# --------------------------------------------------------------------------------------------------------- importing


def test_each_import_is_told_whatever_the_others_do(fakes: Path) -> None:
    add(fakes, "fine", "__version__ = '1.2'\nprint('noise')")
    add(fakes, "broken", "raise ValueError('first line\\nsecond')")
    add(fakes, "crash", "import os; os.abort()")
    add(fakes, "leaves", "raise SystemExit(3)")
    add(fakes, "needs", "import not_there_either")
    assert imported(["fine", "crash", "broken", "leaves", "not_there", "needs", "json"]) == {
        "fine": {"version": "1.2"},
        "crash": {"problem": "importing it ended the process (signal 6)"},
        "broken": {"problem": "ValueError: first line"},
        "leaves": {"problem": "SystemExit: 3"},
        "not_there": {"missing": True},
        "needs": {"problem": "ModuleNotFoundError: No module named 'not_there_either'"},
        "json": {"version": "2.0.9"},
    }


def test_an_import_that_never_ends_is_ended(fakes: Path) -> None:
    add(fakes, "endless", "import time; time.sleep(600)")
    found = imported(["json", "endless"], seconds=3.0)
    assert found["endless"] == {"problem": "importing it took longer than 3 s"} and "version" in found["json"]


# -------------------------------------------------------------------------------------------------------- judgements


def judged(monkeypatch: pytest.MonkeyPatch, **changes: dict[str, Any]) -> dict[str, packages.Check]:
    """The checks of a machine on which every import works but those that are changed."""

    def told(names: tuple[str, ...]) -> dict[str, Any]:
        usual = {name: {"version": "1.0"} for name in names} | {"torch": TORCH, VISION: {"missing": True}}
        return {name: (usual | changes)[name] for name in names}

    monkeypatch.setattr(packages, "imported", told)
    return {check.check: check for check in packages.check_packages()}


def test_a_machine_on_which_all_works_has_nothing_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "device", lambda: "cpu")
    found = judged(monkeypatch)
    assert list(found) == ["packages", "xgboost", "deep", "torchvision", "accelerator"]
    assert {(check.level, check.mend) for check in found.values()} == {("ok", "")}
    assert "torch 2.13.0" in found["deep"].text


def test_without_the_extra_for_texts_and_pictures_tables_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, **{name: {"missing": True} for name in DEEP})
    assert (found["deep"].level, found["deep"].mend) == ("warn", "pip install 'automl-gpt[deep]'")
    assert "torchvision" not in found and "accelerator" not in found


def test_a_package_that_breaks_on_import_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, peft={"problem": "ImportError: x"}, lightgbm={"problem": "OSError: libgomp"})
    assert found["peft"].level == "bad" and "ImportError: x" in found["peft"].text
    assert found["packages"].level == "bad" and "lightgbm (OSError: libgomp)" in found["packages"].text


def test_a_torchvision_that_does_not_fit_torch_is_found(fakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(fakes, VISION, NMS)
    told = imported([VISION])[VISION]
    check = judged(monkeypatch, torchvision=told)[VISION]
    assert check.level == "bad" and "operator torchvision::nms does not exist" in check.text
    assert check.mend.startswith("pip uninstall -y torchvision")
    assert judged(monkeypatch, torchvision={"version": "0.28"})[VISION].level == "ok"


def test_two_builds_of_xgboost_are_bad_and_none_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = packages.installed_version
    monkeypatch.setattr(packages, "installed_version", lambda name: "3.2.0" if "xgboost" in name else installed(name))
    assert "overwrite each other" in judged(monkeypatch)["xgboost"].text
    monkeypatch.setattr(packages, "installed_version", lambda name: None if "xgboost" in name else installed(name))
    assert judged(monkeypatch, xgboost={"missing": True})["xgboost"].level == "warn"


def test_what_is_installed_is_compared_with_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["numpy>=900", "no-such-thing>=2", "packaging", "torch>=900; extra == 'deep'", "absent; extra == 'deep'"]
    monkeypatch.setattr(packages.metadata, "requires", lambda _: [*asked, "other; extra == 'gpu'"])
    found = judged(monkeypatch)
    assert ">=900 is needed" in found["numpy"].text and found["numpy"].mend == "pip install 'numpy>=900'"
    assert found["no-such-thing"].text == "no-such-thing is not installed" and found["torch"].level == "bad"
    assert "not installed: absent; tables work without" in found["deep"].text
    assert "packaging" not in found and "other" not in found


@pytest.mark.parametrize(
    ("device", "torch", "level", "told"),
    [
        ("cuda", {"devices": ["H200"]}, "ok", "CUDA: H200"),
        ("cuda", {}, "warn", "is a build without it"),
        ("cuda", {"built_for": "12.8"}, "warn", "(CUDA 12.8) can't use"),
        ("mps", {"mps": True}, "ok", "Metal"),
        ("mps", {}, "warn", "is a build without it"),
        ("cpu", {}, "ok", "the CPU computes"),
    ],
)
def test_an_accelerator_that_torch_can_t_use_is_told(
    device: str, torch: dict[str, Any], level: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "device", lambda: device)
    check = accelerator(TORCH | torch)
    assert check.level == level and told in check.text and bool(check.mend) == (level == "warn")


def test_the_packages_for_texts_and_pictures_are_those_of_the_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {Requirement(line).name for line in project["optional-dependencies"]["deep"]}
    assert set(DEEP) <= asked
